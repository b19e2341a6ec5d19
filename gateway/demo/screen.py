"""What the demo shows: headings, bars, tables."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.demo.crashes import Outage
from gateway.demo.figures import Figures, ShardFigures
from graphgate.v1 import graph_pb2, search_service_pb2

ENGINE_NAMES = {
    search_service_pb2.SHARD_ENGINE_FALKORDB: "falkordb",
    search_service_pb2.SHARD_ENGINE_NEO4J: "neo4j",
}
_ENGINE_STYLES = {"falkordb": "cyan", "neo4j": "green"}
_METHOD_LETTERS = {
    search_service_pb2.SEARCH_METHOD_SEMANTIC: "S",
    search_service_pb2.SEARCH_METHOD_KEYWORD: "K",
    search_service_pb2.SEARCH_METHOD_GRAPH: "G",
}
_RANK_WIDTH = 4
_PLACE_WIDTHS = {"group": 10, "shard": 10, "engine": 8, "found by": 11}
_TEXT_WIDTH_MIN = 16


class Screen:
    """Everything goes to one console; with `--json` that is standard error."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._steps = 0

    def step(self, title: str) -> None:
        self._steps += 1
        self.console.print()
        self.console.rule(f"[bold]{self._steps}. {title}[/bold]", align="left", style="dim")

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False)

    def warn(self, text: str) -> None:
        self.console.print(Panel(text, border_style="yellow", style="bold yellow"))

    def progress(self) -> Progress:
        return Progress(
            TextColumn("  {task.description:<32}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
        )

    def outage(self, outage: Outage) -> None:
        calls = "1 write was" if outage.calls_cut_off == 1 else f"{outage.calls_cut_off} writes were"
        self.say(
            f"  [bold red]SIGKILL[/bold red] {outage.victim}: {calls} waiting for an answer; "
            f"up again after {outage.down_s:.1f} s, sent again with the same request_id"
        )

    def shards(self, shards: Sequence[ShardFigures]) -> None:
        table = Table("shard", "engine", box=None, padding=(0, 2), header_style="dim")
        table.add_column("groups", justify="right")
        table.add_column("entities", justify="right")
        for shard in shards:
            table.add_row(shard.id, _engine(shard.engine), str(shard.groups), f"{shard.entities:,}")
        self.console.print(table)

    def hits(
        self, title: str, answer: search_service_pb2.SearchResponse, gold: frozenset[str] = frozenset()
    ) -> None:
        """The first list of the answer. `gold` are uuids of episodes to mark."""
        table = Table(box=None, padding=(0, 1), header_style="dim")
        table.add_column("", width=_RANK_WIDTH, no_wrap=True)
        table.add_column("hit", width=self._text_width(), no_wrap=True, overflow="ellipsis")
        for column, width in _PLACE_WIDTHS.items():
            table.add_column(column, width=width, no_wrap=True, overflow="ellipsis")
        for rank, hit in enumerate(answer.results[0].hits, 1):
            is_gold = hit.WhichOneof("row") == "episode" and hit.episode.uuid in gold
            ranks = {method.method: method.rank for method in hit.methods}
            table.add_row(
                f"[bold yellow]{rank:2} ★[/bold yellow]" if is_gold else f"{rank:2}",
                escape(_row_text(hit).replace("\n", " ")),
                hit.group_id,
                hit.shard,
                _engine(ENGINE_NAMES.get(hit.engine, "?")),
                " ".join(f"{letter}{ranks[m]}" for m, letter in _METHOD_LETTERS.items() if m in ranks),
            )
        self.console.print()
        self.console.print(title, highlight=False)
        self.console.print(table)

    def _text_width(self) -> int:
        """What the other columns leave of the line, a blank on either side of each."""
        others = (_RANK_WIDTH, *_PLACE_WIDTHS.values())
        return max(_TEXT_WIDTH_MIN, self.console.width - sum(others) - 2 * (len(others) + 1))

    def summary(self, figures: Figures, problems: Sequence[str]) -> None:
        rows = _summary_rows(figures)
        table = Table(box=None, show_header=False, padding=(0, 2))
        for name, value in rows.items():
            table.add_row(f"[bold]{name}[/bold]", value)
        self.console.print()
        self.console.print(
            Panel(
                table, title="graphgate demo", border_style="red" if problems else "green", title_align="left"
            )
        )
        for problem in problems:
            self.console.print(f"[bold red]FAILED[/bold red] {problem}")


def _engine(name: str) -> str:
    style = _ENGINE_STYLES.get(name)
    return f"[{style}]{name}[/{style}]" if style else name


def _row_text(hit: search_service_pb2.SearchHit) -> str:
    match hit.WhichOneof("row"):
        case "entity":
            return hit.entity.name
        case "fact":
            return hit.fact.fact
        case _:
            return f"{hit.episode.name}: {hit.episode.content}"


def kind_name(kind: graph_pb2.RowKind) -> str:
    """As in the figures: ROW_KIND_ENTITY is entities."""
    return {
        graph_pb2.ROW_KIND_EPISODE: "episodes",
        graph_pb2.ROW_KIND_ENTITY: "entities",
        graph_pb2.ROW_KIND_FACT: "facts",
    }[kind]


def _summary_rows(figures: Figures) -> dict[str, str]:
    stored, write = figures.stored, figures.write
    equal = ", ".join(f"{kind} {share:.0%}" for kind, share in figures.sharded_equals_unsharded.items())
    return {
        "stored": f"{stored.groups} groups, {stored.episodes:,} episodes, {stored.entities:,} entities, "
        f"{stored.facts:,} facts, {stored.mentions:,} mentions",
        "written": f"{write.entities.rows_per_s:,.0f} entities/s, {write.facts.rows_per_s:,.0f} facts/s",
        "lost": f"{figures.lost_after_restart} of {figures.acknowledged_rows:,} acknowledged rows, "
        f"after {len(write.outages)} SIGKILLs",
        "search": f"p50 {figures.search_p50_ms:.0f} ms, p95 {figures.search_p95_ms:.0f} ms",
        "recall@10": f"{figures.recall_at_10:.3f}; every gold passage in the first 10: "
        f"{figures.all_gold_at_10:.0%} of the questions",
        "sharded = unsharded": f"{equal}; hybrid overlap {figures.hybrid_overlap_at_10:.1%}",
        "took": ", ".join(f"{name} {seconds:.1f} s" for name, seconds in figures.timings_s.items()),
    }

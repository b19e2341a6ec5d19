"""`graphgate bench peer`: graphgate beside graphiti-core."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gateway.cli.columns import aligned
from gateway.cli.options import AsJson, load

if TYPE_CHECKING:
    from gateway.bench.peer.comparison import PeerOptions
    from gateway.bench.peer.figures import PeerResult, SideFigures
    from gateway.bench.peer.rows import PeerRows

_PIPE_WIDTH = 110
"""Columns of what goes into a file."""


def peer(
    engine: Annotated[
        Literal["falkordb", "neo4j"], typer.Option(help="Engine of both sides, a process for each.")
    ] = "falkordb",
    entities: Annotated[int, typer.Option(min=100, max=200_000, help="Entities in the one group.")] = 2_000,
    facts: Annotated[int, typer.Option(min=100, max=1_000_000, help="Facts in the one group.")] = 5_000,
    questions: Annotated[int, typer.Option(min=1, max=100, help="Questions, from the first.")] = 40,
    rounds: Annotated[
        int,
        typer.Option(min=1, max=100, help="Times that each question is asked, after one that warms up."),
    ] = 3,
    as_json: AsJson = False,
) -> None:
    """Load the same entities and facts into **graphgate and graphiti-core** and ask both the same questions.

    Each side has an engine process of its own with the same settings; batches and questions go to both in
    turn. The data is MuSiQue-100 with vectors of all-MiniLM-L6-v2; more rows than it has are recombined from
    its names and predicates. Vectors of rows and questions are given to both sides: no embedding is timed.

    graphiti-core's figures are of its library calls, graphgate's of calls over gRPC. The first run installs
    graphiti-core into an environment of its own in the cache, and embeds the rows.
    """
    settings = load(None, None, {}, as_json=as_json).settings
    from rich.console import Console  # noqa: PLC0415 - slow, as are the others

    from gateway.bench.peer import comparison  # noqa: PLC0415
    from gateway.bench.peer.rows import peer_rows  # noqa: PLC0415
    from gateway.cli.bench.watch import BarWatch  # noqa: PLC0415
    from gateway.cli.owned_run import run_owned  # noqa: PLC0415
    from gateway.corpus.dataset import load_dataset  # noqa: PLC0415

    dataset = load_dataset()
    try:
        rows = peer_rows(dataset, entities, facts)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--entities or --facts") from error
    options = comparison.PeerOptions(engine, settings.cache, rounds)
    asked = dataset.questions[:questions]
    console = Console(stderr=True)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH

    async def measure() -> None:
        with (
            tempfile.TemporaryDirectory(prefix="graphgate-bench-", ignore_cleanup_errors=True) as name,
            BarWatch(console) as watch,
        ):
            result = await comparison.run_peer(options, rows, asked, Path(name), watch)
        make = _json if as_json else _text
        print(make(options, rows, len(asked), result), flush=True)

    run_owned(measure(), as_json=as_json)


def _json(options: "PeerOptions", rows: "PeerRows", questions: int, result: "PeerResult") -> str:
    return json.dumps(
        {
            "engine": options.engine,
            "engine_version": result.engine_version,
            "graphiti_core": result.graphiti_version,
            "entities": len(rows.entities),
            "facts": len(rows.facts),
            "recombined": {"entities": rows.recombined_entities, "facts": rows.recombined_facts},
            "questions": questions,
            "rounds": options.rounds,
            "graphgate": {name: _side(figures) for name, figures in result.graphgate.items()},
            "graphiti": _side(result.graphiti),
            "recall_at_10": round(min(result.recall_at_10.values()), 4),
            "recall_at_10_by_kind": _rounded(result.recall_at_10, 4),
            "same_semantic_top10": round(min(result.same_semantic_top10.values()), 4),
            "same_semantic_top10_by_kind": _rounded(result.same_semantic_top10, 4),
            "speedup": _rounded(result.speedup["automatic"], 2),
            "speedup_exact": _rounded(result.speedup["exact"], 2),
            "vectors": {f"{side}.{search}": ran for (side, search), ran in result.vectors.items()},
            "stages_ms": {
                f"{side}.{search}": _rounded(stages, 3) for (side, search), stages in result.stages_ms.items()
            },
            "settled_s": round(result.settled_s, 2),
        }
    )


def _side(figures: "SideFigures") -> dict[str, object]:
    return {
        **{search: _rounded(asdict(found), 2) for search, found in figures.searches.items()},
        "entities_per_s": round(figures.entities_per_s, 1),
        "facts_per_s": round(figures.facts_per_s, 1),
    }


def _rounded[K: str](values: Mapping[K, float], digits: int) -> dict[K, float]:
    return {name: round(value, digits) for name, value in values.items()}


def _text(options: "PeerOptions", rows: "PeerRows", questions: int, result: "PeerResult") -> str:
    exact, automatic, theirs = result.graphgate["exact"], result.graphgate["automatic"], result.graphiti
    times = result.speedup["automatic"]
    table = [["", "EXACT", "(P95)", "AUTOMATIC", "(P95)", "GRAPHITI", "(P95)", "TIMES AS FAST"]]
    for search in theirs.searches:
        cells = [f"{search.replace('_', ' ')}, ms"]
        for side in (exact, automatic, theirs):
            found = side.searches[search]
            cells += [f"{found.p50_ms:.2f}", f"({found.p95_ms:.2f})"]
        table.append([*cells, f"{times[f'{search}_p50']:.1f}"])
    for name, mine, other in (
        ("entities_per_s", automatic.entities_per_s, theirs.entities_per_s),
        ("facts_per_s", automatic.facts_per_s, theirs.facts_per_s),
    ):
        kind = name.removesuffix("_per_s")
        table.append([f"{kind}/s", "", "", f"{mine:,.0f}", "", f"{other:,.0f}", "", f"{times[name]:.1f}"])
    recall, same = result.recall_at_10, result.same_semantic_top10
    return f"""\
{options.engine} {result.engine_version}, graphiti-core {result.graphiti_version}
one group of {len(rows.entities):,} entities and {len(rows.facts):,} facts; {questions} questions, {options.rounds} rounds

{aligned(table)}

best ten by cosine, automatic against exact: facts {recall["facts"]:.1%}, entities {recall["entities"]:.1%}
the same, exact against graphiti-core: facts {same["facts"]:.1%}, entities {same["entities"]:.1%}
rows recombined from the data's own: {rows.recombined_entities:,} entities, {rows.recombined_facts:,} facts"""  # noqa: E501

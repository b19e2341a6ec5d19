"""`graphgate bench ingest`: episodes through a language model of fixed latency."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gateway.cli.columns import aligned
from gateway.cli.options import AsJson, load

if TYPE_CHECKING:
    from gateway.bench.ingest.figures import Goal, IngestBenchResult, Row
    from gateway.bench.ingest.gateway_side import Loaded
    from gateway.bench.ingest.options import IngestBenchOptions
    from gateway.bench.ingest.peer import Sides, Way

_PIPE_WIDTH = 110
"""Columns of what goes into a file."""
_LATENCY_MS_MAX = 10_000


def ingest(
    engine: Annotated[Literal["falkordb", "neo4j"], typer.Option(help="Engine of all sides.")] = "falkordb",
    peer: Annotated[bool, typer.Option(help="Measure graphiti-core beside it.")] = False,
    episodes: Annotated[
        int, typer.Option(min=10, max=100_000, help="Of each latency, over ten groups, at once.")
    ] = 500,
    latencies: Annotated[str, typer.Option(help="Of the model, in ms, with commas between.")] = "0,200,1000",
    visible_episodes: Annotated[
        int,
        typer.Option(
            min=2,
            max=10_000,
            help="Of each latency, five a second, of every second it is measured when a search finds it.",
        ),
    ] = 150,
    table_episodes: Annotated[
        int,
        typer.Option(min=0, max=100_000, help="Of each row of the table of strategies and sizes; 0: none."),
    ] = 200,
    peer_rounds: Annotated[
        int, typer.Option(min=1, max=100, help="Of 30 episodes in bulk, each side in turn.")
    ] = 3,
    as_json: AsJson = False,
) -> None:
    """Let episodes become a graph, with **a fake language model of fixed latency**: how many a second, how
    soon they are found, by how many calls and tokens.

    Episodes are passages of MuSiQue-100, and the model, a server of its own, replays their recorded
    extractions. Model calls and tokens are counted there. At most 20 calls of the model run at once, of
    either side; embeddings are the same server's, without latency. The table is made at 200 ms.

    With --peer: graphiti-core's add_episode and add_episode_bulk at 200 ms, with an engine and a model server
    of its own, in turn with graphgate in one run. Its first run installs it into an environment of its own.
    """
    settings = load(None, None, {}, as_json=as_json).settings
    from rich.console import Console  # noqa: PLC0415 - slow, as are the others

    from gateway.bench.ingest.options import IngestBenchOptions  # noqa: PLC0415
    from gateway.bench.ingest.run import run_ingest  # noqa: PLC0415
    from gateway.cli.bench.watch import BarWatch  # noqa: PLC0415
    from gateway.cli.owned_run import run_owned  # noqa: PLC0415
    from gateway.corpus.dataset import load_dataset  # noqa: PLC0415

    options = IngestBenchOptions(
        engine=engine,
        cache_dir=settings.cache,
        latencies_ms=_latencies(latencies),
        episodes=episodes,
        visible_episodes=visible_episodes,
        table_episodes=table_episodes,
        peer=peer,
        peer_rounds=peer_rounds,
    )
    console = Console(stderr=True)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH

    async def measure() -> None:
        with (
            tempfile.TemporaryDirectory(prefix="graphgate-bench-", ignore_cleanup_errors=True) as name,
            BarWatch(console) as watch,
        ):
            result = await run_ingest(options, load_dataset(), Path(name), watch)
        print((_json if as_json else _text)(options, result), flush=True)

    run_owned(measure(), as_json=as_json)


def _latencies(text: str) -> Sequence[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and part.isascii() and int(part) <= _LATENCY_MS_MAX for part in parts):
        raise typer.BadParameter(
            f"whole milliseconds up to {_LATENCY_MS_MAX} with commas between, got {text!r}",
            param_hint="--latencies",
        )
    return list(dict.fromkeys(int(part) for part in parts))


def _json(options: "IngestBenchOptions", result: "IngestBenchResult") -> str:
    from gateway.bench.ingest.options import HEADLINE_MS  # noqa: PLC0415 - after the run it is there

    peer = result.peer
    # Beside the peer: of the same episodes in the same way.
    headline = result.loaded.get(HEADLINE_MS) or next(iter(result.loaded.values()))
    calls = {"graphgate": headline.use.calls / headline.episodes}
    tokens = {"graphgate": headline.use.tokens / headline.episodes}
    if peer is not None:
        sides = {"graphgate": peer.bulk.graphgate, "graphiti": peer.bulk.graphiti}
        calls = {name: way.calls_per_episode for name, way in sides.items()}
        tokens = {name: way.tokens_per_episode for name, way in sides.items()}
    visible = result.visible.get(HEADLINE_MS) or next(iter(result.visible.values()))
    return json.dumps(
        {
            "engine": options.engine,
            "graphiti_core": None if peer is None else peer.version,
            "episodes": options.episodes,
            "groups": options.groups,
            "model_calls_running_max": options.limit,
            "episodes_per_s": {str(ms): round(one.per_s, 2) for ms, one in result.loaded.items()},
            "model_calls_per_episode": {name: round(one, 3) for name, one in calls.items()},
            "tokens_per_episode": {name: round(one, 1) for name, one in tokens.items()},
            "speedup": None
            if peer is None
            else {
                "episodes_per_s": round(peer.bulk.speedup, 2),
                "single_episodes_per_s": round(peer.single.speedup, 2),
            },
            "visible_ms": _rounded(asdict(visible)),
            "visible_ms_by_latency": {str(ms): _rounded(asdict(one)) for ms, one in result.visible.items()},
            "by_latency": {str(ms): _loaded(one) for ms, one in result.loaded.items()},
            "peer": None if peer is None else {"bulk": _sides(peer.bulk), "single": _sides(peer.single)},
            "table": [_row(row) for row in result.table],
            "goals": [
                {**asdict(goal), "figure": round(goal.figure, 3), "met": goal.met} for goal in result.goals
            ],
        }
    )


def _loaded(one: "Loaded") -> dict[str, float]:
    return {
        "episodes_per_s": round(one.per_s, 2),
        "model_calls_per_episode": round(one.use.calls / one.episodes, 3),
        "tokens_per_episode": round(one.use.tokens / one.episodes, 1),
        "embedding_requests_per_episode": round(one.use.embedding_requests / one.episodes, 3),
        "gateway_cpu_ms_per_episode": round(one.gateway_cpu_s * 1e3 / one.episodes, 2),
        "gateway_memory_mb": round(one.memory_mb, 1),
    }


def _sides(sides: "Sides") -> dict[str, object]:
    return {
        "graphgate": _way(sides.graphgate),
        "graphiti": _way(sides.graphiti),
        "speedup": round(sides.speedup, 2),
    }


def _way(way: "Way") -> dict[str, object]:
    return {
        "episodes": way.episodes,
        "episodes_per_s": round(way.per_s, 3),
        "model_calls_per_episode": round(way.calls_per_episode, 3),
        "tokens_per_episode": round(way.tokens_per_episode, 1),
        "embedding_requests_per_episode": round(way.use.embedding_requests / way.episodes, 3),
        **asdict(way.rows),
    }


def _row(row: "Row") -> dict[str, object]:
    return {
        "strategy": row.tuning.strategy,
        "connections": row.tuning.connections,
        "batch": row.tuning.batch,
        "groups": row.groups,
        **_loaded(row.loaded),
    }


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in values.items()}


def _text(options: "IngestBenchOptions", result: "IngestBenchResult") -> str:
    parts = [f"{options.engine}; {options.episodes:,} episodes over {options.groups} groups"]
    table = [["MODEL MS", *_HEADS, "VISIBLE MS P50", "P95", "P99"]]
    for ms, one in result.loaded.items():
        seen = result.visible[ms]
        found = [f"{value:.0f}" for value in (seen.p50, seen.p95, seen.p99)]
        table.append([str(ms), *_cells(one), *found])
    parts.append(aligned(table))
    if result.table:
        rows = [["STRATEGY", "CONNECTIONS", "UNIT", "GROUPS", *_HEADS]]
        rows += [
            [
                row.tuning.strategy,
                str(row.tuning.connections),
                row.tuning.batch,
                str(row.groups),
                *_cells(row.loaded),
            ]
            for row in result.table
        ]
        parts.append(aligned(rows))
    if result.peer is not None:
        both = [["", "", "EPISODES/S", "CALLS", "TOKENS", "ENTITIES", "FACTS"]]
        for name, sides in (("bulk", result.peer.bulk), ("one by one", result.peer.single)):
            for side, way in (("graphgate", sides.graphgate), ("graphiti-core", sides.graphiti)):
                cells = [f"{way.per_s:.2f}", f"{way.calls_per_episode:.2f}", f"{way.tokens_per_episode:,.0f}"]
                both.append([name, side, *cells, f"{way.rows.entities:,}", f"{way.rows.facts:,}"])
        parts.append(f"beside graphiti-core {result.peer.version}\n\n{aligned(both)}")
    parts.append("\n".join(_goal(goal) for goal in result.goals))
    return "\n\n".join(parts)


_HEADS = ("EPISODES/S", "CALLS", "TOKENS", "CPU MS", "MB")
"""Calls, tokens and the gateway's processor time for each episode."""


def _cells(one: "Loaded") -> list[str]:
    return [
        f"{one.per_s:.1f}",
        f"{one.use.calls / one.episodes:.2f}",
        f"{one.use.tokens / one.episodes:,.0f}",
        f"{one.gateway_cpu_s * 1e3 / one.episodes:.1f}",
        f"{one.memory_mb:.0f}",
    ]


def _goal(goal: "Goal") -> str:
    sign = "at least" if goal.at_least else "at most"
    return f"{'met   ' if goal.met else 'MISSED'} {goal.goal}: {goal.figure:.2f}, {sign} {goal.bound:g}"

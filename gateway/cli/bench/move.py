"""`graphgate bench move`: moves of groups under load."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.columns import aligned
from gateway.cli.options import AsJson, load

if TYPE_CHECKING:
    from gateway.bench.move.figures import Goal
    from gateway.bench.move.options import MoveBenchOptions, Pair
    from gateway.bench.move.run import MoveBenchResult

_PIPE_WIDTH = 110
"""Columns of what goes into a file."""
_ENGINES = ("falkordb", "neo4j")
_PAIRS = "falkordb->falkordb,falkordb->neo4j,neo4j->falkordb,neo4j->neo4j"


def move(
    pairs: Annotated[str, typer.Option(help="Pairs of engines, with commas between.")] = _PAIRS,
    entities: Annotated[int, typer.Option(min=10, max=1_000_000, help="Of the group that moves.")] = 10_000,
    facts: Annotated[int, typer.Option(min=10, max=1_000_000, help="Of the group that moves.")] = 50_000,
    moves: Annotated[int, typer.Option(min=1, max=1_000, help="Of each pair.")] = 6,
    index_waits: Annotated[
        int,
        typer.Option(
            min=0,
            help="Moves of each pair, the first ones, that are measured until the target's indexes serve.",
        ),
    ] = 1,
    small_groups: Annotated[
        int,
        typer.Option(
            min=0, max=100_000, help="Groups of ten rows that move between FalkorDB shards; 0: none."
        ),
    ] = 1_000,
    baseline_s: Annotated[
        float, typer.Option(min=1, max=600, help="Seconds of the same load without a move, for each pair.")
    ] = 10.0,
    as_json: AsJson = False,
) -> None:
    """Move **a group that is written and searched** between engines: 100 writes of single rows a second and 5
    semantic searches on it, 45 semantic and keyword searches on other groups of the same shards.

    Rows are random words with random vectors of 384 dimensions. The group moves there and back, two gateways
    serve; each move waits until what the one before left behind has been deleted, not until the target's
    vector indexes are built, which on FalkorDB takes minutes (`--index-waits`). The pause of each
    freeze is that of the slowest write which met it, as its writer saw it, also where writers were let go
    again before the commit; `recorded_pause_ms_*` is what the gateway says.
    """
    settings = load(None, None, {}, as_json=as_json).settings
    from rich.console import Console  # noqa: PLC0415 - slow, as are the others

    from gateway.bench.move.options import MoveBenchOptions  # noqa: PLC0415
    from gateway.bench.move.run import run_moves  # noqa: PLC0415
    from gateway.cli.bench.watch import BarWatch  # noqa: PLC0415
    from gateway.cli.owned_run import run_owned  # noqa: PLC0415

    options = MoveBenchOptions(
        cache_dir=settings.cache,
        pairs=_pairs(pairs),
        entities=entities,
        facts=facts,
        moves=moves,
        index_waits=index_waits,
        small_groups=small_groups,
        baseline_s=baseline_s,
    )
    console = Console(stderr=True)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH

    async def measure() -> None:
        with (
            tempfile.TemporaryDirectory(prefix="graphgate-bench-", ignore_cleanup_errors=True) as name,
            BarWatch(console) as watch,
        ):
            result = await run_moves(options, Path(name), watch)
        print((_json if as_json else _text)(options, result), flush=True)

    run_owned(measure(), as_json=as_json)


def _pairs(text: str) -> "list[Pair]":
    """Empty: none."""
    from gateway.bench.move.options import Pair  # noqa: PLC0415

    found: list[Pair] = []
    for name in filter(None, text.split(",")):
        source, _, target = name.partition("->")
        if source not in _ENGINES or target not in _ENGINES:
            raise typer.BadParameter(f"pairs are {_PAIRS}, got {name!r}", param_hint="--pairs")
        pair = Pair(
            "neo4j" if source == "neo4j" else "falkordb", "neo4j" if target == "neo4j" else "falkordb"
        )
        if pair not in found:
            found.append(pair)
    return found


def _json(options: "MoveBenchOptions", result: "MoveBenchResult") -> str:
    return json.dumps(
        {
            "entities": options.entities,
            "facts": options.facts,
            "writes_per_s": options.writes_per_s,
            "searches_per_s": options.searches_per_s,
            "pairs": [
                {
                    name: round(value, 3) if isinstance(value, float) else value
                    for name, value in asdict(pair).items()
                }
                for pair in result.pairs
            ],
            "small_groups": options.small_groups,
            "small_groups_per_s": None
            if result.small_groups_per_s is None
            else round(result.small_groups_per_s, 2),
            "goals": [
                {**asdict(goal), "figure": round(goal.figure, 3), "met": goal.met} for goal in result.goals
            ],
        }
    )


def _text(options: "MoveBenchOptions", result: "MoveBenchResult") -> str:
    table = [
        ["PAIR", "MOVES", "COMMIT S", "INDEXES S", "MB/S", "PAUSE MS", "P99", "MAX", "FAILED", "OTHERS P99"]
    ]
    table += [
        [
            pair.name,
            str(pair.moves),
            *(
                "-" if value is None else f"{value:.1f}"
                for value in (pair.to_commit_s, pair.to_indexes_ready_s, pair.mb_per_s)
            ),
            *(
                "-" if value is None else f"{value:.0f}"
                for value in (pair.pause_ms_p50, pair.pause_ms_p99, pair.pause_ms_max)
            ),
            str(pair.failed_calls),
            f"{pair.others_p99_ratio:.2f} times",
        ]
        for pair in result.pairs
    ]
    parts = [f"{options.entities:,} entities and {options.facts:,} facts"]
    if result.pairs:
        parts.append(aligned(table))
    if result.small_groups_per_s is not None:
        parts.append(f"{options.small_groups:,} small groups: {result.small_groups_per_s:.1f} a second")
    parts.append("\n".join(_goal(goal) for goal in result.goals))
    return "\n\n".join(parts)


def _goal(goal: "Goal") -> str:
    sign = "at least" if goal.at_least else "at most"
    return f"{'met   ' if goal.met else 'MISSED'} {goal.goal}: {goal.figure:.2f}, {sign} {goal.bound:g}"

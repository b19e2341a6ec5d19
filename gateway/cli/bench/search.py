"""`graphgate bench search`: searches beside the engine calls that they consist of."""

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
    from gateway.bench.search.figures import Cell, CellFigures, Goal, Latency
    from gateway.bench.search.options import SearchOptions
    from gateway.bench.search.run import SearchResult

_PIPE_WIDTH = 110
"""Columns of what goes into a file."""
_PARTS = ("neighbours", "mixed", "fan_out", "sizes")


def search(
    engine: Annotated[Literal["falkordb", "neo4j"], typer.Option(help="Engine of all shards.")] = "falkordb",
    parts: Annotated[str, typer.Option(help="Parts to run, with commas between.")] = ",".join(_PARTS),
    sizes: Annotated[
        str, typer.Option(help="Facts of a group, one group of each, with commas between.")
    ] = "1000,10000,50000,100000",
    shards: Annotated[str, typer.Option(help="Shards of a fleet; part fan_out.")] = "1,4,8",
    groups: Annotated[
        str, typer.Option(help="Groups of one request, of ten facts each; part fan_out.")
    ] = "1,10,100,1000",
    wide_facts: Annotated[
        int,
        typer.Option(
            min=0,
            max=100_000,
            help="Facts of each group in requests over one group on every shard; 0: none; part fan_out.",
        ),
    ] = 1_000,
    neighbours: Annotated[
        str, typer.Option(help="Other groups in the fleet of a group of 1,000 entities.")
    ] = "100,10000",
    questions: Annotated[int, typer.Option(min=1, max=100, help="Questions, from the first.")] = 20,
    rounds: Annotated[
        int, typer.Option(min=1, max=1_000, help="Times each question is asked, after one that warms up.")
    ] = 5,
    cell_s: Annotated[
        float, typer.Option(min=0.1, help="No further round of one figure begins after so many seconds.")
    ] = 4.0,
    mixed_s: Annotated[float, typer.Option(min=1, help="Seconds of mixed load.")] = 20.0,
    minutes: Annotated[
        float,
        typer.Option(
            min=0.1, help="Of the whole run: what would not fit is left out, and the answer says so."
        ),
    ] = 12.0,
    as_json: AsJson = False,
) -> None:
    """Search fleets of its own and send **the same engine calls without the gateway** in turn: the floor.

    Parts: `sizes`, one group of each size on one shard; `fan_out`, requests over many groups on many shards;
    `neighbours`, one group among few and among many others, and the gateway's memory; `mixed`, eight clients
    that search and write at the same time, against fixed baselines.

    Every part but `mixed` asks by each method alone and by all together. The data is MuSiQue-100 with vectors
    of all-MiniLM-L6-v2, recombined to what is needed; vectors of rows and questions are given, and the result
    cache is off. The first run embeds the rows.
    """
    settings = load(None, None, {}, as_json=as_json).settings
    from rich.console import Console  # noqa: PLC0415 - slow, as are the others

    from gateway.bench.search import options as made  # noqa: PLC0415
    from gateway.bench.search.measuring import Rounds  # noqa: PLC0415
    from gateway.bench.search.run import run_search  # noqa: PLC0415
    from gateway.cli.bench.watch import BarWatch  # noqa: PLC0415
    from gateway.cli.owned_run import run_owned  # noqa: PLC0415
    from gateway.corpus.dataset import load_dataset  # noqa: PLC0415

    named = parts.split(",")
    if set(named) - set(made.PARTS):
        raise typer.BadParameter(f"parts are {', '.join(made.PARTS)}", param_hint="--parts")
    options = made.SearchOptions(
        engine=engine,
        cache_dir=settings.cache,
        parts=[part for part in made.PARTS if part in named],
        sizes=_numbers(sizes, "--sizes", 10, 1_000_000),
        shards=_numbers(shards, "--shards", 1, 64),
        groups=_numbers(groups, "--groups", 1, 1_000),
        wide_facts=wide_facts,
        neighbours=_numbers(neighbours, "--neighbours", 1, 1_000_000),
        questions=questions,
        rounds=Rounds(rounds, cell_s),
        mixed_s=mixed_s,
        seconds_max=minutes * 60,
    )
    dataset = load_dataset()
    console = Console(stderr=True)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH

    async def measure() -> None:
        with (
            tempfile.TemporaryDirectory(prefix="graphgate-bench-", ignore_cleanup_errors=True) as name,
            BarWatch(console) as watch,
        ):
            result = await run_search(options, dataset, Path(name), watch)
        print((_json if as_json else _text)(options, result), flush=True)

    run_owned(measure(), as_json=as_json)


def _numbers(text: str, option: str, least: int, most: int) -> list[int]:
    """In ascending order, without repeats."""
    try:
        found = sorted({int(part) for part in text.split(",")})
    except ValueError as error:
        raise typer.BadParameter("give whole numbers with commas between", param_hint=option) from error
    if found[0] < least or found[-1] > most:
        raise typer.BadParameter(f"each is {least:,} to {most:,}", param_hint=option)
    return found


def _json(options: "SearchOptions", result: "SearchResult") -> str:
    from gateway.bench.search.mixed import BASELINES, CLIENTS, GROUP_FACTS, GROUPS, SHARDS  # noqa: PLC0415
    from gateway.bench.search.run import FLOOR  # noqa: PLC0415

    mixed = result.mixed
    return json.dumps(
        {
            "engine": options.engine,
            "parts": list(options.parts),
            "questions": options.questions,
            "rounds": options.rounds.count,
            "floor": FLOOR,
            "cells": [{**asdict(cell), **_cell(figures)} for cell, figures in result.cells.items()],
            "memory_mb": {
                str(groups): {"rest": round(found.rest_mb, 1), "served": round(found.served_mb, 1)}
                for groups, found in result.memory.items()
            },
            "mixed": None
            if mixed is None
            else {
                "clients": CLIENTS,
                "shards": SHARDS,
                "groups": GROUPS,
                "group_facts": GROUP_FACTS,
                "calls_per_s": round(mixed.calls_per_s, 1),
                "gateway_cpu_ms": round(mixed.gateway_cpu_ms, 3),
                "operations": {
                    operation: {
                        "calls": mixed.calls[operation],
                        **_latency(found),
                        "first_ms_max": round(mixed.first_ms_max[operation], 3),
                        "baseline": asdict(BASELINES[operation]),
                    }
                    for operation, found in mixed.operations.items()
                },
            },
            "goals": [_goal(goal) for goal in result.goals],
            "left_out": list(result.left_out),
            "summed_vectors": result.summed_facts,
            "seconds": round(result.seconds, 1),
        }
    )


def _cell(figures: "CellFigures") -> dict[str, object]:
    return {
        "requests": figures.requests,
        **_latency(figures.gateway),
        "floor": _latency(figures.floor),
        "overhead_ms": round(figures.overhead_ms, 3),
        "floor_times": round(figures.floor_times, 3),
        "gateway_cpu_ms": round(figures.gateway_cpu_ms, 3),
        "floor_cpu_ms": round(figures.floor_cpu_ms, 3),
        "engine_calls": round(figures.engine_calls, 2),
        "engine_steps": round(figures.engine_steps, 2),
        "calls": list(figures.calls),
        "stages_ms": _rounded(figures.stages_ms),
        "vectors": list(figures.vectors),
        "same_hits": round(figures.same_hits, 3),
    }


def _latency(latency: "Latency") -> dict[str, float]:
    return _rounded(asdict(latency))


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}


def _goal(goal: "Goal") -> dict[str, object]:
    return {**asdict(goal), "figure": round(goal.figure, 3), "met": goal.met}


def _text(options: "SearchOptions", result: "SearchResult") -> str:
    table = [
        ["", "P50 MS", "P95", "P99", "FLOOR", "P95", "P99", "OVER, MS", "TIMES", "CPU MS", "CALLS", "STEPS"]
    ]
    table += [_line(cell, figures) for cell, figures in result.cells.items()]
    parts = [f"{options.engine}; {options.questions} questions, up to {options.rounds.count} rounds"]
    if result.cells:
        parts.append(aligned(table))
    if result.memory:
        parts.append(
            "gateway's memory: "
            + "; ".join(
                f"{groups:,} groups {found.served_mb:.0f} MB (at rest {found.rest_mb:.0f})"
                for groups, found in result.memory.items()
            )
        )
    if result.mixed is not None:
        mixed = [["MIXED LOAD", "CALLS", "P50 MS", "P95", "P99"]]
        for operation, found in result.mixed.operations.items():
            cells = [f"{value:.1f}" for value in (found.p50_ms, found.p95_ms, found.p99_ms)]
            mixed.append([operation.replace("_", " "), f"{result.mixed.calls[operation]:,}", *cells])
        parts.append(aligned(mixed))
    parts.append(
        "\n".join(
            f"{'met   ' if goal.met else 'MISSED'} {goal.goal}: {goal.figure:.2f} of {goal.bound:g}"
            f" ({goal.cells_met} of {goal.cells}; worst: {goal.at})"
            for goal in result.goals
        )
    )
    parts += [f"left out: {what}" for what in result.left_out]
    return "\n\n".join(parts)


def _line(cell: "Cell", figures: "CellFigures") -> list[str]:
    latencies = (*asdict(figures.gateway).values(), *asdict(figures.floor).values())
    return [
        f"{cell.part}: {cell.name}",
        *(f"{value:.2f}" for value in latencies),
        f"{figures.overhead_ms:.2f}",
        f"{figures.floor_times:.2f}",
        f"{figures.gateway_cpu_ms:.2f}",
        f"{figures.engine_calls:.1f}",
        f"{figures.engine_steps:.1f}",
    ]

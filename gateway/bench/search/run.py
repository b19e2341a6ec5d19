"""All parts of one run."""

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.bench.peer.comparison import Watch
from gateway.bench.search.budget import Budget
from gateway.bench.search.fan_out import SMALL_FACTS, run_fan_out
from gateway.bench.search.figures import (
    Cell,
    CellFigures,
    Goal,
    baseline_goals,
    floor_goals,
    memory_goals,
    neighbour_goals,
)
from gateway.bench.search.mixed import BASELINES, GROUP_FACTS, GROUPS, Mixed, run_mixed
from gateway.bench.search.neighbours import Memory, run_neighbours
from gateway.bench.search.options import PARTS, SearchOptions
from gateway.bench.search.rows import RowSet
from gateway.bench.search.sizes import run_sizes
from gateway.corpus.dataset import Dataset

FLOOR = (
    "the same engine calls with the same arguments, as many and as parallel as in a search of the gateway's "
    "own searcher, which was recorded, sent by the drivers from the benchmark's process; the drivers read "
    "results into rows; no routing, merging, fusing, replies or gRPC"
)


@dataclass(frozen=True, slots=True)
class SearchResult:
    cells: Mapping[Cell, CellFigures]
    memory: Mapping[int, Memory]
    """By number of groups; empty if not measured."""
    mixed: Mixed | None
    goals: Sequence[Goal]
    left_out: Sequence[str]
    """What was asked for and not done, with why; and parts that were not asked for."""
    summed_facts: int
    """Of the largest group, facts whose vectors are sums of others."""
    seconds: float


def facts_needed(options: SearchOptions) -> int:
    """Size of the set that all groups are cut from."""
    wide = options.wide_facts * max(options.shards) if "fan_out" in options.parts else 0
    small = SMALL_FACTS * max(options.groups)
    sizes = max(options.sizes) if "sizes" in options.parts else 0
    return max(wide, small, sizes, GROUPS * GROUP_FACTS)


async def run_search(options: SearchOptions, dataset: Dataset, directory: Path, watch: Watch) -> SearchResult:
    """Starts fleets in `directory`, one after the other, measures, and stops them.

    Raises ValueError when the data does not suffice, EmbeddingError, SlotsNotReady, EmbeddedError,
    GatewayProcessError, ShardsAway, GraphgateError and AioRpcError; those that several tasks met come as an
    ExceptionGroup.
    """
    rows = RowSet(dataset, facts_needed(options))
    questions = await rows.embed(options.questions, options.cache_dir, watch)
    # A full collection over all these rows takes 30 to 90 ms, and this process measures milliseconds.
    gc.collect()
    gc.freeze()
    budget = Budget(options.seconds_max)
    cells: dict[Cell, CellFigures] = {}
    memory: Mapping[int, Memory] = {}
    mixed: Mixed | None = None
    for part in PARTS:
        if part not in options.parts:
            budget.leave_out(part, "not among the chosen parts")
            continue
        if not budget.allows(part):
            continue
        match part:
            case "neighbours":
                found = await run_neighbours(options, rows, questions, directory, watch)
                cells |= found.cells
                memory = found.memory
            case "mixed":
                mixed = await run_mixed(options, rows, questions, directory, watch)
            case "fan_out":
                cells |= await run_fan_out(options, rows, questions, directory, budget, watch)
            case "sizes":
                cells |= await run_sizes(options, rows, questions, directory / "sizes", budget, watch)
    served_mb = {groups: found.served_mb for groups, found in memory.items()}
    goals = [*floor_goals(cells), *neighbour_goals(cells), *memory_goals(served_mb)]
    if mixed is not None:
        goals += baseline_goals(mixed.operations, BASELINES)
    return SearchResult(cells, memory, mixed, goals, budget.left_out, rows.summed_facts, budget.spent_s)

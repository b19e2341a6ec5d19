"""All parts of one run."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.bench.move.calls import Rows
from gateway.bench.move.figures import Goal, MoveFigures, PairFigures, goals_of, pair_figures
from gateway.bench.move.fleet import MoveFleet, move_fleet
from gateway.bench.move.large import LargeGroup
from gateway.bench.move.options import MoveBenchOptions, Pair, shuttles
from gateway.bench.move.small import small_groups_per_s
from gateway.bench.peer.comparison import Watch


@dataclass(frozen=True, slots=True)
class MoveBenchResult:
    pairs: Sequence[PairFigures]
    small_groups_per_s: float | None
    """None: the part was left out."""
    goals: Sequence[Goal]


async def run_moves(options: MoveBenchOptions, directory: Path, watch: Watch) -> MoveBenchResult:
    """Starts fleets in `directory`, one after the other, measures, and stops them.

    Raises MoveNotDone, EmbeddedError, GatewayProcessError, ShardsAway and AioRpcError; those that several
    tasks met come as an ExceptionGroup. A call of the load that fails is a figure.
    """
    pairs: list[PairFigures] = []
    moves: list[MoveFigures] = []
    for shuttle in shuttles(options.pairs):
        engines = (shuttle.source, shuttle.target)
        watch.begin(f"{shuttle.name}: start")
        async with move_fleet(
            directory / f"{shuttle.source}-{shuttle.target}",
            options.cache_dir,
            falkordb_shards=engines.count("falkordb"),
            neo4j_shards=engines.count("neo4j"),
        ) as fleet:
            found, measured = await _shuttle(fleet, options, shuttle, watch)
        pairs += found
        moves += measured
    small: float | None = None
    if options.small_groups:
        watch.begin("small groups: start")
        async with move_fleet(
            directory / "small", options.cache_dir, falkordb_shards=2, neo4j_shards=0
        ) as fleet:
            small = await small_groups_per_s(fleet, options, Rows(options.seed), watch)
    return MoveBenchResult(pairs, small, goals_of(pairs, moves, small))


async def _shuttle(
    fleet: MoveFleet, options: MoveBenchOptions, pair: Pair, watch: Watch
) -> tuple[list[PairFigures], list[MoveFigures]]:
    """Figures of the pair and, if it is another one that was asked for, of its way back; and the moves that
    they are of."""
    group = LargeGroup(fleet, options, pair, Rows(options.seed))
    await group.prepare(watch)
    # A collection over all these rows takes tens of milliseconds, and this process measures such pauses.
    gc.collect()
    gc.freeze()
    baseline_p99_ms = await group.baseline_p99_ms(watch)
    both = pair.back in options.pairs and pair.back != pair
    there: list[MoveFigures] = []
    back: list[MoveFigures] = []
    legs = options.moves * (1 if pair.back == pair else 2)
    watch.begin(f"{pair.name}: moves", legs)
    for leg in range(legs):
        moved = back if leg % 2 and pair.back != pair else there
        moved.append(await group.move(waits_for_indexes=len(moved) < options.index_waits))
        watch.advance(1)
    gc.unfreeze()
    found = [pair_figures(pair, there, baseline_p99_ms)]
    if both:
        found.append(pair_figures(pair.back, back, baseline_p99_ms))
    return found, [*there, *(back if both else ())]

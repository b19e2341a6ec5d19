"""Many small groups that all move to the other of two FalkorDB shards, without further load."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator

from gateway.bench.move.calls import Rows, begin_move, place_of, until_committed
from gateway.bench.move.fleet import MoveFleet
from gateway.bench.move.options import MoveBenchOptions
from gateway.bench.peer.comparison import Watch

CALLERS = 16


async def small_groups_per_s(fleet: MoveFleet, options: MoveBenchOptions, rows: Rows, watch: Watch) -> float:
    """From the first request to the last commit. Raises MoveNotDone."""
    groups = [f"small-{number}" for number in range(options.small_groups)]
    watch.begin("small groups: rows", len(groups))
    targets: dict[str, str] = {}
    first, second = fleet.shards("falkordb")

    async def write(waiting: Iterator[str]) -> None:
        for group_id in waiting:
            await rows.fill(fleet.client, group_id, options.small_rows, options.small_rows)
            shard = (await place_of(fleet.client, group_id)).shard
            targets[group_id] = second if shard == first else first
            watch.advance(1)

    await _side_by_side(write, groups)
    watch.begin("small groups: moves", len(groups))
    begun: list[int] = []
    committed: list[int] = []

    async def move(waiting: Iterator[str]) -> None:
        for group_id in waiting:
            client = fleet.client
            progress = await begin_move(client, group_id, targets[group_id])
            begun.append(progress.requested_at.ToMicroseconds())
            done = await until_committed(client, progress.move_id)
            committed.append(done.committed_at.ToMicroseconds())
            watch.advance(1)

    await _side_by_side(move, groups)
    return len(groups) / ((max(committed) - min(begun)) / 1e6)


async def _side_by_side(
    work: Callable[[Iterator[str]], Coroutine[None, None, None]], groups: list[str]
) -> None:
    waiting = iter(groups)
    async with asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(work(waiting))

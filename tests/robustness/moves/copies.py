"""What every shard holds of the groups that were moved, as the drivers see it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import POOLED, Fence, GroupRef
from drivers.graph_model import Kind
from drivers.moving import CopyCursor, Other, Section
from gateway.embedded import EmbeddedFleet
from shard_router.moves.moves import own_space
from tests.robustness.model.moves import CopySeen, judge_moves
from tests.robustness.observation import open_drivers

_CALL_S_MAX = 30.0
_AT_ONCE_MAX = 8
_SECTIONS: Sequence[Section] = (Kind.ENTITY, Kind.FACT, Other.TOMBSTONE, Other.OPERATION)
"""What the traffic of a run makes."""
_ROWS = 50
"""That are counted in one section: more say nothing further."""
_SETTLE_S_MAX = 180.0
"""For cleanups that go on behind the last move, and for moves that the catalog has forgotten: about once in a
minute the gateways look for some."""
_LOOK_S = 1.0


async def observe_copies(
    fleet: EmbeddedFleet, group_ids: Iterable[str], settle: Callable[[], Awaitable[None]]
) -> tuple[CopySeen, ...]:
    """As soon as nothing is wrong with them, or as they are when the time is over. `settle` ends the moves
    that are known: called before each look, for a forgotten one may have been found again.

    Raises ShardError.
    """
    wanted = sorted(set(group_ids))
    deadline = time.monotonic() + _SETTLE_S_MAX
    async with open_drivers(fleet) as drivers:
        while True:
            await settle()
            copies = await _copies(drivers, wanted)
            if not any(judge_moves((), copies)) or time.monotonic() > deadline:
                return copies
            await asyncio.sleep(_LOOK_S)


async def _copies(drivers: Mapping[str, ShardDriver], group_ids: Sequence[str]) -> tuple[CopySeen, ...]:
    places = asyncio.Semaphore(_AT_ONCE_MAX)

    async def see(driver: ShardDriver, fence: Fence, space: str) -> CopySeen:
        ref = GroupRef(fence.group_id, space)
        things = 0
        async with places:
            if not fence.owns:
                for section in _SECTIONS:
                    page = await driver.read_page(ref, CopyCursor(section), _ROWS, _soon())
                    things += len(page.rows) + len(page.tombstones) + len(page.operations)
        return CopySeen(
            fence.group_id, driver.shard_id, space, fence.state, fence.owns, things, fence.move_id
        )

    async with asyncio.TaskGroup() as tasks:
        seen = [
            tasks.create_task(see(driver, fence, space))
            for driver in drivers.values()
            for space, fence in await _fences(driver, group_ids)
        ]
    return tuple(task.result() for task in seen)


async def _fences(driver: ShardDriver, group_ids: Sequence[str]) -> list[tuple[str, Fence]]:
    """With the space in which each of them is: a group may have one in the pool and one of its own."""
    found: list[tuple[str, Fence]] = []
    for number in range(0, len(group_ids), _ROWS):
        some = group_ids[number : number + _ROWS]
        pooled = await driver.read_fences([GroupRef(group_id, POOLED) for group_id in some], _soon())
        own = await driver.read_fences(
            [GroupRef(group_id, own_space(group_id)) for group_id in some], _soon()
        )
        found += [(POOLED, fence) for fence in pooled.values()]
        found += [(own_space(group_id), fence) for group_id, fence in own.items()]
    return found


def _soon() -> Deadline:
    return Deadline.after(_CALL_S_MAX)

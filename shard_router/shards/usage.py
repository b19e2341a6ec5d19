"""What a shard is used for, from its fences."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import Fence, FenceState
from shard_router.root_register import POINTER_EPOCH
from shard_router.shards.fence_pages import CalledShards

FENCES_COUNTED_MAX: Final = 50_000
_PAGE: Final = 5_000


@dataclass(frozen=True, slots=True)
class ShardUsage:
    groups: int
    """That it owns: of a shard that is drained, what is left."""
    leaving: int
    """Of these, groups that a move takes away, or another space."""
    arriving: int
    """Groups that a move brings."""
    reverse_windows: int
    """Groups that have left and whose rows are kept."""
    pointers: int
    """Other fences, which lead to groups elsewhere."""
    complete: bool
    """False: there are more fences than were counted."""


async def usage_of(shards: CalledShards, shard_id: str, deadline: Deadline) -> ShardUsage:
    """At most FENCES_COUNTED_MAX fences. Raises what the shard raises."""
    groups = leaving = arriving = windows = pointers = counted = 0
    after, more = "", True
    while more and counted < FENCES_COUNTED_MAX:
        page = await shards.on_shard(shard_id, deadline, partial(_page, after, deadline))
        more = len(page) >= _PAGE
        counted += len(page)
        for fence in page:
            after = fence.group_id
            if fence.owns:
                groups += 1
                leaving += bool(fence.move_id)
            elif fence.state in (FenceState.WIPING, FenceState.INCOMING, FenceState.READY):
                arriving += 1
            elif fence.state is FenceState.MOVED and fence.epoch > POINTER_EPOCH and fence.move_id:
                windows += 1
            else:
                pointers += 1
    return ShardUsage(groups, leaving, arriving, windows, pointers, not more)


async def _page(after: str, deadline: Deadline, driver: ShardDriver) -> Sequence[Fence]:
    return await driver.list_all_fences(after, _PAGE, deadline)

"""The end of a shard: nothing may be left there, and nothing may lead there.

The shard is sealed first, so that a gateway that has not heard of the drain makes no group there any more;
then everything is looked at. Pointers of other shards that lead through it are set to where it leads. A
pointer to a creation there that was never finished stays: the shard will never make that fence, and whoever
creates the group sends the pointer elsewhere, see root_register.py.
"""

from dataclasses import replace

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import WipedShard
from drivers.fence import Fence, FenceState, GroupRef
from drivers.fence_changes import POINT
from drivers.register_gate import RegisterGate
from shard_router.fleet import Fleet
from shard_router.root_register import FIRST_EPOCH, POINTER_EPOCH
from shard_router.shard_map import ShardState
from shard_router.shards.errors import ShardStillUsed
from shard_router.shards.fence_pages import fence_pages, timed

_PREPARED = (FenceState.WIPING, FenceState.INCOMING, FenceState.READY)


async def seal(fleet: Fleet, shard_id: str) -> RegisterGate:
    """Returns the gate that opens it again, unless it is sealed anew meanwhile."""
    gate = await timed(fleet, shard_id, lambda driver, deadline: driver.read_gate(deadline))
    sealed = gate.with_seal(True)
    await raise_gate(fleet, shard_id, sealed)
    return sealed.with_seal(False)


async def raise_gate(fleet: Fleet, shard_id: str, gate: RegisterGate) -> None:
    await timed(fleet, shard_id, lambda driver, deadline: driver.raise_gate(gate, deadline), writes=True)


async def check_unused(fleet: Fleet, shard_id: str) -> None:
    """Raises ShardStillUsed, and what a shard raises: every one is asked."""
    async for page in fence_pages(fleet, shard_id):
        for fence in page:
            _check_own(shard_id, fence)
    for info in fleet.map.shards:
        if info.shard_id == shard_id or info.state is ShardState.REMOVED:
            continue
        async for page in fence_pages(fleet, info.shard_id):
            for fence in page:
                if fence.moved_to == shard_id:
                    await _lead_past(fleet, shard_id, info.shard_id, fence)


def _check_own(shard_id: str, fence: Fence) -> None:
    if fence.owns:
        raise ShardStillUsed(
            shard_id, "GROUPS", f"it owns group {fence.group_id} and maybe more; drain it and wait"
        )
    if fence.state in _PREPARED:
        raise ShardStillUsed(
            shard_id, "MOVES", f"group {fence.group_id} is being moved there; wait for the move or cancel it"
        )
    if fence.state is FenceState.MOVED and fence.epoch > POINTER_EPOCH and fence.move_id:
        raise ShardStillUsed(
            shard_id,
            "REVERSE_WINDOWS",
            f"it keeps the rows of group {fence.group_id} for a reverse move; finish the move or wait",
        )


async def _lead_past(fleet: Fleet, shard_id: str, at: str, fence: Fence) -> None:
    """Sets a fence of the shard `at` to where the leaving shard leads."""
    if fence.owns or fence.state in _PREPARED:
        raise ShardStillUsed(
            shard_id, "MOVES", f"a move of group {fence.group_id} has to do with it; wait for it or cancel it"
        )
    beyond = GroupRef(fence.group_id, fence.moved_space)
    found = await timed(fleet, shard_id, lambda driver, deadline: driver.read_fences([beyond], deadline))
    leading = found.get(fence.group_id)
    if leading is None:
        if (fence.epoch, fence.moved_epoch) == (POINTER_EPOCH, FIRST_EPOCH):
            return
        raise ShardStillUsed(
            shard_id,
            "REGISTERS",
            f"group {fence.group_id} should be there and has no fence; run `graphgate catalog check`",
        )
    if (leading.moved_to, leading.moved_space) == (at, fence.space) or leading.moved_to == shard_id:
        raise ShardStillUsed(
            shard_id,
            "REGISTERS",
            f"the fences of group {fence.group_id} lead in a circle; run `graphgate catalog check`",
        )
    given = {
        "to_shard": leading.moved_to,
        "to_space": leading.moved_space,
        "moved_epoch": leading.moved_epoch,
    }
    ref = GroupRef(fence.group_id, fence.space)
    changed = await timed(
        fleet,
        at,
        lambda driver, deadline: driver.change_fence(ref, POINT, given, deadline),
        writes=True,
    )
    if changed.fence is not None and changed.fence.moved_to == shard_id:
        raise ShardStillUsed(
            shard_id,
            "REGISTERS",
            f"the pointer of group {fence.group_id} at shard {at} leads there; run `graphgate catalog check`",
        )


async def mark_removed(driver: ShardDriver, deadline: Deadline) -> None:
    """In its own marker, so that it is refused by whoever does not know the shard map."""
    while True:
        marker = await driver.read_marker(deadline)
        if marker is None:
            raise WipedShard(driver.shard_id)
        if marker.removed:
            return
        await driver.change_marker(marker, replace(marker, removed=True), deadline)
        deadline.check("the shard's marker was changed")

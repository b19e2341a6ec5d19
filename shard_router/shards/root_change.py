"""The root change: the register moves from one root ring to the next, and no group ever gets two owners.

1. pending   the next ring is written into the marker of the deciding shard, the root member with the lowest
             id: whatever is there afterwards is the decision. Then into every other marker.
2. gate      every shard is told that its ring is being replaced: from here on no entry is made at a home that
             is not the same in both rings.
3. scan      each entry of the present homes whose home changes gets a pointer at its new home.
4. activate  marker by marker the next ring takes over, the deciding shard's last.

The markers are the record: whoever sees a pending ring goes on with it, any number at once, for every step
may be done again. A shard that is away stops the change, and the creation of the groups whose home it
changes.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from drivers.deadline import Deadline
from drivers.errors import WipedShard
from drivers.fence import POOLED, Fence, FenceState, RootMember, ShardMarker
from drivers.register_gate import RegisterGate, being_replaced, in_force
from shard_router.errors import PlacementUnsettled
from shard_router.fleet_identity import FleetIdentity
from shard_router.parallel import all_in_parallel
from shard_router.root_register import FIRST_EPOCH, POINTER_EPOCH
from shard_router.shard_map import ShardMapSnapshot, ShardState
from shard_router.shards.errors import RootChangeRunning
from shard_router.shards.fence_pages import CALL_S_MAX, CalledShards, TimedCall, fence_pages, timed

POINTERS_AT_ONCE: Final = 16


class RootShards(CalledShards, Protocol):
    @property
    def identity(self) -> FleetIdentity: ...

    @property
    def map(self) -> ShardMapSnapshot: ...

    def incarnation_of(self, shard_id: str) -> str: ...

    async def look_at_root(self, shard_id: str, deadline: Deadline) -> None: ...


class RootChange:
    def __init__(self, shards: RootShards) -> None:
        self._shards = shards

    async def to(self, members: tuple[RootMember, ...]) -> bool:
        """Makes these the root ring, or goes on with the change that is under way. Whether anything was to
        do.

        Raises RootChangeRunning after one that led to other members, and what a shard raises; calling again
        is safe after any of it.
        """
        decided = await self._decided()
        if decided is None:
            decider = self._shards.identity.founder
            marker = await self._marker(decider)
            if FleetIdentity.of(marker) != self._shards.identity:
                # Somebody else has ended one meanwhile.
                await self._learn()
                return True
            if members == marker.root_ring:
                return False
            after = replace(marker, pending_version=marker.root_version + 1, pending_ring=members)
            decided = await self._change(decider, marker, after)
            if not decided.pending_version:
                await self._learn()
                return True
        await self._carry_out(decided)
        if decided.pending_ring != members:
            raise RootChangeRunning(decided.pending_version)
        return True

    async def resume(self) -> bool:
        """Goes on with a change that is under way; whether there was one. Raises what a shard raises."""
        decided = await self._decided()
        if decided is None:
            return False
        await self._carry_out(decided)
        return True

    async def _decided(self) -> ShardMarker | None:
        """A marker with a pending ring. Where the change has come to already there is none any more, so that
        every shard is asked."""
        markers = await all_in_parallel(
            {shard_id: partial(self._marker, shard_id) for shard_id in self._shard_ids}
        )
        return next((marker for marker in markers.values() if marker.pending_version), None)

    @property
    def _shard_ids(self) -> list[str]:
        return [s.shard_id for s in self._shards.map.shards if s.state is not ShardState.REMOVED]

    async def _carry_out(self, decided: ShardMarker) -> None:
        before, after = FleetIdentity.of(decided), FleetIdentity.pending_of(decided)
        assert after is not None, "a ring is pending"
        shard_ids = self._shard_ids
        for shard_id in shard_ids:
            await self._make_pending(shard_id, before, after)
        gate = RegisterGate(being_replaced(before.root_version))
        for shard_id in shard_ids:
            await self._call(shard_id, lambda driver, deadline: driver.raise_gate(gate, deadline))
        for member in before.root_members:
            await self._copy_entries(member.shard_id, before, after)
        # The decision stays where it was made until everybody has it.
        shard_ids.sort(key=lambda shard_id: shard_id == before.founder)
        for shard_id in shard_ids:
            await self._activate(shard_id, before, after)
        await self._learn()

    async def _make_pending(self, shard_id: str, before: FleetIdentity, after: FleetIdentity) -> None:
        marker = await self._marker(shard_id)
        if marker.root_version < after.root_version and FleetIdentity.pending_of(marker) != after:
            pending = replace(
                marker,
                # One that came during an earlier change may lag behind; it homes nothing.
                root_version=before.root_version,
                root_ring=before.root_members,
                pending_version=after.root_version,
                pending_ring=after.root_members,
            )
            changed = await self._change(shard_id, marker, pending)
            if after not in (FleetIdentity.of(changed), FleetIdentity.pending_of(changed)):
                raise RootChangeRunning(changed.pending_version or changed.root_version)

    async def _copy_entries(self, home: str, before: FleetIdentity, after: FleetIdentity) -> None:
        """Every group that `home` homes has its entry there. Of its spaces the pooled one holds it."""
        async for page in fence_pages(self._shards, home):
            changing: dict[str, tuple[str, Fence]] = {}
            for fence in page:
                there = changing.get(fence.group_id)
                if before.home_of(fence.group_id) != home or (there and not fence.owns):
                    continue
                new_home = after.home_of(fence.group_id)
                if new_home != home:
                    changing[fence.group_id] = (new_home, fence)
            todo = list(changing.values())
            for start in range(0, len(todo), POINTERS_AT_ONCE):
                part = todo[start : start + POINTERS_AT_ONCE]
                await all_in_parallel(
                    {fence.group_id: partial(self._point, home, new_home, fence) for new_home, fence in part}
                )

    async def _point(self, home: str, new_home: str, fence: Fence) -> None:
        """The entry's copy at the new home, create-if-absent: a fence that is there leads to the owner."""
        entry = entry_for(home, new_home, fence, self._shards.incarnation_of)
        await self._call(new_home, lambda driver, deadline: driver.create_fence(entry, deadline), writes=True)

    async def _activate(self, shard_id: str, before: FleetIdentity, after: FleetIdentity) -> None:
        marker = await self._marker(shard_id)
        if FleetIdentity.pending_of(marker) == after:
            active = replace(
                marker,
                root_version=after.root_version,
                root_ring=after.root_members,
                pending_version=0,
                pending_ring=(),
            )
            await self._change(shard_id, marker, active)
        gate = RegisterGate(in_force(after.root_version))
        await self._call(shard_id, lambda driver, deadline: driver.raise_gate(gate, deadline))

    async def _learn(self) -> None:
        """What every gateway learns with its next check of a shard."""
        for shard_id in self._shard_ids:
            await self._shards.look_at_root(shard_id, Deadline.after(CALL_S_MAX))

    # --- calls ------------------------------------------------------------------------------------

    async def _marker(self, shard_id: str) -> ShardMarker:
        marker = await self._call(shard_id, lambda driver, deadline: driver.read_marker(deadline))
        if marker is None:
            raise WipedShard(shard_id)
        return marker

    async def _change(self, shard_id: str, seen: ShardMarker, after: ShardMarker) -> ShardMarker:
        marker = await self._call(
            shard_id, lambda driver, deadline: driver.change_marker(seen, after, deadline), writes=True
        )
        if marker is None:
            raise WipedShard(shard_id)
        return marker

    async def _call[T](self, shard_id: str, call: TimedCall[T], *, writes: bool = False) -> T:
        return await timed(self._shards, shard_id, call, writes=writes)


def entry_for(home: str, new_home: str, fence: Fence, incarnation_of: Callable[[str], str]) -> Fence:
    """What the new home gets for the entry of the old one. Raises PlacementUnsettled for an entry from which
    nothing can be told."""
    if fence.owns:
        target, moved_epoch = (home, fence.space), fence.epoch
        move_id = incarnation_of(home)
    elif fence.state in (FenceState.MOVED, FenceState.TOMB):
        target, moved_epoch = (fence.moved_to, fence.moved_space), fence.moved_epoch
        move_id = fence.move_id if fence.epoch == POINTER_EPOCH else ""
    else:
        # A move prepares it: it leads back to the owner, who has been one before.
        target, moved_epoch = (fence.moved_to, fence.moved_space), max(FIRST_EPOCH + 1, fence.moved_epoch)
        move_id = ""
        if not fence.moved_to:
            raise PlacementUnsettled(fence.group_id, f"its fence at shard {home} is {fence.state}")
    pointer = Fence(
        group_id=fence.group_id,
        epoch=POINTER_EPOCH,
        state=FenceState.MOVED,
        moved_to=target[0],
        moved_space=target[1],
        moved_epoch=moved_epoch,
        move_id=move_id,
        created_at=fence.created_at,
    )
    if target != (new_home, POOLED):
        return pointer
    if moved_epoch == FIRST_EPOCH and move_id in ("", incarnation_of(new_home)):
        # Created there and not finished: whoever comes next would do just this.
        return Fence(fence.group_id, FIRST_EPOCH, FenceState.OPEN, created_at=fence.created_at)
    # There is a fence, or its data is lost: then this one says so.
    return replace(pointer, moved_to="", moved_space=POOLED)

"""All that changes in one group after a version, in order, wherever the group is."""

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import Fence, FenceState
from drivers.reads import Changes
from gateway.rpc.errors import ChangesPruned, VersionAhead
from shard_router.errors import PlacementUnsettled, StalePlacement
from shard_router.placement import Placement
from shard_router.router import Router

_SCANS_MAX = 4
"""Until PlacementUnsettled: one that meets an owner that it did not know is done again."""

type _Owner = tuple[str, str, int]
"""Shard, space, and the epoch without what a freeze adds: what a read must meet from its begin to its end."""


class WatchFeed:
    """Of one watch. A group's version goes on when it moves, so that a position holds on every shard.

    What a scan found counts if its fence, read last, is that of the owner which was known before it: a group
    that left a shard and came back in between has been changed elsewhere.
    """

    def __init__(self, router: Router, group_id: str, after_version: int) -> None:
        self._router = router
        self._group_id = group_id
        self.position = after_version
        """Everything up to this version has been sent: moved on by the watch."""
        self.group_version = 0
        self._from_nothing_until = 0
        """A reader who began with nothing misses no deletion up to this version: it never had those rows."""
        self._owner: _Owner | None = None

    async def begin(self, deadline: Deadline) -> None:
        """Raises VersionAhead and what Router.describe_group raises."""
        shard_id, fence = await self._router.describe_group(self._group_id, deadline)
        self._see(shard_id, fence)
        if self.position == 0:
            self._from_nothing_until = fence.version

    async def next(self, rows_max: int, deadline: Deadline) -> Changes:
        """What comes after the position, about `rows_max` rows and tombstones, never cut inside a version.

        Raises ChangesPruned, VersionAhead and what Router.on_owner raises.
        """
        for _ in range(_SCANS_MAX):
            known = self._owner
            placement, changes = await self._scan(rows_max, deadline)
            fence = changes.fence
            assert fence is not None, "an owner has a fence"
            self._see(placement.shard_id, fence)
            if self._owner != known:
                continue
            if fence.prune_floor > max(self.position, self._from_nothing_until):
                raise ChangesPruned(self._group_id, self.position, fence.prune_floor)
            return changes
        raise PlacementUnsettled(self._group_id, f"its owner changed during {_SCANS_MAX} reads")

    async def _scan(self, rows_max: int, deadline: Deadline) -> tuple[Placement, Changes]:
        async def read(driver: ShardDriver, placement: Placement) -> tuple[Placement, Changes]:
            changes = await driver.changes(placement.ref, self.position, rows_max, deadline)
            if changes.fence is None or not changes.fence.owned_throughout(placement.ref):
                raise StalePlacement(changes.fence)
            return placement, changes

        return await self._router.on_owner(self._group_id, deadline, read, create=False, writes=False)

    def _see(self, shard_id: str, fence: Fence) -> None:
        self._owner = (shard_id, fence.space, fence.epoch - (fence.state is FenceState.FROZEN))
        self.group_version = fence.version
        if fence.version < self.position:
            raise VersionAhead(self._group_id, self.position, fence.version)

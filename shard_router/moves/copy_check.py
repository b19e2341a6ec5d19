"""Compares a copy with its source while the source is written to: what the copy cannot have yet is left out.

The copy stands still meanwhile: it has everything up to a version, and nobody but the coordinator changes it.
So a row of the source with that version or a lower one has to be there, exactly so. One that the source has
changed or deleted since is on its way.
"""

from collections.abc import Callable

from drivers.fence import Fence
from drivers.moving import SECTIONS, Other, Section
from drivers.reads import Tombstone
from shard_router.moves.batches import Item
from shard_router.moves.digest import Allows, Comparison, Scan, VerifyReport
from shard_router.moves.side import Side

CHANGES_PER_READ_MAX = 1_000

type _Newer = set[tuple[Section, str]]


class _UpTo(Allows):
    def __init__(self, applied: int, prune_floor: int, newer: _Newer, *, is_source: bool) -> None:
        self._applied = applied
        self._prune_floor = prune_floor
        self._newer = newer
        self._is_source = is_source

    def __call__(self, section: Section, key: str, item: Item) -> bool:
        if item.version > self._applied:
            if self._is_source:
                self._newer.add((section, key))
            return False
        if isinstance(item, Tombstone) and item.version <= self._prune_floor:
            return False
        return self._is_source or (section, key) not in self._newer


class CopyCheck(Comparison):
    def __init__(
        self,
        source: Side,
        target: Side,
        copied: Fence,
        differences_max: int,
        is_stopped: Callable[[], bool],
    ) -> None:
        """`copied`: the target's fence."""
        left, right = (Scan(side, as_copy=True, is_stopped=is_stopped) for side in (source, target))
        super().__init__(left, right, SECTIONS, differences_max)
        self._source = source
        self._applied = copied.applied
        self._prune_floor = copied.prune_floor
        self._newer: _Newer = set()
        self._seen = copied.applied

    async def report(self) -> VerifyReport:
        """Raises what the shards raise, and ComparisonStoppedError."""
        at_source, at_target = (
            _UpTo(self._applied, self._prune_floor, self._newer, is_source=is_source)
            for is_source in (True, False)
        )
        report = await self.run(at_source, at_target)
        report.left_version = report.right_version = self._applied
        return report

    async def look_again(self) -> None:
        """Learns what the source has deleted since the copy's version."""
        while True:
            changes = await self._source.changes(self._seen, CHANGES_PER_READ_MAX)
            self._newer |= {(tombstone.kind, tombstone.uuid) for tombstone in changes.tombstones}
            self._seen = changes.bound
            if changes.fence is None or changes.bound >= changes.fence.version:
                return

    def is_excused(self, section: Section, key: str, *, extra: bool) -> bool:
        """Tombstones and operation records may have been pruned at the source."""
        return (section, key) in self._newer or (extra and isinstance(section, Other))

"""What a check of the catalog finds, counted without bound and listed within one."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class FindingKind(StrEnum):
    TWO_OWNERS = "TWO_OWNERS"
    NO_OWNER = "NO_OWNER"
    """What leads to the group ends where it is not: data loss."""
    REGISTER_MISSING = "REGISTER_MISSING"
    """There is no entry at the home: the group could be created a second time."""
    REGISTER_BROKEN = "REGISTER_BROKEN"
    """The entry leads nowhere, or not to the owner."""
    REGISTER_CIRCLE = "REGISTER_CIRCLE"
    RECORD_WITHOUT_FENCE = "RECORD_WITHOUT_FENCE"
    """A placement of a group that no register knows: data loss."""
    RECORD_AHEAD = "RECORD_AHEAD"
    """The record has a later epoch than the owner's fence: the shard serves an older copy of its data."""
    MARKER_MISSING = "MARKER_MISSING"
    SHARD_AWAY = "SHARD_AWAY"
    UNFINISHED_CREATION = "UNFINISHED_CREATION"
    """The next write of the group finishes it."""
    READY_NOT_OPENED = "READY_NOT_OPENED"
    """The next use of the group opens it."""
    MOVE_WITHOUT_RECORD = "MOVE_WITHOUT_RECORD"
    """The gateways make its record anew, a rebuild does it at once. Grave while the group is frozen."""
    RECORD_MISSING = "RECORD_MISSING"
    RECORD_DIFFERS = "RECORD_DIFFERS"
    ROOT_CHANGE_PENDING = "ROOT_CHANGE_PENDING"


GRAVE: Final = frozenset(
    {
        FindingKind.TWO_OWNERS,
        FindingKind.NO_OWNER,
        FindingKind.REGISTER_MISSING,
        FindingKind.REGISTER_BROKEN,
        FindingKind.REGISTER_CIRCLE,
        FindingKind.RECORD_WITHOUT_FENCE,
        FindingKind.RECORD_AHEAD,
        FindingKind.MARKER_MISSING,
        FindingKind.SHARD_AWAY,
    }
)
"""Data may be lost, two places may answer for a group, or something could not be looked at. The others are
repaired by themselves, by a rebuild or by the next use of the group."""


@dataclass(frozen=True, slots=True)
class Finding:
    kind: FindingKind
    group_id: str
    """Empty: it concerns a shard."""
    shard_ids: tuple[str, ...]
    detail: str
    stops_writes: bool = False
    """Nobody can write to the group until it is repaired."""

    @property
    def grave(self) -> bool:
        return self.kind in GRAVE or self.stops_writes


@dataclass(slots=True)
class Findings:
    """Lists the first `listed_max` (1..) of the grave ones and of the others; counts all."""

    listed_max: int
    counts: Counter[FindingKind] = field(default_factory=Counter[FindingKind])
    _grave: list[Finding] = field(default_factory=list[Finding])
    _others: list[Finding] = field(default_factory=list[Finding])

    def add(self, found: Iterable[Finding]) -> None:
        for finding in found:
            self.counts[finding.kind] += 1
            listed = self._grave if finding.grave else self._others
            if len(listed) < self.listed_max:
                listed.append(finding)

    @property
    def listed(self) -> tuple[Finding, ...]:
        return tuple([*self._grave, *self._others][: self.listed_max])


@dataclass(frozen=True, slots=True)
class CheckReport:
    groups: int
    """With one owner."""
    fences: int
    records: int
    counts: Mapping[FindingKind, int]
    findings: tuple[Finding, ...]
    unreachable: tuple[str, ...]
    written: int = 0
    """Records of placements and of moves, of a rebuild; with a dry run those that would have been."""

    @property
    def clean(self) -> bool:
        """Nothing grave."""
        return not any(finding.grave for finding in self.findings)

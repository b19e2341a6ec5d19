"""The ring that chooses the shard of a new group: an immutable snapshot over uhashring.

Every gateway builds the same ring from the same members: uhashring's default ring (md5 points, "shard_id-n"),
integer weights, members in sorted order. Its ketama mode is not used: it renormalises over all members, so
that one member's weight moves groups between others, and gives light members no point at all.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Self, cast

import uhashring

from drivers.errors import GraphgateError

POINTS_PER_HUNDREDTH = 10
"""Points per 0.01 of weight: 1,000 per unit of weight spread shares by about 3 % (CV = 1 / sqrt(points))."""
RING_POINTS_MAX = 1_000_000
"""Bounds a ring to a total weight of 1,000: about 2 s to build, 100 MB."""
WEIGHT_MAX = 100.0

_SHARD_ID = re.compile(r"[A-Za-z0-9_.\-]{1,64}")


class EmptyRingError(GraphgateError):
    """There is no member that a new group could be placed on."""

    reason = "NO_SHARD_FOR_PLACEMENT"

    def __init__(self, version: int) -> None:
        super().__init__(
            f"ring version {version} has no members, so no group can be placed; add a shard or uncordon one"
        )
        self.version = version


@dataclass(frozen=True, slots=True, order=True)
class RingMember:
    """A shard that takes new groups. A cordoned or draining shard is no member.

    Raises ValueError for a shard_id or a weight outside its range.
    """

    shard_id: str
    """1 to 64 of A-Z a-z 0-9 _ - ."""
    weight: float
    """Above 0, at most 100, in steps of 0.01; a shard gets weight / (sum of weights) of the new groups."""

    def __post_init__(self) -> None:
        if not _SHARD_ID.fullmatch(self.shard_id):
            raise ValueError(
                f"shard_id {self.shard_id!r} is not 1 to 64 of A-Z a-z 0-9 _ - .; rename the shard"
            )
        if not 0 < self.weight <= WEIGHT_MAX or round(self.weight, 2) != self.weight:
            raise ValueError(
                f"weight {self.weight!r} of shard {self.shard_id} is not in (0, {WEIGHT_MAX:g}] with at most"
                " two decimals; leave a shard without new groups out of the ring"
            )

    @property
    def hundredths(self) -> int:
        """The weight as the integer that uhashring takes."""
        return round(self.weight * 100)

    @property
    def points(self) -> int:
        return self.hundredths * POINTS_PER_HUNDREDTH


@dataclass(frozen=True, slots=True)
class HashRing:
    """One version of the ring. Never changes once built, so that any number of threads may read it."""

    version: int
    members: tuple[RingMember, ...]
    """Sorted by shard_id."""
    _ring: uhashring.HashRing = field(repr=False, compare=False)

    @classmethod
    def build(cls, members: Iterable[RingMember], version: int) -> Self:
        """Build the ring of these members, in whatever order they come.

        Raises EmptyRingError without members, ValueError for a shard_id given twice or more than
        RING_POINTS_MAX points in all.
        """
        ordered = tuple(sorted(members))
        if not ordered:
            raise EmptyRingError(version)
        weights = {member.shard_id: member.hundredths for member in ordered}
        if len(weights) < len(ordered):
            raise ValueError(f"ring version {version} names a shard twice; give each shard_id one weight")
        points = sum(member.points for member in ordered)
        if points > RING_POINTS_MAX:
            raise ValueError(
                f"ring version {version} needs {points} points, more than {RING_POINTS_MAX}; scale the"
                f" weights down to a sum of {RING_POINTS_MAX // (100 * POINTS_PER_HUNDREDTH)} at most"
            )
        return cls(version, ordered, uhashring.HashRing(weights, vnodes=POINTS_PER_HUNDREDTH))

    def shard_of(self, group_id: str) -> str:
        """Return the shard_id on which a new group with this group_id belongs."""
        # The package declares no types; None comes only from an empty ring, which build refuses.
        return cast("str", self._ring.get_node(group_id))

    def fingerprint(self) -> str:
        """Return 32 hexadecimal digits that two rings share only if they place every group alike.

        Made of the members and weights, not of the version: rings of one version whose fingerprints differ
        are a fault to be reported.
        """
        lines = [f"uhashring md5 {POINTS_PER_HUNDREDTH}"]
        lines += [f"{member.shard_id} {member.hundredths}" for member in self.members]
        return blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()

"""Which fleet a marker belongs to, and what a shard must show to belong to it. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

from drivers.errors import NewerSchema, OlderCopy, ShardIdentityError, WrongShard
from drivers.fence import SCHEMA_VERSION, RootMember, ShardMarker
from drivers.register_gate import being_replaced, in_force
from shard_router.catalog_port import KnownShard
from shard_router.errors import ForeignFleet, TwoRootRings
from shard_router.ring import HashRing, RingMember


@dataclass(frozen=True, slots=True)
class FleetIdentity:
    """What every marker of a fleet has in common; the root ring changes by the root change alone, one version
    at a time."""

    fleet: str
    root_version: int
    root_members: tuple[RootMember, ...]
    """Sorted by shard_id."""

    @classmethod
    def of(cls, marker: ShardMarker) -> Self:
        return cls(marker.fleet, marker.root_version, marker.root_ring)

    @property
    def founder(self) -> str:
        """The shard whose marker decides the founding: the one with the lowest id."""
        return self.root_members[0].shard_id

    @property
    def root_ring(self) -> HashRing:
        return _root_ring(self.root_members, self.root_version)

    def home_of(self, group_id: str) -> str:
        """The shard where the group's register lives for ever."""
        return self.root_ring.shard_of(group_id)

    def is_root_member(self, shard_id: str) -> bool:
        return any(member.shard_id == shard_id for member in self.root_members)

    def mismatch(self, shard_id: str, marker: ShardMarker) -> ShardIdentityError | None:
        if marker.fleet != self.fleet:
            return ForeignFleet(shard_id, self.fleet, marker.fleet)
        if (marker.root_version, marker.root_ring) != (self.root_version, self.root_members):
            found = FleetIdentity.of(marker)
            return TwoRootRings(shard_id, self.root_description, found.root_description)
        return None

    @property
    def root_description(self) -> str:
        members = ",".join(f"{member.shard_id}:{member.weight:g}" for member in self.root_members)
        return f"{self.root_version}({members})"

    @classmethod
    def pending_of(cls, marker: ShardMarker) -> Self | None:
        """What is about to take over."""
        if not marker.pending_version:
            return None
        return cls(marker.fleet, marker.pending_version, marker.pending_ring)


@dataclass(frozen=True, slots=True)
class Roots:
    """The root ring as far as a gateway has learned of it."""

    current: FleetIdentity
    pending: FleetIdentity | None = None
    """About to take over."""

    def after(self, shard_id: str, marker: ShardMarker) -> "Roots | ShardIdentityError | None":
        """With what this marker of the fleet shows. None: it shows a later ring of which nothing was known;
        the markers of other shards tell whether that is right, see `explains`."""
        shown, pending = FleetIdentity.of(marker), FleetIdentity.pending_of(marker)
        if shown.fleet != self.current.fleet:
            return ForeignFleet(shard_id, self.current.fleet, shown.fleet)
        if shown == self.current:
            return replace(self, pending=pending or self.pending)
        if shown == self.pending:
            return Roots(shown, pending)
        if shown.root_version > self.current.root_version and self.pending is None:
            return None
        if pending == self.current or self.outdated(shard_id, marker):
            # The change has not reached this shard yet.
            return self
        return TwoRootRings(shard_id, self.current.root_description, shown.root_description)

    def outdated(self, shard_id: str, marker: ShardMarker) -> bool:
        """Whether the shard came while the root ring changed, and was not asked. It homes nothing."""
        shown = FleetIdentity.of(marker)
        earlier = shown.root_version < self.current.root_version and not marker.pending_version
        return earlier and not shown.is_root_member(shard_id) and not self.current.is_root_member(shard_id)

    def register_roots(self, group_id: str) -> frozenset[int]:
        """How the register may stand while this gateway makes an entry at the group's home."""
        version = self.current.root_version
        pending = self.pending
        if pending is None or pending.home_of(group_id) != self.current.home_of(group_id):
            return frozenset({in_force(version)})
        return frozenset({in_force(version), being_replaced(version), in_force(version + 1)})


def explains(later: FleetIdentity, others: Iterable[ShardMarker]) -> bool:
    """Whether the other shards' markers show that a root change has led to `later`: before any shard goes
    over to it, all of them know of it, but for those that came meanwhile and are members of no root ring."""
    return all(
        later in (FleetIdentity.of(marker), FleetIdentity.pending_of(marker))
        for marker in others
        if marker.fleet == later.fleet and not marker.removed and _homes(marker, later)
    )


def _homes(marker: ShardMarker, later: FleetIdentity) -> bool:
    return FleetIdentity.of(marker).is_root_member(marker.shard) or later.is_root_member(marker.shard)


@lru_cache(maxsize=32)
def _root_ring(members: tuple[RootMember, ...], version: int) -> HashRing:
    return HashRing.build((RingMember(member.shard_id, member.weight) for member in members), version)


def check_readable(shard_id: str, marker: ShardMarker) -> None:
    """Raises NewerSchema, and WrongShard when the address leads to another shard."""
    if marker.schema_version > SCHEMA_VERSION:
        raise NewerSchema(shard_id, marker.schema_version, SCHEMA_VERSION)
    if marker.shard != shard_id:
        raise WrongShard(shard_id, "shard", shard_id, marker.shard)


def check_known(shard_id: str, marker: ShardMarker, known: Iterable[KnownShard]) -> None:
    """Compares with what was known before the marker was read.

    Raises WrongShard for another incarnation (other data), OlderCopy for a lower beat.
    """
    for before in known:
        if marker.incarnation != before.incarnation:
            raise WrongShard(shard_id, "incarnation", before.incarnation, marker.incarnation)
        if marker.beat < before.beat:
            raise OlderCopy(shard_id, marker.beat, before.beat)


def elect(markers: Iterable[ShardMarker]) -> FleetIdentity | None:
    """The fleet to which this gateway belongs, when its shards do not agree.

    A fleet in use beats one whose founding never ended; then the one with more shards, so that one
    wrong address does not outvote the rest; then the one of the lowest shard id. None without markers.
    """
    carriers: dict[FleetIdentity, list[ShardMarker]] = defaultdict(list)
    for marker in markers:
        carriers[FleetIdentity.of(marker)].append(marker)

    def rank(identity: FleetIdentity) -> tuple[bool, int, str, str]:
        found = carriers[identity]
        in_use = any(marker.beat > 0 for marker in found)
        return (not in_use, -len(found), min(marker.shard for marker in found), identity.fleet)

    return min(carriers, key=rank, default=None)

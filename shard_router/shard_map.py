"""The fleet's shards as one immutable snapshot: what each weighs and may be used for."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any, Self

import orjson

from drivers.fence import Engine
from shard_router.errors import NoShardTakesGroups
from shard_router.ring import HashRing, RingMember


class ShardState(StrEnum):
    ACTIVE = "ACTIVE"
    CORDONED = "CORDONED"
    """Takes no new groups."""
    DRAINING = "DRAINING"
    """Takes no new groups; the planner moves its groups away."""
    REMOVED = "REMOVED"
    """Kept in the map so that its id is never given out again; not searched."""


@dataclass(frozen=True, slots=True)
class ShardEndpoint:
    """Where a shard is that was added at run time."""

    url: str
    """Without user and password."""
    user: str = ""
    credentials: str = ""
    """Name of the password in each gateway's own settings; empty: none."""


@dataclass(frozen=True, slots=True)
class ShardInfo:
    shard_id: str
    """1 to 64 of A-Z a-z 0-9 _ - ."""
    engine: Engine
    weight: float = 1.0
    """0 to 100 in steps of 0.01: share of the new groups relative to the other shards. 0 takes none."""
    zone: str = ""
    state: ShardState = ShardState.ACTIVE
    endpoint: ShardEndpoint | None = None
    """None: the settings of the gateways say where it is."""
    removing: int = 0
    """Of a DRAINING shard, version of the map in which somebody began to make sure that nothing is left
    there; 0: nobody does."""

    @property
    def takes_groups(self) -> bool:
        return self.state is ShardState.ACTIVE and self.weight > 0


@dataclass(frozen=True, slots=True)
class ShardMapSnapshot:
    version: int
    """Grows by every change; 0 is a map made of settings that the catalog has not seen."""
    fleet: str
    shards: tuple[ShardInfo, ...]
    """Sorted by shard_id, each once."""

    def __post_init__(self) -> None:
        ids = [shard.shard_id for shard in self.shards]
        if ids != sorted(set(ids)):
            raise ValueError(f"shards {ids} of a map must be sorted and each named once")

    @classmethod
    def of(cls, version: int, fleet: str, shards: Iterable[ShardInfo]) -> Self:
        return cls(version, fleet, tuple(sorted(shards, key=lambda shard: shard.shard_id)))

    @property
    def placement_ring(self) -> HashRing:
        """The ring of the shards that take groups. Raises NoShardTakesGroups."""
        return self.placement_ring_without(frozenset())

    def placement_ring_without(self, away: frozenset[str]) -> HashRing:
        """The placement ring without the shards in `away`: only their groups land elsewhere.

        Raises NoShardTakesGroups.
        """
        taking = [shard for shard in self.shards if shard.takes_groups]
        members = tuple(RingMember(s.shard_id, s.weight) for s in taking if s.shard_id not in away)
        if not members:
            why = f"{len(taking)} of {len(self.shards)} are ACTIVE with a weight above 0"
            raise NoShardTakesGroups(why)
        return _ring(members, self.version)

    def get(self, shard_id: str) -> ShardInfo | None:
        return next((shard for shard in self.shards if shard.shard_id == shard_id), None)

    def with_absent(self, configured: Iterable[ShardInfo]) -> Self:
        """This map plus the configured shards that it does not know; what it knows stays as it is."""
        known = {shard.shard_id for shard in self.shards}
        absent = [shard for shard in configured if shard.shard_id not in known]
        return self.of(self.version, self.fleet, (*self.shards, *absent)) if absent else self

    def with_shard(self, info: ShardInfo) -> Self:
        """This map with the shard as given, whether it was known or not."""
        others = (shard for shard in self.shards if shard.shard_id != info.shard_id)
        return self.of(self.version, self.fleet, (*others, info))

    def at_version(self, version: int) -> Self:
        return replace(self, version=version)

    def encode(self) -> bytes:
        shards = [_encoded(shard) for shard in self.shards]
        return orjson.dumps({"version": self.version, "fleet": self.fleet, "shards": shards})

    @classmethod
    def decode(cls, text: bytes | str) -> Self:
        """Raises ValueError for text that no gateway of this version wrote."""
        try:
            values = orjson.loads(text)
            shards = [_decoded(shard) for shard in values["shards"]]
            return cls.of(int(values["version"]), str(values["fleet"]), shards)
        except (KeyError, TypeError) as error:
            raise ValueError(f"the text is no shard map ({error!r}); rebuild the catalog") from error


def _encoded(shard: ShardInfo) -> dict[str, Any]:
    values: dict[str, Any] = {
        "id": shard.shard_id,
        "engine": shard.engine,
        "weight": shard.weight,
        "zone": shard.zone,
        "state": shard.state,
    }
    if shard.endpoint is not None:
        values["endpoint"] = asdict(shard.endpoint)
    if shard.removing:
        values["removing"] = shard.removing
    return values


def _decoded(values: dict[str, Any]) -> ShardInfo:
    endpoint = values.get("endpoint")
    return ShardInfo(
        values["id"],
        Engine(values["engine"]),
        float(values["weight"]),
        values["zone"],
        ShardState(values["state"]),
        None if endpoint is None else ShardEndpoint(**endpoint),
        int(values.get("removing", 0)),
    )


@lru_cache(maxsize=32)
def _ring(members: tuple[RingMember, ...], version: int) -> HashRing:
    """Building a ring takes milliseconds, a placement microseconds."""
    return HashRing.build(members, version)

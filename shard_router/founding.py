"""How a fleet comes to be, once: a decision in one marker, its copies, and the end of the founding.

1. All configured shards answer, none has a marker or holds groups: create-if-absent at the shard with
   the lowest id. Whatever marker is there afterwards is the decision: fleet id and root ring.
2. The decision is copied into every other root member, create-if-absent.
3. The founder's beat goes from 0 to 1. Only now may any shard be used.

Any gateway may do any step again. A root member without a marker is part of an interrupted founding
exactly while no beat has left 0, for no shard is used before step 3; after it, the member was wiped.
Gateways with overlapping settings may begin two fleets, but a fleet whose root member carries the
other's marker never reaches step 3, so that at most one of them is ever used.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import (
    GraphgateError,
    SchemaNotReady,
    ShardIdentityError,
    ShardTimeout,
    ShardUnavailable,
    WipedShard,
)
from drivers.fence import SCHEMA_VERSION, Engine, RootMember, ShardMarker
from drivers.register_gate import ROOT_VERSION_FIRST
from shard_router.errors import FleetNotFounded, NoShardTakesGroups, ShardNotEmpty
from shard_router.fleet_identity import FleetIdentity, check_readable, elect
from shard_router.parallel import outcomes_in_parallel
from shard_router.shard_map import ShardInfo


@dataclass(frozen=True, slots=True)
class ConfiguredShard:
    info: ShardInfo
    driver: ShardDriver


type ShardsKnown = Callable[[Deadline], Awaitable[frozenset[str]]]

type Sighting = ShardMarker | GraphgateError | None
"""A shard's marker; why it is not known; None: the shard answers and has none."""


class Founding:
    def __init__(self, shards: Sequence[ConfiguredShard], pool_graphs: int) -> None:
        self._shards = {shard.info.shard_id: shard for shard in shards}
        self._pool_graphs = pool_graphs

    def add(self, shard: ConfiguredShard) -> None:
        self._shards[shard.info.shard_id] = shard

    def drop(self, shard_id: str) -> None:
        self._shards.pop(shard_id, None)

    async def establish(self, shards_known: ShardsKnown, deadline: Deadline) -> FleetIdentity:
        """The founded fleet of these shards; founds it or ends its founding if need be.

        `shards_known` tells which shards have had a marker, so that one without is wiped and not
        new; it is only asked when there is something to found.
        Raises FleetNotFounded when a shard that is needed does not answer or has another fleet's
        marker, WipedShard, ShardNotEmpty, NoShardTakesGroups, what `shards_known` raises.
        """
        in_use = _in_use(await self._look(deadline))
        if in_use is not None:
            return in_use
        # Asked before the markers that are compared with it: a founding may end at any moment.
        known = await shards_known(deadline)
        seen = await self._look(deadline)
        in_use = _in_use(seen)
        if in_use is not None:
            return in_use
        identity = elect(_markers(seen))
        if identity is None:
            self._check_all_blank(seen, known)
            identity = await self._decide(deadline)
        await self._finish(identity, known, deadline)
        return identity

    def marker_for(self, shard_id: str, identity: FleetIdentity) -> ShardMarker:
        """A new one, to be created if absent: its incarnation has never been seen."""
        return new_marker(shard_id, self._shards[shard_id].info.engine, identity, self._pool_graphs)

    async def create_marker(self, shard_id: str, identity: FleetIdentity, deadline: Deadline) -> ShardMarker:
        """The marker that is there afterwards. Raises ShardNotEmpty: groups without a marker are not
        this fleet's to overwrite."""
        driver = self._shards[shard_id].driver
        marker = self.marker_for(shard_id, identity)
        driver.use_marker(marker)
        if await driver.list_fences("", 1, deadline):
            raise ShardNotEmpty(shard_id)
        return await driver.create_marker(marker, deadline)

    async def _look(self, deadline: Deadline) -> dict[str, Sighting]:
        async def look(shard: ConfiguredShard) -> ShardMarker | None:
            marker = await shard.driver.read_marker(deadline)
            if marker is not None:
                check_readable(shard.info.shard_id, marker)
            return marker

        # One shard that hangs must leave time for what the others make possible.
        deadline = deadline.within(deadline.remaining_s() / 3)
        return await outcomes_in_parallel(
            {shard_id: partial(look, shard) for shard_id, shard in self._shards.items()}
        )

    def _check_all_blank(self, seen: Mapping[str, Sighting], known: frozenset[str]) -> None:
        refused = next((found for found in seen.values() if isinstance(found, ShardIdentityError)), None)
        if refused is not None:
            raise refused
        away = sorted(shard_id for shard_id, found in seen.items() if found is not None)
        if away or not seen:
            raise FleetNotFounded(f"no answer from {', '.join(away) or 'any shard: none is configured'}")
        lost = sorted(known & seen.keys())
        if lost:
            raise WipedShard(lost[0])

    async def _decide(self, deadline: Deadline) -> FleetIdentity:
        members = tuple(
            RootMember(shard_id, self._shards[shard_id].info.weight)
            for shard_id in sorted(self._shards)
            if self._shards[shard_id].info.weight > 0
        )
        if not members:
            raise NoShardTakesGroups("every configured shard has weight 0")
        proposed = FleetIdentity(str(uuid4()), ROOT_VERSION_FIRST, members)
        return FleetIdentity.of(await self.create_marker(proposed.founder, proposed, deadline))

    async def _finish(self, identity: FleetIdentity, known: frozenset[str], deadline: Deadline) -> None:
        """Copies the decision into the root members that lack it, then ends the founding."""
        members = [member.shard_id for member in identity.root_members]
        unknown = sorted(set(members) - self._shards.keys())
        if unknown:
            raise FleetNotFounded(f"root members {', '.join(unknown)} are not configured at this gateway")
        for shard_id in members:
            try:
                await self._copy(shard_id, identity, known, deadline)
            except (ShardUnavailable, ShardTimeout, SchemaNotReady) as error:
                raise FleetNotFounded(f"no answer from {shard_id}") from error
        founder = self._shards[identity.founder].driver
        await founder.advance_beat(0, 1, deadline)

    async def _copy(
        self, shard_id: str, identity: FleetIdentity, known: frozenset[str], deadline: Deadline
    ) -> None:
        marker = await self._shards[shard_id].driver.read_marker(deadline)
        if marker is None:
            if shard_id == identity.founder or shard_id in known:
                raise WipedShard(shard_id)
            marker = await self.create_marker(shard_id, identity, deadline)
        check_readable(shard_id, marker)
        if identity.mismatch(shard_id, marker) is not None:
            raise FleetNotFounded(
                f"root member {shard_id} of fleet {identity.fleet} carries the marker of fleet {marker.fleet}"
            )


def new_marker(shard_id: str, engine: Engine, identity: FleetIdentity, pool_graphs: int) -> ShardMarker:
    """`pool_graphs` counts where the engine has graphs."""
    return ShardMarker(
        fleet=identity.fleet,
        shard=shard_id,
        incarnation=str(uuid4()),
        schema_version=SCHEMA_VERSION,
        root_version=identity.root_version,
        root_ring=identity.root_members,
        pool_graphs=pool_graphs if engine is Engine.FALKORDB else 1,
    )


def _markers(seen: Mapping[str, Sighting]) -> list[ShardMarker]:
    return [found for found in seen.values() if isinstance(found, ShardMarker)]


def _in_use(seen: Mapping[str, Sighting]) -> FleetIdentity | None:
    """The elected fleet if its founding has ended."""
    markers = _markers(seen)
    identity = elect(markers)
    ended = any(marker.beat > 0 and FleetIdentity.of(marker) == identity for marker in markers)
    return identity if ended else None

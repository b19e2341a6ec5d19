"""What a shard must prove before this gateway uses it, on every connect and while it is used."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import OlderCopy, WipedShard
from drivers.fence import ShardMarker
from shard_router.catalog_port import FleetCatalog, KnownShard
from shard_router.errors import CatalogUnavailable, FleetNotFounded
from shard_router.fleet_identity import FleetIdentity, check_known, check_readable
from shard_router.founding import ConfiguredShard, Founding

PING_S_MAX = 5.0
"""Of an answer to anything at all: less than admission may take, so that a shard which accepts connections
and never answers is known as such, and tried anew, soon."""


@dataclass(frozen=True, slots=True)
class _Memory:
    """Known of a shard before its marker is read."""

    own: KnownShard | None
    catalog: KnownShard | None
    catalog_problem: CatalogUnavailable | None
    """Why the catalog could not be asked: then a shard without a marker may be new or wiped."""

    def each(self) -> list[KnownShard]:
        return [known for known in (self.own, self.catalog) if known is not None]


class Charter:
    """One per gateway. Holds the fleet's identity and, per shard, incarnation and highest beat."""

    def __init__(
        self,
        shards: Sequence[ConfiguredShard],
        catalog: FleetCatalog | None,
        *,
        pool_graphs: int,
        catalog_timeout_s: float,
    ) -> None:
        self._drivers: Mapping[str, ShardDriver] = {shard.info.shard_id: shard.driver for shard in shards}
        self._founding = Founding(shards, pool_graphs)
        self._catalog = catalog
        self._catalog_timeout_s = catalog_timeout_s
        self._known: dict[str, KnownShard] = {}
        self._identity: FleetIdentity | None = None
        self._establishing = asyncio.Lock()
        self.catalog_problem: CatalogUnavailable | None = None
        """Why what is known of the shards was last not exchanged with the catalog."""

    @property
    def identity(self) -> FleetIdentity:
        """Never changes once known. Raises FleetNotFounded."""
        if self._identity is None:
            raise FleetNotFounded("no shard has shown the marker of a founded fleet")
        return self._identity

    def incarnation_of(self, shard_id: str) -> str:
        """Of the marker that the shard showed last; empty before it showed one."""
        known = self._known.get(shard_id)
        return "" if known is None else known.incarnation

    def beat_of(self, shard_id: str) -> int:
        known = self._known.get(shard_id)
        return 0 if known is None else known.beat

    async def admit(
        self, shard_id: str, deadline: Deadline, *, ping_s_max: float = PING_S_MAX
    ) -> ShardMarker:
        """The shard's marker, after founding or joining if that is due. `ping_s_max` bounds the wait for its
        first sign of life.

        Raises ShardIdentityError for a shard that must not be used, FleetNotFounded, ShardError.
        """
        # Before the marker: a beat that another gateway gives meanwhile is no sign of an older copy.
        memory = await self._memory_of(shard_id, deadline)
        driver = self._drivers[shard_id]
        await driver.ping(deadline.within(ping_s_max))
        marker = await driver.read_marker(deadline)
        if marker is None and memory.each():
            raise WipedShard(shard_id)
        if marker is not None:
            check_readable(shard_id, marker)
        identity = await self._established(deadline)
        if marker is None:
            marker = await self._join(shard_id, identity, memory, deadline)
        self._check(shard_id, marker, memory)
        if marker.beat == 0:
            marker = await self._advance(marker, deadline)
        await self._remember(shard_id, marker, deadline)
        return marker

    async def recheck(self, shard_id: str, wrote: bool, deadline: Deadline) -> ShardMarker:
        """The marker of a shard in use: is it still the same, and not older? `wrote` advances its beat.

        Raises as admit does.
        """
        memory = await self._memory_of(shard_id, deadline)
        driver = self._drivers[shard_id]
        marker = await driver.read_marker(deadline)
        if marker is None:
            raise WipedShard(shard_id)
        check_readable(shard_id, marker)
        self._check(shard_id, marker, memory)
        if wrote:
            marker = await self._advance(marker, deadline)
        await self._remember(shard_id, marker, deadline)
        return marker

    async def _established(self, deadline: Deadline) -> FleetIdentity:
        async with self._establishing:
            if self._identity is None:
                self._identity = await self._founding.establish(self._shards_known, deadline)
            return self._identity

    async def _shards_known(self, deadline: Deadline) -> frozenset[str]:
        """Raises CatalogUnavailable: only the catalog can tell a wiped shard from a new one."""
        if self._catalog is None:
            return frozenset(self._known)
        in_catalog = await self._catalog.known_shards(deadline.within(self._catalog_timeout_s))
        return frozenset(self._known) | frozenset(in_catalog)

    async def _join(
        self, shard_id: str, identity: FleetIdentity, memory: _Memory, deadline: Deadline
    ) -> ShardMarker:
        """The founding gives root members their marker: one that is still without has lost it."""
        if not identity.is_root_member(shard_id):
            if memory.catalog_problem is not None:
                raise memory.catalog_problem
            return await self._founding.create_marker(shard_id, identity, deadline)
        marker = await self._drivers[shard_id].read_marker(deadline)
        if marker is None:
            raise WipedShard(shard_id)
        return marker

    def _check(self, shard_id: str, marker: ShardMarker, memory: _Memory) -> None:
        mismatch = self.identity.mismatch(shard_id, marker)
        if mismatch is not None:
            raise mismatch
        check_known(shard_id, marker, memory.each())

    async def _advance(self, marker: ShardMarker, deadline: Deadline) -> ShardMarker:
        """By one, unless another gateway was faster: then its beat counts."""
        driver = self._drivers[marker.shard]
        beat = await driver.advance_beat(marker.beat, marker.beat + 1, deadline)
        if beat <= marker.beat:
            raise OlderCopy(marker.shard, beat, marker.beat + 1)
        return replace(marker, beat=beat)

    async def _remember(self, shard_id: str, marker: ShardMarker, deadline: Deadline) -> None:
        shown = KnownShard(marker.incarnation, marker.beat)
        self._known[shard_id] = shown
        if self._catalog is None:
            return
        try:
            timeout = deadline.within(self._catalog_timeout_s)
            kept = await self._catalog.put_known_shard(shard_id, shown, timeout)
        except CatalogUnavailable as error:
            # The catalog only adds caution; the next beat brings it up to date.
            self.catalog_problem = error
            return
        self.catalog_problem = None
        # A higher beat may be another gateway's, given since ours; another incarnation is other data.
        check_known(shard_id, marker, [KnownShard(kept.incarnation, marker.beat)])

    async def _memory_of(self, shard_id: str, deadline: Deadline) -> _Memory:
        own = self._known.get(shard_id)
        if self._catalog is None:
            return _Memory(own, None, None)
        try:
            known = await self._catalog.known_shards(deadline.within(self._catalog_timeout_s))
        except CatalogUnavailable as error:
            self.catalog_problem = error
            return _Memory(own, None, error)
        return _Memory(own, known.get(shard_id), None)

"""What a shard must prove before this gateway uses it, on every connect and while it is used."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from drivers.deadline import Deadline
from drivers.errors import OlderCopy, ShardIdentityError, WipedShard
from drivers.fence import ShardMarker
from shard_router.catalog_port import FleetCatalog, KnownShard
from shard_router.errors import CatalogUnavailable, FleetNotFounded, ShardRemoved, TwoRootRings
from shard_router.fleet_identity import FleetIdentity, Roots, check_known, check_readable, explains
from shard_router.founding import ConfiguredShard, Founding
from shard_router.parallel import outcomes_in_parallel

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
        self._drivers = {shard.info.shard_id: shard.driver for shard in shards}
        self._founding = Founding(shards, pool_graphs)
        self._catalog = catalog
        self._catalog_timeout_s = catalog_timeout_s
        self._known: dict[str, KnownShard] = {}
        self._roots: Roots | None = None
        self._pending_at: set[str] = set()
        """Shards whose markers showed a pending root ring when they were last read."""
        self._establishing = asyncio.Lock()
        self.catalog_problem: CatalogUnavailable | None = None
        """Why what is known of the shards was last not exchanged with the catalog."""

    @property
    def identity(self) -> FleetIdentity:
        """Its root ring may change, its fleet never. Raises FleetNotFounded."""
        return self.roots.current

    @property
    def roots(self) -> Roots:
        """Raises FleetNotFounded."""
        if self._roots is None:
            raise FleetNotFounded("no shard has shown the marker of a founded fleet")
        return self._roots

    @property
    def root_change_pending(self) -> bool:
        """Whether a shard still waits for another root ring, also one that this gateway has already."""
        return bool(self._pending_at)

    def add(self, shard: ConfiguredShard) -> None:
        self._drivers[shard.info.shard_id] = shard.driver
        self._founding.add(shard)

    def drop(self, shard_id: str) -> None:
        self._drivers.pop(shard_id, None)
        self._pending_at.discard(shard_id)
        self._founding.drop(shard_id)

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
        marker = await self._checked(shard_id, marker, memory, deadline)
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
        marker = await self._checked(shard_id, marker, memory, deadline)
        if wrote:
            marker = await self._advance(marker, deadline)
        await self._remember(shard_id, marker, deadline)
        return marker

    async def _established(self, deadline: Deadline) -> FleetIdentity:
        async with self._establishing:
            if self._roots is None:
                self._roots = Roots(await self._founding.establish(self._shards_known, deadline))
            return self._roots.current

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

    async def _checked(
        self, shard_id: str, marker: ShardMarker, memory: _Memory, deadline: Deadline
    ) -> ShardMarker:
        """The marker, brought up to the fleet's root ring if the shard missed a change of it."""
        if marker.removed and marker.fleet == self.identity.fleet:
            raise ShardRemoved(shard_id)
        roots = self.roots.after(shard_id, marker)
        if roots is None:
            roots = await self._later_roots(shard_id, marker, deadline)
        if isinstance(roots, ShardIdentityError):
            raise roots
        check_known(shard_id, marker, memory.each())
        if marker.pending_version:
            self._pending_at.add(shard_id)
        else:
            self._pending_at.discard(shard_id)
        if roots.current.root_version >= self.roots.current.root_version:
            # While the others were asked, another shard's marker may have told more.
            self._roots = roots
        if self.roots.outdated(shard_id, marker):
            current = self.identity
            after = replace(marker, root_version=current.root_version, root_ring=current.root_members)
            return await self._drivers[shard_id].change_marker(marker, after, deadline) or marker
        return marker

    async def _later_roots(
        self, shard_id: str, marker: ShardMarker, deadline: Deadline
    ) -> Roots | ShardIdentityError:
        """What to believe of a marker with a later root ring, by the markers of the other shards."""
        others = [driver for other, driver in self._drivers.items() if other != shard_id]
        # A third each: whoever asks must have time left to go on.
        soon = deadline.within(deadline.remaining_s() / 3)
        found = await outcomes_in_parallel(
            {driver.shard_id: partial(driver.read_marker, soon) for driver in others}
        )
        shown = [other for other in found.values() if isinstance(other, ShardMarker)]
        later = FleetIdentity.of(marker)
        if (shown or not others) and explains(later, shown):
            return Roots(later, FleetIdentity.pending_of(marker))
        return TwoRootRings(shard_id, self.identity.root_description, later.root_description)

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

"""Keeps this gateway's shard map and the catalog's the same."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from random import Random

from drivers.deadline import Deadline
from shard_router.backoff import Backoff
from shard_router.catalog_port import FleetCatalog
from shard_router.clock import Clock
from shard_router.errors import CatalogUnavailable, MapChanged
from shard_router.shard_map import ShardInfo, ShardMapSnapshot

_LOG = logging.getLogger(__name__)

PUBLISH_ATTEMPTS_MAX = 8
"""Against other gateways that change the map at the same time."""

_RETRY = Backoff(first_s=0.2, pause_s_max=10.0)

type MapChange = Callable[[ShardMapSnapshot], ShardMapSnapshot]
"""May raise what forbids the change of that map."""


class ShardMapKeeper:
    """The map of the catalog, completed by this gateway's settings; of settings alone until the
    catalog answers. The map with the higher version is the newer one: a catalog that was emptied or
    rolled back gets the map of the gateways that remember it."""

    def __init__(
        self,
        configured: Sequence[ShardInfo],
        catalog: FleetCatalog | None,
        joined: Callable[[], frozenset[str]],
        clock: Clock,
        rng: Random,
        *,
        catalog_timeout_s: float,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """`joined` tells which configured shards have been admitted: only those are published. `on_change` is
        called after each new map."""
        self._on_change = on_change
        self._configured = tuple(configured)
        self._catalog = catalog
        self._joined = joined
        self._clock = clock
        self._rng = rng
        self._catalog_timeout_s = catalog_timeout_s
        self._map = ShardMapSnapshot.of(0, "", configured)
        self._published = ShardMapSnapshot.of(0, "", ())
        """The last map that was the catalog's."""
        self._shard_joined = asyncio.Event()
        self.catalog_problem: CatalogUnavailable | None = None
        """Why the map was last not exchanged with the catalog."""

    @property
    def map(self) -> ShardMapSnapshot:
        return self._map

    def note_joined(self) -> None:
        self._shard_joined.set()

    async def keep(self, fleet: str) -> None:
        """Runs until it is cancelled; returns at once without a catalog."""
        self._map = ShardMapSnapshot.of(self._map.version, fleet, self._map.shards)
        if self._catalog is None:
            return
        failures = 0
        while True:
            try:
                await self._catalog.claim(fleet, self._deadline())
                await self.publish(fleet)
                failures = 0
                await self._follow(self._catalog, fleet)
            except CatalogUnavailable as error:
                self._fail(error)
                failures += 1
                await self._clock.sleep(_RETRY.pause_s(failures, self._rng))

    async def publish(self, fleet: str) -> None:
        """Makes the catalog's map the newest known one plus the shards that have joined.

        Raises CatalogUnavailable.
        """
        if self._catalog is None:
            return
        for _ in range(PUBLISH_ATTEMPTS_MAX):
            self._shard_joined.clear()
            stored = await self._catalog.load_map(self._deadline())
            if stored is not None and stored.fleet != fleet:
                raise CatalogUnavailable(f"its map is of fleet {stored.fleet}; use another key prefix")
            stored_version = 0 if stored is None else stored.version
            newest = self._published if stored is None else stored
            if self._published.version > newest.version:
                newest = self._published
            joined = self._joined()
            wanted = newest.with_absent(info for info in self._configured if info.shard_id in joined)
            if stored is not None and wanted == stored:
                self._adopt(stored)
                return
            version = max(newest.version, stored_version) + 1
            wanted = ShardMapSnapshot.of(version, fleet, wanted.shards)
            if await self._catalog.put_map(wanted, stored_version, self._deadline()):
                self._adopt(wanted)
                return
        raise CatalogUnavailable(f"its map changed {PUBLISH_ATTEMPTS_MAX} times while it was read")

    async def change(self, changed: MapChange, expected_version: int = 0) -> ShardMapSnapshot:
        """Puts the change of the newest map into the catalog; returns the map that is there then.

        `changed` may be called several times. `expected_version`: of the only map that it is for, 0: of any.
        Raises MapChanged, CatalogUnavailable and what `changed` raises.
        """
        if self._catalog is None:
            raise CatalogUnavailable("this gateway has none, and the shard map lies there")
        fleet = self._map.fleet
        for _ in range(PUBLISH_ATTEMPTS_MAX):
            stored = await self._catalog.load_map(self._deadline())
            if stored is None or stored.version < self._published.version:
                await self.publish(fleet)
                continue
            if stored.fleet != fleet:
                raise CatalogUnavailable(f"its map is of fleet {stored.fleet}; use another key prefix")
            if expected_version and stored.version != expected_version:
                raise MapChanged(expected_version, stored.version)
            wanted = changed(stored)
            if wanted == stored:
                self._adopt(stored)
                return stored
            wanted = wanted.at_version(stored.version + 1)
            if await self._catalog.put_map(wanted, stored.version, self._deadline()):
                self._adopt(wanted)
                return wanted
        raise CatalogUnavailable(f"its map changed {PUBLISH_ATTEMPTS_MAX} times while it was read")

    async def refreshed(self) -> ShardMapSnapshot:
        """The catalog's map as it is now. Raises CatalogUnavailable."""
        return await self.change(lambda stored: stored)

    async def _follow(self, catalog: FleetCatalog, fleet: str) -> None:
        """Raises CatalogUnavailable when something is to be published and cannot be."""
        changed = asyncio.create_task(self._watch(catalog))
        try:
            while True:
                joined = asyncio.create_task(self._shard_joined.wait())
                try:
                    await asyncio.wait({changed, joined}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    joined.cancel()
                if changed.done():
                    changed.result()
                    return
                await self.publish(fleet)
        finally:
            changed.cancel()
            await asyncio.gather(changed, return_exceptions=True)

    async def _watch(self, catalog: FleetCatalog) -> None:
        """Adopts newer maps; returns when the catalog's is gone or older than what is known."""
        async with aclosing(catalog.watch_map(self._published.version)) as maps:
            async for snapshot in maps:
                if snapshot is None or snapshot.version < self._published.version:
                    _LOG.warning("the catalog has lost the shard map; it gets the one known here")
                    return
                self._adopt(snapshot)

    def _adopt(self, stored: ShardMapSnapshot) -> None:
        self.catalog_problem = None
        if stored.version < self._published.version:
            # Of two answers that crossed on the way the later map counts.
            return
        self._published = stored
        self._map = stored.with_absent(self._configured)
        self._on_change()

    def _fail(self, error: CatalogUnavailable) -> None:
        if self.catalog_problem is None:
            _LOG.warning("shard map: %s; going on with version %d", error, self._map.version)
        self.catalog_problem = error

    def _deadline(self) -> Deadline:
        return Deadline.after(self._catalog_timeout_s)

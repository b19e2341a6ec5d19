"""What this gateway and the catalog remember of placements: hints that cost no shard call."""

from collections.abc import Sequence
from dataclasses import dataclass

from drivers.deadline import Deadline
from shard_router.catalog_port import PlacementCatalog
from shard_router.clock import Clock
from shard_router.errors import CatalogUnavailable
from shard_router.placement import Placement
from shard_router.placement_cache import PlacementCache


@dataclass(frozen=True, slots=True)
class HintSettings:
    entries_max: int = 100_000
    """Placements cached by this gateway; about 400 bytes each."""
    catalog_timeout_s: float = 0.5
    catalog_pause_s: float = 2.0
    """After a failure the catalog is left alone for so long, so that a dead one slows nothing down."""


class PlacementHints:
    """Never fails: without the catalog there are fewer hints."""

    def __init__(self, catalog: PlacementCatalog | None, settings: HintSettings, clock: Clock) -> None:
        self._catalog = catalog
        self._settings = settings
        self._clock = clock
        self._cache = PlacementCache(settings.entries_max)
        self._catalog_again_at_s = 0.0
        self.catalog_problem: CatalogUnavailable | None = None
        """Of the last use of the catalog."""

    def cached(self, group_id: str) -> Placement | None:
        return self._cache.get(group_id)

    async def get(self, group_ids: Sequence[str], deadline: Deadline) -> dict[str, Placement]:
        """By group_id: from the cache, else from one look at the catalog."""
        found = {group_id: hint for group_id in group_ids if (hint := self._cache.get(group_id)) is not None}
        missing = [group_id for group_id in group_ids if group_id not in found]
        if missing and (catalog := self._usable_catalog()) is not None:
            try:
                records = await catalog.get_placements(missing, self._within(deadline))
            except CatalogUnavailable as error:
                self._pause(error)
            else:
                self.catalog_problem = None
                for record in records.values():
                    self._cache.put(record)
                found |= records
        return found

    async def learn(self, placements: Sequence[Placement], deadline: Deadline) -> None:
        """What the register said; the catalog is told too."""
        for placement in placements:
            self._cache.put(placement)
        if placements and (catalog := self._usable_catalog()) is not None:
            try:
                await catalog.put_placements(placements, self._within(deadline))
                self.catalog_problem = None
            except CatalogUnavailable as error:
                self._pause(error)

    def forget(self, placement: Placement) -> None:
        self._cache.forget(placement)

    def _usable_catalog(self) -> PlacementCatalog | None:
        return self._catalog if self._clock.monotonic_s() >= self._catalog_again_at_s else None

    def _pause(self, error: CatalogUnavailable) -> None:
        self.catalog_problem = error
        self._catalog_again_at_s = self._clock.monotonic_s() + self._settings.catalog_pause_s

    def _within(self, deadline: Deadline) -> Deadline:
        return deadline.within(self._settings.catalog_timeout_s)

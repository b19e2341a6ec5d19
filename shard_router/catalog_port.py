"""What routing keeps in the catalog. Every method raises CatalogUnavailable and nothing else.

Nothing here decides anything: a placement record is a cache of what the fences say, the shard map
can be made again from settings, and what is known of a shard only ever makes a gateway more careful.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from drivers.deadline import Deadline
from shard_router.placement import Placement
from shard_router.shard_map import ShardMapSnapshot


@dataclass(frozen=True, slots=True)
class KnownShard:
    """The least that a shard's marker must show."""

    incarnation: str
    beat: int
    """The highest seen."""


class FleetCatalog(Protocol):
    async def known_shards(self, deadline: Deadline) -> Mapping[str, KnownShard]:
        """By shard_id."""
        ...

    async def put_known_shard(self, shard_id: str, known: KnownShard, deadline: Deadline) -> KnownShard:
        """Keeps the first incarnation and the highest beat; returns what is kept."""
        ...

    async def claim(self, fleet: str, deadline: Deadline) -> None:
        """Takes the keys for this fleet, or finds that they are its own. Until then, and when they
        are another fleet's, the maps and the placements are unavailable."""
        ...

    async def load_map(self, deadline: Deadline) -> ShardMapSnapshot | None: ...

    async def put_map(self, snapshot: ShardMapSnapshot, expected_version: int, deadline: Deadline) -> bool:
        """Whether the map had `expected_version` (0: was absent) and is now `snapshot`."""
        ...

    def watch_map(self, known_version: int) -> AsyncGenerator[ShardMapSnapshot | None]:
        """Each map whose version differs from the one before, None when there is none any more.
        Never ends by itself, outlives outages of the catalog."""
        ...


class PlacementCatalog(Protocol):
    async def get_placements(self, group_ids: Sequence[str], deadline: Deadline) -> Mapping[str, Placement]:
        """By group_id, unknown groups left out."""
        ...

    async def put_placements(self, placements: Sequence[Placement], deadline: Deadline) -> None:
        """A record with a higher epoch stays."""
        ...


class PlacementRecords(PlacementCatalog, Protocol):
    """The placements as a whole."""

    async def scan_placements(self, cursor: int, deadline: Deadline) -> tuple[int, Sequence[Placement]]:
        """Some hundred records at a time, in no order, begun and ended with cursor 0. A record may come
        twice; one that is written meanwhile may be left out."""
        ...


class RoutingCatalog(FleetCatalog, PlacementCatalog, Protocol):
    """The whole of it."""

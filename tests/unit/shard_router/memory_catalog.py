"""The catalog as plain values, with the same point of interference as the model driver."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence

from drivers.deadline import Deadline
from shard_router.catalog_port import KnownShard
from shard_router.errors import CatalogUnavailable
from shard_router.placement import Placement
from shard_router.shard_map import ShardMapSnapshot


class MemoryCatalog:
    """shard_router.catalog_port.RoutingCatalog. A test sets `down`, or changes any value at any time."""

    def __init__(self) -> None:
        self.down = False
        self.fleet = ""
        self.map: ShardMapSnapshot | None = None
        self.known: dict[str, KnownShard] = {}
        self.placements: dict[str, Placement] = {}
        self.calls: list[str] = []
        self._changed = asyncio.Event()

    async def step(self, name: str) -> None:
        """The one await point of each method; a test overrides it."""

    async def _begin(self, name: str) -> None:
        self.calls.append(name)
        await self.step(name)
        if self.down:
            raise CatalogUnavailable("it is down")

    async def known_shards(self, deadline: Deadline) -> Mapping[str, KnownShard]:
        await self._begin("known_shards")
        return dict(self.known)

    async def put_known_shard(self, shard_id: str, known: KnownShard, deadline: Deadline) -> KnownShard:
        await self._begin("put_known_shard")
        before = self.known.get(shard_id, known)
        self.known[shard_id] = KnownShard(before.incarnation, max(before.beat, known.beat))
        return self.known[shard_id]

    async def claim(self, fleet: str, deadline: Deadline) -> None:
        await self._begin("claim")
        self.fleet = self.fleet or fleet
        if self.fleet != fleet:
            raise CatalogUnavailable(f"its keys belong to fleet {self.fleet}")

    async def load_map(self, deadline: Deadline) -> ShardMapSnapshot | None:
        await self._begin("load_map")
        return self.map

    async def put_map(self, snapshot: ShardMapSnapshot, expected_version: int, deadline: Deadline) -> bool:
        await self._begin("put_map")
        if (0 if self.map is None else self.map.version) != expected_version:
            return False
        self.set_map(snapshot)
        return True

    def set_map(self, snapshot: ShardMapSnapshot | None) -> None:
        self.map = snapshot
        self._changed.set()
        self._changed = asyncio.Event()

    async def watch_map(self, known_version: int) -> AsyncGenerator[ShardMapSnapshot | None]:
        last: int | None = known_version
        while True:
            changed, snapshot = self._changed, self.map
            version = None if snapshot is None else snapshot.version
            if version != last:
                last = version
                yield snapshot
            await changed.wait()

    async def get_placements(self, group_ids: Sequence[str], deadline: Deadline) -> Mapping[str, Placement]:
        await self._begin("get_placements")
        return {g: self.placements[g] for g in group_ids if g in self.placements}

    async def put_placements(self, placements: Sequence[Placement], deadline: Deadline) -> None:
        await self._begin("put_placements")
        for placement in placements:
            before = self.placements.get(placement.group_id)
            if before is None or before.epoch <= placement.epoch:
                self.placements[placement.group_id] = placement

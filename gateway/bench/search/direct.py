"""The shards of a fleet as the gateway reaches them, in this process: to record what a search calls."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from drivers.deadline import Deadline
from drivers.fence import Engine
from drivers.graph_model import Kind
from drivers.row_key import RowKey
from drivers.vector_slots import VectorSlot
from gateway.assembly import make_driver
from gateway.bench.search.engine_calls import EngineCalls, Recording, recorded, recording
from gateway.embedded import EmbeddedFleet
from gateway.embedding.none_embedder import NoneEmbedder
from gateway.rerank.port import NoCrossEncoder
from gateway.rpc.search_reading import search_of
from gateway.rpc.validation import Violations
from gateway.search.searcher import Searcher
from gateway.settings.fleet import ShardSettings
from graphgate.v1 import search_service_pb2 as pb
from shard_router.catalog import Catalog
from shard_router.fleet import Fleet
from shard_router.founding import ConfiguredShard
from shard_router.router import Router
from shard_router.shard_map import ShardInfo
from shard_router.slot_search import NoSlots

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Recorded:
    calls: EngineCalls
    hits: Sequence[RowKey]
    """Best first."""


class FixedSlots(NoSlots):
    """The vector slots as they were at the last look; nobody fills them from here."""

    def __init__(self) -> None:
        self._slots: dict[str, Mapping[tuple[str, Kind], VectorSlot]] = {}

    def set(self, shard_id: str, slots: Iterable[VectorSlot]) -> None:
        self._slots[shard_id] = {(slot.ref.group_id, slot.kind): slot for slot in slots}

    def slots_of(self, shard_id: str) -> Mapping[tuple[str, Kind], VectorSlot]:
        return self._slots.get(shard_id, {})


class Direct:
    """Context manager. The fleet must have been founded, and outlive it."""

    def __init__(self, fleet: EmbeddedFleet) -> None:
        self._catalog = Catalog(fleet.catalog_url)
        self._drivers = {
            shard.id: make_driver(*_settings(shard.id, shard.engine, shard.url)) for shard in fleet.shards
        }
        self._fleet = Fleet(
            [
                ConfiguredShard(
                    ShardInfo(shard.id, Engine(shard.engine.upper())), recorded(self._drivers[shard.id])
                )
                for shard in fleet.shards
            ],
            self._catalog,
        )
        self._router = Router(self._fleet, self._catalog)
        self._slots = FixedSlots()
        self._searcher = Searcher(self._router, NoneEmbedder(), NoCrossEncoder(), self._slots)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Raises ShardUnavailable."""
        for close in (self._catalog.close, self._fleet.close, self._router.close):
            self._stack.push_async_callback(close)
        try:
            await self._fleet.start()
            await self._fleet.answered(Deadline.after(TIMEOUT_S))
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def look_at_slots(self) -> None:
        """To be done when they are complete."""
        for shard_id, driver in self._drivers.items():
            self._slots.set(shard_id, await driver.list_slots(Deadline.after(TIMEOUT_S)))

    async def home_of(self, group_id: str) -> str:
        """The shard that a new group of this name goes to."""
        return await self._router.shard_for_new(group_id, Deadline.after(TIMEOUT_S))

    async def record(self, request: pb.SearchRequest) -> Recorded:
        """Does the search twice: the second finds every placement in the cache, as a gateway in use does."""
        violations = Violations()
        search = search_of(violations, request, with_vectors=False)
        violations.raise_if_any()
        await self._searcher.search(search, Deadline.after(TIMEOUT_S))
        mine = Recording()
        token = recording.set(mine)
        try:
            found = await self._searcher.search(search, Deadline.after(TIMEOUT_S))
        finally:
            recording.reset(token)
        return Recorded(mine.calls, [hit.key for result in found.kinds.values() for hit in result.hits])


def _settings(shard_id: str, engine: str, url: str) -> tuple[Engine, ShardSettings]:
    return Engine(engine.upper()), ShardSettings.model_validate(
        {"id": shard_id, "engine": engine, "url": url}
    )

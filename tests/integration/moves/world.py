"""Two shards and the catalog as processes behind proxies, and gateways whose moves stop at points."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import cast

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from drivers.fence import Engine
from gateway.assembly import make_driver
from gateway.embedded import FalkorDBProcess, Neo4jProcess, RedisProcess, find_neo4j_lib
from gateway.embedded.process import EngineProcess
from gateway.embedding.none_embedder import NoneEmbedder
from gateway.settings.fleet import ShardSettings
from gateway.writes.writer import GraphWriter
from shard_router.backoff import Backoff
from shard_router.catalog import Catalog, CatalogSettings
from shard_router.fleet import Fleet, FleetSettings
from shard_router.founding import ConfiguredShard
from shard_router.gate import GateLimits
from shard_router.moves.moves import Moves
from shard_router.moves.record import MovePhase, MoveRecord
from shard_router.moves.redis_store import RedisMoveStore
from shard_router.moves.settings import MoveSettings
from shard_router.moves.store_port import MoveStore
from shard_router.reconnecting import ReconnectSettings
from shard_router.router import Router
from shard_router.shard_link import LinkSettings
from shard_router.shard_map import ShardInfo
from shard_router.slot_policy import SlotPolicy
from tests.fault_proxy import FaultProxy
from tests.integration.moves.points import PointedFleet, PointedStore, Points
from tests.integration.moves.progress import while_going

CATALOG = "catalog"
CATALOG_S_MAX = 3.0
INDEXED_ROWS = 20
"""With vectors, from which on a group gets an index."""
NEO4J_CALL_S_MAX = 30.0
"""A Neo4j that has just started compiles its first statements for seconds, for all moves at once."""
QUICK = LinkSettings(
    check_interval_s=0.5, reconnect=ReconnectSettings(Backoff(first_s=0.05, pause_s_max=0.3))
)
WIDE = GateLimits(calls_max=1_000, waiting_max=1_000)
"""A move that stands at a point is in a call to its shard."""
SETTINGS = MoveSettings(
    # All of them stand at their points at once.
    moves_max=200,
    moves_per_shard_max=200,
    ends_max=200,
    cleanups_max=200,
    # A turn to clean up that died with its gateway lasts for longer than this.
    call_s_max=6.0,
    # A busy machine takes long, and a move that stands at its point keeps its writers waiting anyhow.
    freeze_s_max=1.0,
    drain_s_max=2.0,
    thaws_max=1_000,
    thaw_pause=Backoff(first_s=0.05, pause_s_max=0.2),
    failure_pause=Backoff(first_s=0.02, pause_s_max=0.2),
    failures_max=10_000,
    rest_pause=Backoff(first_s=0.05, pause_s_max=0.2),
    persist_s=0.0,
    catalog_s_max=CATALOG_S_MAX,
    lease_s=2.0,
    # Each of some seventy moves is looked at so often.
    poll_s=0.5,
    cleanup_share=1.0,
    # Of groups with vectors, on every engine, so that a move has all its steps.
    indexes_first=True,
    slots=SlotPolicy(rows_min=dict.fromkeys(Engine, INDEXED_ROWS), slots_max=1_000),
)


@dataclass(slots=True)
class World:
    processes: Mapping[str, EngineProcess]
    """Of the shards by id, and of the catalog."""
    proxies: Mapping[str, FaultProxy]
    drivers: tuple[ShardDriver, ...]
    """Past the proxies."""

    @property
    def settings(self) -> MoveSettings:
        return replace(SETTINGS, call_s_max=NEO4J_CALL_S_MAX) if self.has_neo4j else SETTINGS

    @property
    def has_neo4j(self) -> bool:
        return any(engine_of(shard) is Engine.NEO4J for shard in self.shards)

    @property
    def shards(self) -> tuple[str, str]:
        first, second = (name for name in self.processes if name != CATALOG)
        return first, second


class Gateway:
    """One gateway: its moves die and come back, its writers do not."""

    def __init__(self, world: World, prefix: str) -> None:
        self.catalog = Catalog(
            world.proxies[CATALOG].url, CatalogSettings(prefix, call_timeout_s=CATALOG_S_MAX)
        )
        shards = [
            ConfiguredShard(
                ShardInfo(shard_id, engine_of(shard_id)), _driver(shard_id, world.proxies[shard_id].url)
            )
            for shard_id in world.shards
        ]
        self.fleet = Fleet(
            shards, self.catalog, FleetSettings(pool_graphs=2, link=QUICK, gate=WIDE), rng=Random(1)
        )
        self.router = Router(self.fleet, self.catalog)
        self.writer = GraphWriter(self.router, NoneEmbedder())
        self._settings = world.settings
        self.points = Points()
        self.moves = self._new_moves()

    async def start(self) -> None:
        await self.fleet.start()
        await self.fleet.settled(Deadline.after(60))

    async def close(self) -> None:
        await self.kill_moves()
        await self.router.close()
        await self.fleet.close()
        await self.catalog.close()

    async def kill_moves(self) -> None:
        """As if the process were gone: nothing is called any more, no lease is given back."""
        self.points.is_dead = True
        self.points.flows.set()
        await self.moves.close()

    async def close_moves(self) -> None:
        """As a process that is told to end."""
        await self.moves.close()

    def renew_moves(self) -> None:
        """As a new process of another name, which does not work on moves before they are started."""
        self.points = Points()
        self.moves = self._new_moves()

    def _new_moves(self) -> Moves:
        fleet = cast("Fleet", PointedFleet(self.fleet, self.points))
        store = cast("MoveStore", PointedStore(RedisMoveStore(self.catalog), self.points))
        return Moves(fleet, self.router, store, f"gateway-{secrets.token_hex(4)}", self._settings)


@asynccontextmanager
async def running_world(directory: Path, shards: tuple[str, str]) -> AsyncGenerator[World]:
    """Engines by the beginning of the shards' names."""
    processes: dict[str, EngineProcess] = {shard: _process(directory / shard) for shard in shards}
    processes[CATALOG] = RedisProcess(directory / CATALOG)
    proxies: dict[str, FaultProxy] = {}
    drivers: list[ShardDriver] = []
    try:
        await asyncio.gather(*(process.start() for process in processes.values()))
        for name, process in processes.items():
            proxies[name] = FaultProxy(process.url)
            await proxies[name].listen()
        for shard in shards:
            drivers.append(_driver(shard, processes[shard].url))
            await drivers[-1].open()
        yield World(processes, proxies, tuple(drivers))
    finally:
        for driver in drivers:
            await driver.close()
        for proxy in proxies.values():
            proxy.resume()
            await proxy.refuse()
        await asyncio.gather(*(process.stop() for process in processes.values()))


@asynccontextmanager
async def two_gateways(world: World) -> AsyncGenerator[tuple[Gateway, Gateway]]:
    """Of a fleet that only the first test on these shards founds; its records are the test's own. Only the
    moves of the first one run."""
    gateways = (Gateway(world, "graphgate"), Gateway(world, "graphgate"))
    try:
        for gateway in gateways:
            await gateway.start()
        for driver in world.drivers:
            marker = await driver.read_marker(Deadline.after(30))
            assert marker is not None, "the fleet is founded"
            # As one that was never admitted: these drivers outlive restarts of their shard.
            driver.use_marker(replace(marker, beat=0))
        await gateways[0].moves.start()
        yield gateways
    finally:
        for gateway in gateways:
            await gateway.close()


async def ended(gateway: Gateway, move_id: str, *, wholly: bool = False) -> MoveRecord:
    """The record as soon as nothing is left to do or, unless `wholly`, all but the end of a reverse window.
    `gateway`: the one that works on the moves; while others get on with it, this one may wait for them."""
    seen: MoveRecord | None = None

    async def look() -> tuple[MoveRecord | None, object]:
        nonlocal seen
        with suppress(GraphgateError):
            seen = await gateway.moves.get(move_id, Deadline.after(5))
        has_come = seen is not None and (seen.ended or (seen.phase is MovePhase.REVERSIBLE and not wholly))
        how_far = seen and (seen.phase, seen.rows_copied, seen.error_reason)
        return seen if has_come else None, (how_far, gateway.points.changes, move_id)

    return await while_going(look)


async def drop_indexes(world: World) -> None:
    """Those that moves have made: nobody keeps them here, and every one costs."""
    for driver in world.drivers:
        for slot in await driver.list_slots(Deadline.after(30)):
            await driver.drop_slot(slot, Deadline.after(60))


def engine_of(shard_id: str) -> Engine:
    return Engine(shard_id.partition("-")[0].upper())


def _process(directory: Path) -> EngineProcess:
    if directory.name.startswith("neo4j"):
        return Neo4jProcess(directory, find_neo4j_lib(), short_lived=True)
    return FalkorDBProcess(directory)


def _driver(shard_id: str, url: str) -> ShardDriver:
    engine = engine_of(shard_id)
    settings = ShardSettings.model_validate({"id": shard_id, "engine": engine.lower(), "url": url})
    return make_driver(engine, settings)

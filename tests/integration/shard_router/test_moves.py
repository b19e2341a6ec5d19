"""Groups move between real engines while they are written to: through the router, with records in Redis."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

import numpy as np
import pytest

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.falkordb import FalkorDBDriver, FalkorDBSettings
from drivers.fence import POOLED, GroupRef
from drivers.graph_model import AnyRow, Kind
from drivers.neo4j import Neo4jDriver, Neo4jSettings
from drivers.reads import ListCursor, ListQuery
from gateway.embedded import FalkorDBProcess, Neo4jProcess, find_neo4j_lib
from gateway.embedding.none_embedder import NoneEmbedder
from gateway.writes.intent import RowChange, WriteIntent
from gateway.writes.writer import GraphWriter
from shard_router.backoff import Backoff
from shard_router.catalog import Catalog, CatalogSettings
from shard_router.errors import MoveCommitted, MoveRefused
from shard_router.fleet import Fleet, FleetSettings
from shard_router.founding import ConfiguredShard
from shard_router.moves.digest import GroupCopy, VerifyRequest
from shard_router.moves.moves import Moves
from shard_router.moves.record import MovePhase, MoveRecord, MoveRequest, ToSpace
from shard_router.moves.redis_store import RedisMoveStore
from shard_router.reconnecting import ReconnectSettings
from shard_router.router import Router
from shard_router.shard_link import LinkSettings
from shard_router.shard_map import ShardInfo
from tests.contract.rows import entity, fact, new_uuid, random_vector
from tests.engines import RedisServer
from tests.eventually import eventually

DIMENSION = 16
FIRST_ROWS = 300
MOVE_S_MAX = 200.0
QUICK = LinkSettings(reconnect=ReconnectSettings(Backoff(first_s=0.05, pause_s_max=0.3)))

pytestmark = pytest.mark.timeout(300)


def soon() -> Deadline:
    return Deadline.after(MOVE_S_MAX)


@dataclass(slots=True)
class World:
    fleet: Fleet
    router: Router
    moves: Moves
    writer: GraphWriter
    group_id: str
    generator: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))
    acked: set[str] = field(default_factory=set[str])
    """uuids of entities."""
    doomed: set[str] = field(default_factory=set[str])
    """Those whose deletion was sent."""
    deleted: set[str] = field(default_factory=set[str])
    """Those whose deletion was answered."""

    async def write(self, *rows: AnyRow, deletions: Sequence[tuple[Kind, str]] = ()) -> None:
        op_id = secrets.token_hex(8)
        intent = WriteIntent(
            group_id=self.group_id,
            op_id=op_id,
            content_hash=op_id,
            changes=tuple(RowChange(row) for row in rows),
            deletions=tuple(deletions),
            allow_missing=True,
            embedding_model="test",
        )
        await self.writer.write(intent, soon())

    def entities(self, count: int) -> list[AnyRow]:
        return [
            entity(f"person {n}", embedding=random_vector(self.generator, DIMENSION)) for n in range(count)
        ]

    async def write_on(self, seed: int) -> None:
        """Until it is cancelled: entities with facts between them, and deletions."""
        rng = Random(seed)
        mine: list[str] = []
        while True:
            one, other = self.entities(2)
            link = fact(one.uuid, other.uuid, "knows", embedding=random_vector(self.generator, DIMENSION))
            await self.write(one, other, link)
            self.acked |= {one.uuid, other.uuid}
            mine += [one.uuid, other.uuid]
            if rng.random() < 0.3:
                gone = mine.pop(rng.randrange(len(mine)))
                self.doomed.add(gone)
                await self.write(deletions=[(Kind.ENTITY, gone)])
                self.deleted.add(gone)
            # The group is not to outgrow the time of a test: its moves to Neo4j take as long as it is large.
            await asyncio.sleep(0.03)

    async def moved(self, to_shard: str, to_space: ToSpace, window_s: float = 0.0) -> MoveRecord:
        request = MoveRequest(self.group_id, to_shard, to_space, window_s, request_id=new_uuid())
        record = await self.moves.begin(request, soon())
        assert (await self.moves.begin(request, soon())).move_id == record.move_id
        return await self.followed(record, MovePhase.REVERSIBLE if window_s else MovePhase.DONE)

    async def followed(self, record: MoveRecord, to: MovePhase) -> MoveRecord:
        while True:
            found = await self.moves.get(record.move_id, soon())
            assert found is not None
            if found.phase is to or found.ended:
                assert found.phase is to, found
                return found
            await asyncio.sleep(0.02)

    async def uuids(self) -> set[str]:
        """Of the entities at the owner."""
        shard_id, fence = await self.router.describe_group(self.group_id, soon())
        ref = GroupRef(self.group_id, fence.space)
        found: list[str] = []
        while True:
            query = ListQuery(Kind.ENTITY, 500, after=ListCursor(found[-1]) if found else None)
            read = await self.fleet.on_shard(
                shard_id, soon(), lambda driver, query=query: driver.list_rows(ref, query, soon())
            )
            found += [row.uuid for row in read.rows]
            if len(read.rows) < 500:
                return set(found)


@dataclass(frozen=True, slots=True)
class Gateway:
    fleet: Fleet
    router: Router
    moves: Moves


@pytest.fixture(scope="module")
async def gateway(
    tmp_path_factory: pytest.TempPathFactory,
    neo4j_installed: None,
    redis_server: RedisServer,
) -> AsyncGenerator[Gateway]:
    """Two FalkorDB shards of their own, so that no other test's groups are there, and a Neo4j shard."""
    processes = [FalkorDBProcess(tmp_path_factory.mktemp(f"falkordb-{name}")) for name in "ab"]
    neo4j = Neo4jProcess(tmp_path_factory.mktemp("neo4j-n"), find_neo4j_lib(), short_lived=True)
    await asyncio.gather(neo4j.start(), *(process.start() for process in processes))
    drivers: list[ShardDriver] = [
        *(
            FalkorDBDriver(name, FalkorDBSettings(process.url))
            for name, process in zip(("fa", "fb"), processes, strict=True)
        ),
        Neo4jDriver("n", Neo4jSettings(neo4j.url)),
    ]
    catalog = Catalog(redis_server.url, CatalogSettings(f"test-{secrets.token_hex(6)}", call_timeout_s=10))
    shards = [ConfiguredShard(ShardInfo(driver.shard_id, driver.engine), driver) for driver in drivers]
    fleet = Fleet(shards, catalog, FleetSettings(pool_graphs=2, link=QUICK), rng=Random(1))
    router = Router(fleet, catalog)
    moves = Moves(fleet, router, RedisMoveStore(catalog), secrets.token_hex(4))
    await fleet.start()
    await fleet.answered(soon())
    await eventually(lambda: fleet.map.version > 0)
    await moves.start()
    yield Gateway(fleet, router, moves)
    await moves.close()
    await router.close()
    await fleet.close()
    await catalog.close()
    await asyncio.gather(neo4j.stop(), *(process.stop() for process in processes))


@pytest.fixture
async def world(gateway: Gateway) -> World:
    """A group of FIRST_ROWS entities at the shard fa."""
    writer = GraphWriter(gateway.router, NoneEmbedder())
    world = World(gateway.fleet, gateway.router, gateway.moves, writer, f"g-{secrets.token_hex(4)}")
    for _ in range(FIRST_ROWS // 50):
        rows = world.entities(50)
        await world.write(*rows)
        world.acked |= {row.uuid for row in rows}
    shard_id, _ = await world.router.describe_group(world.group_id, soon())
    if shard_id != "fa":
        await world.moved("fa", ToSpace.KEEP)
    return world


@asynccontextmanager
async def writing(world: World, writers: int = 2) -> AsyncGenerator[None]:
    tasks = [asyncio.create_task(world.write_on(seed)) for seed in range(writers)]
    try:
        yield
        assert not any(task.done() for task in tasks), [task for task in tasks if task.done()]
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    failed = [error for error in ended if not isinstance(error, asyncio.CancelledError)]
    assert not failed, failed


async def is_whole(world: World) -> None:
    """Every write that was answered is there. A write that was cut off may be, too."""
    there = await world.uuids()
    assert world.acked - world.doomed <= there
    assert not there & world.deleted


async def test_a_group_moves_between_falkordb_shards_and_spaces_under_writers(world: World) -> None:
    async with writing(world):
        for to_shard, to_space, space in (
            ("fb", ToSpace.KEEP, POOLED),
            ("fb", ToSpace.OWN, world.group_id),
            ("fa", ToSpace.KEEP, world.group_id),
            ("fa", ToSpace.POOLED, POOLED),
        ):
            record = await world.moved(to_shard, to_space)
            assert record.committed
            shard_id, fence = await world.router.describe_group(world.group_id, soon())
            assert (shard_id, fence.space) == (to_shard, space)
    await is_whole(world)
    with pytest.raises(MoveRefused):
        await world.moves.begin(MoveRequest(world.group_id, "fa"), soon())


async def test_a_move_is_taken_back_by_what_is_newer(world: World) -> None:
    async with writing(world):
        there = await world.moved("fb", ToSpace.KEEP, window_s=600.0)
        with pytest.raises(MoveCommitted):
            await world.moves.cancel(there.move_id, soon())
        back = await world.moves.reverse(there.move_id, soon())
        ended = await world.followed(back, MovePhase.REVERSIBLE)
        assert ended.rows_copied < there.rows_copied
        assert (await world.moves.finish(back.move_id, soon())).committed
        await world.followed(back, MovePhase.DONE)
        await world.followed(there, MovePhase.DONE)
    await is_whole(world)


async def test_a_group_moves_between_engines_under_writers(world: World) -> None:
    async with writing(world):
        for to_shard in ("n", "fb", "n"):
            record = await world.moved(to_shard, ToSpace.KEEP)
            assert record.committed
    await is_whole(world)
    with pytest.raises(MoveRefused):
        await world.moves.begin(MoveRequest(world.group_id, "n", ToSpace.OWN), soon())


async def test_a_copy_at_another_engine_is_found_equal(world: World) -> None:
    """In the reverse window, when nobody writes."""
    record = await world.moved("n", ToSpace.KEEP, window_s=600.0)
    request = VerifyRequest(GroupCopy("fa", world.group_id), GroupCopy("n", world.group_id), as_copy=True)
    report = await world.moves.verify(request, soon())
    assert report.equal, report
    assert report.left_rows >= FIRST_ROWS

    (row,) = world.entities(1)
    await world.write(row)
    report = await world.moves.verify(request, soon())
    assert [difference.key for difference in report.extra if difference.section is Kind.ENTITY] == [row.uuid]
    assert not report.missing_total
    assert not report.different_total
    await world.moves.finish(record.move_id, soon())
    await world.followed(record, MovePhase.DONE)

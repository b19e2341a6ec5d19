"""Shards that come and go under two running gateways, over real gRPC and real engines."""

import json
import secrets
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from redis.asyncio import Redis

from gateway.embedded import FalkorDBProcess, Neo4jProcess, find_neo4j_lib
from gateway.embedded.fleet import EmbeddedFleet
from gateway.loopback.client import GatewayClient
from gateway.server import GatewayServer
from graphgate.v1 import admin_service_pb2 as admin
from graphgate.v1 import catalog_pb2, graph_pb2, shard_pb2
from graphgate.v1 import graph_service_pb2 as graph
from graphgate.v1.search_service_pb2 import SHARD_ENGINE_FALKORDB, SHARD_ENGINE_NEO4J, ShardEngine
from tests.eventually import eventually
from tests.fakes.hashing_embedder import HashingEmbedder
from tests.integration.gateway.calls import refused
from tests.integration.gateway.conftest import settings_for
from tests.unit.gateway.cli.command import graphgate

GROUPS_MAX = 400
WAIT_S = 120.0


@dataclass(frozen=True, slots=True)
class World:
    fleet: EmbeddedFleet
    gateways: list[GatewayServer]
    clients: list[GatewayClient]

    @property
    def first(self) -> GatewayClient:
        return self.clients[0]

    @property
    def second(self) -> GatewayClient:
        return self.clients[1]

    async def add(
        self, shard: str, engine: ShardEngine, url: str, weight: float = 1.0
    ) -> shard_pb2.AddShardResponse:
        return await self.first.admin.AddShard(
            shard_pb2.AddShardRequest(
                shard=shard, engine=engine, url=url, weight=weight, requested_by="test"
            ),
            timeout=WAIT_S,
        )

    async def reached(self, client: GatewayClient, shard: str) -> bool:
        listed = await client.admin.ListShards(admin.ListShardsRequest())
        return any(one.shard == shard and one.reachable for one in listed.shards)

    async def state(self, client: GatewayClient, shard: str) -> str:
        listed = await client.admin.ListShards(admin.ListShardsRequest())
        return next(admin.ShardState.Name(one.state) for one in listed.shards if one.shard == shard)

    async def described(self, shard: str) -> admin.DescribeShardResponse:
        return await self.first.admin.DescribeShard(admin.DescribeShardRequest(shard=shard))

    async def drained(self, shard: str) -> bool:
        found = await self.described(shard)
        usage = found.usage
        left = usage.groups + usage.arriving + usage.reverse_windows
        return found.HasField("usage") and left == 0 and not found.root.member

    async def check(self) -> catalog_pb2.CatalogReport:
        answer = await self.first.admin.CheckCatalog(catalog_pb2.CheckCatalogRequest(), timeout=WAIT_S)
        return answer.report


async def write(client: GatewayClient, group_id: str, name: str = "First") -> str:
    """The shard where the group is."""
    await client.graph.WriteGraph(
        graph.WriteGraphRequest(group_id=group_id, entities=[graph_pb2.Entity(name=name)])
    )
    return await shard_of(client, group_id)


async def shard_of(client: GatewayClient, group_id: str) -> str:
    return (await client.graph.GetGroup(graph.GetGroupRequest(group_id=group_id))).group.shard


async def group_on(client: GatewayClient, shard: str) -> str:
    for _ in range(GROUPS_MAX):
        group_id = f"group-{secrets.token_hex(6)}"
        if await write(client, group_id) == shard:
            return group_id
    raise AssertionError(f"no group of {GROUPS_MAX} was placed on {shard}")


@asynccontextmanager
async def running_gateways(fleet: EmbeddedFleet) -> AsyncGenerator[World]:
    async with AsyncExitStack() as stack:
        gateways: list[GatewayServer] = []
        clients: list[GatewayClient] = []
        for _ in range(2):
            gateway = GatewayServer(settings_for(fleet), HashingEmbedder())
            stack.push_async_callback(gateway.stop, 0)
            await gateway.start()
            client = await stack.enter_async_context(GatewayClient(gateway.address))
            await client.until_all_shards_answer(timeout_s=120)
            gateways.append(gateway)
            clients.append(client)
        yield World(fleet, gateways, clients)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncGenerator[World]:
    async with (
        EmbeddedFleet(tmp_path / "fleet", falkordb_shards=2) as fleet,
        running_gateways(fleet) as world,
    ):
        yield world


@pytest.fixture
async def blank_falkordb(tmp_path: Path) -> AsyncGenerator[FalkorDBProcess]:
    process = FalkorDBProcess(tmp_path / "blank")
    await process.start()
    yield process
    await process.stop()


async def test_a_falkordb_and_a_neo4j_join_running_gateways(
    world: World, blank_falkordb: FalkorDBProcess, neo4j_installed: None, tmp_path: Path
) -> None:
    """Both gateways open links without a restart and place, read and search groups there; adding again is
    harmless; the password is a name; the history has it."""
    neo4j = Neo4jProcess(tmp_path / "neo4j", find_neo4j_lib(), short_lived=True)
    await neo4j.start()
    try:
        added = await world.add("late-f", SHARD_ENGINE_FALKORDB, blank_falkordb.url)
        assert not added.joined_before
        await world.add("late-n", SHARD_ENGINE_NEO4J, neo4j.url, weight=2)
        for shard in ("late-f", "late-n"):
            await eventually(lambda shard=shard: world.reached(world.second, shard), WAIT_S)
            group_id = await group_on(world.second, shard)
            assert await shard_of(world.first, group_id) == shard
        again = await world.add("late-f", SHARD_ENGINE_FALKORDB, blank_falkordb.url)
        assert again.joined_before

        taken = await refused(world.add("late-f", SHARD_ENGINE_FALKORDB, "redis://127.0.0.1:1/0"))
        assert (taken.code, taken.reason) == (grpc.StatusCode.ALREADY_EXISTS, "SHARD_EXISTS")
        other = await refused(world.add("other", SHARD_ENGINE_FALKORDB, blank_falkordb.url))
        assert other.reason == "WRONG_SHARD"
        nameless = world.first.admin.AddShard(
            shard_pb2.AddShardRequest(
                shard="x", engine=SHARD_ENGINE_FALKORDB, url="redis://127.0.0.1:1/0", credentials="nobody"
            )
        )
        assert (await refused(nameless)).reason == "CREDENTIALS_UNKNOWN"
        history = await world.second.admin.ListShardHistory(shard_pb2.ListShardHistoryRequest())
        assert [(e.action, e.shard, e.requested_by) for e in history.entries] == [
            ("ADD", "late-f", "test"),
            ("ADD", "late-n", "test"),
            ("ADD", "late-f", "test"),
        ]
        assert not [found for found in (await world.check()).findings if found.grave]
    finally:
        await neo4j.stop()


async def test_a_shard_is_drained_and_removed_under_both_gateways(
    world: World, blank_falkordb: FalkorDBProcess
) -> None:
    """A change for another version of the map is refused; a drain moves every group away with its rows; the
    removed shard is gone at both gateways, and its id for ever."""
    await world.add("late", SHARD_ENGINE_FALKORDB, blank_falkordb.url, weight=3)
    await eventually(lambda: world.reached(world.second, "late"), WAIT_S)
    groups = [await group_on(world.second, "late") for _ in range(5)]
    owned = await refused(world.first.admin.RemoveShard(shard_pb2.RemoveShardRequest(shard="late")))
    assert owned.reason == "SHARD_STATE_REFUSED"
    stale = shard_pb2.UpdateShardRequest(shard="late", weight=2, if_map_version=1)
    assert (await refused(world.first.admin.UpdateShard(stale))).reason == "SHARD_MAP_CHANGED"

    await world.first.admin.DrainShard(shard_pb2.DrainShardRequest(shard="late", requested_by="test"))
    await eventually(lambda: world.drained("late"), WAIT_S)
    for group_id in groups:
        assert await shard_of(world.second, group_id) != "late"
        rows = await world.second.graph.ListEntities(graph.ListEntitiesRequest(group_id=group_id))
        assert [row.name for row in rows.entities] == ["First"]
    await world.first.admin.RemoveShard(shard_pb2.RemoveShardRequest(shard="late"), timeout=WAIT_S)

    async def gone() -> bool:
        return await world.state(world.second, "late") == "SHARD_STATE_REMOVED"

    await eventually(gone)
    for group_id in groups:
        await write(world.second, group_id, "Second")
    back = await refused(world.add("late", SHARD_ENGINE_FALKORDB, blank_falkordb.url))
    assert back.reason == "SHARD_EXISTS"
    renamed = await refused(world.add("late-2", SHARD_ENGINE_FALKORDB, blank_falkordb.url))
    assert renamed.reason == "WRONG_SHARD"
    report = await world.check()
    assert not [found for found in report.findings if found.grave], report


async def test_a_founding_shard_leaves_and_a_wiped_catalog_is_rebuilt(
    world: World, blank_falkordb: FalkorDBProcess, tmp_path: Path
) -> None:
    """The root change releases a root member: every group is found through the new homes, with an empty
    catalog, too, and no group gets a second owner."""
    await world.add("late", SHARD_ENGINE_FALKORDB, blank_falkordb.url)
    await eventually(lambda: world.reached(world.second, "late"), WAIT_S)
    groups = [f"tenant-{n}" for n in range(60)]
    for group_id in groups:
        await write(world.first, group_id)
    leaving = world.fleet.shards[0].id
    assert (await world.described(leaving)).root.member
    await world.first.admin.DrainShard(shard_pb2.DrainShardRequest(shard=leaving))
    for group_id in (f"meanwhile-{n}" for n in range(20)):
        groups.append(group_id)
        await eventually(lambda group_id=group_id: written(world.second, group_id), WAIT_S)
    await eventually(lambda: world.drained(leaving), WAIT_S)
    await world.first.admin.RemoveShard(shard_pb2.RemoveShardRequest(shard=leaving), timeout=WAIT_S)

    async with Redis.from_url(world.fleet.catalog_url) as redis:
        async for key in redis.scan_iter("graphgate:group:*"):
            await redis.delete(key)
    report = await world.check()
    assert report.groups == len(groups)
    assert {count.kind for count in report.counts} == {"RECORD_MISSING"}, report
    asked = ("catalog", "rebuild", "--address", address(world))
    dry = await graphgate(*asked, "--dry-run", "--json", home=tmp_path)
    assert (dry.code, json.loads(dry.out)["written"]) == (0, len(groups)), dry.err
    rebuilt = await graphgate(*asked, home=tmp_path)
    assert rebuilt.code == 0, rebuilt.err
    assert f"{len(groups)} records written" in rebuilt.out
    assert not (await world.check()).counts
    for client in world.clients:
        for group_id in groups:
            assert await shard_of(client, group_id) != leaving
    shown = await graphgate("shards", "list", "--json", "--address", address(world), home=tmp_path)
    states = {shard["shard"]: shard["state"] for shard in json.loads(shown.out)["shards"]}
    assert states[leaving] == "REMOVED"


async def written(client: GatewayClient, group_id: str) -> bool:
    """Creation waits while the root ring changes: the caller is told to come again."""
    try:
        await write(client, group_id)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return False
    return True


def address(world: World) -> str:
    return world.gateways[0].address

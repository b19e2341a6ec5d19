"""A gateway over two FalkorDB shards and a Neo4j shard, each behind a proxy, with all that a test may do to
them."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from drivers.deadline import Deadline
from gateway import routed_fleet
from gateway.embedded import FalkorDBProcess, RedisProcess, find_neo4j_lib
from gateway.embedded.process import EngineProcess
from gateway.embedding.errors import EmbedderTimeout
from gateway.embedding.port import Vector
from gateway.rpc import call
from gateway.server import GatewayServer
from gateway.settings.fleet import CatalogSettings, ShardSettings
from gateway.settings.service import GrpcSettings, MetricsSettings
from gateway.settings.tree import Settings
from graphgate.v1 import (
    admin_service_pb2,
    graph_pb2,
    graph_service_pb2,
    search_service_pb2,
)
from shard_router.backoff import Backoff
from shard_router.fleet import ShardStatus
from shard_router.reconnecting import ReconnectSettings
from shard_router.shard_link import LinkSettings
from tests.eventually import eventually
from tests.fakes.hashing_embedder import HashingEmbedder
from tests.fault_proxy import FaultProxy, proxy_to
from tests.integration.faults.engines import TunedNeo4j, beside
from tests.integration.gateway.calls import Refusal, refused
from tests.integration.gateway.conftest import Client
from tests.integration.gateway.leaks import leaks_in

CALL_S = 1.0
"""Deadline of calls that are expected to fail."""
PATIENT_S = 30.0
"""Deadline of calls that are expected to succeed."""
FALKORDB = "falkordb-0"
NEIGHBOUR = "falkordb-1"
NEO4J = "neo4j-0"

QUICK = LinkSettings(
    check_timeout_s=1.0,
    check_interval_s=0.5,
    early_check_s_min=0.1,
    reconnect=ReconnectSettings(Backoff(first_s=0.05, pause_s_max=0.4), due_s_max=0.05, ping_s_first=0.3),
)
NEO4J_TUNING = ("db.memory.transaction.max=24m",)


class Fleet:
    """The engines and what leads to them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.falkordb = FalkorDBProcess(directory / FALKORDB)
        self.neighbour = FalkorDBProcess(directory / NEIGHBOUR)
        self.neo4j = TunedNeo4j(directory / NEO4J, find_neo4j_lib())
        self.neo4j.tuning.extend(NEO4J_TUNING)
        self.catalog = RedisProcess(directory / "catalog")
        self.proxies: dict[str, FaultProxy] = {}

    @property
    def processes(self) -> dict[str, EngineProcess]:
        return {FALKORDB: self.falkordb, NEIGHBOUR: self.neighbour, NEO4J: self.neo4j}

    async def start(self) -> None:
        await asyncio.gather(*(process.start() for process in (*self.processes.values(), self.catalog)))
        for shard_id, process in self.processes.items():
            self.proxies[shard_id] = FaultProxy(process.url)
            await self.proxies[shard_id].listen()

    async def stop(self) -> None:
        for proxy in self.proxies.values():
            await proxy.refuse()
        await asyncio.gather(*(process.stop() for process in (*self.processes.values(), self.catalog)))

    async def catalog_calls(self) -> int:
        """Commands that the catalog has run."""
        async with beside(self.catalog) as client:
            return (await client.info("stats"))["total_commands_processed"]

    def settings(self, prefix: str = "graphgate") -> Settings:
        return Settings(
            grpc=GrpcSettings(port=0),
            metrics=MetricsSettings(port=0),
            shards=tuple(
                ShardSettings.model_validate(
                    {"id": shard_id, "engine": shard_id.partition("-")[0], "url": proxy.url}
                )
                for shard_id, proxy in self.proxies.items()
            ),
            catalog=CatalogSettings(url=self.catalog.url, prefix=prefix),
            pool_graphs=2,
        )


class World:
    """A gateway over the fleet and its client."""

    def __init__(
        self, fleet: Fleet, gateway: GatewayServer, client: Client, embedder: "HeldEmbedder"
    ) -> None:
        self.fleet = fleet
        self.gateway = gateway
        self.client = client
        self.embedder = embedder
        self._groups: dict[str, list[str]] = {}

    def proxy(self, shard_id: str) -> FaultProxy:
        return self.fleet.proxies[shard_id]

    async def new_group(self, shard_id: str) -> str:
        """A group that lives at this shard, with one entity."""
        while not self._groups.get(shard_id):
            group_id = f"group-{secrets.token_hex(6)}"
            await self.write(group_id, "first")
            asked = graph_service_pb2.GetGroupRequest(group_id=group_id)
            found = (await self.client.graph.GetGroup(asked, timeout=PATIENT_S)).group.shard
            self._groups.setdefault(found, []).append(group_id)
        return self._groups[shard_id].pop()

    async def write(
        self, group_id: str, *names: str, timeout: float = PATIENT_S, request_id: str = "", uuid: str = ""
    ) -> graph_service_pb2.WriteGraphResponse:
        entities = [graph_pb2.Entity(uuid=uuid, name=name) for name in names]
        return await self.client.graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(group_id=group_id, entities=entities, request_id=request_id),
            timeout=timeout,
        )

    async def names(self, group_id: str, timeout: float = PATIENT_S) -> list[str]:
        listed = await self.client.graph.ListEntities(
            graph_service_pb2.ListEntitiesRequest(group_id=group_id, page_size=500), timeout=timeout
        )
        return sorted(entity.name for entity in listed.entities)

    async def search(self, *group_ids: str, timeout: float = PATIENT_S) -> search_service_pb2.SearchResponse:
        """Of entities, by vectors only."""
        spec = search_service_pb2.ResultSpec(
            kind=graph_pb2.ROW_KIND_ENTITY,
            limit=10,
            methods=[search_service_pb2.MethodWeight(method="SEARCH_METHOD_SEMANTIC", weight=1)],
        )
        groups = search_service_pb2.GroupList(group_ids=group_ids)
        request = search_service_pb2.SearchRequest(groups=groups, query="first", results=[spec])
        return await self.client.search.Search(request, timeout=timeout)

    def links(self) -> dict[str, ShardStatus]:
        """As the gateway sees its shards from inside: what no RPC tells."""
        statuses = self.gateway._routed.fleet.status()  # pyright: ignore[reportPrivateUsage]
        return {status.info.shard_id: status for status in statuses}

    def new_group_id_homed_at(self, shard_id: str) -> str:
        """Of a group that does not exist, whose register is that shard."""
        fleet = self.gateway._routed.fleet  # pyright: ignore[reportPrivateUsage]
        candidates = (f"group-{secrets.token_hex(6)}" for _ in range(1_000))
        return next(group_id for group_id in candidates if fleet.home_of(group_id) == shard_id)

    async def shards(self) -> dict[str, admin_service_pb2.Shard]:
        answer = await self.client.admin.ListShards(admin_service_pb2.ListShardsRequest(), timeout=PATIENT_S)
        return {shard.shard: shard for shard in answer.shards}

    async def all_well(self) -> bool:
        return all(shard.reachable and not shard.problem for shard in (await self.shards()).values())

    async def until_problem(self, shard_id: str, text: str) -> None:
        async def seen() -> bool:
            return text in (await self.shards())[shard_id].problem

        await eventually(seen)


class HeldEmbedder(HashingEmbedder):
    """Waits while it is held, as a slow model would; cancelled like one at the caller's deadline."""

    def __init__(self) -> None:
        super().__init__()
        self.released = asyncio.Event()
        self.released.set()
        self.waiting = 0

    async def embed(self, texts: Sequence[str], *, deadline: float) -> list[Vector]:
        self.waiting += 1
        try:
            async with asyncio.timeout(Deadline(deadline).remaining_s()):
                await self.released.wait()
        except TimeoutError as error:
            raise EmbedderTimeout("hashing", len(texts)) from error
        finally:
            self.waiting -= 1
        return await super().embed(texts, deadline=deadline)


@asynccontextmanager
async def gateway_over(
    settings: Settings, embedder: HeldEmbedder, link: LinkSettings = QUICK
) -> AsyncGenerator[GatewayServer]:
    """In this process, with checks and reconnects ten times as often as is usual, unless `link` says else. It
    keeps more of a caller's time for its answer, so that on a busy machine the caller's own clock is not
    faster."""
    with pytest.MonkeyPatch.context() as patch:
        made = routed_fleet.fleet_settings(settings)
        patch.setattr(routed_fleet, "fleet_settings", lambda _: replace(made, link=link))
        patch.setattr(call, "REPLY_RESERVE_S", CALL_S / 10)
        server = GatewayServer(settings, embedder)
        try:
            await server.start()
            yield server
        finally:
            await server.stop(0)


@asynccontextmanager
async def client_of(gateway: GatewayServer) -> AsyncGenerator[Client]:
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        yield Client.over(channel)


@asynccontextmanager
async def world_with(link: LinkSettings, fleet: Fleet) -> AsyncGenerator[World]:
    """Another gateway over the fleet behind proxies of its own, with the checks and reconnects that the test
    needs."""
    embedder, behind = HeldEmbedder(), copy(fleet)
    async with AsyncExitStack() as stack:
        behind.proxies = {
            shard_id: await stack.enter_async_context(proxy_to(process.url))
            for shard_id, process in fleet.processes.items()
        }
        gateway = await stack.enter_async_context(gateway_over(behind.settings(), embedder, link))
        client = await stack.enter_async_context(client_of(gateway))
        yield World(behind, gateway, client, embedder)


async def shard_refusal(attempt: Awaitable[object], shard_id: str) -> Refusal:
    """The refusal of a call to a shard at fault: typed, so the gateway gave it within the deadline; it names
    the shard, and when to come again if that may help."""
    refusal = await refused(attempt)
    assert refusal.metadata.get("shard") == shard_id, (refusal.code, refusal.text, refusal.metadata)
    told = " ".join((refusal.text, *refusal.metadata.values()))
    assert not leaks_in(told), told
    if refusal.code is grpc.StatusCode.UNAVAILABLE and refusal.metadata["retryable"] == "true":
        assert refusal.retry_delay_s, refusal.text
    return refusal

"""A gateway over a mixed fleet of real engines, called over real gRPC."""

import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2_grpc

from gateway.embedded.fleet import EmbeddedFleet
from gateway.loopback.client import GatewayClient
from gateway.server import GatewayServer
from gateway.settings.fleet import CatalogSettings, ShardSettings
from gateway.settings.service import GrpcSettings, MetricsSettings
from gateway.settings.tree import Settings
from graphgate.v1 import (
    admin_service_pb2_grpc,
    graph_pb2,
    graph_service_pb2,
    graph_service_pb2_grpc,
    ingest_service_pb2_grpc,
    search_service_pb2_grpc,
)
from tests.fakes.hashing_embedder import HashingEmbedder


@dataclass(frozen=True, slots=True)
class Client:
    """The asynchronous stubs exist for the type checker only: at run time they are the plain ones."""

    channel: grpc.aio.Channel
    graph: "graph_service_pb2_grpc.GraphServiceAsyncStub"
    ingest: "ingest_service_pb2_grpc.IngestServiceAsyncStub"
    search: "search_service_pb2_grpc.SearchServiceAsyncStub"
    admin: "admin_service_pb2_grpc.AdminServiceAsyncStub"
    operations: Any
    """google.longrunning.Operations; the package has no types for its stubs."""

    @classmethod
    def over(cls, channel: grpc.aio.Channel) -> "Client":
        return cls(
            channel=channel,
            graph=graph_service_pb2_grpc.GraphServiceStub(channel),
            ingest=ingest_service_pb2_grpc.IngestServiceStub(channel),
            search=search_service_pb2_grpc.SearchServiceStub(channel),
            admin=admin_service_pb2_grpc.AdminServiceStub(channel),
            operations=operations_pb2_grpc.OperationsStub(channel),
        )


@pytest.fixture(scope="session")
async def mixed_fleet(
    tmp_path_factory: pytest.TempPathFactory, neo4j_installed: None
) -> AsyncIterator[EmbeddedFleet]:
    """Two FalkorDB shards, one Neo4j shard and the catalog."""
    async with EmbeddedFleet(tmp_path_factory.mktemp("fleet"), falkordb_shards=2, neo4j_shards=1) as fleet:
        yield fleet


def settings_for(fleet: EmbeddedFleet) -> Settings:
    return Settings(
        grpc=GrpcSettings(port=0),
        metrics=MetricsSettings(port=0),
        shards=tuple(
            ShardSettings.model_validate({"id": shard.id, "engine": shard.engine, "url": shard.url})
            for shard in fleet.shards
        ),
        catalog=CatalogSettings(url=fleet.catalog_url),
        pool_graphs=4,
    )


@pytest.fixture(scope="session")
def embedder() -> HashingEmbedder:
    return HashingEmbedder()


@pytest.fixture(scope="session")
async def gateway(mixed_fleet: EmbeddedFleet, embedder: HashingEmbedder) -> AsyncIterator[GatewayServer]:
    server = GatewayServer(settings_for(mixed_fleet), embedder)
    try:
        await server.start()
        async with GatewayClient(server.address) as client:
            await client.until_all_shards_answer(timeout_s=120)
        yield server
    finally:
        await server.stop(0)


@pytest.fixture(scope="session")
async def client(gateway: GatewayServer) -> AsyncIterator[Client]:
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        yield Client.over(channel)


@pytest.fixture
def new_group() -> Callable[[], str]:
    return lambda: f"group-{secrets.token_hex(6)}"


async def group_on(client: Client, engine: str, first: graph_pb2.Entity | None = None) -> str:
    """A new group that lives on the engine, with one entity so that it exists."""
    entity = graph_pb2.Entity(name="First") if first is None else first
    for _ in range(100):
        group_id = f"group-{secrets.token_hex(6)}"
        await client.graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(group_id=group_id, entities=[entity])
        )
        described = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group_id))
        if described.group.shard.startswith(engine.lower()):
            return group_id
    raise AssertionError(f"no group of 100 was placed on {engine}")


@pytest.fixture(params=["FALKORDB", "NEO4J"])
async def group(request: pytest.FixtureRequest, client: Client) -> str:
    """A group that lives on the engine of the parameter, with one entity so that it exists."""
    return await group_on(client, str(request.param))

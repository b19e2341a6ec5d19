"""A gateway over an embedded FalkorDB fleet, whose language model is a server that is taught its answers."""

import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from gateway.bench.model_server.server import ModelServer
from gateway.embedded.fleet import EmbeddedFleet
from gateway.server import GatewayServer
from gateway.settings.fleet import CatalogSettings, ShardSettings
from gateway.settings.service import GrpcSettings, IngestSection, LanguageModelSection, MetricsSettings
from gateway.settings.tree import Settings
from graphgate.v1 import (
    graph_service_pb2_grpc,
    ingest_service_pb2_grpc,
    search_service_pb2_grpc,
)
from tests.fakes.hashing_embedder import HashingEmbedder
from tests.integration.ingest.world import World

LEASE_S = 2.0


@pytest.fixture(scope="session")
async def ingest_fleet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedFleet]:
    """One FalkorDB shard and the catalog."""
    async with EmbeddedFleet(tmp_path_factory.mktemp("ingest"), falkordb_shards=1) as fleet:
        yield fleet


def ingest_settings(
    fleet: EmbeddedFleet, server: ModelServer, cache: Path, ingest: IngestSection | None = None
) -> Settings:
    return Settings(
        grpc=GrpcSettings(port=0),
        metrics=MetricsSettings(enabled=False),
        shards=tuple(
            ShardSettings.model_validate({"id": shard.id, "engine": shard.engine, "url": shard.url})
            for shard in fleet.shards
        ),
        catalog=CatalogSettings(url=fleet.catalog_url),
        llm=LanguageModelSection(
            model="fake-small", base_url=server.base_url, requests_per_s=None, timeout_s=5, cache_bytes_max=0
        ),
        ingest=ingest or IngestSection(lease_s=LEASE_S, pause_s_max=1.0),
        pool_graphs=4,
        cache=cache,
    )


@asynccontextmanager
async def world_of(settings: Settings, server: ModelServer) -> AsyncGenerator[World]:
    """A gateway of these settings, and a client of it."""
    gateway = GatewayServer(settings, HashingEmbedder())
    try:
        await gateway.start()
        async with grpc.aio.insecure_channel(gateway.address) as channel:
            yield World(
                server=server,
                channel=channel,
                ingest=ingest_service_pb2_grpc.IngestServiceStub(channel),
                graph=graph_service_pb2_grpc.GraphServiceStub(channel),
                search=search_service_pb2_grpc.SearchServiceStub(channel),
            )
    finally:
        await gateway.stop(1.0)


@pytest.fixture(scope="session")
async def shared_world(
    ingest_fleet: EmbeddedFleet, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    server = ModelServer()
    await server.start()
    settings = ingest_settings(ingest_fleet, server, tmp_path_factory.mktemp("cache"))
    async with world_of(settings, server) as world:
        yield world
    await server.stop()


@pytest.fixture
def world(shared_world: World) -> World:
    """With a model that answers properly."""
    shared_world.server.failing = None
    shared_world.server.chooses = None
    return shared_world


@pytest.fixture
def group() -> str:
    return f"ingest-{secrets.token_hex(6)}"


@pytest.fixture
def new_group() -> Callable[[], str]:
    return lambda: f"ingest-{secrets.token_hex(6)}"

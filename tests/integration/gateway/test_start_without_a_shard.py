"""A gateway starts while one of its shards is away."""

from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway import server
from gateway.embedded.ports import HOST, free_port
from gateway.settings.fleet import CatalogSettings, ShardSettings
from gateway.settings.service import GrpcSettings, MetricsSettings
from gateway.settings.tree import Settings
from shard_router import fleet
from tests.engines import FalkorDBServer, RedisServer
from tests.fakes.hashing_embedder import HashingEmbedder


async def test_a_shard_that_refuses_connections_does_not_hold_up_the_start(
    falkordb_server: FalkorDBServer, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    """One look at a shard that is away is enough: the groups of the others are served without it. A start
    that waited for it would not end here."""
    monkeypatch.setattr(fleet, "FIRST_ANSWER_S_MAX", 3_600.0)
    monkeypatch.setattr(fleet, "OTHERS_S_MAX", 0.1)
    urls = {"there": falkordb_server.url, "away": f"redis://{HOST}:{free_port()}/0"}
    settings = Settings(
        grpc=GrpcSettings(port=0),
        metrics=MetricsSettings(enabled=False),
        shards=tuple(
            ShardSettings.model_validate({"id": name, "engine": "falkordb", "url": url})
            for name, url in urls.items()
        ),
        catalog=CatalogSettings(url=redis_server.url, prefix="start-without-a-shard"),
    )
    gateway = server.GatewayServer(settings, HashingEmbedder())
    try:
        await gateway.start()
        async with grpc.aio.insecure_channel(gateway.address) as channel:
            # The package has no types for its stub.
            stub: Any = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    finally:
        await gateway.stop(0)

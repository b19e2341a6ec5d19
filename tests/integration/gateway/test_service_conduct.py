"""What clients and operators expect of any gRPC service: health, reflection, limits, schema."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from drivers.falkordb.write import WEIGHT_MAX
from gateway.rpc.reflection import V1_NAME
from gateway.server import SERVICES, GatewayServer
from gateway.settings.service import GrpcSettings
from graphgate.v1 import admin_service_pb2, admin_service_pb2_grpc
from tests.integration.gateway.conftest import Client


async def test_every_service_is_healthy(client: Client) -> None:
    """Health is told overall and per service."""
    health: Any = health_pb2_grpc.HealthStub(client.channel)
    for service in ("", *SERVICES):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING, service


@pytest.mark.parametrize("service", ["grpc.reflection.v1alpha.ServerReflection", V1_NAME])
async def test_reflection_shows_the_api_without_files(client: Client, service: str) -> None:
    """Both versions of reflection list the services and give their descriptors."""
    call = client.channel.stream_stream(
        f"/{service}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )

    async def requests():
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        yield reflection_pb2.ServerReflectionRequest(file_containing_symbol="graphgate.v1.SearchService")

    answers = [answer async for answer in call(requests())]
    names = {found.name for found in answers[0].list_services_response.service}
    assert set(SERVICES) <= names
    assert answers[1].file_descriptor_response.file_descriptor_proto


async def test_shards_are_listed_with_their_health(client: Client) -> None:
    """An operator sees every shard, its engine, whether it is reached, and what a write to it may weigh."""
    answer = await client.admin.ListShards(admin_service_pb2.ListShardsRequest())
    assert [shard.shard for shard in answer.shards] == ["falkordb-0", "falkordb-1", "neo4j-0"]
    assert all(shard.reachable and not shard.problem for shard in answer.shards)
    assert [shard.limits.write_weight_max for shard in answer.shards] == [WEIGHT_MAX, WEIGHT_MAX, 0]
    assert answer.fleet
    assert answer.catalog_problem == ""


async def test_more_calls_than_one_connection_carries_wait_for_their_turn(gateway: GatewayServer) -> None:
    """A client that keeps to the limit of calls per connection, as gRPC libraries do by themselves, has none
    of them reset, on a new connection and on one in use."""
    calls = 2 * GrpcSettings().concurrent_streams_max + 1
    own_connection = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.insecure_channel(gateway.address, options=own_connection) as channel:
        stub: admin_service_pb2_grpc.AdminServiceAsyncStub = admin_service_pb2_grpc.AdminServiceStub(channel)
        for _ in range(2):
            request = admin_service_pb2.ListShardsRequest()
            answers = await asyncio.gather(*(stub.ListShards(request) for _ in range(calls)))
            assert len(answers) == calls


async def test_schema_can_be_described_ensured_and_dropped(client: Client) -> None:
    """E1 by admin call: what is missing after a drop is there after ensure, on both engines."""
    for shard in ("falkordb-1", "neo4j-0"):
        described = await client.admin.DescribeSchema(admin_service_pb2.DescribeSchemaRequest(shard=shard))
        (schema,) = described.schemas
        assert schema.ready, schema
        dropped = await client.admin.DropSchema(admin_service_pb2.DropSchemaRequest(shard=shard))
        assert not dropped.schema.ready
        assert admin_service_pb2.SCHEMA_STATE_MISSING in {item.state for item in dropped.schema.items}
        ensured = await client.admin.EnsureSchema(admin_service_pb2.EnsureSchemaRequest(shard=shard))
        assert ensured.schemas[0].ready


async def test_metrics_count_calls_by_method_and_shard(client: Client, gateway: GatewayServer) -> None:
    """Prometheus sees each method with its code and each shard call with its outcome."""
    await client.admin.ListShards(admin_service_pb2.ListShardsRequest())
    address = gateway.telemetry.metrics_address
    assert address is not None
    text = await _http_get(address, "/metrics")
    assert 'grpc_method="ListShards"' in text
    assert "graphgate_shard_calls_total{" in text


async def _http_get(address: str, path: str) -> str:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    body = await reader.read()
    writer.close()
    await writer.wait_closed()
    return body.decode()

"""`graphgate status` against a gateway whose answers are known."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from gateway.cli.status import GROUPS_COUNTED_MAX, SERVICES
from graphgate.v1 import admin_service_pb2 as admin
from graphgate.v1 import graph_service_pb2 as graph
from graphgate.v1.graph_pb2 import Group
from graphgate.v1.search_service_pb2 import SHARD_ENGINE_FALKORDB, SHARD_ENGINE_NEO4J
from tests.unit.gateway.cli.command import graphgate

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def shards(*, neo4j_reachable: bool, neo4j_removed: bool) -> admin.ListShardsResponse:
    first = admin.Shard(
        shard="a",
        engine=SHARD_ENGINE_FALKORDB,
        weight=1.5,
        zone="z1",
        state=admin.SHARD_STATE_ACTIVE,
        reachable=True,
    )
    second = admin.Shard(
        shard="b",
        engine=SHARD_ENGINE_NEO4J,
        weight=1,
        state=admin.SHARD_STATE_REMOVED if neo4j_removed else admin.SHARD_STATE_CORDONED,
        reachable=neo4j_reachable,
        problem="" if neo4j_reachable or neo4j_removed else "refused",
    )
    return admin.ListShardsResponse(fleet="f1", map_version=7, shards=[first, second])


def page(request: graph.ListGroupsRequest, groups: int) -> graph.ListGroupsResponse:
    assert request.return_partial_success
    return graph.ListGroupsResponse(
        groups=[Group(group_id=f"g{number}") for number in range(min(groups, request.page_size))],
        next_page_token="more" if groups > request.page_size else "",
    )


class Gateway:
    """The services that status asks, on a free port."""

    def __init__(self, *, neo4j_reachable: bool = True, neo4j_removed: bool = False, groups: int = 3) -> None:
        async def list_shards(request: admin.ListShardsRequest, context: object) -> admin.ListShardsResponse:
            return shards(neo4j_reachable=neo4j_reachable, neo4j_removed=neo4j_removed)

        async def list_groups(request: graph.ListGroupsRequest, context: object) -> graph.ListGroupsResponse:
            return page(request, groups)

        self.health = HealthServicer()
        self.server = grpc.aio.server()
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self.server)
        answered(self.server, "AdminService/ListShards", list_shards, admin.ListShardsRequest)
        answered(self.server, "GraphService/ListGroups", list_groups, graph.ListGroupsRequest)
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"

    async def start(self) -> None:
        for service in ("", *SERVICES):
            await self.health.set(service, SERVING)
        await self.server.start()


def answered(server: grpc.aio.Server, method: str, answer: Any, request_type: type[Message]) -> None:
    """Adds one method of a service; the others stay unknown."""
    service, _, name = method.partition("/")
    handler = grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=request_type.FromString,
        response_serializer=serialized,
    )
    handlers = grpc.method_handlers_generic_handler(f"graphgate.v1.{service}", {name: handler})
    server.add_generic_rpc_handlers((handlers,))


def serialized(message: Message) -> bytes:
    return message.SerializeToString()


@pytest.fixture
async def gateway(request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    gateway = Gateway(**getattr(request, "param", {}))
    await gateway.start()
    yield gateway
    await gateway.server.stop(None)


async def test_a_healthy_gateway(gateway: Gateway, tmp_path: Path) -> None:
    """Health of every service, shards with engine and state, number of groups; code 0."""
    done = await graphgate("status", "--address", gateway.address, home=tmp_path)
    assert done.code == 0, done.err
    lines = [line.split() for line in done.out.splitlines() if line]
    assert ["status", "SERVING"] in lines
    assert ["graphgate.v1.SearchService", "SERVING"] in lines
    assert ["groups", "3"] in lines
    assert ["a", "falkordb", "ACTIVE", "1.5", "z1", "yes"] in lines
    assert ["b", "neo4j", "CORDONED", "1", "-", "yes"] in lines


@pytest.mark.parametrize(
    "gateway", [{"neo4j_reachable": False, "groups": GROUPS_COUNTED_MAX + 1}], indirect=True
)
async def test_json_tells_everything(gateway: Gateway, tmp_path: Path) -> None:
    """For programs: one object; code 1 because a shard is away; a count that stopped says so."""
    await gateway.health.set("graphgate.v1.GraphService", NOT_SERVING)
    done = await graphgate("status", "--address", gateway.address, "--json", home=tmp_path)
    assert done.code == 1
    report = json.loads(done.out)
    assert report["healthy"] is False
    assert report["services"]["graphgate.v1.GraphService"] == "NOT_SERVING"
    assert (report["groups"], report["more_groups"]) == (GROUPS_COUNTED_MAX, True)
    assert (report["fleet"], report["map_version"]) == ("f1", 7)
    assert [shard["problem"] for shard in report["shards"]] == ["", "refused"]


async def test_a_service_that_does_not_serve_is_no_healthy_gateway(gateway: Gateway, tmp_path: Path) -> None:
    """Code 1 as soon as one service is down, for scripts that only look at the code."""
    await gateway.health.set("graphgate.v1.SearchService", NOT_SERVING)
    done = await graphgate("status", "--address", gateway.address, home=tmp_path)
    assert done.code == 1
    assert "NOT_SERVING" in done.out


@pytest.mark.parametrize("gateway", [{"neo4j_reachable": False, "neo4j_removed": True}], indirect=True)
async def test_a_removed_shard_is_nobodys_problem(gateway: Gateway, tmp_path: Path) -> None:
    """It is out of use, as `shards list` has it; nobody connects to it any more."""
    done = await graphgate("status", "--address", gateway.address, home=tmp_path)
    assert done.code == 0, done.out
    lines = [line.split() for line in done.out.splitlines() if line]
    assert ["b", "neo4j", "REMOVED", "1", "-", "-"] in lines


async def test_no_gateway_is_one_sentence(tmp_path: Path) -> None:
    """Code 1 and what was tried, without a traceback."""
    done = await graphgate("status", "--address", "127.0.0.1:1", "--timeout-s", "5", home=tmp_path)
    assert done.code == 1
    assert done.err.startswith("graphgate: cannot ask 127.0.0.1:1: UNAVAILABLE")
    assert "Traceback" not in done.err

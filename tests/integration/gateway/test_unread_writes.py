"""Writes that are planned without being read for, once a group has taken new rows only."""

from collections.abc import Callable

import grpc
import pytest

from gateway.server import GatewayServer
from gateway.writes.fresh_groups import STREAK_MIN
from graphgate.v1 import graph_pb2, graph_service_pb2
from tests.fakes.hashing_embedder import DIMENSION, hashed
from tests.integration.gateway.calls import new_uuid, refused
from tests.integration.gateway.conftest import Client

Code = grpc.StatusCode


def entity(name: str, uuid: str = "") -> graph_pb2.Entity:
    """With its vector: rows that have to be embedded first are always read for."""
    return graph_pb2.Entity(uuid=uuid or new_uuid(), name=name, embedding=hashed(name).tolist())


def fact(source: str, target: str) -> graph_pb2.Fact:
    text = f"{source} knows {target}"
    return graph_pb2.Fact(
        uuid=new_uuid(),
        source_uuid=source,
        target_uuid=target,
        name="KNOWS",
        fact=text,
        embedding=hashed(text).tolist(),
    )


async def write(
    client: Client, group: str, *entities: graph_pb2.Entity, facts: tuple[graph_pb2.Fact, ...] = ()
) -> graph_service_pb2.WriteGraphResponse:
    return await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(group_id=group, entities=entities, facts=facts)
    )


@pytest.fixture(params=["FALKORDB", "NEO4J"])
async def group(request: pytest.FixtureRequest, client: Client, new_group: Callable[[], str]) -> str:
    """On the engine of the parameter; so many new rows that the next write is not read for."""
    for _ in range(100):
        group_id = new_group()
        for number in range(STREAK_MIN):
            await write(client, group_id, entity(f"Row {number}"))
        described = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group_id))
        if described.group.shard.startswith(str(request.param).lower()):
            return group_id
    raise AssertionError(f"no group of 100 was placed on {request.param}")


def reads_before_writes(gateway: GatewayServer) -> int:
    calls = gateway.telemetry.shard_calls
    return sum(call.latency.summary().count for call in calls if call.labels[2] == "read_images")


async def test_new_rows_are_not_read_for(client: Client, gateway: GatewayServer, group: str) -> None:
    """Adding rows costs one call of the shard: the promise that this path exists for."""
    before = reads_before_writes(gateway)
    answer = await write(client, group, entity("New"))
    assert answer.rows[0].created
    assert reads_before_writes(gateway) == before


async def test_a_row_that_exists_is_replaced_and_not_said_to_be_new(client: Client, group: str) -> None:
    """A wrong guess changes nothing of what the write does, nor of the group's statistics."""
    ada = entity("Ada")
    await write(client, group, ada)
    ada.name = "Ada Lovelace"
    answer = await write(client, group, ada, entity("Bob"))
    assert [row.created for row in answer.rows] == [False, True]
    read = await client.graph.GetEntity(graph_service_pb2.GetEntityRequest(group_id=group, uuid=ada.uuid))
    assert read.entity.name == "Ada Lovelace"
    described = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group))
    counts = {count.kind: count.rows for count in described.group.counts}
    assert counts[graph_pb2.ROW_KIND_ENTITY] == STREAK_MIN + 2


async def test_a_missing_endpoint_is_refused(client: Client, group: str) -> None:
    """Endpoints are guessed to be there; the shard's guard finds the one that is not."""
    ada = entity("Ada")
    await write(client, group, ada)
    absent = new_uuid()
    refusal = await refused(write(client, group, facts=(fact(ada.uuid, absent),)))
    assert (refusal.code, refusal.reason) == (Code.FAILED_PRECONDITION, "ENDPOINT_MISSING")
    assert absent in refusal.text


async def test_endpoints_in_the_group_are_found(client: Client, gateway: GatewayServer, group: str) -> None:
    """Facts between stored entities are new rows too."""
    ada, bob = entity("Ada"), entity("Bob")
    await write(client, group, ada, bob)
    before = reads_before_writes(gateway)
    answer = await write(client, group, facts=(fact(ada.uuid, bob.uuid),))
    assert answer.rows[0].created
    assert reads_before_writes(gateway) == before


async def test_create_of_a_row_that_exists_is_refused(client: Client, group: str) -> None:
    """CREATE never overwrites, guessed or not."""
    ada = entity("Ada")
    await write(client, group, ada)
    again = graph_service_pb2.WriteGraphRequest(
        group_id=group, mode=graph_service_pb2.WRITE_MODE_CREATE, entities=[ada]
    )
    assert (await refused(client.graph.WriteGraph(again))).code is Code.ALREADY_EXISTS


async def test_a_retry_gets_the_first_answer(client: Client, group: str) -> None:
    """The operation record is met in the write itself."""
    request = graph_service_pb2.WriteGraphRequest(
        group_id=group, entities=[entity("Ada")], request_id=new_uuid()
    )
    first = await client.graph.WriteGraph(request)
    assert await client.graph.WriteGraph(request) == first
    request.entities[0].name = "Eve"
    assert (await refused(client.graph.WriteGraph(request))).reason == "REQUEST_ID_REUSED"


async def test_a_vector_that_does_not_fit_is_refused(client: Client, group: str) -> None:
    """The group's embedding spec is known from its last write."""
    odd = graph_pb2.Entity(name="Odd", embedding=[1.0] * (DIMENSION + 1))
    assert (await refused(write(client, group, odd))).code is Code.FAILED_PRECONDITION


async def test_overwriting_ends_the_guessing(client: Client, gateway: GatewayServer, group: str) -> None:
    """A group whose rows are overwritten is read for again, instead of guessing wrong every time."""
    ada = entity("Ada")
    await write(client, group, ada)
    await write(client, group, ada)
    before = reads_before_writes(gateway)
    await write(client, group, ada)
    assert reads_before_writes(gateway) == before + 1

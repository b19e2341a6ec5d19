"""Watch over real gRPC and engines: what it tells, how it ends, what bounds it. Moves: test_moves.py."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import grpc
import pytest
from redis.asyncio import Redis

from drivers.falkordb.graphs import pooled_graphs
from gateway.embedded.fleet import EmbeddedFleet
from gateway.loopback.client import GatewayClient
from graphgate.v1 import graph_pb2, graph_service_pb2
from tests.eventually import eventually
from tests.integration.gateway.calls import Refusal, new_uuid, refused
from tests.integration.gateway.conftest import Client, group_on
from tests.integration.gateway.own_gateway import own_gateway
from tests.integration.gateway.people import write_people
from tests.integration.gateway.test_shutdown import _exit_code
from tests.integration.gateway.watching import Replica

Code = grpc.StatusCode
CALL_S_MAX = 60.0


async def test_a_watch_tells_what_is_there_then_what_is_written_and_deleted(
    client: Client, group: str
) -> None:
    """Rows of every kind, deletions with what went with them; it ends with the rows that the group has."""
    people = await write_people(client, group)
    async with Replica(client, group) as replica:
        await replica.reaches(2)
        deleted = await client.graph.DeleteEntities(
            graph_service_pb2.DeleteEntitiesRequest(group_id=group, uuids=[people.uuid["bob"]])
        )
        await replica.reaches(deleted.version)
    described = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group))
    assert len(replica.rows) == sum(count.rows for count in described.group.counts)
    assert ("entities", people.uuid["bob"]) not in replica.rows
    assert ("facts", people.uuid["ada-bob"]) not in replica.rows
    assert ("memberships") in {name for name, _ in replica.rows}
    # From a version on: nothing of before.
    async with Replica(client, group, position=2) as later:
        await later.reaches(deleted.version)
    assert not later.rows
    assert all(name == "deleted" and version == 3 for name, _, version in later.told)
    assert people.uuid["bob"] in {uuid for _, uuid, _ in later.told}


async def test_a_position_below_the_kept_deletions_is_out_of_range(
    client: Client, mixed_fleet: EmbeddedFleet
) -> None:
    """The floor is in the metadata; from 0 the watch begins anew. Also at a version that was never given."""
    group = await group_on(client, "FALKORDB")
    await write_people(client, group)
    for shard in mixed_fleet.shards:
        if shard.engine == "falkordb":
            async with Redis.from_url(shard.url) as engine:
                for graph in pooled_graphs(4):
                    text = f"MATCH (f:_Fence) WHERE f.group_id = '{group}' SET f.prune_floor = 2"
                    await engine.execute_command("GRAPH.QUERY", graph, text)

    def watch(after: int) -> Any:
        return client.graph.Watch(graph_service_pb2.WatchRequest(group_id=group, after_version=after)).read()

    refusal = await refused(watch(1))
    assert (refusal.code, refusal.reason) == (Code.OUT_OF_RANGE, "CHANGES_PRUNED")
    assert refusal.metadata["prune_floor"] == "2"
    refusal = await refused(watch(3))
    assert (refusal.code, refusal.reason) == (Code.OUT_OF_RANGE, "VERSION_AHEAD")
    async with Replica(client, group) as replica:
        await replica.reaches(2)


async def test_bad_watches_are_refused_with_every_field(client: Client) -> None:
    """As any other call; an unknown group is NOT_FOUND."""
    refusal = await refused(
        client.graph.Watch(graph_service_pb2.WatchRequest(group_id="a b", after_version=-1)).read()
    )
    assert (refusal.code, refusal.fields) == (Code.INVALID_ARGUMENT, ["group_id", "after_version"])
    refusal = await refused(client.graph.Watch(graph_service_pb2.WatchRequest(group_id=new_uuid())).read())
    assert (refusal.code, refusal.reason) == (Code.NOT_FOUND, "GROUP_NOT_FOUND")


async def test_watches_are_bounded_and_told_when_the_gateway_stops(tmp_path: Path) -> None:
    """Past the limit RESOURCE_EXHAUSTED; one that is cancelled makes room. A stop does not wait for streams:
    they end at once with UNAVAILABLE and a delay, so that clients go on elsewhere from their positions."""
    settings = {"GRAPHGATE_GRPC__WATCHES_MAX": "1", "GRAPHGATE_GRPC__DRAIN_GRACE_S": "600"}
    async with own_gateway(tmp_path, settings) as process, GatewayClient(process.address) as client:
        await client.until_all_shards_answer(timeout_s=CALL_S_MAX)
        group = f"group-{new_uuid()}"
        await client.graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(group_id=group, entities=[graph_pb2.Entity(name="first")])
        )
        request = graph_service_pb2.WatchRequest(group_id=group)
        first: Any = client.graph.Watch(request)
        assert (await first.read()).position == 1
        refusal = await refused(client.graph.Watch(request).read())
        assert (refusal.code, refusal.reason) == (Code.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHES")
        first.cancel()
        second: Any = None

        async def admitted() -> bool:
            nonlocal second
            second = client.graph.Watch(request)
            try:
                return (await second.read()).position == 1
            except grpc.aio.AioRpcError:
                return False

        await eventually(admitted, timeout_s=CALL_S_MAX)
        ending = asyncio.ensure_future(second.read())
        os.kill(process.pid, signal.SIGTERM)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ending
        refusal = Refusal(caught.value)
        assert (refusal.code, refusal.reason) == (Code.UNAVAILABLE, "GATEWAY_STOPS")
        assert refusal.retry_delay_s is not None
        assert await _exit_code(process) == 0

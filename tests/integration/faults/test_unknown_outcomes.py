"""Writes whose answer is lost: what a retry with the same request_id does, whatever happened in between."""

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from typing import LiteralString, cast

import grpc
import pytest
from neo4j import AsyncGraphDatabase

from graphgate.v1 import graph_pb2, graph_service_pb2, ingest_service_pb2
from tests.eventually import eventually
from tests.fault_proxy import Strike
from tests.integration.faults import marker
from tests.integration.faults.world import FALKORDB, NEO4J, PATIENT_S, World, shard_refusal
from tests.integration.gateway.calls import Refusal, new_uuid, refused

Code = grpc.StatusCode

SHARDS = pytest.mark.parametrize("shard", [FALKORDB, NEO4J])


class LostWrite:
    """A write of one entity under a request_id, whose answer never came."""

    def __init__(self, world: World, shard: str, group: str) -> None:
        self.world = world
        self.shard = shard
        self.group = group
        self.op_id = new_uuid()
        self.uuid = new_uuid()
        self.name = f"lost {self.op_id}"

    async def send(self, timeout: float = PATIENT_S) -> graph_service_pb2.WriteGraphResponse:
        return await self.world.write(
            self.group, self.name, uuid=self.uuid, request_id=self.op_id, timeout=timeout
        )

    async def lose(self, strike: Strike) -> Refusal:
        return await refusal_of(self.world, self.shard, self.name, strike, self.send())

    async def applied(self) -> int:
        return await applied(self.world, self.shard, self.name)

    async def overwrite(self, name: str) -> None:
        await eventually(lambda: self.world.links()[self.shard].problem is None)
        await self.world.write(self.group, name, uuid=self.uuid)


async def refusal_of(
    world: World, shard: str, name: str, strike: Strike, attempt: Awaitable[object]
) -> Refusal:
    """Of the write of an entity of this name; with LOSE_ANSWER the connection ends once the engine has
    applied it."""
    trap = world.proxy(shard).trap(name, strike)
    sending = asyncio.create_task(shard_refusal(attempt, shard))
    await asyncio.wait_for(trap.sprung.wait(), PATIENT_S)
    if strike is Strike.LOSE_ANSWER:
        await eventually(lambda: applied(world, shard, name))
        trap.cut()
    return await sending


async def applied(world: World, shard: str, name: str) -> int:
    """Entities of this name at the engine."""
    return await marker.count_of_entities(world.fleet.processes[shard], name)


@SHARDS
async def test_a_retry_never_overwrites_a_later_write(world: World, shard: str) -> None:
    """Applied, answer lost: UNAVAILABLE with outcome_unknown and the op id. After a later write of the same
    row the retry gets the first write's answer, and the later row stays."""
    lost = LostWrite(world, shard, await world.new_group(shard))
    refusal = await lost.lose(Strike.LOSE_ANSWER)
    assert (refusal.code, refusal.reason) == (Code.UNAVAILABLE, "OUTCOME_UNKNOWN")
    assert refusal.metadata["op_id"] == lost.op_id
    assert refusal.metadata["outcome_unknown"] == "true"
    await lost.overwrite("later")
    for _ in range(2):
        again = await lost.send()
        assert (again.version, [row.created for row in again.rows]) == (2, [True])
    assert await world.names(lost.group) == ["first", "later"]


@SHARDS
async def test_a_retry_never_revives_a_deletion(world: World, shard: str) -> None:
    """Applied, answer lost, then deleted: the retry gets the first write's answer and the row stays gone."""
    lost = LostWrite(world, shard, await world.new_group(shard))
    await lost.lose(Strike.LOSE_ANSWER)
    await world.client.graph.DeleteEntities(
        graph_service_pb2.DeleteEntitiesRequest(group_id=lost.group, uuids=[lost.uuid]), timeout=PATIENT_S
    )
    again = await lost.send()
    assert again.version == 2
    assert await world.names(lost.group) == ["first"]
    asked = graph_service_pb2.GetEntityRequest(group_id=lost.group, uuid=lost.uuid)
    assert (await refused(world.client.graph.GetEntity(asked))).code is Code.NOT_FOUND


@SHARDS
async def test_a_write_that_never_arrived_is_applied_by_its_retry(world: World, shard: str) -> None:
    """The connection ended before the engine had it: the retry is its first and only application."""
    lost = LostWrite(world, shard, await world.new_group(shard))
    refusal = await lost.lose(Strike.CUT_BEFORE_SEND)
    assert refusal.code is Code.UNAVAILABLE
    assert await lost.applied() == 0
    await world.write(lost.group, "between")
    versions = [(await lost.send()).version for _ in range(3)]
    assert versions == [3, 3, 3]
    assert await world.names(lost.group) == sorted(["between", "first", lost.name])


@SHARDS
async def test_a_connection_that_ends_while_the_engine_writes(world: World, shard: str) -> None:
    """The engine gets the write and the end of the connection together: applied or not, after the retry it
    has been applied exactly once."""
    group = await world.new_group(shard)
    names: list[str] = []
    for attempt in range(5):
        lost = LostWrite(world, shard, group)
        refusal = await lost.lose(Strike.CUT_AFTER_SEND)
        assert refusal.reason == "OUTCOME_UNKNOWN"
        await eventually(lambda: world.links()[shard].problem is None)
        assert {(await lost.send()).version for _ in range(2)} == {attempt + 2}
        names.append(lost.name)
    assert await world.names(group) == sorted(["first", *names])


@SHARDS
async def test_the_id_in_the_error_is_enough_for_a_retry(world: World, shard: str) -> None:
    """Sent without a request_id, applied, answer lost: the same under the op id of the error is a retry. It
    gets the first answer, with the uuids that the gateway made, and nothing is written twice."""
    group = await world.new_group(shard)
    name, told = f"lost {new_uuid()}", f"told {new_uuid()}"
    written = graph_service_pb2.WriteGraphRequest(group_id=group, entities=[graph_pb2.Entity(name=name)])
    added = ingest_service_pb2.AddEpisodeRequest(
        group_id=group,
        episode=graph_pb2.Episode(content="It was told."),
        mode=ingest_service_pb2.EXTRACTION_MODE_PROVIDED,
        entities=[graph_pb2.Entity(name=told)],
    )
    graph, ingest = world.client.graph, world.client.ingest
    sent = graph.WriteGraph(written, timeout=PATIENT_S)
    written.request_id = (await refusal_of(world, shard, name, Strike.LOSE_ANSWER, sent)).metadata["op_id"]
    await eventually(lambda: world.links()[shard].problem is None)
    first = await graph.WriteGraph(written, timeout=PATIENT_S)
    sent = ingest.AddEpisode(added, timeout=PATIENT_S)
    added.request_id = (await refusal_of(world, shard, told, Strike.LOSE_ANSWER, sent)).metadata["op_id"]
    await eventually(lambda: world.links()[shard].problem is None)
    second = await ingest.AddEpisode(added, timeout=PATIENT_S)
    assert (first.version, second.version) == (2, 3)
    assert all(row.created for row in (*first.rows, *second.rows))
    assert await world.names(group) == sorted(["first", name, told])
    asked = graph_service_pb2.GetEntityRequest(group_id=group, uuid=first.rows[0].uuid)
    assert (await graph.GetEntity(asked, timeout=PATIENT_S)).entity.name == name


async def test_a_commit_while_neo4j_stops_is_settled_by_a_retry(world: World) -> None:
    """A write that waits for a lock when SIGTERM comes, and then goes on: whatever its caller is told, after
    the restart the retry gives its one answer and the row is there once, whatever was written first."""
    neo4j = world.fleet.neo4j
    lost = LostWrite(world, NEO4J, await world.new_group(NEO4J))
    text = "MATCH (f:_Fence {group_id: $g}) SET f += {} RETURN f.version"
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(AsyncGraphDatabase.driver(neo4j.url))
        session = await stack.enter_async_context(client.session(database="neo4j"))
        holder = await session.begin_transaction()
        await (await holder.run(cast("LiteralString", text), {"g": lost.group})).consume()
        sending = asyncio.create_task(lost.send(timeout=10.0))

        async def waits_for_the_lock() -> bool:
            statuses = await marker.ask(neo4j, "SHOW TRANSACTIONS YIELD status RETURN status")
            return any("Blocked" in status for (status,) in statuses)

        await eventually(waits_for_the_lock)
        stopping = asyncio.create_task(neo4j.stop())
        await eventually(lambda: "stop" in _end_of_log(world).lower())
        await holder.commit()
    told = (await asyncio.gather(sending, return_exceptions=True))[0]
    await stopping
    await neo4j.restart()
    await eventually(world.all_well, 60.0)
    if isinstance(told, grpc.aio.AioRpcError):
        assert told.code() in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED)
    await world.write(lost.group, "between")
    first, second = await lost.send(), await lost.send()
    assert first == second
    if isinstance(told, graph_service_pb2.WriteGraphResponse):
        assert first.version == told.version
    assert await world.names(lost.group) == sorted(["between", "first", lost.name])


def _end_of_log(world: World) -> str:
    return world.fleet.neo4j.log_file.read_text(encoding="utf-8", errors="replace")[-2_000:]

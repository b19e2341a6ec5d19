"""Calls whose time is up, or that are given up, in every phase of a call."""

import asyncio
from dataclasses import replace
from typing import Any

import grpc
import pytest

from drivers.falkordb import queries_search as falkordb_search
from drivers.neo4j import queries as neo4j_queries
from drivers.neo4j import searches as neo4j_search
from gateway.settings.service import RoutingSettings
from graphgate.v1 import graph_pb2, graph_service_pb2
from tests.eventually import eventually
from tests.fault_proxy import Strike
from tests.integration.faults import marker
from tests.integration.faults.engines import beside
from tests.integration.faults.world import (
    FALKORDB,
    NEO4J,
    PATIENT_S,
    QUICK,
    World,
    shard_refusal,
    world_with,
)
from tests.integration.gateway.calls import new_uuid, refused

Code = grpc.StatusCode

SHARDS = pytest.mark.parametrize("shard", [FALKORDB, NEO4J])
SHORT_S = 0.5


@SHARDS
async def test_the_deadline_passes_while_waiting_for_the_gate(world: World, shard: str) -> None:
    """Calls past the gateway's slots at a shard that hangs end in their own time with the shard's name, and
    so does one that is cancelled there; then no slot is taken and nobody waits."""
    # A check would find out that the shard hangs, and end the calls that hold the slots.
    async with world_with(replace(QUICK, check_interval_s=PATIENT_S), world.fleet) as unchecked:
        await _wait_for_the_gate(unchecked, shard)


async def _wait_for_the_gate(world: World, shard: str) -> None:
    group = await world.new_group(shard)
    slots = RoutingSettings().shard_calls_max
    world.proxy(shard).hang()
    holders = [asyncio.create_task(world.names(group)) for _ in range(slots)]
    await eventually(lambda: world.links()[shard].calls_running == slots)
    cancelled = asyncio.create_task(world.names(group))
    await eventually(lambda: world.links()[shard].calls_waiting == 1)
    cancelled.cancel()
    await eventually(lambda: world.links()[shard].calls_waiting == 0)
    for refusal in await asyncio.gather(
        *(shard_refusal(world.names(group, timeout=SHORT_S), shard) for _ in range(10))
    ):
        assert refusal.code is Code.DEADLINE_EXCEEDED
        assert "the calls before this one" in refusal.text
    for holder in holders:
        holder.cancel()
    await eventually(lambda: world.links()[shard].calls_running + world.links()[shard].calls_waiting == 0)


@SHARDS
async def test_the_deadline_passes_while_connecting(world: World, shard: str) -> None:
    """A connection that is accepted and never answered costs the caller its own time at most."""
    group = await world.new_group(shard)
    world.proxy(shard).cut()
    world.proxy(shard).hang()
    refusal = await shard_refusal(world.names(group, timeout=SHORT_S), shard)
    assert refusal.code in (Code.DEADLINE_EXCEEDED, Code.UNAVAILABLE)


@SHARDS
async def test_time_is_up_while_embedding(world: World, shard: str) -> None:
    """A write that waits for its vectors ends in time, or when it is cancelled, and writes nothing even if
    the model answers afterwards."""
    group = await world.new_group(shard)
    world.embedder.released.clear()
    refusal = await refused(world.write(group, "late", timeout=SHORT_S))
    assert (refusal.code, refusal.reason) == (Code.DEADLINE_EXCEEDED, "EMBEDDER_TIMEOUT")
    cancelled = asyncio.create_task(world.write(group, "given up"))
    await eventually(lambda: world.embedder.waiting)
    cancelled.cancel()
    await eventually(lambda: not world.embedder.waiting)
    world.embedder.released.set()
    assert await world.names(group) == ["first"]


@SHARDS
async def test_the_deadline_passes_while_images_are_read(world: World, shard: str) -> None:
    """Nothing was sent that writes: DEADLINE_EXCEEDED without an open outcome, and nothing is written."""
    group, op_id = await world.new_group(shard), new_uuid()
    trap = world.proxy(shard).trap(op_id, Strike.LOSE_ANSWER)
    refusal = await shard_refusal(world.write(group, "late", timeout=SHORT_S, request_id=op_id), shard)
    assert trap.sprung.is_set()
    assert (refusal.code, refusal.reason) == (Code.DEADLINE_EXCEEDED, "SHARD_TIMEOUT")
    assert "outcome_unknown" not in refusal.metadata
    assert await world.names(group) == ["first"]


@SHARDS
async def test_the_deadline_passes_while_a_write_is_applied(world: World, shard: str) -> None:
    """The write was sent and its answer is late: DEADLINE_EXCEEDED with outcome_unknown and the op id, which
    is the caller's request_id; the retry gets the answer of the write that was applied. The shard stays in
    use: one caller in a hurry is no reason to take it from the others."""
    group, op_id = await world.new_group(shard), new_uuid()
    name = f"late {op_id}"
    trap = world.proxy(shard).trap(name, Strike.LOSE_ANSWER)
    refusal = await shard_refusal(world.write(group, name, timeout=SHORT_S, request_id=op_id), shard)
    assert trap.sprung.is_set()
    assert refusal.code is Code.DEADLINE_EXCEEDED
    assert refusal.metadata["outcome_unknown"] == "true"
    assert refusal.metadata["op_id"] == op_id
    assert (await world.shards())[shard].reachable
    applied = await eventually(lambda: marker.count_of_entities(world.fleet.processes[shard], name))
    again = await world.write(group, name, request_id=op_id)
    assert (applied, again.version) == (1, 2)
    assert await world.names(group) == sorted(["first", name])


@SHARDS
async def test_a_cancelled_write_is_applied_once_or_not_at_all(world: World, shard: str) -> None:
    """A caller that cancels learns nothing; its retry settles it."""
    group, op_id = await world.new_group(shard), new_uuid()
    name = f"given up {op_id}"
    trap = world.proxy(shard).trap(name, Strike.LOSE_ANSWER)
    request = graph_service_pb2.WriteGraphRequest(
        group_id=group, entities=[graph_pb2.Entity(name=name)], request_id=op_id
    )
    call = world.client.graph.WriteGraph(request, timeout=PATIENT_S)
    waiting = asyncio.ensure_future(call.code())
    await asyncio.wait_for(trap.sprung.wait(), PATIENT_S)
    call.cancel()
    assert await waiting is Code.CANCELLED
    trap.cut()
    again = await world.write(group, name, request_id=op_id)
    assert again.version == 2
    assert await world.names(group) == sorted(["first", name])


@pytest.mark.parametrize("shard", [FALKORDB, NEO4J])
async def test_an_answer_that_does_not_come_holds_up_no_other_group(world: World, shard: str) -> None:
    """A connection that went silent costs the write that was sent on it; writes to other groups of the same
    shard are done long before that one's deadline."""
    group, other = await world.new_group(shard), await world.new_group(shard)
    name = f"silent {new_uuid()}"
    trap = world.proxy(shard).trap(name, Strike.LOSE_ANSWER)
    waiting = asyncio.create_task(shard_refusal(world.write(group, name), shard))
    await asyncio.wait_for(trap.sprung.wait(), PATIENT_S)
    await world.write(other, "meanwhile", timeout=PATIENT_S / 6)
    assert not waiting.done()
    trap.cut()
    assert (await waiting).metadata["outcome_unknown"] == "true"


# --- searches ---------------------------------------------------------------------------------------

BURNT = "burnt_by_a_test"


@pytest.fixture
def slow_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Semantic searches burn minutes on the engine before they look."""

    prefix = neo4j_queries.PREFIX
    falkordb_burn = f"UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b WITH sum(a * b) AS {BURNT}"
    # Not when it is only compiled, for which all parameters are null.
    numbers = "CASE WHEN size(keys($p)) = 0 THEN 0 ELSE 1000000000 END"
    neo4j_burn = f"UNWIND range(1, {numbers}) AS a WITH a WHERE a % 2 = 3 WITH count(a) AS {BURNT}"
    plain_falkordb, plain_neo4j = falkordb_search.semantic_text, neo4j_search.semantic_text

    def on_falkordb(*args: Any, **options: Any) -> str:
        return f"{falkordb_burn}\n{plain_falkordb(*args, **options)}"

    def on_neo4j(*args: Any, **options: Any) -> str:
        return plain_neo4j(*args, **options).replace(prefix, f"{prefix}\n{neo4j_burn}", 1)

    monkeypatch.setattr(falkordb_search, "semantic_text", on_falkordb)
    monkeypatch.setattr(neo4j_search, "semantic_text", on_neo4j)


async def _burning(world: World, shard: str) -> bool:
    """Whether the engine runs such a search."""
    if shard == NEO4J:
        running = await marker.ask(
            world.fleet.neo4j, "SHOW TRANSACTIONS YIELD currentQuery, status RETURN currentQuery"
        )
        return sum(BURNT in str(query) for query in running) > 0
    async with beside(world.fleet.falkordb) as client:
        load = await client.execute_command("GRAPH.INFO", "RunningQueries")  # pyright: ignore[reportUnknownMemberType]
    return BURNT in str(load)


@SHARDS
async def test_the_engine_ends_a_search_with_its_caller(
    world: World, shard: str, slow_searches: None
) -> None:
    """DEADLINE_EXCEEDED that names the shard for the caller, and the engine's query ends; one that is
    cancelled ends on the engine by the deadline that it had at the latest."""
    group = await world.new_group(shard)
    searching = asyncio.create_task(shard_refusal(world.search(group, timeout=1.0), shard))
    assert await eventually(lambda: _burning(world, shard))
    refusal = await searching
    assert (refusal.code, refusal.reason) == (Code.DEADLINE_EXCEEDED, "SHARD_TIMEOUT")

    async def idle() -> bool:
        return not await _burning(world, shard)

    await eventually(idle)
    given_up = asyncio.create_task(world.search(group, timeout=3.0))
    assert await eventually(lambda: _burning(world, shard))
    given_up.cancel()
    await eventually(idle)
    assert await world.names(group) == ["first"]

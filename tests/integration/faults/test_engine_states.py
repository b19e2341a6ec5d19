"""A shard that cannot serve: what its callers get, what others notice of it, and how it comes back."""

import asyncio
import statistics
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace

import grpc
import pytest

from shard_router.shard_link import LinkState
from tests.eventually import eventually
from tests.fault_proxy import Strike
from tests.integration.faults import engines
from tests.integration.faults.world import (
    CALL_S,
    FALKORDB,
    NEIGHBOUR,
    NEO4J,
    PATIENT_S,
    QUICK,
    World,
    shard_refusal,
    world_with,
)
from tests.integration.gateway.calls import new_uuid

Code = grpc.StatusCode

LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"
"""What a server that replays its log answers to every command on data."""


@dataclass(frozen=True, slots=True)
class State:
    shard: str
    name: str
    provoked: Callable[[World], AbstractAsyncContextManager[None]]
    reason: str
    """Of the refusals, once the gateway knows."""
    reads: bool = False
    """Reads are served all the same."""

    def __str__(self) -> str:
        return f"{self.shard}-{self.name}"


def _refusing(shard_id: str) -> Callable[[World], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def provoked(world: World) -> AsyncGenerator[None]:
        await world.proxy(shard_id).refuse()
        yield
        await world.proxy(shard_id).heal()

    return provoked


def _garbling(shard_id: str) -> Callable[[World], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def provoked(world: World) -> AsyncGenerator[None]:
        world.proxy(shard_id).garbles = True
        yield
        await world.proxy(shard_id).heal()

    return provoked


@asynccontextmanager
async def _loading(world: World) -> AsyncGenerator[None]:
    world.proxy(FALKORDB).trap("GRAPH.", Strike.ANSWER, answer=LOADING, once=False)
    yield
    await world.proxy(FALKORDB).heal()


STATES = [
    State(FALKORDB, "down", lambda world: engines.killed(world.fleet.falkordb), "SHARD_UNAVAILABLE"),
    State(NEO4J, "down", _refusing(NEO4J), "SHARD_UNAVAILABLE"),
    State(FALKORDB, "hanging", lambda world: engines.suspended(world.fleet.falkordb), "SHARD_UNAVAILABLE"),
    State(NEO4J, "hanging", lambda world: engines.suspended(world.fleet.neo4j), "SHARD_UNAVAILABLE"),
    State(FALKORDB, "garbage", _garbling(FALKORDB), "SHARD_UNAVAILABLE"),
    State(NEO4J, "garbage", _garbling(NEO4J), "SHARD_UNAVAILABLE"),
    State(FALKORDB, "loading", _loading, "SHARD_UNAVAILABLE"),
    State(
        FALKORDB,
        "out-of-memory",
        lambda world: engines.out_of_memory(world.fleet.falkordb),
        "SHARD_IMPAIRED",
        reads=True,
    ),
    State(
        FALKORDB,
        "read-only",
        lambda world: engines.replica(world.fleet.falkordb),
        "SHARD_IMPAIRED",
        reads=True,
    ),
    State(
        NEO4J, "read-only", lambda world: engines.read_only(world.fleet.neo4j), "SHARD_IMPAIRED", reads=True
    ),
    State(
        FALKORDB,
        "without-disk",
        lambda world: engines.without_disk(world.fleet.falkordb),
        "SHARD_IMPAIRED",
        reads=True,
    ),
]


@pytest.mark.parametrize("state", STATES, ids=str)
async def test_a_shard_that_cannot_serve_is_told_and_comes_back_by_itself(world: World, state: State) -> None:
    """Every call ends within its deadline with a typed answer that names the shard and, where that helps,
    when to come again; reads go on where the engine still reads; other shards serve on; once the engine is
    back, so are its groups, and no refused write is among them."""
    group, elsewhere = await world.new_group(state.shard), await world.new_group(NEIGHBOUR)
    async with state.provoked(world):

        async def known() -> bool:
            refusal = await shard_refusal(world.write(group, "refused", timeout=CALL_S), state.shard)
            assert refusal.code in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED)
            return refusal.reason == state.reason

        await eventually(known, 60.0)
        if state.reads:
            assert "first" in await world.names(group)
        else:
            await shard_refusal(world.names(group, timeout=CALL_S), state.shard)
            await shard_refusal(world.search(group, elsewhere, timeout=CALL_S), state.shard)
        await world.write(elsewhere, "second")
    await eventually(lambda: _written(world, group, "back"), 60.0)
    names = await world.names(group)
    assert {"first", "back"} <= set(names)
    if state.reads:
        assert "refused" not in names


async def _written(world: World, group: str, name: str) -> bool:
    with suppress(grpc.aio.AioRpcError):
        await world.write(group, name, timeout=CALL_S)
        return True
    return False


async def test_a_full_disk_of_neo4j_is_told_and_loses_nothing(world: World) -> None:
    """The write that met it has an unknown outcome, for the server does not say how much of it it kept; from
    then on the server serves nobody, and callers and operators are told what it needs. Once it is restarted
    with room, the same request is applied once, and nothing that was acknowledged is missing."""
    group, elsewhere = await world.new_group(NEO4J), await world.new_group(NEIGHBOUR)
    uuid, request_id = new_uuid(), new_uuid()
    async with engines.without_log(world.fleet.neo4j):
        met = await shard_refusal(world.write(group, "second", uuid=uuid, request_id=request_id), NEO4J)
        assert (met.code, met.reason) == (Code.UNAVAILABLE, "OUTCOME_UNKNOWN")
        for attempt in (world.write(group, "third"), world.names(group), world.search(group)):
            refusal = await shard_refusal(attempt, NEO4J)
            assert (refusal.code, refusal.reason) == (Code.UNAVAILABLE, "SHARD_UNAVAILABLE")
            assert "free its disk" in refusal.text
        await world.until_problem(NEO4J, "restart it")
        await world.write(elsewhere, "second")
    await eventually(world.all_well, 60.0)
    first = await world.write(group, "second", uuid=uuid, request_id=request_id)
    again = await world.write(group, "second", uuid=uuid, request_id=request_id)
    assert (first.version, first.rows) == (again.version, again.rows)
    assert await world.names(group) == ["first", "second"]


@pytest.mark.parametrize("shard", [FALKORDB, NEO4J])
async def test_a_slow_shard_serves_who_has_time(world: World, shard: str) -> None:
    """A shard that answers late is in use as before: a caller with time gets the answer, one without gets
    DEADLINE_EXCEEDED that names the shard."""
    group = await world.new_group(shard)
    proxy = world.proxy(shard)
    proxy.delay_s = 0.2
    assert await world.names(group) == ["first"]
    refusal = await shard_refusal(world.names(group, timeout=0.15), shard)
    assert refusal.code is Code.DEADLINE_EXCEEDED
    assert refusal.reason == "SHARD_TIMEOUT"
    await world.write(group, "second")


async def test_a_transaction_over_the_memory_of_neo4j_is_refused_whole(world: World) -> None:
    """A write that needs more than the server grants a transaction is refused with its reason, nothing of it
    is stored, and the next one is served."""
    group = await world.new_group(NEO4J)
    large = [f"{number} {'word ' * 200}" for number in range(1_000)]
    refusal = await shard_refusal(world.write(group, *large), NEO4J)
    assert (refusal.code, refusal.reason) == (Code.UNAVAILABLE, "SHARD_IMPAIRED")
    assert await world.names(group) == ["first"]
    await world.write(group, "second")
    assert (await world.shards())[NEO4J].reachable


@pytest.mark.parametrize("shard", [FALKORDB, NEO4J])
async def test_other_shards_keep_their_latency(world: World, shard: str) -> None:
    """While one shard hangs under load, calls to another take about as long as under the same load without
    the fault: medians of rounds that take turns, within a factor of 4."""
    process = world.fleet.processes[shard]
    slow, quick = await world.new_group(shard), await world.new_group(NEIGHBOUR)

    async def load(stop: asyncio.Event) -> None:
        while not stop.is_set():
            with suppress(grpc.aio.AioRpcError):
                await world.names(slow, timeout=0.2)

    async def round_of_calls() -> list[float]:
        stop = asyncio.Event()
        callers = [asyncio.create_task(load(stop)) for _ in range(8)]
        spans: list[float] = []
        for _ in range(25):
            began = time.perf_counter()
            await world.names(quick)
            spans.append(time.perf_counter() - began)
        stop.set()
        await asyncio.gather(*callers)
        return spans

    healthy: list[float] = []
    hanging: list[float] = []
    for _ in range(3):
        healthy += await round_of_calls()
        async with engines.suspended(process):
            hanging += await round_of_calls()
        await eventually(world.all_well, 30.0)
    assert statistics.median(hanging) < 4 * statistics.median(healthy)


@pytest.mark.parametrize("shard", [FALKORDB, NEO4J])
async def test_calls_that_come_in_a_short_outage_wait_for_its_end(world: World, shard: str) -> None:
    """Also when the gateway has given the shard up already: they wait for its attempt to reach it anew, all
    for the same one, and none fails."""
    # The attempt outlasts the start of the calls on the busiest machine.
    patient = replace(QUICK.reconnect, wait_s_max=PATIENT_S, ping_s_first=PATIENT_S)
    async with world_with(replace(QUICK, reconnect=patient), world.fleet) as behind:
        await _wait_for_the_end_of_the_outage(behind, shard)


async def _wait_for_the_end_of_the_outage(world: World, shard: str) -> None:
    group, proxy = await world.new_group(shard), world.proxy(shard)
    proxy.resets = True
    proxy.cut()
    await eventually(lambda: world.links()[shard].link is LinkState.UNREACHABLE)
    proxy.hang()
    proxy.resets = False
    connections = proxy.accepted
    await eventually(lambda: proxy.accepted > connections)
    connections = proxy.accepted
    calls = [asyncio.create_task(world.names(group)) for _ in range(20)]
    await eventually(lambda: world.links()[shard].calls_running == len(calls))
    assert proxy.accepted - connections <= 2
    proxy.resume()
    assert await asyncio.gather(*calls) == [["first"]] * len(calls)


@pytest.mark.parametrize("shard", [FALKORDB, NEO4J])
async def test_callers_of_a_dead_shard_cause_no_storm(world: World, shard: str) -> None:
    """However many calls its groups get: one connection attempt per pause of the gateway, and the catalog and
    the other shards are not asked once per call; the same after it is back."""
    group = await world.new_group(shard)
    proxy = world.proxy(shard)
    connections, commands = proxy.accepted, await world.fleet.catalog_calls()
    proxy.resets = True
    proxy.cut()
    refused = 0

    async def call() -> None:
        nonlocal refused
        for _ in range(100):
            await shard_refusal(world.names(group, timeout=5.0), shard)
            refused += 1

    await asyncio.gather(*(call() for _ in range(8)))
    assert refused == 800
    assert proxy.accepted - connections < refused / 10
    assert await world.fleet.catalog_calls() - commands < refused / 4
    proxy.resets = False
    await eventually(world.all_well)
    connections = proxy.accepted
    await asyncio.gather(*(world.names(group) for _ in range(200)))
    assert proxy.accepted - connections <= 50

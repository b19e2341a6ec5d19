"""Connections that break, hang, run out or are given up, at every moment of a call."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from drivers.deadline import Deadline
from drivers.errors import (
    DeadlinePassed,
    EngineRefused,
    GraphgateError,
    OutcomeUnknown,
    ShardOverloaded,
    ShardTimeout,
    ShardUnavailable,
)
from drivers.falkordb import FalkorDBDriver, FalkorDBSettings
from drivers.falkordb.client import GraphClient
from drivers.graph_model import Kind
from drivers.write_plan import WriteStatus
from tests.contract.falkordb_specific.conftest import open_on
from tests.contract.rows import entity
from tests.contract.subject import Subject
from tests.contract.tenant import Tenant, soon
from tests.engines import FalkorDBServer
from tests.eventually import eventually
from tests.fault_proxy import FaultProxy, proxy_to

SLOW = "UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b RETURN sum(a * b)"
NOBODY = "redis://127.0.0.1:1"


@asynccontextmanager
async def _tenant(url: str, subject: Subject, **settings: float) -> AsyncGenerator[Tenant]:
    """A group on a driver of its own at this address of the shard under test."""
    driver = FalkorDBDriver("shard", FalkorDBSettings(url, **settings))  # type: ignore[arg-type]
    driver.use_marker(subject.founding.answers[0])
    try:
        yield await open_on(driver)
    finally:
        await driver.close()


@asynccontextmanager
async def _behind_proxy(
    server: FalkorDBServer, subject: Subject, **settings: float
) -> AsyncGenerator[tuple[FaultProxy, Tenant]]:
    async with proxy_to(server.url) as proxy, _tenant(proxy.url, subject, **settings) as tenant:
        yield proxy, tenant


async def test_a_lost_answer_of_a_write_is_an_unknown_outcome(
    falkordb_server: FalkorDBServer, falkordb_subject: Subject
) -> None:
    """The connection ends after the write was sent: OutcomeUnknown with the op id, and the same plan finds
    the record of what it did."""
    async with _behind_proxy(falkordb_server, falkordb_subject) as (proxy, tenant):
        plan = await tenant.plan(tenant.intent(entity("a")))
        proxy.loses_answers = True
        write = asyncio.create_task(tenant.apply(plan))
        await asyncio.wait_for(proxy.lost.wait(), 20)
        proxy.cut()
        with pytest.raises(OutcomeUnknown) as unknown:
            await write
        assert unknown.value.op_id == plan.operation.op_id
        proxy.loses_answers = False
        again = await tenant.apply(plan)
        assert again.status is WriteStatus.DUPLICATE
        assert (await tenant.fence()).version == 1


async def test_a_write_without_an_answer_by_its_deadline_is_an_unknown_outcome(
    falkordb_server: FalkorDBServer, falkordb_subject: Subject
) -> None:
    """The answer does not come in time; the connection that still owes it is not used again."""
    async with _behind_proxy(falkordb_server, falkordb_subject, pool_size_max=1) as (proxy, tenant):
        plan = await tenant.plan(tenant.intent(entity("a")))
        proxy.loses_answers = True
        with pytest.raises(OutcomeUnknown):
            await tenant.driver.apply(tenant.ref, plan, Deadline.after(0.2))
        proxy.loses_answers = False
        assert (await tenant.apply(plan)).status is WriteStatus.DUPLICATE


async def test_a_read_without_an_answer_by_its_deadline_times_out(
    falkordb_server: FalkorDBServer, falkordb_subject: Subject
) -> None:
    """A read that is not answered in time had no effect, and says so."""
    async with _behind_proxy(falkordb_server, falkordb_subject) as (proxy, tenant):
        proxy.loses_answers = True
        with pytest.raises(ShardTimeout):
            await tenant.driver.read_fences([tenant.ref], Deadline.after(0.2))


async def test_a_read_on_a_connection_that_died_is_asked_once_more(
    falkordb_server: FalkorDBServer, falkordb_subject: Subject
) -> None:
    """A read whose connection ends under it is repeated on a new one; a second end is ShardUnavailable."""
    async with _behind_proxy(falkordb_server, falkordb_subject) as (proxy, tenant):
        proxy.loses_answers = True
        read = asyncio.create_task(tenant.fence())
        await asyncio.wait_for(proxy.lost.wait(), 20)
        proxy.loses_answers = False
        proxy.cut()
        assert (await read).group_id == tenant.ref.group_id

        proxy.loses_answers = True
        proxy.lost.clear()
        read = asyncio.create_task(tenant.fence())
        for _ in range(2):
            await asyncio.wait_for(proxy.lost.wait(), 20)
            proxy.lost.clear()
            proxy.cut()
        with pytest.raises(ShardUnavailable):
            await read


async def test_connections_that_died_while_idle_are_not_used(
    falkordb_server: FalkorDBServer, falkordb_subject: Subject
) -> None:
    """A write after the server closed all connections goes out on a new one: no unknown outcome."""
    async with _behind_proxy(falkordb_server, falkordb_subject) as (proxy, tenant):
        await tenant.write(entity("a"))
        plan = await tenant.plan(tenant.intent(entity("b")))
        connections = proxy.accepted
        proxy.cut()
        await asyncio.sleep(0)

        async def written() -> bool:
            try:
                return (await tenant.apply(plan)).status in (WriteStatus.APPLIED, WriteStatus.DUPLICATE)
            except OutcomeUnknown:
                return False

        assert await eventually(written)
        assert proxy.accepted > connections


@pytest.mark.parametrize("delay_s", [0.0, 0.0005, 0.001, 0.002, 0.005])
async def test_a_cancelled_call_leaves_no_answer_for_the_next(
    falkordb_server: FalkorDBServer, falkordb_subject: Subject, delay_s: float
) -> None:
    """Calls given up at any moment cost their connection, never another call's answer: with one connection
    every later call gets its own answer."""
    async with _tenant(falkordb_server.url, falkordb_subject, pool_size_max=1) as tenant:
        rows = [entity(str(n)) for n in range(20)]
        await tenant.write(*rows)
        for row in rows:
            given_up = asyncio.create_task(tenant.listed(Kind.ENTITY))
            await asyncio.sleep(delay_s)
            given_up.cancel()
            assert [found.uuid for found in (await tenant.get(Kind.ENTITY, row.uuid)).rows] == [row.uuid]
            await asyncio.gather(given_up, return_exceptions=True)


async def test_a_refused_connection_is_unavailable() -> None:
    """Nobody listens: reads and writes alike are ShardUnavailable, for nothing was sent."""
    client = GraphClient("shard", FalkorDBSettings(NOBODY))
    with pytest.raises(ShardUnavailable, match="connection refused"):
        await client.read("g", "RETURN 1", {}, soon(), "a read")
    with pytest.raises(ShardUnavailable):
        await client.write("g", "RETURN 1", {}, soon(), "a write", "op")


async def test_a_server_that_never_greets_is_unavailable() -> None:
    """A connection that is accepted and not answered counts as not made."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = GraphClient("shard", FalkorDBSettings(f"redis://127.0.0.1:{port}", connect_timeout_s=0.05))
    with pytest.raises(ShardUnavailable, match="no connection within"):
        await client.write("g", "RETURN 1", {}, soon(), "a write", "op")
    client = GraphClient("shard", FalkorDBSettings(f"redis://127.0.0.1:{port}"))
    with pytest.raises(ShardUnavailable, match="before the deadline"):
        await client.write("g", "RETURN 1", {}, Deadline.after(0.05), "a write", "op")
    server.close()


async def test_something_else_than_redis_is_unavailable() -> None:
    """An answer that is no RESP is a shard that is not there, with no text of it in the message."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with pytest.raises(ShardUnavailable, match="RESP3"):
        await GraphClient("shard", FalkorDBSettings(url)).read("g", "RETURN 1", {}, soon(), "a read")
    server.close()


async def test_more_calls_than_connections_wait_and_then_overload(falkordb_server: FalkorDBServer) -> None:
    """Callers wait for one of pool_size_max connections, within acquire_timeout_s and their deadline."""
    settings = FalkorDBSettings(falkordb_server.url, pool_size_max=2)
    client = GraphClient("shard", settings)
    answers = await asyncio.gather(
        *(client.read("graphgate", f"RETURN {n}", {}, soon(), "a read") for n in range(50))
    )
    assert answers == [[[n]] for n in range(50)]
    client.close()
    client = GraphClient("shard", replace(settings, acquire_timeout_s=0.1))
    slow = [
        asyncio.create_task(client.read("graphgate", SLOW, {}, Deadline.after(2.0), "slow")) for _ in range(2)
    ]
    await asyncio.sleep(0)
    with pytest.raises(ShardOverloaded, match="pool_size_max = 2"):
        await client.read("graphgate", "RETURN 1", {}, soon(), "a read")
    with pytest.raises(ShardOverloaded):
        await client.read("graphgate", "RETURN 1", {}, Deadline.after(0.02), "a read")
    for outcome in await asyncio.gather(*slow, return_exceptions=True):
        assert isinstance(outcome, ShardTimeout)
    assert await client.read("graphgate", "RETURN 1", {}, soon(), "a read") == [[1]]
    client.close()


async def test_the_engine_stops_a_query_at_the_deadline(falkordb_server: FalkorDBServer) -> None:
    """A query gets the caller's remaining time as its own timeout: its work ends with the caller's wait."""
    client = GraphClient("shard", FalkorDBSettings(falkordb_server.url))
    with pytest.raises(ShardTimeout):
        await client.read("graphgate", SLOW, {}, Deadline.after(0.3), "slow")

    async def none_runs() -> bool:
        running = await client.command(soon(), "asking what runs", "GRAPH.INFO", "RunningQueries")
        return SLOW not in str(running)

    assert await eventually(none_runs)
    client.close()


async def test_a_write_that_takes_too_long_is_rolled_back(client: GraphClient, scratch: str) -> None:
    """The engine's own timeout of a write is certain: ShardTimeout, and nothing is left of it."""
    text = "UNWIND range(1, 3000000) AS n CREATE (:Row {n: n})"
    with pytest.raises(GraphgateError) as failed:
        await client.write(scratch, text, {}, Deadline.after(0.5), "a large write", "op")
    assert isinstance(failed.value, ShardTimeout | OutcomeUnknown)
    assert await client.read(scratch, "MATCH (n:Row) RETURN count(n)", {}, soon(), "counting") == [[0]]


async def test_timeouts_hold_for_writes_though_the_server_has_no_maximum(
    falkordb_server: FalkorDBServer, client: GraphClient
) -> None:
    """Without TIMEOUT_MAX a write would run for ever: a connection sets it when it finds none."""
    await client.command(soon(), "a setting", "GRAPH.CONFIG", "SET", "TIMEOUT_MAX", "0")
    other = GraphClient("shard", FalkorDBSettings(falkordb_server.url))
    await other.read("graphgate", "RETURN 1", {}, soon(), "a read")
    found = await client.command(soon(), "a setting", "GRAPH.CONFIG", "GET", "TIMEOUT_MAX")
    assert found == ["TIMEOUT_MAX", 60_000]
    other.close()


async def test_an_error_amid_an_answer_is_an_error(client: GraphClient, scratch: str) -> None:
    """A statement that fails after some rows is refused as a whole; its text is kept for the log only."""
    text = "UNWIND [1, 'two'] AS x RETURN abs(x)"
    with pytest.raises(EngineRefused) as refused:
        await client.read(scratch, text, {}, soon(), "a read")
    assert "Type mismatch" in refused.value.engine_text
    assert "Type mismatch" not in str(refused.value)


async def test_no_time_left_sends_nothing(client: GraphClient, scratch: str) -> None:
    """DeadlinePassed before anything is sent."""
    with pytest.raises(DeadlinePassed):
        await client.write(scratch, "CREATE (:Row)", {}, Deadline.after(0), "a write", "op")
    assert await client.read(scratch, "MATCH (n:Row) RETURN count(n)", {}, soon(), "counting") == [[0]]


async def test_a_connection_retires_after_its_lifetime(falkordb_server: FalkorDBServer) -> None:
    """connection_lifetime_s bounds how long a connection is used, so that a new address is found in time."""
    async with proxy_to(falkordb_server.url) as proxy:
        client = GraphClient("shard", FalkorDBSettings(proxy.url, connection_lifetime_s=0.0))
        for n in range(3):
            await client.read("graphgate", "RETURN 1", {}, soon(), "a read")
            assert proxy.accepted == n + 1
        client.close()

"""A server that is not there, that does not answer, or that dies: what the caller is told is true."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.deadline import Deadline
from drivers.errors import (
    DeadlinePassed,
    OutcomeUnknown,
    ShardError,
    ShardOverloaded,
    ShardTimeout,
    ShardUnavailable,
)
from drivers.fence import GroupRef
from drivers.graph_model import Kind
from drivers.neo4j import Neo4jDriver, Neo4jSettings
from drivers.write_plan import WriteOutcome, WriteStatus
from gateway.embedded import Neo4jProcess, find_neo4j_lib
from gateway.embedded.ports import HOST
from tests.contract.neo4j_specific.conftest import OpenGroup, open_on
from tests.contract.rows import entity
from tests.contract.tenant import Tenant, soon
from tests.engines import Neo4jServer
from tests.eventually import eventually


@pytest.fixture
async def process(tmp_path: Path, neo4j_installed: None) -> AsyncIterator[Neo4jProcess]:
    """A server of the test's own, to be killed."""
    process = Neo4jProcess(tmp_path / "neo4j", find_neo4j_lib(), short_lived=True)
    await process.start()
    yield process
    await process.stop()


@pytest.fixture
async def silent_url() -> AsyncIterator[str]:
    """Accepts connections and never says a word."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(listen, HOST, 0)
    yield f"bolt://{HOST}:{server.sockets[0].getsockname()[1]}"
    server.close()


async def _driver(url: str, **settings: float) -> Neo4jDriver:
    driver = Neo4jDriver("shard", Neo4jSettings(url, **settings))  # pyright: ignore[reportArgumentType]
    await driver.open()
    return driver


async def test_nobody_listens(open_group: OpenGroup) -> None:
    """A refused connection is unavailable at once, for writes too: nothing was sent."""
    group = await open_group()
    plan = await group.plan(group.intent(entity("n")))
    driver = await _driver(f"bolt://{HOST}:1")
    began = time.monotonic()
    with pytest.raises(ShardUnavailable):
        await driver.apply(group.ref, plan, soon())
    with pytest.raises(ShardUnavailable):
        await driver.ping(soon())
    assert time.monotonic() - began < soon().remaining_s() / 2
    await driver.close()


async def test_nobody_answers(open_group: OpenGroup, silent_url: str) -> None:
    """A server that accepts and is silent has got no write either: unavailable, within the deadline."""
    group = await open_group()
    plan = await group.plan(group.intent(entity("n")))
    driver = await _driver(silent_url)
    deadline = Deadline.after(0.5)
    with pytest.raises(ShardUnavailable):
        await driver.apply(group.ref, plan, deadline)
    assert deadline.remaining_s() > 0.0
    await driver.close()


async def test_no_place_in_the_pool(neo4j_server: Neo4jServer, open_group: OpenGroup) -> None:
    """Past pool_size_max statements a call waits within its deadline and then names the limit; the place is
    free again afterwards."""
    group = await open_group()
    driver = await _driver(neo4j_server.url, pool_size_max=1)
    # Both are compiled, for which they need the place too.
    await driver._client.prepare(_SLOW, soon())
    await driver.read_fences([group.ref], soon())
    slow = asyncio.create_task(driver._client.read(_SLOW, _LONG, "a slow read", Deadline.after(1.0)))
    await asyncio.sleep(0)
    with pytest.raises(ShardOverloaded) as caught:
        await driver.read_fences([group.ref], Deadline.after(0.1))
    assert caught.value.metadata()["limit_name"] == "pool_size_max"
    with pytest.raises(ShardTimeout):
        await slow
    assert set(await driver.read_fences([group.ref], soon())) == {group.ref.group_id}
    await driver.close()


async def test_the_server_stops_a_statement_at_its_own_limit(neo4j_server: Neo4jServer) -> None:
    """query_timeout_s_max bounds the engine's work when the caller has more time than that."""
    driver = await _driver(neo4j_server.url, query_timeout_s_max=0.2)
    deadline = Deadline.after(60.0)
    with pytest.raises(ShardTimeout):
        await driver._client.read(_SLOW, _LONG, "a slow read", deadline)
    assert deadline.remaining_s() > 30.0
    await driver.close()


@pytest.mark.timeout(300)
async def test_a_killed_server(process: Neo4jProcess) -> None:
    """Whatever a writer was told when the server was killed holds after its restart: applied means there,
    unavailable means not there, unknown is settled by the same operation; and the pool recovers."""
    driver = await _driver(process.url)
    await driver.ensure_schema(Deadline.after(90.0))
    groups = [await open_on(driver) for _ in range(8)]
    told: dict[GroupRef, list[tuple[str, WriteOutcome | ShardError]]] = {group.ref: [] for group in groups}

    async def write(group: Tenant) -> None:
        while True:
            try:
                plan = await group.plan(group.intent(entity("n")))
            except ShardError:
                return
            try:
                answer: WriteOutcome | ShardError = await group.apply(plan)
            except ShardError as error:
                answer = error
            told[group.ref].append((plan.puts[0].row.uuid, answer))
            if isinstance(answer, ShardError):
                plans[group.ref] = (group, plan)
                return

    plans: dict[GroupRef, tuple[Tenant, object]] = {}
    writers = [asyncio.create_task(write(group)) for group in groups]
    await eventually(lambda: sum(map(len, told.values())) > 40, 60.0)
    await process.kill()
    await asyncio.gather(*writers)
    with pytest.raises(ShardError):
        await driver.ping(Deadline.after(1.0))
    await process.restart()
    await driver.ping(Deadline.after(60.0))
    for group in groups:
        for uuid, answer in told[group.ref]:
            there = bool((await group.get(Kind.ENTITY, uuid)).rows)
            match answer:
                case WriteOutcome():
                    assert answer.status is WriteStatus.APPLIED
                    assert there
                case OutcomeUnknown():
                    settled = await group.apply(plans[group.ref][1])  # pyright: ignore[reportArgumentType]
                    expected = WriteStatus.DUPLICATE if there else WriteStatus.APPLIED
                    assert settled.status is expected
                case _:
                    assert not there
        assert (await group.fence()).stats == await group.recount()
    await driver.close()


@pytest.mark.timeout(300)
async def test_a_read_outlives_a_restart(process: Neo4jProcess) -> None:
    """Connections that died with the server are replaced without the caller's notice."""
    driver = await _driver(process.url)
    await asyncio.gather(*(driver.ping(soon()) for _ in range(5)))
    await process.restart()
    await asyncio.gather(*(driver.ping(soon()) for _ in range(5)))
    await driver.close()


async def test_a_closed_driver_is_unavailable(neo4j_server: Neo4jServer) -> None:
    """Not opened, or closed, is an error of the shard and not of the program."""
    driver = Neo4jDriver("shard", Neo4jSettings(neo4j_server.url))
    with pytest.raises(ShardUnavailable):
        await driver.ping(soon())
    await driver.open()
    await driver.ping(soon())
    await driver.close()
    with pytest.raises(ShardUnavailable):
        await driver.ping(soon())
    with pytest.raises(DeadlinePassed):
        await driver.ping(Deadline.after(0.0))


_SLOW = "UNWIND range(1, $p.numbers) AS x WITH x WHERE x % 2 = 3 RETURN count(x)"
_LONG = {"numbers": 1_000_000_000}

"""The catalog on a real Redis: compare-and-set, reads that create nothing, typed failures in time."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from drivers.deadline import Deadline
from drivers.fence import Engine
from gateway.embedded import RedisProcess
from shard_router.backoff import Backoff
from shard_router.catalog import RECORDS_PER_ROUND_TRIP_MAX, Catalog, CatalogSettings
from shard_router.catalog_port import KnownShard
from shard_router.errors import CatalogUnavailable
from shard_router.placement import Placement
from shard_router.shard_map import ShardInfo, ShardMapSnapshot
from tests.engines import RedisServer
from tests.eventually import eventually

FLEET = "fleet-1"
SHARDS = (ShardInfo("a", Engine.FALKORDB), ShardInfo("b", Engine.NEO4J, 2.5, "zone-1"))
QUICK = Backoff(first_s=0.01, pause_s_max=0.05)


def soon() -> Deadline:
    return Deadline.after(20)


def settings(prefix: str, call_timeout_s: float = 10.0, **more: float) -> CatalogSettings:
    return CatalogSettings(prefix, call_timeout_s=call_timeout_s, reconnect=QUICK, **more)  # pyright: ignore[reportArgumentType]


def snapshot(version: int, *shards: ShardInfo) -> ShardMapSnapshot:
    return ShardMapSnapshot.of(version, FLEET, shards or SHARDS)


@pytest.fixture
def prefix() -> str:
    """Tests share the server and not a key."""
    return f"test-{token_hex(6)}"


@pytest.fixture
async def catalog(redis_server: RedisServer, prefix: str) -> AsyncGenerator[Catalog]:
    made = Catalog(redis_server.url, settings(prefix))
    await made.claim(FLEET, soon())
    yield made
    await made.close()


@pytest.fixture
async def raw(redis_server: RedisServer) -> AsyncGenerator[Redis]:
    """A client of the test's own, to look behind the catalog or to spoil it."""
    client: Redis = Redis.from_url(redis_server.url, decode_responses=True)
    yield client
    await client.aclose()


# --- the fleet and its map ------------------------------------------------------------------------


async def test_a_prefix_belongs_to_one_fleet(
    redis_server: RedisServer, catalog: Catalog, prefix: str
) -> None:
    """Two fleets with one prefix would mix their placements: the second gets none of them."""
    await catalog.put_placements([Placement("g", "a", "", 1)], soon())
    other = Catalog(redis_server.url, settings(prefix))
    with pytest.raises(CatalogUnavailable, match="not claimed yet"):
        await other.get_placements(["g"], soon())
    with pytest.raises(CatalogUnavailable, match="belong to fleet fleet-1"):
        await other.claim("fleet-2", soon())
    with pytest.raises(CatalogUnavailable, match="belong to fleet fleet-1"):
        await other.get_placements(["g"], soon())
    with pytest.raises(CatalogUnavailable, match="belong to fleet fleet-1"):
        await other.put_map(snapshot(1), 0, soon())
    await other.close()
    await catalog.claim(FLEET, soon())


async def test_the_map_comes_back_as_it_was_put(catalog: Catalog) -> None:
    """Every field of every shard; absent before the first put."""
    assert await catalog.load_map(soon()) is None
    assert await catalog.put_map(snapshot(1), 0, soon())
    assert await catalog.load_map(soon()) == snapshot(1)


async def test_of_many_changes_to_one_version_one_wins(catalog: Catalog) -> None:
    """Two operators cannot overwrite each other's change unseen."""
    for version in range(5):
        won = await asyncio.gather(
            *(catalog.put_map(snapshot(version + 1), version, soon()) for _ in range(20))
        )
        assert won.count(True) == 1
    stored = await catalog.load_map(soon())
    assert stored is not None
    assert stored.version == 5
    assert not await catalog.put_map(snapshot(3), 2, soon())


async def test_changes_are_announced(redis_server: RedisServer, catalog: Catalog, prefix: str) -> None:
    """A watcher learns of a change long before it polls."""
    watcher = Catalog(redis_server.url, settings(prefix, poll_interval_s=3_600.0))
    await watcher.claim(FLEET, soon())
    maps = watcher.watch_map(0)
    await catalog.put_map(snapshot(1), 0, soon())
    async with asyncio.timeout(20):
        seen = [await anext(maps)]
        for version in (2, 3):
            await catalog.put_map(snapshot(version), version - 1, soon())
            seen.append(await anext(maps))
    await maps.aclose()
    await watcher.close()

    assert seen == [snapshot(1), snapshot(2), snapshot(3)]


async def test_unannounced_changes_are_polled(
    redis_server: RedisServer, catalog: Catalog, raw: Redis, prefix: str
) -> None:
    """Polling is the truth: lost announcements, a rollback and an emptied catalog are all seen."""
    watcher = Catalog(redis_server.url, settings(prefix, poll_interval_s=0.02))
    await watcher.claim(FLEET, soon())
    await catalog.put_map(snapshot(5), 0, soon())
    maps = watcher.watch_map(0)
    async with asyncio.timeout(20):
        assert await anext(maps) == snapshot(5)
        older = snapshot(3)
        await raw.hset(f"{prefix}:map", mapping={"version": "3", "body": older.encode().decode()})  # pyright: ignore[reportGeneralTypeIssues]
        assert await anext(maps) == older
        await raw.delete(f"{prefix}:map")
        assert await anext(maps) is None
    await maps.aclose()
    await watcher.close()


# --- placements -----------------------------------------------------------------------------------


async def test_records_keep_the_higher_epoch(catalog: Catalog) -> None:
    """A slow gateway does not undo what a later one recorded; the same epoch may be corrected."""
    newer = Placement("g", "b", "own", 5)
    await catalog.put_placements([newer], soon())
    await catalog.put_placements([Placement("g", "a", "", 4)], soon())
    assert await catalog.get_placements(["g"], soon()) == {"g": newer}

    corrected = Placement("g", "a", "", 5)
    await catalog.put_placements([corrected], soon())
    assert await catalog.get_placements(["g"], soon()) == {"g": corrected}


async def test_epochs_are_compared_as_numbers(catalog: Catalog) -> None:
    """10 is above 9."""
    await catalog.put_placements([Placement("g", "a", "", 9)], soon())
    await catalog.put_placements([Placement("g", "b", "", 10)], soon())

    assert (await catalog.get_placements(["g"], soon()))["g"].epoch == 10


async def test_many_records_take_few_round_trips(catalog: Catalog, raw: Redis) -> None:
    """More groups than one round trip carries, and unknown ones among them."""
    count = RECORDS_PER_ROUND_TRIP_MAX * 2 + 7
    placements = [Placement(f"g:{n}", "a", "", 1) for n in range(count)]
    await catalog.put_placements(placements, soon())
    found = await catalog.get_placements([*(p.group_id for p in placements), "unknown"], soon())

    assert found == {placement.group_id: placement for placement in placements}
    assert await catalog.get_placements([], soon()) == {}


async def test_reading_never_creates(catalog: Catalog, raw: Redis, prefix: str) -> None:
    """Nothing in the catalog grows with the questions that are asked of it."""
    before = {key async for key in raw.scan_iter(f"{prefix}:*")}
    await catalog.get_placements(["x", "y"], soon())
    await catalog.known_shards(soon())
    await catalog.load_map(soon())
    await catalog.ping(soon())

    assert {key async for key in raw.scan_iter(f"{prefix}:*")} == before == {f"{prefix}:fleet"}


# --- what is known of shards ----------------------------------------------------------------------


async def test_the_highest_beat_and_the_first_incarnation_stay(catalog: Catalog) -> None:
    """A gateway on an older copy of a shard cannot make the others forget."""
    assert await catalog.put_known_shard("a", KnownShard("first", 9), soon()) == KnownShard("first", 9)
    assert await catalog.put_known_shard("a", KnownShard("second", 4), soon()) == KnownShard("first", 9)
    assert await catalog.put_known_shard("a", KnownShard("first", 10), soon()) == KnownShard("first", 10)
    await catalog.put_known_shard("b", KnownShard("other", 0), soon())

    assert await catalog.known_shards(soon()) == {"a": KnownShard("first", 10), "b": KnownShard("other", 0)}


async def test_beats_of_many_gateways_leave_the_highest(catalog: Catalog) -> None:
    """The maximum is taken in the server, not between a read and a write."""
    beats = [*range(1, 100)]
    await asyncio.gather(*(catalog.put_known_shard("a", KnownShard("i", beat), soon()) for beat in beats))

    assert (await catalog.known_shards(soon()))["a"].beat == 99


# --- failures -------------------------------------------------------------------------------------


async def test_every_call_of_a_dead_catalog_is_unavailable(tmp_path: Path, prefix: str) -> None:
    """CatalogUnavailable and nothing else, without the address, the user or the password."""
    process = RedisProcess(tmp_path)
    await process.start()
    port = urlsplit(process.url).port
    catalog = Catalog(f"redis://someone:s3cret@127.0.0.1:{port}/0", settings(prefix))
    with pytest.raises(CatalogUnavailable) as refused:
        await catalog.ping(soon())
    await catalog.close()
    catalog = Catalog(process.url, settings(prefix))
    await catalog.claim(FLEET, soon())
    await process.stop()
    calls = [
        catalog.ping(soon()),
        catalog.claim(FLEET, soon()),
        catalog.known_shards(soon()),
        catalog.put_known_shard("a", KnownShard("i", 1), soon()),
        catalog.load_map(soon()),
        catalog.put_map(snapshot(1), 0, soon()),
        catalog.get_placements(["g"], soon()),
        catalog.put_placements([Placement("g", "a", "", 1)], soon()),
    ]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    await catalog.close()

    assert [type(outcome) for outcome in outcomes] == [CatalogUnavailable] * len(calls)
    for error in (*outcomes, refused.value):
        assert not any(secret in str(error) for secret in ("s3cret", "someone", "127.0.0.1", str(port)))


async def test_a_catalog_that_hangs_costs_no_more_than_the_deadline(tmp_path: Path, prefix: str) -> None:
    """And once it goes on, no answer is taken for the answer to another question."""
    process = RedisProcess(tmp_path)
    await process.start()
    catalog = Catalog(process.url, settings(prefix, call_timeout_s=3_600.0))
    await catalog.claim(FLEET, soon())
    await catalog.put_placements([Placement(str(n), str(n), "", 1) for n in range(20)], soon())
    pid = process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        asked = [catalog.get_placements([str(n)], Deadline.after(0.1)) for n in range(20)]
        async with asyncio.timeout(60):
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
    finally:
        os.kill(pid, signal.SIGCONT)

    assert all(isinstance(outcome, CatalogUnavailable) for outcome in outcomes)
    for n in range(20):
        assert await catalog.get_placements([str(n)], soon()) == {str(n): Placement(str(n), str(n), "", 1)}
    await catalog.close()
    await process.stop()


@pytest.mark.parametrize("poll_interval_s", [0.05, 3_600.0])
async def test_a_watcher_outlives_its_server(tmp_path: Path, prefix: str, poll_interval_s: float) -> None:
    """After a crash and a restart of Redis changes arrive again, without a gateway's restart."""
    process = RedisProcess(tmp_path)
    await process.start()
    catalog = Catalog(process.url, settings(prefix, poll_interval_s=poll_interval_s))
    await catalog.claim(FLEET, soon())
    await catalog.put_map(snapshot(1), 0, soon())
    maps = catalog.watch_map(0)
    assert await anext(maps) == snapshot(1)
    waiting = asyncio.ensure_future(anext(maps))
    await process.kill()
    await process.restart()

    async def changed() -> bool:
        try:
            return await catalog.put_map(snapshot(2), 1, soon())
        except CatalogUnavailable:
            return False

    await eventually(changed)
    assert await asyncio.wait_for(waiting, 20) == snapshot(2)
    await maps.aclose()
    await catalog.close()
    await process.stop()


async def test_unreadable_records_are_unavailable(catalog: Catalog, raw: Redis, prefix: str) -> None:
    """A spoilt catalog is no crash and no wrong answer."""
    await raw.set(f"{prefix}:group:g", "not a hash")
    await raw.hset(f"{prefix}:map", mapping={"version": "1", "body": "{"})  # pyright: ignore[reportGeneralTypeIssues]
    await raw.hset(f"{prefix}:group:h", mapping={"shard": "a", "space": "", "epoch": "x"})  # pyright: ignore[reportGeneralTypeIssues]

    for call in (
        catalog.get_placements(["g"], soon()),
        catalog.get_placements(["h"], soon()),
        catalog.load_map(soon()),
    ):
        with pytest.raises(CatalogUnavailable):
            await call


async def test_more_callers_than_connections(redis_server: RedisServer, prefix: str) -> None:
    """The pool is bounded; callers wait for a connection instead of failing."""
    catalog = Catalog(redis_server.url, settings(prefix, connections_max=2))
    await catalog.claim(FLEET, soon())
    found = await asyncio.gather(*(catalog.get_placements([str(n)], soon()) for n in range(200)))
    await catalog.close()

    assert found == [{}] * 200

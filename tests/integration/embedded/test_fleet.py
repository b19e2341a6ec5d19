"""A whole embedded fleet: what survives restarts, crashes of the gateway and of engines, failed starts."""

import asyncio
import signal
from pathlib import Path

import psutil
import pytest
from redis.exceptions import RedisError

from gateway.embedded import CATALOG_ID, EmbeddedFleet
from gateway.embedded.errors import DirectoryInUseError, EngineExitedError, UnknownMemberError
from gateway.embedded.ownership import EngineRecord, write_record
from tests.eventually import eventually
from tests.integration.embedded.processes import alive, foreign_gateway, pids_inside
from tests.integration.embedded.redis_access import graph_rows, redis_client


async def _mark(url: str, name: str) -> None:
    async with redis_client(url) as client:
        await graph_rows(client, f"CREATE (:Mark {{name: '{name}'}})")


async def _marks(url: str) -> list[object]:
    async with redis_client(url) as client:
        return [row[0] for row in await graph_rows(client, "MATCH (m:Mark) RETURN m.name ORDER BY m.name")]


async def test_restart_keeps_shards_data_and_ports(tmp_path: Path):
    """A second run on the same directory has the same shards at the same urls with the same data."""
    async with EmbeddedFleet(tmp_path, falkordb_shards=2) as fleet:
        first = fleet.shards
        catalog_url = fleet.catalog_url
        for shard in first:
            await _mark(shard.url, shard.id)
        async with redis_client(catalog_url) as client:
            await client.set("catalog", "kept")
    assert [shard.id for shard in first] == ["falkordb-0", "falkordb-1"]
    assert [shard.directory for shard in first] == [tmp_path / "falkordb-0", tmp_path / "falkordb-1"]
    assert pids_inside(tmp_path) == set()

    async with EmbeddedFleet(tmp_path, falkordb_shards=2) as fleet:
        assert [(s.id, s.url) for s in fleet.shards] == [(s.id, s.url) for s in first]
        assert fleet.catalog_url == catalog_url
        for shard in fleet.shards:
            assert await _marks(shard.url) == [shard.id.encode()]
        async with redis_client(catalog_url) as client:
            assert await client.get("catalog") == b"kept"


async def test_shards_that_hold_data_start_though_fewer_are_asked(tmp_path: Path):
    """A smaller number never leaves groups behind; an added shard comes back too."""
    async with EmbeddedFleet(tmp_path, falkordb_shards=1) as fleet:
        added = await fleet.add_shard("falkordb")
        assert added.id == "falkordb-1"
        await _mark(added.url, "added")
    async with EmbeddedFleet(tmp_path, falkordb_shards=1) as fleet:
        assert [shard.id for shard in fleet.shards] == ["falkordb-0", "falkordb-1"]
        assert await _marks(fleet.shards[1].url) == [b"added"]


async def test_kill_and_restart_of_one_member(tmp_path: Path):
    """One shard, or the catalog, can crash and come back at its url while the others serve."""
    async with EmbeddedFleet(tmp_path, falkordb_shards=2) as fleet:
        victim, other = fleet.shards
        await _mark(victim.url, "before")
        await fleet.kill(victim.id)
        assert fleet.shards[0].pid is None
        with pytest.raises((RedisError, OSError)):
            await _marks(victim.url)
        await _mark(other.url, "meanwhile")
        await fleet.restart(victim.id)
        assert fleet.shards[0].url == victim.url
        assert fleet.shards[0].pid not in (None, victim.pid)
        assert await _marks(victim.url) == [b"before"]
        assert fleet.pid_of(victim.id) == fleet.shards[0].pid
        assert fleet.directory_of(CATALOG_ID) == tmp_path / CATALOG_ID

        await fleet.kill(CATALOG_ID)
        assert fleet.pid_of(CATALOG_ID) is None
        await fleet.restart(CATALOG_ID)
        async with redis_client(fleet.catalog_url) as client:
            assert await client.ping()
        with pytest.raises(UnknownMemberError, match="falkordb-9"):
            await fleet.kill("falkordb-9")


async def test_a_killed_gateways_engines_are_stopped_in_order(tmp_path: Path):
    """After SIGKILL of the gateway its engines live on; the next start ends them by SIGTERM, takes over ports
    and data, and misses nothing that was acknowledged."""
    async with foreign_gateway(tmp_path, 2) as gateway:
        for number, url in enumerate(gateway.shard_urls):
            await _mark(url, f"m{number}")
        orphans = pids_inside(tmp_path)
        assert orphans > set(gateway.shard_pids)
        await gateway.kill()
        assert pids_inside(tmp_path) == orphans

        async with EmbeddedFleet(tmp_path, falkordb_shards=2) as fleet:
            assert not any(alive(pid) for pid in orphans)
            assert tuple(shard.url for shard in fleet.shards) == gateway.shard_urls
            for number, shard in enumerate(fleet.shards):
                assert await _marks(shard.url) == [f"m{number}".encode()]
            logs = [tmp_path / name / "engine.log" for name in ("falkordb-0", "falkordb-1", CATALOG_ID)]
            assert all("Received SIGTERM" in log.read_text() for log in logs)


async def test_an_orphan_is_found_though_its_pid_was_never_recorded(tmp_path: Path):
    """A gateway killed between starting an engine and noting its pid leaves an orphan that is stopped too."""
    async with foreign_gateway(tmp_path, 1) as gateway:
        owner = psutil.Process(gateway.process.pid)
        record = EngineRecord(owner.pid, owner.create_time())
        orphans = pids_inside(tmp_path)
        await gateway.kill()
        write_record(tmp_path / "falkordb-0", record)
        async with EmbeddedFleet(tmp_path, falkordb_shards=1):
            assert not any(alive(pid) for pid in orphans)


async def test_an_orphan_in_a_shard_that_is_not_started_is_stopped(tmp_path: Path):
    """A shard that was never ready is not started again, but its engine does not live on either."""
    async with foreign_gateway(tmp_path, 2) as gateway:
        orphans = pids_inside(tmp_path)
        await gateway.kill()
        (tmp_path / "falkordb-1" / "port").unlink()
        async with EmbeddedFleet(tmp_path, falkordb_shards=1) as fleet:
            assert [shard.id for shard in fleet.shards] == ["falkordb-0"]
            assert not any(alive(pid) for pid in orphans)


async def test_a_second_gateway_is_refused(tmp_path: Path):
    """The data directory of a living gateway is refused by its pid, and its engines are left alone; once that
    gateway is stopped the directory is free."""
    async with foreign_gateway(tmp_path, 1) as gateway:
        engines = pids_inside(tmp_path)
        with pytest.raises(DirectoryInUseError, match="stop that gateway") as failure:
            async with EmbeddedFleet(tmp_path, falkordb_shards=1):
                pass
        assert failure.value.pid == gateway.process.pid
        assert pids_inside(tmp_path) == engines
        gateway.process.send_signal(signal.SIGINT)
        await gateway.process.wait()
        assert pids_inside(tmp_path) == set()
        async with EmbeddedFleet(tmp_path, falkordb_shards=1) as fleet:
            assert len(fleet.shards) == 1


async def test_two_fleets_in_one_process_do_not_share_a_directory(tmp_path: Path):
    """The lock is the fleet's, in one process as well and even while none of its engines runs."""
    async with EmbeddedFleet(tmp_path, falkordb_shards=1) as fleet:
        await fleet.kill("falkordb-0")
        await fleet.kill(CATALOG_ID)
        with pytest.raises(DirectoryInUseError):
            await EmbeddedFleet(tmp_path, falkordb_shards=1).__aenter__()
        assert pids_inside(tmp_path) == set()


async def test_a_failed_start_leaves_nothing_running(tmp_path: Path):
    """If one engine cannot start, the others are stopped, its error is raised, the directory is free."""
    async with EmbeddedFleet(tmp_path, falkordb_shards=3) as fleet:
        broken = fleet.shards[1].directory / "appendonlydir" / "appendonly.aof.manifest"
    good = broken.read_text()
    broken.write_text("nonsense\n")
    with pytest.raises(EngineExitedError, match="falkordb-1"):
        await EmbeddedFleet(tmp_path, falkordb_shards=3).__aenter__()
    assert pids_inside(tmp_path) == set()

    broken.write_text(good)
    async with EmbeddedFleet(tmp_path, falkordb_shards=3) as fleet:
        assert len(fleet.shards) == 3


async def test_a_cancelled_start_leaves_nothing_running(tmp_path: Path):
    """A gateway that is interrupted while its engines start ends them."""
    start = asyncio.create_task(EmbeddedFleet(tmp_path, falkordb_shards=3).__aenter__())
    await eventually(lambda: pids_inside(tmp_path))
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert pids_inside(tmp_path) == set()


@pytest.mark.parametrize(("falkordb", "neo4j"), [(0, 0), (-1, 2), (60, 5)])
def test_size_is_bounded(tmp_path: Path, falkordb: int, neo4j: int):
    """A fleet without a shard or beyond its limit is refused before anything is touched."""
    with pytest.raises(ValueError, match=r"1\.\.64 shards"):
        EmbeddedFleet(tmp_path / "new", falkordb_shards=falkordb, neo4j_shards=neo4j)
    assert not (tmp_path / "new").exists()

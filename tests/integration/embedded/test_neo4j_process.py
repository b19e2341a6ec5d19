"""Neo4j as a child process: its life cycle, its password, its place in a fleet."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from neo4j import AsyncDriver, AsyncGraphDatabase
from neo4j.exceptions import AuthError

from gateway.embedded import EmbeddedFleet, Neo4jProcess, find_neo4j_lib
from gateway.embedded.class_archive import class_archive, fits
from gateway.embedded.errors import EngineExitedError, EngineNotInstalledError
from gateway.embedded.ownership import lock_holder, works_in
from tests.engines import Neo4jServer
from tests.integration.embedded.processes import pids_inside

# A start takes four seconds of an idle processor and much longer on a machine that others use as well.
pytestmark = [pytest.mark.usefixtures("neo4j_installed"), pytest.mark.timeout(300)]


@asynccontextmanager
async def _driver(url: str, auth: tuple[str, str] | None = None) -> AsyncGenerator[AsyncDriver]:
    driver = AsyncGraphDatabase.driver(url, auth=auth)
    try:
        yield driver
    finally:
        await driver.close()


async def _names(driver: AsyncDriver) -> list[str]:
    answer = await driver.execute_query(
        "MATCH (m:Mark) RETURN m.name AS name ORDER BY name", database_="neo4j"
    )
    return [record["name"] for record in answer.records]


async def _mark(driver: AsyncDriver, name: str) -> None:
    await driver.execute_query("CREATE (:Mark {name: $name})", {"name": name}, database_="neo4j")


async def test_settings_are_in_force(neo4j_server: Neo4jServer):
    """Timeouts end in time, lock waits are bounded, and the log of transactions stays small on the disk."""
    expected = {
        "db.transaction.timeout": "1m",
        "db.transaction.monitor.check.interval": "200ms",
        "db.lock.acquisition.timeout": "10s",
        "db.tx_log.rotation.retention_policy": "100M size",
        "db.tx_log.preallocate": "false",
    }
    async with _driver(neo4j_server.url) as driver:
        answer = await driver.execute_query(
            "SHOW SETTINGS YIELD name, value WHERE name IN $names RETURN name, value",
            {"names": list(expected)},
        )
    assert {record["name"]: record["value"] for record in answer.records} == expected
    logs = (neo4j_server.process.directory / "data" / "transactions").rglob("neostore*")
    assert sum(log.stat().st_blocks * 512 for log in logs) < 64 * 1024 * 1024


async def test_stop_kill_and_restart_keep_data_and_port(tmp_path: Path):
    """Committed rows and the address survive an orderly stop and a crash."""
    first = Neo4jProcess(tmp_path, find_neo4j_lib(), short_lived=True)
    await first.start()
    async with _driver(first.url) as driver:
        await _mark(driver, "a")
    await first.stop()
    assert first.returncode == 0

    second = Neo4jProcess(tmp_path, find_neo4j_lib(), short_lived=True)
    await second.start()
    try:
        assert second.url == first.url
        async with _driver(second.url) as driver:
            assert await _names(driver) == ["a"]
            await _mark(driver, "b")
        await second.kill()
        assert second.returncode == -9
        await second.restart()
        assert second.url == first.url
        async with _driver(second.url) as driver:
            assert await _names(driver) == ["a", "b"]
    finally:
        await second.stop()
    assert pids_inside(tmp_path) == set()


def test_an_orphan_would_be_recognised(neo4j_server: Neo4jServer):
    """Java keeps the inherited lock open and shows the directory in its command line, as a start that looks
    for orphans needs it."""
    holder = lock_holder(neo4j_server.process.directory)
    assert holder is not None
    assert holder.pid == neo4j_server.process.pid
    assert works_in(holder, neo4j_server.process.directory)


async def test_password_is_asked_for_and_shown_nowhere(tmp_path: Path):
    """With a password none gets in without it, and it stands in no command line and no file of ours."""
    password = 'a "strange\\ pass#word é'
    engine = Neo4jProcess(tmp_path, find_neo4j_lib(), password=password, short_lived=True)
    await engine.start()
    try:
        async with _driver(engine.url, ("neo4j", password)) as driver:
            await _mark(driver, "a")
        async with _driver(engine.url, ("neo4j", "another password")) as driver:
            with pytest.raises(AuthError):
                await driver.verify_connectivity()
        pid = engine.pid
        assert pid is not None
        assert "strange" not in " ".join(psutil.Process(pid).cmdline()) + engine.url
        ours = [engine.log_file, *(tmp_path / "conf").iterdir()]
        assert not [path.name for path in ours if "strange" in path.read_text()]
    finally:
        await engine.stop()


async def test_jars_that_are_no_neo4j(tmp_path: Path):
    """A start that Java gives up on is a typed error with Java's own words, and nothing is left running."""
    lib = tmp_path / "lib"
    lib.mkdir()
    with pytest.raises(EngineExitedError, match="CommunityEntryPoint"):
        await Neo4jProcess(tmp_path / "home", lib).start()
    assert pids_inside(tmp_path) == set()


async def test_missing_jars_are_named_before_anything_is_made(tmp_path: Path):
    """Without jars the error says what to run, and no directory is left behind."""
    with pytest.raises(EngineNotInstalledError, match="make neo4j"):
        await Neo4jProcess(tmp_path / "home", tmp_path / "nowhere").start()
    assert not (tmp_path / "home").exists()


async def test_a_fleet_of_both_engines(tmp_path: Path):
    """Shards of both engines run side by side; when the Neo4j shard fails, nothing of the rest stays up."""
    async with EmbeddedFleet(tmp_path, falkordb_shards=1, neo4j_shards=1, neo4j_short_lived=True) as fleet:
        assert [(shard.id, shard.engine) for shard in fleet.shards] == [
            ("falkordb-0", "falkordb"),
            ("neo4j-0", "neo4j"),
        ]
        async with _driver(fleet.shards[1].url) as driver:
            await driver.verify_connectivity()
    lib = tmp_path / "lib"
    lib.mkdir()
    with pytest.raises(EngineExitedError, match="Neo4j"):
        await EmbeddedFleet(tmp_path, falkordb_shards=1, neo4j_shards=1, neo4j_lib_dir=lib).__aenter__()
    assert pids_inside(tmp_path) == set()


async def test_a_server_maps_the_archive_of_its_classes(neo4j_server: Neo4jServer):
    """Where one was made, as by `make test`, a start does not read each class anew."""
    lib_dir = find_neo4j_lib()
    assert lib_dir is not None
    archive = class_archive(lib_dir).resolve()
    maps = psutil.Process(neo4j_server.process.pid).memory_maps()
    # The name of a file that was replaced since has more behind it.
    mapped = any(entry.path.startswith(str(archive)) for entry in maps)
    assert mapped == fits("java", lib_dir, archive)


async def test_half_an_archive_does_not_fit(tmp_path: Path):
    """What a killed server has left must not get the archive's name: a JVM crashes on it."""
    lib_dir = find_neo4j_lib()
    assert lib_dir is not None
    archive, half = class_archive(lib_dir), tmp_path / "half.jsa"
    if archive.is_file():
        half.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    assert not fits("java", lib_dir, half)


async def test_an_archive_of_something_else_is_no_obstacle(tmp_path: Path):
    """The server starts without it."""
    found = find_neo4j_lib()
    assert found is not None
    lib_dir = tmp_path / "lib"
    lib_dir.symlink_to(found, target_is_directory=True)
    class_archive(lib_dir).write_bytes(b"of an older virtual machine" * 1_000)
    assert not fits("java", lib_dir, class_archive(lib_dir))
    engine = Neo4jProcess(tmp_path / "home", lib_dir, short_lived=True)
    await engine.start()
    await engine.stop()

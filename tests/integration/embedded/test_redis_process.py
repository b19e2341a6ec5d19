"""A single engine process: what a start, a stop, a crash and a restart promise, shown on Redis."""

import asyncio
import os
import socket
import stat
from pathlib import Path

import psutil
import pytest
from redis.exceptions import AuthenticationError

from gateway.embedded import AppendFsync, RedisProcess
from gateway.embedded.errors import (
    EngineExitedError,
    EngineStartTimeoutError,
    PortTakenError,
)
from gateway.embedded.ownership import read_record
from tests.engines import RedisServer
from tests.eventually import eventually
from tests.integration.embedded.processes import pids_inside
from tests.integration.embedded.redis_access import redis_client


async def test_shared_server_serves(redis_server: RedisServer):
    """The session's fixture yields a server that takes writes at the url it names."""
    async with redis_client(redis_server.url) as client:
        await client.set("shared", "yes")
        assert await client.get("shared") == b"yes"
    assert redis_server.process.is_running


async def test_restart_keeps_data_and_port(tmp_path: Path):
    """What was written and the address survive a stop and a start by another process object."""
    first = RedisProcess(tmp_path)
    await first.start()
    async with redis_client(first.url) as client:
        await client.set("k", "v")
    await first.stop()
    assert first.returncode == 0
    assert first.pid is None

    second = RedisProcess(tmp_path)
    await second.start()
    try:
        assert second.url == first.url
        async with redis_client(second.url) as client:
            assert await client.get("k") == b"v"
    finally:
        await second.stop()


async def test_restart_of_a_running_engine(tmp_path: Path):
    """restart() replaces the process and keeps url and data."""
    engine = RedisProcess(tmp_path)
    await engine.start()
    try:
        url, pid = engine.url, engine.pid
        async with redis_client(url) as client:
            await client.set("k", "v")
        await engine.restart()
        assert engine.url == url
        assert engine.pid != pid
        async with redis_client(url) as client:
            assert await client.get("k") == b"v"
    finally:
        await engine.stop()


async def test_ready_means_loaded(tmp_path: Path):
    """start() returns when the data is there, not when the engine first answers."""

    class Slow(RedisProcess):
        def _config_lines(self, port: int) -> list[str]:
            return [*super()._config_lines(port), "key-load-delay 50"]

    engine = Slow(tmp_path)
    await engine.start()
    try:
        async with redis_client(engine.url) as client, client.pipeline(transaction=False) as pipeline:
            # Many, because Redis looks after its clients once in 1,024 replayed commands.
            for i in range(20_000):
                pipeline.set(f"k{i}", "v")
            await pipeline.execute()
        await engine.restart()
        async with redis_client(engine.url) as client:
            assert await client.dbsize() == 20_000
    finally:
        await engine.stop()


async def test_an_interrupt_at_the_terminal_does_not_reach_the_engine(tmp_path: Path):
    """The engine is outside the group of processes that the signal goes to: the gateway stops it in order."""
    engine = RedisProcess(tmp_path)
    await engine.start()
    try:
        assert engine.pid is not None
        assert os.getpgid(engine.pid) == engine.pid
    finally:
        await engine.stop()


async def test_kill_is_a_crash_and_is_seen(tmp_path: Path):
    """kill() gives no time to the engine, and wait() reports how it ended."""
    engine = RedisProcess(tmp_path)
    await engine.start()
    waiting = asyncio.create_task(engine.wait())
    await engine.kill()
    assert await waiting == -9
    assert engine.returncode == -9
    assert pids_inside(tmp_path) == set()


async def test_default_survives_a_killed_process_and_a_power_cut(tmp_path: Path):
    """The default forces each write to the disk before the answer: `everysec` loses acknowledged writes of a
    process that is killed while a sync runs."""
    engine = RedisProcess(tmp_path)
    await engine.start()
    try:
        async with redis_client(engine.url) as client:
            assert (await client.config_get("appendfsync", "appendonly", "save")) == {
                "appendfsync": "always",
                "appendonly": "yes",
                "save": "",
            }
    finally:
        await engine.stop()


async def test_append_fsync_is_the_callers_choice(tmp_path: Path):
    """The constructor's option reaches the engine."""
    engine = RedisProcess(tmp_path, append_fsync=AppendFsync.EVERYSEC)
    await engine.start()
    try:
        async with redis_client(engine.url) as client:
            assert (await client.config_get("appendfsync"))["appendfsync"] == "everysec"
    finally:
        await engine.stop()


async def test_password_is_asked_for_and_shown_nowhere(tmp_path: Path):
    """With a password none gets in without it, and no command line, url, log or file mode tells it."""
    password = 'a "strange\\ pass#word é'
    directory = tmp_path / 'dir with "blanks" é'
    engine = RedisProcess(directory, password=password)
    await engine.start()
    try:
        async with redis_client(engine.url, password) as client:
            assert await client.ping()
        async with redis_client(engine.url) as client:
            with pytest.raises(AuthenticationError):
                await client.ping()
        pid = engine.pid
        assert pid is not None
        assert "strange" not in " ".join(psutil.Process(pid).cmdline()) + engine.url
        assert "strange" not in engine.log_file.read_text()
        mode = stat.S_IMODE((directory / "redis.conf").stat().st_mode)
        assert mode & 0o077 == 0
    finally:
        await engine.stop()


async def test_exit_at_start_is_a_typed_error_with_the_log(tmp_path: Path):
    """An engine that cannot load its data says why in the error, and nothing is left running."""
    engine = RedisProcess(tmp_path)
    await engine.start()
    await engine.stop()
    manifest = tmp_path / "appendonlydir" / "appendonly.aof.manifest"
    manifest.write_text("nonsense\n")
    with pytest.raises(EngineExitedError, match="manifest") as failure:
        await engine.start()
    assert failure.value.returncode == 1
    assert "Redis ended with code 1" in str(failure.value)
    assert pids_inside(tmp_path) == set()
    assert read_record(tmp_path) is None


async def test_log_of_an_error_is_that_of_this_start(tmp_path: Path):
    """The tail in an error holds no lines of earlier starts."""
    engine = RedisProcess(tmp_path)
    await engine.start()
    await engine.stop()
    assert "bye bye" in engine.log_file.read_text()
    (tmp_path / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(EngineExitedError) as failure:
        await engine.start()
    assert "bye bye" not in failure.value.log_tail


async def test_start_timeout_leaves_nothing(tmp_path: Path):
    """An engine that lives but does not answer in time is killed."""

    class Deaf(RedisProcess):
        async def _answers(self, pid: int, port: int) -> bool:
            return False

    with pytest.raises(EngineStartTimeoutError, match=r"0\.1 s"):
        await Deaf(tmp_path, start_timeout_s=0.1).start()
    assert pids_inside(tmp_path) == set()


async def test_cancelled_start_leaves_nothing(tmp_path: Path):
    """Cancelling a start ends the process that it had begun."""

    class Deaf(RedisProcess):
        async def _answers(self, pid: int, port: int) -> bool:
            return False

    start = asyncio.create_task(Deaf(tmp_path).start())
    await eventually(lambda: pids_inside(tmp_path))
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert pids_inside(tmp_path) == set()


async def test_an_answer_of_another_server_is_not_readiness(tmp_path: Path, redis_server: RedisServer):
    """A server that happens to listen on the port is not taken for the engine."""
    engine = RedisProcess(tmp_path)
    pid = redis_server.process.pid
    assert pid is not None
    assert await engine._answers(pid, redis_server.process.port)
    assert not await engine._answers(pid + 1, redis_server.process.port)


async def test_remembered_port_that_is_taken_is_replaced(tmp_path: Path):
    """A new start does without its old port if another process has it now."""
    engine = RedisProcess(tmp_path)
    await engine.start()
    await engine.stop()
    with socket.create_server(("127.0.0.1", engine.port)) as squatter:
        again = RedisProcess(tmp_path)
        await again.start()
        try:
            assert again.port != squatter.getsockname()[1]
        finally:
            await again.stop()


async def test_fixed_and_known_ports_are_never_replaced(tmp_path: Path):
    """A port that the caller gave, or that clients know, is an error when it is taken."""
    engine = RedisProcess(tmp_path)
    await engine.start()
    await engine.kill()
    with socket.create_server(("127.0.0.1", engine.port)):
        with pytest.raises(PortTakenError, match=str(engine.port)):
            await engine.restart()
        with pytest.raises(PortTakenError):
            await RedisProcess(tmp_path / "other", port=engine.port).start()

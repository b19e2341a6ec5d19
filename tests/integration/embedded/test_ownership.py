"""Whose directory it is: what a start does when somebody works there, or seems to. Shown on Redis."""

import asyncio
import sys
from pathlib import Path

import psutil
import pytest

from gateway.embedded import RedisProcess
from gateway.embedded.errors import DirectoryInUseError, EngineStateError
from gateway.embedded.ownership import EngineRecord, write_record
from tests.integration.embedded.processes import alive


async def test_two_owners_of_one_directory(tmp_path: Path):
    """A directory whose engine runs for a living gateway is refused, and that engine is left alone."""
    engine = RedisProcess(tmp_path)
    await engine.start()
    try:
        with pytest.raises(DirectoryInUseError) as failure:
            await RedisProcess(tmp_path).start()
        assert failure.value.pid == psutil.Process().pid
        with pytest.raises(EngineStateError, match="runs already"):
            await engine.start()
        assert engine.is_running
    finally:
        await engine.stop()


async def test_an_engine_without_any_record_still_guards_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The inherited lock keeps a second engine off the files even when the record is lost."""
    monkeypatch.setattr("gateway.embedded.ownership._KILL_WAIT_S", 0.1)
    engine = RedisProcess(tmp_path)
    await engine.start()
    try:
        (tmp_path / "engine.pid").unlink()
        with pytest.raises(DirectoryInUseError) as failure:
            await RedisProcess(tmp_path).start()
        assert failure.value.pid == engine.pid
        assert engine.is_running
    finally:
        await engine.stop()


@pytest.mark.parametrize(
    ("created_shift_s", "names_a_file_inside"),
    [
        pytest.param(-3600.0, True, id="another start time"),
        pytest.param(0.0, False, id="another command line"),
    ],
)
async def test_a_stranger_with_the_recorded_pid_is_not_touched(
    tmp_path: Path, created_shift_s: float, names_a_file_inside: bool
):
    """A process that was given the pid of a dead engine survives the next start of that engine."""
    argument = str(tmp_path / "redis.conf") if names_a_file_inside else "elsewhere"
    stranger = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import time; time.sleep(600)", argument
    )
    try:
        created_at_s = psutil.Process(stranger.pid).create_time() + created_shift_s
        dead_owner = EngineRecord(2**22 + 1, 1.0, stranger.pid, created_at_s)
        write_record(tmp_path, dead_owner)
        engine = RedisProcess(tmp_path)
        await engine.start()
        await engine.stop()
        assert alive(stranger.pid)
    finally:
        stranger.kill()
        await stranger.wait()

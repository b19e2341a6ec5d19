"""Who works in a directory: locks that die with their holder, and the record of an engine's process.

Two mechanisms, for either alone has a hole:

- a lock (flock) that only the kernel takes away, at the very death of the holder. The gateway holds one on
  the data directory; an engine's process inherits one on its own directory, so that two engines can never
  write the same files, not even when every record is lost.
- a record (`engine.pid`) that names the engine's process and the gateway that started it, so that an engine
  left behind by a killed gateway (an orphan) is found and stopped.
"""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson
import psutil

from gateway.embedded.errors import DirectoryInUseError, OrphanStopError

# The operating system derives a start time from the boot time, which follows corrections of the clock.
_CLOCK_SLACK_S = 2.0
_POLL_INTERVAL_S = 0.02
# After SIGKILL an engine only has to be taken down by the kernel, and a forked child of it to notice.
_KILL_WAIT_S = 5.0

_RECORD_FILE = "engine.pid"
_ENGINE_LOCK_FILE = "engine.lock"
_GATEWAY_LOCK_FILE = "gateway.lock"


@dataclass(frozen=True, slots=True)
class EngineRecord:
    """Who runs in an engine's directory, and for whom. Times are seconds since the epoch."""

    owner_pid: int
    """The gateway that started the engine."""
    owner_created_at_s: float
    pid: int | None = None
    """The engine; None from just before it is started until its pid is known."""
    created_at_s: float | None = None


def record_owned_by_this_process(engine: psutil.Process | None) -> EngineRecord:
    """The record of `engine` (None: about to be started) with this process as its owner."""
    owner = psutil.Process()
    if engine is None:
        return EngineRecord(owner.pid, owner.create_time())
    return EngineRecord(owner.pid, owner.create_time(), engine.pid, engine.create_time())


def write_record(directory: Path, record: EngineRecord) -> None:
    """Replace the record of `directory` in one step: a reader sees the old or the new one, whole."""
    draft = directory / f"{_RECORD_FILE}.new"
    draft.write_bytes(orjson.dumps(record))
    draft.replace(directory / _RECORD_FILE)


def read_record(directory: Path) -> EngineRecord | None:
    """The record of `directory`; None if there is none or it is no record of ours."""
    try:
        fields = orjson.loads((directory / _RECORD_FILE).read_bytes())
        return EngineRecord(**fields)
    except (FileNotFoundError, NotADirectoryError, orjson.JSONDecodeError, TypeError):
        return None


def forget_record(directory: Path) -> None:
    """Remove the record of `directory`, if there is one."""
    (directory / _RECORD_FILE).unlink(missing_ok=True)


def living_process(pid: int, created_at_s: float) -> psutil.Process | None:
    """The process `pid` if it lives and is the one that was created then, not a later one of that number."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - created_at_s) < _CLOCK_SLACK_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def works_in(process: psutil.Process, directory: Path) -> bool:
    """Whether the command line of `process` names a file inside `directory`."""
    try:
        return any(f"{directory}{os.sep}" in argument for argument in process.cmdline())
    except psutil.Error:
        return False


def lock_holder(directory: Path) -> psutil.Process | None:
    """A process that has the engine's lock file in `directory` open, None if none is to be seen."""
    lock = str(directory / _ENGINE_LOCK_FILE)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and any(file.path == lock for file in process.open_files()):
                return process
    return None


def find_orphan(directory: Path) -> psutil.Process | None:
    """The living engine in `directory` whose gateway is dead, None if there is none.

    An engine counts only if pid, start time and command line all fit, so that no stranger that was given the
    pid of a dead engine is ever stopped. If the record has no pid, because the gateway was killed in the step
    of starting the engine, the holder of the engine's lock counts, if its command line fits. Raises
    DirectoryInUseError if the gateway that owns the engine lives.
    """
    record = read_record(directory)
    if record is None:
        return None
    if record.pid is None or record.created_at_s is None:
        engine = lock_holder(directory)
    else:
        engine = living_process(record.pid, record.created_at_s)
    if engine is None or not works_in(engine, directory):
        return None
    if living_process(record.owner_pid, record.owner_created_at_s) is not None:
        raise DirectoryInUseError(
            directory,
            record.owner_pid,
            f"its engine is process {engine.pid}; stop that gateway or use another directory",
        )
    return engine


async def stop_orphan(directory: Path, grace_s: float) -> int | None:
    """Stop the orphan in `directory`: SIGTERM, so that it flushes its log, and SIGKILL after `grace_s`.

    Returns its pid, None if there was none. Raises DirectoryInUseError and OrphanStopError.
    """
    orphan = find_orphan(directory)
    if orphan is None:
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        orphan.terminate()
        if not await _ended(orphan, grace_s):
            orphan.kill()
            if not await _ended(orphan, _KILL_WAIT_S):
                raise OrphanStopError(directory, orphan.pid)
    forget_record(directory)
    return orphan.pid


async def _ended(process: psutil.Process, timeout_s: float) -> bool:
    return await _becomes(
        lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, timeout_s
    )


async def _becomes(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_INTERVAL_S)
    return True


async def engine_lock(directory: Path) -> int:
    """A descriptor that holds the lock of the engine's directory, to be inherited by the engine's process.

    The lock lasts until the last process that has the descriptor is gone. The caller closes its own copy once
    the engine runs. Waits a short while, for a child that a killed engine forked to rewrite its log holds the
    lock until it notices. Raises DirectoryInUseError.
    """
    descriptor = os.open(directory / _ENGINE_LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        locked = await _becomes(lambda: _try_lock(descriptor), _KILL_WAIT_S)
    except BaseException:
        os.close(descriptor)
        raise
    if not locked:
        os.close(descriptor)
        holder = lock_holder(directory)
        raise DirectoryInUseError(
            directory,
            holder.pid if holder else None,
            f"it holds {_ENGINE_LOCK_FILE} there, and no dead gateway is on record as its owner; "
            "stop it with SIGTERM, then start again",
        )
    return descriptor


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class DataDirectoryLock:
    """The right of one gateway to a data directory; it ends with `release` or with the process."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock or raise DirectoryInUseError, which names the gateway that has it."""
        path = self._data_dir / _GATEWAY_LOCK_FILE
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _try_lock(descriptor):
            holder = os.pread(descriptor, 32, 0)
            os.close(descriptor)
            raise DirectoryInUseError(
                self._data_dir,
                int(holder) if holder.strip().isdigit() else None,
                "stop that gateway or give this one another data directory",
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; does nothing if it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

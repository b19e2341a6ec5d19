"""One engine as a child process: start it, know when it answers, stop it, kill it, start it again."""

import asyncio
import contextlib
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, ClassVar

import psutil

from gateway.embedded.errors import (
    EngineExitedError,
    EngineStartTimeoutError,
    EngineStateError,
    PortTakenError,
)
from gateway.embedded.ownership import (
    engine_lock,
    forget_record,
    record_owned_by_this_process,
    stop_orphan,
    write_record,
)
from gateway.embedded.ports import free_port, is_port_free, remember_port, remembered_port

STOP_GRACE_S = 20.0
"""Default seconds between SIGTERM and SIGKILL."""

_PORT_ATTEMPTS_MAX = 3
_PROBE_TIMEOUT_S = 2.0
_LOG_FILE = "engine.log"
_LOG_BYTES_MAX = 8 * 1024 * 1024
_LOG_TAIL_BYTES = 4096
_LOG_TAIL_LINES = 20


class EngineProcess(ABC):
    """A server on 127.0.0.1 that keeps all that it has in one directory.

    The process gets a session of its own, so that an interrupt typed at the gateway's terminal does not reach
    it: the gateway stops it in order. stdout and stderr go to `engine.log` in the directory, which is renamed
    to `engine.log.1` at a start that finds it over 8 MiB. A record in the directory lets the next start find
    and stop an engine that a killed gateway left behind.

    start, stop, kill and restart are not to be called at the same time by several tasks.
    """

    engine: ClassVar[str]
    """Name of the engine, for messages."""
    probe_interval_s: ClassVar[float] = 0.02
    """Pause between two questions whether the engine is ready."""

    def __init__(self, directory: Path, *, port: int | None, start_timeout_s: float) -> None:
        """`port` None: the one that the directory remembers if it is free, else any free one."""
        self._directory = directory.resolve()
        self._fixed_port = port
        self._port = port
        self._start_timeout_s = start_timeout_s
        self._process: asyncio.subprocess.Process | None = None
        self._log_offset = 0

    @property
    def directory(self) -> Path:
        """Absolute path of the engine's directory."""
        return self._directory

    @property
    def log_file(self) -> Path:
        """Where stdout and stderr of the engine go."""
        return self._directory / _LOG_FILE

    @property
    def port(self) -> int:
        """The port on 127.0.0.1. Raises EngineStateError before the first start if none was given."""
        if self._port is None:
            raise EngineStateError(f"{self.engine} in {self._directory} has no port before its first start")
        return self._port

    @property
    @abstractmethod
    def url(self) -> str:
        """Address for the engine's driver, without user and password."""

    @property
    def pid(self) -> int | None:
        """Pid of the running process, None if none runs."""
        return self._process.pid if self._process is not None and self.is_running else None

    @property
    def returncode(self) -> int | None:
        """Exit code of the last process (negative: the signal), None while it runs or before any start."""
        return self._process.returncode if self._process is not None else None

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the engine and return once it answers on its port with its data loaded.

        An orphan of a dead gateway in the directory is stopped first. Whatever is raised, also at
        cancellation, no process is left behind. Raises EngineStateError, EngineNotInstalledError,
        DirectoryInUseError, OrphanStopError, PortTakenError, NoFreePortError, EngineExitedError and
        EngineStartTimeoutError.
        """
        await self._start(keep_port=False)

    async def restart(self, grace_s: float = STOP_GRACE_S) -> None:
        """Stop the engine if it runs and start it on the same port, which its clients know.

        Raises what `start` raises; PortTakenError if the port was lost meanwhile.
        """
        await self.stop(grace_s)
        await self._start(keep_port=self._port is not None)

    async def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """End the process by SIGTERM, after `grace_s` by SIGKILL; does nothing if none runs.

        When it is cancelled it kills the process instead of waiting.
        """
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(grace_s):
                await process.wait()
        except TimeoutError:
            await self.kill()
        except BaseException:
            self._send_sigkill(process)
            raise
        forget_record(self._directory)

    async def kill(self) -> None:
        """End the process by SIGKILL, as a crash would; does nothing if none runs."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._send_sigkill(process)
        await process.wait()
        forget_record(self._directory)

    async def wait(self) -> int:
        """Wait until the process ends and return its exit code. Raises EngineStateError before any start."""
        if self._process is None:
            raise EngineStateError(f"{self.engine} in {self._directory} was never started")
        return await self._process.wait()

    @abstractmethod
    async def _prepare(self) -> None:
        """Check that the engine is installed; runs before the directory is touched."""

    @abstractmethod
    async def _command(self, port: int) -> Sequence[str]:
        """Write the engine's configuration for `port` into the directory and return its command line.

        The command line must name a file inside the directory: that is how an orphan is recognised.
        """

    @abstractmethod
    async def _answers(self, pid: int, port: int) -> bool:
        """Ask whether the engine is ready, and make sure that process `pid` is the one that answers."""

    async def _start(self, *, keep_port: bool) -> None:
        if self.is_running:
            raise EngineStateError(f"{self.engine} in {self._directory} runs already as process {self.pid}")
        await self._prepare()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        await stop_orphan(self._directory, STOP_GRACE_S)
        lock = await engine_lock(self._directory)
        try:
            if keep_port or self._fixed_port is not None:
                if not is_port_free(self.port):
                    raise PortTakenError(self.engine, self.port)
                await self._start_on(self.port, lock)
            else:
                await self._start_on_chosen_port(lock)
        finally:
            os.close(lock)
        remember_port(self._directory, self.port)

    async def _start_on_chosen_port(self, lock: int) -> None:
        remembered = remembered_port(self._directory)
        port = remembered if remembered is not None and is_port_free(remembered) else free_port()
        for attempts_left in reversed(range(_PORT_ATTEMPTS_MAX)):
            try:
                await self._start_on(port, lock)
            except EngineExitedError:
                # Somebody else may have taken the port between the look and the engine's bind.
                if attempts_left == 0 or is_port_free(port):
                    raise
                port = free_port()
            else:
                self._port = port
                return

    async def _start_on(self, port: int, lock: int) -> None:
        command = await self._command(port)
        # Before the process: if the gateway is killed between the two steps, its successor knows to look.
        write_record(self._directory, record_owned_by_this_process(None))
        try:
            process = await self._spawn(command, lock)
            with contextlib.suppress(psutil.NoSuchProcess):
                write_record(self._directory, record_owned_by_this_process(psutil.Process(process.pid)))
            await self._until_ready(process, port)
        except BaseException:
            await self.kill()
            forget_record(self._directory)
            raise

    async def _spawn(self, command: Sequence[str], lock: int) -> asyncio.subprocess.Process:
        with self._open_log() as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                cwd=self._directory,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock,),
            )
        return self._process

    async def _until_ready(self, process: asyncio.subprocess.Process, port: int) -> None:
        deadline = time.monotonic() + self._start_timeout_s
        while not await self._answers_in_time(process.pid, port):
            if process.returncode is not None:
                raise EngineExitedError(self.engine, process.returncode, self._directory, self._log_tail())
            if time.monotonic() > deadline:
                raise EngineStartTimeoutError(
                    self.engine, self._start_timeout_s, self._directory, self._log_tail()
                )
            await asyncio.sleep(self.probe_interval_s)

    async def _answers_in_time(self, pid: int, port: int) -> bool:
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT_S):
                return await self._answers(pid, port)
        except TimeoutError:
            return False

    def _open_log(self) -> BinaryIO:
        path = self.log_file
        if path.exists() and path.stat().st_size > _LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
        log = path.open("ab")
        self._log_offset = log.tell()
        return log

    def _log_tail(self) -> str:
        with self.log_file.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_offset, end - _LOG_TAIL_BYTES))
            text = log.read().decode(errors="replace")
        return "\n".join(text.splitlines()[-_LOG_TAIL_LINES:])

    @staticmethod
    def _send_sigkill(process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()

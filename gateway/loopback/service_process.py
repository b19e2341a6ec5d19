"""A `graphgate` command that runs until it is told to end, as a process of its own that can be killed."""

import asyncio
import contextlib
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import orjson

from gateway.embedded import EmbeddedFleet
from gateway.loopback.errors import GatewayProcessError

READY_TIMEOUT_S = 60.0
STOP_GRACE_S = 20.0
_PROBE_INTERVAL_S = 0.05
_LOG_TAIL_LINES = 30
_SETTINGS_PREFIX = "GRAPHGATE_"


class ServiceProcess(ABC):
    """Context manager: inside, the process works; at its end, it is stopped.

    All settings come from the environment that it is given; those of the caller's environment do not reach
    it. It has a session of its own, so that an interrupt typed at the terminal does not reach it.
    """

    what: ClassVar[str]
    """Its name for messages."""

    def __init__(self, arguments: Sequence[str], log_file: Path, settings: Mapping[str, str]) -> None:
        """`arguments` of `graphgate`. `log_file` is appended to. `settings`: environment variables."""
        self._arguments = arguments
        self._log_file = log_file
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None, f"the {self.what} was not started"
        return self._process.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """An error that leaves the context takes the end of the log with it, as a note."""
        await self.stop()
        if isinstance(error, Exception):
            error.add_note(f"the end of the {self.what}'s log:\n{self._log_tail() or '(it wrote nothing)'}")

    async def start(self) -> None:
        """Returns once it is ready. Raises GatewayProcessError."""
        environment = _without_settings(os.environ) | dict(self._settings)
        with self._log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                str(Path(sys.executable).with_name("graphgate")),
                *self._arguments,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            await self._until_ready(self._process)
        except BaseException:
            await self.kill()
            raise

    async def stop(self) -> int | None:
        """SIGTERM, and SIGKILL if it has not ended after the grace. The code that it ended with; None: it was
        not running."""
        process = self._process
        if process is None or process.returncode is not None:
            return None
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_GRACE_S):
                return await process.wait()
        except BaseException as error:
            await self.kill()
            if not isinstance(error, TimeoutError):
                raise
        return process.returncode

    async def kill(self) -> None:
        """SIGKILL, as a crash would."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    @abstractmethod
    async def is_ready(self) -> bool:
        """Asked again and again while it starts."""

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not await self.is_ready():
            if process.returncode is not None:
                raise GatewayProcessError(
                    f"the {self.what} ended with code {process.returncode} before it was ready",
                    self._log_tail(),
                )
            if time.monotonic() > deadline:
                raise GatewayProcessError(
                    f"the {self.what} was not ready within {READY_TIMEOUT_S:g} s", self._log_tail()
                )
            await asyncio.sleep(_PROBE_INTERVAL_S)

    def _log_tail(self) -> str:
        lines = self._log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL_LINES:])


def environment_of(
    fleet: EmbeddedFleet, *, embedder: str, cache_dir: Path, pool_graphs: int
) -> dict[str, str]:
    """What gateways and workers of a fleet on this machine have in common."""
    return {
        "GRAPHGATE_METRICS__ENABLED": "false",
        "GRAPHGATE_LOGGING__LEVEL": "warning",
        "GRAPHGATE_EMBEDDER__KIND": embedder,
        "GRAPHGATE_POOL_GRAPHS": str(pool_graphs),
        "GRAPHGATE_CACHE": str(cache_dir),
    } | fleet_settings(fleet)


def fleet_settings(fleet: EmbeddedFleet) -> dict[str, str]:
    """The environment variables that name this fleet."""
    shards = [{"id": shard.id, "engine": shard.engine, "url": shard.url} for shard in fleet.shards]
    return {
        "GRAPHGATE_SHARDS": orjson.dumps(shards).decode(),
        "GRAPHGATE_CATALOG__URL": fleet.catalog_url,
    }


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(_SETTINGS_PREFIX)}

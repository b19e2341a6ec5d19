"""`graphgate serve` as a process of its own, so that it can be killed."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import grpc

from gateway.embedded import EmbeddedFleet
from gateway.embedded.ports import HOST, free_port
from gateway.loopback.client import GatewayClient
from gateway.loopback.errors import GatewayProcessError

READY_TIMEOUT_S = 60.0
STOP_GRACE_S = 20.0
_PROBE_TIMEOUT_S = 1.0
_PROBE_INTERVAL_S = 0.05
_LOG_TAIL_LINES = 30
_SETTINGS_PREFIX = "GRAPHGATE_"

type EmbedderKind = Literal["local", "none"]


class GatewayProcess:
    """Context manager: inside, the gateway serves; at its end, it is stopped.

    All settings come from the environment that it is given; those of the caller's environment do not reach
    it. It has a session of its own, so that an interrupt typed at the terminal does not reach it.
    """

    def __init__(
        self,
        log_file: Path,
        fleet: EmbeddedFleet,
        *,
        embedder: EmbedderKind,
        cache_dir: Path,
        pool_graphs: int,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`fleet` must run and outlive the gateway. `log_file` is appended to. `settings`: more environment
        variables."""
        self._log_file = log_file
        self._port = free_port()
        self._settings = fleet_settings(fleet) | {
            "GRAPHGATE_GRPC__PORT": str(self._port),
            "GRAPHGATE_METRICS__ENABLED": "false",
            "GRAPHGATE_LOGGING__LEVEL": "warning",
            "GRAPHGATE_EMBEDDER__KIND": embedder,
            "GRAPHGATE_POOL_GRAPHS": str(pool_graphs),
            "GRAPHGATE_CACHE": str(cache_dir),
            **(settings or {}),
        }
        self._process: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        """host:port; the same after a restart."""
        return f"{HOST}:{self._port}"

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None, "the gateway was not started"
        return self._process.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """An error that leaves the context takes the end of the gateway's log with it, as a note."""
        await self.stop()
        if isinstance(error, Exception):
            error.add_note(f"the end of the gateway's log:\n{self._log_tail() or '(it wrote nothing)'}")

    async def start(self) -> None:
        """Returns once the gateway says that it serves. Raises GatewayProcessError."""
        environment = _without_settings(os.environ) | self._settings
        with self._log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                str(Path(sys.executable).with_name("graphgate")),
                "serve",
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

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if it has not ended after the grace."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_GRACE_S):
                await process.wait()
        except BaseException as error:
            await self.kill()
            if not isinstance(error, TimeoutError):
                raise

    async def kill(self) -> None:
        """SIGKILL, as a crash would."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        async with GatewayClient(self.address) as client:
            while True:
                if process.returncode is not None:
                    raise GatewayProcessError(
                        f"the gateway ended with code {process.returncode} before it was ready",
                        self._log_tail(),
                    )
                if time.monotonic() > deadline:
                    raise GatewayProcessError(
                        f"the gateway did not serve within {READY_TIMEOUT_S:g} s", self._log_tail()
                    )
                with contextlib.suppress(grpc.aio.AioRpcError):
                    if await client.serves(timeout_s=_PROBE_TIMEOUT_S):
                        return
                await asyncio.sleep(_PROBE_INTERVAL_S)

    def _log_tail(self) -> str:
        lines = self._log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL_LINES:])


def fleet_settings(fleet: EmbeddedFleet) -> dict[str, str]:
    """The environment variables that make a gateway serve this fleet."""
    shards = [{"id": shard.id, "engine": shard.engine, "url": shard.url} for shard in fleet.shards]
    return {"GRAPHGATE_SHARDS": json.dumps(shards), "GRAPHGATE_CATALOG__URL": fleet.catalog_url}


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(_SETTINGS_PREFIX)}

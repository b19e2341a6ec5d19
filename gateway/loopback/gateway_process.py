"""`graphgate serve` as a process of its own, so that it can be killed."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import grpc

from gateway.embedded import EmbeddedFleet
from gateway.embedded.ports import HOST, free_port
from gateway.loopback.client import GatewayClient
from gateway.loopback.service_process import ServiceProcess, environment_of

_PROBE_TIMEOUT_S = 1.0

type EmbedderKind = Literal["local", "none"]


class GatewayProcess(ServiceProcess):
    """Serves inside its context."""

    what: ClassVar[str] = "gateway"

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
        self._port = free_port()
        common = environment_of(fleet, embedder=embedder, cache_dir=cache_dir, pool_graphs=pool_graphs)
        port = {"GRAPHGATE_GRPC__PORT": str(self._port)}
        super().__init__(["serve"], log_file, common | port | dict(settings or {}))

    @property
    def address(self) -> str:
        """host:port; the same after a restart."""
        return f"{HOST}:{self._port}"

    async def is_ready(self) -> bool:
        async with GatewayClient(self.address) as client:
            with contextlib.suppress(grpc.aio.AioRpcError):
                return await client.serves(timeout_s=_PROBE_TIMEOUT_S)
        return False

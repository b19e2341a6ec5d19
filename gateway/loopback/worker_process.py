"""`graphgate worker` as a process of its own, so that it can be killed."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import orjson

from gateway.embedded import EmbeddedFleet
from gateway.loopback.gateway_process import EmbedderKind
from gateway.loopback.service_process import ServiceProcess, environment_of


class WorkerProcess(ServiceProcess):
    """Works on the fleet's queue inside its context."""

    what: ClassVar[str] = "worker"

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
        """As GatewayProcess."""
        common = environment_of(fleet, embedder=embedder, cache_dir=cache_dir, pool_graphs=pool_graphs)
        super().__init__(["worker", "--json"], log_file, common | dict(settings or {}))
        self.metrics_address = ""
        """host:port, empty without; of the last start."""

    async def is_ready(self) -> bool:
        for line in reversed(self._log_file.read_bytes().splitlines()):
            if line.startswith(b'{"event": "ready"'):
                told = orjson.loads(line)
                if told["pid"] == self.pid:
                    self.metrics_address = told["metrics_address"] or ""
                    return True
        return False

"""A process that only works on the queue: the parts of a gateway below its services."""

import asyncio
import os
import socket

import structlog

from gateway.embedding.port import Embedder
from gateway.ingestion import Ingestion
from gateway.routed_fleet import RoutedFleet
from gateway.settings.tree import Settings
from gateway.telemetry.metered_embedder import MeteredEmbedder
from gateway.telemetry.telemetry import Telemetry
from gateway.writes.writer import GraphWriter

log = structlog.get_logger("graphgate.worker")


class WorkerProcess:
    """gateway.cli.service_run.Gateway without a port for callers. start() once, stop() once."""

    def __init__(self, settings: Settings, embedder: Embedder) -> None:
        """`settings` name a fleet."""
        assert not settings.embedded_in_use, "a worker is given its fleet"
        self.telemetry = Telemetry(settings)
        self._embedder = MeteredEmbedder(embedder, self.telemetry)
        self._routed = RoutedFleet(settings, self.telemetry)
        router, slots = self._routed.router, self._routed.slots
        writer = GraphWriter(router, self._embedder, slots=slots)
        self._ingestion = Ingestion(
            settings, router, writer, self._embedder, slots, self.telemetry, works=True
        )

    @property
    def address(self) -> str:
        """Nobody calls it: a name for people."""
        return f"{socket.gethostname()}:{os.getpid()}"

    async def start(self) -> None:
        """Returns when it works. Raises the errors of the embedder, the model and the metrics endpoint;
        shards that do not answer are no obstacle."""
        await self.telemetry.start()
        await self._embedder.start()
        await self._routed.start()
        await self._ingestion.start()
        log.info("working", worker=self.address)

    async def stop(self, grace_s: float) -> None:
        """Takes no new turns, lets the units that run end within `grace_s`, then closes everything."""
        await self._ingestion.stop(grace_s)
        await self._routed.close()
        await asyncio.gather(self._embedder.close(), self.telemetry.stop())
        log.info("stopped", worker=self.address)

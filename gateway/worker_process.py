"""A process that only works on the queue: the parts of a gateway below its services."""

import asyncio
import os
import socket
from functools import partial

import structlog

from drivers.errors import ShardUnavailable
from gateway.assembly import (
    added_shard_driver,
    catalog_settings,
    catalog_url,
    configured_shard,
    fleet_settings,
    router_settings,
    slot_policy,
)
from gateway.embedding.port import Embedder
from gateway.ingestion import Ingestion
from gateway.settings.tree import Settings
from gateway.telemetry.metered_embedder import MeteredEmbedder
from gateway.telemetry.telemetry import Telemetry
from gateway.writes.writer import GraphWriter
from shard_router.catalog import Catalog
from shard_router.fleet import Fleet
from shard_router.router import Router
from shard_router.slot_keeper import SlotKeeper

log = structlog.get_logger("graphgate.worker")


class WorkerProcess:
    """gateway.cli.service_run.Gateway without a port for callers. start() once, stop() once."""

    def __init__(self, settings: Settings, embedder: Embedder) -> None:
        """`settings` name a fleet."""
        assert not settings.embedded_in_use, "a worker is given its fleet"
        self.telemetry = Telemetry(settings)
        self._embedder = MeteredEmbedder(embedder, self.telemetry)
        shards = [configured_shard(shard, self.telemetry) for shard in settings.shards]
        self._catalog = Catalog(catalog_url(settings.catalog), catalog_settings(settings.catalog))
        make_driver = partial(added_shard_driver, settings, self.telemetry)
        self._fleet = Fleet(shards, self._catalog, fleet_settings(settings), make_driver=make_driver)
        self._router = Router(self._fleet, self._catalog, router_settings(settings))
        engines = {shard.info.shard_id: shard.info.engine for shard in shards}
        self._slots = SlotKeeper(self._fleet, engines, slot_policy(settings))
        self._fleet.watch_shards(self._slots)
        writer = GraphWriter(self._router, self._embedder, slots=self._slots)
        self._ingestion = Ingestion(
            settings, self._router, writer, self._embedder, self._slots, self.telemetry, works=True
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
        await self._fleet.start()
        self._slots.start()
        try:
            await self._fleet.met()
        except ShardUnavailable as error:
            log.warning("shard_away_at_start", shard=error.shard_id, detail=str(error))
        await self._ingestion.start()
        log.info("working", worker=self.address)

    async def stop(self, grace_s: float) -> None:
        """Takes no new turns, lets the units that run end within `grace_s`, then closes everything."""
        await self._ingestion.stop(grace_s)
        await self._slots.close()
        await self._router.close()
        await self._fleet.close()
        await self._catalog.close()
        await asyncio.gather(self._embedder.close(), self.telemetry.stop())
        log.info("stopped", worker=self.address)

"""Ingestion in one process: the queue, the model, what callers ask, and the worker if this process has
one."""

import asyncio

import structlog

from gateway.assembly import (
    catalog_url,
    language_model_settings,
    prompt_budget,
    queue_settings,
    worker_settings,
)
from gateway.embedding.port import Embedder
from gateway.ingest.group_clear import GroupClear
from gateway.ingest.intake import Intake
from gateway.ingest.pipeline.removal import Removal
from gateway.ingest.pipeline.unit_run import StageLimits, UnitRun
from gateway.ingest.queue.queue import EpisodeQueue
from gateway.ingest.work.worker import Worker
from gateway.llm.language_model import make_language_model
from gateway.llm.redis_rate_limit import RedisRateLimiter
from gateway.settings.tree import Settings
from gateway.telemetry import ingest_metrics
from gateway.telemetry.metered_language_model import MeteredLanguageModel
from gateway.telemetry.telemetry import Telemetry
from gateway.writes.clearing import RowClearing
from gateway.writes.writer import GraphWriter
from shard_router.router import Router
from shard_router.slot_search import SlotDirectory

log = structlog.get_logger("graphgate.ingest")


class Ingestion:
    """start() once, stop() once; router, writer and embedder are their owner's to close."""

    def __init__(
        self,
        settings: Settings,
        router: Router,
        writer: GraphWriter,
        embedder: Embedder,
        slots: SlotDirectory,
        telemetry: Telemetry,
        *,
        works: bool,
    ) -> None:
        """`works`: whether this process works on the queue. Raises ModelSetupInvalid."""
        self._queue = EpisodeQueue(catalog_url(settings.catalog), queue_settings(settings))
        limiter = RedisRateLimiter(self._queue.redis, settings.catalog.prefix)
        self._model = MeteredLanguageModel(
            make_language_model(language_model_settings(settings), limiter), telemetry
        )
        self.intake = Intake(self._queue, Removal(router, writer), has_model=settings.llm.model is not None)
        rows = RowClearing(router, writer, settings.ingest.clear_rows_max)
        self.clearing = GroupClear(self._queue, router, writer, rows)
        self._worker: Worker | None = None
        if works:
            working = worker_settings(settings)
            limits = StageLimits(working.running, working.running, working.running)
            units = UnitRun(router, writer, embedder, self._model, limits, slots, prompt_budget(settings))
            self._worker = Worker(self._queue, units, working)
            ingest_metrics.watch(self._worker, telemetry)

    async def start(self) -> None:
        """Raises ModelSetupInvalid; a queue that does not answer is no obstacle."""
        await self._model.start()
        if self._worker is not None:
            self._worker.start()

    async def stop(self, grace_s: float) -> None:
        """Units that run may end within `grace_s`; the others are another worker's to do. Idempotent."""
        if self._worker is not None:
            await self._worker.stop(grace_s)
        await self.intake.close()
        await self._model.close()
        await asyncio.gather(self._queue.close(), return_exceptions=True)

"""An embedder whose requests are counted and timed."""

import asyncio
import time
from collections.abc import Sequence

from drivers.errors import GraphgateError
from gateway.embedding.coalescing import CoalescingEmbedder
from gateway.embedding.port import Embedder, EmbeddingModel, Vector
from gateway.telemetry.telemetry import Telemetry


class MeteredEmbedder:
    """An Embedder around another one; a CoalescingEmbedder's cache and queue are shown, too."""

    def __init__(self, inner: Embedder, telemetry: Telemetry) -> None:
        self._inner = inner
        self._telemetry = telemetry
        if isinstance(inner, CoalescingEmbedder):
            _watch(inner, telemetry)

    @property
    def model(self) -> EmbeddingModel | None:
        return self._inner.model

    async def start(self) -> None:
        await self._inner.start()

    async def embed(self, texts: Sequence[str], *, deadline: float) -> list[Vector]:
        started = time.perf_counter()
        outcome = "INTERNAL"
        try:
            vectors = await self._inner.embed(texts, deadline=deadline)
            outcome = "OK"
        except asyncio.CancelledError:
            outcome = "CANCELLED"
            raise
        except GraphgateError as error:
            outcome = error.reason
            raise
        finally:
            self._telemetry.embedding(outcome, len(texts), time.perf_counter() - started)
        return vectors

    async def close(self) -> None:
        await self._inner.close()


def _watch(embedder: CoalescingEmbedder, telemetry: Telemetry) -> None:
    telemetry.watch_counter(
        "graphgate_embedding_cache_total",
        "Texts looked up in the embedding cache.",
        ("result",),
        lambda: {("hit",): embedder.counters.cache_hits, ("miss",): embedder.counters.cache_misses},
    )
    telemetry.watch_gauge(
        "graphgate_embedding_cache_bytes",
        "Vectors in the embedding cache.",
        (),
        lambda: {(): embedder.counters.cache_bytes},
    )
    telemetry.watch_gauge(
        "graphgate_embedding_pending_texts",
        "Texts that wait for a vector.",
        (),
        lambda: {(): embedder.counters.pending_texts},
    )

"""An embedder whose requests are counted and timed."""

from collections.abc import Sequence

from gateway.embedding.coalescing import CoalescingEmbedder
from gateway.embedding.port import Embedder, EmbeddingModel, Vector
from gateway.telemetry.telemetry import Telemetry


class MeteredEmbedder:
    """An Embedder around another one; a CoalescingEmbedder's cache and queue are shown, too."""

    def __init__(self, inner: Embedder, telemetry: Telemetry) -> None:
        self._inner = inner
        self._requests = telemetry.embeddings
        if isinstance(inner, CoalescingEmbedder):
            _watch(inner, telemetry)

    @property
    def model(self) -> EmbeddingModel | None:
        return self._inner.model

    async def start(self) -> None:
        await self._inner.start()

    async def embed(self, texts: Sequence[str], *, deadline: float) -> list[Vector]:
        with self._requests.metered(len(texts)):
            return await self._inner.embed(texts, deadline=deadline)

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

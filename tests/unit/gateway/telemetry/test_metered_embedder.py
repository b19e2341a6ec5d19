"""Requests for vectors are counted, whatever becomes of them."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from gateway.embedding.coalescing import CoalescingEmbedder
from gateway.embedding.errors import EmbedderTimeout
from gateway.embedding.port import EmbeddingModel, Vector
from gateway.settings.service import MetricsSettings
from gateway.settings.tree import Settings
from gateway.telemetry.metered_embedder import MeteredEmbedder
from gateway.telemetry.telemetry import Telemetry

MODEL = EmbeddingModel("fake", 2)


class FakeEmbedder:
    """Makes the same vector of every text or raises what it was given."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.model = MODEL
        self.closed = False

    async def start(self) -> None:
        pass

    async def embed(self, texts: Sequence[str], *, deadline: float) -> list[Vector]:
        if self.error is not None:
            raise self.error
        return [np.array([1.0, 0.0], np.float32) for _ in texts]

    async def close(self) -> None:
        self.closed = True


def quiet_telemetry() -> Telemetry:
    return Telemetry(Settings(metrics=MetricsSettings(enabled=False)))


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "OK"),
        (EmbedderTimeout("fake", 2), "EMBEDDER_TIMEOUT"),
        (asyncio.CancelledError(), "CANCELLED"),
        (ZeroDivisionError(), "INTERNAL"),
    ],
)
async def test_every_outcome_is_counted(error: BaseException | None, outcome: str) -> None:
    """A failed, cancelled or broken request counts like one that succeeded, and fails as it would have."""
    telemetry = quiet_telemetry()
    embedder = MeteredEmbedder(FakeEmbedder(error), telemetry)
    if error is None:
        assert len(await embedder.embed(["a", "b"], deadline=0)) == 2
    else:
        with pytest.raises(type(error)):
            await embedder.embed(["a", "b"], deadline=0)
    (operation,) = telemetry.embeddings.operations
    assert operation.outcomes == {outcome: 1}
    assert operation.latency.summary().count == 1


async def test_the_cache_of_a_coalescing_embedder_is_shown() -> None:
    """Hits and misses of the embedding cache come with the scrape."""
    telemetry = quiet_telemetry()
    inner = FakeEmbedder()
    embedder = MeteredEmbedder(CoalescingEmbedder(inner), telemetry)
    loop = asyncio.get_running_loop()
    for _ in range(3):
        await embedder.embed(["a"], deadline=loop.time() + 60)
    found = {
        (sample.name, sample.labels.get("result")): sample.value
        for family in telemetry.collect()
        for sample in family.samples
    }
    assert found["graphgate_embedding_cache_total", "hit"] == 2
    assert found["graphgate_embedding_cache_total", "miss"] == 1
    assert found["graphgate_embedding_cache_bytes", None] > 0
    await embedder.close()
    assert inner.closed
    assert embedder.model == MODEL

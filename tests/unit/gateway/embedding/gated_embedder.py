"""An embedder that answers when the test says so, and what the tests of sharing ask about it."""

import asyncio
import time
from collections.abc import Sequence

import numpy as np

from gateway.embedding.coalescing import CoalescingEmbedder
from gateway.embedding.errors import EmbedderRefused, EmbedderTimeout, EmbedderUnavailable
from gateway.embedding.port import EmbeddingModel, Vector
from tests.fakes.openai_server import hashed_vector

DIMENSION = 8
NEVER_MS = 1e9


def vector_of(text: str) -> np.ndarray:
    vector = hashed_vector(text, DIMENSION)
    return vector / np.linalg.norm(vector)


class GatedEmbedder:
    """Answers a call when its gate opens; gates of an `open` embedder are open from the start."""

    model = EmbeddingModel("gated", DIMENSION)

    def __init__(self, *, opened: bool = True) -> None:
        self.calls: list[list[str]] = []
        self.deadlines: list[float] = []
        self.cancelled: list[list[str]] = []
        self.gates: list[asyncio.Event] = []
        self.opened = opened
        self.closed = False
        self._called = asyncio.Condition()

    async def start(self) -> None: ...

    async def embed(self, texts: Sequence[str], *, deadline: float) -> list[Vector]:
        gate = asyncio.Event()
        if self.opened:
            gate.set()
        self.calls.append(list(texts))
        self.deadlines.append(deadline)
        self.gates.append(gate)
        async with self._called:
            self._called.notify_all()
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(list(texts))
            raise
        except TimeoutError:
            raise EmbedderTimeout(self.model.name, len(texts)) from None
        if any("refused" in text for text in texts):
            raise EmbedderRefused(self.model.name, "status 400")
        if any("outage" in text for text in texts):
            raise EmbedderUnavailable(self.model.name, "status 503")
        return [vector_of(text) for text in texts]

    async def close(self) -> None:
        self.closed = True

    async def called(self, times: int) -> None:
        """Returns once embed() was called this often in all."""
        async with asyncio.timeout(20), self._called:
            await self._called.wait_for(lambda: len(self.calls) >= times)


def soon() -> float:
    return time.monotonic() + 30


def ask(
    embedder: CoalescingEmbedder, *texts: str, deadline: float | None = None
) -> asyncio.Task[list[Vector]]:
    return asyncio.create_task(embedder.embed(texts, deadline=deadline or soon()))


async def settled() -> None:
    """Every task that could run has run until it waits for something from outside."""
    for _ in range(20):
        await asyncio.sleep(0)


def assert_vectors_of(texts: Sequence[str], vectors: list[Vector]) -> None:
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_array_equal(vector, vector_of(text))

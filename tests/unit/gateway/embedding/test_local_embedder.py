"""The local embedder's queue, deadlines and life, with a model that computes when the test says so."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from gateway.embedding.errors import (
    EmbedderOverloaded,
    EmbedderSetupInvalid,
    EmbedderTimeout,
    EmbedderUnavailable,
    EmbeddingTextInvalid,
)
from gateway.embedding.local_embedder import LocalEmbedder
from gateway.embedding.port import EmbeddingModel

MODEL = EmbeddingModel("stepped", 4, "r1")


class SteppedModel:
    """Computes one batch for each step() and keeps what was asked for."""

    model = MODEL

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.failure: Exception | None = None
        self.began = threading.Semaphore(0)
        self._permits = threading.Semaphore(0)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.batches.append(list(texts))
        self.began.release()
        if not self._permits.acquire(timeout=30):
            raise TimeoutError("the test gave no step")
        if self.failure:
            raise self.failure
        return np.array([[len(text), 1, 2, 3] for text in texts], np.float32)

    async def batch_began(self) -> None:
        """Returns when the next batch is on the thread."""
        assert await asyncio.to_thread(self.began.acquire, timeout=30)

    def step(self, batches: int = 1) -> None:
        self._permits.release(batches)


@pytest.fixture
async def stepped() -> AsyncIterator[tuple[SteppedModel, LocalEmbedder]]:
    model = SteppedModel()
    embedder = LocalEmbedder(load=lambda: model, model=EmbeddingModel("stepped", 4), pending_max=100)
    await embedder.start()
    yield model, embedder
    model.step(1_000)
    await embedder.close()


def soon() -> float:
    return time.monotonic() + 30


def texts(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number:03}" for number in range(count)]


type Stepped = tuple[SteppedModel, LocalEmbedder]


async def test_query_overtakes_a_bulk(stepped: Stepped) -> None:
    """Guards: a query that arrives while a bulk runs is computed right after the batch that runs."""
    model, embedder = stepped
    finished: list[str] = []

    async def ask(name: str, wanted: list[str]) -> None:
        await embedder.embed(wanted, deadline=soon())
        finished.append(name)

    bulk = asyncio.create_task(ask("bulk", texts("b", 80)))
    await model.batch_began()
    query = asyncio.create_task(ask("query", ["q"]))
    await asyncio.sleep(0)
    model.step(1_000)
    await asyncio.gather(bulk, query)
    assert finished == ["query", "bulk"]
    assert model.batches[1] == ["q"]
    assert len(model.batches) == 11


async def test_real_model_serves_a_query_before_the_bulk(minilm: LocalEmbedder) -> None:
    """Guards: the same with the real model: the order of completion is the small one first."""
    finished: list[str] = []

    async def ask(name: str, wanted: list[str]) -> None:
        await minilm.embed(wanted, deadline=soon())
        finished.append(name)

    bulk = asyncio.create_task(ask("bulk", texts("a fact about shard ", 200)))
    await asyncio.sleep(0)
    await asyncio.gather(bulk, ask("query", ["which shard?"]))
    assert finished == ["query", "bulk"]


async def test_bulk_is_not_starved_by_queries(stepped: Stepped) -> None:
    """Guards: while queries keep coming, the bulk gets every second batch."""
    model, embedder = stepped
    bulk = asyncio.create_task(embedder.embed(texts("b", 40), deadline=soon()))
    await model.batch_began()
    queries = [asyncio.create_task(embedder.embed([f"q{number}"], deadline=soon())) for number in range(20)]
    await asyncio.sleep(0)
    model.step(1_000)
    await asyncio.gather(bulk, *queries)
    last_bulk_batch = max(number for number, batch in enumerate(model.batches) if batch[0].startswith("b"))
    assert last_bulk_batch == 8


async def test_deadline_stops_the_computation(stepped: Stepped) -> None:
    """Guards: the deadline is looked at between batches: what nobody waits for is not computed."""
    model, embedder = stepped
    with pytest.raises(EmbedderTimeout, match="24 texts"):
        await embedder.embed(texts("b", 24), deadline=time.monotonic() + 0.5)
    model.step(1_000)
    assert len(await embedder.embed(["next"], deadline=soon())) == 1
    assert [len(batch) for batch in model.batches] == [8, 1]


async def test_passed_deadline(stepped: Stepped) -> None:
    """Guards: a request that is late already computes nothing."""
    model, embedder = stepped
    with pytest.raises(EmbedderTimeout):
        await embedder.embed(["a"], deadline=time.monotonic() - 1)
    assert model.batches == []


async def test_cancelled_caller_stops_the_computation(stepped: Stepped) -> None:
    """Guards: a client that goes away stops costing time after the batch that runs."""
    model, embedder = stepped
    bulk = asyncio.create_task(embedder.embed(texts("b", 80), deadline=soon()))
    await model.batch_began()
    bulk.cancel()
    with pytest.raises(asyncio.CancelledError):
        await bulk
    model.step(1_000)
    await embedder.embed(["next"], deadline=soon())
    assert [len(batch) for batch in model.batches] == [8, 1]


async def test_queue_is_bounded(stepped: Stepped) -> None:
    """Guards: the queue of texts has a limit, and what leaves it makes room."""
    model, embedder = stepped
    with pytest.raises(EmbeddingTextInvalid, match="split the request"):
        await embedder.embed(texts("x", 101), deadline=soon())
    bulk = asyncio.create_task(embedder.embed(texts("b", 96), deadline=soon()))
    await model.batch_began()
    with pytest.raises(EmbedderOverloaded, match="pending_max = 100"):
        await embedder.embed(texts("q", 5), deadline=soon())
    model.step(1_000)
    await bulk
    assert len(await embedder.embed(texts("q", 5), deadline=soon())) == 5


async def test_failed_computation(stepped: Stepped) -> None:
    """Guards: a failure of the runtime is a typed error for its own request and does not stop the next."""
    model, embedder = stepped
    model.failure = MemoryError("arena")
    model.step()
    with pytest.raises(EmbedderUnavailable, match="its computation failed") as raised:
        await embedder.embed(["a"], deadline=soon())
    assert isinstance(raised.value.__cause__, MemoryError)
    assert "arena" not in str(raised.value)
    model.failure = None
    model.step()
    assert len(await embedder.embed(["a"], deadline=soon())) == 1


async def test_failed_load_is_tried_again() -> None:
    """Guards: an embedder whose model could not be loaded says so, and works once the cause is gone."""
    model = SteppedModel()
    model.step(10)
    failures: list[Exception] = [EmbedderSetupInvalid("no graph", "make room"), OSError("disk")]

    def load() -> SteppedModel:
        if failures:
            raise failures.pop(0)
        return model

    embedder = LocalEmbedder(load=load, model=EmbeddingModel("stepped", 4))
    with pytest.raises(EmbedderSetupInvalid, match="no graph"):
        await embedder.start()
    with pytest.raises(EmbedderUnavailable, match="could not be loaded"):
        await embedder.embed(["a"], deadline=soon())
    await embedder.embed(["a"], deadline=soon())
    assert embedder.model == MODEL
    await embedder.close()


async def test_load_outlives_an_impatient_caller() -> None:
    """Guards: a first caller without time to wait for the model does not make the next one load it again."""
    model, loads, may_load = SteppedModel(), 0, threading.Event()
    model.step(10)

    def load() -> SteppedModel:
        nonlocal loads
        loads += 1
        assert may_load.wait(30)
        return model

    embedder = LocalEmbedder(load=load, model=EmbeddingModel("stepped", 4))
    with pytest.raises(EmbedderTimeout):
        await embedder.embed(["a"], deadline=time.monotonic() + 0.05)
    may_load.set()
    await embedder.embed(["a"], deadline=soon())
    assert loads == 1
    await embedder.close()


async def test_close_answers_everyone(stepped: Stepped) -> None:
    """Guards: no caller hangs on a gateway that stops; later calls are refused; closing twice is allowed."""
    model, embedder = stepped
    waiting = asyncio.create_task(embedder.embed(texts("b", 20), deadline=soon()))
    await model.batch_began()
    model.step(1_000)
    await embedder.close()
    with pytest.raises(EmbedderUnavailable, match="closing"):
        await waiting
    with pytest.raises(EmbedderUnavailable, match="closing"):
        await embedder.embed(["a"], deadline=soon())
    await embedder.close()

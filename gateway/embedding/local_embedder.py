"""The embedder that needs no key and no network: a sentence model on one thread of this process."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.embedding.errors import (
    EmbedderOverloaded,
    EmbedderTimeout,
    EmbedderUnavailable,
    EmbeddingError,
    EmbeddingTextInvalid,
)
from gateway.embedding.local_model import (
    BATCH_TEXTS_MAX,
    DIMENSION,
    MODEL_NAME,
    MiniLM,
    SentenceModel,
    check_installed,
)
from gateway.embedding.local_queue import Job, JobQueue
from gateway.embedding.port import EmbeddingModel, Vector
from gateway.embedding.preparation import clean_texts, unit_rows

CLOSING = "the gateway is closing"


class LocalEmbedder:
    """Requests share the thread batch by batch, so that a query waits for one batch of a bulk at most.

    A caller that is cancelled or whose deadline passes stops costing time after the batch that runs.
    """

    def __init__(
        self, *, load: Callable[[], SentenceModel], model: EmbeddingModel, pending_max: int = 16_384
    ) -> None:
        """`load` runs on the thread that computes, once. `pending_max` is in texts, over all requests."""
        self._load = load
        self._model = model
        self._pending_max = pending_max
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedding")
        self._loading: asyncio.Task[SentenceModel] | None = None
        self._computing: asyncio.Task[None] | None = None
        self._queue = JobQueue()
        self._closed = False

    @classmethod
    def minilm(cls, *, cache_dir: Path, pending_max: int = 16_384) -> "LocalEmbedder":
        """all-MiniLM-L6-v2. Raises EmbedderSetupInvalid if a package is missing; loads nothing yet."""
        check_installed()
        return cls(
            load=lambda: MiniLM(cache_dir),
            model=EmbeddingModel(MODEL_NAME, DIMENSION),
            pending_max=pending_max,
        )

    @property
    def model(self) -> EmbeddingModel:
        return self._model

    async def start(self) -> None:
        """Loads the model; the very first time this builds its graph (about two seconds)."""
        await self._loaded()

    async def embed(self, texts: Sequence[str], *, deadline: float) -> list[Vector]:
        cleaned = clean_texts(texts)
        if not cleaned:
            return []
        if len(cleaned) > self._pending_max:
            raise EmbeddingTextInvalid(
                f"{len(cleaned)} texts are more than may wait at once (pending_max = {self._pending_max})",
                "split the request",
            )
        if self._queue.texts + len(cleaned) > self._pending_max:
            raise EmbedderOverloaded(self._model.name, self._pending_max)
        job = Job(cleaned, deadline=deadline, done=asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                sentence_model = await self._loaded()
                self._queue.add(job)
                if self._computing is None or self._computing.done():
                    self._computing = asyncio.create_task(self._compute(sentence_model))
                await job.done
        except TimeoutError:
            raise EmbedderTimeout(self._model.name, job.remaining) from None
        finally:
            self._queue.remove(job)
        return job.vectors()

    async def close(self) -> None:
        self._closed = True
        for job in self._queue.drain():
            if not job.done.done():
                job.done.set_exception(EmbedderUnavailable(self._model.name, CLOSING))
        await asyncio.to_thread(self._thread.shutdown)

    async def _loaded(self) -> SentenceModel:
        if self._loading is None and not self._closed:
            self._loading = asyncio.create_task(self._load_on_thread())
        loading = self._loading
        try:
            # Shielded: the model that one caller has no time to wait for serves the next.
            sentence_model = await asyncio.shield(loading) if loading else None
        except EmbeddingError:
            if self._loading is loading:
                self._loading = None
            raise
        if self._closed or sentence_model is None:
            raise EmbedderUnavailable(self._model.name, CLOSING)
        self._model = sentence_model.model
        return sentence_model

    async def _load_on_thread(self) -> SentenceModel:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._load)
        except EmbeddingError:
            raise
        except Exception as error:  # the runtime's exceptions share no public base
            raise EmbedderUnavailable(self._model.name, "it could not be loaded") from error

    async def _compute(self, sentence_model: SentenceModel) -> None:
        loop = asyncio.get_running_loop()
        while job := self._queue.turn():
            if time.monotonic() >= job.deadline:
                self._finish(job, EmbedderTimeout(self._model.name, job.remaining))
                continue
            try:
                rows = await loop.run_in_executor(
                    self._thread, sentence_model.encode, job.following(BATCH_TEXTS_MAX)
                )
                job.accept(unit_rows(rows, model=self._model.name, dimension=self._model.dimension))
            except EmbeddingError as error:
                self._finish(job, error)
            except Exception as error:  # the runtime's exceptions share no public base
                failure = EmbedderUnavailable(self._model.name, "its computation failed")
                failure.__cause__ = error
                self._finish(job, failure)
            else:
                if not job.remaining:
                    self._finish(job, None)

    def _finish(self, job: Job, error: EmbeddingError | None) -> None:
        self._queue.remove(job)
        if job.done.done():
            return
        if error is None:
            job.done.set_result(None)
        else:
            job.done.set_exception(error)

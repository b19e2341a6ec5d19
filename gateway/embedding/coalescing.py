"""Shares the work of concurrent callers: equal texts are embedded once, small requests travel together."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.embedding.errors import (
    EmbedderAnswerInvalid,
    EmbedderOverloaded,
    EmbedderRefused,
    EmbedderTimeout,
    EmbedderUnavailable,
    EmbeddingTextInvalid,
)
from gateway.embedding.port import Embedder, EmbeddingModel, Vector
from gateway.embedding.preparation import clean_texts
from gateway.embedding.vector_cache import VectorCache

MAY_BE_ANOTHERS = (EmbedderRefused, EmbedderAnswerInvalid, EmbedderTimeout, EmbeddingTextInvalid)
"""Failures that the texts or the deadline of one caller bring upon everyone in the same batch."""


@dataclass(frozen=True, slots=True)
class EmbeddingCounters:
    """Since the start, except the last two."""

    cache_hits: int
    cache_misses: int
    joined_texts: int
    """Texts that were already in flight for another caller."""
    batches: int
    """Calls of the inner embedder."""
    cache_bytes: int
    pending_texts: int


@dataclass(slots=True, eq=False)
class _Work:
    """One call of the inner embedder, for one caller or many."""

    bulk: bool
    texts: list[str] = field(default_factory=list[str])
    vectors: dict[str, Vector] = field(default_factory=dict[str, Vector])
    error: Exception | None = None
    deadline: float = 0.0
    """The latest of its callers."""
    callers: int = 0
    """Those that still wait."""
    shared: bool = False
    due: bool = False
    """It has waited for wait_ms_max."""
    task: asyncio.Task[None] | None = None
    finished: asyncio.Event = field(default_factory=asyncio.Event)


class CoalescingEmbedder:
    """An Embedder around another one.

    - A text seen before comes from the cache; one in flight is waited for, not asked again.
    - Requests of fewer than `batch_max` new texts are collected: the first starts at once, those that arrive
      while it runs go together when it ends or `wait_ms_max` has passed. So an idle embedder adds no latency.
    - Larger requests start at once on their own. Small requests do not join them: a query must not wait for a
      bulk, it rather embeds its text once more.
    - Cancelling a caller cancels work only if nobody else waits for it.
    - What one caller's text or deadline spoils for a shared batch, the other callers try once more alone.
    """

    def __init__(
        self,
        inner: Embedder,
        *,
        batch_max: int = 64,
        wait_ms_max: float = 5.0,
        pending_max: int = 16_384,
        cache_bytes_max: int = 64 * 1024 * 1024,
        batches_running_max: int = 8,
    ) -> None:
        """`batch_max` and `pending_max` are in texts; `batches_running_max` counts collected batches."""
        self._inner = inner
        self._batch_max = batch_max
        self._wait_s = wait_ms_max / 1000
        self._pending_max = pending_max
        self._running_max = batches_running_max
        self._cache = VectorCache(cache_bytes_max)
        self._flights: dict[str, _Work] = {}
        self._works: set[_Work] = set()
        self._collected: deque[_Work] = deque()
        self._running = 0
        self._pending = 0
        self._joined = 0
        self._batches = 0
        self._closed = False

    @property
    def model(self) -> EmbeddingModel | None:
        return self._inner.model

    @property
    def counters(self) -> EmbeddingCounters:
        return EmbeddingCounters(
            cache_hits=self._cache.hits,
            cache_misses=self._cache.misses,
            joined_texts=self._joined,
            batches=self._batches,
            cache_bytes=self._cache.bytes,
            pending_texts=self._pending,
        )

    async def start(self) -> None:
        await self._inner.start()

    async def embed(self, texts: Sequence[str], *, deadline: float) -> list[Vector]:
        """As Embedder.embed; also raises EmbedderOverloaded when more than pending_max texts would wait."""
        cleaned = clean_texts(texts)
        found: dict[str, Vector] = {}
        missing: list[str] = []
        for text in dict.fromkeys(cleaned):
            if (vector := self._cache.get(text)) is None:
                missing.append(text)
            else:
                found[text] = vector
        if missing:
            found |= await self._obtain(missing, deadline)
        return [found[text] for text in cleaned]

    async def close(self) -> None:
        self._closed = True
        running = [work.task for work in self._works if work.task]
        for task in running:
            task.cancel()
        while self._collected:
            self._retire(self._collected.popleft())
        await asyncio.gather(*running, return_exceptions=True)
        await self._inner.close()
        self._cache.clear()

    async def _obtain(self, missing: list[str], deadline: float) -> dict[str, Vector]:
        wanted = self._enlist(missing, deadline)
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                for work in wanted:
                    await work.finished.wait()
                return await self._outcomes(wanted, deadline)
        except TimeoutError:
            raise EmbedderTimeout(self._name, len(missing)) from None
        finally:
            for work in wanted:
                self._leave(work)

    async def _outcomes(self, wanted: dict[_Work, list[str]], deadline: float) -> dict[str, Vector]:
        vectors: dict[str, Vector] = {}
        alone: list[str] = []
        for work, texts in wanted.items():
            if work.error is None:
                vectors |= {text: work.vectors[text] for text in texts}
            elif work.shared and isinstance(work.error, MAY_BE_ANOTHERS):
                alone += texts
            else:
                raise work.error
        if alone:
            self._batches += 1
            embedded = await self._inner.embed(alone, deadline=deadline)
            vectors |= {
                text: self._cache.put(text, vector) for text, vector in zip(alone, embedded, strict=True)
            }
        return vectors

    def _enlist(self, missing: list[str], deadline: float) -> dict[_Work, list[str]]:
        """The works that will bring the texts, joined or new, each with the texts wanted of it."""
        if self._closed:
            raise EmbedderUnavailable(self._name, "the gateway is closing")
        bulk = len(missing) >= self._batch_max
        flying = {
            text: work for text in missing if (work := self._flights.get(text)) and (bulk or not work.bulk)
        }
        new = [text for text in missing if text not in flying]
        if len(new) > self._pending_max:
            raise EmbeddingTextInvalid(
                f"{len(new)} texts are more than may wait at once (pending_max = {self._pending_max})",
                "split the request",
            )
        if self._pending + len(new) > self._pending_max:
            raise EmbedderOverloaded(self._name, self._pending_max)
        self._joined += len(flying)
        self._pending += len(new)
        own: _Work | None = None
        for text in new:
            if own is None or not bulk:
                own = self._opened(bulk=bulk)
            own.texts.append(text)
            flying[text] = self._flights[text] = own
        wanted: dict[_Work, list[str]] = {}
        for text, work in flying.items():
            wanted.setdefault(work, []).append(text)
        for work in wanted:
            work.shared = work.shared or work.callers > 0
            work.callers += 1
            work.deadline = max(work.deadline, deadline)
        if bulk and own:
            self._begin(own)
        self._pump()
        return wanted

    def _opened(self, *, bulk: bool) -> _Work:
        """A work that takes one more text."""
        if not bulk and self._collected and len(self._collected[-1].texts) < self._batch_max:
            return self._collected[-1]
        work = _Work(bulk=bulk)
        self._works.add(work)
        if not bulk:
            self._collected.append(work)
            asyncio.get_running_loop().call_later(self._wait_s, self._become_due, work)
        return work

    def _become_due(self, work: _Work) -> None:
        work.due = True
        self._pump()

    def _pump(self, *, ended: bool = False) -> None:
        """Starts the collected batches whose turn it is; `ended` says that one has just made room."""
        while self._collected and self._running < self._running_max:
            head = self._collected[0]
            if not (ended or head.due or self._running == 0 or len(head.texts) >= self._batch_max):
                return
            ended = False
            self._collected.popleft()
            self._running += 1
            self._begin(head)

    def _begin(self, work: _Work) -> None:
        self._batches += 1
        work.task = asyncio.create_task(self._run(work))
        # A callback and not a finally clause: a task that is cancelled before its first step runs no clause.
        work.task.add_done_callback(lambda _: self._ended(work))

    async def _run(self, work: _Work) -> None:
        try:
            embedded = await self._inner.embed(work.texts, deadline=work.deadline)
            for text, vector in zip(work.texts, embedded, strict=True):
                work.vectors[text] = self._cache.put(text, vector)
        except Exception as error:  # every kind belongs to the callers, who raise it
            work.error = error

    def _ended(self, work: _Work) -> None:
        self._retire(work)
        if not work.bulk:
            self._running -= 1
            self._pump(ended=True)

    def _leave(self, work: _Work) -> None:
        work.callers -= 1
        if work.callers or work.finished.is_set():
            return
        self._forget(work)
        if work.task:
            work.task.cancel()
        else:
            self._collected.remove(work)
            self._retire(work)

    def _retire(self, work: _Work) -> None:
        self._works.discard(work)
        self._forget(work)
        self._pending -= len(work.texts)
        if work.error is None and len(work.vectors) < len(work.texts):
            work.error = EmbedderUnavailable(self._name, "the gateway is closing")
        work.finished.set()

    def _forget(self, work: _Work) -> None:
        for text in work.texts:
            if self._flights.get(text) is work:
                del self._flights[text]

    @property
    def _name(self) -> str:
        return self._inner.model.name if self._inner.model else "none"

"""What concurrent callers must not share: cancellations, deadlines, failures; and the bounds."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.embedding.coalescing import CoalescingEmbedder
from gateway.embedding.errors import (
    EmbedderOverloaded,
    EmbedderRefused,
    EmbedderTimeout,
    EmbedderUnavailable,
    EmbeddingTextInvalid,
)
from gateway.embedding.port import Vector
from tests.unit.gateway.embedding.gated_embedder import (
    NEVER_MS,
    GatedEmbedder,
    ask,
    assert_vectors_of,
    settled,
    soon,
)


async def test_cancelled_caller_does_not_cancel_shared_work() -> None:
    """Guards: the caller who started the work may go; those who joined it still get their vectors."""
    inner = GatedEmbedder(opened=False)
    embedder = CoalescingEmbedder(inner)
    first = ask(embedder, "a")
    await inner.called(1)
    second = ask(embedder, "a")
    await settled()
    first.cancel()
    await settled()
    assert first.cancelled()
    inner.gates[0].set()
    assert_vectors_of(["a"], await second)
    assert inner.cancelled == []
    assert len(inner.calls) == 1


async def test_work_that_nobody_waits_for_is_cancelled() -> None:
    """Guards: when every caller has gone the call is cancelled, its room is free, newcomers start afresh."""
    inner = GatedEmbedder(opened=False)
    embedder = CoalescingEmbedder(inner, wait_ms_max=NEVER_MS)
    running = [ask(embedder, "a"), ask(embedder, "a")]
    await inner.called(1)
    collected = ask(embedder, "b")
    await settled()
    assert embedder.counters.pending_texts == 2
    for task in (*running, collected):
        task.cancel()
    newcomer = ask(embedder, "a")
    await inner.called(2)
    assert inner.cancelled == [["a"]]
    inner.gates[1].set()
    assert_vectors_of(["a"], await newcomer)
    assert inner.calls == [["a"], ["a"]]
    assert embedder.counters.pending_texts == 0


async def test_cancelled_before_its_first_step() -> None:
    """Guards: work that is abandoned before it ran at all gives its room back too."""
    inner = GatedEmbedder()
    embedder = CoalescingEmbedder(inner, pending_max=1)
    task = ask(embedder, "a")
    await asyncio.sleep(0)
    task.cancel()
    await settled()
    assert_vectors_of(["b"], await embedder.embed(["b"], deadline=soon()))


async def test_pending_texts_are_bounded() -> None:
    """Guards: above pending_max callers get a retryable error, joining costs no room, and room comes back."""
    inner = GatedEmbedder(opened=False)
    embedder = CoalescingEmbedder(inner, pending_max=3)
    with pytest.raises(EmbeddingTextInvalid, match="split the request"):
        await embedder.embed(list("abcd"), deadline=soon())
    tasks = [ask(embedder, "a"), ask(embedder, "b", "c")]
    await inner.called(1)
    with pytest.raises(EmbedderOverloaded, match="pending_max = 3") as raised:
        await embedder.embed(["d"], deadline=soon())
    assert raised.value.retryable
    tasks.append(ask(embedder, "a", "c"))
    await settled()
    inner.opened = True
    inner.gates[0].set()
    await asyncio.gather(*tasks)
    assert_vectors_of(["d"], await embedder.embed(["d"], deadline=soon()))


async def test_refused_text_fails_its_own_caller_only() -> None:
    """Guards: a text that the provider refuses does not fail the callers whose texts travelled with it."""
    inner = GatedEmbedder(opened=False)
    embedder = CoalescingEmbedder(inner, wait_ms_max=NEVER_MS)
    first = ask(embedder, "first")
    await inner.called(1)
    bad, good = ask(embedder, "refused"), ask(embedder, "good")
    await settled()
    inner.opened = True
    inner.gates[0].set()
    await first
    with pytest.raises(EmbedderRefused):
        await bad
    assert_vectors_of(["good"], await good)
    assert inner.calls[1] == ["refused", "good"]
    assert sorted(inner.calls[2:]) == [["good"], ["refused"]]


async def test_outage_is_not_multiplied() -> None:
    """Guards: a provider in trouble gets no second call for each caller of a batch; all are told."""
    inner = GatedEmbedder(opened=False)
    embedder = CoalescingEmbedder(inner)
    tasks = [ask(embedder, "outage"), ask(embedder, "outage")]
    await inner.called(1)
    inner.gates[0].set()
    for task in tasks:
        with pytest.raises(EmbedderUnavailable, match="status 503"):
            await task
    assert len(inner.calls) == 1
    inner.opened = True
    with pytest.raises(EmbedderUnavailable):
        await embedder.embed(["outage"], deadline=soon())
    assert len(inner.calls) == 2


async def test_impatient_caller_does_not_shorten_anothers_time() -> None:
    """Guards: joining work with a sooner deadline ends in a try of one's own, not in a timeout."""
    inner = GatedEmbedder(opened=False)
    embedder = CoalescingEmbedder(inner)
    impatient = ask(embedder, "a", deadline=time.monotonic() + 0.3)
    await inner.called(1)
    patient = ask(embedder, "a")
    await settled()
    inner.opened = True
    with pytest.raises(EmbedderTimeout):
        await impatient
    assert_vectors_of(["a"], await patient)
    assert inner.calls == [["a"], ["a"]]


async def test_batch_has_the_latest_deadline_of_its_callers() -> None:
    """Guards: in a collected batch the most patient caller decides when the embedder gives up."""
    inner = GatedEmbedder(opened=False)
    embedder = CoalescingEmbedder(inner, wait_ms_max=NEVER_MS)
    start = time.monotonic()
    tasks = [ask(embedder, text, deadline=start + wait) for text, wait in (("a", 30), ("b", 60), ("c", 40))]
    await inner.called(1)
    inner.opened = True
    inner.gates[0].set()
    await asyncio.gather(*tasks)
    assert inner.deadlines == [start + 30, start + 60]


async def test_deadline_of_the_caller() -> None:
    """Guards: the wait for shared work ends at the caller's own deadline."""
    inner = GatedEmbedder(opened=False)
    embedder = CoalescingEmbedder(inner)
    patient = ask(embedder, "a")
    await inner.called(1)
    with pytest.raises(EmbedderTimeout):
        await embedder.embed(["a"], deadline=time.monotonic() + 0.05)
    inner.gates[0].set()
    assert_vectors_of(["a"], await patient)


async def test_unexpected_error_reaches_the_caller() -> None:
    """Guards: a bug of an embedder (here: too few vectors) surfaces; no caller hangs and no room is lost."""

    class TooFew(GatedEmbedder):
        async def embed(self, texts: Sequence[str], *, deadline: float) -> list[Vector]:
            return (await super().embed(texts, deadline=deadline))[1:]

    embedder = CoalescingEmbedder(TooFew())
    with pytest.raises(ValueError, match="shorter"):
        await embedder.embed(["a"], deadline=soon())
    assert embedder.counters.pending_texts == 0


async def test_close_answers_everyone() -> None:
    """Guards: callers of running and of collected work are answered when the gateway stops."""
    inner = GatedEmbedder(opened=False)
    embedder = CoalescingEmbedder(inner, batch_max=3, wait_ms_max=NEVER_MS)
    tasks = [ask(embedder, "a"), ask(embedder, "b"), ask(embedder, *"cdef")]
    await inner.called(2)
    await embedder.close()
    for task in tasks:
        with pytest.raises(EmbedderUnavailable, match="closing"):
            await task
    with pytest.raises(EmbedderUnavailable, match="closing"):
        await embedder.embed(["a"], deadline=soon())
    assert inner.closed
    assert embedder.counters.pending_texts == 0


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=5), st.booleans()), max_size=8
    )
)
async def test_room_comes_back_whoever_leaves(requests: list[tuple[list[str], bool]]) -> None:
    """Guards: whichever callers are cancelled, the others get their vectors and nothing stays reserved."""
    inner = GatedEmbedder(opened=False)
    embedder = CoalescingEmbedder(inner, batch_max=3, wait_ms_max=NEVER_MS, batches_running_max=2)
    tasks = [ask(embedder, *texts) for texts, _ in requests]
    await settled()
    for task, (_, leaves) in zip(tasks, requests, strict=True):
        if leaves:
            task.cancel()
    await settled()
    inner.opened = True
    for gate in inner.gates:
        gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    for (texts, leaves), answer in zip(requests, answers, strict=True):
        if leaves:
            assert isinstance(answer, asyncio.CancelledError)
        else:
            assert isinstance(answer, list)
            assert_vectors_of(texts, answer)
    await settled()
    assert embedder.counters.pending_texts == 0
    await embedder.embed(["z"], deadline=soon())

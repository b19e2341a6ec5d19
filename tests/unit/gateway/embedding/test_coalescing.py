"""What concurrent callers share: nothing is embedded twice, nobody waits without need."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.embedding.coalescing import CoalescingEmbedder
from gateway.embedding.port import Vector
from gateway.embedding.vector_cache import ENTRY_OVERHEAD_BYTES
from tests.unit.gateway.embedding.gated_embedder import (
    DIMENSION,
    NEVER_MS,
    GatedEmbedder,
    ask,
    assert_vectors_of,
    settled,
    soon,
)

REQUESTS = st.lists(st.lists(st.sampled_from("abcdefghijkl"), max_size=9), max_size=12)


@settings(deadline=None)
@given(REQUESTS, st.integers(1, 6), st.sampled_from([0.0, NEVER_MS]), st.sampled_from([0, 10_000]))
async def test_every_caller_gets_its_own_vectors(
    requests: list[list[str]], batch_max: int, wait_ms_max: float, cache_bytes_max: int
) -> None:
    """Guards: however requests are merged, cut and shared, each text's vector reaches each caller in order,
    and no text is embedded twice unless a small request must not wait for a bulk."""
    inner = GatedEmbedder()
    embedder = CoalescingEmbedder(
        inner, batch_max=batch_max, wait_ms_max=wait_ms_max, cache_bytes_max=cache_bytes_max
    )
    answers = await asyncio.gather(*(embedder.embed(texts, deadline=soon()) for texts in requests))
    for texts, vectors in zip(requests, answers, strict=True):
        assert_vectors_of(texts, vectors)
    for call in inner.calls:
        assert len(call) == len(set(call))
    embedded = [text for call in inner.calls for text in call]
    assert set(embedded) == {text for texts in requests for text in texts}
    if not any(len(set(texts)) >= batch_max for texts in requests):
        assert all(len(call) <= batch_max for call in inner.calls)
        assert len(embedded) == len(set(embedded))
    assert embedder.counters.pending_texts == 0


async def test_repeated_text_is_asked_once() -> None:
    """Guards: duplicates in one request cost one vector."""
    inner = GatedEmbedder()
    vectors = await CoalescingEmbedder(inner).embed(["a", "b", "a", "a"], deadline=soon())
    assert_vectors_of(["a", "b", "a", "a"], vectors)
    assert inner.calls == [["a", "b"]]


async def test_text_in_flight_is_not_asked_again() -> None:
    """Guards: single flight, also without a cache: the second caller waits for the first one's work."""
    inner = GatedEmbedder(opened=False)
    embedder = CoalescingEmbedder(inner, cache_bytes_max=0)
    first, second = ask(embedder, "a"), ask(embedder, "a")
    await settled()
    inner.gates[0].set()
    assert_vectors_of(["a", "a"], (await first) + (await second))
    assert inner.calls == [["a"]]
    assert embedder.counters.joined_texts == 1


async def test_cached_text_is_not_asked_again() -> None:
    """Guards: a text seen before costs no call, and surrogate halves are cleaned before it is looked up."""
    inner = GatedEmbedder()
    embedder = CoalescingEmbedder(inner)
    await embedder.embed(["a", "\ud83d"], deadline=soon())
    vectors = await embedder.embed(["a", "\ufffd"], deadline=soon())
    assert not any(vector.flags.writeable for vector in vectors)
    assert len(inner.calls) == 1
    assert (embedder.counters.cache_hits, embedder.counters.cache_misses) == (2, 2)


async def test_idle_starts_at_once_and_busy_collects() -> None:
    """Guards: the first request never waits for company; those that come meanwhile travel together."""
    inner = GatedEmbedder(opened=False)
    embedder = CoalescingEmbedder(inner, batch_max=10, wait_ms_max=NEVER_MS)
    tasks = [ask(embedder, "a")]
    await inner.called(1)
    tasks += [ask(embedder, text) for text in "bcd"]
    await settled()
    assert inner.calls == [["a"]]
    inner.gates[0].set()
    await inner.called(2)
    inner.gates[1].set()
    await asyncio.gather(*tasks)
    assert inner.calls == [["a"], ["b", "c", "d"]]


async def test_full_batch_does_not_wait() -> None:
    """Guards: a full batch goes although another one runs, up to the limit; one that ends makes room."""
    inner = GatedEmbedder(opened=False)
    embedder = CoalescingEmbedder(inner, batch_max=3, wait_ms_max=NEVER_MS, batches_running_max=2)
    tasks = [ask(embedder, text) for text in "abcdefgh"]
    await settled()
    assert inner.calls == [["a"], ["b", "c", "d"]]
    inner.gates[0].set()
    await inner.called(3)
    assert inner.calls[2] == ["e", "f", "g"]
    inner.gates[1].set()
    await inner.called(4)
    assert inner.calls[3] == ["h"]
    inner.opened = True
    for gate in inner.gates:
        gate.set()
    await asyncio.gather(*tasks)


async def test_collected_text_waits_for_a_bounded_time() -> None:
    """Guards: a slow batch holds nobody up for longer than wait_ms_max."""
    inner = GatedEmbedder(opened=False)
    embedder = CoalescingEmbedder(inner, wait_ms_max=1)
    slow = ask(embedder, "slow")
    await inner.called(1)
    quick = ask(embedder, "quick")
    await inner.called(2)
    inner.gates[1].set()
    assert_vectors_of(["quick"], await quick)
    assert not slow.done()
    inner.gates[0].set()
    await slow


async def test_small_request_does_not_wait_for_a_bulk() -> None:
    """Guards: a query whose text lies in a running bulk is answered on its own; bulks share with bulks."""
    inner = GatedEmbedder(opened=False)
    embedder = CoalescingEmbedder(inner, batch_max=4)
    bulk, same_bulk = ask(embedder, *"abcdef"), ask(embedder, *"abcdef")
    query = ask(embedder, "c")
    await inner.called(2)
    inner.gates[1].set()
    assert_vectors_of(["c"], await query)
    assert not bulk.done()
    inner.gates[0].set()
    assert_vectors_of("abcdef", await bulk)
    assert_vectors_of("abcdef", await same_bulk)
    assert inner.calls == [list("abcdef"), ["c"]]


async def test_cache_is_bounded_in_bytes() -> None:
    """Guards: the cache stays within its bytes whatever passes through it, and holds the newest texts."""
    entry_bytes = DIMENSION * 4 + ENTRY_OVERHEAD_BYTES
    inner = GatedEmbedder()
    embedder = CoalescingEmbedder(inner, cache_bytes_max=10 * entry_bytes)
    for number in range(50):
        await embedder.embed([f"text {number}"], deadline=soon())
    assert embedder.counters.cache_bytes == 10 * entry_bytes
    await embedder.embed([f"text {number}" for number in range(40, 50)], deadline=soon())
    assert len(inner.calls) == 50
    await embedder.embed(["text 0"], deadline=soon())
    assert len(inner.calls) == 51


async def test_limits_are_kept_under_load() -> None:
    """Guards: with many callers at once no more than batches_running_max collected batches run together."""
    running, peak = 0, 0

    class Counting(GatedEmbedder):
        async def embed(self, texts: Sequence[str], *, deadline: float) -> list[Vector]:
            nonlocal running, peak
            running += 1
            peak = max(peak, running)
            try:
                await settled()
                return await super().embed(texts, deadline=deadline)
            finally:
                running -= 1

    inner = Counting()
    embedder = CoalescingEmbedder(inner, batch_max=4, wait_ms_max=0, batches_running_max=3)
    texts = [f"text {number}" for number in range(100)]
    answers = await asyncio.gather(*(embedder.embed(list(pair), deadline=soon()) for pair in pairwise(texts)))
    for pair, vectors in zip(pairwise(texts), answers, strict=True):
        assert_vectors_of(pair, vectors)
    assert peak == 3

"""The byte-bounded cache of vectors."""

from collections import OrderedDict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gateway.embedding.vector_cache import ENTRY_OVERHEAD_BYTES, VectorCache

DIMENSION = 4
ENTRY_BYTES = DIMENSION * 4 + ENTRY_OVERHEAD_BYTES


def vector(value: float) -> np.ndarray:
    return np.full(DIMENSION, value, np.float32)


@given(
    st.integers(0, 3),
    st.lists(st.tuples(st.sampled_from(["get", "put"]), st.sampled_from("abcde")), min_size=20, max_size=60),
)
def test_behaves_like_a_plain_lru(entries_max: int, steps: list[tuple[str, str]]) -> None:
    """Guards: the bound in bytes holds after every step, and the least recently used entry goes."""
    cache = VectorCache(entries_max * ENTRY_BYTES + 1)
    reference: OrderedDict[str, float] = OrderedDict()
    for number, (step, text) in enumerate(steps):
        if step == "put":
            cache.put(text, vector(number))
            reference[text] = number
            reference.move_to_end(text)
            while len(reference) > entries_max:
                reference.popitem(last=False)
        else:
            found = cache.get(text)
            assert (None if found is None else found[0]) == reference.get(text)
            if text in reference:
                reference.move_to_end(text)
        assert cache.bytes == len(cache) * ENTRY_BYTES <= entries_max * ENTRY_BYTES + 1
        assert len(cache) == len(reference)


def test_keeps_a_copy_of_its_own() -> None:
    """Guards: an entry pins no larger matrix in memory and no caller can change another caller's vector."""
    matrix = np.ones((1_000, DIMENSION), np.float32)
    kept = VectorCache(10_000).put("a", matrix[0])
    assert kept.base is None
    assert not kept.flags.writeable


def test_counts_hits_and_misses() -> None:
    """Guards: the hit rate that operators see is the real one."""
    cache = VectorCache(10_000)
    cache.put("a", vector(1))
    for text in ("a", "b", "a"):
        cache.get(text)
    assert (cache.hits, cache.misses) == (2, 1)

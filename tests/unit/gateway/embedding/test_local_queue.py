"""Turns between requests on one thread."""

import asyncio

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gateway.embedding.local_queue import Job, JobQueue


def job(texts: list[str]) -> Job:
    return Job(texts, deadline=0.0, done=asyncio.get_running_loop().create_future())


def rows_of(texts: list[str]) -> np.ndarray:
    return np.array([[len(text), sum(map(ord, text))] for text in texts], np.float32)


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=30), st.integers(1, 8))
async def test_vectors_return_in_the_order_given(texts: list[str], batch: int) -> None:
    """Guards: sorting by length for the model never exchanges two texts' vectors."""
    one = job(texts)
    while one.remaining:
        one.accept(rows_of(one.following(batch)))
    np.testing.assert_array_equal(np.stack(one.vectors()), rows_of(texts))


@given(st.lists(st.sampled_from(["bulk", "small", "turn", "turn"]), max_size=60))
async def test_no_request_starves(steps: list[str]) -> None:
    """Guards: the oldest request is served at least every second turn, a lone small one on the next."""
    queue = JobQueue()
    waiting: list[Job] = []
    since_oldest = 0
    lone_small: Job | None = None
    for step in steps:
        if step == "turn":
            served = queue.turn()
            assert (served is None) == (not waiting)
            if served is None:
                continue
            since_oldest = 0 if served is waiting[0] else since_oldest + 1
            assert since_oldest <= 1
            assert lone_small is None or served is lone_small
            lone_small = None
            served.accept(rows_of(served.following(8)))
            if not served.remaining:
                queue.remove(served)
                waiting.remove(served)
        else:
            added = job(["a"] if step == "small" else ["a"] * 40)
            # The oldest has just had its turn, or there is nobody else: nothing is owed to anyone.
            alone = step == "small" and since_oldest == 0 and all(other.remaining > 1 for other in waiting)
            lone_small = added if alone else lone_small
            queue.add(added)
            waiting.append(added)
    assert queue.texts == sum(one.remaining for one in waiting)


async def test_drain_and_remove() -> None:
    """Guards: closing takes every request out, and taking out one that has left already is no error."""
    queue = JobQueue()
    first, second = job(["a"]), job(["b", "c"])
    queue.add(first)
    queue.add(second)
    queue.remove(first)
    queue.remove(first)
    assert queue.texts == 2
    assert queue.drain() == [second]
    assert queue.turn() is None

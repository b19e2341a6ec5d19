"""Calls of the queue that are made again while it is away."""

from random import Random

import pytest

from gateway.ingest.errors import QueueUnavailable
from gateway.ingest.work.insisting import insisted


class Calls:
    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.made = 0
        self._failures = failures
        self._error = error or QueueUnavailable("no connection")

    async def __call__(self) -> str:
        self.made += 1
        if self.made <= self._failures:
            raise self._error
        return "done"


async def test_a_call_is_made_again_until_it_succeeds():
    calls = Calls(failures=2)
    assert await insisted(calls, 60.0, Random(1)) == "done"
    assert calls.made == 3


async def test_it_is_given_up_in_time():
    """Without a pause that ends after it."""
    calls = Calls(failures=100)
    with pytest.raises(QueueUnavailable):
        await insisted(calls, 0.0, Random(1))
    assert calls.made == 1


async def test_other_errors_are_raised_at_once():
    calls = Calls(failures=1, error=ValueError("a bug"))
    with pytest.raises(ValueError, match="a bug"):
        await insisted(calls, 60.0, Random(1))
    assert calls.made == 1

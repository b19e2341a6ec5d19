"""One search for callers who ask the same."""

import asyncio

import pytest

from drivers.deadline import Deadline
from drivers.errors import DeadlinePassed, ShardUnavailable
from gateway.search_cache.shared_searches import SharedSearches
from tests.eventually import eventually
from tests.unit.shard_router.fleet_of import soon


class Work:
    """A search that ends when the test says so."""

    def __init__(self) -> None:
        self.begun: list[Deadline] = []
        self.cancelled = 0
        self.land = asyncio.Event()
        self.errors: list[Exception] = []
        """Raised by the searches, one after the other."""

    async def __call__(self, deadline: Deadline) -> int:
        self.begun.append(deadline)
        number = len(self.begun)
        try:
            await self.land.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.errors:
            raise self.errors.pop(0)
        return number


@pytest.fixture
async def work() -> Work:
    return Work()


@pytest.fixture
async def searches() -> SharedSearches[str, int]:
    return SharedSearches()


async def _joined(searches: SharedSearches[str, int], count: int) -> None:
    await eventually(lambda: sum(search.callers for search in searches._running.values()) == count)


async def test_equal_callers_share_one_search(searches: SharedSearches[str, int], work: Work) -> None:
    """One is told that it was the first; another key is another search; afterwards a new one is done."""
    callers = [asyncio.create_task(searches.run("q", work, soon())) for _ in range(20)]
    other = asyncio.create_task(searches.run("r", work, soon()))
    await _joined(searches, 21)
    work.land.set()
    results = await asyncio.gather(*callers)
    assert sorted(results) == [(1, False)] * 19 + [(1, True)]
    assert await other == (2, True)
    assert await searches.run("q", work, soon()) == (3, True)


async def test_a_caller_that_leaves_takes_nobody_with_it(
    searches: SharedSearches[str, int], work: Work
) -> None:
    """Also the first may leave; the search goes on for the others, and ends with the last."""
    first, second, third = [asyncio.create_task(searches.run("q", work, soon())) for _ in range(3)]
    await _joined(searches, 3)
    for caller in (first, third):
        caller.cancel()
    await asyncio.gather(first, third, return_exceptions=True)
    assert work.cancelled == 0
    work.land.set()
    assert await second == (1, False)


async def test_the_search_ends_with_its_last_caller(searches: SharedSearches[str, int], work: Work) -> None:
    """Nobody's search must not load the shards; who comes next does not wait for one that is ending."""
    callers = [asyncio.create_task(searches.run("q", work, soon())) for _ in range(2)]
    await _joined(searches, 2)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    following = asyncio.create_task(searches.run("q", work, soon()))
    await eventually(lambda: work.cancelled == 1)
    work.land.set()
    assert await following == (2, True)


async def test_a_caller_in_a_hurry_waits_no_longer_than_it_can(
    searches: SharedSearches[str, int], work: Work
) -> None:
    """Its own deadline bounds it, and does not shorten the search of the others."""
    patient = asyncio.create_task(searches.run("q", work, soon()))
    await _joined(searches, 1)
    with pytest.raises(DeadlinePassed):
        await searches.run("q", work, Deadline.after(0.01))
    assert work.cancelled == 0
    work.land.set()
    assert await patient == (1, True)


async def test_who_has_more_time_than_the_first_asks_again_when_that_fails(
    searches: SharedSearches[str, int], work: Work
) -> None:
    """The first's time being up is no failure of theirs, and they share the second search; who has no more
    time gets the failure."""
    start = Deadline.after(20)
    short, same, longer, longest = start, start, Deadline(start.at_s + 10), Deadline(start.at_s + 20)
    work.errors.append(DeadlinePassed("a shard was asked"))
    calls = [asyncio.create_task(searches.run("q", work, d)) for d in (short, same, longer, longest)]
    await _joined(searches, 4)
    work.land.set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[:2]] == [DeadlinePassed, DeadlinePassed]
    assert sorted(str(outcome) for outcome in outcomes[2:]) == ["(2, False)", "(2, True)"]
    assert work.begun == [start, longer]


async def test_a_failure_is_not_kept(searches: SharedSearches[str, int], work: Work) -> None:
    """The next caller tries again."""
    work.land.set()
    work.errors.append(ShardUnavailable("a", "down"))
    with pytest.raises(ShardUnavailable):
        await searches.run("q", work, soon())
    assert await searches.run("q", work, soon()) == (2, True)


async def test_closing_ends_what_runs(searches: SharedSearches[str, int], work: Work) -> None:
    """No search outlives the gateway."""
    caller = asyncio.create_task(searches.run("q", work, soon()))
    await _joined(searches, 1)
    await searches.close()
    await asyncio.gather(caller, return_exceptions=True)
    assert (work.cancelled, caller.cancelled()) == (1, True)

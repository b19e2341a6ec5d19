"""Many callers, one lookup; a caller that leaves takes nobody with it."""

import asyncio

import pytest

from drivers.deadline import Deadline
from drivers.errors import DeadlinePassed, ShardUnavailable
from shard_router.single_flight import SingleFlight
from tests.eventually import eventually
from tests.unit.shard_router.fleet_of import soon


class Lookup:
    def __init__(self) -> None:
        self.started = 0
        self.deadlines: list[Deadline] = []
        self.land = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, deadline: Deadline) -> int:
        self.started += 1
        self.deadlines.append(deadline)
        await self.land.wait()
        if self.error is not None:
            raise self.error
        return self.started


@pytest.fixture
async def lookup() -> Lookup:
    return Lookup()


@pytest.fixture
async def flights() -> SingleFlight[str, int]:
    return SingleFlight("the answer", flight_s_max=20)


async def test_callers_share_one_lookup(flights: SingleFlight[str, int], lookup: Lookup) -> None:
    """A stampede for one group costs one look at the register."""
    callers = [asyncio.create_task(flights.run("g", lookup, soon())) for _ in range(20)]
    other = asyncio.create_task(flights.run("h", lookup, soon()))
    await eventually(lambda: lookup.started == 2)
    lookup.land.set()

    assert set(await asyncio.gather(*callers)) == {2}
    await other
    assert lookup.started == 2
    await flights.run("g", lookup, soon())
    assert lookup.started == 3


async def test_a_cancelled_caller_does_not_cancel_the_lookup(
    flights: SingleFlight[str, int], lookup: Lookup
) -> None:
    """Also the caller who began it may leave."""
    first = asyncio.create_task(flights.run("g", lookup, soon()))
    second = asyncio.create_task(flights.run("g", lookup, soon()))
    await eventually(lambda: lookup.started == 1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    lookup.land.set()

    assert await second == 1
    assert first.cancelled()


async def test_each_caller_waits_within_its_own_deadline(
    flights: SingleFlight[str, int], lookup: Lookup
) -> None:
    """A caller in a hurry neither waits longer nor shortens the lookup of the others."""
    hurried = asyncio.create_task(flights.run("g", lookup, Deadline.after(0.01)))
    patient = asyncio.create_task(flights.run("g", lookup, soon()))
    with pytest.raises(DeadlinePassed):
        await hurried
    assert lookup.deadlines[0].remaining_s() > 1
    lookup.land.set()

    assert await patient == 1


async def test_a_failure_reaches_every_caller_and_is_not_kept(
    flights: SingleFlight[str, int], lookup: Lookup
) -> None:
    """The next caller tries again."""
    lookup.error = ShardUnavailable("a", "down")
    callers = [asyncio.create_task(flights.run("g", lookup, soon())) for _ in range(3)]
    lookup.land.set()
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert all(isinstance(outcome, ShardUnavailable) for outcome in outcomes)

    lookup.error = None
    assert await flights.run("g", lookup, soon()) == 2


async def test_closing_ends_what_nobody_waits_for(flights: SingleFlight[str, int], lookup: Lookup) -> None:
    """No task outlives the router."""
    caller = asyncio.create_task(flights.run("g", lookup, soon()))
    await eventually(lambda: lookup.started == 1)
    caller.cancel()
    await flights.close()
    await asyncio.gather(caller, return_exceptions=True)

    lookup.land.set()
    assert await flights.run("g", lookup, soon()) == 2

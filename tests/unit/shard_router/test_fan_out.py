"""One call per shard at once: every reply by itself, and nothing left running."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from drivers.contract import ShardDriver
from drivers.errors import DeadlinePassed, ShardUnavailable
from shard_router.errors import ShardUnknown
from shard_router.fleet import Fleet
from shard_router.router import Router
from shard_router.routing import AllShards, OneShard, SomeShards
from tests.eventually import eventually
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import founded, running, soon, unevenly

type Drivers = dict[str, FaultyDriver]


@pytest.fixture
def drivers() -> Drivers:
    return {driver.shard_id: driver for driver in founded("a", "b", "c")}


@pytest.fixture
async def fleet(drivers: Drivers) -> AsyncGenerator[Fleet]:
    async with running(unevenly(list(drivers.values()))) as made:
        yield made


@pytest.fixture
async def router(fleet: Fleet) -> AsyncGenerator[Router]:
    made = Router(fleet, None)
    yield made
    await made.close()


async def name_of(driver: ShardDriver) -> str:
    await driver.ping(soon())
    return driver.shard_id


async def test_every_shard_replies_for_itself(router: Router, drivers: Drivers) -> None:
    """A failing shard is its own reply; latencies are told per shard."""
    drivers["b"].down = True
    replies = await router.fan_out(dict.fromkeys(("a", "b", "z"), name_of), soon())

    assert list(replies) == ["a", "b", "z"]
    assert replies["a"].result() == "a"
    assert isinstance(replies["b"].outcome, ShardUnavailable)
    assert isinstance(replies["z"].outcome, ShardUnknown)
    assert all(reply.latency_ms > 0 for reply in replies.values())
    assert await router.fan_out({}, soon()) == {}


async def test_shards_are_asked_in_parallel(router: Router, fleet: Fleet) -> None:
    """The fan-out takes as long as its slowest shard, not as long as all of them."""
    met = asyncio.Barrier(3)

    async def meet(driver: ShardDriver) -> None:
        await met.wait()

    async with asyncio.timeout(20):
        await router.fan_out_all(dict.fromkeys(("a", "b", "c"), meet), soon())


async def test_all_or_nothing_raises_the_first_error_and_ends_the_rest(router: Router, fleet: Fleet) -> None:
    """Work whose result nobody can use is not finished."""
    cancelled: list[str] = []

    async def hang(driver: ShardDriver) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(driver.shard_id)
            raise
        return ""

    async def fail(driver: ShardDriver) -> str:
        await eventually(lambda: all(s.calls_running for s in fleet.status()))
        raise DeadlinePassed("the answer")

    with pytest.raises(DeadlinePassed):
        await router.fan_out_all({"a": hang, "b": fail, "c": hang}, soon())
    assert sorted(cancelled) == ["a", "c"]
    assert not any(status.calls_running for status in fleet.status())


async def test_a_cancelled_fan_out_leaves_no_call_behind(router: Router, fleet: Fleet) -> None:
    """A caller that goes away frees its slots at every shard."""

    async def hang(driver: ShardDriver) -> None:
        await asyncio.Event().wait()

    fan_out = asyncio.create_task(router.fan_out(dict.fromkeys(("a", "b"), hang), soon()))
    await eventually(lambda: sum(s.calls_running for s in fleet.status()) == 2)
    fan_out.cancel()
    await asyncio.gather(fan_out, return_exceptions=True)

    assert not any(status.calls_running for status in fleet.status())


async def test_a_bug_is_not_a_shards_failure(router: Router, fleet: Fleet) -> None:
    """Only typed errors become outcomes."""

    async def broken(driver: ShardDriver) -> str:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await router.fan_out({"a": broken, "b": name_of}, soon())


async def test_routes_name_their_shards(router: Router, fleet: Fleet) -> None:
    """One token for one, some and all shards."""
    assert router.shards_of(OneShard("b")) == ("b",)
    assert router.shards_of(SomeShards(("a", "c"))) == ("a", "c")
    assert router.shards_of(AllShards()) == ("a", "b", "c")

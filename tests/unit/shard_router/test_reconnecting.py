"""A shard that is away: how often it is tried, who waits for that, and who is told at once."""

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import ShardUnavailable
from shard_router.backoff import Backoff
from shard_router.charter import PING_S_MAX
from shard_router.fleet import Fleet, FleetSettings
from shard_router.reconnecting import ReconnectSettings
from shard_router.shard_link import LinkSettings, LinkState
from tests.eventually import eventually
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import configured, founded, running, soon
from tests.unit.shard_router.manual_clock import ManualClock

RECONNECT = ReconnectSettings()
SCHEDULES = 40
"""Random ones, in which a shard comes and goes under its callers."""


class CountedDriver(FaultyDriver):
    """Notes the attempts that run and the time that each gives the first sign of life."""

    attempts_running = 0
    attempts_at_once = 0
    ping_limits_s: Sequence[float] = ()

    async def ping(self, deadline: Deadline) -> None:
        self.ping_limits_s = (*self.ping_limits_s, deadline.remaining_s())
        self.attempts_running += 1
        self.attempts_at_once = max(self.attempts_at_once, self.attempts_running)
        try:
            await super().ping(deadline)
        finally:
            self.attempts_running -= 1


def counted(shard_id: str = "a") -> CountedDriver:
    driver = CountedDriver(shard_id)
    driver.marker = founded(shard_id)[0].marker
    return driver


async def served(driver: ShardDriver) -> str:
    return driver.shard_id


def state(fleet: Fleet) -> LinkState | None:
    return fleet.status()[0].link


def begun(fleet: Fleet, calls: int, deadline: Deadline | None = None) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(fleet.on_shard("a", deadline or soon(), served)) for _ in range(calls)]


async def until_paused(clock: ManualClock) -> float:
    """The seconds until the next attempt at the one shard that is away."""
    (pause_s,) = await eventually(lambda: [p for p in clock.pauses_s if p > 0])
    return pause_s


async def until_a_long_pause(clock: ManualClock, a: FaultyDriver) -> float:
    while (pause_s := await until_paused(clock)) <= 2 * RECONNECT.due_s_max:
        attempts = a.calls["ping"]
        clock.advance(pause_s)
        await eventually(lambda seen=attempts: a.calls["ping"] > seen)
    return pause_s


async def test_a_shard_whose_next_attempt_is_far_away_fails_at_once_without_being_called() -> None:
    """A caller does not pay for a dead shard with its deadline, and is told when to come again."""
    clock, (a,) = ManualClock(), founded("a")
    a.down = True
    async with running(configured(a), clock=clock) as fleet:
        pause_s = await until_a_long_pause(clock, a)
        attempts = a.calls["ping"]
        async with asyncio.timeout(RECONNECT.wait_s_max):
            for _ in range(50):
                with pytest.raises(ShardUnavailable) as caught:
                    await fleet.on_shard("a", soon(), served)
                assert caught.value.retry_after_s == pytest.approx(pause_s)
        assert a.calls["ping"] == attempts


async def test_a_dead_shard_is_tried_ever_more_slowly_by_one_task() -> None:
    """No storm: one attempt per pause, pauses double up to a limit, with jitter."""
    clock, (a,) = ManualClock(), founded("a")
    a.down = True
    async with running(configured(a), clock=clock) as fleet:
        pauses: list[float] = []
        for _ in range(10):
            (pause,) = await eventually(lambda: [p for p in clock.pauses_s if p > 0])
            pauses.append(pause)
            attempts = a.calls["ping"]
            clock.advance(pause)
            await eventually(lambda seen=attempts: a.calls["ping"] > seen)
            assert a.calls["ping"] == attempts + 1

        a.down = False
        await eventually(lambda: clock.pauses_s)
        clock.advance(60)
        await eventually(lambda: state(fleet) is LinkState.READY)
    longest_s = RECONNECT.pauses.pause_s_max
    assert pauses[0] <= RECONNECT.pauses.first_s
    assert longest_s / 2 <= pauses[-1] <= longest_s
    assert pauses[3] > pauses[0]


def test_pauses_grow_to_a_limit_and_differ() -> None:
    """Half to all of the doubled pause, so that gateways do not knock in step."""
    backoff, rng = Backoff(first_s=0.2, pause_s_max=15.0), Random(7)

    for attempt in range(1, 100):
        full = min(15.0, 0.2 * 2 ** (attempt - 1))
        assert full / 2 <= backoff.pause_s(attempt, rng) <= full
    assert len({backoff.pause_s(3, rng) for _ in range(20)}) == 20


@pytest.mark.parametrize("runs", [False, True])
async def test_calls_wait_for_the_attempt_that_runs_or_is_due(runs: bool) -> None:
    """A short outage costs its callers time and no error; all of them wait for the same attempt."""
    clock, a = ManualClock(), counted()
    a.down = True
    async with running(configured(a), clock=clock) as fleet:
        pause_s = await until_paused(clock)
        assert pause_s <= RECONNECT.due_s_max
        attempts = a.calls["ping"]
        a.held["ping"] = asyncio.Event()
        if runs:
            clock.advance(pause_s)
            await eventually(lambda: a.calls["ping"] > attempts)
        waiting = begun(fleet, 20)
        await eventually(lambda: fleet.status()[0].calls_running == 20)
        clock.advance(0 if runs else pause_s)
        a.down = False
        a.held["ping"].set()
        assert await asyncio.gather(*waiting) == ["a"] * 20
        assert a.calls["ping"] == attempts + 1


async def test_an_attempt_that_fails_is_told_to_who_waited_for_it() -> None:
    """Not one attempt after the other: a call waits for one, and learns when the next one begins."""
    clock, a = ManualClock(), counted()
    a.down = True
    async with running(configured(a), clock=clock) as fleet:
        pause_s = await until_paused(clock)
        waiting = begun(fleet, 5)
        await eventually(lambda: fleet.status()[0].calls_running == 5)
        clock.advance(pause_s)
        for error in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(error, ShardUnavailable)
            assert error.retry_after_s is not None
            assert 0.1 < error.retry_after_s <= 0.4


async def test_who_waits_for_an_attempt_is_bounded() -> None:
    """By the call's own deadline, and by how long the attempt has gone on: one that hangs is not waited for
    by each call anew."""
    clock, a = ManualClock(), counted()
    a.down = True
    settings = FleetSettings(link=LinkSettings(reconnect=ReconnectSettings(wait_s_max=0.2)))
    async with running(configured(a), clock=clock, settings=settings) as fleet:
        pause_s = await until_paused(clock)
        attempts = a.calls["ping"]
        a.held["ping"] = asyncio.Event()
        clock.advance(pause_s)
        await eventually(lambda: a.calls["ping"] > attempts)
        for deadline in (Deadline.after(0.01), soon()):
            async with asyncio.timeout(10):
                with pytest.raises(ShardUnavailable) as caught:
                    await fleet.on_shard("a", deadline, served)
            assert caught.value.retry_after_s is None
        clock.advance(0.2)
        late = asyncio.create_task(fleet.on_shard("a", soon(), served))
        async with asyncio.timeout(0.1):
            with pytest.raises(ShardUnavailable):
                await late


async def test_the_first_pings_after_a_loss_are_short() -> None:
    """What was sent into an outage may hang beyond it; the attempts after it give ever more time, for a slow
    server. A shard that was never reached may be starting, and gets all of it."""
    clock, a = ManualClock(), counted()
    async with running(configured(a), clock=clock) as fleet:

        async def lost(driver: ShardDriver) -> str:
            a.down = True
            raise ShardUnavailable("a", "reset")

        with pytest.raises(ShardUnavailable):
            await fleet.on_shard("a", soon(), lost)
        for attempt in range(2, 5):
            await eventually(lambda seen=attempt: len(a.ping_limits_s) == seen)
            clock.advance(await until_paused(clock))
        await eventually(lambda: len(a.ping_limits_s) == 5)
    limits_s = [min(PING_S_MAX, limit_s) for limit_s in (PING_S_MAX, 1.5, 3.0, 6.0, 12.0)]
    assert a.ping_limits_s == pytest.approx(limits_s, abs=0.5)


@pytest.mark.parametrize("seed", range(SCHEDULES))
async def test_never_more_than_one_attempt_at_a_time_and_every_call_ends(seed: int) -> None:
    """However many call while the shard comes and goes: attempts follow each other, every call ends,
    and calls that begin when the shard is there again are served."""
    rng, clock, a = Random(seed), ManualClock(), counted()
    settings = FleetSettings(link=LinkSettings(reconnect=ReconnectSettings(wait_s_max=0.05)))
    async with running(configured(a), clock=clock, settings=settings) as fleet:

        async def call(driver: ShardDriver) -> str:
            if a.down:
                raise ShardUnavailable("a", "reset")
            return driver.shard_id

        calls: list[asyncio.Task[str]] = []
        a.held["ping"] = asyncio.Event()
        a.held["ping"].set()
        for _ in range(60):
            match rng.randrange(5):
                case 0:
                    a.down = not a.down
                case 1:
                    clock.advance(rng.choice([0.1, 0.4, 2.0]))
                case 2 if a.held["ping"].is_set():
                    a.held["ping"] = asyncio.Event()
                case 2:
                    a.held["ping"].set()
                case _:
                    calls += [asyncio.create_task(fleet.on_shard("a", soon(), call)) for _ in range(8)]
            await asyncio.sleep(0)
        a.down = False
        a.held["ping"].set()
        async with asyncio.timeout(10):
            ended = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(one) for one in ended} <= {str, ShardUnavailable}
        assert a.attempts_at_once == 1
        clock.advance(RECONNECT.pauses.pause_s_max)
        await eventually(lambda: state(fleet) is LinkState.READY)
        assert await fleet.on_shard("a", soon(), call) == "a"

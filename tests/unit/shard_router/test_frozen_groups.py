"""Writes that wait for the end of a group's pause."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from drivers.deadline import Deadline
from drivers.errors import DeadlinePassed
from drivers.fence import Fence, FenceState
from shard_router.errors import WriteBufferFull
from shard_router.fleet import Fleet
from shard_router.frozen_groups import FrozenGroups, FrozenSettings
from shard_router.placement import Placement
from tests.eventually import eventually
from tests.model_group import GroupState
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import configured, founded, running, soon
from tests.unit.shard_router.manual_clock import ManualClock

HERE = Placement("g", "a", "", 1)


@pytest.fixture
def driver() -> FaultyDriver:
    return founded("a")[0]


@pytest.fixture
async def fleet(driver: FaultyDriver) -> AsyncGenerator[Fleet]:
    async with running(configured(driver)) as fleet:
        yield fleet


def put(driver: FaultyDriver, state: FenceState, group_id: str = "g") -> None:
    driver.groups["", group_id] = GroupState(Fence(group_id, 2, state))


async def advance(clock: ManualClock, groups: FrozenGroups, seconds: float) -> None:
    """When the poller sleeps."""
    await eventually(lambda: bool(clock.pauses_s) or not groups.waiting)
    clock.advance(seconds)
    await asyncio.sleep(0)


@pytest.mark.parametrize("state", [s for s in FenceState if s is not FenceState.FROZEN])
async def test_all_wake_when_the_pause_is_over_however_it_ends(
    driver: FaultyDriver, fleet: Fleet, state: FenceState
) -> None:
    clock = ManualClock()
    groups = FrozenGroups(fleet, FrozenSettings(), clock)
    put(driver, FenceState.FROZEN)
    waiting = [asyncio.create_task(groups.until_thawed(HERE, soon())) for _ in range(20)]
    await eventually(lambda: groups.waiting == {"g": 20})
    reads = driver.calls["read_fences"]
    for _ in range(3):
        await advance(clock, groups, 1)
    await eventually(lambda: driver.calls["read_fences"] == reads + 3)
    assert not any(task.done() for task in waiting)
    put(driver, state)
    await advance(clock, groups, 1)
    await asyncio.gather(*waiting)
    assert driver.calls["read_fences"] == reads + 4, "one poller for all"
    assert not groups.waiting


async def test_a_shard_that_does_not_answer_wakes_them(driver: FaultyDriver, fleet: Fleet) -> None:
    clock = ManualClock()
    groups = FrozenGroups(fleet, FrozenSettings(), clock)
    put(driver, FenceState.FROZEN)
    waiting = asyncio.create_task(groups.until_thawed(HERE, soon()))
    await eventually(lambda: bool(clock.pauses_s))
    driver.down = True
    await advance(clock, groups, 1)
    await waiting


async def test_the_pauses_between_looks_grow(driver: FaultyDriver, fleet: Fleet) -> None:
    clock = ManualClock()
    settings = FrozenSettings()
    groups = FrozenGroups(fleet, settings, clock)
    put(driver, FenceState.FROZEN)
    waiting = asyncio.create_task(groups.until_thawed(HERE, soon()))
    seen: list[float] = []
    for _ in range(20):
        await eventually(lambda: bool(clock.pauses_s))
        seen += clock.pauses_s
        clock.advance(seen[-1])
        await asyncio.sleep(0)
    assert seen[0] == pytest.approx(settings.poll_first_s)
    assert seen[-1] == pytest.approx(settings.poll_s_max)
    assert seen == sorted(seen)
    waiting.cancel()
    await groups.close()


async def test_too_many_are_turned_away_at_once(driver: FaultyDriver, fleet: Fleet) -> None:
    clock = ManualClock()
    groups = FrozenGroups(fleet, FrozenSettings(per_group_max=2, waiting_max=3), clock)
    put(driver, FenceState.FROZEN)
    put(driver, FenceState.FROZEN, "h")
    there = Placement("h", "a", "", 1)
    waiting = [asyncio.create_task(groups.until_thawed(place, soon())) for place in (HERE, HERE, there)]
    await eventually(lambda: groups.waiting == {"g": 2, "h": 1})
    with pytest.raises(WriteBufferFull, match="per_group_max = 2"):
        await groups.until_thawed(HERE, soon())
    with pytest.raises(WriteBufferFull, match="waiting_max = 3"):
        await groups.until_thawed(there, soon())
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await eventually(lambda: not groups.waiting)
    await groups.close()


async def test_nobody_waits_longer_than_the_bound_or_his_deadline(driver: FaultyDriver, fleet: Fleet) -> None:
    groups = FrozenGroups(fleet, FrozenSettings(waited_s_max=0.01), ManualClock())
    put(driver, FenceState.FROZEN)
    with pytest.raises(WriteBufferFull, match="waited_s_max"):
        await groups.until_thawed(HERE, soon())
    with pytest.raises(DeadlinePassed):
        await groups.until_thawed(HERE, Deadline.after(0.001))
    await groups.close()


async def test_a_pause_that_lasts_too_long_is_told_once(driver: FaultyDriver, fleet: Fleet) -> None:
    clock, told = ManualClock(), list[Placement]()
    groups = FrozenGroups(fleet, FrozenSettings(stuck_s=2.0), clock)
    groups.on_stuck = told.append
    put(driver, FenceState.FROZEN)
    waiting = asyncio.create_task(groups.until_thawed(HERE, soon()))
    await advance(clock, groups, 1.5)
    await eventually(lambda: bool(clock.pauses_s))
    assert not told
    for _ in range(3):
        await advance(clock, groups, 1)
    await eventually(lambda: told == [HERE])
    put(driver, FenceState.OPEN)
    await advance(clock, groups, 1)
    await waiting
    assert told == [HERE]

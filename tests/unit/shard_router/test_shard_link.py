"""The connection to one shard: checked before use, re-checked after doubt, never a storm."""

import asyncio
from dataclasses import replace

import pytest

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import (
    EngineRefused,
    OlderCopy,
    OutcomeUnknown,
    OutcomeUnknownAtDeadline,
    ShardImpaired,
    ShardTimeout,
    ShardUnavailable,
    WipedShard,
)
from shard_router.catalog_port import KnownShard
from shard_router.fleet import Fleet
from shard_router.shard_link import LinkState
from tests.eventually import eventually
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import configured, founded, running, soon
from tests.unit.shard_router.manual_clock import ManualClock
from tests.unit.shard_router.memory_catalog import MemoryCatalog

CHECK_INTERVAL_S = 5.0


async def ping(driver: ShardDriver) -> str:
    await driver.ping(soon())
    return "pong"


def state(fleet: Fleet) -> LinkState | None:
    return fleet.status()[0].link


def beat(driver: FaultyDriver) -> int:
    assert driver.marker is not None
    return driver.marker.beat


@pytest.mark.parametrize("error", [ShardUnavailable("a", "reset"), OutcomeUnknown("a", "op-1")])
async def test_a_lost_connection_is_rechecked_before_the_next_call(error: Exception) -> None:
    """Behind the address may be another server now: the marker is read before any further call."""
    (a,) = founded("a")
    async with running(configured(a)) as fleet:

        async def lost(driver: ShardDriver) -> str:
            raise error

        reads = a.calls["read_marker"]
        with pytest.raises(type(error)):
            await fleet.on_shard("a", soon(), lost)
        a.marker = None
        with pytest.raises(WipedShard):
            await fleet.on_shard("a", soon(), ping)
        assert a.calls["read_marker"] > reads
        assert state(fleet) is LinkState.REFUSED


async def test_a_refused_statement_is_no_doubt() -> None:
    """An error that says nothing about the connection does not cost a check."""
    (a,) = founded("a")
    async with running(configured(a)) as fleet:

        async def refused(driver: ShardDriver) -> str:
            raise EngineRefused("a", "syntax")

        reads = a.calls["read_marker"]
        with pytest.raises(EngineRefused):
            await fleet.on_shard("a", soon(), refused)
        assert state(fleet) is LinkState.READY
        assert a.calls["read_marker"] == reads


@pytest.mark.parametrize("error", [ShardTimeout("a", "a read"), OutcomeUnknownAtDeadline("a", "op-1")])
async def test_a_call_without_an_answer_brings_the_check_forward(error: Exception) -> None:
    """The shard stays in use, for a caller in a hurry proves nothing; whether it hangs is looked at before
    the next check is due, once however many calls say so."""
    clock, (a,) = ManualClock(), founded("a")
    async with running(configured(a), clock=clock) as fleet:

        async def late(driver: ShardDriver) -> str:
            raise error

        reads = a.calls["read_marker"]
        for _ in range(3):
            with pytest.raises(type(error)):
                await fleet.on_shard("a", soon(), late)
        assert state(fleet) is LinkState.READY
        assert await fleet.on_shard("a", soon(), ping) == "pong"
        await eventually(lambda: any(0 < pause <= 1.0 for pause in clock.pauses_s))
        assert a.calls["read_marker"] == reads
        clock.advance(1.0)
        await eventually(lambda: a.calls["read_marker"] == reads + 1)


async def test_a_shard_that_cannot_stays_in_use_with_its_problem_noted() -> None:
    """Out of memory or read-only is no doubt about who answers: no call costs a check, a check that fails
    this way takes nothing from readers, and the next good one clears the problem."""
    clock, (a,) = ManualClock(), founded("a")
    async with running(configured(a), clock=clock) as fleet:

        async def full(driver: ShardDriver) -> str:
            raise ShardImpaired("a", "it is out of memory")

        reads = a.calls["read_marker"]
        with pytest.raises(ShardImpaired):
            await fleet.on_shard("a", soon(), full, writes=True)
        assert (state(fleet), a.calls["read_marker"]) == (LinkState.READY, reads)
        a.faults["advance_beat"] = ShardImpaired("a", "it is out of memory")
        await tick(clock, a)
        await eventually(lambda: fleet.status()[0].problem is not None)
        assert state(fleet) is LinkState.READY
        assert await fleet.on_shard("a", soon(), ping) == "pong"
        a.faults.clear()
        await tick(clock, a)
        await eventually(lambda: fleet.status()[0].problem is None)
        assert beat(a) == 2


async def test_calls_wait_while_the_check_runs_and_only_within_their_deadline() -> None:
    """A short hiccup is not an error; a long one is no hang."""
    (a,) = founded("a")
    async with running(configured(a)) as fleet:
        a.held["read_marker"] = asyncio.Event()

        async def lost(driver: ShardDriver) -> str:
            raise ShardUnavailable("a", "reset")

        with pytest.raises(ShardUnavailable):
            await fleet.on_shard("a", soon(), lost)
        waiting = asyncio.create_task(fleet.on_shard("a", soon(), ping))
        with pytest.raises(ShardUnavailable, match="still connecting"):
            await fleet.on_shard("a", Deadline.after(0.01), ping)
        assert not waiting.done()

        a.held["read_marker"].set()
        assert await waiting == "pong"


async def test_failures_of_calls_from_before_the_check_do_not_undo_it() -> None:
    """Many calls that die together cause one check, not one each."""
    (a,) = founded("a")
    async with running(configured(a)) as fleet:
        die = asyncio.Event()

        async def lost(driver: ShardDriver) -> str:
            await die.wait()
            raise ShardUnavailable("a", "reset")

        calls = [asyncio.create_task(fleet.on_shard("a", soon(), lost)) for _ in range(2)]
        slow = asyncio.create_task(fleet.on_shard("a", soon(), _dies_when(release := asyncio.Event())))
        await eventually(lambda: fleet.status()[0].calls_running == 3)
        reads = a.calls["read_marker"]
        die.set()
        await asyncio.gather(*calls, return_exceptions=True)
        assert await fleet.on_shard("a", soon(), ping) == "pong"
        checked = a.calls["read_marker"]
        assert checked == reads + 1

        release.set()
        await asyncio.gather(slow, return_exceptions=True)
        assert state(fleet) is LinkState.READY
        assert a.calls["read_marker"] == checked


def _dies_when(release: asyncio.Event):
    async def call(driver: ShardDriver) -> str:
        await release.wait()
        raise ShardUnavailable("a", "reset")

    return call


async def test_a_bug_on_the_way_to_a_shard_is_survived() -> None:
    """An unexpected exception neither kills the shard's task nor stays unseen."""
    clock, (a,) = ManualClock(), founded("a")
    a.faults["ping"] = ValueError("a bug")  # pyright: ignore[reportArgumentType]
    async with running(configured(a), clock=clock) as fleet:
        assert state(fleet) is LinkState.UNREACHABLE
        del a.faults["ping"]
        clock.advance(60)
        await eventually(lambda: state(fleet) is LinkState.READY)


# --- beats ----------------------------------------------------------------------------------------


async def tick(clock: ManualClock, driver: FaultyDriver) -> None:
    """Lets one check of the shard happen."""
    reads = driver.calls["read_marker"]
    await eventually(lambda: clock.pauses_s)
    clock.advance(CHECK_INTERVAL_S)
    await eventually(lambda: driver.calls["read_marker"] > reads)
    await eventually(lambda: clock.pauses_s or driver.marker is None)


async def test_a_shard_that_is_written_to_beats() -> None:
    """Every check interval with writes advances the beat by one and tells the catalog; reads do not."""
    clock, catalog, (a,) = ManualClock(), MemoryCatalog(), founded("a")
    async with running(configured(a), catalog, clock) as fleet:
        await fleet.on_shard("a", soon(), ping)
        await tick(clock, a)
        assert beat(a) == 1

        await fleet.on_shard("a", soon(), ping, writes=True)
        await tick(clock, a)
        assert beat(a) == 2
        assert catalog.known["a"] == KnownShard("incarnation-a", 2)
        assert fleet.status()[0].beat == 2

        await tick(clock, a)
        assert beat(a) == 2


async def test_a_beat_that_failed_is_made_up_for() -> None:
    """Writes that were not followed by a beat are not forgotten."""
    clock, (a,) = ManualClock(), founded("a")
    async with running(configured(a), clock=clock) as fleet:
        await fleet.on_shard("a", soon(), ping, writes=True)
        a.faults["advance_beat"] = ShardUnavailable("a", "reset")
        await tick(clock, a)
        assert beat(a) == 1
        a.faults.clear()
        await eventually(lambda: state(fleet) is LinkState.READY)
        await tick(clock, a)
        assert beat(a) == 2


async def test_another_gateways_beat_counts() -> None:
    """The compare-and-set that loses is no failure, and the higher beat is remembered."""
    clock, (a,) = ManualClock(), founded("a")
    async with running(configured(a), clock=clock) as fleet:
        await fleet.on_shard("a", soon(), ping, writes=True)
        assert a.marker is not None
        a.marker = replace(a.marker, beat=8)
        await tick(clock, a)
        assert beat(a) == 9
        assert fleet.status()[0].beat == 9


@pytest.mark.parametrize("catalog", [None, MemoryCatalog()])
async def test_a_disk_that_went_back_is_refused_while_in_use(catalog: MemoryCatalog | None) -> None:
    """A restore without any lost connection is noticed by the next check, from memory alone too."""
    clock, (a,) = ManualClock(), founded("a")
    assert a.marker is not None
    a.marker = replace(a.marker, beat=8)
    async with running(configured(a), catalog, clock) as fleet:
        a.marker = replace(a.marker, beat=7)
        await tick(clock, a)
        await eventually(lambda: state(fleet) is LinkState.REFUSED)
        with pytest.raises(OlderCopy):
            await fleet.on_shard("a", soon(), ping)

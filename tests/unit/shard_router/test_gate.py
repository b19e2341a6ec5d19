"""Calls at one shard are bounded, and so is the queue for them."""

import asyncio

import pytest

from drivers.deadline import Deadline
from drivers.errors import ShardTimeout
from shard_router.errors import ShardGateFull
from shard_router.gate import GateLimits, ShardGate, caller
from tests.eventually import eventually
from tests.unit.shard_router.fleet_of import soon


class Calls:
    """Calls that stay in the gate until they are released."""

    def __init__(self, gate: ShardGate) -> None:
        self.gate = gate
        self.release = asyncio.Event()
        self.order: list[int] = []
        self.tasks: list[asyncio.Task[None]] = []

    def start(self, number: int, deadline: Deadline | None = None) -> asyncio.Task[None]:
        async def call() -> None:
            async with self.gate.slot(deadline or soon()):
                self.order.append(number)
                await self.release.wait()

        self.tasks.append(asyncio.create_task(call()))
        return self.tasks[-1]

    async def finish(self) -> None:
        self.release.set()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@pytest.fixture
async def calls() -> Calls:
    """Two slots, three places in the queue."""
    return Calls(ShardGate("a", GateLimits(calls_max=2, waiting_max=3)))


async def test_slots_and_queue_are_bounded(calls: Calls) -> None:
    """Invariant 6: past both limits the caller is told at once, with the limits."""
    for number in range(5):
        calls.start(number)
    await eventually(lambda: (calls.gate.running, calls.gate.waiting) == (2, 3))

    with pytest.raises(ShardGateFull) as full:
        await calls.start(5)
    assert full.value.metadata() == {
        "shard": "a",
        "limit_name": "calls_per_shard_max",
        "limit": "2",
        "waiting_max": "3",
    }
    await calls.finish()
    assert sorted(calls.order) == [0, 1, 2, 3, 4]
    assert (calls.gate.running, calls.gate.waiting) == (0, 0)


async def test_first_come_first_served(calls: Calls) -> None:
    """Nobody starves: a newcomer does not overtake the queue."""
    for number in range(5):
        calls.start(number)
    await eventually(lambda: calls.gate.waiting == 3)
    await calls.finish()

    assert calls.order == [0, 1, 2, 3, 4]


async def test_callers_take_turns(calls: Calls) -> None:
    """One caller with a long queue does not hold up one with a single call."""
    for number, name in enumerate(("busy", "busy", "busy", "busy", "idle")):
        token = caller.set(name)
        calls.start(number)
        caller.reset(token)
    await eventually(lambda: calls.gate.waiting == 3)
    await calls.finish()

    assert calls.order == [0, 1, 2, 4, 3]


async def test_waiting_ends_with_the_deadline(calls: Calls) -> None:
    """A slow shard does not hold its callers longer than they can wait."""
    for number in range(2):
        calls.start(number)
    await eventually(lambda: calls.gate.running == 2)

    with pytest.raises(ShardTimeout):
        await calls.start(2, Deadline.after(0.01))
    assert calls.gate.waiting == 0
    await calls.finish()
    assert calls.order == [0, 1]


async def test_a_cancelled_waiter_leaves_no_trace(calls: Calls) -> None:
    """Neither its place in the queue nor a slot is lost."""
    for number in range(4):
        calls.start(number)
    await eventually(lambda: calls.gate.waiting == 2)
    calls.tasks[2].cancel()
    await eventually(lambda: calls.gate.waiting == 1)
    await calls.finish()

    assert calls.order == [0, 1, 3]
    calls.release.clear()
    again = [calls.start(number) for number in (4, 5)]
    await eventually(lambda: calls.gate.running == 2)
    await calls.finish()
    assert all(task.done() and not task.cancelled() for task in again)


async def test_a_failing_call_gives_its_slot_back(calls: Calls) -> None:
    """Errors do not eat the gate."""
    for _ in range(10):
        with pytest.raises(ValueError, match="broken"):
            async with calls.gate.slot(soon()):
                raise ValueError("broken")

    assert calls.gate.running == 0
    calls.start(1)
    calls.start(2)
    await eventually(lambda: calls.gate.running == 2)
    await calls.finish()

"""The floor: which calls are sent again, and how."""

import asyncio
from typing import Any, cast

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import GroupRef
from gateway.bench.search.engine_calls import EngineCalls, Recording, recorded, recording


class Driver:
    """Answers when it is let."""

    shard_id = "s"

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[object, ...]]] = []
        self.running = 0
        self.running_most = 0

    def __getattr__(self, name: str) -> Any:
        async def call(*args: object) -> str:
            self.calls.append((name, args))
            self.running += 1
            self.running_most = max(self.running_most, self.running)
            await asyncio.sleep(0)
            self.running -= 1
            return name

        return call


async def calls_of(driver: ShardDriver) -> EngineCalls:
    """Two side by side, then one."""
    mine = Recording()
    token = recording.set(mine)
    try:
        await asyncio.gather(
            driver.read_fences([GroupRef("a")], Deadline.after(1)), driver.ping(Deadline.after(1))
        )
        await driver.list_slots(Deadline.after(1))
    finally:
        recording.reset(token)
    return mine.calls


async def test_the_same_calls_are_sent_in_the_same_steps() -> None:
    """As many and as parallel, with the same arguments, but by a deadline of their own."""
    driver = Driver()
    calls = await calls_of(recorded(cast("ShardDriver", driver)))
    assert [len(step) for step in calls.steps] == [2, 1]
    assert calls.names == ["list_slots", "ping", "read_fences"]
    first, driver.calls, driver.running_most = driver.calls, [], 0
    await calls.send()
    assert driver.running_most == 2
    assert [(name, args[:-1]) for name, args in driver.calls] == [(name, args[:-1]) for name, args in first]
    assert driver.calls[0][1] == ([GroupRef("a")], driver.calls[0][1][-1])
    assert {args[-1] for _, args in driver.calls}.isdisjoint(args[-1] for _, args in first)


async def test_only_the_searches_own_calls_are_noted() -> None:
    """What keeps a fleet connected in the meantime is no part of a search."""
    driver = recorded(cast("ShardDriver", Driver()))
    mine = Recording()
    background = asyncio.create_task(cast("Any", driver.ping(Deadline.after(1))))
    token = recording.set(mine)
    try:
        await driver.list_slots(Deadline.after(1))
        await background
    finally:
        recording.reset(token)
    await driver.list_slots(Deadline.after(1))
    assert mine.calls.names == ["list_slots"]
    assert driver.shard_id == "s"

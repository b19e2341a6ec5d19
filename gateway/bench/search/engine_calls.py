"""The floor of a search: the very engine calls that it makes, recorded once and sent again by a bare client.

A search is done once by the gateway's own searcher in this process, over drivers that note every call with
its arguments. Sent again they are the same calls, as many and as parallel, without routing, merging, fusing,
replies and gRPC; what stays is the drivers' own work: parameters, the wire, their results as rows.

Steps: calls that ran at the same time make one, and a step begins when nothing of the one before runs any
more. So a call that waited for one part of a step is sent with that step: the floor is never too high.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, cast

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from shard_router.observer import OBSERVED_CALLS

CALL_TIMEOUT_S = 60.0

type Call = Callable[[Deadline], Awaitable[object]]
"""One call to one shard, whose deadline is free."""


@dataclass(frozen=True, slots=True)
class EngineCalls:
    """Of one search."""

    steps: Sequence[Sequence[Call]]
    names: Sequence[str]
    """Of all calls, by the driver's contract, sorted."""

    async def send(self) -> None:
        """Step by step, the calls of a step side by side. Raises what drivers raise."""
        deadline = Deadline.after(CALL_TIMEOUT_S)
        for step in self.steps:
            if len(step) == 1:
                await step[0](deadline)
            else:
                await asyncio.gather(*(call(deadline) for call in step))


@dataclass(slots=True)
class Recording:
    """What one search calls, while it runs."""

    _steps: list[list[Call]] = field(default_factory=list[list[Call]])
    _names: list[str] = field(default_factory=list[str])
    _running: int = 0

    async def run[T](self, name: str, call: Callable[..., Awaitable[T]], args: Sequence[object]) -> T:
        if not self._running:
            self._steps.append([])
        self._steps[-1].append(_again(call, args))
        self._names.append(name)
        self._running += 1
        try:
            return await call(*args)
        finally:
            self._running -= 1

    @property
    def calls(self) -> EngineCalls:
        return EngineCalls([tuple(step) for step in self._steps], sorted(self._names))


recording: ContextVar[Recording | None] = ContextVar("recording", default=None)
"""Of the search to which the running code belongs."""


def recorded(driver: ShardDriver) -> ShardDriver:
    """The same driver, whose calls are noted while there is a `recording`."""
    # A proxy has the driver's interface by construction, which the type checker cannot see.
    return cast("ShardDriver", _RecordedDriver(driver))


class _RecordedDriver:
    def __init__(self, driver: ShardDriver) -> None:
        self._driver = driver
        for name in OBSERVED_CALLS:
            setattr(self, name, _noted(name, getattr(driver, name)))

    def __getattr__(self, name: str) -> Any:
        """What is no call: identity, open, close, use_marker."""
        return getattr(self._driver, name)


def _noted[T](name: str, call: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    async def noted(*args: object) -> T:
        running = recording.get()
        return await (call(*args) if running is None else running.run(name, call, args))

    return noted


def _again(call: Callable[..., Awaitable[object]], args: Sequence[object]) -> Call:
    def again(deadline: Deadline) -> Awaitable[object]:
        return call(*(deadline if isinstance(arg, Deadline) else arg for arg in args))

    return again

"""The attempts to reach one shard that is away: when each begins, how long its ping may take, who waits for
its end."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from drivers.deadline import Deadline
from shard_router.backoff import Backoff
from shard_router.clock import Clock

_PAUSES = Backoff(first_s=0.2, pause_s_max=1.0)
_TOLD_S_MIN = 0.01
"""A caller who is told to come again after less would come twice."""


@dataclass(frozen=True, slots=True)
class ReconnectSettings:
    pauses: Backoff = _PAUSES
    """Between attempts."""
    wait_s_max: float = 1.5
    """Of a call, and since the attempt began: one without an answer by then may hang, and is no more waited
    for."""
    due_s_max: float = 0.25
    """An attempt that begins within this time is waited for as if it ran."""
    ping_s_first: float = 1.5
    """Of the first attempt's ping, doubled with each that fails: what was sent into an outage may stay lost
    after it, and then the next attempt must not be long in coming."""


class Attempts:
    """One at a time, made by the one task that calls failed() and succeeded()."""

    def __init__(self, settings: ReconnectSettings, clock: Clock, rng: Random) -> None:
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._failures = 0
        """In a row."""
        self._begin_s = 0.0
        """When the attempt that runs began, or the next one begins."""
        self._ended = asyncio.Event()
        """Of that attempt; every attempt has its own."""

    @property
    def ping_s_max(self) -> float:
        """Of the attempt that runs."""
        return self._settings.ping_s_first * 2 ** min(self._failures, 32)

    @property
    def begins_in_s(self) -> float | None:
        """Until the next attempt; None while one runs or is about to."""
        left_s = self._begin_s - self._clock.monotonic_s()
        return left_s if left_s > _TOLD_S_MIN else None

    def failed(self) -> float:
        """The seconds to sleep before the next attempt."""
        self._failures += 1
        pause_s = self._settings.pauses.pause_s(self._failures, self._rng)
        self._begin_s = self._clock.monotonic_s() + pause_s
        self._end()
        return pause_s

    def succeeded(self) -> None:
        self._failures = 0
        self._end()

    async def ended(self, deadline: Deadline) -> None:
        """Returns when the attempt that runs or is due has ended, or is not worth the wait any more."""
        since_s = self._clock.monotonic_s() - self._begin_s
        if -since_s > self._settings.due_s_max:
            return
        wait_s = self._settings.wait_s_max - max(since_s, 0.0)
        with suppress(TimeoutError):
            async with asyncio.timeout(min(wait_s, deadline.remaining_s())):
                await self._ended.wait()

    def _end(self) -> None:
        """Wakes who waited for it; who comes from here on waits for the next one."""
        self._ended.set()
        self._ended = asyncio.Event()

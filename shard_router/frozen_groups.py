"""Writes to a group that is frozen wait here, bounded in number and time, for the end of its pause.

A group is frozen for the last moments before its owner changes. All that wait for one group share one look at
its fence, every few milliseconds. They wake when the fence is in any other state and find out for themselves
what has become of the group: an event alone could be missed, or belong to an earlier pause.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import DeadlinePassed, GraphgateError
from drivers.fence import Fence, FenceState
from shard_router.clock import Clock
from shard_router.errors import WriteBufferFull
from shard_router.placement import Placement


@dataclass(frozen=True, slots=True)
class FrozenSettings:
    per_group_max: int = 256
    """Calls that wait for one group."""
    waiting_max: int = 4_096
    """Calls that wait at this gateway."""
    waited_s_max: float = 10.0
    """Of one call."""
    poll_first_s: float = 0.002
    poll_s_max: float = 0.025
    poll_growth: float = 1.25
    stuck_s: float = 2.0
    """A group that is frozen for longer has nobody who works on its move, as a rule: a move lets writers go
    on after half of that."""


class FrozenShards(Protocol):
    async def on_shard[T](
        self, shard_id: str, deadline: Deadline, call: Callable[[ShardDriver], Awaitable[T]]
    ) -> T: ...


@dataclass(slots=True)
class _Pause:
    over: asyncio.Future[None]
    waiting: int
    poller: asyncio.Task[None]


class FrozenGroups:
    """Belongs to one event loop."""

    def __init__(self, shards: FrozenShards, settings: FrozenSettings, clock: Clock) -> None:
        self._shards = shards
        self._settings = settings
        self._clock = clock
        self.on_stuck: Callable[[Placement], None] | None = None
        """Told once for each pause of more than stuck_s. Must not raise."""
        self._pauses: dict[tuple[str, str, str], _Pause] = {}
        """By shard, space and group."""
        self._waiting = 0

    @property
    def waiting(self) -> Mapping[str, int]:
        """How many calls wait for each group."""
        return {key[2]: pause.waiting for key, pause in self._pauses.items()}

    async def close(self) -> None:
        pollers = [pause.poller for pause in self._pauses.values()]
        for poller in pollers:
            poller.cancel()
        await asyncio.gather(*pollers, return_exceptions=True)

    async def until_thawed(self, placement: Placement, deadline: Deadline) -> None:
        """Returns when the group's fence at that place is not FROZEN any more, or cannot be read. Raises
        WriteBufferFull at once if too many wait already or after waited_s_max, DeadlinePassed."""
        settings = self._settings
        key = (placement.shard_id, placement.space, placement.group_id)
        there = self._pauses.get(key)
        if there is not None and there.waiting >= settings.per_group_max:
            raise WriteBufferFull(placement.group_id, "per_group_max", settings.per_group_max)
        if self._waiting >= settings.waiting_max:
            raise WriteBufferFull(placement.group_id, "waiting_max", settings.waiting_max)
        pause = there or self._begin(key, placement)
        pause.waiting += 1
        self._waiting += 1
        try:
            async with asyncio.timeout(min(deadline.remaining_s(), settings.waited_s_max)):
                await asyncio.shield(pause.over)
        except TimeoutError as error:
            if deadline.remaining_s() <= 0:
                raise DeadlinePassed(f"group {placement.group_id} had changed its shard") from error
            limit_s = settings.waited_s_max
            raise WriteBufferFull(placement.group_id, "waited_s_max", limit_s) from error
        finally:
            self._waiting -= 1
            pause.waiting -= 1
            if not pause.waiting:
                # Whoever comes next begins anew, and is not woken by the end of this one.
                self._forget(key, pause)
                pause.poller.cancel()

    def _begin(self, key: tuple[str, str, str], placement: Placement) -> _Pause:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        poller = asyncio.create_task(self._poll(placement), name=f"frozen group {placement.group_id}")
        pause = _Pause(over, 0, poller)
        self._pauses[key] = pause
        poller.add_done_callback(lambda done: self._end(key, pause, done))
        return pause

    def _end(self, key: tuple[str, str, str], pause: _Pause, poller: asyncio.Task[None]) -> None:
        self._forget(key, pause)
        if not poller.cancelled():
            # A failure wakes them too: what they do next fails in its own way.
            poller.exception()
        if not pause.over.done():
            pause.over.set_result(None)

    def _forget(self, key: tuple[str, str, str], pause: _Pause) -> None:
        if self._pauses.get(key) is pause:
            del self._pauses[key]

    async def _poll(self, placement: Placement) -> None:
        settings, pause_s = self._settings, self._settings.poll_first_s
        stuck_at_s = self._clock.monotonic_s() + settings.stuck_s
        while True:
            await self._clock.sleep(pause_s)
            try:
                fence = await self._read(placement)
            except GraphgateError:
                return
            if fence is None or fence.state is not FenceState.FROZEN:
                return
            if self._clock.monotonic_s() >= stuck_at_s and self.on_stuck is not None:
                self.on_stuck(placement)
                stuck_at_s = math.inf
            pause_s = min(pause_s * settings.poll_growth, settings.poll_s_max)

    async def _read(self, placement: Placement) -> Fence | None:
        deadline = Deadline.after(self._settings.waited_s_max)
        fences = await self._shards.on_shard(
            placement.shard_id, deadline, lambda driver: driver.read_fences([placement.ref], deadline)
        )
        return fences.get(placement.group_id)

"""How many calls this gateway has running at one shard, and how many may wait for their turn."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from drivers.deadline import Deadline
from drivers.errors import DeadlinePassed
from shard_router.errors import ShardGateFull


@dataclass(frozen=True, slots=True)
class GateLimits:
    calls_max: int = 64
    """Calls running at one shard."""
    waiting_max: int = 256
    """Calls waiting for one of those slots."""


class ShardGate:
    """First come, first served. One slow shard fills its own gate and no other."""

    def __init__(self, shard_id: str, limits: GateLimits) -> None:
        self._shard_id = shard_id
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.calls_max)
        self._waiting = 0
        self._running = 0

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return self._waiting

    @asynccontextmanager
    async def slot(self, deadline: Deadline) -> AsyncGenerator[None]:
        """Raises ShardGateFull at once when the queue is full, DeadlinePassed while waiting."""
        if self._slots.locked():
            await self._wait(deadline)
        else:
            await self._slots.acquire()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._slots.release()

    async def _wait(self, deadline: Deadline) -> None:
        if self._waiting >= self._limits.waiting_max:
            raise ShardGateFull(self._shard_id, self._limits.calls_max, self._limits.waiting_max)
        self._waiting += 1
        try:
            async with asyncio.timeout(deadline.remaining_s()):
                await self._slots.acquire()
        except TimeoutError as error:
            raise DeadlinePassed(f"a slot at shard {self._shard_id} was free") from error
        finally:
            self._waiting -= 1

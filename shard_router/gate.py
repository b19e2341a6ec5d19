"""How many calls this gateway has running at one shard, and how many may wait for their turn."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from drivers.deadline import Deadline
from drivers.errors import ShardTimeout
from shard_router.errors import ShardGateFull

BEFORE_THIS_ONE = "the calls before this one"

caller: ContextVar[str] = ContextVar("caller", default="")
"""Whose call this is: callers take turns, so that one with many calls does not hold up one with few."""


@dataclass(frozen=True, slots=True)
class GateLimits:
    calls_max: int = 64
    """Calls running at one shard."""
    waiting_max: int = 256
    """Calls waiting for one of those slots."""


class ShardGate:
    """Callers in turn, the calls of each first come, first served. One slow shard fills its own gate and
    no other."""

    def __init__(self, shard_id: str, limits: GateLimits) -> None:
        self._shard_id = shard_id
        self._limits = limits
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        """Of callers with waiting calls, the next one first."""
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
        """Raises ShardGateFull at once when the queue is full, ShardTimeout while waiting."""
        if self._running >= self._limits.calls_max:
            await self._wait(deadline)
        else:
            self._running += 1
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, deadline: Deadline) -> None:
        """Returns with a slot that another call has left to this one."""
        if self._waiting >= self._limits.waiting_max:
            raise ShardGateFull(self._shard_id, self._limits.calls_max, self._limits.waiting_max)
        key, turn = caller.get(), asyncio.get_running_loop().create_future()
        self._queues.setdefault(key, deque()).append(turn)
        self._waiting += 1
        try:
            async with asyncio.timeout(deadline.remaining_s()):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._pass_on()
            else:
                self._leave_queue(key, turn)
            if isinstance(error, TimeoutError):
                raise ShardTimeout(self._shard_id, BEFORE_THIS_ONE) from error
            raise

    def _leave_queue(self, key: str, turn: asyncio.Future[None]) -> None:
        queue = self._queues.get(key, ())
        # Not if its turn came after it was cancelled and before it got here.
        if turn in queue:
            self._waiting -= 1
            self._queues[key].remove(turn)
            if not self._queues[key]:
                del self._queues[key]

    def _pass_on(self) -> None:
        """The slot of a call that has ended: to the next caller's first call, else it is free."""
        while self._queues:
            key, queue = next(iter(self._queues.items()))
            turn = queue.popleft()
            if queue:
                self._queues.move_to_end(key)
            else:
                del self._queues[key]
            self._waiting -= 1
            if not turn.done():
                turn.set_result(None)
                return
        self._running -= 1

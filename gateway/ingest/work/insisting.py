"""Calls of the queue that are made again while it does not answer: its server restarts within seconds, and
what was worked out meanwhile is worth the wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import Random

from gateway.ingest.errors import QueueUnavailable
from shard_router.backoff import Backoff

RECONNECT = Backoff(first_s=0.2, pause_s_max=5.0)


async def insisted[T](call: Callable[[], Awaitable[T]], seconds_max: float, rng: Random) -> T:
    """The call's result. A call that may have been carried out is made again, too: the queue takes a result
    once. Raises QueueUnavailable after `seconds_max`, and what else the call raises."""
    until = time.monotonic() + seconds_max
    failures = 0
    while True:
        try:
            return await call()
        except QueueUnavailable:
            failures += 1
            pause_s = RECONNECT.pause_s(failures, rng)
            if time.monotonic() + pause_s > until:
                raise
        await asyncio.sleep(pause_s)

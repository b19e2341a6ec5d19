"""Waiting that goes on as long as something goes on: how long that takes is the machine's affair."""

import asyncio
import time
from collections.abc import Awaitable, Callable

STILL_S_MAX = 60.0
"""Without any sign of progress, until whoever waits gives up."""
_INTERVAL_S = 0.1


async def while_going[T](look: Callable[[], Awaitable[tuple[T | None, object]]]) -> T:
    """The first true value of `look`, which also says how far everything is: any change of that counts.

    Raises AssertionError with the last of both when nothing has changed for STILL_S_MAX.
    """
    changed_s, before = time.monotonic(), None
    while True:
        value, now = await look()
        if value:
            return value
        if now != before:
            changed_s, before = time.monotonic(), now
        if time.monotonic() - changed_s > STILL_S_MAX:
            raise AssertionError(f"nothing has gone on for {STILL_S_MAX:g} s: {now!r}, {value!r}")
        await asyncio.sleep(_INTERVAL_S)

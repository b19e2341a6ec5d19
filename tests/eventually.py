"""Waiting for a condition in tests: by asking again and again up to a deadline, never by a fixed sleep."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import cast

_INTERVAL_S = 0.02


async def eventually[T](ask: Callable[[], T | Awaitable[T]], timeout_s: float = 20.0) -> T:
    """The first true answer of `ask`, which may be a coroutine function.

    Raises AssertionError with the last answer when none was true within `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        answer = ask()
        value = cast("T", await answer if isawaitable(answer) else answer)
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"still {value!r} after {timeout_s:g} s")
        await asyncio.sleep(_INTERVAL_S)

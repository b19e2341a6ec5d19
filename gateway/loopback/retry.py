"""Retries of writes until they are acknowledged."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import grpc

from gateway.loopback.errors import RetriesExhausted

PASSING_CODES = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,
    }
)
"""A write with a request_id may be sent again after these, whether or not it was applied."""
RETRY_LIMIT_S = 120.0
_PAUSE_S_FIRST = 0.05
_PAUSE_S_MAX = 1.0


async def until_acknowledged[T](
    call: Callable[[], Awaitable[T]], request_id: str, on_retry: Callable[[grpc.aio.AioRpcError], None]
) -> T:
    """The answer of the first `call()` that succeeds.

    Every call must carry the same request_id. Raises RetriesExhausted after RETRY_LIMIT_S, and at once the
    AioRpcError of a failure that will not pass.
    """
    started = time.monotonic()
    pause_s = _PAUSE_S_FIRST
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() not in PASSING_CODES:
                raise
            if time.monotonic() - started > RETRY_LIMIT_S:
                last = f"{error.code().name}: {error.details()}"
                raise RetriesExhausted(request_id, RETRY_LIMIT_S, last) from error
            on_retry(error)
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        pause_s = min(2 * pause_s, _PAUSE_S_MAX)

"""Several calls at once, none of which outlives its caller."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from drivers.errors import GraphgateError


async def all_in_parallel[K, T](calls: Mapping[K, Callable[[], Awaitable[T]]]) -> dict[K, T]:
    """Results in the order of `calls`, or the first exception of any of them.

    Whatever is raised, also cancellation: the calls that still run are cancelled and awaited before.
    """
    if len(calls) == 1:
        [(key, call)] = calls.items()
        return {key: await call()}
    tasks = {key: asyncio.create_task(_awaited(call)) for key, call in calls.items()}
    try:
        pending = set(tasks.values())
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    return {key: task.result() for key, task in tasks.items()}


async def outcomes_in_parallel[K, T](
    calls: Mapping[K, Callable[[], Awaitable[T]]],
) -> dict[K, T | GraphgateError]:
    """As all_in_parallel, but a typed error is the outcome of its own call only."""
    return await all_in_parallel({key: partial(_outcome, call) for key, call in calls.items()})


async def _awaited[T](call: Callable[[], Awaitable[T]]) -> T:
    return await call()


async def _outcome[T](call: Callable[[], Awaitable[T]]) -> T | GraphgateError:
    try:
        return await call()
    except GraphgateError as error:
        return error

"""A driver whose calls are told to an observer, without naming each method of the contract twice."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from drivers.contract import ShardDriver
from drivers.errors import GraphgateError
from shard_router.observer import ShardCallObserver

UNOBSERVED = frozenset({"open", "close"})


def observed(driver: ShardDriver, observer: ShardCallObserver) -> ShardDriver:
    """The same driver to its callers."""
    return cast("ShardDriver", _ObservedDriver(driver, observer))


class _ObservedDriver:
    """Wraps each method at its first use and keeps the wrapper, so that a call costs one attribute more."""

    def __init__(self, driver: ShardDriver, observer: ShardCallObserver) -> None:
        self._driver = driver
        self._observer = observer

    def __getattr__(self, name: str) -> Any:
        """Reached only for what is not wrapped yet."""
        member = getattr(self._driver, name)
        if inspect.iscoroutinefunction(member) and name not in UNOBSERVED:
            member = self._wrapped(name, member)
            setattr(self, name, member)
        return member

    def _wrapped(
        self, name: str, method: Callable[..., Awaitable[object]]
    ) -> Callable[..., Awaitable[object]]:
        shard_id, observe = self._driver.shard_id, self._observer.observe

        async def call(*args: object, **kwargs: object) -> object:
            began_s = time.perf_counter()
            outcome = "INTERNAL"
            try:
                result = await method(*args, **kwargs)
                outcome = "OK"
            except asyncio.CancelledError:
                outcome = "CANCELLED"
                raise
            except GraphgateError as error:
                outcome = error.reason
                raise
            finally:
                observe(shard_id, name, outcome, time.perf_counter() - began_s)
            return result

        return call

"""Tells how each call to a shard ended, so that this layer knows no metrics library."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Protocol, cast

from drivers.contract import ShardDriver
from drivers.errors import GraphgateError

OBSERVED_CALLS = tuple(
    name
    for name, member in vars(ShardDriver).items()
    if inspect.iscoroutinefunction(member) and name not in ("open", "close")
)
"""Derived from the contract: a call that is added there is observed without a line here."""


class ShardCallObserver(Protocol):
    """Called on the event loop for every call to a shard, so it must cost microseconds and never raise."""

    def observe(self, shard_id: str, call: str, outcome: str, seconds: float) -> None:
        """`call` is one of OBSERVED_CALLS. `outcome` is "OK", "CANCELLED", the stable `reason` of the
        GraphgateError that it raised, or "INTERNAL" for any other exception: a bounded set, fit for a label.
        `seconds` is the time inside the driver, without the wait for a slot of the shard."""
        ...


def observed(driver: ShardDriver, observer: ShardCallObserver) -> ShardDriver:
    """The same driver, whose calls are told to the observer."""
    # A proxy has the driver's interface by construction, which the type checker cannot see.
    return cast("ShardDriver", _ObservedDriver(driver, observer))


class _ObservedDriver:
    def __init__(self, driver: ShardDriver, observer: ShardCallObserver) -> None:
        self._driver = driver
        for name in OBSERVED_CALLS:
            setattr(self, name, _timed(getattr(driver, name), driver.shard_id, name, observer))

    def __getattr__(self, name: str) -> Any:
        """What is no call: identity, open, close, use_marker."""
        return getattr(self._driver, name)


def _timed[**P, T](
    call: Callable[P, Awaitable[T]], shard_id: str, name: str, observer: ShardCallObserver
) -> Callable[P, Awaitable[T]]:
    @wraps(call)
    async def timed(*args: P.args, **kwargs: P.kwargs) -> T:
        started = time.perf_counter()
        outcome = "INTERNAL"
        try:
            answer = await call(*args, **kwargs)
            outcome = "OK"
        except asyncio.CancelledError:
            outcome = "CANCELLED"
            raise
        except GraphgateError as error:
            outcome = error.reason
            raise
        finally:
            observer.observe(shard_id, name, outcome, time.perf_counter() - started)
        return answer

    return timed

"""Every call of a driver is told to the observer, by the name that the contract gives it."""

import asyncio
import inspect
from typing import Any, cast

import pytest

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import ShardTimeout
from shard_router.observer import OBSERVED_CALLS, observed


class Recorder:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str]] = []

    def observe(self, shard_id: str, call: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.calls.append((shard_id, call, outcome))


class Shard:
    """A driver whose every call answers its own name, or raises."""

    shard_id = "a"

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.marker: object = None

    def __getattr__(self, name: str) -> Any:
        async def call(*args: object, **kwargs: object) -> object:
            if self.error is not None:
                raise self.error
            return (name, args, kwargs)

        return call

    def use_marker(self, marker: object) -> None:
        self.marker = marker


def test_the_observed_calls_are_those_of_the_contract() -> None:
    """A call that is added to the contract is measured without anybody thinking of it."""
    coroutines = {name for name, member in vars(ShardDriver).items() if inspect.iscoroutinefunction(member)}
    assert set(OBSERVED_CALLS) == coroutines - {"open", "close"}
    assert {"apply", "semantic", "keyword", "read_fences"} <= set(OBSERVED_CALLS)


async def test_calls_pass_through_and_are_told() -> None:
    """The answer is the driver's own; what is no call is not observed."""
    recorder, shard = Recorder(), Shard()
    driver: Any = observed(cast("ShardDriver", shard), recorder)
    for name in OBSERVED_CALLS:
        assert await getattr(driver, name)(1, deadline=2) == (name, (1,), {"deadline": 2})
    assert recorder.calls == [("a", name, "OK") for name in OBSERVED_CALLS]
    await driver.open()
    driver.use_marker("m")
    assert (driver.shard_id, shard.marker, len(recorder.calls)) == ("a", "m", len(OBSERVED_CALLS))


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ShardTimeout("a", "a read"), "SHARD_TIMEOUT"),
        (asyncio.CancelledError(), "CANCELLED"),
        (ZeroDivisionError(), "INTERNAL"),
    ],
)
async def test_failures_are_told_by_their_reason(error: BaseException, outcome: str) -> None:
    """Outcomes are a bounded set of stable names, and the error goes on to the caller."""
    recorder = Recorder()
    driver = observed(cast("ShardDriver", Shard(error)), recorder)
    with pytest.raises(type(error)):
        await driver.ping(Deadline.after(1))
    assert recorder.calls == [("a", "ping", outcome)]

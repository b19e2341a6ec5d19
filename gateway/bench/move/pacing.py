"""Calls at a fixed rate, whether or not the ones before have been answered."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import grpc

UNANSWERED_MAX = 2_000
"""Calls of one load that wait at once; a further one fails without being sent."""


@dataclass(frozen=True, slots=True)
class Sample:
    due_us: int
    """Wall time at which the call was to be sent: a caller that had to wait for that has waited, too."""
    ended_us: int

    @property
    def latency_ms(self) -> float:
        return (self.ended_us - self.due_us) / 1e3

    def overlaps(self, from_us: int, to_us: int) -> bool:
        return self.due_us <= to_us and from_us <= self.ended_us


@dataclass(slots=True)
class Load:
    """One kind of calls and how they ended."""

    name: str
    per_s: float
    send: Callable[[], Awaitable[None]]
    samples: list[Sample] = field(default_factory=list[Sample])
    failures: list[str] = field(default_factory=list[str])
    """Codes and texts."""
    _running: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def run(self) -> None:
        """Until it is cancelled; the calls that wait then are waited for by `drain`."""
        began_s, began_us = time.perf_counter(), now_us()
        number = 0
        while True:
            due_s = number / self.per_s
            await asyncio.sleep(max(0.0, began_s + due_s - time.perf_counter()))
            number += 1
            if len(self._running) >= UNANSWERED_MAX:
                self.failures.append(f"{UNANSWERED_MAX} calls wait for an answer")
                continue
            task = asyncio.create_task(self._call(began_us + round(due_s * 1e6)))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def drain(self) -> None:
        await asyncio.gather(*self._running)

    def latencies_ms(self, from_us: int, to_us: int) -> list[float]:
        """Of calls that were under way in that time."""
        return [sample.latency_ms for sample in self.samples if sample.overlaps(from_us, to_us)]

    async def _call(self, due_us: int) -> None:
        try:
            await self.send()
        except grpc.aio.AioRpcError as error:
            self.failures.append(f"{error.code().name}: {error.details()}")
        else:
            self.samples.append(Sample(due_us, now_us()))


def now_us() -> int:
    return time.time_ns() // 1_000

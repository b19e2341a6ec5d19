"""GraphService.Watch: streams of the changes of groups."""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from drivers.deadline import Deadline
from drivers.errors import DeadlinePassed, GraphgateError, ShardTimeout
from gateway.rpc.errors import TooManyWatches
from gateway.rpc.validation import Violations
from gateway.rpc.watch_feed import WatchFeed
from gateway.rpc.watch_messages import watch_messages
from graphgate.v1 import graph_service_pb2 as pb
from shard_router.router import Router

_PAUSE_GROWTH = 1.5


@dataclass(frozen=True, slots=True)
class WatchLimits:
    watches_max: int = 256
    """Watches that this gateway serves at once."""
    rows_max: int = 250
    """Rows and tombstones that one look reads; one write with more is read whole."""
    message_bytes_max: int = 1024 * 1024
    """Of one answer, unless one row alone is larger."""
    pause_s_min: float = 0.1
    """Between two looks, unless the first one was cut; then it rests until the group is written."""
    pause_s_max: float = 1.0
    """Between two looks while nobody says that the group was written."""
    heartbeat_s: float = 10.0
    """Without changes, between two answers."""
    look_s_max: float = 10.0
    """Of one look."""
    away_s_max: float = 30.0
    """How long looks may fail in a row for reasons that pass before the watch ends with the last one."""


class Watches:
    """All watches of one gateway, for one event loop."""

    def __init__(self, router: Router, limits: WatchLimits | None = None) -> None:
        self._router = router
        self._limits = limits or WatchLimits()
        self._running = 0
        self._resting: dict[str, set[asyncio.Event]] = {}
        """By group: to be set when it was written."""

    def wake(self, group_id: str) -> None:
        """The group was written through this gateway: its watches look when their least pause is over."""
        for event in self._resting.get(group_id, ()):
            event.set()

    async def watch(self, request: pb.WatchRequest) -> AsyncGenerator[pb.WatchResponse]:
        """Goes on until it is closed. Raises InvalidRequest, TooManyWatches, what WatchFeed raises."""
        v = Violations()
        v.group_id("group_id", request.group_id)
        if request.after_version < 0:
            v.add("after_version", f"must not be negative, got {request.after_version}")
        v.raise_if_any()
        limits, feed = self._limits, WatchFeed(self._router, request.group_id, request.after_version)
        with self._place(request.group_id) as written:
            await feed.begin(Deadline.after(limits.look_s_max))
            sent_s, pause_s = float("-inf"), limits.pause_s_min
            failing_s: float | None = None
            while True:
                written.clear()
                known_version = feed.group_version
                try:
                    changes = await feed.next(limits.rows_max, Deadline.after(limits.look_s_max))
                except GraphgateError as error:
                    # From the first failure on: the time before it may have been the client's.
                    failing_s = time.monotonic() if failing_s is None else failing_s
                    if not _passes(error) or time.monotonic() - failing_s > limits.away_s_max:
                        raise
                else:
                    failing_s = None
                    for message in watch_messages(
                        changes,
                        feed.position,
                        feed.group_version,
                        with_embedding=request.with_embedding,
                        bytes_max=limits.message_bytes_max,
                    ):
                        yield message
                        sent_s, pause_s = time.monotonic(), limits.pause_s_min
                    feed.position = changes.bound
                    # It was cut. What was written during the look waits for the next one, or the looks at a
                    # group under writes would have no pause.
                    if changes.bound < known_version:
                        continue
                if time.monotonic() - sent_s >= limits.heartbeat_s:
                    yield pb.WatchResponse(position=feed.position, group_version=feed.group_version)
                    sent_s = time.monotonic()
                await asyncio.sleep(limits.pause_s_min)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause_s - limits.pause_s_min):
                        await written.wait()
                pause_s = min(pause_s * _PAUSE_GROWTH, limits.pause_s_max)

    @contextmanager
    def _place(self, group_id: str) -> Generator[asyncio.Event]:
        """Raises TooManyWatches."""
        if self._running >= self._limits.watches_max:
            raise TooManyWatches(self._limits.watches_max)
        written = asyncio.Event()
        self._running += 1
        self._resting.setdefault(group_id, set()).add(written)
        try:
            yield written
        finally:
            self._running -= 1
            self._resting[group_id].discard(written)
            if not self._resting[group_id]:
                del self._resting[group_id]


def _passes(error: GraphgateError) -> bool:
    """Whether the next look may succeed."""
    return error.retryable or isinstance(error, ShardTimeout | DeadlinePassed)

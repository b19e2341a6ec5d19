"""Waiting for an episode's next change, whichever gateway or worker makes it."""

import asyncio
from collections import defaultdict

import structlog
from redis.exceptions import RedisError

from drivers.deadline import Deadline
from gateway.ingest.errors import EpisodeUnknown, QueueUnavailable
from gateway.ingest.queue.queue import EpisodeQueue
from gateway.ingest.queue.status import Status

log = structlog.get_logger("graphgate.ingest")

POLL_S = 2.0
"""Changes are announced, but an announcement may be lost."""
_RECONNECT_S = 0.5


class EpisodeChanges:
    """Listens from the first wait on."""

    def __init__(self, queue: EpisodeQueue) -> None:
        self._queue = queue
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None

    async def next(self, seen: Status, deadline: Deadline) -> Status:
        """The status once it differs from `seen`, or as it is at the deadline. Raises EpisodeUnknown,
        QueueUnavailable."""
        key = f"{seen.group_id}/{seen.op_id}"
        changed = asyncio.Event()
        self._waiting[key].add(changed)
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen())
        try:
            while True:
                changed.clear()
                found = await self._queue.status(
                    seen.group_id, seen.op_id, Deadline.after(self._queue.settings.call_timeout_s)
                )
                if found is None:
                    raise EpisodeUnknown(seen.group_id, seen.op_id)
                if found != seen or not deadline.remaining_s():
                    return found
                try:
                    async with asyncio.timeout(min(POLL_S, deadline.remaining_s())):
                        await changed.wait()
                except TimeoutError:
                    continue
        finally:
            self._waiting[key].discard(changed)
            if not self._waiting[key]:
                del self._waiting[key]

    async def until_ended(self, seen: Status, deadline: Deadline) -> Status:
        """As next(), but only an end counts, and a queue that does not answer is asked again until the
        deadline: what it has accepted stays accepted."""
        try:
            async with asyncio.timeout(deadline.remaining_s()):
                while not seen.state.ended:
                    try:
                        seen = await self.next(seen, deadline)
                    except QueueUnavailable as error:
                        log.debug("changes_not_read", why=error.why)
                        await asyncio.sleep(_RECONNECT_S)
        except TimeoutError:
            return seen
        return seen

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._queue.redis.pubsub() as announced:
                    await announced.subscribe(self._queue.channel)
                    # What changed before counts too.
                    for events in self._waiting.values():
                        for one in events:
                            one.set()
                    while True:
                        message = await announced.get_message(ignore_subscribe_messages=True, timeout=POLL_S)
                        for one in self._waiting.get(str(message["data"]), ()) if message else ():
                            one.set()
            except (RedisError, OSError, TimeoutError, QueueUnavailable) as error:
                log.debug("changes_not_heard", error=type(error).__name__)
                await asyncio.sleep(_RECONNECT_S)

"""Tells the queue how far episodes have come, a few at a time: a stage that is over before it is told is
not."""

import asyncio

import structlog

from drivers.deadline import Deadline
from gateway.ingest.errors import QueueUnavailable
from gateway.ingest.queue.queue import EpisodeQueue
from gateway.ingest.queue.status import EpisodeState
from gateway.writes.writer import wall_clock_us

log = structlog.get_logger("graphgate.ingest")

TOLD_EVERY_S = 0.1
WAITING_MAX = 10_000
"""Stages that wait to be told; further ones are not."""


class Stages:
    def __init__(self, queue: EpisodeQueue) -> None:
        self._queue = queue
        self._waiting: dict[tuple[str, str], EpisodeState] = {}
        self._telling: asyncio.Task[None] | None = None

    def note(self, group_id: str, op_id: str, state: EpisodeState) -> None:
        if len(self._waiting) < WAITING_MAX:
            self._waiting[group_id, op_id] = state
            if self._telling is None:
                self._telling = asyncio.create_task(self._tell())

    def forget(self, group_id: str, op_id: str) -> None:
        """It has ended, or waits again."""
        self._waiting.pop((group_id, op_id), None)

    async def close(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)

    async def _tell(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(TOLD_EVERY_S)
                waiting, self._waiting = self._waiting, {}
                if waiting:
                    deadline = Deadline.after(self._queue.settings.call_timeout_s)
                    await self._queue.note_stages(waiting, wall_clock_us(), deadline)
        except QueueUnavailable as error:
            log.debug("stages_not_told", detail=str(error))
        finally:
            self._telling = None

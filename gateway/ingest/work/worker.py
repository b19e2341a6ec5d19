"""Takes turns out of the queue and works on as many units at once as its strategy allows."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import structlog

from drivers.deadline import Deadline
from gateway.ingest.errors import QueueUnavailable
from gateway.ingest.pipeline.unit_run import UnitRun
from gateway.ingest.queue.lookups import QueueLoad
from gateway.ingest.queue.queue import EpisodeQueue
from gateway.ingest.queue.units import Turn
from gateway.ingest.work.attempts import Attempts, WorkerCounts
from gateway.ingest.work.insisting import RECONNECT, insisted
from gateway.ingest.work.leases import Leases
from gateway.ingest.work.settings import WorkerSettings

log = structlog.get_logger("graphgate.ingest")

TURN_WAIT_S = 0.5
"""How long one read waits for turns; pauses of groups end within it, too."""
RENEWALS_PER_LEASE = 4
BUG_PAUSE_S = 1.0
STAND_BY_S = 2.0
"""Between looks whether a worker with a model is still there."""
FORGOTTEN_AFTER_S = 3_600.0
"""Names of workers that have ended."""


class Worker:
    """start() once, stop() once. Any number of them share a queue."""

    def __init__(self, queue: EpisodeQueue, units: UnitRun, settings: WorkerSettings | None = None) -> None:
        self._queue = queue
        self._settings = settings or WorkerSettings()
        self._leases = Leases(queue, stands_by=self._settings.stands_by)
        self._attempts = Attempts(queue, units, self._settings)
        self._backlog: deque[Turn] = deque()
        self._running: dict[Turn, asyncio.Task[None]] = {}
        self._room = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        self._rng = Random()  # noqa: S311 - jitter
        self._stopping = False
        self.load = QueueLoad()
        """Of the queue, as it was last asked for."""

    @property
    def counts(self) -> WorkerCounts:
        return self._attempts.counts

    @property
    def units_running(self) -> int:
        return len(self._running)

    @property
    def batch_episodes(self) -> int:
        """Of the next unit, at most."""
        return self._attempts.batch.episodes

    def start(self) -> None:
        if self._settings.stands_by:
            log.info("worker_stands_by", why="no language model: episodes are left to workers with one")
        self._room.set()
        self._loops = [
            asyncio.create_task(self._forever(loop)) for loop in (self._take_turns, self._keep_turns)
        ]

    async def stop(self, grace_s: float) -> None:
        """Takes no new turns, lets the units that run end within `grace_s`, and gives the others back.
        Idempotent."""
        self._stopping = True
        loops, self._loops = self._loops, []
        for loop in loops[:1]:
            loop.cancel()
        if self._running and grace_s:
            await asyncio.wait(set(self._running.values()), timeout=grace_s)
        for task in (*loops, *self._running.values()):
            task.cancel()
        await asyncio.gather(*loops, *self._running.values(), return_exceptions=True)
        await self._attempts.close()
        await self._leases.give_back()

    async def _forever(self, loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A bug in one round must not end the work of the process."""
        while True:
            try:
                await loop()
            except Exception:
                log.exception("worker_bug")
                await asyncio.sleep(BUG_PAUSE_S)

    async def _take_turns(self) -> None:
        failures = 0
        prepared = False
        while True:
            await self._room.wait()
            try:
                if not prepared:
                    for turn in await self._leases.own():
                        self._add(turn)
                    prepared = True
                if await self._leases.is_others_turn():
                    await asyncio.sleep(STAND_BY_S)
                    continue
                if not self._backlog:
                    for turn in await self._leases.next(TURN_WAIT_S):
                        self._add(turn)
                failures = 0
            except QueueUnavailable as error:
                failures += 1
                # A Redis that has lost its data has no consumer groups either.
                prepared = False
                log.warning("queue_away", detail=str(error), failures=failures)
                await asyncio.sleep(RECONNECT.pause_s(failures, self._rng))
            self._begin()

    async def _keep_turns(self) -> None:
        """Renews what this worker has, wakes groups whose pause is over, and takes over from dead workers."""
        lease_s = self._queue.settings.lease_s
        renew_at = claim_at = forget_at = 0.0
        while True:
            await asyncio.sleep(min(TURN_WAIT_S, lease_s / RENEWALS_PER_LEASE) / 2)
            now = time.monotonic()
            try:
                await self._queue.wake(self._soon())
                if now >= renew_at:
                    renew_at = now + lease_s / RENEWALS_PER_LEASE
                    await self._renew()
                    self.load = await self._queue.load(self._soon())
                if now >= claim_at:
                    claim_at = now + lease_s / 2
                    for turn in await self._leases.claimed():
                        log.info("turn_taken_over", group=turn.group_id)
                        self._add(turn)
                    if self._room.is_set():
                        self._begin()
                if now >= forget_at:
                    forget_at = now + FORGOTTEN_AFTER_S
                    await self._queue.forget_workers(FORGOTTEN_AFTER_S, self._soon())
            except QueueUnavailable as error:
                log.debug("queue_away", detail=str(error))

    async def _renew(self) -> None:
        for turn, token in (await self._leases.renewed()).items():
            task = self._running.get(turn)
            if task is not None and token is not None and self._leases.token(turn) == token:
                # A result would not be recorded.
                self._leases.done_with_unit(turn)
                task.cancel()
            elif task is None and turn in self._backlog:
                self._backlog.remove(turn)
                self._leases.drop(turn)

    def _add(self, turn: Turn) -> None:
        if not self._stopping and self._leases.hold(turn):
            self._backlog.append(turn)

    def _begin(self) -> None:
        while self._backlog and not self._stopping and len(self._running) < self._settings.units_running_max:
            turn = self._backlog.popleft()
            task = asyncio.create_task(self._work(turn))
            self._running[turn] = task
            task.add_done_callback(lambda _, turn=turn: self._ended(turn))
        if len(self._running) >= self._settings.units_running_max:
            self._room.clear()

    def _ended(self, turn: Turn) -> None:
        self._running.pop(turn, None)
        self._leases.drop(turn)
        self._room.set()

    async def _work(self, turn: Turn) -> None:
        try:
            unit = await insisted(
                lambda: self._leases.take(turn, self.batch_episodes),
                self._queue.settings.lease_s,
                self._rng,
            )
            if unit is None:
                return
            await self._attempts.attempt(unit)
        except QueueUnavailable as error:
            # The lease runs out, and whoever takes the unit up finds its write done or does it.
            log.warning("unit_not_recorded", group=turn.group_id, detail=str(error))
        except asyncio.CancelledError:
            cut_off = self._leases.unit(turn)
            if self._stopping or cut_off is None:
                # stop() gives it back, or it is another worker's.
                raise
            log.warning("unit_cut_off", group=turn.group_id, episodes=len(cut_off.members))
            await self._attempts.let_go(cut_off)
        except Exception as error:
            log.exception("worker_bug", group=turn.group_id, exc_info=error)
        self._leases.done_with_unit(turn)

    def _soon(self) -> Deadline:
        return Deadline.after(self._queue.settings.call_timeout_s)

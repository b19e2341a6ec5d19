"""Takes turns out of the queue and works on as many units at once as its strategy allows."""

import asyncio
import os
import secrets
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import structlog

from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from gateway.ingest.errors import EpisodeLost, EpisodeUnreadable, IngestBug, QueueUnavailable, WorkerLost
from gateway.ingest.pipeline.unit_run import EpisodeResult, UnitResult, UnitRun
from gateway.ingest.queue.lookups import QueueLoad
from gateway.ingest.queue.queue import EpisodeQueue
from gateway.ingest.queue.status import Details, EpisodeState, Failure, Latencies
from gateway.ingest.queue.units import Member, Result, Turn, Unit
from gateway.ingest.work.batch_size import BatchSize
from gateway.ingest.work.insisting import RECONNECT, insisted
from gateway.ingest.work.outcome import Fate, Ruling, overran, ruling
from gateway.ingest.work.settings import WorkerSettings
from gateway.ingest.work.stages import Stages
from gateway.llm.errors import ModelDisabled, ModelError
from gateway.llm.usage import Usage
from gateway.writes.writer import wall_clock_us
from shard_router.backoff import Backoff

log = structlog.get_logger("graphgate.ingest")

TURN_WAIT_S = 0.5
"""How long one read waits for turns; pauses of groups end within it, too."""
RENEWALS_PER_LEASE = 4
BUG_PAUSE_S = 1.0
STANDS_BY = "-stands-by"
"""How names of workers without a language model end."""
STAND_BY_S = 2.0
"""Between looks whether a worker with a model is still there."""
NO_MODEL_PAUSE_S_MAX = 10.0
"""Of a group whose episodes want a model while no worker has one: one may come at any time."""
FORGOTTEN_AFTER_S = 3_600.0
"""Names of workers that have ended."""


@dataclass(slots=True)
class WorkerCounts:
    """Since the start. Written on the event loop."""

    units: int = 0
    applied: int = 0
    failed: int = 0
    waited: int = 0
    """Units that were put back for a pause."""
    split: int = 0
    lost: int = 0
    """Units that were another worker's by the time they had ended."""


class Worker:
    """start() once, stop() once. Any number of them share a queue."""

    def __init__(self, queue: EpisodeQueue, units: UnitRun, settings: WorkerSettings | None = None) -> None:
        self._queue = queue
        self._units = units
        self._settings = settings or WorkerSettings()
        self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        if self._settings.stands_by:
            self._name += STANDS_BY
        self._batch = BatchSize(self._settings.first_batch, self._settings.batch_max)
        self._stages = Stages(queue)
        self._backlog: deque[Turn] = deque()
        self._held: dict[Turn, int | None] = {}
        """Turns that are this worker's, with the tokens of those that are units already."""
        self._running: dict[Turn, asyncio.Task[None]] = {}
        self._units_held: dict[Turn, Unit] = {}
        """Begun and not recorded yet."""
        self._room = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        self._rng = Random()  # noqa: S311 - jitter
        self._stopping = False
        self.counts = WorkerCounts()
        self.load = QueueLoad()
        """Of the queue, as it was last asked for."""

    @property
    def units_running(self) -> int:
        return len(self._running)

    @property
    def batch_episodes(self) -> int:
        """Of the next unit, at most."""
        return self._batch.episodes

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
        await self._units.close()
        await self._stages.close()
        await self._give_back()

    async def _give_back(self) -> None:
        """Units that were cut off and turns that were not begun go to other workers at once and not after the
        lease. Writes of the units may have happened: they stay as they are."""
        units, self._units_held = list(self._units_held.values()), {}
        try:
            for unit in units:
                await self._queue.release(unit, {}, 0.0, wall_clock_us(), self._soon())
            # Also of a read that stop() has cut off.
            own = await self._queue.own_turns(self._name, self._soon())
            await self._queue.give_back(own, self._soon())
        except QueueUnavailable as error:
            log.info("units_not_given_back", units=len(units), detail=str(error))

    async def _forever(self, loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A bug in one round must not end the work of the process."""
        while True:
            try:
                await loop()
            except Exception:
                log.exception("worker_bug")
                await asyncio.sleep(BUG_PAUSE_S)

    # --- turns ------------------------------------------------------------------------------------

    async def _take_turns(self) -> None:
        failures = 0
        prepared = False
        while True:
            await self._room.wait()
            try:
                if not prepared:
                    await self._queue.prepare(self._soon())
                    for turn in await self._queue.own_turns(self._name, self._soon()):
                        self._add(turn)
                    prepared = True
                if await self._is_others_turn():
                    await asyncio.sleep(STAND_BY_S)
                    continue
                if not self._backlog:
                    for turn in await self._queue.turns(self._name, TURN_WAIT_S):
                        self._add(turn)
                failures = 0
            except QueueUnavailable as error:
                failures += 1
                # A Redis that has lost its data has no consumer groups either.
                prepared = False
                log.warning("queue_away", detail=str(error), failures=failures)
                await asyncio.sleep(RECONNECT.pause_s(failures, self._rng))
            self._begin()

    async def _is_others_turn(self) -> bool:
        """What this worker would write unjudged or put back, a worker with a model can do."""
        if not self._settings.stands_by:
            return False
        names = await self._queue.active_workers(self._queue.settings.lease_s, self._soon())
        return any(not one.endswith(STANDS_BY) for one in names)

    def _add(self, turn: Turn) -> None:
        if turn not in self._held and not self._stopping:
            self._held[turn] = None
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
        self._held.pop(turn, None)
        self._room.set()

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
                    for turn in await self._claimed():
                        log.info("turn_taken_over", group=turn.group_id)
                        self._add(turn)
                    if self._room.is_set():
                        self._begin()
                if now >= forget_at:
                    forget_at = now + FORGOTTEN_AFTER_S
                    await self._queue.forget_workers(FORGOTTEN_AFTER_S, self._soon())
            except QueueUnavailable as error:
                log.debug("queue_away", detail=str(error))

    async def _claimed(self) -> Sequence[Turn]:
        if await self._is_others_turn():
            return ()
        return await self._queue.claim_dead(self._name, self._soon())

    async def _renew(self) -> None:
        held = dict(self._held)
        kept = await self._queue.renew(held, self._name, self._soon())
        for turn in held.keys() - kept:
            # Another worker has it, or it has ended meanwhile; a result would not be recorded.
            task = self._running.get(turn)
            if task is not None and self._held.get(turn) == held[turn] and held[turn] is not None:
                self._units_held.pop(turn, None)
                task.cancel()
            elif task is None and turn in self._backlog:
                self._backlog.remove(turn)
                self._held.pop(turn, None)

    async def _insisted[T](self, call: Callable[[], Awaitable[T]]) -> T:
        """Raises QueueUnavailable once another worker may have the turn anyway."""
        return await insisted(call, self._queue.settings.lease_s, self._rng)

    def _soon(self) -> Deadline:
        return Deadline.after(self._queue.settings.call_timeout_s)

    # --- units ------------------------------------------------------------------------------------

    async def _work(self, turn: Turn) -> None:
        try:
            unit = await self._insisted(lambda: self._queue.take(turn, self._batch.episodes, self._soon()))
            if unit is None:
                return
            self._held[turn] = unit.token
            self._units_held[turn] = unit
            self.counts.units += 1
            started = time.monotonic()
            gone = [one for one in unit.members if not one.payload]
            unit_of = replace(unit, members=tuple(one for one in unit.members if one.payload))
            if gone:
                log.error("episodes_lost", group=turn.group_id, op_ids=[one.op_id for one in gone][:20])
            await self._attempt(unit, unit_of, started)
        except QueueUnavailable as error:
            # The lease runs out, and whoever takes the unit up finds its write done or does it.
            log.warning("unit_not_recorded", group=turn.group_id, detail=str(error))
        except asyncio.CancelledError:
            cut_off = self._units_held.get(turn)
            if self._stopping or cut_off is None:
                # stop() gives it back, or it is another worker's.
                raise
            log.warning("unit_cut_off", group=turn.group_id, episodes=len(cut_off.members))
            await self._let_go(cut_off)
        except Exception as error:
            log.exception("worker_bug", group=turn.group_id, exc_info=error)
        self._units_held.pop(turn, None)

    async def _let_go(self, unit: Unit) -> None:
        """It need not wait for the lease."""
        self._forget(unit)
        pause_s = self._pause_s(unit)
        try:
            await self._insisted(
                lambda: self._queue.release(unit, {}, pause_s, wall_clock_us(), self._soon())
            )
        except QueueUnavailable as error:
            log.warning("unit_not_recorded", group=unit.turn.group_id, detail=str(error))

    async def _attempt(self, unit: Unit, present: Unit, started: float) -> None:
        if not present.members:
            await self._finish(unit, [_lost(one) for one in unit.members])
            return
        begun_us = wall_clock_us()
        deadline = Deadline.after(self._settings.unit_s_max)
        result: UnitResult | None
        try:
            result = await self._run(unit, present, deadline)
        except GraphgateError as error:
            decided = ruling(error)
            if len(present.members) > 1 and overran(error, deadline, self._settings.unit_s_max):
                self._batch.note_overrun(len(present.members))
                decided = Ruling(Fate.SPLIT)
            result = await self._saved(unit, present, error, decided)
        except Exception as error:
            error_id = secrets.token_hex(8)
            log.exception("ingest_bug", group=unit.turn.group_id, error_id=error_id, exc_info=error)
            result = await self._saved(unit, present, IngestBug(error_id), Ruling(Fate.SPLIT))
        if result is None:
            return
        written = sum(not one.again for one in result.episodes)
        self._batch.note(result.tried, time.monotonic() - started, written)
        results = [
            _result(member, episode, result, begun_us, written)
            for member, episode in zip(present.members, result.episodes, strict=True)
            if not episode.again
        ]
        results += [_lost(one) for one in unit.members if not one.payload]
        await self._finish(unit, results)

    async def _run(self, unit: Unit, present: Unit, deadline: Deadline) -> UnitResult:
        if unit.tries > self._settings.tries_max:
            raise WorkerLost(unit.tries - 1)
        jobs = [one.job() for one in present.members]
        foreign = [job for job in jobs if job.group_id != unit.turn.group_id]
        if foreign:
            raise EpisodeUnreadable("an episode of another group")

        def told(state: EpisodeState, episodes: int) -> None:
            for one in present.members[:episodes]:
                self._stages.note(unit.turn.group_id, one.op_id, state)

        # Of the members as they were taken: a record that was lost later changes no op id.
        return await self._units.run(jobs, unit.op_id, unit.content_hash(jobs), told, deadline)

    async def _saved(
        self, unit: Unit, present: Unit, error: GraphgateError, decided: Ruling
    ) -> UnitResult | None:
        """The result of a unit that this error does not concern: an attempt before this one had written it.
        None: it has failed, and that is recorded."""
        # Split up or given up, its episodes would be written under other op ids, or be there as failures.
        # What cannot be read was never written.
        if decided.fate is Fate.SPLIT and not isinstance(error, EpisodeUnreadable):
            try:
                jobs = [one.job() for one in present.members]
                deadline = Deadline.after(self._settings.unit_s_max)
                content_hash = unit.content_hash(jobs)
                result = await self._units.applied(jobs, unit.op_id, content_hash, deadline)
                if result is not None:
                    return result
            except GraphgateError as unknown:
                error, decided = unknown, Ruling(Fate.WAIT)
        await self._failed(unit, present, error, decided)
        return None

    async def _failed(self, unit: Unit, present: Unit, error: GraphgateError, decided: Ruling) -> None:
        failure = Failure(error.reason, str(error), retryable=error.retryable)
        members = present.members
        log.info(
            "unit_failed",
            group=unit.turn.group_id,
            episodes=len(members),
            reason=error.reason,
            detail=str(error),
            fate=decided.fate,
        )
        if decided.fate is Fate.SPLIT and len(members) == 1:
            details = Details(error=failure, unit_size=1, usage=_usage(error))
            await self._finish(unit, [Result(members[0], EpisodeState.FAILED, details)])
            return
        pause_s, cap = 0.0, None
        if decided.fate is Fate.SPLIT:
            self.counts.split += 1
            cap = max(1, len(members) // 2)
        else:
            self.counts.waited += 1
            pause_s = self._pause_s(unit, decided.retry_after_s or 0.0)
            if isinstance(error, ModelDisabled):
                pause_s = min(pause_s, NO_MODEL_PAUSE_S_MAX)
        self._forget(unit)
        waiting = {one.op_id: Details(error=failure) for one in members}
        kept = await self._insisted(
            lambda: self._queue.release(unit, waiting, pause_s, wall_clock_us(), self._soon(), cap=cap)
        )
        self.counts.lost += not kept

    def _pause_s(self, unit: Unit, asked_s: float = 0.0) -> float:
        backoff = Backoff(self._settings.pause_first_s, self._settings.pause_s_max)
        pause_s = max(backoff.pause_s(unit.pauses + 1, self._rng), asked_s)
        return min(pause_s, self._settings.pause_s_max)

    async def _finish(self, unit: Unit, results: list[Result]) -> None:
        self._forget(unit)
        # After a split, units grow again slowly: what was too much once may be so again.
        cap = None
        if 1 <= len(unit.members) < self._batch.episodes and unit.pauses:
            cap = 2 * len(unit.members)
        if await self._insisted(
            lambda: self._queue.finish(unit, results, wall_clock_us(), self._soon(), cap=cap)
        ):
            self.counts.applied += sum(one.state is EpisodeState.APPLIED for one in results)
            self.counts.failed += sum(one.state is EpisodeState.FAILED for one in results)
        else:
            self.counts.lost += 1

    def _forget(self, unit: Unit) -> None:
        for one in unit.members:
            self._stages.forget(unit.turn.group_id, one.op_id)


def _lost(member: Member) -> Result:
    error = EpisodeLost(member.op_id)
    return Result(member, EpisodeState.FAILED, Details(error=Failure(error.reason, str(error))))


def _usage(error: GraphgateError) -> Usage:
    return error.usage if isinstance(error, ModelError) else Usage()


def _result(
    member: Member, episode: EpisodeResult, unit: UnitResult, begun_us: int, unit_size: int
) -> Result:
    failure = episode.failure
    details = Details(
        version=unit.version if failure is None else 0,
        counts=episode.counts,
        usage=episode.usage,
        cache_hits=episode.cache_hits,
        latencies=Latencies(
            queued_ms=max(0.0, (begun_us - member.accepted_us) / 1000),
            extraction_ms=unit.extraction_ms,
            resolution_ms=unit.resolution_ms,
            writing_ms=unit.writing_ms,
        ),
        problems=episode.problems,
        problems_found=episode.problems_found,
        error=None if failure is None else Failure(failure.reason, str(failure), retryable=failure.retryable),
        unit_size=unit_size,
    )
    return Result(member, EpisodeState.APPLIED if failure is None else EpisodeState.FAILED, details)

"""Attempts at units: what each one comes to, and what the queue is told of it."""

import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from random import Random

import structlog

from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from gateway.ingest.errors import EpisodeUnreadable, IngestBug, QueueUnavailable, WorkerLost
from gateway.ingest.pipeline.unit_result import UnitResult
from gateway.ingest.pipeline.unit_run import UnitRun
from gateway.ingest.queue.queue import EpisodeQueue
from gateway.ingest.queue.status import Details, EpisodeState, Failure
from gateway.ingest.queue.units import Result, Unit
from gateway.ingest.work import results
from gateway.ingest.work.batch_size import BatchSize
from gateway.ingest.work.insisting import insisted
from gateway.ingest.work.outcome import Fate, Ruling, overran, ruling
from gateway.ingest.work.settings import WorkerSettings
from gateway.ingest.work.stages import Stages
from gateway.llm.errors import ModelDisabled, ModelError
from gateway.llm.usage import Usage
from gateway.writes.writer import wall_clock_us
from shard_router.backoff import Backoff

log = structlog.get_logger("graphgate.ingest")

NO_MODEL_PAUSE_S_MAX = 10.0
"""Of a group whose episodes want a model while no worker has one: one may come at any time."""


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


class Attempts:
    """Shared by all units of a worker. close() once. Calls of it raise QueueUnavailable once another worker
    may have the unit anyway."""

    def __init__(self, queue: EpisodeQueue, units: UnitRun, settings: WorkerSettings) -> None:
        self._queue = queue
        self._units = units
        self._settings = settings
        self._stages = Stages(queue)
        self._rng = Random()  # noqa: S311 - jitter
        self.batch = BatchSize(settings.first_batch, settings.batch_max)
        self.counts = WorkerCounts()

    async def close(self) -> None:
        await self._units.close()
        await self._stages.close()

    async def attempt(self, unit: Unit) -> None:
        """Returns when the queue knows what has become of the unit."""
        self.counts.units += 1
        started = time.monotonic()
        gone = [one for one in unit.members if not one.payload]
        present = replace(unit, members=tuple(one for one in unit.members if one.payload))
        if gone:
            log.error("episodes_lost", group=unit.turn.group_id, op_ids=[one.op_id for one in gone][:20])
        if not present.members:
            await self._finish(unit, [results.lost(one) for one in unit.members])
            return
        begun_us = wall_clock_us()
        result = await self._tried(unit, present)
        if result is None:
            return
        written = sum(not one.again for one in result.episodes)
        self.batch.note(result.tried, time.monotonic() - started, written)
        ended = [
            results.ended(member, episode, result, begun_us, written)
            for member, episode in zip(present.members, result.episodes, strict=True)
            if not episode.again
        ]
        ended += [results.lost(one) for one in gone]
        await self._finish(unit, ended)

    async def let_go(self, unit: Unit) -> None:
        """Of a unit that was cut off: it need not wait for the lease."""
        self._forget(unit)
        pause_s = self._pause_s(unit)
        try:
            await self._insisted(
                lambda: self._queue.release(unit, {}, pause_s, wall_clock_us(), self._soon())
            )
        except QueueUnavailable as error:
            log.warning("unit_not_recorded", group=unit.turn.group_id, detail=str(error))

    async def _tried(self, unit: Unit, present: Unit) -> UnitResult | None:
        """None: it has failed, and that is recorded."""
        deadline = Deadline.after(self._settings.unit_s_max)
        try:
            return await self._run(unit, present, deadline)
        except GraphgateError as error:
            decided = ruling(error)
            if len(present.members) > 1 and overran(error, deadline, self._settings.unit_s_max):
                self.batch.note_overrun(len(present.members))
                decided = Ruling(Fate.SPLIT)
            return await self._saved(unit, present, error, decided)
        except Exception as error:
            error_id = secrets.token_hex(8)
            log.exception("ingest_bug", group=unit.turn.group_id, error_id=error_id, exc_info=error)
            return await self._saved(unit, present, IngestBug(error_id), Ruling(Fate.SPLIT))

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

    async def _finish(self, unit: Unit, ended: list[Result]) -> None:
        self._forget(unit)
        # After a split, units grow again slowly: what was too much once may be so again.
        cap = None
        if 1 <= len(unit.members) < self.batch.episodes and unit.pauses:
            cap = 2 * len(unit.members)
        if await self._insisted(
            lambda: self._queue.finish(unit, ended, wall_clock_us(), self._soon(), cap=cap)
        ):
            self.counts.applied += sum(one.state is EpisodeState.APPLIED for one in ended)
            self.counts.failed += sum(one.state is EpisodeState.FAILED for one in ended)
        else:
            self.counts.lost += 1

    def _forget(self, unit: Unit) -> None:
        for one in unit.members:
            self._stages.forget(unit.turn.group_id, one.op_id)

    async def _insisted[T](self, call: Callable[[], Awaitable[T]]) -> T:
        return await insisted(call, self._queue.settings.lease_s, self._rng)

    def _soon(self) -> Deadline:
        return Deadline.after(self._queue.settings.call_timeout_s)


def _usage(error: GraphgateError) -> Usage:
    return error.usage if isinstance(error, ModelError) else Usage()

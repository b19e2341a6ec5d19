"""Clearing a group: what waits in the queue of episodes, then its rows."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import structlog

from drivers.deadline import Deadline
from drivers.graph_model import Kind
from gateway.ingest.errors import (
    EpisodeCleared,
    EpisodesWaiting,
    EpisodeUnreadable,
    QueueUnavailable,
)
from gateway.ingest.pipeline.group_reads import GroupReads, GroupView
from gateway.ingest.pipeline.unit_operation import closed_operation
from gateway.ingest.pipeline.written_before import written_before
from gateway.ingest.queue.queue import EpisodeQueue
from gateway.ingest.queue.status import Details, EpisodeState, Failure
from gateway.ingest.queue.units import Member, Result, Unit
from gateway.ingest.work.results import lost
from gateway.writes.clearing import RESERVE_S, RowClearing
from gateway.writes.errors import RequestIdReused
from gateway.writes.intent import WriteIntent
from gateway.writes.writer import GraphWriter, unsettled_op_id, wall_clock_us
from shard_router.backoff import Backoff
from shard_router.errors import GroupNotFound
from shard_router.router import Router
from shard_router.scatter import Scatter

log = structlog.get_logger("graphgate.ingest")

CONTENT_HASH = "clear"
"""Of the write that records the bound: it has no rows."""

_WORKER_PAUSE = Backoff(first_s=0.05, pause_s_max=0.5)
"""Between looks whether a worker still has episodes of the group."""


@dataclass(frozen=True, slots=True)
class Cleared:
    done: bool
    up_to_version: int = 0
    """0: no row was deleted, for workers still have episodes, or the group does not exist."""
    version: int = 0
    deleted: Mapping[Kind, int] = field(default_factory=dict[Kind, int])
    discarded: int = 0
    running: int = 0


@dataclass(slots=True)
class _Emptied:
    done: bool
    """Nothing is left that was accepted before."""
    discarded: int = 0
    left: int = 0
    """At the last look: episodes that workers have, and, if the queue did not answer, others."""


class GroupClear:
    def __init__(self, queue: EpisodeQueue, router: Router, writer: GraphWriter, rows: RowClearing) -> None:
        self._queue = queue
        self._router = router
        self._scatter = Scatter(router)
        self._writer = writer
        self._rows = rows
        self._rng = Random()  # noqa: S311 - jitter

    async def begin(self, group_id: str, op_id: str, deadline: Deadline, *, discard_waiting: bool) -> Cleared:
        """Clears all that there is once no episode that was accepted before is in the queue; a repeat under
        the same `op_id` what there was then. Raises GroupNotFound, EpisodesWaiting, RequestIdReused,
        QueueUnavailable and what reads and writes raise."""
        view = await self._view(group_id, op_id, deadline)
        discarded = 0
        if view.operation is None:
            emptied = await self._empty(group_id, deadline, view, discard_waiting=discard_waiting)
            discarded = emptied.discarded
            if not emptied.done:
                return Cleared(False, 0, view.version, {}, discarded, emptied.left)
            if view.fence is None and (await self._view(group_id, op_id, deadline)).fence is None:
                # Its first episodes were discarded.
                return Cleared(True, discarded=discarded)
            marker = WriteIntent(group_id=group_id, op_id=op_id, content_hash=CONTENT_HASH)
            up_to_version = (await self._writer.write(marker, deadline)).version
        elif view.operation.content_hash == CONTENT_HASH:
            up_to_version = view.operation.version
        else:
            raise RequestIdReused(op_id)
        # Left set by a cancellation: under it the bound is kept.
        unsettled_op_id.set(op_id)
        cleared = await self.go_on(group_id, up_to_version, deadline, discarded)
        unsettled_op_id.set("")
        return cleared

    async def go_on(
        self, group_id: str, up_to_version: int, deadline: Deadline, discarded: int = 0
    ) -> Cleared:
        """Raises GroupNotFound and what reads and writes raise."""
        view = await self._view(group_id, "", deadline)
        if view.fence is None:
            raise GroupNotFound(group_id)
        # Past the group's version, what is written meanwhile would go, too.
        up_to_version = min(up_to_version, view.version)
        rows = await self._rows.clear(group_id, up_to_version, deadline)
        return Cleared(rows.done, up_to_version, max(rows.version, view.version), rows.deleted, discarded)

    async def _view(self, group_id: str, op_id: str, deadline: Deadline) -> GroupView:
        return await GroupReads(self._router, self._scatter, group_id, deadline).begin(op_id)

    # --- the queue --------------------------------------------------------------------------------

    async def _empty(
        self, group_id: str, deadline: Deadline, view: GroupView, *, discard_waiting: bool
    ) -> _Emptied:
        """Until nothing that has been accepted by now is in the queue, the deadline is near, or the queue
        does not answer any more after episodes have become failures: nothing else tells how many they are."""
        waiting = await self._queue.group_waiting(group_id, deadline)
        if not waiting.episodes and view.fence is None:
            raise GroupNotFound(group_id)
        if waiting.episodes and not discard_waiting:
            raise EpisodesWaiting(group_id, waiting.episodes)
        emptied = _Emptied(done=not waiting.episodes)
        try:
            if waiting.episodes:
                await self._discard(group_id, waiting.last, emptied, deadline)
        except QueueUnavailable as error:
            if not emptied.discarded:
                raise
            log.warning("clear_cut_off", group=group_id, discarded=emptied.discarded, detail=str(error))
        return emptied

    async def _discard(self, group_id: str, last: str, emptied: _Emptied, deadline: Deadline) -> None:
        # One for all, so that they are listed, and replayed, in the order in which they were accepted,
        # whichever of them fail first.
        now_us = wall_clock_us()
        looks = 0
        while True:
            gone = await self._queue.withdraw(group_id, last, _cleared(group_id), now_us, deadline)
            emptied.discarded += gone.episodes
            emptied.left = gone.left
            if not gone.left:
                emptied.done = True
                return
            if gone.episodes:
                continue
            unit = await self._queue.seize(group_id, deadline)
            if unit is not None:
                emptied.discarded += await self._end(unit, now_us, deadline)
                continue
            looks += 1
            pause_s = _WORKER_PAUSE.pause_s(looks, self._rng)
            if deadline.remaining_s() < RESERVE_S + pause_s:
                return
            await asyncio.sleep(pause_s)

    async def _end(self, unit: Unit, now_us: int, deadline: Deadline) -> int:
        """Records how a unit has ended that a worker has begun and given back; how many of it were
        discarded."""
        try:
            results = await self._results(unit, deadline)
            recorded = await self._queue.finish(unit, results, now_us, deadline)
        except BaseException:
            # Shielded: a call that is cut off keeps the group's episodes waiting until the lease is over.
            await asyncio.shield(self._give_back(unit))
            raise
        return sum(one.state is EpisodeState.FAILED for one in results) if recorded else 0

    async def _give_back(self, unit: Unit) -> None:
        """Raises nothing of the queue's: why the unit was not ended is to be told."""
        soon = Deadline.after(self._queue.settings.call_timeout_s)
        try:
            await self._queue.release(unit, {}, 0.0, wall_clock_us(), soon)
        except QueueUnavailable as error:
            log.warning("unit_not_given_back", group=unit.turn.group_id, detail=str(error))

    async def _results(self, unit: Unit, deadline: Deadline) -> Sequence[Result]:
        """An episode is applied if an attempt has written it and nobody recorded that: replayed, it would be
        taken for applied, for good. What an attempt has sent and had no answer to is refused from now on."""
        group_id = unit.turn.group_id
        present = [one for one in unit.members if one.payload]
        written: dict[str, bool] = {}
        version = 0
        try:
            jobs = [one.job() for one in present]
        except EpisodeUnreadable:
            # Never written: no worker of this version could read it either.
            jobs = []
        if jobs:
            reads = GroupReads(self._router, self._scatter, group_id, deadline)
            operation = await closed_operation(reads, self._writer, unit.op_id, deadline)
            if operation is not None and operation.content_hash == unit.content_hash(jobs):
                flags = await written_before(jobs, operation, reads)
                written = {one.op_id: flag for one, flag in zip(present, flags, strict=True)}
                version = operation.version
        return [self._result(one, group_id, version * written.get(one.op_id, False)) for one in unit.members]

    def _result(self, member: Member, group_id: str, version: int) -> Result:
        """`version`: of the write that has brought it, 0: none."""
        if version:
            return Result(member, EpisodeState.APPLIED, Details(version=version))
        if not member.payload:
            return lost(member)
        return Result(member, EpisodeState.FAILED, _cleared(group_id))


def _cleared(group_id: str) -> Details:
    error = EpisodeCleared(group_id)
    return Details(error=Failure(error.reason, str(error)))

"""What callers do with episodes of mode LLM: add, follow, remove, list failures, replay."""

from collections.abc import AsyncGenerator, Sequence

from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from gateway.ingest.errors import EpisodeUnknown, EpisodeWaiting
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline.extracting import needs_model
from gateway.ingest.pipeline.removal import Removal, Removed
from gateway.ingest.queue.changes import EpisodeChanges
from gateway.ingest.queue.queue import EpisodeQueue
from gateway.ingest.queue.status import EpisodeState, Status
from gateway.llm.errors import ModelDisabled
from gateway.llm.tasks import Task
from gateway.writes.writer import unsettled_op_id, wall_clock_us

REPLAYED_MAX = 1_000
"""Of one call."""


class Intake:
    def __init__(self, queue: EpisodeQueue, removal: Removal, *, has_model: bool) -> None:
        self._queue = queue
        self._removal = removal
        self._changes = EpisodeChanges(queue)
        self._has_model = has_model

    async def close(self) -> None:
        await self._changes.close()

    async def add(self, jobs: Sequence[EpisodeJob], deadline: Deadline) -> Sequence[Status | GraphgateError]:
        """Per job, in order: its status once it is durably accepted, or why it is not."""
        refused: dict[int, GraphgateError] = {
            at: ModelDisabled(Task.EXTRACT)
            for at, job in enumerate(jobs)
            if not self._has_model and needs_model(job)
        }
        taken = [at for at in range(len(jobs)) if at not in refused]
        # Left set by a cancellation.
        unsettled_op_id.set(jobs[0].op_id if len(jobs) == 1 else "")
        accepted = await self._queue.accept([jobs[at] for at in taken], wall_clock_us(), deadline)
        unsettled_op_id.set("")
        found: dict[int, Status | GraphgateError] = {**refused, **dict(zip(taken, accepted, strict=True))}
        return [found[at] for at in range(len(jobs))]

    async def until_ended(self, status: Status, deadline: Deadline) -> Status:
        """Its status once it has ended, or as far as it was known to be at the deadline."""
        unsettled_op_id.set(status.op_id)
        ended = await self._changes.until_ended(status, deadline)
        unsettled_op_id.set("")
        return ended

    async def status(
        self, group_id: str, *, op_id: str = "", episode_uuid: str = "", deadline: Deadline
    ) -> Status:
        """By one of the two names. Raises EpisodeUnknown."""
        op_id = op_id or await self._queue.op_of(group_id, episode_uuid, deadline)
        found = await self._queue.status(group_id, op_id, deadline)
        if found is None:
            raise EpisodeUnknown(group_id, op_id)
        return found

    async def watch(self, status: Status, wait_s: float) -> AsyncGenerator[Status]:
        """The status, and after each change again, until it has ended. `wait_s`: of one wait for a change."""
        yield status
        while not status.state.ended:
            found = await self._changes.next(status, Deadline.after(wait_s))
            if found != status:
                status = found
                yield status

    async def remove(self, group_id: str, episode_uuid: str, op_id: str, deadline: Deadline) -> Removed:
        """Raises EpisodeWaiting, RowsMissing and what writes raise."""
        try:
            status = await self.status(group_id, episode_uuid=episode_uuid, deadline=deadline)
        except EpisodeUnknown:
            status = None
        if status is not None and not status.state.ended:
            raise EpisodeWaiting(group_id, episode_uuid)
        return await self._removal.remove(group_id, episode_uuid, op_id, deadline)

    async def failures(
        self, group_id: str, after: str, limit: int, deadline: Deadline
    ) -> tuple[Sequence[Status], str]:
        return await self._queue.failures(group_id, after, limit, deadline)

    async def replay(self, group_id: str, op_ids: Sequence[str], deadline: Deadline) -> Sequence[Status]:
        """No op ids: the group's oldest failures. Raises QueueFull if there is no room for any."""
        if not op_ids:
            failed, _ = await self._queue.failures(group_id, "", REPLAYED_MAX, deadline)
            op_ids = [one.op_id for one in failed]
        replayed = await self._queue.replay(group_id, op_ids, wall_clock_us(), deadline)
        statuses = await self._queue.statuses([(group_id, op_id) for op_id in replayed], deadline)
        return [one for one in statuses if one is not None and one.state is not EpisodeState.FAILED]

    async def stream_reached(self, stream_id: str, deadline: Deadline) -> int:
        return await self._queue.stream_reached(stream_id, deadline)

    async def note_stream(self, stream_id: str, offset: int, deadline: Deadline) -> None:
        await self._queue.note_stream(stream_id, offset, deadline)

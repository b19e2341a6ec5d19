"""Episodes into the queue: accepted, replayed, and how far a client's stream of them has come."""

from collections.abc import Container, Sequence
from typing import Any, cast

from drivers.deadline import Deadline
from gateway.ingest.errors import QueueFull, QueueUnavailable
from gateway.ingest.job import EpisodeJob
from gateway.ingest.queue import scripts
from gateway.ingest.queue.settings import QueueSettings
from gateway.ingest.queue.status import Status, stored_status
from gateway.ingest.queue.store import CALLS_PER_ROUND_TRIP_MAX, QueueStore
from gateway.writes.errors import RequestIdReused

type Acceptance = Status | QueueFull | RequestIdReused | QueueUnavailable
"""How far an accepted episode has come, or why it is not accepted; QueueUnavailable with an op_id: it may be
accepted all the same."""

FULL_RETRY_S = 2.0
"""What callers are asked to wait for room."""


class Acceptances(QueueStore):
    def __init__(self, url: str, settings: QueueSettings | None = None) -> None:
        super().__init__(url, settings)
        self._limits = {
            name: cast("int", getattr(self.settings, name))
            for name in ("group_waiting_max", "group_waiting_bytes_max", "waiting_max", "waiting_bytes_max")
        }
        """As scripts.py takes them."""
        self._accept = self.redis.register_script(scripts.ACCEPT)
        self._replay = self.redis.register_script(scripts.REPLAY)
        self._reached = self.redis.register_script(scripts.REACHED)

    async def accept(
        self, jobs: Sequence[EpisodeJob], now_us: int, deadline: Deadline
    ) -> Sequence[Acceptance]:
        """Stores the jobs in their order; per job its status, or why it is not stored. A job that is known
        already is not stored again. Behind a job that finds no room or no answer none of its group is stored.
        Jobs with a status survive any crash of a gateway. Raises nothing."""
        found: list[Acceptance] = []
        full: dict[str, QueueFull] = {}
        for start in range(0, len(jobs), CALLS_PER_ROUND_TRIP_MAX):
            part = jobs[start : start + CALLS_PER_ROUND_TRIP_MAX]
            try:
                answers = await self._accepted(part, full.keys(), now_us, deadline)
            except QueueUnavailable as error:
                found += [QueueUnavailable(error.why, job.op_id) for job in part]
                # The part may still be carried out, after all that is sent now.
                unsent = jobs[start + len(part) :]
                found += [QueueUnavailable(error.why) for _ in unsent]
                break
            for job, answer in zip(part, answers, strict=True):
                verdict = self._verdict(job, answer)
                if isinstance(verdict, QueueFull):
                    verdict = full.setdefault(job.group_id, verdict)
                found.append(verdict)
        return found

    async def _accepted(
        self, jobs: Sequence[EpisodeJob], closed: Container[str], now_us: int, deadline: Deadline
    ) -> Sequence[Sequence[Any]]:
        """What the script answers to each. `closed`: groups that take no more of this call."""
        limits, no_room = self._limits, {**self._limits, "group_waiting_max": 0}
        # As one transaction: once one finds no room, those after it find none either.
        async with self._call(deadline), self.redis.pipeline(transaction=True) as pipe:
            for job in jobs:
                group_id = job.group_id
                await self._accept(
                    keys=[
                        self._op(group_id, job.op_id),
                        self._key(f"uuid:{group_id}/{job.episode_uuid}"),
                        self._key(f"waiting:{group_id}"),
                        self._key(f"group:{group_id}"),
                        self._ready(self._partition(group_id)),
                        self._key("depth"),
                        self._key("bytes"),
                    ],
                    args=[
                        self._prefix,
                        group_id,
                        job.op_id,
                        job.content_hash,
                        job.episode_uuid,
                        job.encode(),
                        now_us,
                        *(no_room if group_id in closed else limits).values(),
                    ],
                    client=pipe,
                )
            return cast("list[list[Any]]", await pipe.execute())

    def _verdict(self, job: EpisodeJob, answer: Sequence[Any]) -> Acceptance:
        verdict, *fields = answer
        match verdict:
            case "OTHER":
                return RequestIdReused(job.op_id)
            case full if full in self._limits:
                return self._full(full)
            case _:
                status = stored_status(job.group_id, job.op_id, fields)
                return QueueUnavailable("it lost what it had stored", job.op_id) if status is None else status

    async def replay(
        self, group_id: str, op_ids: Sequence[str], now_us: int, deadline: Deadline
    ) -> Sequence[str]:
        """Puts failed episodes back at the end of the group's queue; those that it took. Raises QueueFull."""
        replayed: list[str] = []
        for op_id in op_ids:
            async with self._call(deadline):
                verdict = await self._replay(
                    keys=[
                        self._op(group_id, op_id),
                        self._key(f"waiting:{group_id}"),
                        self._key(f"group:{group_id}"),
                        self._ready(self._partition(group_id)),
                        self._key("depth"),
                        self._key("bytes"),
                    ],
                    args=[self._prefix, group_id, op_id, now_us, *self._limits.values()],
                )
            if verdict == "REPLAYED":
                replayed.append(op_id)
            elif verdict != "NONE":
                if not replayed:
                    raise self._full(verdict)
                break
        return replayed

    def _full(self, limit_name: str) -> QueueFull:
        return QueueFull(limit_name, self._limits[limit_name], FULL_RETRY_S)

    async def stream_reached(self, stream_id: str, deadline: Deadline) -> int:
        """The highest offset of the stream that has had its ack; 0: none."""
        async with self._call(deadline):
            return int(cast("str | None", await self.redis.get(self._key(f"stream:{stream_id}"))) or 0)

    async def note_stream(self, stream_id: str, offset: int, deadline: Deadline) -> None:
        async with self._call(deadline):
            await self._reached(
                keys=[self._key(f"stream:{stream_id}")],
                args=[offset, int(self.settings.streams_kept_s * 1000)],
            )

"""What is known of episodes, and how many there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from drivers.deadline import Deadline
from gateway.ingest.errors import EpisodeUnknown
from gateway.ingest.queue import scripts
from gateway.ingest.queue.status import EpisodeState, Status, stored_status
from gateway.ingest.queue.store import CALLS_PER_ROUND_TRIP_MAX, QueueStore


@dataclass(frozen=True, slots=True)
class QueueLoad:
    waiting: int = 0
    """Episodes that have not ended, of all groups."""
    failures: int = 0
    """That are listed."""
    failures_dropped: int = 0
    """Unlisted since the queue was made, because of failures_max or failures_bytes_max."""
    waiting_bytes: int = 0
    """Of the episodes that wait."""


class Lookups(QueueStore):
    async def status(self, group_id: str, op_id: str, deadline: Deadline) -> Status | None:
        (found,) = await self.statuses([(group_id, op_id)], deadline)
        return found

    async def statuses(self, keys: Sequence[tuple[str, str]], deadline: Deadline) -> Sequence[Status | None]:
        """Of (group_id, op_id), in their order; None where nothing is kept."""
        names = scripts.STATUS_FIELDS
        found: list[Status | None] = []
        for start in range(0, len(keys), CALLS_PER_ROUND_TRIP_MAX):
            part = keys[start : start + CALLS_PER_ROUND_TRIP_MAX]
            async with self._call(deadline), self.redis.pipeline(transaction=False) as pipe:
                for group_id, op_id in part:
                    pipe.hmget(self._op(group_id, op_id), names)
                rows = cast("list[list[str | None]]", await pipe.execute())
            found += [stored_status(*key, row) for key, row in zip(part, rows, strict=True)]
        return found

    async def op_of(self, group_id: str, episode_uuid: str, deadline: Deadline) -> str:
        """The op id under which the episode was accepted last. Raises EpisodeUnknown."""
        async with self._call(deadline):
            key = self._key(f"uuid:{group_id}/{episode_uuid}")
            found = cast("str | None", await self.redis.get(key))
        if found is None:
            raise EpisodeUnknown(group_id, episode_uuid)
        return found

    async def depth(self, deadline: Deadline) -> int:
        """Episodes that wait in all."""
        return (await self.load(deadline)).waiting

    async def load(self, deadline: Deadline) -> QueueLoad:
        async with self._call(deadline), self.redis.pipeline(transaction=False) as pipe:
            pipe.get(self._key("depth"))
            pipe.zcard(self._key("failures"))
            pipe.get(self._key("failures_dropped"))
            pipe.get(self._key("bytes"))
            counts = cast("list[str | int | None]", await pipe.execute())
        return QueueLoad(*(int(count or 0) for count in counts))

    async def failures(
        self, group_id: str, after: str, limit: int, deadline: Deadline
    ) -> tuple[Sequence[Status], str]:
        """Failed episodes after the position `after` (empty: from the first), of one group or of all; and the
        position of the last one, empty if there are no more. One whose record is gone is left out."""
        key = self._key(f"failures:{group_id}" if group_id else "failures")
        async with self._call(deadline):
            low = f"({after}" if after else "-"
            listed = cast(
                "list[str]", await cast("Any", self.redis.zrangebylex(key, low, "+", start=0, num=limit + 1))
            )
        keys = [(name.split("/", 2)[1], name.split("/", 2)[2]) for name in listed[:limit]]
        statuses = await self.statuses(keys, deadline)
        found = [one for one in statuses if one is not None and one.state is EpisodeState.FAILED]
        return found, listed[limit - 1] if len(listed) > limit else ""

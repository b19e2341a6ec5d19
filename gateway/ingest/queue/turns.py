"""Groups take turns, and workers take these."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from redis.exceptions import ResponseError

from drivers.deadline import Deadline
from gateway.ingest.queue import scripts
from gateway.ingest.queue.settings import QueueSettings
from gateway.ingest.queue.store import WORKERS, QueueStore
from gateway.ingest.queue.units import Member, Turn, Unit

CLAIMED_PER_ROUND_MAX = 100


class Turns(QueueStore):
    def __init__(self, url: str, settings: QueueSettings | None = None) -> None:
        super().__init__(url, settings)
        self._take = self.redis.register_script(scripts.TAKE)
        self._renew = self.redis.register_script(scripts.RENEW)
        self._return = self.redis.register_script(scripts.RETURN)
        self._wake = self.redis.register_script(scripts.WAKE)

    async def prepare(self, deadline: Deadline) -> None:
        """The consumer group of every stream of turns. Idempotent."""
        for partition in range(self.settings.partitions):
            async with self._call(deadline):
                try:
                    await self.redis.xgroup_create(self._ready(partition), WORKERS, id="0", mkstream=True)
                except ResponseError as error:
                    if "BUSYGROUP" not in str(error):
                        raise

    async def turns(self, worker: str, wait_s: float) -> Sequence[Turn]:
        """The next turns, at most one of each partition; waits for the first. Raises QueueUnavailable, also
        when prepare() has to be called again."""
        streams = {self._ready(partition): ">" for partition in range(self.settings.partitions)}
        limit_s = wait_s + self.settings.call_timeout_s
        async with self._call(Deadline.after(limit_s), limit_s):
            read = cast("Any", self.redis.xreadgroup)
            answer = await read(WORKERS, worker, streams, count=1, block=max(1, int(wait_s * 1000)))
        return _turns(answer)

    async def active_workers(self, within_s: float, deadline: Deadline) -> frozenset[str]:
        """Names of workers that have asked for turns or renewed theirs within so long."""
        async with self._call(deadline), self.redis.pipeline(transaction=False) as pipe:
            for partition in range(self.settings.partitions):
                cast("Any", pipe.xinfo_consumers)(self._ready(partition), WORKERS)
            listed = cast("list[list[dict[str, Any]]]", await pipe.execute())
        return frozenset(
            one["name"] for workers in listed for one in workers if one["idle"] <= within_s * 1000
        )

    async def own_turns(self, worker: str, deadline: Deadline) -> Sequence[Turn]:
        """Turns that were given to this worker and have not ended, those whose delivery was lost with a
        connection among them."""
        streams = {self._ready(partition): "0" for partition in range(self.settings.partitions)}
        async with self._call(deadline):
            return _turns(await cast("Any", self.redis.xreadgroup)(WORKERS, worker, streams))

    async def give_back(self, turns: Sequence[Turn], deadline: Deadline) -> None:
        """Turns that are no units yet are any worker's at once; those that are no longer this one's stay."""
        async with self._call(deadline), self.redis.pipeline(transaction=False) as pipe:
            for turn in turns:
                await self._return(
                    keys=[self._key(f"group:{turn.group_id}"), self._ready(turn.partition)],
                    args=[turn.group_id, turn.entry, WORKERS],
                    client=pipe,
                )
            await pipe.execute()

    async def claim_dead(self, worker: str, deadline: Deadline) -> Sequence[Turn]:
        """Turns of workers that have not renewed them for lease_s; they are this worker's now."""
        found: list[Turn] = []
        idle_ms = int(self.settings.lease_s * 1000)
        for partition in range(self.settings.partitions):
            async with self._call(deadline):
                claim = cast("Any", self.redis.xautoclaim)
                answer = await claim(
                    self._ready(partition), WORKERS, worker, idle_ms, "0-0", count=CLAIMED_PER_ROUND_MAX
                )
            for entry, values in _entries(answer[1]):
                if values:
                    found.append(Turn(partition, entry, values["group"]))
        return found

    async def forget_workers(self, idle_s: float, deadline: Deadline) -> None:
        """Names of workers that have not asked for so long and have no turn: each process has a new one."""
        for partition in range(self.settings.partitions):
            async with self._call(deadline):
                listed = await cast("Any", self.redis.xinfo_consumers)(self._ready(partition), WORKERS)
                for one in listed:
                    if not one["pending"] and one["idle"] > idle_s * 1000:
                        await self.redis.xgroup_delconsumer(self._ready(partition), WORKERS, one["name"])

    async def wake(self, deadline: Deadline) -> int:
        """Turns for the groups whose pause is over; how many."""
        keys = [
            key
            for partition in range(self.settings.partitions)
            for key in (self._later(partition), self._ready(partition))
        ]
        async with self._call(deadline):
            return cast("int", await self._wake(keys=keys, args=[self._prefix, CLAIMED_PER_ROUND_MAX]))

    async def take(self, turn: Turn, episodes_max: int, deadline: Deadline) -> Unit | None:
        """The turn's unit; None: the turn is no longer this worker's, or there is nothing to do."""
        async with self._call(deadline):
            answer = cast(
                "list[Any]",
                await self._take(
                    keys=[
                        self._key(f"group:{turn.group_id}"),
                        self._key(f"waiting:{turn.group_id}"),
                        self._ready(turn.partition),
                        self._key("tokens"),
                    ],
                    args=[
                        self._prefix,
                        turn.group_id,
                        turn.entry,
                        WORKERS,
                        episodes_max,
                        self.settings.unit_bytes_max,
                    ],
                ),
            )
        if not answer:
            return None
        token, tries, pauses, *members = answer
        return Unit(
            turn,
            int(token),
            int(tries),
            int(pauses),
            tuple(Member(entry, op, payload, int(at)) for entry, op, payload, at in members),
        )

    async def renew(self, turns: Mapping[Turn, int | None], worker: str, deadline: Deadline) -> set[Turn]:
        """With each turn its token, None before take(). Those that are still this worker's."""
        if not turns:
            return set()
        async with self._call(deadline), self.redis.pipeline(transaction=False) as pipe:
            for turn, token in turns.items():
                await self._renew(
                    keys=[self._key(f"group:{turn.group_id}"), self._ready(turn.partition)],
                    args=[turn.entry, WORKERS, worker, "" if token is None else token],
                    client=pipe,
                )
            kept = cast("list[int]", await pipe.execute())
        return {turn for turn, one in zip(turns, kept, strict=True) if one}


def _turns(answer: Any) -> list[Turn]:
    """Of an answer to XREADGROUP. An entry that is gone has no values."""
    pairs: Iterable[tuple[str, Any]] = answer.items() if isinstance(answer, dict) else answer or ()
    return [
        Turn(int(stream.rpartition(":")[2]), entry, values["group"])
        for stream, entries in pairs
        for entry, values in _entries(entries)
        if values
    ]


def _entries(entries: Any) -> Iterable[tuple[str, Mapping[str, str]]]:
    """Of streams, whichever protocol the client speaks: lists of entries, or lists of such lists."""
    for one in entries:
        if isinstance(one, list) and one and isinstance(one[0], tuple | list):
            yield from _entries(one)
        else:
            entry, values = one
            yield entry, values or {}

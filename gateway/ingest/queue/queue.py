"""The durable queue of episodes, in Redis.

Keys, all under <prefix>:ingest: , where prefix is the fleet's:

    op:<group>/<op_id>     hash {hash, uuid, payload, state, accepted, updated, attempts, details,
                           listed}: one episode; payload goes once it is applied or no longer listed, the rest
                           after status_kept_s
    uuid:<group>/<uuid>    string: op_id of the last episode that was accepted under that uuid
    waiting:<group>        stream {op, bytes}: the group's episodes in the order of acceptance, until each has
                           ended, with the bytes of their payloads
    group:<group>          hash {turn, token, unit, tries, pauses, cap, bytes}: the group's one turn:
                           its entry in ready:*, or "later"; token of the worker that has it; members of the
                           unit that is worked on; how often that was begun since its last pause, how often it
                           has paused, and the most episodes of the next unit; and the bytes that wait
    ready:<partition>      stream {group}, consumer group "workers": groups whose turn it is, one entry each
    later:<partition>      sorted set: groups that pause, by when their pause ends (ms, Redis's clock)
    depth, bytes           strings: episodes that wait in all, and their bytes of payload
    tokens                 string: the last token
    failures, failures:<group>  sorted sets of <time>/<group>/<op_id>: failed episodes, oldest first
    failures_bytes, failures_sizes  string, hash by listed name: bytes of payload of the listed failures
    failures_dropped       string: failures that were unlisted because there were too many, or too large ones
    stream:<stream_id>     string: highest offset of a client's stream that has had its ack
    changed                pub/sub channel, a wake-up only: <group>/<op_id>

A group has at most one turn, so that its episodes are worked on in order, and takes its next turn behind all
groups that wait, so that ten thousand episodes of one delay nobody. The turn of a dead worker is claimed from
the stream's pending list after lease_s; whoever takes it gets a new token, and without the present token no
result is recorded. The members of a unit are stored before it is begun: a unit that is taken up again is the
same one, so that its write has the same op id and happens once. Scripts make some keys from the prefix: a
Redis Cluster must hold them in one slot, give the prefix a hash tag there, e.g. "{graphgate}".
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Container, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from drivers.deadline import Deadline
from gateway.ingest.errors import EpisodeUnknown, EpisodeUnreadable, QueueFull, QueueUnavailable
from gateway.ingest.job import EpisodeJob
from gateway.ingest.queue import scripts
from gateway.ingest.queue.settings import QueueSettings
from gateway.ingest.queue.status import Details, EpisodeState, Status
from gateway.writes.errors import RequestIdReused

WORKERS = "workers"

type Acceptance = Status | QueueFull | RequestIdReused | QueueUnavailable
"""How far an accepted episode has come, or why it is not accepted; QueueUnavailable with an op_id: it may be
accepted all the same."""

FULL_RETRY_S = 2.0
"""What callers are asked to wait for room."""
CALLS_PER_ROUND_TRIP_MAX = 200
CLAIMED_PER_ROUND_MAX = 100


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


@dataclass(frozen=True, slots=True)
class Turn:
    """A group's turn, delivered to one worker."""

    partition: int
    entry: str
    group_id: str


@dataclass(frozen=True, slots=True)
class Member:
    entry: str
    """Of the group's stream."""
    op_id: str
    payload: str
    """Empty: nothing is known of it any more."""
    accepted_us: int

    def job(self) -> EpisodeJob:
        """Raises EpisodeUnreadable."""
        try:
            return EpisodeJob.decode(self.payload)
        except ValueError as error:
            raise EpisodeUnreadable(str(error)) from error


@dataclass(frozen=True, slots=True)
class Unit:
    """What a worker works on at once: the group's next episodes, in order."""

    turn: Turn
    token: int
    tries: int
    """How often it was begun since the last pause; above 1: a worker ended in the middle of it."""
    pauses: int
    members: tuple[Member, ...]

    @property
    def op_id(self) -> str:
        """Of the unit's write. Of one episode its own, so that the write is found under it for as long as the
        group keeps it."""
        if len(self.members) == 1:
            return self.members[0].op_id
        joined = "/".join(one.op_id for one in self.members)
        return f"unit-{hashlib.blake2b(joined.encode(), digest_size=16).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Result:
    """How a member of a unit has ended."""

    member: Member
    state: EpisodeState
    details: Details


def partition_of(group_id: str, partitions: int) -> int:
    return int.from_bytes(hashlib.blake2b(group_id.encode(), digest_size=8).digest()) % partitions


class EpisodeQueue:
    """Safe for concurrent use. Every call ends by its deadline or call_timeout_s; raises QueueUnavailable."""

    def __init__(self, url: str, settings: QueueSettings | None = None) -> None:
        self.settings = settings or QueueSettings()
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=self.settings.connections_max,
            timeout=self.settings.call_timeout_s,
            socket_connect_timeout=self.settings.call_timeout_s,
            # A command that was sent may have been carried out: whether to send it again is decided here.
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        self.redis: Redis = Redis.from_pool(pool)
        self._prefix = f"{self.settings.prefix}:ingest:"
        self._limits = {
            name: cast("int", getattr(self.settings, name))
            for name in ("group_waiting_max", "group_waiting_bytes_max", "waiting_max", "waiting_bytes_max")
        }
        """As scripts.py takes them."""
        register = self.redis.register_script
        self._accept = register(scripts.ACCEPT)
        self._take = register(scripts.TAKE)
        self._renew = register(scripts.RENEW)
        self._stage = register(scripts.STAGE)
        self._finish = register(scripts.FINISH)
        self._release = register(scripts.RELEASE)
        self._return = register(scripts.RETURN)
        self._wake = register(scripts.WAKE)
        self._replay = register(scripts.REPLAY)
        self._reached = register(scripts.REACHED)

    @property
    def channel(self) -> str:
        return self._key("changed")

    async def close(self) -> None:
        await self.redis.aclose()

    # --- callers ----------------------------------------------------------------------------------

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
                status = _status(job.group_id, job.op_id, fields)
                return QueueUnavailable("it lost what it had stored", job.op_id) if status is None else status

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
            found += [_status(*key, row) for key, row in zip(part, rows, strict=True)]
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

    # --- workers ----------------------------------------------------------------------------------

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

    async def note_stages(
        self, stages: Mapping[tuple[str, str], EpisodeState], now_us: int, deadline: Deadline
    ) -> None:
        """By (group_id, op_id). One that has ended keeps its state."""
        async with self._call(deadline), self.redis.pipeline(transaction=False) as pipe:
            for (group_id, op_id), state in stages.items():
                await self._stage(
                    keys=[self._op(group_id, op_id)],
                    args=[self._prefix, group_id, op_id, str(state), now_us],
                    client=pipe,
                )
            await pipe.execute()

    async def finish(
        self,
        unit: Unit,
        results: Sequence[Result],
        now_us: int,
        deadline: Deadline,
        *,
        cap: int | None = None,
    ) -> bool:
        """Records how members have ended; the others keep their places before all that wait. False: the unit
        is no longer this worker's, nothing was recorded. `cap`: of the group's next unit."""
        group_id = unit.turn.group_id
        ended: list[str] = []
        for one in results:
            ended += [one.member.entry, one.member.op_id, str(one.state), one.details.encode()]
        async with self._call(deadline):
            return bool(
                await self._finish(
                    keys=[
                        self._key(f"group:{group_id}"),
                        self._key(f"waiting:{group_id}"),
                        self._ready(unit.turn.partition),
                        self._key("depth"),
                        self._key("failures"),
                        self._key(f"failures:{group_id}"),
                        self._key("bytes"),
                    ],
                    args=[
                        self._prefix,
                        group_id,
                        unit.turn.entry,
                        unit.token,
                        WORKERS,
                        now_us,
                        int(self.settings.status_kept_s * 1000),
                        int(self.settings.failed_kept_s * 1000),
                        self.settings.failures_max,
                        "" if cap is None else cap,
                        self.settings.failures_bytes_max,
                        *ended,
                    ],
                )
            )

    async def release(
        self,
        unit: Unit,
        waiting: Mapping[str, Details],
        pause_s: float,
        now_us: int,
        deadline: Deadline,
        *,
        cap: int | None = None,
    ) -> bool:
        """Gives the turn back, to be tried again after a pause; with `cap` as units of at most so many.
        `waiting`: what is told of each member meanwhile, by op id. False: it was no longer this worker's."""
        group_id = unit.turn.group_id
        told = [text for op_id, details in waiting.items() for text in (op_id, details.encode())]
        async with self._call(deadline):
            return bool(
                await self._release(
                    keys=[
                        self._key(f"group:{group_id}"),
                        self._key(f"waiting:{group_id}"),
                        self._ready(unit.turn.partition),
                        self._later(unit.turn.partition),
                    ],
                    args=[
                        self._prefix,
                        group_id,
                        unit.turn.entry,
                        unit.token,
                        WORKERS,
                        now_us,
                        int(pause_s * 1000),
                        "" if cap is None else cap,
                        *told,
                    ],
                )
            )

    # --- parts ------------------------------------------------------------------------------------

    def _key(self, name: str) -> str:
        return self._prefix + name

    def _op(self, group_id: str, op_id: str) -> str:
        return self._key(f"op:{group_id}/{op_id}")

    def _ready(self, partition: int) -> str:
        return self._key(f"ready:{partition}")

    def _later(self, partition: int) -> str:
        return self._key(f"later:{partition}")

    def _partition(self, group_id: str) -> int:
        return partition_of(group_id, self.settings.partitions)

    @asynccontextmanager
    async def _call(self, deadline: Deadline, timeout_s: float | None = None) -> AsyncGenerator[None]:
        """Bounded in time, every failure as QueueUnavailable, without addresses."""
        limit_s = self.settings.call_timeout_s if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(min(deadline.remaining_s(), limit_s)):
                yield
        except TimeoutError as error:
            raise QueueUnavailable("no answer in time") from error
        except ResponseError as error:
            raise QueueUnavailable(_why(error)) from error
        except (RedisError, OSError) as error:
            raise QueueUnavailable("no connection") from error


def _why(error: ResponseError) -> str:
    """The first word is Redis's own code; what follows may hold content."""
    return f"it answered {str(error).split(' ', 1)[0][:20]}"


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


def _status(group_id: str, op_id: str, row: Sequence[str | None]) -> Status | None:
    uuid, state, accepted, updated, attempts, details = row
    if uuid is None or state is None:
        return None
    return Status(
        group_id,
        op_id,
        uuid,
        EpisodeState(state),
        int(accepted or 0),
        int(updated or 0),
        int(attempts or 0),
        Details.decode(details or ""),
    )

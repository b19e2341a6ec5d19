"""The catalog in Redis. Losing it loses no data: everything here is a cache or a memory of the careful kind.

Keys, all under one prefix, which belongs to one fleet:

    <prefix>:fleet            string: id of the fleet that these keys belong to
    <prefix>:map              hash {version, body}: the shard map, body as ShardMapSnapshot.encode
    <prefix>:map:changed      pub/sub channel, a wake-up only: the version that was published
    <prefix>:incarnations     hash shard_id -> incarnation of its marker
    <prefix>:beats            hash shard_id -> highest beat of its marker that any gateway has seen
    <prefix>:group:<group_id> hash {shard, space, epoch}: the placement record
    <prefix>:move:<move_id>   hash {revision, body}: the record of a move, body as moves.record.encode
    <prefix>:moves            sorted set of move_ids by the time of the request
    <prefix>:move:active      sorted set of the move_ids that have not ended, by when somebody has to work on
                              them; microseconds
    <prefix>:move:lease:<move_id>  string: the gateway that works on the move; expires. Of the name adoption
                              the one that looks for moves without a record
    <prefix>:move:lease:clean:<shard>  string: the gateway that deletes there what moves have left; expires
    <prefix>:move:leaving:<shard>  hash group_id -> move_id of the move that is to take the group from there
    <prefix>:audit            stream, the newest HISTORY_MAX or some more: changes of shards
    <prefix>:lease:<name>     string: who works on something at present, with a time to live

Reading never creates a key. Scripts touch one key each but for the map's (whose two keys a cluster
must hold in one slot: give the prefix a hash tag there, e.g. "{graphgate}").
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, cast

from redis import exceptions as redis_errors
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from drivers.deadline import Deadline
from shard_router.backoff import Backoff
from shard_router.catalog_port import KnownShard
from shard_router.errors import CatalogUnavailable
from shard_router.placement import Placement
from shard_router.shard_map import ShardMapSnapshot
from shard_router.shards.history import HistoryEntry

RECORDS_PER_ROUND_TRIP_MAX = 500
HISTORY_MAX = 10_000
HISTORY_PAGE_MAX = 1_000

_HISTORY_FIELDS = ("at_us", "who", "action", "shard_id", "detail", "request_id")

_RECONNECT = Backoff(first_s=0.1, pause_s_max=5.0)

_PUT_MAP = """
local found = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
if found ~= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'body', ARGV[3])
redis.call('PUBLISH', KEYS[2], ARGV[2])
return 1
"""
_PUT_PLACEMENT = """
local found = redis.call('HGET', KEYS[1], 'epoch')
if found and tonumber(found) > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'shard', ARGV[2], 'space', ARGV[3])
return 1
"""
_LEASE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_PUT_BEAT = """
local found = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '-1')
if found >= tonumber(ARGV[2]) then return found end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return tonumber(ARGV[2])
"""


@dataclass(frozen=True, slots=True)
class CatalogSettings:
    prefix: str = "graphgate"
    connections_max: int = 16
    call_timeout_s: float = 1.0
    """Of one round trip; a caller's nearer deadline counts too."""
    poll_interval_s: float = 2.0
    """Of the shard map: changes are announced, but an announcement may be lost."""
    reconnect: Backoff = _RECONNECT


class Catalog:
    """shard_router.catalog_port.RoutingCatalog over one Redis."""

    def __init__(self, url: str, settings: CatalogSettings | None = None) -> None:
        self._settings = settings or CatalogSettings()
        timeout_s = self._settings.call_timeout_s
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=self._settings.connections_max,
            timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            # A lost connection must be seen: the map may have changed while nobody listened.
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        self._redis: Redis = Redis.from_pool(pool)
        self._problem = "its keys are not claimed yet"
        self._rng = Random()  # noqa: S311 - jitter

    def _key(self, name: str) -> str:
        return f"{self._settings.prefix}:{name}"

    def key(self, name: str) -> str:
        """Of what another part of this layer keeps here, see the table above."""
        return self._key(name)

    @asynccontextmanager
    async def connection(self, deadline: Deadline) -> AsyncGenerator[Redis]:
        """For one round trip on keys of this prefix. Raises CatalogUnavailable, also for what goes wrong
        inside."""
        self._check_claimed()
        async with self._call(deadline):
            yield self._redis

    async def close(self) -> None:
        await self._redis.aclose()

    async def ping(self, deadline: Deadline) -> None:
        async with self._call(deadline):
            await cast("Any", self._redis.ping())

    # --- fleet ------------------------------------------------------------------------------------

    async def claim(self, fleet: str, deadline: Deadline) -> None:
        key = self._key("fleet")
        async with self._call(deadline):
            await self._redis.set(key, fleet, nx=True)
            found = cast("str | None", await self._redis.get(key))
        if found == fleet:
            self._problem = ""
            return
        self._problem = f"its keys belong to fleet {found}; use another key prefix"
        raise CatalogUnavailable(self._problem)

    async def known_shards(self, deadline: Deadline) -> Mapping[str, KnownShard]:
        async with self._call(deadline), self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(self._key("incarnations"))
            pipe.hgetall(self._key("beats"))
            incarnations, beats = cast("list[dict[str, str]]", await pipe.execute())
            return {
                shard_id: KnownShard(incarnation, int(beats.get(shard_id, 0)))
                for shard_id, incarnation in incarnations.items()
            }

    async def put_known_shard(self, shard_id: str, known: KnownShard, deadline: Deadline) -> KnownShard:
        incarnations = self._key("incarnations")
        async with self._call(deadline), self._redis.pipeline(transaction=False) as pipe:
            pipe.hsetnx(incarnations, shard_id, known.incarnation)
            pipe.hget(incarnations, shard_id)
            pipe.eval(_PUT_BEAT, 1, self._key("beats"), shard_id, str(known.beat))
            _, incarnation, beat = await pipe.execute()
            return KnownShard(incarnation, int(beat))

    async def load_map(self, deadline: Deadline) -> ShardMapSnapshot | None:
        self._check_claimed()
        async with self._call(deadline):
            body = cast("str | None", await cast("Any", self._redis.hget(self._key("map"), "body")))
            return None if body is None else ShardMapSnapshot.decode(body)

    async def put_map(self, snapshot: ShardMapSnapshot, expected_version: int, deadline: Deadline) -> bool:
        self._check_claimed()
        keys = (self._key("map"), self._key("map:changed"))
        values = (str(expected_version), str(snapshot.version), snapshot.encode().decode())
        async with self._call(deadline):
            return bool(await cast("Any", self._redis.eval(_PUT_MAP, 2, *keys, *values)))

    async def watch_map(self, known_version: int) -> AsyncGenerator[ShardMapSnapshot | None]:
        last: int | None = known_version
        failures = 0
        while True:
            try:
                async with self._redis.pubsub() as wake_ups:
                    await wake_ups.subscribe(self._key("map:changed"))
                    while True:
                        snapshot = await self.load_map(Deadline.after(self._settings.call_timeout_s))
                        failures = 0
                        version = None if snapshot is None else snapshot.version
                        if version != last:
                            last = version
                            yield snapshot
                        await wake_ups.get_message(
                            ignore_subscribe_messages=True, timeout=self._settings.poll_interval_s
                        )
            except (CatalogUnavailable, RedisError, OSError, TimeoutError):
                failures += 1
                await asyncio.sleep(self._settings.reconnect.pause_s(failures, self._rng))

    # --- placements -------------------------------------------------------------------------------

    async def get_placements(self, group_ids: Sequence[str], deadline: Deadline) -> Mapping[str, Placement]:
        self._check_claimed()
        found: dict[str, Placement] = {}
        for start in range(0, len(group_ids), RECORDS_PER_ROUND_TRIP_MAX):
            batch = group_ids[start : start + RECORDS_PER_ROUND_TRIP_MAX]
            async with self._call(deadline), self._redis.pipeline(transaction=False) as pipe:
                for group_id in batch:
                    pipe.hmget(self._key(f"group:{group_id}"), ["shard", "space", "epoch"])
                records = cast("list[list[str | None]]", await pipe.execute())
                for group_id, (shard_id, space, epoch) in zip(batch, records, strict=True):
                    if shard_id is not None and space is not None and epoch is not None:
                        found[group_id] = Placement(group_id, shard_id, space, int(epoch))
        return found

    async def put_placements(self, placements: Sequence[Placement], deadline: Deadline) -> None:
        self._check_claimed()
        for start in range(0, len(placements), RECORDS_PER_ROUND_TRIP_MAX):
            async with self._call(deadline), self._redis.pipeline(transaction=False) as pipe:
                for placement in placements[start : start + RECORDS_PER_ROUND_TRIP_MAX]:
                    key = self._key(f"group:{placement.group_id}")
                    values = (str(placement.epoch), placement.shard_id, placement.space)
                    pipe.eval(_PUT_PLACEMENT, 1, key, *values)
                await pipe.execute()

    async def scan_placements(self, cursor: int, deadline: Deadline) -> tuple[int, Sequence[Placement]]:
        self._check_claimed()
        pattern = "".join(f"\\{c}" if c in "*?[]\\" else c for c in self._key("group:")) + "*"
        async with self._call(deadline):
            after, keys = cast(
                "tuple[int, list[str]]",
                await self._redis.scan(cursor, match=pattern, count=RECORDS_PER_ROUND_TRIP_MAX),
            )
        group_ids = [key.removeprefix(self._key("group:")) for key in keys]
        return after, list((await self.get_placements(group_ids, deadline)).values())

    # --- shards -----------------------------------------------------------------------------------

    async def append_history(self, entry: HistoryEntry, deadline: Deadline) -> None:
        self._check_claimed()
        fields: dict[Any, Any] = {name: str(getattr(entry, name)) for name in _HISTORY_FIELDS}
        async with self._call(deadline):
            await self._redis.xadd(self._key("audit"), fields, maxlen=HISTORY_MAX, approximate=True)

    async def list_history(
        self, before: str, limit: int, shard_id: str, deadline: Deadline
    ) -> Sequence[HistoryEntry]:
        self._check_claimed()
        found: list[HistoryEntry] = []
        newest = f"({before}" if before else "+"
        while len(found) < limit:
            async with self._call(deadline):
                page = cast(
                    "list[tuple[str, dict[str, str]]]",
                    await self._redis.xrevrange(self._key("audit"), max=newest, count=HISTORY_PAGE_MAX),
                )
                entries = [_history_entry(entry_id, fields) for entry_id, fields in page]
            found += [entry for entry in entries if not shard_id or entry.shard_id == shard_id]
            if len(page) < HISTORY_PAGE_MAX:
                break
            newest = f"({page[-1][0]}"
        return found[:limit]

    async def lease(self, name: str, holder: str, seconds: float, deadline: Deadline) -> bool:
        self._check_claimed()
        key, ttl_ms = self._key(f"lease:{name}"), str(int(seconds * 1_000))
        async with self._call(deadline):
            return bool(await cast("Any", self._redis.eval(_LEASE, 1, key, holder, ttl_ms)))

    def _check_claimed(self) -> None:
        if self._problem:
            raise CatalogUnavailable(self._problem)

    @asynccontextmanager
    async def _call(self, deadline: Deadline) -> AsyncGenerator[None]:
        """One round trip: bounded in time, every failure as CatalogUnavailable, without addresses."""
        try:
            async with asyncio.timeout(min(deadline.remaining_s(), self._settings.call_timeout_s)):
                yield
        except TimeoutError as error:
            raise CatalogUnavailable("no answer in time") from error
        except (RedisError, OSError) as error:
            raise CatalogUnavailable(_why(error)) from error
        except ValueError as error:
            raise CatalogUnavailable("a record in it is unreadable") from error


def _history_entry(entry_id: str, fields: Mapping[str, str]) -> HistoryEntry:
    """Raises ValueError for what no gateway of this version wrote."""
    values: dict[str, Any] = {name: fields.get(name, "") for name in _HISTORY_FIELDS}
    values["at_us"] = int(values["at_us"])
    return HistoryEntry(**values, entry_id=entry_id)


_WHY: tuple[tuple[type[Exception], str], ...] = (
    (redis_errors.AuthenticationError, "it refuses the credentials; correct user and password"),
    (redis_errors.BusyLoadingError, "it is loading its data"),
    (redis_errors.ReadOnlyError, "it is a replica"),
    (redis_errors.OutOfMemoryError, "it is out of memory"),
    (redis_errors.TimeoutError, "no answer in time"),
    (redis_errors.ConnectionError, "no connection"),
    (OSError, "no connection"),
)


def _why(error: RedisError | OSError) -> str:
    """For the caller: the error's own text may hold an address."""
    return next((why for kind, why in _WHY if isinstance(error, kind)), "it refused a command")

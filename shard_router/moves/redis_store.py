"""The records of moves in the catalog's Redis. The keys are in the table of shard_router/catalog.py.

Scripts touch up to four keys, which a cluster must hold in one slot, as for the shard map.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from redis.asyncio import Redis

from drivers.deadline import Deadline
from shard_router.catalog import Catalog
from shard_router.errors import CatalogUnavailable
from shard_router.moves.record import MoveRecord, decode, encode

_LOG = logging.getLogger(__name__)

ENDED_MAX = 10_000
"""Records of ended moves that are kept."""
RECORDS_PER_ROUND_TRIP_MAX = 200
CREATIONS_MAX = 3
"""Attempts to make a record against others that hold the group."""
SCANNED_MAX = 20_000
"""Records that one list looks at to find those of one group."""

_CREATE = """
if redis.call('EXISTS', KEYS[1]) == 0 then
  if ARGV[6] == 'holds' then
    local holder = redis.call('HGET', KEYS[4], ARGV[5])
    if holder and holder ~= ARGV[1] and redis.call('ZSCORE', KEYS[3], holder) then return {holder} end
    redis.call('HSET', KEYS[4], ARGV[5], ARGV[1])
  end
  redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'body', ARGV[3])
  redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
  redis.call('ZADD', KEYS[3], 0, ARGV[1])
end
return {ARGV[1], redis.call('HGET', KEYS[1], 'body')}
"""
_UPDATE = """
local found = redis.call('HGET', KEYS[1], 'revision')
if found and found ~= ARGV[2] then return redis.call('HGET', KEYS[1], 'body') end
redis.call('HSET', KEYS[1], 'revision', ARGV[3], 'body', ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[1])
if ARGV[6] == 'ended' then
  redis.call('ZREM', KEYS[3], ARGV[1])
elseif not found then
  redis.call('ZADD', KEYS[3], 0, ARGV[1])
end
local holder = redis.call('HGET', KEYS[4], ARGV[7])
if ARGV[8] == 'holds' then
  if not holder or not redis.call('ZSCORE', KEYS[3], holder) then
    redis.call('HSET', KEYS[4], ARGV[7], ARGV[1])
  end
elseif holder == ARGV[1] then
  redis.call('HDEL', KEYS[4], ARGV[7])
end
return ARGV[4]
"""
_LEAVING = """
local found = redis.call('HGETALL', KEYS[1])
local holders = {}
for n = 1, #found, 2 do
  if redis.call('ZSCORE', KEYS[2], found[n + 1]) then
    holders[#holders + 1] = found[n + 1]
    if #holders == tonumber(ARGV[1]) then break end
  else
    redis.call('HDEL', KEYS[1], found[n])
  end
end
return holders
"""
_LEASE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""


class RedisMoveStore:
    """shard_router.moves.store_port.MoveStore."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def create(self, record: MoveRecord, deadline: Deadline) -> MoveRecord:
        values = (
            record.move_id,
            str(record.revision),
            encode(record).decode(),
            str(record.requested_us),
            record.group_id,
            _holds(record),
        )
        for _ in range(CREATIONS_MAX):
            move_id, *body = await self._script(_CREATE, self._record_keys(record), values, deadline)
            if body:
                return decode(body[0])
            holder = await self.get(move_id, deadline)
            if holder is not None:
                return holder
            # It is known without its record: the catalog has lost that.
            await self.forget_due(move_id, deadline)
        raise CatalogUnavailable(f"the record of move {record.move_id} was not made")

    async def update(self, record: MoveRecord, deadline: Deadline) -> MoveRecord:
        revision = record.revision + 1
        body = await self._script(
            _UPDATE,
            self._record_keys(record),
            (
                record.move_id,
                str(record.revision),
                str(revision),
                encode(replace(record, revision=revision)).decode(),
                str(record.requested_us),
                "ended" if record.ended else "",
                record.group_id,
                _holds(record),
            ),
            deadline,
        )
        if record.ended:
            await self._trim(deadline)
        return decode(body)

    async def get(self, move_id: str, deadline: Deadline) -> MoveRecord | None:
        async with self._catalog.connection(deadline) as redis:
            body = cast("str | None", await cast("Any", redis.hget(self._record_key(move_id), "body")))
            return None if body is None else decode(body)

    async def missing(self, move_ids: Sequence[str], deadline: Deadline) -> Sequence[str]:
        found: list[str] = []
        for start in range(0, len(move_ids), RECORDS_PER_ROUND_TRIP_MAX):
            part = move_ids[start : start + RECORDS_PER_ROUND_TRIP_MAX]
            async with self._catalog.connection(deadline) as redis, redis.pipeline(transaction=False) as pipe:
                for move_id in part:
                    pipe.exists(self._record_key(move_id))
                there = cast("list[int]", await pipe.execute())
            found += [move_id for move_id, is_there in zip(part, there, strict=True) if not is_there]
        return found

    async def revision(self, move_id: str, deadline: Deadline) -> int:
        async with self._catalog.connection(deadline) as redis:
            return int(await cast("Any", redis.hget(self._record_key(move_id), "revision")) or 0)

    async def list(
        self, after: str, limit: int, group_id: str, active_only: bool, deadline: Deadline
    ) -> Sequence[MoveRecord]:
        start = 0
        if after:
            async with self._catalog.connection(deadline) as redis:
                rank = cast("int | None", await redis.zrevrank(self._catalog.key("moves"), after))
            if rank is None:
                return ()
            start = rank + 1
        found: list[MoveRecord] = []
        last = start + SCANNED_MAX
        while len(found) < limit and start < last:
            batch = await self._batch(start, RECORDS_PER_ROUND_TRIP_MAX, deadline)
            if not batch:
                break
            start += RECORDS_PER_ROUND_TRIP_MAX
            found += [
                record
                for record in batch
                if record is not None
                and (not group_id or record.group_id == group_id)
                and not (active_only and record.ended)
            ]
        return found[:limit]

    async def leaving(self, shard_id: str, limit: int, deadline: Deadline) -> Sequence[MoveRecord]:
        keys = (self._leaving_key(shard_id), self._catalog.key("move:active"))
        move_ids = cast("list[str]", await self._script(_LEAVING, keys, (str(limit),), deadline))
        async with self._catalog.connection(deadline) as redis:
            return [record for record in await self._records(redis, move_ids) if record is not None]

    async def due(self, now_us: int, limit: int, deadline: Deadline, skip: int = 0) -> Sequence[str]:
        async with self._catalog.connection(deadline) as redis:
            return cast(
                "list[str]",
                await redis.zrangebyscore(self._catalog.key("move:active"), "-inf", now_us, skip, limit),
            )

    async def put_off(self, move_id: str, until_us: int, deadline: Deadline) -> None:
        async with self._catalog.connection(deadline) as redis:
            await redis.zadd(self._catalog.key("move:active"), {move_id: until_us}, xx=True)

    async def forget_due(self, move_id: str, deadline: Deadline) -> None:
        async with self._catalog.connection(deadline) as redis:
            await redis.zrem(self._catalog.key("move:active"), move_id)

    # --- leases -----------------------------------------------------------------------------------

    async def lease(self, move_id: str, holder: str, seconds: float, deadline: Deadline) -> bool:
        values = (holder, str(round(seconds * 1_000)))
        return bool(await self._script(_LEASE, (self._lease_key(move_id),), values, deadline))

    async def release(self, move_id: str, holder: str, deadline: Deadline) -> None:
        await self._script(_RELEASE, (self._lease_key(move_id),), (holder,), deadline)

    # --- parts ------------------------------------------------------------------------------------

    async def _batch(self, start: int, count: int, deadline: Deadline) -> Sequence[MoveRecord | None]:
        async with self._catalog.connection(deadline) as redis:
            key = self._catalog.key("moves")
            move_ids = cast("list[str]", await redis.zrevrange(key, start, start + count - 1))
            return await self._records(redis, move_ids)

    async def _records(self, redis: Redis, move_ids: Sequence[str]) -> Sequence[MoveRecord | None]:
        async with redis.pipeline(transaction=False) as pipe:
            for move_id in move_ids:
                pipe.hget(self._record_key(move_id), "body")
            bodies = cast("list[str | None]", await pipe.execute()) if move_ids else []
        return [_read(move_id, body) for move_id, body in zip(move_ids, bodies, strict=True)]

    async def _trim(self, deadline: Deadline) -> None:
        """Of the records that are too many, the oldest that have ended."""
        moves, active = self._catalog.key("moves"), self._catalog.key("move:active")
        async with self._catalog.connection(deadline) as redis, redis.pipeline(transaction=False) as pipe:
            pipe.zcard(moves)
            pipe.zcard(active)
            kept, running = cast("list[int]", await pipe.execute())
            surplus = kept - running - ENDED_MAX
            if surplus <= 0:
                return
            oldest = cast("list[str]", await redis.zrange(moves, 0, surplus + RECORDS_PER_ROUND_TRIP_MAX))
            for move_id in oldest:
                pipe.zscore(active, move_id)
            scores = cast("list[float | None]", await pipe.execute())
            ended = [m for m, score in zip(oldest, scores, strict=True) if score is None][:surplus]
            for move_id in ended:
                pipe.delete(self._record_key(move_id))
                pipe.zrem(moves, move_id)
            await pipe.execute()

    async def _script(
        self, script: str, keys: Sequence[str], values: Sequence[str], deadline: Deadline
    ) -> Any:
        async with self._catalog.connection(deadline) as redis:
            return await cast("Any", redis.eval(script, len(keys), *keys, *values))

    def _record_keys(self, record: MoveRecord) -> tuple[str, str, str, str]:
        return (
            self._record_key(record.move_id),
            self._catalog.key("moves"),
            self._catalog.key("move:active"),
            self._leaving_key(record.source_shard),
        )

    def _leaving_key(self, shard_id: str) -> str:
        return self._catalog.key(f"move:leaving:{shard_id}")

    def _record_key(self, move_id: str) -> str:
        return self._catalog.key(f"move:{move_id}")

    def _lease_key(self, move_id: str) -> str:
        return self._catalog.key(f"move:lease:{move_id}")


def _read(move_id: str, body: str | None) -> MoveRecord | None:
    """None also for one that cannot be read: it must not hide the others from who lists them."""
    try:
        return None if body is None else decode(body)
    except ValueError as error:
        _LOG.warning("the record of move %s is left out: %s", move_id, error)
        return None


def _holds(record: MoveRecord) -> str:
    return "holds" if record.holds_group else ""

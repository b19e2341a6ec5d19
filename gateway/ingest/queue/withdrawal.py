"""Taking a group's episodes out of the queue before they are worked on."""

from dataclasses import dataclass
from typing import Any, cast

from drivers.deadline import Deadline
from gateway.ingest.queue.scripts import ENDED, READY
from gateway.ingest.queue.settings import QueueSettings
from gateway.ingest.queue.status import Details
from gateway.ingest.queue.store import WORKERS, QueueStore
from gateway.ingest.queue.units import Member, Turn, Unit

WITHDRAWN_AT_ONCE_MAX = 200
"""Redis serves nobody meanwhile."""

_WITHDRAW = (
    READY
    + ENDED
    + """
-- Episodes up to an entry fail, unless they are members of a begun unit.
-- KEYS: group, waiting, ready, later, depth, failures, group_failures, bytes
-- ARGV: prefix, group_id, workers, until, at_once_max, details, now_us, kept_ms, failed_kept_ms,
--   failures_max, failures_bytes_max
local begun = {}
local unit = redis.call('HGET', KEYS[1], 'unit')
local members = unit and cjson.decode(unit) or {}
for _, member in ipairs(members) do begun[member[1]] = true end
local to = {waiting = KEYS[2], group = KEYS[1], depth = KEYS[5], bytes = KEYS[8], failures = KEYS[6],
  group_failures = KEYS[7], kept_ms = ARGV[8], failed_kept_ms = ARGV[9]}
local withdrawn = 0
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', ARGV[4], 'COUNT', tonumber(ARGV[5]) + #members)) do
  if not begun[entry[1]] and withdrawn < tonumber(ARGV[5]) then
    ended(ARGV[1], ARGV[2], to, entry[1], entry[2][2], 'FAILED', ARGV[6], ARGV[7])
    withdrawn = withdrawn + 1
  end
end
unlist_oldest(ARGV[1], KEYS[6], ARGV[8], ARGV[10], ARGV[11])
if redis.call('XLEN', KEYS[2]) == 0 then
  local turn = redis.call('HGET', KEYS[1], 'turn')
  if turn == 'later' then redis.call('ZREM', KEYS[4], ARGV[2])
  elseif turn then
    redis.pcall('XACK', KEYS[3], ARGV[3], turn)
    redis.call('XDEL', KEYS[3], turn)
  end
  redis.call('DEL', KEYS[1], KEYS[2])
end
return {withdrawn, #redis.call('XRANGE', KEYS[2], '-', ARGV[4], 'COUNT', #members + 1)}
"""
)

_SEIZE = """
-- The begun unit of a group, if no worker has it, under a new token. It goes to a worker if it is not
-- finished before held_ms are over, as one whose pause has ended.
-- KEYS: group, ready, later, tokens; ARGV: prefix, group_id, workers, held_ms
local turn, unit = unpack(redis.call('HMGET', KEYS[1], 'turn', 'unit'))
if not turn or not unit then return {} end
if redis.call('HEXISTS', KEYS[1], 'token') == 1 then
  if turn == 'later' then return {} end
  local pending = redis.pcall('XPENDING', KEYS[2], ARGV[3], turn, turn, 1)
  if pending.err then
    -- Who has which turn was lost, and the worker may be at it.
    if string.find(pending.err, 'NOGROUP', 1, true) then return {} end
    return pending
  end
  if #pending > 0 then return {} end
end
if turn ~= 'later' then
  redis.pcall('XACK', KEYS[2], ARGV[3], turn)
  redis.call('XDEL', KEYS[2], turn)
end
local token = redis.call('INCR', KEYS[4])
redis.call('HSET', KEYS[1], 'token', token, 'turn', 'later')
local t = redis.call('TIME')
local now_ms = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
redis.call('ZADD', KEYS[3], now_ms + tonumber(ARGV[4]), ARGV[2])
local answer = {token, turn == 'later' and '0-1' or turn}
for _, member in ipairs(cjson.decode(unit)) do
  local op = ARGV[1] .. 'op:' .. ARGV[2] .. '/' .. member[2]
  local fields = redis.call('HMGET', op, 'payload', 'accepted')
  answer[#answer + 1] = {member[1], member[2], fields[1] or '', fields[2] or '0'}
end
return answer
"""


@dataclass(frozen=True, slots=True)
class GroupWaiting:
    episodes: int = 0
    """That have not ended."""
    last: str = ""
    """Entry of the one that was accepted last; empty: there are none."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    episodes: int
    left: int
    """More that were accepted up to then: of a begun unit, and, if any were withdrawn, others."""


class Withdrawals(QueueStore):
    def __init__(self, url: str, settings: QueueSettings | None = None) -> None:
        super().__init__(url, settings)
        self._withdraw = self.redis.register_script(_WITHDRAW)
        self._seize = self.redis.register_script(_SEIZE)

    async def group_waiting(self, group_id: str, deadline: Deadline) -> GroupWaiting:
        key = self._key(f"waiting:{group_id}")
        async with self._call(deadline), self.redis.pipeline(transaction=True) as pipe:
            pipe.xlen(key)
            cast("Any", pipe.xrevrange)(key, count=1)
            length, newest = cast("tuple[int, list[tuple[str, Any]]]", await pipe.execute())
        return GroupWaiting(length, newest[0][0]) if newest else GroupWaiting()

    async def withdraw(
        self, group_id: str, until: str, details: Details, now_us: int, deadline: Deadline
    ) -> Withdrawn:
        """The next episodes of the group, up to the entry `until`, become listed failures with these details;
        members of a unit that was begun stay."""
        partition = self._partition(group_id)
        async with self._call(deadline):
            withdrawn, left = cast(
                "list[int]",
                await self._withdraw(
                    keys=[
                        self._key(f"group:{group_id}"),
                        self._key(f"waiting:{group_id}"),
                        self._ready(partition),
                        self._later(partition),
                        self._key("depth"),
                        self._key("failures"),
                        self._key(f"failures:{group_id}"),
                        self._key("bytes"),
                    ],
                    args=[
                        self._prefix,
                        group_id,
                        WORKERS,
                        until,
                        WITHDRAWN_AT_ONCE_MAX,
                        details.encode(),
                        now_us,
                        int(self.settings.status_kept_s * 1000),
                        int(self.settings.failed_kept_s * 1000),
                        self.settings.failures_max,
                        self.settings.failures_bytes_max,
                    ],
                ),
            )
        return Withdrawn(withdrawn, left)

    async def seize(self, group_id: str, deadline: Deadline) -> Unit | None:
        """The unit that was begun and given back, to be finished or released within lease_s. None: there is
        none, or somebody has it. A unit whose worker is silent is not taken from it: it may still write."""
        partition = self._partition(group_id)
        async with self._call(deadline):
            answer = cast(
                "list[Any]",
                await self._seize(
                    keys=[
                        self._key(f"group:{group_id}"),
                        self._ready(partition),
                        self._later(partition),
                        self._key("tokens"),
                    ],
                    args=[self._prefix, group_id, WORKERS, int(self.settings.lease_s * 1000)],
                ),
            )
        if not answer:
            return None
        token, entry, *members = answer
        return Unit(
            Turn(partition, entry, group_id),
            int(token),
            1,
            0,
            tuple(Member(at, op, payload, int(accepted)) for at, op, payload, accepted in members),
        )

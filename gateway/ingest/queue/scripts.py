"""The queue's changes, each one atomic script. Times come from the callers in microseconds and are only told;
what is waited for goes by Redis's own clock.

KEYS and ARGV are listed at each; `prefix` ends in a colon. Keys of single episodes are made from it inside.
"""

STATUS_FIELDS = ("uuid", "state", "accepted", "updated", "attempts", "details")
"""Of an episode, in the order in which ACCEPT answers them."""

READY = """
local function ready(stream, group, group_id)
  local turn = redis.call('XADD', stream, '*', 'group', group_id)
  redis.call('HSET', group, 'turn', turn)
end
local function told(prefix, group_id, op)
  redis.call('PUBLISH', prefix .. 'changed', group_id .. '/' .. op)
end
local function now_ms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end
"""

_ROOM = """
-- Which limit is reached, or nil. What comes below the limits is taken whatever its size: in one transaction
-- nothing finds room behind what has found none, and no episode is too large for an empty queue.
local function lacks_room(waiting, group, depth, bytes, first_limit)
  if redis.call('XLEN', waiting) >= tonumber(ARGV[first_limit]) then return 'group_waiting_max' end
  if tonumber(redis.call('HGET', group, 'bytes') or '0') >= tonumber(ARGV[first_limit + 1]) then
    return 'group_waiting_bytes_max'
  end
  if tonumber(redis.call('GET', depth) or '0') >= tonumber(ARGV[first_limit + 2]) then
    return 'waiting_max'
  end
  if tonumber(redis.call('GET', bytes) or '0') >= tonumber(ARGV[first_limit + 3]) then
    return 'waiting_bytes_max'
  end
end
local function enter(waiting, group, depth, bytes, op, size)
  redis.call('XADD', waiting, '*', 'op', op, 'bytes', size)
  redis.call('HINCRBY', group, 'bytes', size)
  redis.call('INCR', depth)
  redis.call('INCRBY', bytes, size)
end
"""

ACCEPT = (
    READY
    + _ROOM
    + f"local fields = {{{', '.join(repr(name) for name in STATUS_FIELDS)}}}"
    + """
-- KEYS: op, uuid, waiting, group, ready, depth, bytes
-- ARGV: prefix, group_id, op_id, content_hash, episode_uuid, payload, now_us,
--   group_max, group_bytes_max, all_max, all_bytes_max
local found = redis.call('HGET', KEYS[1], 'hash')
if found then
  if found ~= ARGV[4] then return {'OTHER'} end
  return {'KNOWN', unpack(redis.call('HMGET', KEYS[1], unpack(fields)))}
end
local full = lacks_room(KEYS[3], KEYS[4], KEYS[6], KEYS[7], 8)
if full then return {full} end
-- What is left of a record that was lost has a time to live.
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'hash', ARGV[4], 'uuid', ARGV[5], 'payload', ARGV[6], 'state', 'ACCEPTED',
  'accepted', ARGV[7], 'updated', ARGV[7], 'attempts', '0')
redis.call('SET', KEYS[2], ARGV[3])
enter(KEYS[3], KEYS[4], KEYS[6], KEYS[7], ARGV[3], #ARGV[6])
if redis.call('HEXISTS', KEYS[4], 'turn') == 0 then ready(KEYS[5], KEYS[4], ARGV[2]) end
return {'ACCEPTED', ARGV[5], 'ACCEPTED', ARGV[7], ARGV[7], '0', ''}
"""
)

TAKE = """
-- The turn becomes a unit of work under a new token; a unit that another worker left is taken up as it was.
-- KEYS: group, waiting, ready, tokens
-- ARGV: prefix, group_id, entry, workers, episodes_max, bytes_max
if redis.call('HGET', KEYS[1], 'turn') ~= ARGV[3] then
  redis.call('XACK', KEYS[3], ARGV[4], ARGV[3])
  redis.call('XDEL', KEYS[3], ARGV[3])
  return {}
end
local token = redis.call('INCR', KEYS[4])
redis.call('HSET', KEYS[1], 'token', token)
local unit = redis.call('HGET', KEYS[1], 'unit')
local members = {}
if unit then
  members = cjson.decode(unit)
else
  local most = tonumber(ARGV[5])
  local cap = tonumber(redis.call('HGET', KEYS[1], 'cap') or '0')
  if cap > 0 and cap < most then most = cap end
  local bytes = 0
  for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', most)) do
    local op = entry[2][2]
    bytes = bytes + redis.call('HSTRLEN', ARGV[1] .. 'op:' .. ARGV[2] .. '/' .. op, 'payload')
    if #members > 0 and bytes > tonumber(ARGV[6]) then break end
    members[#members + 1] = {entry[1], op}
  end
  if #members == 0 then
    redis.call('XACK', KEYS[3], ARGV[4], ARGV[3])
    redis.call('XDEL', KEYS[3], ARGV[3])
    redis.call('DEL', KEYS[1])
    return {}
  end
  redis.call('HSET', KEYS[1], 'unit', cjson.encode(members), 'tries', 0)
end
local tries = redis.call('HINCRBY', KEYS[1], 'tries', 1)
local answer = {token, tries, tonumber(redis.call('HGET', KEYS[1], 'pauses') or '0')}
for _, member in ipairs(members) do
  local op = ARGV[1] .. 'op:' .. ARGV[2] .. '/' .. member[2]
  local fields = redis.call('HMGET', op, 'payload', 'accepted')
  if fields[1] then redis.call('HINCRBY', op, 'attempts', 1) end
  answer[#answer + 1] = {member[1], member[2], fields[1] or '', fields[2] or '0'}
end
return answer
"""

RENEW = """
-- KEYS: group, ready; ARGV: entry, workers, worker, token ('': the turn is not a unit yet)
if redis.call('HGET', KEYS[1], 'turn') ~= ARGV[1] then return 0 end
if ARGV[4] ~= '' and redis.call('HGET', KEYS[1], 'token') ~= ARGV[4] then return 0 end
redis.call('XCLAIM', KEYS[2], ARGV[2], ARGV[3], 0, ARGV[1], 'JUSTID')
return 1
"""

STAGE = (
    READY
    + """
-- KEYS: op; ARGV: prefix, group_id, op_id, state, now_us
local state = redis.call('HGET', KEYS[1], 'state')
if not state or state == 'APPLIED' or state == 'FAILED' then return 0 end
redis.call('HSET', KEYS[1], 'state', ARGV[4], 'updated', ARGV[5])
told(ARGV[1], ARGV[2], ARGV[3])
return 1
"""
)

UNLISTED = """
local function unlisted(prefix, listed)
  local group_id, op_id = string.match(listed, '^[^/]+/([^/]+)/(.*)$')
  redis.call('ZREM', prefix .. 'failures', listed)
  redis.call('ZREM', prefix .. 'failures:' .. group_id, listed)
  local size = redis.call('HGET', prefix .. 'failures_sizes', listed)
  redis.call('DECRBY', prefix .. 'failures_bytes', size or 0)
  redis.call('HDEL', prefix .. 'failures_sizes', listed)
  return group_id, op_id
end
"""

ENDED = (
    UNLISTED
    + """
-- `to`: waiting, group, depth, bytes, failures, group_failures, kept_ms, failed_kept_ms
local function ended(prefix, group_id, to, entry, op_id, state, details, now_us)
  local op = prefix .. 'op:' .. group_id .. '/' .. op_id
  local left = redis.call('XRANGE', to.waiting, entry, entry)[1]
  if left then
    local size = tonumber(left[2][4] or '0')
    redis.call('XDEL', to.waiting, entry)
    redis.call('DECR', to.depth)
    redis.call('DECRBY', to.bytes, size)
    redis.call('HINCRBY', to.group, 'bytes', 0 - size)
  end
  local uuid = redis.call('HGET', op, 'uuid')
  if not uuid and state == 'FAILED' then
    -- An episode whose record was lost is listed all the same.
    uuid = ''
    redis.call('HSET', op, 'uuid', uuid)
  end
  if uuid then
    local kept = to.kept_ms
    redis.call('HSET', op, 'state', state, 'details', details, 'updated', now_us)
    if state == 'FAILED' then
      kept = to.failed_kept_ms
      -- Of those that fail at one time the one that waits longest comes first.
      local ms, number = string.match(entry, '^(%d+)-(%d+)$')
      local listed = string.format('%016d-%013d-%010d/%s/%s', tonumber(now_us), tonumber(ms),
        tonumber(number), group_id, op_id)
      redis.call('HSET', op, 'listed', listed)
      redis.call('ZADD', to.failures, 0, listed)
      redis.call('ZADD', to.group_failures, 0, listed)
      redis.call('PEXPIRE', to.group_failures, kept)
      local size = redis.call('HSTRLEN', op, 'payload')
      redis.call('HSET', prefix .. 'failures_sizes', listed, size)
      redis.call('INCRBY', prefix .. 'failures_bytes', size)
    else
      redis.call('HDEL', op, 'payload')
    end
    redis.call('PEXPIRE', op, kept)
    redis.call('PEXPIRE', prefix .. 'uuid:' .. group_id .. '/' .. uuid, kept)
  end
  told(prefix, group_id, op_id)
end
local function unlist_oldest(prefix, failures, kept_ms, failures_max, bytes_max)
  local function too_many()
    local count = redis.call('ZCARD', failures)
    if count > tonumber(failures_max) then return true end
    return count > 1 and tonumber(redis.call('GET', prefix .. 'failures_bytes') or '0') > tonumber(bytes_max)
  end
  while too_many() do
    local listed = redis.call('ZRANGE', failures, 0, 0)[1]
    local group_id, op_id = unlisted(prefix, listed)
    local op = prefix .. 'op:' .. group_id .. '/' .. op_id
    if redis.call('HGET', op, 'listed') == listed then
      redis.call('HDEL', op, 'payload', 'listed')
      if redis.call('PTTL', op) > tonumber(kept_ms) then redis.call('PEXPIRE', op, kept_ms) end
      local uuid = prefix .. 'uuid:' .. group_id .. '/' .. redis.call('HGET', op, 'uuid')
      if redis.call('GET', uuid) == op_id and redis.call('PTTL', uuid) > tonumber(kept_ms) then
        redis.call('PEXPIRE', uuid, kept_ms)
      end
    end
    redis.call('INCR', prefix .. 'failures_dropped')
  end
end
"""
)

FINISH = (
    READY
    + ENDED
    + """
-- The results of a unit's members; members without one wait for another turn, before all others.
-- KEYS: group, waiting, ready, depth, failures, group_failures, bytes
-- ARGV: prefix, group_id, entry, token, workers, now_us, kept_ms, failed_kept_ms, failures_max, cap,
--   failures_bytes_max, then for each: entry in waiting, op_id, state, details
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[4] then return 0 end
local to = {waiting = KEYS[2], group = KEYS[1], depth = KEYS[4], bytes = KEYS[7], failures = KEYS[5],
  group_failures = KEYS[6], kept_ms = ARGV[7], failed_kept_ms = ARGV[8]}
for i = 12, #ARGV, 4 do
  ended(ARGV[1], ARGV[2], to, ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[6])
end
unlist_oldest(ARGV[1], KEYS[5], ARGV[7], ARGV[9], ARGV[11])
redis.call('HDEL', KEYS[1], 'unit', 'tries', 'token', 'pauses')
if ARGV[10] == '' then redis.call('HDEL', KEYS[1], 'cap')
else redis.call('HSET', KEYS[1], 'cap', ARGV[10]) end
redis.call('XACK', KEYS[3], ARGV[5], ARGV[3])
redis.call('XDEL', KEYS[3], ARGV[3])
if redis.call('XLEN', KEYS[2]) > 0 then ready(KEYS[3], KEYS[1], ARGV[2])
else redis.call('DEL', KEYS[1], KEYS[2]) end
return 1
"""
)

RELEASE = (
    READY
    + """
-- The unit is tried again: as it is after a pause, or (cap) in smaller units at once.
-- KEYS: group, waiting, ready, later
-- ARGV: prefix, group_id, entry, token, workers, now_us, pause_ms, cap, then for each: op_id, details
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[4] then return 0 end
for i = 9, #ARGV, 2 do
  local op = ARGV[1] .. 'op:' .. ARGV[2] .. '/' .. ARGV[i]
  if redis.call('EXISTS', op) == 1 then
    redis.call('HSET', op, 'state', 'ACCEPTED', 'details', ARGV[i + 1], 'updated', ARGV[6])
    told(ARGV[1], ARGV[2], ARGV[i])
  end
end
redis.call('HDEL', KEYS[1], 'token')
redis.call('HSET', KEYS[1], 'tries', 0)
redis.call('HINCRBY', KEYS[1], 'pauses', 1)
if ARGV[8] ~= '' then
  redis.call('HDEL', KEYS[1], 'unit', 'tries')
  redis.call('HSET', KEYS[1], 'cap', ARGV[8])
end
redis.call('XACK', KEYS[3], ARGV[5], ARGV[3])
redis.call('XDEL', KEYS[3], ARGV[3])
local pause = tonumber(ARGV[7])
if pause > 0 then
  redis.call('HSET', KEYS[1], 'turn', 'later')
  redis.call('ZADD', KEYS[4], now_ms() + pause, ARGV[2])
else
  ready(KEYS[3], KEYS[1], ARGV[2])
end
return 1
"""
)

RETURN = (
    READY
    + """
-- A turn that was taken and is no unit yet goes to another worker. KEYS: group, ready
-- ARGV: group_id, entry, workers
if redis.call('HGET', KEYS[1], 'turn') ~= ARGV[2] then return 0 end
redis.call('XACK', KEYS[2], ARGV[3], ARGV[2])
redis.call('XDEL', KEYS[2], ARGV[2])
ready(KEYS[2], KEYS[1], ARGV[1])
return 1
"""
)

WAKE = (
    READY
    + """
-- Groups whose pause is over. KEYS: later, ready of each partition; ARGV: prefix, groups_max of one
local now, woken = now_ms(), 0
for at = 1, #KEYS, 2 do
  local due = redis.call('ZRANGEBYSCORE', KEYS[at], '-inf', now, 'LIMIT', 0, ARGV[2])
  for _, group_id in ipairs(due) do
    redis.call('ZREM', KEYS[at], group_id)
    local group = ARGV[1] .. 'group:' .. group_id
    if redis.call('HGET', group, 'turn') == 'later' then ready(KEYS[at + 1], group, group_id) end
  end
  woken = woken + #due
end
return woken
"""
)

REPLAY = (
    READY
    + _ROOM
    + UNLISTED
    + """
-- KEYS: op, waiting, group, ready, depth, bytes
-- ARGV: prefix, group_id, op_id, now_us, group_max, group_bytes_max, all_max, all_bytes_max
local fields = redis.call('HMGET', KEYS[1], 'state', 'payload', 'uuid', 'listed')
if fields[1] ~= 'FAILED' or not fields[2] then return 'NONE' end
local full = lacks_room(KEYS[2], KEYS[3], KEYS[5], KEYS[6], 5)
if full then return full end
redis.call('HSET', KEYS[1], 'state', 'ACCEPTED', 'attempts', '0', 'updated', ARGV[4])
redis.call('HDEL', KEYS[1], 'details', 'listed')
redis.call('PERSIST', KEYS[1])
redis.call('PERSIST', ARGV[1] .. 'uuid:' .. ARGV[2] .. '/' .. fields[3])
if fields[4] then unlisted(ARGV[1], fields[4]) end
enter(KEYS[2], KEYS[3], KEYS[5], KEYS[6], ARGV[3], #fields[2])
if redis.call('HEXISTS', KEYS[3], 'turn') == 0 then ready(KEYS[4], KEYS[3], ARGV[2]) end
told(ARGV[1], ARGV[2], ARGV[3])
return 'REPLAYED'
"""
)

REACHED = """
-- The highest offset of a stream that has had its ack. KEYS: stream; ARGV: offset, kept_ms
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""

"""The fleet's buckets, in Redis: one hash for each provider account, <prefix>:llm:<provider>."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.llm.rate_limit import LocalRateLimiter, RateLimits, Turn, buckets_of

log = structlog.get_logger("graphgate.llm")

ANSWER_S_MAX = 0.5
"""A slower Redis costs more than it saves: the gateway then counts for itself."""
RETRY_S = 5.0
"""How long it does so before it asks Redis again."""
PAUSE_S_MAX = 300.0
KEPT_MS = 600_000

# The clock is Redis's own: gateways' clocks differ. Arguments: how long to wait at most in us, then for each
# bucket its name, interval in us, burst and cost. Numbers are written with %.0f, for Lua's own form of a
# large number is rounded to 14 digits.
_TAKE = """
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local wait = math.max(0, tonumber(redis.call('HGET', KEYS[1], 'paused') or '0') - now)
local moved = {}
for i = 2, #ARGV, 4 do
  local interval = tonumber(ARGV[i + 1])
  local after = math.max(tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or '0'), now)
    + tonumber(ARGV[i + 3]) * interval
  wait = math.max(wait, after - tonumber(ARGV[i + 2]) * interval - now)
  moved[#moved + 1] = ARGV[i]
  moved[#moved + 1] = string.format('%.0f', after)
end
if wait > tonumber(ARGV[1]) then return {0, string.format('%.0f', wait)} end
if #moved > 0 then
  redis.call('HSET', KEYS[1], unpack(moved))
  redis.call('PEXPIRE', KEYS[1], math.max(600000, math.ceil(wait / 1000) + 60000))
end
return {1, string.format('%.0f', wait)}
"""
_SETTLE = """
local found = redis.call('HGET', KEYS[1], 'tokens_m')
if not found then return 0 end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local after = math.max(now, tonumber(found) + tonumber(ARGV[1]))
redis.call('HSET', KEYS[1], 'tokens_m', string.format('%.0f', after))
return 1
"""
_PAUSE = """
local t = redis.call('TIME')
local till = tonumber(t[1]) * 1000000 + tonumber(t[2]) + tonumber(ARGV[1])
if till > tonumber(redis.call('HGET', KEYS[1], 'paused') or '0') then
  redis.call('HSET', KEYS[1], 'paused', string.format('%.0f', till))
  redis.call('PEXPIRE', KEYS[1], 600000)
end
return 1
"""


class RedisRateLimiter:
    """While Redis does not answer, the gateway keeps to the rates by itself, and says so in the log."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        """`redis` stays the caller's to close. `prefix`: of the fleet's keys."""
        self._redis = redis
        self._prefix = prefix
        self._local = LocalRateLimiter()
        self._local_until_s = 0.0

    @property
    def shared(self) -> bool:
        return asyncio.get_running_loop().time() >= self._local_until_s

    async def take(self, provider: str, limits: RateLimits, tokens: int, wait_s_max: float) -> Turn:
        arguments: list[str] = [f"{wait_s_max * 1e6:.0f}"]
        for bucket, counts_tokens in buckets_of(limits):
            cost = tokens if counts_tokens else 1
            arguments += [bucket.name, repr(bucket.interval_us), repr(bucket.burst), str(cost)]
        answer = await self._run(_TAKE, provider, arguments)
        if answer is None:
            return await self._local.take(provider, limits, tokens, wait_s_max)
        granted, wait_us = answer
        return Turn(int(wait_us) / 1e6, granted=bool(granted))

    async def settle(self, provider: str, limits: RateLimits, tokens: int) -> None:
        if not tokens or not limits.tokens_per_minute:
            return
        moved_us = tokens * 60e6 / limits.tokens_per_minute
        if await self._run(_SETTLE, provider, [f"{moved_us:.0f}"]) is None:
            await self._local.settle(provider, limits, tokens)

    async def pause(self, provider: str, seconds: float) -> None:
        seconds = min(seconds, PAUSE_S_MAX)
        if await self._run(_PAUSE, provider, [f"{seconds * 1e6:.0f}"]) is None:
            await self._local.pause(provider, seconds)

    async def _run(self, script: str, provider: str, arguments: list[str]) -> Any:
        """None: Redis does not answer."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._local_until_s:
            return None
        evaluate = cast("Callable[..., Awaitable[Any]]", self._redis.eval)
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                return await evaluate(script, 1, f"{self._prefix}:llm:{provider}", *arguments)
        except (RedisError, OSError, TimeoutError) as error:
            self._local_until_s = loop.time() + RETRY_S
            log.warning("model_rates_not_shared", error=type(error).__name__, retry_s=RETRY_S)
            return None

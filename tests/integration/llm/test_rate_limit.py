"""Rates to providers: the same arithmetic in the gateway and in Redis, one budget for a fleet."""

import asyncio
import time
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from gateway.llm.rate_limit import Bucket, LocalRateLimiter, RateLimiter, RateLimits, ahead, provider_id
from gateway.llm.redis_rate_limit import RedisRateLimiter
from tests.engines import RedisServer

SLOW = RateLimits(requests_per_s=None, requests_per_minute=1, tokens_per_minute=None)
"""One at once, then one a minute: no machine is so slow that a turn comes free during a test."""
TOKENS = RateLimits(requests_per_s=None, requests_per_minute=None, tokens_per_minute=6_000)
"""A thousand at once, then a hundred a second."""
PATIENCE_S = 1_000.0


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncGenerator[Redis]:
    client: Redis = Redis.from_url(redis_server.url)
    yield client
    await client.aclose()


@pytest.fixture(params=["local", "redis"])
async def limiter(request: pytest.FixtureRequest, redis: Redis) -> RateLimiter:
    if request.param == "local":
        return LocalRateLimiter()
    return RedisRateLimiter(redis, f"rates-{time.time_ns()}")


async def test_beyond_the_burst_everyone_gets_a_turn_in_order(limiter: RateLimiter) -> None:
    """Each knows at once how long it waits: a minute more than the one before."""
    waits = [(await limiter.take("p", SLOW, 0, PATIENCE_S)).wait_s for _ in range(6)]
    for number, wait_s in enumerate(waits):
        assert max(0, number - 1) * 60 <= wait_s <= number * 60


async def test_who_cannot_wait_takes_nothing(limiter: RateLimiter) -> None:
    """A refused request leaves its turn to the next."""
    assert (await limiter.take("p", SLOW, 0, 0.0)).granted
    for _ in range(5):
        refused = await limiter.take("p", SLOW, 0, 0.01)
        assert not refused.granted
    later = await limiter.take("p", SLOW, 0, PATIENCE_S)
    assert later.granted
    assert later.wait_s <= 60.0


async def test_tokens_are_settled_by_what_was_used(limiter: RateLimiter) -> None:
    """A guess that was too high gives its rest back, one that was too low is charged."""
    await limiter.take("p", TOKENS, 1_000, 0.0)
    assert (await limiter.take("p", TOKENS, 500, 0.0)).granted is False
    await limiter.settle("p", TOKENS, -700)
    assert (await limiter.take("p", TOKENS, 500, 0.0)).granted
    await limiter.settle("p", TOKENS, 5_000)
    assert (await limiter.take("p", TOKENS, 500, PATIENCE_S)).wait_s > 40


async def test_a_pause_holds_for_everyone_and_for_one_provider(limiter: RateLimiter) -> None:
    """Retry-After is the account's, not the request's."""
    await limiter.pause("p", 20.0)
    await limiter.pause("p", 1.0)
    assert 15 < (await limiter.take("p", RateLimits(), 1, PATIENCE_S)).wait_s <= 20
    assert (await limiter.take("q", RateLimits(), 1, PATIENCE_S)).wait_s == 0


async def test_gateways_share_one_budget(redis: Redis) -> None:
    """Two gateways together get what one would."""
    prefix = f"rates-{time.time_ns()}"
    one, other = RedisRateLimiter(redis, prefix), RedisRateLimiter(redis, prefix)
    turns = await asyncio.gather(
        *(gateway.take("p", SLOW, 0, 0.0) for gateway in (one, other) for _ in range(20))
    )
    assert sum(turn.granted for turn in turns) == 1
    assert one.shared


async def test_without_redis_the_gateway_keeps_to_the_rates_itself() -> None:
    """And tells that they are no longer the fleet's."""
    client = Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.2)
    limiter = RedisRateLimiter(client, "rates")
    turns = [await limiter.take("p", SLOW, 0, 0.0) for _ in range(15)]
    assert sum(turn.granted for turn in turns) == 1
    assert not limiter.shared
    await client.aclose()


@given(
    st.floats(1, 1e6),
    st.floats(1, 1e3),
    st.lists(st.tuples(st.floats(0, 1e7), st.floats(0, 50)), max_size=50),
)
def test_never_more_than_burst_and_rate(
    interval_us: float, burst: float, asked: list[tuple[float, float]]
) -> None:
    """Whatever is asked when: what may be used up to a moment is at most the burst and what has flowed in."""
    bucket = Bucket("b", interval_us, burst)
    full_at = now = 0.0
    used: list[tuple[float, float]] = []
    for gap_us, cost in asked:
        now += gap_us
        full_at, wait_us = ahead(full_at, bucket, cost, now)
        used.append((now + wait_us, cost))
    for at, _ in used:
        flowed_in = at / interval_us
        so_far = sum(cost for when, cost in used if when <= at)
        assert so_far <= burst + flowed_in + max(cost for _, cost in used) + 1e-6 * so_far + 1e-6


def test_an_account_is_named_without_its_key() -> None:
    """Names of accounts stand in Redis, where others read."""
    name = provider_id("https://a/v1", "sk-secret")
    assert "secret" not in name
    assert name != provider_id("https://a/v1", "sk-other")

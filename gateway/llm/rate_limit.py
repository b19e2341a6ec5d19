"""Rates of requests and tokens to a provider, kept by token buckets in the form of GCRA.

A bucket is one number: the time at which it would be full again. Taking `cost` moves it by cost * interval;
what lies further ahead than the burst has to be waited for. So whoever asks gets a turn in the order of
asking, and knows at once how long it will take: nobody polls.
"""

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

PROVIDERS_MAX = 256
"""Whose buckets one gateway keeps for itself."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Of one provider account; None: no such limit."""

    requests_per_s: float | None = 100.0
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None


@dataclass(frozen=True, slots=True)
class Bucket:
    name: str
    """A field of the provider's record."""
    interval_us: float
    """In which one unit flows in."""
    burst: float
    """Units that may be taken at once."""


@dataclass(frozen=True, slots=True)
class Turn:
    wait_s: float
    """Until the request may be sent; if it was refused, what it would have been."""
    granted: bool


class RateLimiter(Protocol):
    @property
    def shared(self) -> bool:
        """Whether the buckets are the fleet's. False: this gateway counts only its own requests."""
        ...

    async def take(self, provider: str, limits: RateLimits, tokens: int, wait_s_max: float) -> Turn:
        """Takes one request and its tokens, unless the wait would be longer than `wait_s_max`."""
        ...

    async def settle(self, provider: str, limits: RateLimits, tokens: int) -> None:
        """Takes so many tokens more, or gives them back if negative: what the answer says was used."""
        ...

    async def pause(self, provider: str, seconds: float) -> None:
        """Nobody sends for so long: the provider has asked for it."""
        ...


def provider_id(base_url: str, api_key: str) -> str:
    """Names an account at a provider without telling its key."""
    return hashlib.blake2b(f"{base_url}\0{api_key}".encode(), digest_size=12).hexdigest()


def buckets_of(limits: RateLimits) -> Sequence[tuple[Bucket, bool]]:
    """With each: whether it counts tokens. Bursts are one second of a rate by the second, and a sixth of a
    minute of a rate by the minute, so that providers with windows of a minute see no more than 7/6 of it."""
    found: list[tuple[Bucket, bool]] = []
    if limits.requests_per_s:
        found.append(
            (Bucket("requests_s", 1e6 / limits.requests_per_s, max(1.0, limits.requests_per_s)), False)
        )
    if limits.requests_per_minute:
        rate = limits.requests_per_minute
        found.append((Bucket("requests_m", 60e6 / rate, max(1.0, rate / 6)), False))
    if limits.tokens_per_minute:
        rate = limits.tokens_per_minute
        found.append((Bucket("tokens_m", 60e6 / rate, max(1.0, rate / 6)), True))
    return found


def ahead(full_at_us: float, bucket: Bucket, cost: float, now_us: float) -> tuple[float, float]:
    """When the bucket is full again after taking `cost`, and the wait in us before it may be used."""
    after = max(full_at_us, now_us) + cost * bucket.interval_us
    return after, max(0.0, after - bucket.burst * bucket.interval_us - now_us)


class LocalRateLimiter:
    """Without Redis: every gateway may send at the whole rate."""

    shared = False

    def __init__(self) -> None:
        self._full_at: OrderedDict[str, dict[str, float]] = OrderedDict()

    async def take(self, provider: str, limits: RateLimits, tokens: int, wait_s_max: float) -> Turn:
        now_us = time.monotonic() * 1e6
        record = self._record(provider)
        wait_us = max(0.0, record.get("paused", 0.0) - now_us)
        moved: dict[str, float] = {}
        for bucket, counts_tokens in buckets_of(limits):
            cost = float(tokens) if counts_tokens else 1.0
            moved[bucket.name], bucket_wait_us = ahead(record.get(bucket.name, 0.0), bucket, cost, now_us)
            wait_us = max(wait_us, bucket_wait_us)
        if wait_us > wait_s_max * 1e6:
            return Turn(wait_us / 1e6, granted=False)
        record.update(moved)
        return Turn(wait_us / 1e6, granted=True)

    async def settle(self, provider: str, limits: RateLimits, tokens: int) -> None:
        if tokens and limits.tokens_per_minute:
            record = self._record(provider)
            now_us = time.monotonic() * 1e6
            full_at = record.get("tokens_m", now_us) + tokens * 60e6 / limits.tokens_per_minute
            record["tokens_m"] = max(now_us, full_at) if math.isfinite(full_at) else now_us

    async def pause(self, provider: str, seconds: float) -> None:
        record = self._record(provider)
        until = (time.monotonic() + seconds) * 1e6
        record["paused"] = max(record.get("paused", 0.0), until)

    def state(self, provider: str) -> Mapping[str, float]:
        """For tests: the buckets of a provider."""
        return dict(self._record(provider))

    def _record(self, provider: str) -> dict[str, float]:
        record = self._full_at.setdefault(provider, {})
        self._full_at.move_to_end(provider)
        while len(self._full_at) > PROVIDERS_MAX:
            self._full_at.popitem(last=False)
        return record

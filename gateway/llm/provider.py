"""One account at one provider: its rates, its share of the concurrency, its retries."""

import asyncio
from random import Random
from typing import Any

import orjson

from drivers.deadline import Deadline
from gateway.embedding.preparation import BYTES_PER_TOKEN
from gateway.llm.chat_protocol import PATH, Reply, read_reply
from gateway.llm.connection import Asked, Connections
from gateway.llm.errors import ModelAnswerInvalid, ModelError, ModelRateLimited
from gateway.llm.port import TaskAccount
from gateway.llm.rate_limit import RateLimiter, provider_id
from gateway.llm.settings import Price, ProviderSettings
from gateway.llm.tasks import Task
from gateway.llm.usage import Usage
from gateway.provider.openai_api import DEFAULT_BASE_URL, NO_KEY
from shard_router.backoff import Backoff

TRIES_MAX = 3
OUTPUT_TOKENS_GUESS_MAX = 500
"""Reserved for an answer until its usage is known; most are shorter than their tier allows."""
RETRY_AFTER_SHARED_S_MIN = 0.05
"""Below that the other gateways need not know."""


class Provider:
    """Asks; knows nothing of tiers, caches and schemas.

    Up to three tries on 408, 409, 429, 5xx and connection errors; between them backoff_s * 2^n with jitter or
    what Retry-After asks. A wait that would outlast the deadline or `request_s_max` is not begun.
    """

    def __init__(
        self,
        settings: ProviderSettings,
        connections: Connections,
        limiter: RateLimiter,
        all_slots: asyncio.Semaphore,
        *,
        request_s_max: float,
        backoff_s: float,
    ) -> None:
        """`all_slots` are the gateway's, over all providers."""
        self.settings = settings
        self._url = (settings.base_url or DEFAULT_BASE_URL).rstrip("/") + PATH
        self._key = settings.api_key or NO_KEY
        self._id = provider_id(self._url, self._key)
        self._connections = connections
        self._limiter = limiter
        self._slots = asyncio.Semaphore(settings.requests_running_max)
        self._all_slots = all_slots
        self._request_s_max = request_s_max
        self._backoff = Backoff(backoff_s, request_s_max)
        self._rng = Random()  # noqa: S311 - spreads retries, guards nothing

    async def ask(
        self,
        model: str,
        task: Task,
        body: dict[str, Any],
        output_tokens_max: int,
        deadline: Deadline,
        call: TaskAccount,
    ) -> Reply:
        """Raises ModelError. What was used is added to `call` whatever becomes of it."""
        content = orjson.dumps(body)
        asked = Asked(task, model, self._key)
        guess = len(content) // BYTES_PER_TOKEN + min(output_tokens_max, OUTPUT_TOKENS_GUESS_MAX)
        async with self._slots:
            answer = await self._tried(content, asked, guess, deadline, call)
            try:
                reply = read_reply(answer)
            except ValueError as error:
                call.usage += Usage(requests=1)
                raise ModelAnswerInvalid(task, model, str(error)) from None
            price = self.settings.prices.get(model, Price())
            call.usage += Usage(
                1, reply.input_tokens, reply.output_tokens, price.of(reply.input_tokens, reply.output_tokens)
            )
            if counted := reply.input_tokens + reply.output_tokens:
                await self._limiter.settle(self._id, self.settings.rates, counted - guess)
            return reply

    async def _tried(
        self, content: bytes, asked: Asked, guess: int, deadline: Deadline, call: TaskAccount
    ) -> bytes:
        end: Deadline | None = None
        tries = 0
        while True:
            await self._take_turn(asked, guess, end or deadline)
            async with self._all_slots:
                end = end or deadline.within(self._request_s_max)
                tries += 1
                try:
                    return await self._connections.post(self._url, content, asked, end)
                except ModelError as error:
                    wait_s = await self._before_next_try(error, tries, guess, end)
            call.retries += 1
            await asyncio.sleep(wait_s)

    async def _take_turn(self, asked: Asked, guess: int, deadline: Deadline) -> None:
        turn = await self._limiter.take(self._id, self.settings.rates, guess, deadline.remaining_s())
        if not turn.granted:
            raise ModelRateLimited(asked.task, asked.model, "the gateway", retry_after_s=turn.wait_s)
        if turn.wait_s:
            await asyncio.sleep(turn.wait_s)

    async def _before_next_try(self, error: ModelError, tries: int, guess: int, end: Deadline) -> float:
        """Seconds to wait; raises `error` if there is no next try."""
        await self._limiter.settle(self._id, self.settings.rates, -guess)
        wait_s = error.retry_after_s
        if wait_s is None:
            wait_s = self._backoff.pause_s(tries, self._rng)
        elif isinstance(error, ModelRateLimited) and wait_s >= RETRY_AFTER_SHARED_S_MIN:
            await self._limiter.pause(self._id, wait_s)
        if not error.retryable or tries >= TRIES_MAX or wait_s >= end.remaining_s():
            raise error
        return wait_s

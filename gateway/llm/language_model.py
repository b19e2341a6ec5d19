"""The language model of the gateway: tier, cache, single flight, fallback, validation and one repair."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from pydantic import BaseModel, ValidationError

from drivers.deadline import Deadline
from drivers.errors import DeadlinePassed
from gateway.embedding.preparation import clean_text, tokens_estimate
from gateway.llm.answer_cache import AnswerCache, answer_key
from gateway.llm.chat_protocol import Reply, request_body
from gateway.llm.connection import Connections
from gateway.llm.errors import (
    ModelAnswerInvalid,
    ModelError,
    ModelOverloaded,
    ModelRefused,
    ModelSetupInvalid,
    ModelTimeout,
    ModelUnavailable,
    PromptTooLong,
)
from gateway.llm.json_schema import strict_schema
from gateway.llm.port import LanguageModel, Message, ModelAnswer, ModelRequest, NoLanguageModel, TaskAccount
from gateway.llm.provider import Provider
from gateway.llm.rate_limit import RateLimiter
from gateway.llm.settings import LanguageModelSettings, ModelChoice
from gateway.llm.tasks import TIER_LIMITS, Task, Tier, TierLimits, choose_tier
from gateway.llm.usage import Usage
from gateway.llm.validation import is_longest, repair, validated
from gateway.search_cache.shared_searches import SharedSearches

log = structlog.get_logger("graphgate.llm")


def make_language_model(settings: LanguageModelSettings, limiter: RateLimiter) -> LanguageModel:
    """Ready to start(). Raises ModelSetupInvalid."""
    return NoLanguageModel() if settings.model is None else OpenAILanguageModel(settings, limiter)


@dataclass(frozen=True, slots=True)
class _Valid[T: BaseModel]:
    content: str
    value: T
    model: str
    halved: bool


class OpenAILanguageModel:
    """A LanguageModel that asks OpenAI-compatible servers."""

    def __init__(self, settings: LanguageModelSettings, limiter: RateLimiter) -> None:
        """Connects to nothing yet. Raises ModelSetupInvalid."""
        if settings.model is None:
            raise ModelSetupInvalid("there is no model to ask", "name one")
        settings.check()
        self._settings = settings
        self._model = settings.model
        self._connections = Connections(answer_bytes_max=settings.answer_bytes_max)
        slots = asyncio.Semaphore(settings.requests_running_max)
        self._providers = {
            name: Provider(
                one,
                self._connections,
                limiter,
                slots,
                request_s_max=settings.request_s_max,
                backoff_s=settings.backoff_s,
            )
            for name, one in settings.providers.items()
        }
        self.cache = AnswerCache(settings.cache_file, settings.cache_bytes_max)
        self._shared: SharedSearches[bytes, tuple[_Valid[BaseModel], TaskAccount]] = SharedSearches()
        self._accounts: dict[Task, TaskAccount] = {}
        self._waiting = 0
        self._closed = False

    @property
    def accounts(self) -> Mapping[Task, TaskAccount]:
        return self._accounts

    @property
    def waiting(self) -> int:
        """Calls that are not answered yet."""
        return self._waiting

    async def start(self) -> None:
        self._connections.start()
        await self.cache.open()

    async def ask[T: BaseModel](self, request: ModelRequest[T], deadline: Deadline) -> ModelAnswer[T]:
        account = self._accounts.setdefault(request.task, TaskAccount())
        account.asked += 1
        self._check_prompt(request)
        if self._waiting >= self._settings.requests_waiting_max:
            raise ModelOverloaded(request.task, self._settings.requests_waiting_max)
        tier = request.tier or choose_tier(request.task, request.length_chars, request.complexity)
        choice = self._settings.tier_models.get(tier, self._model)
        key = self._key(request, tier, choice)
        self._waiting += 1
        try:
            kept = await self._kept(key, request, choice)
            if kept is not None:
                account.cache_hits += 1
                return kept
            return await self._shared_ask(key, request, tier, choice, deadline, account)
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        self._closed = True
        await self._shared.close()
        await self._connections.close()
        await self.cache.close()

    def _check_prompt[T: BaseModel](self, request: ModelRequest[T]) -> None:
        tokens = sum(tokens_estimate(message.content) for message in request.messages)
        if tokens > self._settings.prompt_tokens_max:
            raise PromptTooLong(request.task, "prompt_tokens_max", tokens, self._settings.prompt_tokens_max)

    def _key[T: BaseModel](self, request: ModelRequest[T], tier: Tier, choice: ModelChoice) -> bytes:
        messages = [[one.role, clean_text(one.content)] for one in request.messages]
        base_url = self._providers[choice.provider].settings.base_url
        return answer_key([base_url, choice.name, tier, messages, strict_schema(request.output)])

    async def _kept[T: BaseModel](
        self, key: bytes, request: ModelRequest[T], choice: ModelChoice
    ) -> ModelAnswer[T] | None:
        content = await self.cache.get(key)
        if content is None:
            return None
        try:
            return ModelAnswer(request.output.model_validate_json(content), choice.name, from_cache=True)
        except ValidationError:
            # Written by a version whose limits were wider.
            return None

    async def _shared_ask[T: BaseModel](
        self,
        key: bytes,
        request: ModelRequest[T],
        tier: Tier,
        choice: ModelChoice,
        deadline: Deadline,
        account: TaskAccount,
    ) -> ModelAnswer[T]:
        async def work(until: Deadline) -> tuple[_Valid[BaseModel], TaskAccount]:
            call = TaskAccount()
            try:
                valid = await self._with_fallback(request, tier, choice, until, call)
            except ModelError as error:
                error.usage = call.usage
                raise
            finally:
                account.add(call)
            # A half of an answer is not what the question is worth the next time.
            if not valid.halved:
                self.cache.put(key, valid.content)
            return _Valid(valid.content, valid.value, valid.model, valid.halved), call

        try:
            shared_key = key + b"/divisible" if request.divisible else key
            (valid, call), own = await self._shared.run(shared_key, work, deadline)
        except DeadlinePassed:
            raise ModelTimeout(request.task, choice.name) from None
        except asyncio.CancelledError:
            if self._closed:
                raise ModelUnavailable(request.task, choice.name, "the gateway is closing") from None
            raise
        account.joined += not own
        value = valid.value
        if not isinstance(value, request.output):
            # Forms that custom types make are equal without being the same class.
            value = request.output.model_validate_json(valid.content)
        return ModelAnswer(
            value,
            valid.model,
            call.usage if own else Usage(),
            repaired=bool(call.repairs),
            halved=valid.halved,
            fell_back=bool(call.fallbacks),
        )

    async def _with_fallback[T: BaseModel](
        self, request: ModelRequest[T], tier: Tier, choice: ModelChoice, deadline: Deadline, call: TaskAccount
    ) -> _Valid[T]:
        fallback = self._settings.fallback
        if fallback is None or fallback == choice:
            return await self._valid(request, tier, choice, deadline, call)
        try:
            first = deadline.within(self._settings.fallback_after_s)
            return await self._valid(request, tier, choice, first, call)
        except ModelError as error:
            cut_off = isinstance(error, ModelAnswerInvalid) and error.cut_off
            if not deadline.remaining_s() or (request.divisible and cut_off):
                raise
            log.info("model_fallback", task=request.task, model=choice.name, reason=error.reason)
        call.fallbacks += 1
        return await self._valid(request, tier, fallback, deadline, call)

    async def _valid[T: BaseModel](
        self, request: ModelRequest[T], tier: Tier, choice: ModelChoice, deadline: Deadline, call: TaskAccount
    ) -> _Valid[T]:
        """After one repair at most."""
        limits = TIER_LIMITS[tier]
        reply = await self._sent(request, request.messages, limits, choice, deadline, call)
        value, why = validated(request.output, reply)
        halved = False
        if value is None and not (request.divisible and reply.cut_off and is_longest(limits)):
            call.repairs += 1
            again = repair(request.messages, reply, why, limits)
            limits, halved = again.limits, again.halves
            reply = await self._sent(request, again.messages, limits, choice, deadline, call)
            value, why = validated(request.output, reply)
        if value is None:
            cut_off = reply.cut_off and is_longest(limits)
            raise ModelAnswerInvalid(request.task, choice.name, why, cut_off=cut_off)
        return _Valid(reply.content, value, choice.name, halved)

    async def _sent[T: BaseModel](
        self,
        request: ModelRequest[T],
        messages: tuple[Message, ...],
        limits: TierLimits,
        choice: ModelChoice,
        deadline: Deadline,
        call: TaskAccount,
    ) -> Reply:
        provider = self._providers[choice.provider]
        body = request_body(
            choice.name,
            request.task,
            messages,
            request.output,
            limits,
            limit_field=provider.settings.limit_field,
            with_temperature=provider.settings.with_temperature,
        )
        try:
            async with asyncio.timeout(deadline.remaining_s()):
                reply = await provider.ask(
                    choice.name, request.task, body, limits.output_tokens_max, deadline, call
                )
        except TimeoutError:
            # It was still waiting for its turn.
            raise ModelTimeout(request.task, choice.name) from None
        if reply.refusal:
            raise ModelRefused(request.task, choice.name, "it refuses to answer")
        return reply

"""The language model over real HTTP: the fallback, shared requests, limits, and the end."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.llm.errors import (
    ModelDisabled,
    ModelOverloaded,
    ModelSetupInvalid,
    ModelUnavailable,
    PromptTooLong,
)
from gateway.llm.language_model import make_language_model
from gateway.llm.rate_limit import LocalRateLimiter
from gateway.llm.settings import LanguageModelSettings, ModelChoice
from gateway.llm.tasks import Task
from tests.eventually import eventually
from tests.fakes.openai_server import FakeOpenAI, Fault, Faulty, Held, Late
from tests.unit.gateway.llm.asking import ample, language_model, request, settings, with_fallback


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as fake:
        yield fake


async def test_the_fallback_answers_for_a_model_that_fails(server: FakeOpenAI) -> None:
    """Also one that gives invalid answers: another model may do better."""
    server.script(Faulty(Fault.NOT_JSON), Faulty(Fault.NOT_JSON))
    async with language_model(with_fallback(settings(server))) as model:
        answer = await model.ask(request(), ample())
        assert answer.fell_back
        assert answer.model == "fake-small"
        assert answer.usage.requests == 3, "what the first model cost counts too"
        assert [one.body["model"] for one in server.requests] == ["fake-large", "fake-large", "fake-small"]


async def test_the_fallback_answers_for_a_model_that_is_slow(server: FakeOpenAI) -> None:
    """After its time the first model is given up."""
    server.script(Late(20.0))
    async with language_model(with_fallback(settings(server), after_s=0.2)) as model:
        answer = await model.ask(request(), ample())
        assert answer.fell_back
        assert model.accounts[Task.EXTRACT].fallbacks == 1


async def test_callers_who_ask_the_same_share_one_request(server: FakeOpenAI) -> None:
    """And it is paid for once."""
    held = Held()
    server.script(held)
    async with language_model(settings(server)) as model:
        asking = [asyncio.create_task(model.ask(request(), ample())) for _ in range(5)]
        await eventually(lambda: len(server.requests) == 1 and model.waiting == 5)
        held.release.set()
        answers = await asyncio.gather(*asking)
        assert len(server.requests) == 1
        assert sum(answer.usage.requests for answer in answers) == 1
        assert model.accounts[Task.EXTRACT].joined == 4


async def test_no_more_requests_run_at_once_than_may(server: FakeOpenAI) -> None:
    """The global limit holds over all callers, and the queue behind it is bounded."""
    held = [Held() for _ in range(6)]
    server.script(*held)
    limited = replace(settings(server), requests_running_max=2, requests_waiting_max=6)
    async with language_model(limited) as model:
        asking = [asyncio.create_task(model.ask(request(f"Ada met Bob{n}."), ample())) for n in range(6)]
        await eventually(lambda: len(server.requests) == 2 and model.waiting == 6)
        with pytest.raises(ModelOverloaded):
            await model.ask(request("Ada met Carol."), ample())
        assert len(server.requests) == 2
        for one in held:
            one.release.set()
        await asyncio.gather(*asking)
        assert len(server.requests) == 6


async def test_a_caller_who_goes_frees_his_place(server: FakeOpenAI) -> None:
    """Guards: cancelled calls that keep slots stop the gateway for good."""
    server.script(Held(), Held())
    async with language_model(replace(settings(server), requests_running_max=1)) as model:
        first = asyncio.create_task(model.ask(request(), ample()))
        await eventually(lambda: len(server.requests) == 1)
        second = asyncio.create_task(model.ask(request("Ada met Bob."), ample()))
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await eventually(lambda: len(server.requests) == 2)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert model.waiting == 0
        assert (await model.ask(request("Ada met Carol."), ample())).value.entities


async def test_closing_ends_calls_with_a_typed_error(server: FakeOpenAI) -> None:
    """Episodes that wait for a model go back to their queue."""
    server.script(Held())
    async with language_model(settings(server)) as model:
        asking = asyncio.create_task(model.ask(request(), ample()))
        await eventually(lambda: len(server.requests) == 1)
        await model.close()
        with pytest.raises(ModelUnavailable):
            await asking


async def test_a_prompt_over_the_budget_is_not_sent(server: FakeOpenAI) -> None:
    """Guards: a bug in a prompt must not cost a fortune."""
    async with language_model(replace(settings(server), prompt_tokens_max=50)) as model:
        with pytest.raises(PromptTooLong):
            await model.ask(request(), ample())
    assert server.requests == []


async def test_lone_surrogates_are_cleaned(server: FakeOpenAI) -> None:
    """No JSON can carry one, and half of an emoji must not cost an episode."""
    async with language_model(settings(server)) as model:
        answer = await model.ask(request("Ada \ud83d met Bob."), ample())
        assert [entity.name for entity in answer.value.entities] == ["Ada", "Bob"]


async def test_a_gateway_without_a_model_says_so(server: FakeOpenAI) -> None:
    """And one whose settings name what is not there does not start."""
    none = make_language_model(LanguageModelSettings(), LocalRateLimiter())
    with pytest.raises(ModelDisabled):
        await none.ask(request(), ample())
    with pytest.raises(ModelSetupInvalid, match="unknown provider"):
        make_language_model(
            replace(settings(server), fallback=ModelChoice("x", "elsewhere")), LocalRateLimiter()
        )

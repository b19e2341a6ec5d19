"""The language model over real HTTP: what it sends, and what it makes of every kind of answer."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.deadline import Deadline
from gateway.llm.errors import (
    ModelAccessDenied,
    ModelAnswerInvalid,
    ModelError,
    ModelRateLimited,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
)
from gateway.llm.tasks import TIER_LIMITS, Task, Tier
from tests.fakes.openai_server import (
    Body,
    BrokenOff,
    FakeOpenAI,
    Fault,
    Faulty,
    Held,
    Reply,
    Reset,
    Status,
)
from tests.unit.gateway.llm.asking import PRICE, ample, language_model, request, settings, with_fallback


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as fake:
        yield fake


async def test_an_answer_comes_with_what_it_cost(server: FakeOpenAI) -> None:
    """Tokens are the provider's own count, and the cost follows the configured price."""
    async with language_model(settings(server)) as model:
        answer = await model.ask(request(), ample())
        names = [entity.name for entity in answer.value.entities]
        assert names == ["Ada Lovelace", "Charles Babbage", "London"]
        counts = server.server.counts
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (
            counts.input_tokens,
            counts.output_tokens,
        )
        assert answer.usage.cost_usd == pytest.approx(PRICE.of(counts.input_tokens, counts.output_tokens))
        assert model.accounts[Task.EXTRACT].usage == answer.usage
        assert answer.usage.requests == 1


async def test_a_request_has_the_limits_of_its_tier_and_a_strict_schema(server: FakeOpenAI) -> None:
    """Guards: without a schema and a limit a model answers in prose, and as long as it likes."""
    async with language_model(settings(server)) as model:
        await model.ask(replace(request(), tier=Tier.FAST), ample())
        body = server.requests[0].body
        limits = TIER_LIMITS[Tier.FAST]
        assert (body["max_tokens"], body["temperature"]) == (limits.output_tokens_max, limits.temperature)
        form = body["response_format"]["json_schema"]
        assert form["strict"] is True
        assert form["schema"]["additionalProperties"] is False
        entity = form["schema"]["$defs"]["EntityOutput"]
        assert set(entity["required"]) == set(entity["properties"]) == {"id", "name", "type", "summary"}
        assert "default" not in entity["properties"]["type"]


@pytest.mark.parametrize(
    "reply",
    [
        Status(408), Status(409), Status(429), Status(500), Status(503), Reset(), BrokenOff(),
        Status(429, headers={"Retry-After": "0"}),
    ],
)  # fmt: skip
async def test_what_passes_is_tried_again(server: FakeOpenAI, reply: Reply) -> None:
    """Two failures and an answer are three requests: no fourth, and no error."""
    server.script(reply, reply)
    async with language_model(settings(server)) as model:
        answer = await model.ask(request(), ample())
        assert answer.value.entities
        assert len(server.requests) == 3
        assert model.accounts[Task.EXTRACT].retries == 2


@pytest.mark.parametrize(
    ("reply", "kind", "requests"),
    [
        (Status(503), ModelUnavailable, 3),
        (Reset(), ModelUnavailable, 3),
        (Status(429), ModelRateLimited, 3),
        (Status(429, error_code="insufficient_quota"), ModelAccessDenied, 1),
        (Status(401, "key sk-test-4242424242"), ModelAccessDenied, 1),
        (Status(403), ModelAccessDenied, 1),
        (Status(404, "no such model"), ModelAccessDenied, 1),
        (Status(400, "sk-test-4242424242 was sent, that is odd"), ModelRefused, 1),
        (Status(302, headers={"Location": "http://127.0.0.1:9/"}), ModelRefused, 1),
        (Faulty(Fault.REFUSAL), ModelRefused, 1),
        (Body(b"\xff\x00 no json"), ModelAnswerInvalid, 1),
        (Body(b'{"choices": []}'), ModelAnswerInvalid, 1),
        (Body(b'{"choices": [{"message": {"content": 7}}]}'), ModelAnswerInvalid, 1),
    ],
)
async def test_a_failure_is_typed_and_tells_nothing_secret(
    server: FakeOpenAI, reply: Reply, kind: type[ModelError], requests: int
) -> None:
    """No error tells the key, the address or the text; what cannot pass is not asked again."""
    server.server.failing = reply
    async with language_model(settings(server)) as model:
        with pytest.raises(kind) as caught:
            await model.ask(request(), ample())
    told = f"{caught.value} {caught.value.metadata()} {caught.value!r}"
    for secret in (server.api_key, "127.0.0.1", "Lovelace"):
        assert secret not in told
    assert len(server.requests) == requests
    assert caught.value.metadata()["task"] == "extract"


@pytest.mark.parametrize(
    ("fault", "repairs"),
    [
        (Fault.FENCED, 0),
        (Fault.NOT_JSON, 1),
        (Fault.EMPTY, 1),
        (Fault.CUT_OFF, 1),
        (Fault.WRONG_SCHEMA, 1),
    ],
)
async def test_a_wrong_answer_is_repaired_once(server: FakeOpenAI, fault: Fault, repairs: int) -> None:
    """Structured outputs are a promise that servers break: the second answer counts, and both cost."""
    server.script(Faulty(fault))
    async with language_model(settings(server)) as model:
        answer = await model.ask(request(), ample())
        assert len(answer.value.entities) == 3
        assert answer.repaired is bool(repairs)
        assert model.accounts[Task.EXTRACT].repairs == repairs
        assert answer.usage.requests == len(server.requests) == 1 + repairs


@pytest.mark.parametrize("fault", [Fault.NOT_JSON, Fault.EMPTY, Fault.CUT_OFF, Fault.WRONG_SCHEMA])
async def test_after_one_repair_it_is_a_listed_failure(server: FakeOpenAI, fault: Fault) -> None:
    """Two answers are all that is paid for; the error says that this very request is at fault and what it
    has cost."""
    server.server.failing = Faulty(fault)
    async with language_model(settings(server)) as model:
        with pytest.raises(ModelAnswerInvalid) as caught:
            await model.ask(request(), ample())
        assert caught.value.about_request
        assert not caught.value.retryable
        assert caught.value.usage.requests == len(server.requests) == 2
        assert model.accounts[Task.EXTRACT].usage == caught.value.usage


async def test_the_repair_says_what_was_wrong_and_a_cut_gets_more_room(server: FakeOpenAI) -> None:
    """The same question a second time would get the same answer."""
    server.script(Faulty(Fault.WRONG_SCHEMA))
    async with language_model(settings(server)) as model:
        await model.ask(request(), ample())
        repair = server.requests[1].body["messages"]
        assert repair[-2]["role"] == "assistant"
        assert "entities: Field required" in repair[-1]["content"]
        server.script(Faulty(Fault.CUT_OFF))
        await model.ask(request("Grace Hopper knew Howard Aiken."), ample())
        first, second = (one.body for one in server.requests[2:])
        assert second["max_tokens"] == TIER_LIMITS[Tier.ACCURATE].output_tokens_max > first["max_tokens"]
        assert second["messages"] == first["messages"]


async def test_a_half_of_an_answer_says_so_and_is_not_kept(server: FakeOpenAI, tmp_path: Path) -> None:
    """An answer that was cut off at the longest output is asked for in half; the same question is worth a
    whole answer the next time."""
    asked = replace(request(), tier=Tier.ACCURATE)
    server.script(Faulty(Fault.CUT_OFF))
    async with language_model(settings(server, cache_file=tmp_path / "answers")) as model:
        answer = await model.ask(asked, ample())
        assert (answer.halved, answer.repaired) == (True, True)
        assert "most important half" in server.requests[1].body["messages"][-1]["content"]
        await model.cache.flush()
        whole = await model.ask(asked, ample())
        assert (whole.halved, whole.from_cache) == (False, False)
        await model.cache.flush()
        assert (await model.ask(asked, ample())).from_cache


async def test_of_what_can_be_divided_no_half_is_asked_for(server: FakeOpenAI) -> None:
    """One request: neither a repair nor the fallback can make the answer fit, the caller can."""
    server.server.failing = Faulty(Fault.CUT_OFF)
    async with language_model(with_fallback(settings(server))) as model:
        with pytest.raises(ModelAnswerInvalid) as caught:
            await model.ask(replace(request(), tier=Tier.ACCURATE, divisible=True), ample())
        assert caught.value.cut_off
        assert len(server.requests) == caught.value.usage.requests == 1
        with pytest.raises(ModelAnswerInvalid) as caught:
            await model.ask(replace(request(), tier=Tier.FAST, divisible=True), ample())
        assert caught.value.cut_off
        assert len(server.requests) == 3, "a short output may have been the reason"


async def test_an_answer_100_times_too_long_is_not_read_to_its_end(server: FakeOpenAI) -> None:
    """A model that runs wild cannot fill the gateway's memory."""
    server.script(Body(b"[" + b"0," * 5_000_000))
    async with language_model(replace(settings(server), answer_bytes_max=100_000)) as model:
        with pytest.raises(ModelAnswerInvalid, match="over 100000 bytes"):
            await model.ask(request(), ample())
        answer = await model.ask(request(), ample())
        assert answer.value.entities


async def test_the_deadline_ends_the_wait(server: FakeOpenAI) -> None:
    """A model that does not answer is given up at the caller's deadline."""
    held = Held()
    server.script(held)
    async with language_model(settings(server)) as model:
        with pytest.raises(ModelTimeout):
            await model.ask(request(), Deadline.after(0.2))
    assert not held.release.is_set()


async def test_a_wait_that_would_outlast_the_deadline_is_not_begun(server: FakeOpenAI) -> None:
    """Retry-After of an hour is passed on instead of slept through."""
    server.script(Status(429, headers={"Retry-After": "3600"}))
    async with language_model(settings(server)) as model:
        with pytest.raises(ModelRateLimited) as caught:
            await model.ask(request(), ample())
        assert caught.value.retry_after_s == 3600
        assert len(server.requests) == 1
        with pytest.raises(ModelRateLimited):
            await model.ask(request("Another text of Ada Lovelace."), ample())
        assert len(server.requests) == 1, "the provider has asked for a pause"

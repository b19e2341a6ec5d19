"""The cross-encoder over real HTTP: batches, deadlines, and what a failing server leads to."""

from collections.abc import AsyncIterator, Iterator
from typing import Literal

import orjson
import pytest

from drivers.deadline import Deadline
from gateway.rerank.errors import CrossEncoderDisabled, CrossEncoderFailed, Failure
from gateway.rerank.openai_cross_encoder import CrossEncoderSettings, OpenAICrossEncoder, make_cross_encoder
from tests.fakes.openai_server import Body, FakeOpenAI, Held, Reply, Reset, Status

PASSAGES = [f"amber passage {number}" + (" cedar" if number % 3 == 0 else "") for number in range(45)]
QUERY = "amber cedar"


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as fake:
        yield fake


def settings(
    server: FakeOpenAI, protocol: Literal["chat", "rerank"] = "chat", *, running_max: int = 8
) -> CrossEncoderSettings:
    return CrossEncoderSettings(
        model="judge",
        protocol=protocol,
        base_url=server.base_url,
        api_key=server.api_key,
        timeout_s=20.0,
        requests_running_max=running_max,
        requests_waiting_max=4,
    )


@pytest.fixture(params=["chat", "rerank"])
async def model(request: pytest.FixtureRequest, server: FakeOpenAI) -> AsyncIterator[OpenAICrossEncoder]:
    encoder = OpenAICrossEncoder("judge", settings(server, request.param))
    yield encoder
    await encoder.close()


async def test_scores_come_in_the_order_of_the_passages(
    model: OpenAICrossEncoder, server: FakeOpenAI
) -> None:
    """45 passages are three requests of at most 20, and every score belongs to its passage, by either
    protocol."""
    scores = await model.score(QUERY, PASSAGES, Deadline.after(20))
    assert scores == [1.0 if number % 3 == 0 else 0.5 for number in range(45)]
    assert sorted(len(request.inputs) for request in server.requests) == [5, 20, 20]
    assert {request.body["model"] for request in server.requests} == {"judge"}


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (Status(429), Failure.RATE_LIMITED),
        (Status(503), Failure.UNAVAILABLE),
        (Status(401, "key sk-test"), Failure.REFUSED),
        (Status(400), Failure.REFUSED),
        (Reset(), Failure.UNAVAILABLE),
        (Body(b"no json"), Failure.ANSWER_INVALID),
        (Body(b'{"results": [{"index": 1, "relevance_score": 1}]}'), Failure.ANSWER_INVALID),
        (Body(b'{"results": [{"index": 0, "relevance_score": 1}]}'), Failure.ANSWER_INVALID),
    ],
)
async def test_a_failure_is_typed_and_tells_nothing_secret(
    model: OpenAICrossEncoder, server: FakeOpenAI, reply: Reply, failure: Failure
) -> None:
    """One bad request of several fails the whole: scores of some passages alone cannot be compared. It is
    asked once: no retry eats the search's time."""
    server.script(reply)
    with pytest.raises(CrossEncoderFailed) as caught:
        await model.score(QUERY, PASSAGES[:2], Deadline.after(20))
    assert caught.value.failure is failure
    assert server.api_key not in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize("scores", [[1], [1, 2, 3], [1, None], [1, "x"], "12"])
async def test_a_judge_that_answers_nonsense_is_not_believed(server: FakeOpenAI, scores: object) -> None:
    """One finite number per passage, or no scores at all."""
    content = orjson.dumps({"scores": scores}).decode()
    server.script(Body(orjson.dumps({"choices": [{"message": {"content": content}}]})))
    encoder = OpenAICrossEncoder("judge", settings(server))
    with pytest.raises(CrossEncoderFailed) as caught:
        await encoder.score(QUERY, PASSAGES[:2], Deadline.after(20))
    assert caught.value.failure is Failure.ANSWER_INVALID
    await encoder.close()


async def test_the_deadline_ends_the_wait(model: OpenAICrossEncoder, server: FakeOpenAI) -> None:
    """A model that does not answer is given up at the deadline, not when its connection ends."""
    held = Held()
    server.script(held)
    with pytest.raises(CrossEncoderFailed) as caught:
        await model.score(QUERY, PASSAGES[:2], Deadline.after(0.2))
    assert caught.value.failure is Failure.TIMEOUT
    assert not held.release.is_set()


async def test_more_requests_than_may_wait_are_refused(server: FakeOpenAI) -> None:
    """The queue is bounded: one running and four waiting requests are all that this gateway holds."""
    encoder = OpenAICrossEncoder("judge", settings(server, running_max=1))
    with pytest.raises(CrossEncoderFailed) as caught:
        await encoder.score(QUERY, [QUERY] * 101, Deadline.after(20))
    assert caught.value.failure is Failure.UNAVAILABLE
    assert server.requests == []
    assert await encoder.score(QUERY, [QUERY] * 100, Deadline.after(20)) == [1.0] * 100
    await encoder.close()


async def test_without_a_model_there_is_none(server: FakeOpenAI) -> None:
    """A gateway without the setting says so and asks nobody."""
    encoder = make_cross_encoder(CrossEncoderSettings(model=None))
    with pytest.raises(CrossEncoderDisabled):
        await encoder.score(QUERY, PASSAGES, Deadline.after(20))
    await encoder.close()

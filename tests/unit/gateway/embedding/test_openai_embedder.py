"""The OpenAI embedder against a real HTTP server."""

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import numpy as np
import pytest

from gateway.embedding.errors import (
    EmbedderAnswerInvalid,
    EmbedderRateLimited,
    EmbedderRefused,
    EmbedderSetupInvalid,
    EmbedderTimeout,
    EmbedderUnavailable,
    EmbeddingError,
    EmbeddingTextInvalid,
)
from gateway.embedding.openai_embedder import OpenAIEmbedder
from gateway.embedding.port import EmbeddingModel
from gateway.provider.openai_api import retry_after_s
from tests.fakes.openai_server import (
    Body,
    FakeOpenAI,
    Held,
    Reply,
    Reset,
    Reversed,
    Status,
    Vectors,
    hashed_vector,
)

TEXTS = ["Alice moved to Berlin", "Bob likes tea", "the shard is full"]


def soon() -> float:
    return time.monotonic() + 20


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as fake:
        yield fake


@asynccontextmanager
async def embedder(server: FakeOpenAI, **settings: Any) -> AsyncGenerator[OpenAIEmbedder]:
    defaults: dict[str, Any] = {
        "model": "fake",
        "api_key": server.api_key,
        "base_url": server.base_url,
        "backoff_s": 0.001,
    }
    made = OpenAIEmbedder(**(defaults | settings))
    try:
        yield made
    finally:
        await made.close()


def assert_vectors_of(texts: list[str], vectors: list[np.ndarray], dimension: int = 64) -> None:
    assert len(vectors) == len(texts)
    for text, vector in zip(texts, vectors, strict=True):
        expected = hashed_vector(text, dimension)
        assert vector.dtype == np.float32
        np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-6)


@pytest.mark.parametrize("floats_only", [False, True])
async def test_vectors_in_order_and_normalised(floats_only: bool) -> None:
    """Guards: each text gets its own vector, of norm 1, from base64 as from numbers."""
    with FakeOpenAI(floats_only=floats_only) as server:
        async with embedder(server) as made:
            assert_vectors_of(TEXTS, await made.embed(TEXTS, deadline=soon()))


async def test_items_out_of_order_are_put_in_order(server: FakeOpenAI) -> None:
    """Guards: the items' index decides, not their place in the answer."""
    server.script(Reversed())
    async with embedder(server) as made:
        assert_vectors_of(TEXTS, await made.embed(TEXTS, deadline=soon()))


async def test_no_texts_no_request(server: FakeOpenAI) -> None:
    """Guards: an empty list costs nothing."""
    async with embedder(server) as made:
        assert await made.embed([], deadline=soon()) == []
    assert server.requests == []


async def test_start_learns_the_dimension(server: FakeOpenAI) -> None:
    """Guards: without a configured dimension the model is asked once, without the parameter `dimensions`."""
    async with embedder(server) as made:
        assert made.model == EmbeddingModel("fake", 0)
        await made.start()
        await made.start()
        assert made.model == EmbeddingModel("fake", 64)
    assert len(server.requests) == 1
    assert "dimensions" not in server.requests[0].body


async def test_configured_dimension_is_sent(server: FakeOpenAI) -> None:
    """Guards: a configured dimension needs no request at the start and reaches the provider."""
    async with embedder(server, dimension=16) as made:
        await made.start()
        assert server.requests == []
        assert_vectors_of(TEXTS, await made.embed(TEXTS, deadline=soon()), dimension=16)
    assert server.requests[0].body["dimensions"] == 16


async def test_another_dimension_later_is_refused(server: FakeOpenAI) -> None:
    """Guards: a provider that changes the model under its name cannot mix vectors of two models."""
    async with embedder(server) as made:
        await made.start()
        server.dimension = 32
        with pytest.raises(EmbedderAnswerInvalid, match="dimension 32 where 64"):
            await made.embed(TEXTS, deadline=soon())


async def test_cut_into_requests_by_count(server: FakeOpenAI) -> None:
    """Guards: no request has more inputs than the provider takes, and the order survives the cut."""
    texts = [f"text {number}" for number in range(11)]
    async with embedder(server, inputs_max=4) as made:
        assert_vectors_of(texts, await made.embed(texts, deadline=soon()))
    assert sorted(len(request.inputs) for request in server.requests) == [3, 4, 4]


async def test_cut_into_requests_by_tokens(server: FakeOpenAI) -> None:
    """Guards: no request has more estimated tokens than the provider takes."""
    texts = [f"{number} " + "word " * 30 for number in range(6)]
    async with embedder(server, tokens_max=110) as made:
        assert_vectors_of(texts, await made.embed(texts, deadline=soon()))
    assert [len(request.inputs) for request in server.requests] == [2, 2, 2]


async def test_one_large_answer(server: FakeOpenAI) -> None:
    """Guards: a full request of 2,048 texts, whose answer is parsed off the event loop, is right."""
    texts = [f"fact {number}" for number in range(2_048)]
    async with embedder(server) as made:
        assert_vectors_of(texts, await made.embed(texts, deadline=soon()))
    assert len(server.requests) == 1


async def test_lone_surrogate_is_cleaned(server: FakeOpenAI) -> None:
    """Guards: broken Unicode from a caller does not fail the request."""
    async with embedder(server) as made:
        await made.embed(["half \ud83d pair"], deadline=soon())
    assert server.requests[0].inputs == ["half \ufffd pair"]


async def test_blank_text_costs_no_request(server: FakeOpenAI) -> None:
    """Guards: what the provider would refuse is refused before it is sent."""
    async with embedder(server) as made:
        with pytest.raises(EmbeddingTextInvalid):
            await made.embed(["a", " "], deadline=soon())
    assert server.requests == []


@pytest.mark.parametrize(
    "failure",
    [Status(408), Status(409), Status(429), Status(500), Status(503), Reset()],
    ids=lambda failure: str(failure.code) if isinstance(failure, Status) else "reset",
)
async def test_passing_failures_are_retried(server: FakeOpenAI, failure: Reply) -> None:
    """Guards: two failures that may pass are hidden from the caller by a third try."""
    server.script(failure, failure)
    async with embedder(server) as made:
        assert_vectors_of(TEXTS, await made.embed(TEXTS, deadline=soon()))
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Status(500), EmbedderUnavailable),
        (Reset(), EmbedderUnavailable),
        (Status(429), EmbedderRateLimited),
    ],
    ids=["500", "reset", "429"],
)
async def test_three_tries_at_most(
    server: FakeOpenAI, failure: Reply, expected: type[EmbeddingError]
) -> None:
    """Guards: retries are bounded, and the client library adds none of its own."""
    server.script(*[failure] * 4)
    async with embedder(server) as made:
        with pytest.raises(expected) as raised:
            await made.embed(TEXTS, deadline=soon())
    assert raised.value.retryable
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "failure",
    [Status(400), Status(403), Status(404), Status(422), Status(429, error_code="insufficient_quota")],
    ids=lambda failure: str(failure.code),
)
async def test_final_failures_are_not_retried(server: FakeOpenAI, failure: Status) -> None:
    """Guards: what cannot pass (bad request, rights, an empty account) is reported at once."""
    server.script(failure)
    async with embedder(server) as made:
        with pytest.raises(EmbedderRefused, match=f"status {failure.code}") as raised:
            await made.embed(TEXTS, deadline=soon())
    assert not raised.value.retryable
    assert len(server.requests) == 1


async def test_no_key_in_errors(server: FakeOpenAI) -> None:
    """Guards: a provider that quotes the key cannot make the gateway show it, not even as a cause."""
    async with embedder(server, api_key="sk-secret-tail") as made:
        with pytest.raises(EmbedderRefused) as refused:
            await made.embed(TEXTS, deadline=soon())
    server.script(Status(400, "bad key sk-test-4242424242 for this input"))
    async with embedder(server) as made:
        with pytest.raises(EmbedderRefused, match="for this input") as quoted:
            await made.embed(TEXTS, deadline=soon())
    for error in (refused.value, quoted.value):
        shown = f"{error} {error.metadata()} {error.__cause__}"
        assert not any(part in shown for part in ("secret", "tail", "4242"))


async def test_retry_after_beyond_the_deadline_is_handed_on(server: FakeOpenAI) -> None:
    """Guards: a wait that the caller has no time for is not begun; the caller learns how long it would be."""
    server.script(Status(429, headers={"Retry-After": "3600"}))
    async with embedder(server) as made:
        with pytest.raises(EmbedderRateLimited) as raised:
            await made.embed(TEXTS, deadline=soon())
    assert raised.value.retry_after_s == 3600
    assert len(server.requests) == 1


async def test_retry_after_overrides_the_backoff(server: FakeOpenAI) -> None:
    """Guards: the provider's wish decides: with a backoff of hours only Retry-After lets this pass."""
    server.script(Status(429, headers={"Retry-After": "0"}), Status(503, headers={"retry-after-ms": "1"}))
    async with embedder(server, backoff_s=3600.0) as made:
        assert_vectors_of(TEXTS, await made.embed(TEXTS, deadline=soon()))


def test_retry_after_forms() -> None:
    """Guards: milliseconds, seconds and dates are read; anything else counts as not said."""
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert retry_after_s({"retry-after-ms": "250"}) == 0.25
    assert retry_after_s({"retry-after": "1.5"}) == 1.5
    assert 0 < (retry_after_s({"retry-after": in_a_minute}) or 0) <= 60
    assert retry_after_s({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert retry_after_s({"retry-after": "soon"}) is None
    assert retry_after_s({}) is None


NOT_A_NUMBER = float("nan")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Vectors([[1.0, 2.0]]), "1 vectors for 3 texts"),
        (Vectors([[1.0]] * 4), "4 vectors for 3 texts"),
        (Vectors([[1.0, 2.0], [1.0, NOT_A_NUMBER], [1.0, 2.0]]), "non-finite vector for text 1"),
        (Vectors([[1.0, 2.0], [1.0, 2.0], [0.0, 0.0]]), "zero vector for text 2"),
        (Vectors([[1.0, 2.0], [1.0], [1.0, 2.0]]), "different dimensions"),
        (Vectors([[]] * 3), "dimension 0"),
        (Vectors([[1.0]] * 3, indexes=[0, 1, 1]), "no list of embeddings"),
        (Body(b"<html>"), "no list of embeddings"),
        (Body(b'{"data": {}}'), "0 vectors for 3 texts"),
        (Body(b'{"data": [{"embedding": "!"}]}'), "no list of embeddings"),
        (Body(b'{"data": [{"embedding": [[1]]}, {"embedding": [[1]]}, {"embedding": [[1]]}]}'), "dimensions"),
    ],
)
@pytest.mark.parametrize("floats_only", [False, True])
async def test_unusable_answers_are_refused(reply: Reply, words: str, floats_only: bool) -> None:
    """Guards: a wrong number of vectors, a zero, a NaN or garbage is a typed error, never a stored vector."""
    with FakeOpenAI(floats_only=floats_only) as server:
        server.script(reply)
        async with embedder(server) as made:
            # Numbers as text cannot be NaN in JSON: such an answer is no list of embeddings.
            with pytest.raises(EmbedderAnswerInvalid, match=f"{words}|no list of embeddings"):
                await made.embed(TEXTS, deadline=soon())
        assert len(server.requests) == 1


async def test_deadline(server: FakeOpenAI) -> None:
    """Guards: a server that does not answer costs the caller no more than the deadline."""
    server.script(Held())
    async with embedder(server) as made:
        with pytest.raises(EmbedderTimeout):
            await made.embed(TEXTS, deadline=time.monotonic() + 0.2)


async def test_timeout_of_one_request(server: FakeOpenAI) -> None:
    """Guards: timeout_s bounds a request also for a caller with a long deadline."""
    server.script(Held())
    async with embedder(server, timeout_s=0.2) as made:
        with pytest.raises(EmbedderTimeout):
            await made.embed(TEXTS, deadline=soon())


async def test_one_failed_request_fails_the_whole_call(server: FakeOpenAI) -> None:
    """Guards: all vectors or none, and the error is the typed one, not a group."""
    server.script(Status(400))
    async with embedder(server, inputs_max=1) as made:
        with pytest.raises(EmbedderRefused):
            await made.embed(TEXTS, deadline=soon())


async def test_without_a_key(server: FakeOpenAI) -> None:
    """Guards: the public provider without a key is a setup error; a server of one's own may need none."""
    with pytest.raises(EmbedderSetupInvalid, match="no API key"):
        OpenAIEmbedder(model="m", api_key=None)
    server.api_key = "none"
    async with embedder(server, api_key=None) as made:
        assert_vectors_of(TEXTS, await made.embed(TEXTS, deadline=soon()))

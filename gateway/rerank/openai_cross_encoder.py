"""The cross-encoder that asks an OpenAI-compatible server."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import structlog

from drivers.deadline import Deadline
from gateway.embedding.preparation import clean_text
from gateway.provider.openai_api import CONNECT_TIMEOUT_S, DEFAULT_BASE_URL, NO_KEY, is_passing
from gateway.rerank.errors import CrossEncoderFailed, Failure
from gateway.rerank.port import CrossEncoder, NoCrossEncoder
from gateway.rerank.protocols import ChatScores, RerankScores, ScoreProtocol

log = structlog.get_logger("graphgate.cross_encoder")

PASSAGE_CHARS_MAX = 4_000
QUERY_CHARS_MAX = 8_000
"""What follows is not read by the model."""


@dataclass(frozen=True, slots=True)
class CrossEncoderSettings:
    model: str | None
    """None: no cross-encoder."""
    protocol: Literal["chat", "rerank"] = "chat"
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 2.0
    """For all requests of one search."""
    passages_max: int = 20
    """In one HTTP request."""
    requests_running_max: int = 8
    requests_waiting_max: int = 256


def make_cross_encoder(settings: CrossEncoderSettings) -> CrossEncoder:
    """Imports the client library only if there is a model."""
    return NoCrossEncoder() if settings.model is None else OpenAICrossEncoder(settings.model, settings)


class OpenAICrossEncoder:
    """Batches run beside each other. No retries: a search has a better use for the time than the same
    question again, it has its fused order."""

    def __init__(self, model: str, settings: CrossEncoderSettings) -> None:
        """Connects to nothing yet."""
        import openai  # noqa: PLC0415 - 30 MB that only a gateway with such a model pays for

        self._openai = openai
        self._model = model
        self._settings = settings
        self._protocol: ScoreProtocol = ChatScores() if settings.protocol == "chat" else RerankScores()
        self._client = openai.AsyncOpenAI(
            api_key=settings.api_key or NO_KEY,
            base_url=settings.base_url or DEFAULT_BASE_URL,
            max_retries=0,
            timeout=openai.Timeout(settings.timeout_s, connect=CONNECT_TIMEOUT_S),
        )
        self._slots = asyncio.Semaphore(settings.requests_running_max)
        self._pending = 0

    @property
    def timeout_s(self) -> float:
        return self._settings.timeout_s

    async def score(self, query: str, passages: Sequence[str], deadline: Deadline) -> list[float]:
        size = self._settings.passages_max
        batches = [passages[start : start + size] for start in range(0, len(passages), size)]
        limit = self._settings.requests_running_max + self._settings.requests_waiting_max
        if self._pending + len(batches) > limit:
            raise CrossEncoderFailed(Failure.UNAVAILABLE, f"{self._pending} requests wait, at most {limit}")
        self._pending += len(batches)
        try:
            async with asyncio.timeout(deadline.remaining_s()), asyncio.TaskGroup() as requests:
                asked = [requests.create_task(self._request(query, batch)) for batch in batches]
        except TimeoutError:
            raise self._noted(CrossEncoderFailed(Failure.TIMEOUT, "the deadline passed")) from None
        except ExceptionGroup as failures:
            first = failures.exceptions[0]
            if isinstance(first, CrossEncoderFailed):
                raise self._noted(first) from first.__cause__
            raise first from first.__cause__
        finally:
            self._pending -= len(batches)
        return [score for request in asked for score in request.result()]

    async def close(self) -> None:
        await self._client.close()

    async def _request(self, query: str, passages: Sequence[str]) -> list[float]:
        body = self._protocol.body(
            self._model,
            clean_text(query[:QUERY_CHARS_MAX]),
            [clean_text(passage[:PASSAGE_CHARS_MAX]) for passage in passages],
        )
        async with self._slots:
            try:
                answer = await self._client.post(self._protocol.path, cast_to=bytes, body=body)
            except self._openai.APIError as error:
                raise self._failed(error) from None
        return self._protocol.scores(answer, len(passages))

    def _failed(self, error: Exception) -> CrossEncoderFailed:
        if isinstance(error, self._openai.APITimeoutError):
            return CrossEncoderFailed(Failure.TIMEOUT, "the request took too long")
        if not isinstance(error, self._openai.APIStatusError):
            return CrossEncoderFailed(Failure.UNAVAILABLE, "the connection failed")
        status = error.status_code
        if status == 429:
            return CrossEncoderFailed(Failure.RATE_LIMITED, "status 429")
        failure = Failure.UNAVAILABLE if is_passing(status) else Failure.REFUSED
        return CrossEncoderFailed(failure, f"status {status}")

    def _noted(self, error: CrossEncoderFailed) -> CrossEncoderFailed:
        """The caller learns only the kind of failure."""
        log.warning("cross_encoder_failed", failure=str(error.failure), detail=error.detail)
        return error

"""The embedder that asks an OpenAI-compatible server."""

import asyncio
import random
import time
from collections.abc import Sequence

from gateway.embedding.errors import EmbedderSetupInvalid, EmbedderTimeout, EmbeddingError
from gateway.embedding.openai_answer import parse_answer
from gateway.embedding.port import EmbeddingModel, Matrix, Vector
from gateway.embedding.preparation import clean_texts, request_slices
from gateway.provider.openai_api import BACKOFF_FACTOR, CONNECT_TIMEOUT_S, DEFAULT_BASE_URL, NO_KEY

PARSED_ON_LOOP_BYTES_MAX = 256 * 1024
"""A larger answer is parsed on a thread: two thousand vectors would stop the event loop for tens of ms."""


class OpenAIEmbedder:
    """Cuts texts into requests within the provider's limits and retries what may pass.

    Up to `tries_max` tries on 408, 409, 429, 5xx and connection errors; between them backoff_s * 2^n with
    jitter, or what Retry-After asks. A wait that would outlast the deadline or `timeout_s` is not begun.
    """

    def __init__(
        self,
        *,
        model: str,
        api_key: str | None,
        base_url: str | None = None,
        dimension: int | None = None,
        inputs_max: int = 2_048,
        tokens_max: int = 300_000,
        requests_running_max: int = 4,
        timeout_s: float = 30.0,
        tries_max: int = 3,
        backoff_s: float = 0.5,
    ) -> None:
        """Connects to nothing yet.

        `dimension` is sent as the parameter `dimensions`, which not every model takes; None leaves it out and
        learns the dimension from the first answer. `inputs_max` and `tokens_max` bound one request,
        `timeout_s` one request with its retries. Raises EmbedderSetupInvalid without key and base URL.
        """
        if api_key is None and base_url is None:
            raise EmbedderSetupInvalid(
                "the openai embedder has no API key", "set the key or another base URL"
            )
        import openai  # noqa: PLC0415 - 30 MB that only a gateway with this embedder pays for

        from gateway.embedding.openai_failure import embedding_error  # noqa: PLC0415

        self._api_error = openai.APIError
        self._embedding_error = embedding_error
        self._dimensions = openai.omit if dimension is None else dimension
        self._api_key = api_key or NO_KEY
        self._client = openai.AsyncOpenAI(
            api_key=self._api_key,
            base_url=base_url or DEFAULT_BASE_URL,
            max_retries=0,
            timeout=openai.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S),
        )
        self._model = EmbeddingModel(model, dimension or 0)
        self._inputs_max = inputs_max
        self._tokens_max = tokens_max
        self._slots = asyncio.Semaphore(requests_running_max)
        self._timeout_s = timeout_s
        self._tries_max = tries_max
        self._backoff_s = backoff_s

    @property
    def model(self) -> EmbeddingModel:
        return self._model

    async def start(self) -> None:
        """Learns the dimension with one request if it is not configured."""
        if not self._model.dimension:
            await self.embed(["dimension"], deadline=time.monotonic() + self._timeout_s)

    async def embed(self, texts: Sequence[str], *, deadline: float) -> list[Vector]:
        cleaned = clean_texts(texts)
        slices = request_slices(cleaned, inputs_max=self._inputs_max, tokens_max=self._tokens_max)
        try:
            async with (
                asyncio.timeout(max(0.0, deadline - time.monotonic())),
                asyncio.TaskGroup() as requests,
            ):
                asked = [requests.create_task(self._request(cleaned[part], deadline)) for part in slices]
        except TimeoutError:
            raise EmbedderTimeout(self._model.name, len(cleaned)) from None
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures.exceptions[0].__cause__
        return [row for request in asked for row in request.result()]

    async def close(self) -> None:
        await self._client.close()

    async def _request(self, texts: list[str], deadline: float) -> Matrix:
        async with self._slots:
            end = min(deadline, time.monotonic() + self._timeout_s)
            tries = 0
            while True:
                tries += 1
                try:
                    return await self._try(texts, end)
                except EmbeddingError as error:
                    wait_s = self._wait_s(error, tries)
                    if not error.retryable or tries == self._tries_max or time.monotonic() + wait_s >= end:
                        raise
                await asyncio.sleep(wait_s)

    async def _try(self, texts: list[str], end: float) -> Matrix:
        try:
            async with asyncio.timeout(max(0.0, end - time.monotonic())):
                answer = await self._client.embeddings.with_raw_response.create(
                    model=self._model.name,
                    input=texts,
                    dimensions=self._dimensions,
                    # A quarter of the bytes of decimal text, and several times faster to read.
                    encoding_format="base64",
                )
        except TimeoutError:
            raise EmbedderTimeout(self._model.name, len(texts)) from None
        except self._api_error as error:
            raise self._embedding_error(
                error, model=self._model.name, texts=len(texts), api_key=self._api_key
            ) from None
        body = answer.content
        if len(body) > PARSED_ON_LOOP_BYTES_MAX:
            matrix = await asyncio.to_thread(self._parse, body, len(texts))
        else:
            matrix = self._parse(body, len(texts))
        if not self._model.dimension:
            self._model = EmbeddingModel(self._model.name, matrix.shape[1])
        return matrix

    def _parse(self, body: bytes, inputs: int) -> Matrix:
        return parse_answer(body, model=self._model.name, inputs=inputs, dimension=self._model.dimension)

    def _wait_s(self, error: EmbeddingError, tries: int) -> float:
        if error.retry_after_s is not None:
            return error.retry_after_s
        longest = self._backoff_s * BACKOFF_FACTOR ** (tries - 1)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards nothing

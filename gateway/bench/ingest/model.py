"""The fake model server and what it counts: the calls that each side really made."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from gateway.bench.errors import ModelServerFailed
from gateway.bench.ingest.options import DIMENSION
from gateway.bench.model_server.process import ModelServerProcess

CALL_TIMEOUT_S = 10.0
_EMBEDDINGS = "/v1/embeddings"
_VERSION = "/v1"


@dataclass(frozen=True, slots=True)
class ModelUse:
    """As the server counts."""

    calls: int = 0
    """Chat completions."""
    input_tokens: int = 0
    output_tokens: int = 0
    embedding_requests: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "ModelUse") -> "ModelUse":
        return ModelUse(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.embedding_requests + other.embedding_requests,
        )


class CountedModel:
    """Context manager: inside, a process of its own answers, from the recorded extractions of MuSiQue-100."""

    def __init__(self, latency_ms: int) -> None:
        """`latency_ms`: of every chat completion; embeddings are answered at once."""
        self.latency_ms = latency_ms
        self._server = ModelServerProcess(
            ("--replay", f"--latency-ms={latency_ms}", f"--dimension={DIMENSION}")
        )
        self._session: aiohttp.ClientSession | None = None
        self._stack = AsyncExitStack()

    @property
    def base_url(self) -> str:
        """With the version in its path."""
        return self._server.base_url

    async def __aenter__(self) -> Self:
        """Raises ModelServerFailed."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._server)
            timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT_S)
            self._session = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def begin(self) -> None:
        """Counts from nothing. Raises ModelServerFailed."""
        await self._get("reset")

    async def use(self) -> ModelUse:
        """Since begin(). Raises ModelServerFailed."""
        stats = await self._get("stats")
        return ModelUse(
            stats["chat_requests"],
            stats["input_tokens"],
            stats["output_tokens"],
            stats["requests"].get(_EMBEDDINGS, 0),
        )

    async def _get(self, route: str) -> dict[str, Any]:
        assert self._session is not None, "it was not started"
        try:
            async with self._session.get(f"{self.base_url.removesuffix(_VERSION)}/{route}") as answer:
                found: dict[str, Any] = orjson.loads(await answer.read())
                return found
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ModelServerFailed(f"no answer to /{route}") from error

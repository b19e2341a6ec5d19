"""The OpenAI-compatible server of gateway/bench/model_server on a thread of its own, for tests.

    with FakeOpenAI() as server:
        server.script(Status(429, headers={"Retry-After": "0"}), Reset())
        ... a client with base_url=server.base_url and api_key=server.api_key ...
        assert len(server.requests) == 3

Every request takes the next scripted reply; when the script is empty it is answered properly.
"""

import asyncio
import threading
from dataclasses import replace
from typing import Self

from gateway.bench.model_server.replies import (
    Body,
    BrokenOff,
    Fault,
    Faulty,
    Held,
    Late,
    Reply,
    Request,
    Reset,
    Reversed,
    Status,
    Vectors,
)
from gateway.bench.model_server.server import ModelServer, ServerOptions
from gateway.bench.model_server.vectors import hashed_vector, overlap

__all__ = [
    "Body",
    "BrokenOff",
    "FakeOpenAI",
    "Fault",
    "Faulty",
    "Held",
    "Late",
    "Reply",
    "Request",
    "Reset",
    "Reversed",
    "Status",
    "Vectors",
    "hashed_vector",
    "overlap",
]

API_KEY = "sk-test-4242424242"


class FakeOpenAI:
    """Serves {base_url}/embeddings, /chat/completions, /rerank and /models on a free port until the with
    block ends. As `server` it may be taught and made to fail, see ModelServer."""

    def __init__(
        self, *, dimension: int = 64, floats_only: bool = False, options: ServerOptions | None = None
    ) -> None:
        """`floats_only` ignores encoding_format, as some servers do."""
        given = options or ServerOptions(dimension=dimension, floats_only=floats_only)
        self.server = ModelServer(replace(given, api_key=API_KEY))
        self._held: list[Held] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    @property
    def base_url(self) -> str:
        return self.server.base_url

    @property
    def api_key(self) -> str:
        """The one that it takes; may be changed while it serves."""
        return self.server.options.api_key or ""

    @api_key.setter
    def api_key(self, api_key: str) -> None:
        self.server.options = replace(self.server.options, api_key=api_key)

    @property
    def dimension(self) -> int:
        """Of vectors that are asked for without one; may be changed while it serves."""
        return self.server.options.dimension

    @dimension.setter
    def dimension(self, dimension: int) -> None:
        self.server.options = replace(self.server.options, dimension=dimension)

    @property
    def requests(self) -> list[Request]:
        """Those that came so far."""
        return list(self.server.requests)

    def script(self, *replies: Reply) -> None:
        """Appends the replies to the next requests."""
        self._held += [reply for reply in replies if isinstance(reply, Held)]
        self.server.script(*replies)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.server.start(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        for held in self._held:
            held.release.set()
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        await self.server.stop()
        await self._loop.shutdown_default_executor()

"""An OpenAI-compatible server over real HTTP, with vectors from hashes, relevance from shared words, and
scripted failures.

    with FakeOpenAI() as server:
        server.script(Status(429, headers={"Retry-After": "0"}), Reset())
        ... a client with base_url=server.base_url and api_key=server.api_key ...
        assert len(server.requests) == 3

Every request takes the next scripted reply; when the script is empty it is answered properly.
"""

import base64
import hashlib
import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import numpy as np
import numpy.typing as npt

HELD_S_MAX = 30.0


def overlap(query: str, passage: str) -> float:
    """Share of the query's words that the passage has."""
    words = set(query.lower().split())
    return len(words & set(passage.lower().split())) / max(1, len(words))


def hashed_vector(text: str, dimension: int) -> npt.NDArray[np.float32]:
    """The sum of a pseudo-random direction for each word: texts that share words are close."""
    total = np.zeros(dimension, np.float64)
    for word in text.lower().split():
        seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
        total += np.random.default_rng(seed).standard_normal(dimension)
    return total.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Status:
    """An error status with OpenAI's error body."""

    code: int
    message: str = "scripted failure"
    error_code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset before an answer."""


@dataclass(frozen=True, slots=True)
class Body:
    """Status 200 with these bytes."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Vectors:
    """A well-formed answer with these vectors, however many were asked for."""

    rows: list[list[float]]
    indexes: list[int] | None = None


@dataclass(frozen=True, slots=True)
class Reversed:
    """The proper answer with its items in reverse order, each with its own index."""


@dataclass(frozen=True, slots=True)
class Held:
    """The proper answer, once `release` is set."""

    release: threading.Event = field(default_factory=threading.Event)


type Reply = Status | Reset | Body | Vectors | Reversed | Held


@dataclass(frozen=True, slots=True)
class Request:
    inputs: list[str]
    body: dict[str, Any]
    headers: Mapping[str, str]


class FakeOpenAI:
    """Serves POST {base_url}/embeddings, /chat/completions (as a judge of relevance) and /rerank on a free
    port until the with block ends."""

    def __init__(self, *, dimension: int = 64, floats_only: bool = False) -> None:
        """`floats_only` ignores encoding_format, as some servers do."""
        self.dimension = dimension
        self.floats_only = floats_only
        self.api_key = "sk-test-4242424242"
        self.requests: list[Request] = []
        self._script: deque[Reply] = deque()
        self._held: list[Held] = []
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def script(self, *replies: Reply) -> None:
        """Appends the replies to the next requests."""
        self._held += [reply for reply in replies if isinstance(reply, Held)]
        self._script.extend(replies)

    def next_reply(self, request: Request) -> Reply | None:
        """Records the request; called by the server's threads."""
        with self._lock:
            self.requests.append(request)
            return self._script.popleft() if self._script else None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for held in self._held:
            held.release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _judged(body: dict[str, Any]) -> dict[str, Any]:
    """What a judge of relevance is asked: query and passages."""
    asked: dict[str, Any] = json.loads(body["messages"][-1]["content"])
    return asked


_INPUTS: Mapping[str, Callable[[dict[str, Any]], list[str]]] = {
    "/v1/embeddings": lambda body: list(body["input"]),
    "/v1/chat/completions": lambda body: list(_judged(body)["passages"]),
    "/v1/rerank": lambda body: list(body["documents"]),
}
"""The texts of a request, by route."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, fake: FakeOpenAI) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fake = fake

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Silent: pytest shows what matters."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fake = self.server.fake
        inputs = _INPUTS.get(self.path)
        if inputs is None:
            self._send_error(Status(404, f"no route {self.path}"))
            return
        reply = fake.next_reply(Request(inputs(body), body, dict(self.headers)))
        if self.headers["Authorization"] != f"Bearer {fake.api_key}":
            key = self.headers["Authorization"].removeprefix("Bearer ")
            self._send_error(Status(401, f"Incorrect API key provided: {key[:9]}***{key[-4:]}."))
            return
        match reply:
            case Status():
                self._send_error(reply)
            case Reset():
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
            case Body(content):
                self._send(200, content, {})
            case Vectors(rows, indexes):
                items = zip(indexes or range(len(rows)), rows, strict=True)
                self._send_vectors(body, [(index, np.array(row, np.float32)) for index, row in items])
            case Reversed():
                self._send_vectors(body, self._proper(body)[::-1])
            case Held(release):
                release.wait(HELD_S_MAX)
                self._send_proper(body)
            case None:
                self._send_proper(body)

    def _send_proper(self, body: dict[str, Any]) -> None:
        match self.path:
            case "/v1/chat/completions":
                asked = _judged(body)
                scores = [100 * overlap(asked["query"], passage) for passage in asked["passages"]]
                message = {"role": "assistant", "content": json.dumps({"scores": scores})}
                answer = {"object": "chat.completion", "choices": [{"index": 0, "message": message}]}
                self._send(200, json.dumps(answer).encode(), {})
            case "/v1/rerank":
                results = [
                    {"index": index, "relevance_score": overlap(body["query"], passage)}
                    for index, passage in enumerate(body["documents"])
                ]
                results.sort(key=lambda result: -result["relevance_score"])
                self._send(200, json.dumps({"results": results}).encode(), {})
            case _:
                self._send_vectors(body, self._proper(body))

    def _proper(self, body: dict[str, Any]) -> list[tuple[int, npt.NDArray[np.float32]]]:
        dimension = body.get("dimensions", self.server.fake.dimension)
        return [(index, hashed_vector(text, dimension)) for index, text in enumerate(body["input"])]

    def _send_vectors(self, body: dict[str, Any], items: list[tuple[int, npt.NDArray[np.float32]]]) -> None:
        as_base64 = body.get("encoding_format") == "base64" and not self.server.fake.floats_only
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(row.astype("<f4").tobytes()).decode()
                if as_base64
                else row.tolist(),
            }
            for index, row in items
        ]
        answer = {"object": "list", "model": body["model"], "data": data, "usage": {"total_tokens": 1}}
        self._send(200, json.dumps(answer).encode(), {})

    def _send_error(self, reply: Status) -> None:
        error = {"message": reply.message, "type": "scripted", "code": reply.error_code}
        self._send(reply.code, json.dumps({"error": error}).encode(), reply.headers)

    def _send(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

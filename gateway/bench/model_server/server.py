"""The server: routes, latency, scripted replies and counts.

    server = ModelServer(ServerOptions(latency_s=0.2))
    server.knowledge.learn_passages(load_dataset())
    await server.start()
    ... a client with base_url=server.base_url ...
    await server.stop()

Every request takes the next scripted reply; when the script is empty it is answered properly. Answers depend
on the request alone, whatever order requests come in.
"""

import asyncio
import base64
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from gateway.bench.model_server import graphgate_answers, graphiti_answers
from gateway.bench.model_server.any_form import least, spoilt
from gateway.bench.model_server.http_server import Ending, Handler, HttpAnswer, HttpConnection, HttpRequest
from gateway.bench.model_server.knowledge import Knowledge
from gateway.bench.model_server.replies import (
    HELD_S_MAX,
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
from gateway.bench.model_server.vectors import hashed_vector, overlap
from gateway.embedding.preparation import BYTES_PER_TOKEN

REQUESTS_KEPT_MAX = 10_000
MODELS = ("fake-small", "fake-large", "fake-embedding")


@dataclass(frozen=True, slots=True)
class ServerOptions:
    host: str = "127.0.0.1"
    port: int = 0
    latency_s: float = 0.0
    """Of every chat completion."""
    embedding_latency_s: float = 0.0
    api_key: str | None = None
    """Others are refused; None takes any."""
    dimension: int = 64
    floats_only: bool = False
    """Ignores encoding_format, as some servers do."""
    keeps_requests: bool = True
    """The last REQUESTS_KEPT_MAX; a benchmark has no use for them."""


@dataclass(slots=True)
class Counts:
    requests: dict[str, int] = field(default_factory=dict[str, int])
    """By path, of chat completions by the name of their schema."""
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def chat_requests(self) -> int:
        return sum(count for name, count in self.requests.items() if not name.startswith("/"))


class ModelServer:
    def __init__(self, options: ServerOptions | None = None) -> None:
        self.options = options or ServerOptions()
        self.knowledge = Knowledge()
        self.counts = Counts()
        self.requests: deque[Request] = deque(maxlen=REQUESTS_KEPT_MAX)
        self.failing: Reply | None = None
        """What every request gets until it is None again: a model that is down."""
        self.chooses: Callable[[Request], Reply | None] | None = None
        """Asked when the script is empty; None: answer properly."""
        self._script: deque[Reply] = deque()
        self._connections: set[HttpConnection] = set()
        self._server: asyncio.Server | None = None
        self._routes: Mapping[str, Callable[[HttpRequest], HttpAnswer]] = {
            "/v1/chat/completions": self._answered,
            "/v1/embeddings": self._answered,
            "/v1/rerank": self._answered,
            "/v1/models": self._models,
            "/stats": lambda _: HttpAnswer(body=orjson.dumps(self.stats())),
            "/reset": self._reset,
        }

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def base_url(self) -> str:
        return f"http://{self.options.host}:{self.port}/v1"

    def script(self, *replies: Reply) -> None:
        """Appends the replies to the next requests."""
        self._script.extend(replies)

    def stats(self) -> dict[str, Any]:
        """What was asked since the start or the last /reset."""
        counts = self.counts
        return {
            "requests": counts.requests,
            "chat_requests": counts.chat_requests,
            "input_tokens": counts.input_tokens,
            "output_tokens": counts.output_tokens,
        }

    def _reset(self, _: HttpRequest) -> HttpAnswer:
        self.counts = Counts()
        self.requests.clear()
        return HttpAnswer(body=b"{}")

    async def start(self) -> None:
        handler: Handler = self._handle
        self._server = await asyncio.get_running_loop().create_server(
            lambda: HttpConnection(handler, self._connections),
            self.options.host,
            self.options.port,
            backlog=1_024,
        )

    async def stop(self) -> None:
        """Connections end at once."""
        if self._server is not None:
            self._server.close()
            for connection in list(self._connections):
                connection.close()
            await self._server.wait_closed()

    def _handle(self, request: HttpRequest) -> HttpAnswer:
        route = self._routes.get(request.path)
        if route is None:
            return _error(Status(404, f"no route {request.path}"))
        return route(request)

    def _models(self, _: HttpRequest) -> HttpAnswer:
        listed = [{"id": name, "object": "model", "owned_by": "graphgate"} for name in MODELS]
        return HttpAnswer(body=orjson.dumps({"object": "list", "data": listed}))

    def _answered(self, http: HttpRequest) -> HttpAnswer:
        try:
            body: dict[str, Any] = orjson.loads(http.body)
            request = Request(http.path, _inputs(http.path, body), body, _capitalised(http.headers))
        except (KeyError, TypeError, IndexError, ValueError):
            return _error(Status(400, "the body cannot be read"))
        if self.options.keeps_requests:
            self.requests.append(request)
        name = request.schema_name or http.path
        self.counts.requests[name] = self.counts.requests.get(name, 0) + 1
        reply = self._script.popleft() if self._script else self.failing
        if reply is None and self.chooses is not None:
            reply = self.chooses(request)
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.options.api_key is not None and key != self.options.api_key:
            return _error(Status(401, f"Incorrect API key provided: {key[:9]}***{key[-4:]}."))
        match reply:
            case Status():
                return _error(reply)
            case Reset():
                return HttpAnswer(ending=Ending.RESET)
            case Body(content):
                return HttpAnswer(body=content)
            case Vectors(rows, indexes):
                items = zip(indexes or range(len(rows)), rows, strict=True)
                return self._embeddings(body, [(index, np.array(row, np.float32)) for index, row in items])
            case Reversed():
                return self._embeddings(body, self._proper_vectors(request)[::-1])
            case _:
                return self._proper(request, reply)

    def _proper(self, request: Request, reply: Held | Late | BrokenOff | Faulty | None) -> HttpAnswer:
        delay_s = self.options.latency_s
        match request.path:
            case "/v1/chat/completions":
                body = self._chat(request, reply.fault if isinstance(reply, Faulty) else None)
            case "/v1/rerank":
                body = orjson.dumps({"results": _reranked(request)})
            case _:
                body = self._embeddings(request.body, self._proper_vectors(request)).body
                delay_s = self.options.embedding_latency_s
        match reply:
            case Held(release):
                return HttpAnswer(body=body, delay_s=HELD_S_MAX, release=release)
            case Late(seconds):
                return HttpAnswer(body=body, delay_s=delay_s + seconds)
            case BrokenOff():
                return HttpAnswer(body=body, delay_s=delay_s, ending=Ending.BROKEN_OFF)
            case _:
                return HttpAnswer(body=body, delay_s=delay_s)

    def _chat(self, request: Request, fault: Fault | None) -> bytes:
        answer = self._content(request)
        content = orjson.dumps(answer).decode() if fault is None else spoilt(answer, fault)
        tokens_max = request.body.get("max_tokens") or request.body.get("max_completion_tokens")
        finish = "length" if fault is Fault.CUT_OFF else "stop"
        if tokens_max and len(content) > tokens_max * BYTES_PER_TOKEN:
            content, finish = content[: tokens_max * BYTES_PER_TOKEN], "length"
        refusal = "I cannot help with that." if fault is Fault.REFUSAL else None
        asked = sum(map(len, request.inputs)) // BYTES_PER_TOKEN
        told = -(-len(content) // BYTES_PER_TOKEN)
        self.counts.input_tokens += asked
        self.counts.output_tokens += told
        message = {"role": "assistant", "content": content or None, "refusal": refusal}
        return orjson.dumps(
            {
                "id": "chatcmpl-0",
                "object": "chat.completion",
                "created": 0,
                "model": request.body.get("model", ""),
                "choices": [{"index": 0, "message": message, "finish_reason": finish}],
                "usage": {"prompt_tokens": asked, "completion_tokens": told, "total_tokens": asked + told},
            }
        )

    def _content(self, request: Request) -> Any:
        name, user = request.schema_name, _user_message(request.body)
        if name == "scores":
            asked = orjson.loads(user)
            return {"scores": [100 * overlap(asked["query"], passage) for passage in asked["passages"]]}
        if own := graphgate_answers.ANSWERS.get(name):
            return own(orjson.loads(user), self.knowledge)
        if of_graphiti := graphiti_answers.ANSWERS.get(name):
            return of_graphiti(user, self.knowledge)
        asked_form: dict[str, Any] = request.body.get("response_format", {}).get("json_schema", {})
        return least(asked_form.get("schema", {"type": "object"}))

    def _proper_vectors(self, request: Request) -> list[tuple[int, npt.NDArray[np.float32]]]:
        dimension = request.body.get("dimensions", self.options.dimension)
        return [(index, hashed_vector(text, dimension)) for index, text in enumerate(request.inputs)]

    def _embeddings(
        self, body: dict[str, Any], items: Sequence[tuple[int, npt.NDArray[np.float32]]]
    ) -> HttpAnswer:
        as_base64 = body.get("encoding_format") == "base64" and not self.options.floats_only
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
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        answer = {"object": "list", "model": body["model"], "data": data, "usage": usage}
        return HttpAnswer(body=orjson.dumps(answer))


def _inputs(path: str, body: dict[str, Any]) -> list[str]:
    match path:
        case "/v1/embeddings":
            given = body["input"]
            return [given] if isinstance(given, str) else list(given)
        case "/v1/rerank":
            return list(body["documents"])
        case _:
            contents = [str(message["content"]) for message in body["messages"]]
            schema = body.get("response_format", {}).get("json_schema", {}).get("name")
            return list(orjson.loads(contents[-1])["passages"]) if schema == "scores" else contents


def _user_message(body: dict[str, Any]) -> str:
    """The first: what follows it is a repair."""
    return next(str(one["content"]) for one in body["messages"] if one["role"] == "user")


def _reranked(request: Request) -> list[dict[str, Any]]:
    results = [
        {"index": index, "relevance_score": overlap(request.body["query"], passage)}
        for index, passage in enumerate(request.inputs)
    ]
    return sorted(results, key=lambda result: -result["relevance_score"])


def _error(reply: Status) -> HttpAnswer:
    error = {"message": reply.message, "type": "scripted", "code": reply.error_code}
    return HttpAnswer(reply.code, orjson.dumps({"error": error}), reply.headers)


def _capitalised(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.title(): value for name, value in headers.items()}

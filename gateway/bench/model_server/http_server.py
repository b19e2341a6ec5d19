"""HTTP/1.1 in as little as a benchmark's other half may cost: one request at a time for each connection,
bodies with a length. A request takes some 20 us besides its answer."""

import asyncio
import gzip
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

HEAD_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 64 * 1024 * 1024
GZIP_BYTES_MIN = 1_024
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}


class Ending(Enum):
    WHOLE = auto()
    RESET = auto()
    """Instead of an answer."""
    BROKEN_OFF = auto()
    """Half of the body, then the end of the connection."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    delay_s: float = 0.0
    release: threading.Event | None = None
    """Waited for beforehand, `delay_s` at most."""
    ending: Ending = Ending.WHOLE


type Handler = Callable[[HttpRequest], HttpAnswer]


class HttpConnection(asyncio.Protocol):
    def __init__(self, handler: Handler, connections: set["HttpConnection"]) -> None:
        self._handler = handler
        self._connections = connections
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._busy = False
        self._waiting: asyncio.TimerHandle | asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._transport = None
        if self._waiting is not None:
            self._waiting.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _next(self) -> None:
        """Answers the next request that is there as a whole."""
        if self._busy or self._transport is None:
            return
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > HEAD_BYTES_MAX:
                self.close()
            return
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        headers = {name.lower(): value.strip() for name, value in pairs}
        length = int(headers.get("content-length", "0"))
        if length > BODY_BYTES_MAX or "chunked" in headers.get("transfer-encoding", ""):
            self.close()
            return
        start = end + 4
        if len(self._buffer) < start + length:
            return
        body = bytes(self._buffer[start : start + length])
        del self._buffer[: start + length]
        method, path, _ = first.split(" ", 2)
        self._busy = True
        answer = self._handler(HttpRequest(method, path, headers, body))
        packed = "gzip" in headers.get("accept-encoding", "")
        if answer.release is not None:
            self._waiting = asyncio.get_running_loop().create_task(self._released(answer, packed=packed))
        elif answer.delay_s > 0:
            self._waiting = asyncio.get_running_loop().call_later(
                answer.delay_s, self._answer, answer, packed
            )
        else:
            self._answer(answer, packed)

    async def _released(self, answer: HttpAnswer, *, packed: bool) -> None:
        assert answer.release is not None
        await asyncio.to_thread(answer.release.wait, answer.delay_s)
        self._answer(answer, packed)

    def _answer(self, answer: HttpAnswer, packed: bool) -> None:
        transport = self._transport
        if transport is None:
            return
        self._busy, self._waiting = False, None
        if answer.ending is Ending.RESET:
            connection: socket.socket = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
            return
        body = answer.body
        lines = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        if packed and len(body) >= GZIP_BYTES_MIN:
            body = gzip.compress(body, 1)
            lines.append("Content-Encoding: gzip")
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
        head = "\r\n".join(lines).encode("latin-1")
        if answer.ending is Ending.BROKEN_OFF:
            transport.write(head + body[: len(body) // 2])
            transport.close()
            return
        transport.write(head + body)
        self._next()

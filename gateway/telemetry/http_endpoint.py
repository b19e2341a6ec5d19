"""A small HTTP server on the gateway's own loop: a fixed set of pages, one request a connection."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import structlog

log = structlog.get_logger("graphgate.metrics")

REQUEST_BYTES_MAX = 8 * 1024
"""Request line and headers."""
EXCHANGE_S_MAX = 10.0
"""From the connection to the last byte of the answer."""
CONNECTIONS_MAX = 16
"""Further ones are reset."""


@dataclass(frozen=True, slots=True)
class Page:
    content_type: str
    body: bytes


type MakePage = Callable[[str], Awaitable[Page]]
"""Takes the request's Accept header."""


class EndpointUnavailable(Exception):
    """The endpoint cannot listen."""


class HttpEndpoint:
    """Serves `pages` by path between start() and stop()."""

    def __init__(self, host: str, port: int, pages: Mapping[str, MakePage]) -> None:
        self._host = host
        self._port = port
        self._pages = pages
        self._server: asyncio.Server | None = None
        self._exchanges: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def address(self) -> str:
        """`host:port` with the port that is listened on."""
        port = self._server.sockets[0].getsockname()[1] if self._server else self._port
        return f"[{self._host}]:{port}" if ":" in self._host else f"{self._host}:{port}"

    async def start(self) -> None:
        """Raises EndpointUnavailable."""
        try:
            self._server = await asyncio.start_server(
                self._accept, self._host, self._port, limit=REQUEST_BYTES_MAX
            )
        except OSError as error:
            # asyncio words its own OSError around the address; the system's text is the shorter one.
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            raise EndpointUnavailable(
                f"the metrics endpoint cannot listen on {self._host}:{self._port} ({why.lower()}); "
                "choose another metrics.port, 0 for any free one"
            ) from error

    async def stop(self) -> None:
        """Ends the listener and what is still being answered. Idempotent."""
        if self._server is None:
            return
        self._stopping = True
        self._server.close()
        for exchange in self._exchanges:
            exchange.cancel()
        await self._server.wait_closed()
        self._server = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A connection may arrive between the stop and the end of the listener.
        if self._stopping or len(self._exchanges) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        exchange = asyncio.create_task(self._exchange(reader, writer))
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._exchanges.discard)
        await asyncio.wait([exchange])
        writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The peer is gone or too slow: there is nobody to tell.
        with contextlib.suppress(TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            async with asyncio.timeout(EXCHANGE_S_MAX):
                writer.write(await self._answer(reader))
                await writer.drain()
                writer.write_eof()
                # Closing with unread bytes would reset the connection and take the answer with it.
                while await reader.read(REQUEST_BYTES_MAX):
                    pass

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.LimitOverrunError:
            return _response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        request_line, *header_lines = head.split("\r\n")
        parts = request_line.split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            return _response(HTTPStatus.BAD_REQUEST)
        method, target, _ = parts
        if method not in ("GET", "HEAD"):
            return _response(HTTPStatus.METHOD_NOT_ALLOWED, extra="Allow: GET, HEAD\r\n")
        make_page = self._pages.get(target.partition("?")[0])
        if make_page is None:
            return _response(HTTPStatus.NOT_FOUND)
        accepts = (line.partition(":")[2] for line in header_lines if line[:7].lower() == "accept:")
        try:
            page = await make_page(next(accepts, "").strip())
        except Exception:
            log.exception("page_failed", page=target)
            return _response(HTTPStatus.INTERNAL_SERVER_ERROR)
        return _response(HTTPStatus.OK, page, body_sent=method == "GET")


def _response(
    status: HTTPStatus, page: Page | None = None, *, body_sent: bool = True, extra: str = ""
) -> bytes:
    page = page or Page("text/plain; charset=utf-8", f"{status.phrase}\n".encode())
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Content-Type: {page.content_type}\r\nContent-Length: {len(page.body)}\r\n"
        f"{extra}Connection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (page.body if body_sent else b"")

"""The small HTTP server, also against clients that do not behave."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable

import pytest

from gateway.telemetry import http_endpoint
from gateway.telemetry.http_endpoint import CONNECTIONS_MAX, REQUEST_BYTES_MAX, HttpEndpoint, Page
from tests.eventually import eventually
from tests.unit.gateway.telemetry.http_get import http_get, http_send


async def _hello(accept: str) -> Page:
    return Page("text/plain", f"hello {accept}".encode())


async def _broken(accept: str) -> Page:
    raise ZeroDivisionError("geheim")


@pytest.fixture
async def endpoint() -> AsyncIterator[HttpEndpoint]:
    endpoint = HttpEndpoint("127.0.0.1", 0, {"/hello": _hello, "/broken": _broken})
    await endpoint.start()
    yield endpoint
    await endpoint.stop()


async def test_get_and_head(endpoint: HttpEndpoint) -> None:
    """A page with its type and length; HEAD has the same head and no body."""
    got = await http_get(endpoint.address, "/hello?x=1", accept="a/b")
    assert (got.status, got.body, got.headers["content-type"]) == (200, b"hello a/b", "text/plain")
    head = await http_get(endpoint.address, "/hello", method="HEAD", accept="a/b")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "9")


async def test_a_broken_page_tells_nothing_and_harms_nothing(endpoint: HttpEndpoint) -> None:
    """A bug in one page is a 500 without its text; the other pages go on."""
    answer = await http_get(endpoint.address, "/broken")
    assert (answer.status, answer.body) == (500, b"Internal Server Error\n")
    assert (await http_get(endpoint.address, "/hello")).status == 200


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /nothing HTTP/1.1\r\n\r\n", 404),
        (b"POST /hello HTTP/1.1\r\n\r\n", 405),
        (b"GET /hello\r\n\r\n", 400),
        (b"GET /hello HTTP/2\r\n\r\n", 400),
        (b"\xff\x00\r\n\r\n", 400),
        (b"GET /hello HTTP/1.1\r\nx: " + b"y" * (2 * REQUEST_BYTES_MAX) + b"\r\n\r\n", 431),
    ],
)
async def test_bad_requests_get_an_answer(endpoint: HttpEndpoint, request_bytes: bytes, status: int) -> None:
    """Whatever is sent is bounded and answered with its own status."""
    answer = await http_send(endpoint.address, request_bytes)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


async def test_a_silent_client_is_let_go(endpoint: HttpEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that sends nothing does not stay for ever."""
    monkeypatch.setattr(http_endpoint, "EXCHANGE_S_MAX", 0.05)
    with contextlib.suppress(ConnectionResetError):
        assert await http_send(endpoint.address, b"GET /hel") == b""
    assert (await http_get(endpoint.address, "/hello")).status == 200


async def test_too_many_connections_are_refused(endpoint: HttpEndpoint) -> None:
    """Idle connections cannot pile up; when they go, pages are served again."""
    host, _, port = endpoint.address.rpartition(":")
    idle = [await asyncio.open_connection(host, int(port)) for _ in range(CONNECTIONS_MAX)]

    async def served() -> bool:
        try:
            return (await http_get(endpoint.address, "/hello")).status == 200
        except (ConnectionError, ValueError):
            return False

    await eventually(lambda: _not(served()))
    for _, writer in idle:
        writer.close()
    await eventually(served)


async def _not(question: Awaitable[bool]) -> bool:
    return not await question


async def test_stop_ends_open_connections() -> None:
    """A scraper that hangs does not keep the gateway from stopping."""
    endpoint = HttpEndpoint("127.0.0.1", 0, {"/hello": _hello})
    await endpoint.start()
    host, _, port = endpoint.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /hel")
    await asyncio.wait_for(endpoint.stop(), 10)
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    await endpoint.stop()
    with pytest.raises(ConnectionError):
        await asyncio.open_connection(host, int(port))

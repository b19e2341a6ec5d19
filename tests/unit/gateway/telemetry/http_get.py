"""The least HTTP client, so that tests see the bytes of an answer."""

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


async def http_send(address: str, request: bytes) -> bytes:
    """Everything that the server answers until it closes."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 30)
    finally:
        writer.close()


async def http_get(address: str, path: str, *, method: str = "GET", accept: str = "*/*") -> Answer:
    """Raises ConnectionError when the server resets the connection, ValueError when it answers nothing."""
    raw = await http_send(
        address, f"{method} {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n".encode()
    )
    if not raw:
        raise ValueError("no answer")
    head, _, body = raw.partition(b"\r\n\r\n")
    status_line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(status_line.split(" ")[1]), headers, body)

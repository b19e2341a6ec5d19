"""A client that asks and never reads: bytes of HTTP/2 by hand, for no library would behave like that."""

import asyncio
import struct
from collections.abc import Sequence
from typing import Self

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _END_HEADERS = 1, 4
_INITIAL_WINDOW_SIZE = 4


class SilentClient:
    """One connection. Gives the server no window and reads nothing from its socket."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._stream = 1
        writer.write(_PREFACE + _frame(_SETTINGS, 0, 0, struct.pack(">HI", _INITIAL_WINDOW_SIZE, 0)))

    @classmethod
    async def connect(cls, address: str) -> Self:
        host, _, port = address.rpartition(":")
        # With a limit of one byte the stream stops reading as soon as something has come.
        _, writer = await asyncio.open_connection(host, int(port), limit=1)
        return cls(writer)

    async def ask(self, path: str, bodies: Sequence[bytes]) -> None:
        """Starts one call per body."""
        fields = (
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "silent"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        )
        headers = b"".join(_literal(name) + _literal(value, b"") for name, value in fields)
        for body in bodies:
            message = b"\0" + struct.pack(">I", len(body)) + body
            self._writer.write(
                _frame(_HEADERS, _END_HEADERS, self._stream, headers)
                + _frame(_DATA, _END_STREAM, self._stream, message)
            )
            self._stream += 2
        await self._writer.drain()

    def abort(self) -> None:
        """Drops the connection without a word."""
        self._writer.transport.abort()


def _literal(text: str, prefix: bytes = b"\0") -> bytes:
    """A name or value in HPACK as it is: not indexed, not compressed."""
    encoded = text.encode()
    assert len(encoded) < 127
    return prefix + bytes([len(encoded)]) + encoded


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

"""A TCP proxy before a real server, whose faults a test chooses."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

_CHUNK_BYTES = 1 << 16


class Proxy:
    """Passes bytes on until it is told to lose answers."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._streams: set[asyncio.StreamWriter] = set()
        self.loses_answers = False
        """Commands reach the server; what it answers is thrown away."""
        self.lost = asyncio.Event()
        """An answer was thrown away."""
        self.accepted = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        self._streams |= {writer, up_writer}
        await asyncio.gather(
            self._pass(reader, up_writer, answers=False), self._pass(up_reader, writer, answers=True)
        )

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        try:
            while data := await reader.read(_CHUNK_BYTES):
                if answers and self.loses_answers:
                    self.lost.set()
                else:
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass  # an end was reset, as tests do
        finally:
            writer.close()

    def cut(self) -> None:
        """Ends every connection that there is."""
        for writer in self._streams:
            writer.transport.abort()
        self._streams.clear()


@asynccontextmanager
async def proxy_to(url: str) -> AsyncGenerator[Proxy]:
    host, _, port = url.removeprefix("redis://").partition("/")[0].partition(":")
    proxy = Proxy(host, int(port))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        proxy.cut()
        server.close()
        await server.wait_closed()

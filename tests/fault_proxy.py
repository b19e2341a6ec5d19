"""A TCP proxy before a real server, whose faults a test chooses.

Faults of the whole server (`refuse`, `reset`, `hang`, `delay_s`, `garbles`, `loses_answers`, another
`upstream`) last until the test ends them; a trap strikes the connections whose data holds its words, such as
the name that only one write carries.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

_CHUNK_BYTES = 1 << 16

GARBAGE = b"\x00\x03\xff\xfe\xfd\x00\x00HTTP/1.1 418 no\r\n\r\n"
"""No RESP; in Bolt a whole message that is none."""


class Strike(StrEnum):
    """What a trap does with the data that it waits for."""

    CUT_BEFORE_SEND = "CUT_BEFORE_SEND"
    """The server never gets it."""
    CUT_AFTER_SEND = "CUT_AFTER_SEND"
    """The server gets it together with the end of the connection."""
    LOSE_ANSWER = "LOSE_ANSWER"
    """The server gets it; what it answers on this connection is thrown away until `cut`."""
    ANSWER = "ANSWER"
    """The client gets `answer`, the server nothing."""


@dataclass(slots=True, eq=False)
class _Pair:
    """Both ends of one connection through the proxy."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    loses_answers: bool = False

    def abort(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()


@dataclass(slots=True)
class Trap:
    words: bytes
    strike: Strike
    answer: bytes = b""
    once: bool = True
    """Else it stays set for every message with these words."""
    sprung: asyncio.Event = field(default_factory=asyncio.Event)
    caught: set[_Pair] = field(default_factory=set[_Pair])

    def cut(self) -> None:
        """Ends the connections that it has struck."""
        for pair in tuple(self.caught):
            pair.abort()


class FaultProxy:
    """Passes bytes on until it is told otherwise."""

    def __init__(self, url: str) -> None:
        """`url`: of the server, redis://host:port/0 or bolt://host:port."""
        parts = urlsplit(url)
        self._scheme = parts.scheme
        self.upstream = (parts.hostname or "", parts.port or 0)
        """Where new connections lead."""
        self.delay_s = 0.0
        """Each piece of an answer comes so much later."""
        self.resets = False
        """Connections are accepted and reset at once."""
        self.garbles = False
        """Whatever is sent is answered with GARBAGE and does not reach the server."""
        self.loses_answers = False
        """Commands reach the server; what it answers is thrown away."""
        self.lost = asyncio.Event()
        """An answer was thrown away."""
        self.accepted = 0
        """Connections so far."""
        self.traps: list[Trap] = []
        self._flows = asyncio.Event()
        self._flows.set()
        self._pairs: set[_Pair] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._port}"

    async def listen(self) -> None:
        """On the same port again after `refuse`."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Ends every connection and refuses new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    def hang(self) -> None:
        """Accepts connections and commands, passes nothing on and answers nothing, until `resume`."""
        self._flows.clear()

    def resume(self) -> None:
        """What was held back meanwhile is passed on."""
        self._flows.set()

    def cut(self) -> None:
        """Ends every connection that there is."""
        for pair in tuple(self._pairs):
            pair.abort()

    async def heal(self) -> None:
        """Ends all faults, and the connections that lose answers."""
        self.delay_s = 0.0
        self.resets = self.garbles = self.loses_answers = False
        self.traps.clear()
        for pair in tuple(self._pairs):
            if pair.loses_answers:
                pair.abort()
        self.resume()
        if self._server is None:
            await self.listen()

    def trap(self, words: str, strike: Strike, *, answer: bytes = b"", once: bool = True) -> Trap:
        """Waits for the next message of a client that holds these words."""
        trap = Trap(words.encode(), strike, answer, once)
        self.traps.append(trap)
        return trap

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.resets:
            writer.transport.abort()
            return
        try:
            up_reader, up_writer = await asyncio.open_connection(*self.upstream)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(writer, up_writer)
        self._pairs.add(pair)
        try:
            await asyncio.gather(self._commands(reader, pair), self._answers(up_reader, pair))
        finally:
            self._pairs.discard(pair)

    async def _commands(self, reader: asyncio.StreamReader, pair: _Pair) -> None:
        try:
            while data := await reader.read(_CHUNK_BYTES):
                await self._flows.wait()
                if self.garbles:
                    pair.client.write(GARBAGE)
                elif (trap := self._sprung_by(data)) is None:
                    pair.server.write(data)
                    await pair.server.drain()
                else:
                    await self._strike(trap, data, pair)
        except OSError:
            pass  # an end was reset, as tests do
        finally:
            pair.server.close()

    async def _answers(self, reader: asyncio.StreamReader, pair: _Pair) -> None:
        try:
            while data := await reader.read(_CHUNK_BYTES):
                await self._flows.wait()
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if self.loses_answers or pair.loses_answers:
                    self.lost.set()
                else:
                    pair.client.write(data)
                    await pair.client.drain()
        except OSError:
            pass  # an end was reset, as tests do
        finally:
            pair.client.close()

    def _sprung_by(self, data: bytes) -> Trap | None:
        trap = next((trap for trap in self.traps if trap.words in data), None)
        if trap is not None and trap.once:
            self.traps.remove(trap)
        return trap

    async def _strike(self, trap: Trap, data: bytes, pair: _Pair) -> None:
        trap.caught.add(pair)
        match trap.strike:
            case Strike.CUT_BEFORE_SEND:
                pair.abort()
            case Strike.CUT_AFTER_SEND:
                pair.server.write(data)
                await pair.server.drain()
                pair.client.transport.abort()
            case Strike.LOSE_ANSWER:
                pair.loses_answers = True
                pair.server.write(data)
                await pair.server.drain()
            case Strike.ANSWER:
                pair.client.write(trap.answer)
        trap.sprung.set()


@asynccontextmanager
async def proxy_to(url: str) -> AsyncGenerator[FaultProxy]:
    """A proxy on a free port; `url` as for FaultProxy."""
    proxy = FaultProxy(url)
    await proxy.listen()
    try:
        yield proxy
    finally:
        proxy.resume()
        await proxy.refuse()

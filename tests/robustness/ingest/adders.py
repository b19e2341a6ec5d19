"""Clients that add episodes, each those of its own groups and in their order, until every one is accepted."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

import grpc

from gateway.loopback.client import GatewayClient
from graphgate.v1 import graph_pb2
from graphgate.v1 import ingest_service_pb2 as pb
from tests.robustness.ingest.episodes import Episode
from tests.robustness.ingest.history import EpisodeHistory
from tests.robustness.timeline import Clock
from tests.robustness.traffic.caller import Caller, CallLog, reason_of

BULK_MAX = 40
STREAM_S = (2.0, 10.0)
"""A client ends its stream after so long, acks or not, and resumes it with any gateway."""
SILENCE_S_MAX = 10.0
"""A stream on which no ack comes for so long is made anew."""
_PAUSE_S = 0.1
_LOOK_S = 0.02


type _Call = grpc.aio.StreamStreamCall[pb.StreamEpisodesRequest, pb.StreamEpisodesResponse]


class Way(StrEnum):
    ONE = "ONE"
    """AddEpisode."""
    BULK = "BULK"
    """AddEpisodes."""
    STREAM = "STREAM"
    """StreamEpisodes."""


@dataclass(slots=True)
class Book:
    """What is known of one episode so far."""

    episode: Episode
    due_s: float
    """Not before that."""
    acks: list[str] = field(default_factory=list[str])
    refusals: list[str] = field(default_factory=list[str])

    @property
    def settled(self) -> bool:
        return bool(self.acks or self.refusals)

    def history(self) -> EpisodeHistory:
        return EpisodeHistory(self.episode, tuple(self.acks), tuple(self.refusals))


class Adder:
    def __init__(
        self,
        name: str,
        way: Way,
        books: Sequence[Book],
        gateways: Sequence[GatewayClient],
        clock: Clock,
        log: CallLog,
        rng: Random,
    ) -> None:
        self.books = books
        self.streams = 0
        """Connections of its stream."""
        self._name = name
        self._way = way
        self._gateways = gateways
        self._clock = clock
        self._log = log
        self._rng = rng
        self._caller = Caller(gateways, clock, log, rng)

    async def run(self) -> None:
        """Returns when every episode is accepted or refused for good."""
        match self._way:
            case Way.ONE:
                for book in self.books:
                    await self._one(book)
            case Way.BULK:
                await self._bulk()
            case Way.STREAM:
                await self._stream()

    async def _until_due(self, book: Book) -> None:
        await asyncio.sleep(max(0.0, book.due_s - self._clock.now_s()))

    # --- AddEpisode, AddEpisodes --------------------------------------------------------------------

    async def _one(self, book: Book) -> None:
        await self._until_due(book)
        asked = _request(book.episode)
        while not book.settled:
            reply = await self._caller.call(
                asked.group_id,
                "AddEpisode",
                lambda client, timeout_s: client.ingest.AddEpisode(asked, timeout=timeout_s),
                creates_group=True,
            )
            if reply.answer is not None:
                book.acks.append(reply.answer.episode_uuid)
            elif reply.refusal:
                book.refusals.append(reply.refusal)

    async def _bulk(self) -> None:
        waiting = deque(self.books)
        while waiting:
            await self._until_due(waiting[0])
            now_s = self._clock.now_s()
            most = self._rng.randint(1, BULK_MAX)
            some = [book for book in list(waiting)[:most] if book.due_s <= now_s]
            for _ in some:
                waiting.popleft()
            while left := [book for book in some if not book.settled]:
                await self._add_all(left)

    async def _add_all(self, books: Sequence[Book]) -> None:
        asked = pb.AddEpisodesRequest(requests=[_request(book.episode) for book in books])
        reply = await self._caller.call(
            books[0].episode.group_id,
            "AddEpisodes",
            lambda client, timeout_s: client.ingest.AddEpisodes(asked, timeout=timeout_s),
            creates_group=True,
        )
        if reply.answer is None:
            for book in books:
                book.refusals += [reply.refusal] if reply.refusal else []
            return
        for book, result in zip(books, reply.answer.results, strict=True):
            if result.WhichOneof("result") == "response":
                book.acks.append(result.response.episode_uuid)
            else:
                self._refused(book, result.error)
        if not all(book.settled for book in books):
            await asyncio.sleep(_PAUSE_S)

    def _refused(self, book: Book, error: pb.EpisodeError) -> None:
        self._log.errors[error.reason] += 1
        if not error.retryable:
            book.refusals.append(error.reason)

    # --- StreamEpisodes -----------------------------------------------------------------------------

    async def _stream(self) -> None:
        while not all(book.settled for book in self.books):
            await self._until_due(next(book for book in self.books if not book.settled))
            self.streams += 1
            try:
                async with asyncio.timeout(self._rng.uniform(*STREAM_S)):
                    await self._connection(self._rng.choice(self._gateways))
            except grpc.aio.AioRpcError as error:
                self._log.errors[f"STREAM_{reason_of(error)}"] += 1
            except TimeoutError:
                continue
            except asyncio.InvalidStateError:
                # What the library says when a stream breaks between two calls of it.
                self._log.errors["STREAM_BROKEN"] += 1
            await asyncio.sleep(_PAUSE_S)

    async def _connection(self, gateway: GatewayClient) -> None:
        """Offsets are the places of the episodes, from 1."""
        call = gateway.ingest.StreamEpisodes()
        allowed = asyncio.Semaphore(0)
        sending: asyncio.Task[None] | None = None
        try:
            start = pb.StreamEpisodesRequest.Start(stream_id=self._name)
            await call.write(pb.StreamEpisodesRequest(start=start))
            while (answer := await self._next(call)) is not None:
                if answer.WhichOneof("message") == "started":
                    reached = answer.started.resume_offset
                    # What it says has had its ack, whether that was heard or not.
                    for book in self.books[:reached]:
                        if not book.settled:
                            book.acks.append("")
                    given = answer.started.credits
                    sending = asyncio.create_task(self._send(call, reached, allowed))
                else:
                    self._acknowledged(answer.ack)
                    given = answer.ack.credits
                for _ in range(given):
                    allowed.release()
        finally:
            call.cancel()
            if sending is not None:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    async def _next(self, call: _Call) -> pb.StreamEpisodesResponse | None:
        """None: the gateway has answered all."""
        async with asyncio.timeout(SILENCE_S_MAX):
            answer = await call.read()
        return answer if isinstance(answer, pb.StreamEpisodesResponse) else None

    async def _send(self, call: _Call, reached: int, allowed: asyncio.Semaphore) -> None:
        for offset in range(reached + 1, len(self.books) + 1):
            book = self.books[offset - 1]
            await self._until_due(book)
            await allowed.acquire()
            item = pb.StreamEpisodesRequest.Item(offset=offset, request=_request(book.episode))
            await call.write(pb.StreamEpisodesRequest(item=item))
        await call.done_writing()

    def _acknowledged(self, ack: pb.StreamEpisodesResponse.Ack) -> None:
        book = self.books[ack.offset - 1]
        if ack.WhichOneof("result") == "response":
            book.acks.append(ack.response.episode_uuid)
        else:
            self._refused(book, ack.error)


def _request(episode: Episode) -> pb.AddEpisodeRequest:
    return pb.AddEpisodeRequest(
        group_id=episode.group_id,
        request_id=episode.op_id,
        mode=pb.EXTRACTION_MODE_LLM,
        episode=graph_pb2.Episode(uuid=episode.uuid, content=episode.content),
    )

"""One connection of StreamEpisodes: offsets, acks in their order, credits.

Items that have come while the last ones were being accepted are accepted together, in one round trip. Nothing
is read beyond the credits given, so that a client that is faster than the queue waits, and the gateway holds
no more than STREAM_CREDITS items of it.

The offset after which a client resumes never passes a refusal that it may not have heard: nothing else would
tell it. What is accepted needs no such care. An ack was heard once the client has used its credit.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator

from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from gateway.ingest.errors import CreditsExceeded, QueueFull, QueueUnavailable
from gateway.ingest.intake import Intake
from gateway.ingest.queue.status import Status
from gateway.rpc.call import CallLimits
from gateway.rpc.episode_adding import AddedEpisode, EpisodeAdding
from gateway.rpc.episode_messages import added_message, error_message
from gateway.rpc.validation import InvalidRequest, Violations
from graphgate.v1 import ingest_service_pb2 as pb

STREAM_CREDITS = 64
_RETRY_S = 0.5
_RETRY_S_MAX = 5.0

type Item = pb.StreamEpisodesRequest.Item


class EpisodeStream:
    def __init__(self, adding: EpisodeAdding, intake: Intake, limits: CallLimits) -> None:
        self._adding = adding
        self._intake = intake
        self._limits = limits
        self._items: asyncio.Queue[Item | GraphgateError | None] = asyncio.Queue(STREAM_CREDITS + 2)
        self._unacknowledged = 0
        self._last_offset = 0
        self._received = 0
        self._resume = ResumePoint()
        self._noted = 0

    async def answers(
        self, requests: AsyncIterator[pb.StreamEpisodesRequest]
    ) -> AsyncGenerator[pb.StreamEpisodesResponse]:
        """Raises InvalidRequest, CreditsExceeded, and QueueUnavailable before the first item."""
        stream_id = _started(await anext(requests, None))
        self._noted = reached = await self._intake.stream_reached(stream_id, self._soon())
        yield pb.StreamEpisodesResponse(
            started=pb.StreamEpisodesResponse.Started(resume_offset=reached, credits=STREAM_CREDITS)
        )
        reader = asyncio.create_task(self._read(requests))
        try:
            while (batch := await self._batch()) is not None:
                added = await self._added(stream_id, batch)
                for item, one in zip(batch, added, strict=True):
                    self._unacknowledged -= 1
                    yield pb.StreamEpisodesResponse(ack=_ack(item.offset, one))
                    self._resume.acknowledged(item.offset, refused=isinstance(one, GraphgateError))
                await self._note(stream_id)
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _read(self, requests: AsyncIterator[pb.StreamEpisodesRequest]) -> None:
        """Ends with None, or with why the stream breaks the rules."""
        try:
            async for message in requests:
                item = self._checked(message)
                self._received += 1
                self._unacknowledged += 1
                if self._unacknowledged > STREAM_CREDITS:
                    raise CreditsExceeded(STREAM_CREDITS)
                await self._items.put(item)
            await self._items.put(None)
        except GraphgateError as error:
            await self._items.put(error)

    def _checked(self, message: pb.StreamEpisodesRequest) -> Item:
        """Raises InvalidRequest."""
        v = Violations()
        if message.WhichOneof("message") != "item":
            v.add("item", "is required in every message after the first")
        elif message.item.offset <= self._last_offset:
            v.add("item.offset", f"must be above {self._last_offset}, got {message.item.offset}")
        elif message.item.request.wait:
            v.add("item.request.wait", "is only used in AddEpisode")
        v.raise_if_any()
        self._last_offset = message.item.offset
        return message.item

    async def _batch(self) -> list[Item] | None:
        """What has come, at least one item; None: the client has sent all. Raises what broke the rules, once
        everything before it has had its ack."""
        first = await self._items.get()
        if first is None:
            return None
        if isinstance(first, GraphgateError):
            raise first
        batch = [first]
        while not self._items.empty():
            following = self._items.get_nowait()
            if following is None or isinstance(following, GraphgateError):
                self._items.put_nowait(following)
                break
            batch.append(following)
        return batch

    async def _added(self, stream_id: str, batch: list[Item]) -> list[AddedEpisode]:
        """While the queue has no room or does not answer, the client waits for its acks."""
        found: dict[int, AddedEpisode] = {}
        left = list(range(len(batch)))
        pause_s = _RETRY_S
        while left:
            added = await self._adding.add(
                [batch[at].request for at in left],
                Deadline.after(self._limits.deadline_s_default),
                [_op_id(stream_id, batch[at].offset) for at in left],
            )
            kept_out = [
                at
                for at, one in zip(left, added, strict=True)
                if isinstance(one, QueueFull | QueueUnavailable)
            ]
            # Behind one that has to wait nothing of its batch overtakes it.
            first_out = kept_out[0] if kept_out else len(batch)
            found |= {at: one for at, one in zip(left, added, strict=True) if at < first_out}
            left = [at for at in left if at >= first_out]
            if left:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _RETRY_S_MAX)
        return [found[at] for at in range(len(batch))]

    async def _note(self, stream_id: str) -> None:
        offset = self._resume.offset(self._received)
        if offset <= self._noted:
            return
        try:
            await self._intake.note_stream(stream_id, offset, self._soon())
        except QueueUnavailable:
            # A client that resumes sends some items again, which is safe.
            return
        self._noted = offset

    def _soon(self) -> Deadline:
        return Deadline.after(self._limits.deadline_s_default)


class ResumePoint:
    """The offset after which the client goes on when this connection breaks; 0: none yet."""

    def __init__(self) -> None:
        self._acks = 0
        self._last_offset = 0
        self._unheard: deque[tuple[int, int]] = deque()
        """Of each refusal: the number of its ack, and the offset before it."""

    def acknowledged(self, offset: int, *, refused: bool) -> None:
        """In the order of the acks."""
        self._acks += 1
        if refused:
            self._unheard.append((self._acks, self._last_offset))
        self._last_offset = offset

    def offset(self, received: int) -> int:
        """`received`: items that have come so far; never lower than before."""
        heard = received - STREAM_CREDITS
        while self._unheard and self._unheard[0][0] <= heard:
            self._unheard.popleft()
        return self._unheard[0][1] if self._unheard else self._last_offset


def _started(message: pb.StreamEpisodesRequest | None) -> str:
    """Raises InvalidRequest."""
    v = Violations()
    if message is None or message.WhichOneof("message") != "start":
        raise InvalidRequest([("start", "is required in the first message")])
    if not v.request_id("start.stream_id", message.start.stream_id):
        v.add("start.stream_id", "must not be empty")
    v.raise_if_any()
    return message.start.stream_id


def _op_id(stream_id: str, offset: int) -> str:
    return f"stream-{hashlib.blake2b(f'{stream_id}/{offset}'.encode(), digest_size=16).hexdigest()}"


def _ack(offset: int, added: AddedEpisode) -> pb.StreamEpisodesResponse.Ack:
    match added:
        case GraphgateError():
            return pb.StreamEpisodesResponse.Ack(offset=offset, error=error_message(added), credits=1)
        case Status():
            return pb.StreamEpisodesResponse.Ack(offset=offset, response=added_message(added), credits=1)
        case _:
            return pb.StreamEpisodesResponse.Ack(offset=offset, response=added, credits=1)

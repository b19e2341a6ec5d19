"""Where a broken stream goes on: never behind a refusal that its client may not have heard."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest

from drivers.deadline import Deadline
from gateway.ingest.errors import EpisodeUnknown
from gateway.ingest.intake import Intake
from gateway.ingest.queue.status import EpisodeState, Status
from gateway.rpc.call import CallLimits
from gateway.rpc.episode_adding import AddedEpisode, EpisodeAdding
from gateway.rpc.episode_stream import STREAM_CREDITS, EpisodeStream
from graphgate.v1 import graph_pb2
from graphgate.v1 import ingest_service_pb2 as pb

LIMITS = CallLimits(deadline_s_default=10, deadline_s_max=10, reply_bytes_max=1 << 20)
STREAM = "stream"


class Adding:
    """Refuses what is bad."""

    async def add(
        self, requests: Sequence[pb.AddEpisodeRequest], deadline: Deadline, op_ids: Sequence[str] = ()
    ) -> Sequence[AddedEpisode]:
        return [
            EpisodeUnknown("g", op_id)
            if request.episode.content == "bad"
            else Status("g", op_id, "uuid", EpisodeState.ACCEPTED, 1, 1)
            for request, op_id in zip(requests, op_ids, strict=True)
        ]


class Offsets:
    """What Redis keeps of streams."""

    def __init__(self) -> None:
        self.reached: dict[str, int] = {}

    async def stream_reached(self, stream_id: str, deadline: Deadline) -> int:
        return self.reached.get(stream_id, 0)

    async def note_stream(self, stream_id: str, offset: int, deadline: Deadline) -> None:
        self.reached[stream_id] = max(offset, self.reached.get(stream_id, 0))


async def connection(offsets: Offsets, items: Sequence[int], bad: int) -> tuple[int, list[int]]:
    """The resume offset that it begins with, and the offsets that were refused. The client sends as long as
    it has credits and hears everything; item `bad` is refused."""
    allowed = asyncio.Semaphore(0)

    async def sent() -> AsyncIterator[pb.StreamEpisodesRequest]:
        yield pb.StreamEpisodesRequest(start=pb.StreamEpisodesRequest.Start(stream_id=STREAM))
        for offset in items:
            await allowed.acquire()
            episode = graph_pb2.Episode(content="bad" if offset == bad else "good")
            request = pb.AddEpisodeRequest(group_id="g", mode=pb.EXTRACTION_MODE_LLM, episode=episode)
            item = pb.StreamEpisodesRequest.Item(offset=offset, request=request)
            yield pb.StreamEpisodesRequest(item=item)

    stream = EpisodeStream(cast("EpisodeAdding", Adding()), cast("Intake", offsets), LIMITS)
    began, refusals = -1, list[int]()
    async for answer in stream.answers(sent()):
        if answer.WhichOneof("message") == "started":
            began = answer.started.resume_offset
            given = answer.started.credits
        else:
            given = answer.ack.credits
            if answer.ack.WhichOneof("result") == "error":
                refusals.append(answer.ack.offset)
        for _ in range(given):
            allowed.release()
    return began, refusals


async def test_a_refusal_is_told_again_until_its_credit_is_used() -> None:
    """The client may have broken off before it heard of it, with all later items accepted."""
    offsets = Offsets()
    assert await connection(offsets, range(1, 6), bad=3) == (0, [3])
    assert await connection(offsets, range(3, 30), bad=3) == (2, [3])
    assert await connection(offsets, range(3, 4), bad=3) == (2, [3])


@pytest.mark.parametrize("bad", [1, 3, STREAM_CREDITS])
async def test_the_offset_passes_a_refusal_that_was_heard(bad: int) -> None:
    """An item that the client could only send with the credit of that ack."""
    for last, reached in ((bad + STREAM_CREDITS - 1, bad - 1), (bad + STREAM_CREDITS, bad + STREAM_CREDITS)):
        offsets = Offsets()
        assert await connection(offsets, range(1, last + 1), bad) == (0, [bad])
        assert await connection(offsets, [], bad) == (reached, [])


async def test_a_client_that_goes_on_behind_a_refusal_has_heard_it() -> None:
    offsets = Offsets()
    await connection(offsets, range(1, 6), bad=3)
    assert await connection(offsets, range(6, 9), bad=3) == (2, [])
    assert await connection(offsets, [], bad=3) == (8, [])

"""Readers of change feeds: each follows one group through any gateway, and goes on after every break."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from random import Random

import grpc

from gateway.loopback.client import GatewayClient
from graphgate.v1 import graph_service_pb2
from tests.robustness.model.history import Change, Feed, FeedPiece
from tests.robustness.timeline import Clock
from tests.robustness.traffic.caller import CallLog, reason_of
from tests.robustness.traffic.requests import entity_seen, fact_seen

FINISH_S_MAX = 60.0
"""For all readers together to reach the last versions."""
_STREAM_S = (2.0, 12.0)
"""A reader ends its call after so long and makes another one, with any gateway."""
_SILENCE_S_MAX = 12.0
"""A stream that sends nothing for so long, with a piece due every 10 s, is made anew."""
_PAUSE_S = 0.1
_LOOK_S = 0.05
_ANEW = "CHANGES_PRUNED"


class FeedReader:
    def __init__(
        self,
        name: str,
        group_id: str,
        after_version: int,
        gateways: Sequence[GatewayClient],
        clock: Clock,
        log: CallLog,
        rng: Random,
    ) -> None:
        self.group_id = group_id
        self.position = after_version
        self._name = name
        self._gateways = gateways
        self._clock = clock
        self._log = log
        self._rng = rng
        self._pieces: list[FeedPiece] = []
        self._streams = 0
        self._anew = 0

    @property
    def feed(self) -> Feed:
        return Feed(self._name, self.group_id, tuple(self._pieces), self._anew)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            self._streams += 1
            call = self._rng.choice(self._gateways).graph.Watch(
                graph_service_pb2.WatchRequest(group_id=self.group_id, after_version=self.position),
                timeout=self._rng.uniform(*_STREAM_S),
            )
            try:
                await self._read(call)
            except grpc.aio.AioRpcError as error:
                self._ended(error)
            except TimeoutError:
                self._log.errors["WATCH_SILENT"] += 1
            finally:
                call.cancel()
            await asyncio.sleep(_PAUSE_S)

    async def _read(
        self,
        call: "grpc.aio.UnaryStreamCall[graph_service_pb2.WatchRequest, graph_service_pb2.WatchResponse]",
    ) -> None:
        answers = aiter(call)
        while True:
            async with asyncio.timeout(_SILENCE_S_MAX):
                answer = await anext(answers, None)
            if answer is None:
                return
            self._pieces.append(
                FeedPiece(
                    self._streams,
                    self.position,
                    answer.position,
                    _changes(answer),
                    self._clock.now_s(),
                )
            )
            self.position = max(self.position, answer.position)

    def _ended(self, error: grpc.aio.AioRpcError) -> None:
        reason = reason_of(error)
        if reason == _ANEW:
            self._anew += 1
            self._pieces.clear()
            self.position = 0
        elif error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
            self._log.errors[f"WATCH_{reason}"] += 1


async def until_read(readers: Sequence[FeedReader], versions: Mapping[str, int]) -> None:
    """Returns when every reader has reached its group's version, or the time is over."""
    deadline = time.monotonic() + FINISH_S_MAX
    while time.monotonic() < deadline:
        if all(reader.position >= versions.get(reader.group_id, 0) for reader in readers):
            return
        await asyncio.sleep(_LOOK_S)


def _changes(answer: graph_service_pb2.WatchResponse) -> tuple[Change, ...]:
    return (
        *(Change(entity.uuid, entity.version, entity_seen(entity)) for entity in answer.entities),
        *(Change(fact.uuid, fact.version, fact_seen(fact)) for fact in answer.facts),
        *(Change(row.uuid, row.version, None) for row in answer.deleted),
    )

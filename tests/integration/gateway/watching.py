"""A client that follows a group and keeps what it is told."""

import asyncio
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import grpc

from graphgate.v1 import graph_service_pb2
from tests.eventually import eventually
from tests.integration.gateway.conftest import Client

LISTS = (
    "entities",
    "facts",
    "episodes",
    "mentions",
    "communities",
    "memberships",
    "sagas",
    "saga_places",
    "episode_links",
)


@dataclass(slots=True)
class Replica:
    """Of all kinds of rows. A watch of a group goes into it until it is left."""

    client: Client
    group_id: str
    position: int = 0
    rows: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """Versions of what the group has, by list and uuid."""
    told: list[tuple[str, str, int]] = field(default_factory=list[tuple[str, str, int]])
    """List, uuid and version of everything, in the order of the stream."""
    ended: grpc.aio.AioRpcError | None = None
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def reaches(self, version: int) -> None:
        """Raises AssertionError when it does not, or has ended."""
        await eventually(lambda: self.position >= version or self.ended is not None, timeout_s=120)
        assert self.ended is None, self.ended.details()

    async def _follow(self) -> None:
        request = graph_service_pb2.WatchRequest(group_id=self.group_id, after_version=self.position)
        call: Any = self.client.graph.Watch(request)
        try:
            async for answer in call:
                self._take(answer)
        except grpc.aio.AioRpcError as error:
            self.ended = error

    def _take(self, answer: graph_service_pb2.WatchResponse) -> None:
        assert answer.position >= self.position
        before = self.position
        for name in LISTS:
            for row in getattr(answer, name):
                assert row.version > before
                self.rows[name, row.uuid] = row.version
                self.told.append((name, row.uuid, row.version))
        for gone in answer.deleted:
            assert gone.version > before
            for name in LISTS:
                if self.rows.get((name, gone.uuid), gone.version) < gone.version:
                    del self.rows[name, gone.uuid]
            self.told.append(("deleted", gone.uuid, gone.version))
        self.position = answer.position

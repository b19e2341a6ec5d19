"""The three ways to write that are compared, behind one interface."""

import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import EmbeddingSpec, Fence, FenceState, GroupRef, KindStats
from drivers.graph_model import Entity, Fact, Kind
from drivers.write_plan import OpRecord, RowPut, VectorChange, WritePlan, WriteStatus
from gateway.bench.errors import BenchWriteRefused
from gateway.bench.random_rows import DIMENSION
from gateway.loopback.client import GatewayClient
from graphgate.v1 import graph_pb2, graph_service_pb2

WRITE_TIMEOUT_S = 30.0
MODEL = "random-unit"
"""Name of the model that the vectors are said to be from."""

type Rows = Sequence[Entity] | Sequence[Fact]
"""One batch, all of one kind."""
type Send = Callable[[], Awaitable[None]]
"""Writes one batch that is ready."""


class BareLoop(Protocol):
    """drivers/<engine>/bare_loop.py."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def write(self, group_id: str, rows: Rows, now: int, deadline: Deadline) -> None: ...


class Variant(Protocol):
    def prepare(self, group_id: str, rows: Rows) -> Send:
        """Everything that a client does before it sends; not timed. Batches of a group are sent in order."""
        ...


class ThroughGateway:
    """WriteGraph over gRPC to a gateway process."""

    def __init__(self, client: GatewayClient, model: str = MODEL) -> None:
        """`model`: name of the one that made the vectors."""
        self._client = client
        self._model = model

    def prepare(self, group_id: str, rows: Rows) -> Send:
        request = graph_service_pb2.WriteGraphRequest(
            group_id=group_id, request_id=str(uuid.uuid4()), embedding_model=self._model
        )
        for row in rows:
            assert row.embedding is not None, row.uuid
            vector = row.embedding.tolist()
            if isinstance(row, Entity):
                request.entities.append(
                    graph_pb2.Entity(uuid=row.uuid, name=row.name, summary=row.summary, embedding=vector)
                )
            else:
                request.facts.append(
                    graph_pb2.Fact(
                        uuid=row.uuid,
                        source_uuid=row.source_uuid,
                        target_uuid=row.target_uuid,
                        name=row.name,
                        fact=row.fact,
                        embedding=vector,
                    )
                )

        async def send() -> None:
            await self._client.graph.WriteGraph(request, timeout=WRITE_TIMEOUT_S)

        return send


class ThroughDriver:
    """ShardDriver.apply() in this process: fence, version, guards, operation record; no gRPC, no planning."""

    def __init__(self, driver: ShardDriver) -> None:
        self._driver = driver
        self._fences: dict[str, Fence] = {}

    async def create_groups(self, group_ids: Sequence[str]) -> None:
        for group_id in group_ids:
            fence = Fence(group_id, epoch=1, state=FenceState.OPEN, created_at=_now())
            self._fences[group_id] = await self._driver.create_fence(fence, Deadline.after(WRITE_TIMEOUT_S))

    def prepare(self, group_id: str, rows: Rows) -> Send:
        puts = tuple(RowPut(row, existed=False, vector=VectorChange.SET) for row in rows)
        kind = Kind.FACT if isinstance(rows[0], Fact) else Kind.ENTITY
        ends = {end for row in rows if isinstance(row, Fact) for end in (row.source_uuid, row.target_uuid)}
        stats = {kind: KindStats(len(rows), sum(row.term_count for row in rows))}

        async def send() -> None:
            fence = self._fences[group_id]
            plan = WritePlan(
                epoch=fence.epoch,
                operation=OpRecord(str(uuid.uuid4()), content_hash="0" * 32, result="{}"),
                puts=puts,
                drops=(),
                seen_version=fence.version,
                existing={},
                endpoints={Kind.ENTITY: sorted(ends)} if ends else {},
                incident_edges=0,
                stats=stats,
                embeddings_seen=fence.embeddings,
                embeddings={**fence.embeddings, kind: EmbeddingSpec(MODEL, DIMENSION)},
                now=_now(),
            )
            deadline = Deadline.after(WRITE_TIMEOUT_S)
            outcome = await self._driver.apply(GroupRef(group_id), plan, deadline)
            if outcome.status is not WriteStatus.APPLIED or outcome.fence is None:
                raise BenchWriteRefused(group_id, outcome.status)
            self._fences[group_id] = outcome.fence

        return send


class ThroughBareLoop:
    """The engine's floor: a bare UNWIND and MERGE."""

    def __init__(self, loop: BareLoop) -> None:
        self._loop = loop

    def prepare(self, group_id: str, rows: Rows) -> Send:
        async def send() -> None:
            await self._loop.write(group_id, rows, _now(), Deadline.after(WRITE_TIMEOUT_S))

        return send


def _now() -> int:
    return time.time_ns() // 1_000

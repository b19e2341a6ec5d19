"""Sends writes, repeats what was not acknowledged, and remembers what was."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import grpc

from gateway.corpus.write_calls import WriteCall
from gateway.loopback.client import GatewayClient
from gateway.loopback.retry import until_acknowledged
from graphgate.v1 import graph_pb2, graph_service_pb2

CALLS_RUNNING_MAX = 8
ATTEMPT_TIMEOUT_S = 15.0


class Journal:
    """Rows that the gateway has acknowledged."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, graph_pb2.RowKind], set[str]] = {}
        """uuids by group and kind."""

    def record(self, group_id: str, results: Iterable[graph_service_pb2.RowResult]) -> None:
        for result in results:
            self.rows.setdefault((group_id, result.kind), set()).add(result.uuid)

    def count(self, kind: graph_pb2.RowKind) -> int:
        return sum(len(uuids) for (_, row_kind), uuids in self.rows.items() if row_kind == kind)

    @property
    def total(self) -> int:
        return sum(map(len, self.rows.values()))


@dataclass(frozen=True, slots=True)
class PhaseTiming:
    calls: int
    rows: int
    """As sent: a row that was written twice counts twice."""
    wall_s: float
    retries: int

    @property
    def rows_per_s(self) -> float:
        return self.rows / self.wall_s if self.wall_s else 0.0


class Writer:
    """Writes of one group go one after the other, those of several groups side by side."""

    def __init__(self, client: GatewayClient, journal: Journal) -> None:
        self._client = client
        self._journal = journal
        self.running = 0
        """Calls that are waiting for their answer."""
        self.retries = 0

    async def run(
        self, groups: Iterable[Sequence[WriteCall]], on_acknowledged: Callable[[WriteCall], None]
    ) -> PhaseTiming:
        """Returns when every call is acknowledged. Raises RetriesExhausted and AioRpcError."""
        waiting = deque(calls for calls in groups if calls)
        calls = sum(map(len, waiting))
        rows = sum(call.rows for group in waiting for call in group)
        retries_before, started = self.retries, time.monotonic()

        async def work() -> None:
            while waiting:
                for call in waiting.popleft():
                    await self._send(call)
                    on_acknowledged(call)

        async with asyncio.TaskGroup() as workers:
            for _ in range(CALLS_RUNNING_MAX):
                workers.create_task(work())
        return PhaseTiming(calls, rows, time.monotonic() - started, self.retries - retries_before)

    async def _send(self, call: WriteCall) -> None:
        request = call.build()

        async def attempt() -> Iterable[graph_service_pb2.RowResult]:
            self.running += 1
            try:
                if isinstance(request, graph_service_pb2.WriteGraphRequest):
                    answer = await self._client.graph.WriteGraph(request, timeout=ATTEMPT_TIMEOUT_S)
                else:
                    answer = await self._client.ingest.AddEpisode(request, timeout=ATTEMPT_TIMEOUT_S)
            finally:
                self.running -= 1
            return answer.rows

        self._journal.record(
            call.group_id, await until_acknowledged(attempt, call.request_id, self._count_retry)
        )

    def _count_retry(self, _: grpc.aio.AioRpcError) -> None:
        self.retries += 1

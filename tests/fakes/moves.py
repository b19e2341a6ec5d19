"""Moves that nobody does: a test says how far they have come. And a gateway over real gRPC that has them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import grpc
from google.longrunning import operations_pb2_grpc

from drivers.deadline import Deadline
from drivers.fence import Fence, FenceState
from gateway.rpc.admin_service import AdminService
from gateway.rpc.admission import Admission, AdmissionLimits
from gateway.rpc.call import CallLimits
from gateway.rpc.interceptor import Rim, RimLimits
from gateway.rpc.move_service import MoveCalls
from gateway.rpc.operations_service import OperationsService
from graphgate.v1 import admin_service_pb2_grpc
from shard_router.errors import GroupNotFound, MoveCommitted, MoveNotCommitted, MoveNotFound
from shard_router.moves.digest import VerifyReport, VerifyRequest
from shard_router.moves.record import AFTER_COMMIT, MoveKind, MovePhase, MoveRecord, MoveRequest

REVERSE_WINDOW_S = 600.0
NOW_US = 1_700_000_000_000_000


@dataclass(slots=True)
class FakeMoves:
    """As shard_router.moves.moves.Moves, of which it has the public methods that services call."""

    records: dict[str, MoveRecord] = field(default_factory=dict[str, MoveRecord])
    """By move_id, the oldest first."""
    begun: list[MoveRequest] = field(default_factory=list[MoveRequest])
    verified: list[VerifyRequest] = field(default_factory=list[VerifyRequest])
    report: VerifyReport = field(default_factory=VerifyReport)

    def put(self, move_id: str, **values: Any) -> MoveRecord:
        """A record with these values."""
        defaults: dict[str, Any] = {
            "group_id": "g",
            "source_shard": "a",
            "source_space": "",
            "target_shard": "b",
            "target_space": "",
            "requested_us": NOW_US,
            "updated_us": NOW_US,
        }
        record = MoveRecord(move_id=move_id, **(defaults | values))
        self.records[move_id] = record
        return record

    def now(self, move_id: str, **values: Any) -> None:
        self.records[move_id] = replace(self.records[move_id], **values)

    async def begin(self, request: MoveRequest, deadline: Deadline) -> MoveRecord:
        self.begun.append(request)
        return self.put(
            f"m{len(self.records)}",
            group_id=request.group_id,
            target_shard=request.to_shard,
            request_id=request.request_id,
            reverse_window_s=request.reverse_window_s,
        )

    async def reverse(self, move_id: str, deadline: Deadline) -> MoveRecord:
        self._known(move_id)
        return self.put(f"{move_id}-back", kind=MoveKind.REVERSE, reverses=move_id)

    async def cancel(self, move_id: str, deadline: Deadline) -> MoveRecord:
        if self._known(move_id).committed:
            raise MoveCommitted(move_id)
        self.now(move_id, cancel_requested=True)
        return self.records[move_id]

    async def finish(self, move_id: str, deadline: Deadline) -> MoveRecord:
        record = self._known(move_id)
        if record.phase not in AFTER_COMMIT:
            raise MoveNotCommitted(move_id, record.phase)
        self.now(move_id, phase=MovePhase.CLEANING)
        return self.records[move_id]

    async def get(self, move_id: str, deadline: Deadline) -> MoveRecord | None:
        return self.records.get(move_id)

    async def list(
        self, after: str, limit: int, deadline: Deadline, *, group_id: str = "", active_only: bool = False
    ) -> Sequence[MoveRecord]:
        newest = [
            record
            for record in reversed(self.records.values())
            if group_id in ("", record.group_id) and not (active_only and record.ended)
        ]
        ids = [record.move_id for record in newest]
        begin = ids.index(after) + 1 if after else 0
        return newest[begin : begin + limit]

    async def verify(self, request: VerifyRequest, deadline: Deadline) -> VerifyReport:
        self.verified.append(request)
        return self.report

    def _known(self, move_id: str) -> MoveRecord:
        if move_id not in self.records:
            raise MoveNotFound(move_id)
        return self.records[move_id]


class OneGroup:
    """A router that knows the group g, in the space s of shard a."""

    async def describe_group(self, group_id: str, deadline: Deadline) -> tuple[str, Fence]:
        if group_id != "g":
            raise GroupNotFound(group_id)
        return "a", Fence("g", 1, FenceState.OPEN, space="s")


class NoObserver:
    def rpc_started(self, method: str) -> None: ...

    def rpc_finished(self, method: str, code: str, seconds: float) -> None: ...


@asynccontextmanager
async def serving(moves: FakeMoves) -> AsyncGenerator[str]:
    """A gateway's moves and operations behind its interceptor; its address."""
    limits = CallLimits(deadline_s_default=30, deadline_s_max=60, reply_bytes_max=1 << 20)
    rim = Rim(
        NoObserver(),
        Admission(AdmissionLimits(calls_max=100)),
        RimLimits(message_bytes_max=1 << 20, deadline_s_max=60, call_s_max=60),
    )
    nothing = cast("Any", None)
    calls = MoveCalls(cast("Any", moves), cast("Any", OneGroup()), REVERSE_WINDOW_S)
    server = grpc.aio.server(interceptors=[rim])
    admin_service_pb2_grpc.add_AdminServiceServicer_to_server(
        AdminService(
            fleet=nothing,
            shards=nothing,
            moves=calls,
            catalog=nothing,
            searches=nothing,
            cache=nothing,
            limits=limits,
        ),
        server,
    )
    operations_pb2_grpc.add_OperationsServicer_to_server(
        OperationsService(cast("Any", moves), limits), server
    )
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield address
    finally:
        await server.stop(None)

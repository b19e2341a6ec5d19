"""google.longrunning.Operations over the moves of groups."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from google.longrunning import operations_pb2 as pb
from google.longrunning import operations_pb2_grpc as pb_grpc
from google.protobuf.empty_pb2 import Empty

from drivers.deadline import Deadline
from gateway.rpc import page_token
from gateway.rpc.call import CallLimits, Context, deadline_of
from gateway.rpc.errors import OperationsAreKept
from gateway.rpc.move_messages import NAME_PREFIX, is_done, operation_message
from gateway.rpc.move_service import MOVE_ID_CHARS_MAX
from gateway.rpc.operation_filter import OperationFilter, read_filter
from gateway.rpc.row_reads import page_size
from gateway.rpc.validation import Violations, shown
from shard_router.errors import MoveNotFound
from shard_router.moves.moves import Moves
from shard_router.moves.record import MoveRecord

PARENTS: Final = ("", "operations", "operations/moves")
"""Names of what ListOperations lists: there is nothing but moves."""
SCANNED_MAX: Final = 2_000
"""Records that one page looks through for what its filter wants; a page may have fewer than asked for."""
_SCAN_ROWS: Final = 200
WAIT_POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class _Found:
    records: list[MoveRecord]
    last: str
    """move_id of the last record that was looked at; empty: there are no more."""


# The package has no types for its stubs.
class OperationsService(pb_grpc.OperationsServicer):
    def __init__(self, moves: Moves, limits: CallLimits) -> None:
        self._moves = moves
        self._limits = limits

    async def GetOperation(self, request: pb.GetOperationRequest, context: Context) -> pb.Operation:
        return operation_message(await self._move(request.name, deadline_of(context, self._limits)))

    async def ListOperations(
        self, request: pb.ListOperationsRequest, context: Context
    ) -> pb.ListOperationsResponse:
        v = Violations()
        if request.name not in PARENTS:
            v.add("name", f"must be empty, operations or operations/moves, got {shown(request.name)}")
        if request.return_partial_success:
            v.add("return_partial_success", "must not be set: all records are in one place")
        wanted = read_filter(v, request.filter)
        size = page_size(v, request.page_size)
        belongs = page_token.fingerprint("operations", wanted.group_id, str(wanted.done))
        position = page_token.decode(v, request.page_token, belongs, (str,))
        v.raise_if_any()
        found = await self._scan(
            str(position[0]) if position else "", size, wanted, deadline_of(context, self._limits)
        )
        return pb.ListOperationsResponse(
            operations=[operation_message(record) for record in found.records],
            next_page_token=page_token.encode(belongs, (found.last,)) if found.last else "",
        )

    async def CancelOperation(self, request: pb.CancelOperationRequest, context: Context) -> Empty:
        await self._moves.cancel(_move_id(request.name), deadline_of(context, self._limits))
        return Empty()

    async def WaitOperation(self, request: pb.WaitOperationRequest, context: Context) -> pb.Operation:
        """The latest state when the time is up: that is no error."""
        v = Violations()
        timeout_s = request.timeout.seconds + request.timeout.nanos / 1e9
        if timeout_s < 0:
            v.add("timeout", f"must not be negative, got {timeout_s:g} s")
        v.raise_if_any()
        deadline = deadline_of(context, self._limits)
        until_s = time.monotonic() + deadline.remaining_s() * 0.9
        if request.HasField("timeout"):
            until_s = min(until_s, time.monotonic() + timeout_s)
        while True:
            record = await self._move(request.name, deadline)
            if is_done(record) or time.monotonic() >= until_s:
                return operation_message(record)
            await asyncio.sleep(min(WAIT_POLL_S, max(0.0, until_s - time.monotonic())))

    async def DeleteOperation(self, request: pb.DeleteOperationRequest, context: Context) -> Empty:
        raise OperationsAreKept

    async def _move(self, name: str, deadline: Deadline) -> MoveRecord:
        """Raises InvalidRequest, MoveNotFound."""
        move_id = _move_id(name)
        record = await self._moves.get(move_id, deadline)
        if record is None:
            raise MoveNotFound(move_id)
        return record

    async def _scan(self, after: str, size: int, wanted: OperationFilter, deadline: Deadline) -> _Found:
        found: list[MoveRecord] = []
        for _ in range(SCANNED_MAX // _SCAN_ROWS):
            records = await self._moves.list(
                after,
                _SCAN_ROWS,
                deadline,
                group_id=wanted.group_id,
                # A move that is not done has not ended either.
                active_only=wanted.done is False,
            )
            for record in records:
                after = record.move_id
                if wanted.done in (None, is_done(record)):
                    found.append(record)
                    if len(found) == size:
                        return _Found(found, after)
            if len(records) < _SCAN_ROWS:
                return _Found(found, "")
        return _Found(found, after)


def _move_id(name: str) -> str:
    """Raises InvalidRequest."""
    v = Violations()
    move_id = name.removeprefix(NAME_PREFIX)
    if not name.startswith(NAME_PREFIX) or not 1 <= len(move_id) <= MOVE_ID_CHARS_MAX or "\0" in name:
        v.add(
            "name",
            f"must be {NAME_PREFIX} and the id of a move of 1 to {MOVE_ID_CHARS_MAX} characters, got "
            f"{shown(name)}",
        )
    v.raise_if_any()
    return move_id

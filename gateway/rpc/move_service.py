"""The methods of AdminService that move groups and compare their copies."""

from typing import Final

from google.longrunning import operations_pb2
from google.protobuf.duration_pb2 import Duration

from drivers.deadline import Deadline
from drivers.fence import POOLED
from gateway.rpc.move_messages import TO_SPACE, operation_message, progress_message
from gateway.rpc.validation import GROUP_ID_CHARS_MAX, SHARD_ID_CHARS_MAX, Violations
from gateway.rpc.verify_messages import report_message
from graphgate.v1 import move_pb2 as pb
from shard_router.moves.digest import GroupCopy, VerifyRequest
from shard_router.moves.moves import Moves
from shard_router.moves.record import MoveRequest, ToSpace, VerifyWhen
from shard_router.router import Router

REVERSE_WINDOW_S_MAX: Final = 30 * 86_400.0
MOVE_ID_CHARS_MAX: Final = 64
DIFFERENCES_MAX: Final = 1_000
DIFFERENCES_DEFAULT: Final = 100


class MoveCalls:
    def __init__(self, moves: Moves, router: Router, reverse_window_s: float) -> None:
        """`reverse_window_s`: of a request that names none."""
        self._moves = moves
        self._router = router
        self._reverse_window_s = reverse_window_s

    async def move(self, request: pb.MoveGroupRequest, deadline: Deadline) -> operations_pb2.Operation:
        """Raises as Moves.begin."""
        v = Violations()
        asked = MoveRequest(
            group_id=v.group_id("group_id", request.group_id),
            to_shard=v.text("to_shard", request.to_shard, SHARD_ID_CHARS_MAX, required=True),
            to_space=_to_space(v, request.to_space),
            reverse_window_s=_reverse_window_s(v, request.reverse_window)
            if request.HasField("reverse_window")
            else self._reverse_window_s,
            request_id=v.request_id("request_id", request.request_id),
            verify=VerifyWhen.NEVER if request.skip_verify else VerifyWhen.BEFORE_COMMIT,
            cordoned=request.allow_cordoned,
        )
        v.raise_if_any()
        return operation_message(await self._moves.begin(asked, deadline))

    async def reverse(self, request: pb.ReverseMoveRequest, deadline: Deadline) -> operations_pb2.Operation:
        """Raises as Moves.reverse."""
        return operation_message(await self._moves.reverse(_move_id(request.move_id), deadline))

    async def finish(self, request: pb.FinishMoveRequest, deadline: Deadline) -> pb.FinishMoveResponse:
        """Raises as Moves.finish."""
        record = await self._moves.finish(_move_id(request.move_id), deadline)
        return pb.FinishMoveResponse(move=progress_message(record))

    async def verify(self, request: pb.VerifyGroupRequest, deadline: Deadline) -> pb.VerifyGroupResponse:
        """Raises as Moves.verify, and GroupNotFound."""
        v = Violations()
        _check_copy(v, "left", request.left)
        _check_copy(v, "right", request.right)
        differences_max = request.differences_max or DIFFERENCES_DEFAULT
        v.number("differences_max", differences_max, 1, DIFFERENCES_MAX)
        v.raise_if_any()
        asked = VerifyRequest(
            left=await self._copy(request.left, deadline),
            right=await self._copy(request.right, deadline),
            differences_max=differences_max,
            as_copy=request.as_copy,
        )
        return pb.VerifyGroupResponse(report=report_message(await self._moves.verify(asked, deadline)))

    async def _copy(self, message: pb.GroupCopy, deadline: Deadline) -> GroupCopy:
        if message.shard:
            return GroupCopy(message.shard, message.group_id, message.space)
        shard_id, fence = await self._router.describe_group(message.group_id, deadline)
        return GroupCopy(shard_id, message.group_id, fence.space)


def _check_copy(v: Violations, field: str, message: pb.GroupCopy) -> None:
    v.group_id(f"{field}.group_id", message.group_id)
    v.text(f"{field}.shard", message.shard, SHARD_ID_CHARS_MAX)
    v.text(f"{field}.space", message.space, GROUP_ID_CHARS_MAX)
    if message.space != POOLED and not message.shard:
        v.add(f"{field}.space", "needs shard")


def _to_space(v: Violations, number: int) -> ToSpace:
    if number not in TO_SPACE:
        v.add("to_space", f"has the unknown value {number}")
    return TO_SPACE.get(number, ToSpace.KEEP)


def _reverse_window_s(v: Violations, duration: Duration) -> float:
    seconds = duration.seconds + duration.nanos / 1e9
    v.number("reverse_window", seconds, 0, REVERSE_WINDOW_S_MAX)
    return seconds


def _move_id(given: str) -> str:
    v = Violations()
    v.text("move_id", given, MOVE_ID_CHARS_MAX, required=True)
    v.raise_if_any()
    return given

"""Moves of groups as messages: progress, result, and the long-running operation that holds both."""

from collections.abc import Mapping
from typing import Final, cast

from google.longrunning import operations_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway import errors
from gateway.rpc.row_messages import timestamp
from graphgate.v1 import move_pb2 as pb
from shard_router.moves.record import MoveKind, MovePhase, MoveRecord, ToSpace

NAME_PREFIX: Final = "operations/moves/"

MOVE_PHASE: Mapping[MovePhase, pb.MovePhase] = {
    phase: cast("pb.MovePhase", pb.MovePhase.Value(f"MOVE_PHASE_{phase}")) for phase in MovePhase
}
_KIND: Mapping[MoveKind, pb.MoveKind] = {
    kind: cast("pb.MoveKind", pb.MoveKind.Value(f"MOVE_KIND_{kind}")) for kind in MoveKind
}
TO_SPACE: Mapping[int, ToSpace] = {
    pb.MOVE_SPACE_UNSPECIFIED: ToSpace.KEEP,
    **{int(pb.MoveSpace.Value(f"MOVE_SPACE_{space}")): space for space in ToSpace},
}

_MOVED: Final = frozenset({MovePhase.REVERSIBLE, MovePhase.CLEANING, MovePhase.DONE})
_GIVEN_UP: Final = frozenset({MovePhase.CANCELLED, MovePhase.FAILED})


def is_done(record: MoveRecord) -> bool:
    """Whether its caller has nothing more to wait for: what is left to clean up is none of his business."""
    return record.phase in _MOVED | _GIVEN_UP


def operation_message(record: MoveRecord) -> operations_pb2.Operation:
    operation = operations_pb2.Operation(
        name=NAME_PREFIX + record.move_id, metadata=_packed(progress_message(record)), done=is_done(record)
    )
    if record.phase in _GIVEN_UP:
        operation.error.CopyFrom(errors.status_of_given_up_move(record))
    elif operation.done:
        operation.response.CopyFrom(_packed(_result(record)))
    return operation


def progress_message(record: MoveRecord) -> pb.MoveProgress:
    eta_s = record.eta_s
    return pb.MoveProgress(
        move_id=record.move_id,
        group_id=record.group_id,
        kind=_KIND[record.kind],
        phase=MOVE_PHASE[record.phase],
        source_shard=record.source_shard,
        source_space=record.source_space,
        target_shard=record.target_shard,
        target_space=record.target_space,
        rows_total=record.rows_total,
        rows_copied=record.rows_copied,
        rows_remaining=record.rows_remaining,
        bytes_copied=record.bytes_copied,
        rounds=record.rounds,
        rows_per_second=record.rate_rows_per_s,
        eta=None if eta_s is None else _duration(round(eta_s * 1e6)),
        pauses=[_duration(pause_us) for pause_us in record.pauses_us],
        thaws=record.thaws,
        requested_at=_time(record.requested_us),
        updated_at=_time(record.updated_us),
        committed_at=_time(record.committed_us),
        ended_at=_time(record.ended_us),
        reverse_until=_time(record.reverse_until_us),
        cancel_requested=record.cancel_requested,
        coordinator=record.coordinator,
        error_reason=record.error_reason,
        error_text=record.error_text,
        request_id=record.request_id,
        reverses=record.reverses,
        indexed_at=_time(record.indexed_us),
    )


def _result(record: MoveRecord) -> pb.MoveResult:
    reversible = record.phase is MovePhase.REVERSIBLE
    return pb.MoveResult(
        group_id=record.group_id,
        shard=record.target_shard,
        space=record.target_space,
        committed_at=_time(record.committed_us),
        reverse_until=_time(record.reverse_until_us) if reversible else None,
        rows_copied=record.rows_copied,
        bytes_copied=record.bytes_copied,
        pauses=[_duration(pause_us) for pause_us in record.pauses_us],
        thaws=record.thaws,
    )


def _packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


def _duration(us: int) -> Duration:
    return Duration(seconds=us // 1_000_000, nanos=us % 1_000_000 * 1_000)


def _time(epoch_us: int) -> Timestamp | None:
    """None for 0: it has not happened."""
    return timestamp(epoch_us) if epoch_us else None

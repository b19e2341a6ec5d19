"""The operation of a move for people and for programs."""

from typing import Any

from google.longrunning import operations_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2

from gateway.cli.columns import aligned
from graphgate.v1 import move_pb2 as pb

NAME_PREFIX = "operations/moves/"


def operation_name(move: str) -> str:
    """`move`: its id or the name of its operation."""
    return move if move.startswith(NAME_PREFIX) else NAME_PREFIX + move


def move_id(move: str) -> str:
    """`move`: its id or the name of its operation."""
    return move.removeprefix(NAME_PREFIX)


def progress_of(operation: operations_pb2.Operation) -> pb.MoveProgress:
    progress = pb.MoveProgress()
    operation.metadata.Unpack(progress)
    return progress


def phase_of(progress: pb.MoveProgress) -> str:
    return pb.MovePhase.Name(progress.phase).removeprefix("MOVE_PHASE_")


def place(shard: str, space: str) -> str:
    return f"{shard}/{space}" if space else shard


def milliseconds(duration: Duration) -> float:
    return duration.seconds * 1000 + duration.nanos / 1e6


def as_object(operation: operations_pb2.Operation) -> dict[str, Any]:
    progress = progress_of(operation)
    found = progress_object(progress) | {"operation": operation.name, "done": operation.done}
    if operation.HasField("error"):
        found["error"] = {"reason": reason_of(operation), "text": operation.error.message}
    return found


def progress_object(progress: pb.MoveProgress) -> dict[str, Any]:
    return {
        "move_id": progress.move_id,
        "group_id": progress.group_id,
        "kind": pb.MoveKind.Name(progress.kind).removeprefix("MOVE_KIND_"),
        "phase": phase_of(progress),
        "source_shard": progress.source_shard,
        "source_space": progress.source_space,
        "target_shard": progress.target_shard,
        "target_space": progress.target_space,
        "rows_total": progress.rows_total,
        "rows_copied": progress.rows_copied,
        "rows_remaining": progress.rows_remaining,
        "bytes_copied": progress.bytes_copied,
        "rounds": progress.rounds,
        "rows_per_second": progress.rows_per_second,
        "eta_s": milliseconds(progress.eta) / 1000 if progress.HasField("eta") else None,
        "pauses_ms": [milliseconds(pause) for pause in progress.pauses],
        "thaws": progress.thaws,
        "requested_at": _time(progress.requested_at),
        "committed_at": _time(progress.committed_at),
        "ended_at": _time(progress.ended_at),
        "reverse_until": _time(progress.reverse_until),
        "cancel_requested": progress.cancel_requested,
        "coordinator": progress.coordinator,
        "reverses": progress.reverses,
    }


def reason_of(operation: operations_pb2.Operation) -> str:
    for packed in operation.error.details:
        info = error_details_pb2.ErrorInfo()
        if packed.Unpack(info):
            return info.reason
    return ""


def as_text(operation: operations_pb2.Operation) -> str:
    """Every value that says something, one a line."""
    progress = progress_of(operation)
    is_given_up = operation.HasField("error")
    is_ending = progress.cancel_requested and not operation.done
    lines = [
        ("move", progress.move_id),
        ("group", progress.group_id),
        ("from", place(progress.source_shard, progress.source_space)),
        ("to", place(progress.target_shard, progress.target_space)),
        ("phase", phase_of(progress) + (" (cancel requested)" if is_ending else "")),
        ("done", "yes" if operation.done else "no"),
        ("copied", f"{progress.rows_copied:,} rows, {progress.bytes_copied / 1e6:,.1f} MB"),
        (
            "remaining",
            "" if is_given_up else f"{progress.rows_remaining:,} of {progress.rows_total:,} rows",
        ),
        ("pauses", pauses_text(progress)),
        ("requested", _time(progress.requested_at)),
        ("committed", _time(progress.committed_at)),
        ("reversible until", _time(progress.reverse_until)),
        ("ended", _time(progress.ended_at)),
        ("takes back", progress.reverses),
        ("gateway", progress.coordinator),
        (
            "error",
            f"{reason_of(operation)}: {operation.error.message}" if is_given_up else "",
        ),
    ]
    return aligned([line for line in lines if line[1]])


def pauses_text(progress: pb.MoveProgress) -> str:
    """Empty if writes were never stopped."""
    shown = ", ".join(f"{milliseconds(pause):.1f} ms" for pause in progress.pauses)
    return f"{shown} ({progress.thaws} let go again)" if progress.thaws else shown


def _time(moment: Timestamp) -> str:
    """RFC 3339; empty if it is unset."""
    return moment.ToJsonString() if moment.ByteSize() else ""

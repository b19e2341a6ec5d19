"""The one error table: domain error -> status code and what the caller is told.

Only this module knows gRPC status codes. Every class that is raised has a row of its own, which the
README shows (`make errors`); a private subclass is looked up along its bases. An error outside the
table is INTERNAL with an id, its text only in the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from drivers import errors as driver_errors
from drivers.errors import GraphgateError
from gateway.embedding import errors as embedding_errors
from gateway.ingest import errors as ingest_errors
from gateway.llm import errors as llm_errors
from gateway.rerank.errors import CrossEncoderDisabled
from gateway.rpc import errors as rpc_errors
from gateway.rpc.validation import InvalidRequest
from gateway.search.errors import QueryVectorUnfit
from gateway.writes import errors as write_errors
from shard_router import errors as router_errors
from shard_router.moves.record import MoveFailure, MovePhase, MoveRecord
from shard_router.ring import EmptyRingError
from shard_router.shards import errors as shard_errors

DOMAIN = "graphgate"
RETRY_DELAY_MS = 200
"""What RetryInfo asks for when the error itself names no delay."""
TEXT_BYTES_MAX = 1_200
VALUE_BYTES_MAX = 800
"""Of an error's text and of each value of its metadata, as sent; trailers hold 8 KiB, the text twice."""
_BYTES_PER_CHARACTER_MAX = 12


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    code: grpc.StatusCode
    action: str
    """What the caller does about it."""


_C = grpc.StatusCode

TABLE: Mapping[type[GraphgateError], ErrorEntry] = {
    InvalidRequest: ErrorEntry(_C.INVALID_ARGUMENT, "correct the named fields"),
    rpc_errors.RequestUnreadable: ErrorEntry(_C.INVALID_ARGUMENT, "build the message from the protos"),
    rpc_errors.RequestTooLarge: ErrorEntry(_C.RESOURCE_EXHAUSTED, "split the request"),
    rpc_errors.ReplyTooLarge: ErrorEntry(_C.RESOURCE_EXHAUSTED, "ask for fewer rows"),
    rpc_errors.VersionNotReached: ErrorEntry(
        _C.ABORTED, "start from the group's version; after a restore it may be lower"
    ),
    rpc_errors.TooManyCalls: ErrorEntry(_C.RESOURCE_EXHAUSTED, "retry after a short wait"),
    rpc_errors.AnswersUnread: ErrorEntry(_C.RESOURCE_EXHAUSTED, "read the open answers, then retry"),
    rpc_errors.GatewayStops: ErrorEntry(_C.UNAVAILABLE, "call another gateway"),
    rpc_errors.ShuttingDown: ErrorEntry(_C.UNAVAILABLE, "retry at another gateway, with the same request_id"),
    rpc_errors.TooManyWatches: ErrorEntry(_C.RESOURCE_EXHAUSTED, "end a watch, or watch at another gateway"),
    rpc_errors.OperationsAreKept: ErrorEntry(_C.UNIMPLEMENTED, "leave it; the oldest go by themselves"),
    rpc_errors.ChangesPruned: ErrorEntry(_C.OUT_OF_RANGE, "read the group anew, with after_version 0"),
    rpc_errors.VersionAhead: ErrorEntry(
        _C.OUT_OF_RANGE, "read the group anew; after a restore it may be older"
    ),
    driver_errors.DeadlinePassed: ErrorEntry(_C.DEADLINE_EXCEEDED, "use a longer deadline"),
    driver_errors.ShardUnavailable: ErrorEntry(_C.UNAVAILABLE, "retry after a short wait"),
    driver_errors.ShardImpaired: ErrorEntry(
        _C.UNAVAILABLE, "retry; free what the shard lacks: memory, disk, its primary"
    ),
    driver_errors.ShardTimeout: ErrorEntry(_C.DEADLINE_EXCEEDED, "retry with a longer deadline"),
    driver_errors.OutcomeUnknown: ErrorEntry(_C.UNAVAILABLE, "retry with the same request_id"),
    driver_errors.OutcomeUnknownAtDeadline: ErrorEntry(
        _C.DEADLINE_EXCEEDED, "retry with the same request_id and a longer deadline"
    ),
    driver_errors.ShardOverloaded: ErrorEntry(_C.RESOURCE_EXHAUSTED, "retry after a short wait"),
    driver_errors.SchemaNotReady: ErrorEntry(_C.UNAVAILABLE, "retry after a short wait"),
    driver_errors.WrongShard: ErrorEntry(_C.FAILED_PRECONDITION, "correct the shard's address"),
    driver_errors.NewerSchema: ErrorEntry(_C.FAILED_PRECONDITION, "upgrade the gateway"),
    driver_errors.WipedShard: ErrorEntry(_C.DATA_LOSS, "restore the shard or remove it"),
    driver_errors.OlderCopy: ErrorEntry(_C.DATA_LOSS, "restore the newest copy"),
    driver_errors.RowLimitExceeded: ErrorEntry(_C.RESOURCE_EXHAUSTED, "name fewer rows at a time"),
    driver_errors.WriteTooHeavy: ErrorEntry(_C.RESOURCE_EXHAUSTED, "split the write"),
    driver_errors.VectorDimensionMismatch: ErrorEntry(
        _C.FAILED_PRECONDITION, "use the group's embedding model"
    ),
    driver_errors.EngineRefused: ErrorEntry(_C.INTERNAL, "report the call_id"),
    router_errors.GroupNotFound: ErrorEntry(_C.NOT_FOUND, "write to the group first"),
    router_errors.PlacementUnsettled: ErrorEntry(_C.UNAVAILABLE, "retry after a short wait"),
    router_errors.PlacementLost: ErrorEntry(_C.DATA_LOSS, "restore the shard that held the group"),
    router_errors.CatalogUnavailable: ErrorEntry(_C.UNAVAILABLE, "retry after a short wait"),
    router_errors.ShardNotEmpty: ErrorEntry(
        _C.FAILED_PRECONDITION, "give an empty shard or the right marker"
    ),
    router_errors.FleetNotFounded: ErrorEntry(_C.UNAVAILABLE, "start every configured shard once"),
    router_errors.ForeignFleet: ErrorEntry(_C.FAILED_PRECONDITION, "correct the shards of the settings"),
    router_errors.TwoRootRings: ErrorEntry(_C.FAILED_PRECONDITION, "remove the shards of the other fleet"),
    router_errors.ShardUnknown: ErrorEntry(_C.NOT_FOUND, "use a shard of ListShards"),
    router_errors.NoShardTakesGroups: ErrorEntry(_C.FAILED_PRECONDITION, "make a shard ACTIVE"),
    EmptyRingError: ErrorEntry(_C.FAILED_PRECONDITION, "make a shard ACTIVE"),
    router_errors.ShardGateFull: ErrorEntry(_C.RESOURCE_EXHAUSTED, "retry after a short wait"),
    router_errors.ScopeTooLarge: ErrorEntry(_C.RESOURCE_EXHAUSTED, "search fewer groups at a time"),
    router_errors.CoverageTooLow: ErrorEntry(
        _C.UNAVAILABLE, "retry after a short wait, or accept a lower min_coverage"
    ),
    router_errors.WriteBufferFull: ErrorEntry(
        _C.UNAVAILABLE, "retry after the named delay, with the same request_id"
    ),
    router_errors.MoveNotFound: ErrorEntry(_C.NOT_FOUND, "list the operations"),
    router_errors.MoveRefused: ErrorEntry(_C.FAILED_PRECONDITION, "do what the text says"),
    router_errors.GroupIsMoving: ErrorEntry(_C.FAILED_PRECONDITION, "wait for the other move or cancel it"),
    router_errors.TargetNotReady: ErrorEntry(_C.UNAVAILABLE, "retry after a short wait"),
    router_errors.MoveCommitted: ErrorEntry(_C.FAILED_PRECONDITION, "reverse the move"),
    router_errors.MoveNotCommitted: ErrorEntry(_C.FAILED_PRECONDITION, "wait for the move or cancel it"),
    router_errors.MoveNotReversible: ErrorEntry(_C.FAILED_PRECONDITION, "move the group anew"),
    router_errors.MapChanged: ErrorEntry(_C.ABORTED, "look at the shards again and retry"),
    router_errors.ShardRemoved: ErrorEntry(
        _C.FAILED_PRECONDITION, "use another id for an empty server; take it out of the settings"
    ),
    driver_errors.RegisterClosed: ErrorEntry(_C.UNAVAILABLE, "retry after a short wait"),
    shard_errors.ShardExists: ErrorEntry(_C.ALREADY_EXISTS, "choose another id"),
    shard_errors.ShardUnfit: ErrorEntry(_C.FAILED_PRECONDITION, "do what the text says at the server"),
    shard_errors.CredentialsUnknown: ErrorEntry(
        _C.FAILED_PRECONDITION, "set shard_passwords at every gateway"
    ),
    shard_errors.ShardStateRefused: ErrorEntry(_C.FAILED_PRECONDITION, "do what the text says"),
    shard_errors.ShardStillUsed: ErrorEntry(_C.FAILED_PRECONDITION, "drain the shard, wait, then retry"),
    shard_errors.RootChangeRunning: ErrorEntry(_C.UNAVAILABLE, "retry when the root change is done"),
    QueryVectorUnfit: ErrorEntry(_C.FAILED_PRECONDITION, "send a query_vector of the stored model"),
    CrossEncoderDisabled: ErrorEntry(
        _C.FAILED_PRECONDITION, "use another reranker or configure cross_encoder"
    ),
    write_errors.EndpointsMissing: ErrorEntry(
        _C.FAILED_PRECONDITION, "write the nodes first or in the same batch"
    ),
    write_errors.RowsExist: ErrorEntry(_C.ALREADY_EXISTS, "use mode UPSERT or PATCH"),
    write_errors.RowsMissing: ErrorEntry(_C.NOT_FOUND, "write the rows first"),
    write_errors.RowVersionMismatch: ErrorEntry(_C.ABORTED, "read the row again and retry"),
    write_errors.GroupVersionMismatch: ErrorEntry(_C.ABORTED, "read the group again and retry"),
    write_errors.WriteContended: ErrorEntry(_C.ABORTED, "retry after a short wait"),
    write_errors.RequestIdReused: ErrorEntry(_C.ALREADY_EXISTS, "use a new request_id"),
    write_errors.TimeRangeInverted: ErrorEntry(_C.INVALID_ARGUMENT, "give valid_at and invalid_at together"),
    write_errors.FactFull: ErrorEntry(_C.FAILED_PRECONDITION, "write a new fact"),
    write_errors.VectorWouldBeLost: ErrorEntry(_C.FAILED_PRECONDITION, "send the embedding along"),
    write_errors.EmbeddingMismatch: ErrorEntry(_C.FAILED_PRECONDITION, "use the group's embedding model"),
    write_errors.WriteTooLarge: ErrorEntry(_C.INVALID_ARGUMENT, "split the write"),
    embedding_errors.EmbedderUnavailable: ErrorEntry(_C.UNAVAILABLE, "retry after a short wait"),
    embedding_errors.EmbedderRateLimited: ErrorEntry(_C.RESOURCE_EXHAUSTED, "retry after the named delay"),
    embedding_errors.EmbedderOverloaded: ErrorEntry(_C.RESOURCE_EXHAUSTED, "retry after a short wait"),
    embedding_errors.EmbedderTimeout: ErrorEntry(_C.DEADLINE_EXCEEDED, "use a longer deadline"),
    embedding_errors.EmbedderRefused: ErrorEntry(_C.FAILED_PRECONDITION, "correct the embedder's settings"),
    embedding_errors.EmbedderAnswerInvalid: ErrorEntry(_C.UNAVAILABLE, "check the embedder"),
    embedding_errors.EmbedderSetupInvalid: ErrorEntry(
        _C.FAILED_PRECONDITION, "correct the embedder's settings"
    ),
    embedding_errors.EmbeddingTextInvalid: ErrorEntry(_C.INVALID_ARGUMENT, "correct the text"),
    embedding_errors.EmbedderDisabled: ErrorEntry(
        _C.FAILED_PRECONDITION, "send a vector or configure an embedder"
    ),
    llm_errors.ModelUnavailable: ErrorEntry(_C.UNAVAILABLE, "retry after a short wait"),
    llm_errors.ModelRateLimited: ErrorEntry(_C.RESOURCE_EXHAUSTED, "retry after the named delay"),
    llm_errors.ModelTimeout: ErrorEntry(_C.DEADLINE_EXCEEDED, "use a longer deadline"),
    llm_errors.ModelOverloaded: ErrorEntry(_C.RESOURCE_EXHAUSTED, "retry after a short wait"),
    llm_errors.ModelAccessDenied: ErrorEntry(_C.FAILED_PRECONDITION, "correct the model's settings"),
    llm_errors.ModelRefused: ErrorEntry(_C.FAILED_PRECONDITION, "change the text or the model"),
    llm_errors.ModelAnswerInvalid: ErrorEntry(_C.FAILED_PRECONDITION, "use a more capable model"),
    llm_errors.PromptTooLong: ErrorEntry(_C.INVALID_ARGUMENT, "shorten the text"),
    llm_errors.ModelDisabled: ErrorEntry(
        _C.FAILED_PRECONDITION, "configure a language model or give entities and facts"
    ),
    llm_errors.ModelSetupInvalid: ErrorEntry(_C.FAILED_PRECONDITION, "correct the model's settings"),
    ingest_errors.QueueUnavailable: ErrorEntry(_C.UNAVAILABLE, "retry with the same request_id"),
    ingest_errors.QueueFull: ErrorEntry(_C.RESOURCE_EXHAUSTED, "retry after the named delay"),
    ingest_errors.EpisodeUnknown: ErrorEntry(_C.NOT_FOUND, "read the episode itself"),
    ingest_errors.EpisodeWaiting: ErrorEntry(_C.FAILED_PRECONDITION, "remove it once it is applied"),
    ingest_errors.EpisodesWaiting: ErrorEntry(
        _C.FAILED_PRECONDITION, "clear it once they are applied, or discard them"
    ),
    ingest_errors.EpisodeCleared: ErrorEntry(_C.CANCELLED, "replay it if it is still wanted"),
    ingest_errors.CreditsExceeded: ErrorEntry(_C.INVALID_ARGUMENT, "send as many as there are credits"),
    ingest_errors.EpisodeUnreadable: ErrorEntry(_C.INTERNAL, "upgrade the gateway or add the episode anew"),
    ingest_errors.EpisodeLost: ErrorEntry(_C.DATA_LOSS, "look into Redis's persistence, then add it anew"),
    ingest_errors.EpisodeTooHeavy: ErrorEntry(_C.RESOURCE_EXHAUSTED, "add it as several shorter episodes"),
    ingest_errors.WorkerLost: ErrorEntry(_C.INTERNAL, "look into the workers' logs, then replay it"),
    ingest_errors.IngestBug: ErrorEntry(_C.INTERNAL, "report the error id"),
}

MOVE_FAILURES: Mapping[MoveFailure, ErrorEntry] = {
    MoveFailure.SOURCE_LOST: ErrorEntry(_C.DATA_LOSS, "restore the shard that held the group"),
    MoveFailure.NOT_OWNER: ErrorEntry(_C.ABORTED, "look where the group is, then move it from there"),
    MoveFailure.GROUP_IS_MOVING: ErrorEntry(_C.FAILED_PRECONDITION, "wait for the other move or cancel it"),
    MoveFailure.TARGET_OWNS: ErrorEntry(_C.FAILED_PRECONDITION, "run graphgate catalog check"),
    MoveFailure.TARGET_LOST: ErrorEntry(_C.DATA_LOSS, "restore the newest copy of the target"),
    MoveFailure.TARGET_AHEAD: ErrorEntry(_C.DATA_LOSS, "restore the newest copy of the source"),
    MoveFailure.COPY_INCONSISTENT: ErrorEntry(_C.ABORTED, "move again, and report it if it comes again"),
    MoveFailure.VERIFY_FAILED: ErrorEntry(_C.ABORTED, "move again, and report it if it comes again"),
    MoveFailure.CANNOT_CATCH_UP: ErrorEntry(_C.ABORTED, "move again when the group is written less"),
    MoveFailure.THAWED_TOO_OFTEN: ErrorEntry(_C.ABORTED, "move again when the group is written less"),
    MoveFailure.KEEPS_FAILING: ErrorEntry(_C.UNAVAILABLE, "move again when both shards answer"),
}
"""Reasons of operations that ended with an error, beside those of the table above."""

_RESOURCE_OF_REASON = {
    "GROUP_NOT_FOUND": "group_id",
    "ROW_NOT_FOUND": "uuids",
    "SHARD_UNKNOWN": "shard",
    "EPISODE_UNKNOWN": "episode",
    "MOVE_NOT_FOUND": "move_id",
}
"""NOT_FOUND errors: the metadata key that names the resource."""

_ENTRY_OF_REASON: Mapping[str, ErrorEntry] = {
    **{kind.reason: entry for kind, entry in TABLE.items()},
    **{str(failure): entry for failure, entry in MOVE_FAILURES.items()},
}


def entry_of(error: GraphgateError) -> ErrorEntry | None:
    """The row of the error's class or of its nearest base; None: not in the table."""
    return next((TABLE[base] for base in type(error).__mro__ if base in TABLE), None)


def status_of(error: GraphgateError, call_id: str = "") -> status_pb2.Status | None:
    """The status with its details, small enough for trailers; None for an error outside the table.

    `call_id`: by which the gateway's log names the call; the caller's x-request-id if there was one.
    """
    entry = entry_of(error)
    if entry is None:
        return None
    text = _cut(str(error), TEXT_BYTES_MAX)
    metadata = {
        "retryable": "true" if error.retryable else "false",
        "action": entry.action,
        **({"call_id": _cut(call_id, VALUE_BYTES_MAX)} if call_id else {}),
    } | {key: _cut(value, VALUE_BYTES_MAX) for key, value in error.metadata().items()}
    details: list[any_pb2.Any] = [
        _packed(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata))
    ]
    if isinstance(error, InvalidRequest):
        details.append(
            _packed(
                error_details_pb2.BadRequest(
                    field_violations=[
                        error_details_pb2.BadRequest.FieldViolation(field=field, description=what)
                        for field, what in error.violations
                    ]
                )
            )
        )
    if error.retryable:
        delay_s: float = getattr(error, "retry_after_s", None) or RETRY_DELAY_MS / 1000
        delay = duration_pb2.Duration(seconds=int(delay_s), nanos=int(delay_s % 1 * 1e9))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    if entry.code is _C.NOT_FOUND:
        key = _RESOURCE_OF_REASON.get(error.reason, "")
        details.append(
            _packed(
                error_details_pb2.ResourceInfo(
                    resource_type=metadata.get("kind", key).lower(),
                    resource_name=metadata.get(key, ""),
                    description=text,
                )
            )
        )
    return status_pb2.Status(code=entry.code.value[0], message=text, details=details)


def status_of_given_up_move(record: MoveRecord) -> status_pb2.Status:
    """The error of the operation of a move that was cancelled or has failed."""
    if record.phase is MovePhase.CANCELLED:
        reason, text = "MOVE_CANCELLED", f"move {record.move_id} was cancelled; the group is where it was"
        entry = ErrorEntry(_C.CANCELLED, "move again if it is still wanted")
    else:
        reason, text = record.error_reason or "INTERNAL", record.error_text
        entry = _ENTRY_OF_REASON.get(reason, ErrorEntry(_C.INTERNAL, "report the move_id"))
    metadata = {"move_id": record.move_id, "group_id": record.group_id, "action": entry.action}
    return status_pb2.Status(
        code=entry.code.value[0],
        message=_cut(text, TEXT_BYTES_MAX),
        details=[_packed(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata))],
    )


def _cut(text: str, bytes_max: int) -> str:
    """What fits into so many bytes of a trailer, where all but printable ASCII is percent-encoded."""
    if len(text) * _BYTES_PER_CHARACTER_MAX <= bytes_max:
        return text
    size = 0
    for position, character in enumerate(text):
        plain = " " <= character <= "~" and character != "%"
        size += 1 if plain else 3 * len(character.encode())
        if size > bytes_max:
            return text[:position] + "..."
    return text


def internal_status(error_id: str) -> status_pb2.Status:
    """What the caller learns of a bug: an id to report."""
    return status_pb2.Status(
        code=code_pb2.INTERNAL,
        message=f"graphgate failed in a way that it should not; report error id {error_id}",
        details=[
            _packed(
                error_details_pb2.ErrorInfo(
                    reason="INTERNAL", domain=DOMAIN, metadata={"error_id": error_id, "retryable": "false"}
                )
            )
        ],
    )


def _packed(
    message: error_details_pb2.ErrorInfo
    | error_details_pb2.BadRequest
    | error_details_pb2.RetryInfo
    | error_details_pb2.ResourceInfo,
) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed

"""Failed calls: their statuses, and one log event for each."""

import secrets
from typing import Any

import grpc
import structlog
from google.rpc import status_pb2

from drivers.errors import GraphgateError
from gateway import errors

log = structlog.get_logger("graphgate.rpc")


def status_of_failure(method: str, call_id: str, request: Any, error: Exception) -> status_pb2.Status:
    """By the one error table; an error outside it is a bug, of which the caller learns an id."""
    status = errors.status_of(error, call_id) if isinstance(error, GraphgateError) else None
    if status is None or not isinstance(error, GraphgateError):
        return _bug(method, call_id, request, error)
    _log_failure(method, call_id, request, error, code_name(status.code))
    return status


def _bug(method: str, call_id: str, request: Any, error: Exception) -> status_pb2.Status:
    """The error's text goes to the log only; the caller gets an id to report."""
    error_id = secrets.token_hex(8)
    log.error(
        "rpc_bug",
        method=method,
        request_id=call_id,
        error_id=error_id,
        group=getattr(request, "group_id", None),
        exc_info=error,
    )
    return errors.internal_status(error_id)


def code_name(code: int) -> str:
    return next(status.name for status in grpc.StatusCode if status.value[0] == code)


_EXPECTED = frozenset(
    {"INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "ABORTED", "FAILED_PRECONDITION", "OUT_OF_RANGE"}
)
"""The caller's own doing: worth a look when debugging, not an event of operation."""


def _log_failure(method: str, call_id: str, request: Any, error: GraphgateError, code: str) -> None:
    emit = log.debug if code in _EXPECTED else log.warning
    emit(
        "rpc_failed",
        method=method,
        request_id=call_id,
        code=code,
        reason=error.reason,
        group=getattr(request, "group_id", None),
        detail=str(error),
        engine_text=getattr(error, "engine_text", None),
        **{key: value for key, value in error.metadata().items() if key in ("shard", "epoch", "op_id")},
    )

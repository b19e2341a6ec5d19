"""The outermost layer of every call: request id, errors, metrics, one log event per failure."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

import grpc
import structlog
from google.rpc import status_pb2
from grpc_status import rpc_status

from drivers.errors import GraphgateError
from gateway import errors
from gateway.rpc.call import Context, request_id
from gateway.rpc.errors import TooManyCalls

log = structlog.get_logger("graphgate.rpc")

REQUEST_ID_HEADER = "x-request-id"
REQUEST_ID_CHARS_MAX = 128

_NEVER_REFUSED = "/grpc.health.v1.Health/"
"""A busy gateway is a healthy one: its probes are answered whatever the load."""

type Handler = Callable[[Any, Context], Awaitable[Any]]
type MethodHandler = grpc.RpcMethodHandler[Any, Any] | None


class CallObserver(Protocol):
    def rpc_started(self, method: str) -> None: ...

    def rpc_finished(self, method: str, code: str, seconds: float) -> None: ...


class Rim(grpc.aio.ServerInterceptor):
    """Maps every error by the one table and never lets an exception's text out."""

    def __init__(self, observer: CallObserver, calls_max: int) -> None:
        self._observer = observer
        self._calls_max = calls_max
        self._running = 0
        self._wrapped: dict[str, MethodHandler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[MethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> MethodHandler:
        method = handler_call_details.method
        known = self._wrapped.get(method)
        if known is not None:
            return known
        handler = await continuation(handler_call_details)
        # Streams (health watch, reflection) are the libraries' own and raise no error of ours; an
        # unknown method has no handler.
        if handler is None or handler.request_streaming or handler.response_streaming:
            return handler
        wrapped = grpc.unary_unary_rpc_method_handler(
            self._around(method, cast("Handler", handler.unary_unary)),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        self._wrapped[method] = wrapped
        return wrapped

    def _around(self, method: str, handler: Handler) -> Handler:
        async def call(request: Any, context: Context) -> Any:
            started = time.perf_counter()
            self._observer.rpc_started(method)
            call_id = _request_id(context)
            request_id.set(call_id)
            # Whatever leaves in a way that is not named below is a bug, and counted as one.
            code = "INTERNAL"
            self._running += 1
            try:
                self._admit(method)
                answer = await handler(request, context)
            except asyncio.CancelledError:
                code = "CANCELLED"
                raise
            except grpc.aio.AbortError:
                raise
            except Exception as error:
                status = errors.status_of(error) if isinstance(error, GraphgateError) else None
                if status is None or not isinstance(error, GraphgateError):
                    status = _bug(method, call_id, request, error)
                else:
                    code = _name(status.code)
                    _log_failure(method, call_id, request, error, code)
                await context.abort_with_status(rpc_status.to_status(status))
            else:
                code = "OK"
                return answer
            finally:
                self._running -= 1
                self._observer.rpc_finished(method, code, time.perf_counter() - started)

        return call

    def _admit(self, method: str) -> None:
        """Raises TooManyCalls."""
        if self._running > self._calls_max and not method.startswith(_NEVER_REFUSED):
            raise TooManyCalls(self._calls_max)


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


def _request_id(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_HEADER and isinstance(value, str) and value.isprintable():
            return value[:REQUEST_ID_CHARS_MAX]
    return secrets.token_hex(8)


def _name(code: int) -> str:
    return next(status.name for status in grpc.StatusCode if status.value[0] == code)


_EXPECTED = frozenset({"INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "ABORTED", "FAILED_PRECONDITION"})
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

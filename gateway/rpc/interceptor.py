"""The outermost layer of every call: admission, request id, errors, metrics, one log event per failure.

Messages are read and built here and not by the library: it would tell the caller what Python thinks of
bytes that are no message.
"""

import asyncio
import inspect
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol, cast

import grpc
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from gateway.rpc.admission import Admission, Place
from gateway.rpc.call import Context, request_id
from gateway.rpc.errors import GatewayStops, RequestTooLarge, RequestUnreadable, ShuttingDown
from gateway.rpc.failures import code_name, status_of_failure
from gateway.writes.writer import unsettled_op_id
from shard_router.gate import caller

REQUEST_ID_HEADER = "x-request-id"
REQUEST_ID_CHARS_MAX = 128

_NEVER_REFUSED = "/grpc.health.v1.Health/"
"""A busy gateway is a healthy one: its probes are answered whatever the load."""
_OURS = "/graphgate."

type Handler = Callable[[Any, Context], Awaitable[Any]]
type StreamHandler = Callable[[Any, Context], Any]
type FeedHandler = Callable[[Any, Context], AsyncGenerator[Any]]
type MethodHandler = grpc.RpcMethodHandler[Any, Any]


class CallObserver(Protocol):
    def rpc_started(self, method: str) -> None: ...

    def rpc_finished(self, method: str, code: str, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class RimLimits:
    message_bytes_max: int
    """Of one request."""
    deadline_s_max: float
    """The library ends calls at the deadline of their callers, if that is not longer."""
    call_s_max: float
    """Of other calls, from the first byte of the request to the last of the answer, which a client may
    be slow to send or to read."""


LAME_DUCK_S = 0.5
"""Without a call: then the clients have learnt that they should go elsewhere."""
LAME_DUCK_S_MAX = 5.0
"""After the last running call has ended, for clients that do not learn."""


class Rim(grpc.aio.ServerInterceptor):
    """Maps every error by the one table and never lets an exception's text out."""

    def __init__(self, observer: CallObserver, admission: Admission, limits: RimLimits) -> None:
        self._observer = observer
        self._admission = admission
        self._limits = limits
        self._wrapped: dict[str, MethodHandler] = {}
        self._serving: set[asyncio.Task[Any]] = set()
        self._feeds: set[asyncio.Task[Any]] = set()
        self._closing = False
        self._came_s = 0.0
        self._ending = False

    async def drain(self, grace_s: float) -> None:
        """Refuses new calls and returns when none runs any more; after `grace_s` those that still run are
        told that the gateway stops. Streams are told at once, for they have no end to wait for.

        The port stays open until no call has come for LAME_DUCK_S: one that comes while the library closes
        the port ends with CANCELLED, on which no client acts. Here it gets a reason to call another gateway.
        """
        self._closing = True
        for task in self._feeds:
            task.cancel()
        self._came_s = time.monotonic()
        deadline = self._came_s + grace_s
        quiet_s = min(LAME_DUCK_S, grace_s / 2)
        last = deadline
        while (left_s := last - time.monotonic()) > 0:
            if running := self._serving | self._feeds:
                await asyncio.wait(running, timeout=left_s)
                last = min(deadline, time.monotonic() + LAME_DUCK_S_MAX)
            elif (quiet_left_s := self._came_s + quiet_s - time.monotonic()) > 0:
                await asyncio.sleep(quiet_left_s)
            else:
                break
        self._ending = True
        for task in self._serving:
            task.cancel()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[MethodHandler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> MethodHandler | None:
        method = handler_call_details.method
        known = self._wrapped.get(method)
        if known is not None:
            return known
        handler = await continuation(handler_call_details)
        # An unknown method has no handler.
        if handler is None:
            return None
        # As a stream of requests, so that a call that is refused leaves its message unread.
        if handler.response_streaming:
            around = self._around_feed if method.startswith(_OURS) else self._around_stream
            wrapped = grpc.stream_stream_rpc_method_handler(
                around(method, handler), response_serializer=handler.response_serializer
            )
        else:
            assert not handler.request_streaming, f"{method}: streams of requests with one answer"
            wrapped = grpc.stream_unary_rpc_method_handler(self._around(method, handler))
        self._wrapped[method] = wrapped
        return wrapped

    def _around(self, method: str, handler: MethodHandler) -> Handler:
        serve = cast("Handler", handler.unary_unary)
        parse, serialize = _parser(handler), cast("Callable[[Any], bytes]", handler.response_serializer)

        async def call(requests: AsyncIterator[bytes], context: Context) -> bytes:
            started = time.perf_counter()
            self._observer.rpc_started(method)
            call_id = _request_id(context)
            request_id.set(call_id)
            # Whatever leaves in a way that is not named below is a bug, and counted as one.
            code = "INTERNAL"
            request: Any = None
            answer = b""
            task = cast("asyncio.Task[Any]", asyncio.current_task())
            self._serving.add(task)
            try:
                place = self._enter(method, context, ends=True)
                request = self._parsed(parse, await context.read())
                answer = serialize(await serve(request, context))
                if place is not None:
                    place.queue_answer(len(answer))
            except asyncio.CancelledError:
                if not self._ending:
                    code = "CANCELLED"
                    raise
                task.uncancel()
                status = status_of_failure(method, call_id, request, ShuttingDown(unsettled_op_id.get()))
                code = code_name(status.code)
                await context.abort_with_status(rpc_status.to_status(status))
            except grpc.aio.AbortError:
                code = _name_of(context)
                raise
            except Exception as error:
                status = status_of_failure(method, call_id, request, error)
                code = code_name(status.code)
                # What raised lives on in cycles until the collector comes; messages must not live with it.
                error.__traceback__ = None
                request, answer = None, b""
                await context.abort_with_status(rpc_status.to_status(status))
            else:
                code = "OK"
                return answer
            finally:
                self._serving.discard(task)
                self._observer.rpc_finished(method, code, time.perf_counter() - started)

        return call

    def _around_feed(self, method: str, handler: MethodHandler) -> StreamHandler:
        """Answers to one request or to a stream of them, until the caller or the gateway ends them. The next
        one is made when the library has taken the last one, so that a slow reader holds one at a time."""
        parse, streams_both_ways = _parser(handler), handler.request_streaming
        serve = cast("FeedHandler", handler.stream_stream if streams_both_ways else handler.unary_stream)

        async def call(requests: AsyncIterator[bytes], context: Context) -> None:
            started = time.perf_counter()
            self._observer.rpc_started(method)
            call_id = _request_id(context)
            request_id.set(call_id)
            code = "INTERNAL"
            request: Any = None
            task = cast("asyncio.Task[Any]", asyncio.current_task())
            try:
                self._enter(method, context, ends=False)
                self._feeds.add(task)
                if streams_both_ways:
                    asked: Any = self._requests(parse, context)
                else:
                    asked = request = self._parsed(parse, await context.read())
                async with aclosing(serve(asked, context)) as answers:
                    async for answer in answers:
                        await context.write(answer)
            except asyncio.CancelledError:
                if not self._closing:
                    code = "CANCELLED"
                    raise
                task.uncancel()
                status = status_of_failure(method, call_id, request, GatewayStops())
                code = code_name(status.code)
                await context.abort_with_status(rpc_status.to_status(status))
            except Exception as error:
                status = status_of_failure(method, call_id, request, error)
                code = code_name(status.code)
                error.__traceback__ = None
                await context.abort_with_status(rpc_status.to_status(status))
            else:
                code = "OK"
            finally:
                self._feeds.discard(task)
                self._observer.rpc_finished(method, code, time.perf_counter() - started)

        return call

    def _around_stream(self, method: str, handler: MethodHandler) -> StreamHandler:
        """Health watch and reflection: the libraries' own, with one answer or many to a request."""
        parse = _parser(handler)

        async def call(requests: AsyncIterator[bytes], context: Context) -> None:
            call_id = _request_id(context)
            try:
                self._enter(method, context, ends=False)
                if handler.request_streaming:
                    answers = cast("StreamHandler", handler.stream_stream)(
                        self._requests(parse, context), context
                    )
                else:
                    request = self._parsed(parse, await context.read())
                    answers = cast("StreamHandler", handler.unary_stream)(request, context)
                if inspect.isasyncgen(answers):
                    async for answer in answers:
                        await context.write(answer)
                else:
                    await answers
            except (asyncio.CancelledError, grpc.aio.AbortError):
                raise
            except Exception as error:
                status = status_of_failure(method, call_id, None, error)
                await context.abort_with_status(rpc_status.to_status(status))

        return call

    def _enter(self, method: str, context: Context, *, ends: bool) -> Place | None:
        """A place until the call has ended, its answer read or given up. `ends`: it is no stream, which
        may stay open. Raises TooManyCalls."""
        if method.startswith(_NEVER_REFUSED):
            return None
        if self._closing:
            self._came_s = time.monotonic()
            raise GatewayStops
        connection = context.peer()
        place = self._admission.enter(connection)
        caller.set(connection)

        # The stubs want a class of their own here.
        context.add_done_callback(cast("Any", lambda _: place.leave()))
        # The stubs say float; a call without a deadline has None.
        remaining_s = cast("float | None", context.time_remaining())
        if ends and (remaining_s is None or remaining_s > self._limits.deadline_s_max):
            task = cast("asyncio.Task[Any]", asyncio.current_task())
            place.give_up = asyncio.get_running_loop().call_later(self._limits.call_s_max, task.cancel)
        return place

    async def _requests(self, parse: Callable[[bytes], Any], context: Context) -> AsyncIterator[Any]:
        """Raises RequestTooLarge, RequestUnreadable."""
        while (raw := await context.read()) is not grpc.aio.EOF:
            yield self._parsed(parse, raw)

    def _parsed(self, parse: Callable[[bytes], Any], raw: Any) -> Any:
        """Raises RequestTooLarge, RequestUnreadable."""
        if raw is grpc.aio.EOF:
            raise RequestUnreadable
        if len(raw) > self._limits.message_bytes_max:
            raise RequestTooLarge(len(raw), self._limits.message_bytes_max)
        try:
            return parse(raw)
        except DecodeError:
            raise RequestUnreadable from None


def _parser(handler: MethodHandler) -> Callable[[bytes], Any]:
    return cast("Callable[[bytes], Any]", handler.request_deserializer)


def _request_id(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_HEADER and isinstance(value, str) and value.isprintable():
            return value[:REQUEST_ID_CHARS_MAX]
    return secrets.token_hex(8)


def _name_of(context: Context) -> str:
    """Of a call that its handler ended by itself, as the health service does for what it does not know."""
    code = cast("grpc.StatusCode | None", context.code())
    return code.name if isinstance(code, grpc.StatusCode) else "UNKNOWN"

"""One call as a careful client makes it: over all gateways, with a time limit, and never giving up early."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import cast

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from gateway.loopback.client import GatewayClient
from tests.robustness.timeline import CallSeen, Clock

CALL_S_MAX = 5.0
"""What a call may take over all its attempts."""
ATTEMPT_S_MAX = 2.0
"""Then another gateway is asked: the first one may be paused."""
_PAUSE_S_FIRST, _PAUSE_S_MAX = 0.02, 0.3

_FINAL = frozenset(
    {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.INVALID_ARGUMENT}
)
_FINAL_REASONS = frozenset({"VERSION_NOT_REACHED", "ENDPOINT_MISSING"})
"""Another gateway would say the same."""
_EXPECTED_REASONS = frozenset({"ROW_NOT_FOUND", "ENDPOINT_MISSING"})
"""Rows are deleted all the time; whether this one was is the model's question."""
_NOT_APPLIED = frozenset({"SHARD_UNAVAILABLE", "WRITE_CONTENDED", "CATALOG_UNAVAILABLE", "TOO_MANY_CALLS"})
"""Reasons that say for certain that this attempt wrote nothing."""


@dataclass(slots=True)
class CallLog:
    calls: list[CallSeen] = field(default_factory=list[CallSeen])
    errors: Counter[str] = field(default_factory=Counter[str])
    """Failed attempts by reason."""


@dataclass(frozen=True, slots=True)
class Reply[T]:
    """How a call ended."""

    answer: T | None
    refusal: str
    """Reason of a refusal that another attempt would not change; empty otherwise."""
    doubtful: bool
    """An attempt ended without saying whether it had an effect."""
    sent_s: float
    ended_s: float


class Caller:
    def __init__(
        self,
        clients: Sequence[GatewayClient],
        clock: Clock,
        log: CallLog,
        rng: Random,
        also_final: frozenset[grpc.StatusCode] = frozenset(),
    ) -> None:
        """`also_final`: codes of further refusals that another attempt would not change."""
        self._also_final = also_final
        self._clients = clients
        self._clock = clock
        self._log = log
        self._rng = rng

    async def call[T](
        self,
        group_id: str,
        what: str,
        send: Callable[[GatewayClient, float], Awaitable[T]],
        *,
        creates_group: bool = False,
        call_s_max: float = CALL_S_MAX,
        attempt_s_max: float = ATTEMPT_S_MAX,
    ) -> Reply[T]:
        """`send` is given the client of a gateway and the seconds that the attempt may take."""
        sent_s = self._clock.now_s()
        first = self._rng.randrange(len(self._clients))
        reason, doubtful, pause_s = "", False, _PAUSE_S_FIRST
        for attempt in range(first, first + 10_000):
            left_s = sent_s + call_s_max - self._clock.now_s()
            if left_s <= 0:
                break
            client = self._clients[attempt % len(self._clients)]
            try:
                answer = await send(client, min(left_s, attempt_s_max))
            except grpc.aio.AioRpcError as error:
                reason = reason_of(error)
                if reason not in _EXPECTED_REASONS:
                    self._log.errors[reason] += 1
                if error.code() in _FINAL | self._also_final or reason in _FINAL_REASONS:
                    return self._ended(
                        group_id, what, creates_group, Reply(None, reason, doubtful, sent_s, 0)
                    )
                doubtful |= reason not in _NOT_APPLIED
                told_s = _retry_delay_s(error)
            else:
                return self._ended(group_id, what, creates_group, Reply(answer, "", doubtful, sent_s, 0))
            wanted_s = max(pause_s * self._rng.uniform(0.5, 1), told_s)
            await asyncio.sleep(min(wanted_s, max(0.0, left_s)))
            pause_s = min(2 * pause_s, _PAUSE_S_MAX)
        return self._ended(group_id, what, creates_group, Reply(None, "", doubtful, sent_s, 0), reason)

    def _ended[T](
        self, group_id: str, what: str, creates_group: bool, reply: Reply[T], reason: str = ""
    ) -> Reply[T]:
        ended_s = self._clock.now_s()
        self._log.calls.append(
            CallSeen(group_id, creates_group, what, reply.sent_s, ended_s, not reason, reason)
        )
        return Reply(reply.answer, reply.refusal, reply.doubtful, reply.sent_s, ended_s)


def _retry_delay_s(error: grpc.aio.AioRpcError) -> float:
    """What the gateway asks for; 0 when it asks for nothing."""
    info = _detail(error, error_details_pb2.RetryInfo())
    return 0.0 if info is None else info.retry_delay.ToTimedelta().total_seconds()


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The gateway's own reason; the code alone when the answer is not the gateway's."""
    info = _detail(error, error_details_pb2.ErrorInfo())
    return error.code().name if info is None else info.reason


def _detail[T: Message](error: grpc.aio.AioRpcError, empty: T) -> T | None:
    """`empty`, filled; None when the answer has no such detail."""
    status = rpc_status.from_call(cast("grpc.Call", error))
    for detail in status.details if status is not None else ():
        if detail.Is(empty.DESCRIPTOR):
            detail.Unpack(empty)
            return empty
    return None

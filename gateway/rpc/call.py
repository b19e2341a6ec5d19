"""What a handler needs to know of the call that it serves."""

import contextvars
from dataclasses import dataclass
from typing import Any, cast

import grpc

from drivers.deadline import Deadline

type Context = grpc.aio.ServicerContext[Any, Any]

REPLY_RESERVE_S = 0.1
"""Kept of the caller's deadline, at most a tenth of it, so that a typed answer still reaches a caller that
is one of many on a busy machine."""

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")


@dataclass(frozen=True, slots=True)
class CallLimits:
    deadline_s_default: float
    """For a call that brings none."""
    deadline_s_max: float
    """A longer one is taken as this."""
    reply_bytes_max: int
    """A page or batch ends early before its reply passes this."""


def deadline_of(context: Context, limits: CallLimits) -> Deadline:
    """The caller's deadline less the time that its answer needs."""
    # The stubs say float; a call without a deadline has None.
    remaining_s = cast("float | None", context.time_remaining())
    if remaining_s is None:
        return Deadline.after(limits.deadline_s_default)
    reserve_s = min(REPLY_RESERVE_S, remaining_s / 10)
    return Deadline.after(min(remaining_s, limits.deadline_s_max) - reserve_s)

"""Which calls this gateway takes on: so many at once, with places kept for connections that have few.

A call holds its place until its answer has left, so that answers that nobody reads are counted too.
"""

import asyncio
from dataclasses import dataclass

from gateway.rpc.errors import AnswersUnread, TooManyCalls

_RESERVED_SHARE = 8
"""One place in so many goes only to connections that run less than their equal share."""
_SMALL_ANSWER_BYTES = 64 * 1024
"""An answer up to this size is always sent: the answer of a write must not be lost."""


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    calls_max: int
    """Calls that hold a place."""
    unsent_bytes_max: int = 128 * 1024 * 1024
    """Answers that wait for their clients to read them, of all connections. The library holds each twice."""
    connection_unsent_bytes_max: int = 32 * 1024 * 1024
    """Of one connection."""


@dataclass(slots=True)
class _Connection:
    calls: int = 0
    unsent_bytes: int = 0


class Admission:
    """For one event loop. Knows only connections that have calls."""

    def __init__(self, limits: AdmissionLimits) -> None:
        self._limits = limits
        self._calls = 0
        self._unsent_bytes = 0
        self._connections: dict[str, _Connection] = {}

    @property
    def calls(self) -> int:
        return self._calls

    def enter(self, connection: str) -> "Place":
        """A place for one call. Raises TooManyCalls, AnswersUnread."""
        held = self._connections.get(connection)
        mine = 0 if held is None else held.calls
        if held is not None and held.unsent_bytes >= self._limits.connection_unsent_bytes_max:
            raise self._unread(held, "connection_unsent_bytes_max")
        if self._calls >= self._limits.calls_max or (self._nearly_full and mine >= self._equal_share(held)):
            raise TooManyCalls(self._limits.calls_max, mine)
        if held is None:
            held = self._connections[connection] = _Connection()
        self._calls += 1
        held.calls += 1
        return Place(self, connection)

    @property
    def _nearly_full(self) -> bool:
        return self._calls >= self._limits.calls_max - self._limits.calls_max // _RESERVED_SHARE

    def _equal_share(self, held: _Connection | None) -> int:
        connections = len(self._connections) + (held is None)
        return max(1, self._limits.calls_max // connections)

    def queue_answer(self, connection: str, size: int) -> None:
        """Counts an answer until the call leaves. A client that reads one answer after the other is never
        refused, whatever others leave unread. Raises AnswersUnread."""
        held = self._connections[connection]
        if size > _SMALL_ANSWER_BYTES and held.unsent_bytes > 0:
            if held.unsent_bytes + size > self._limits.connection_unsent_bytes_max:
                raise self._unread(held, "connection_unsent_bytes_max")
            if self._unsent_bytes + size > self._limits.unsent_bytes_max:
                raise self._unread(held, "unsent_bytes_max")
        self._unsent_bytes += size
        held.unsent_bytes += size

    def _unread(self, held: _Connection, limit_name: str) -> AnswersUnread:
        return AnswersUnread(held.unsent_bytes, limit_name, getattr(self._limits, limit_name))

    def leave(self, connection: str, unsent_bytes: int) -> None:
        held = self._connections[connection]
        self._calls -= 1
        self._unsent_bytes -= unsent_bytes
        held.calls -= 1
        held.unsent_bytes -= unsent_bytes
        if held.calls == 0:
            del self._connections[connection]


class Place:
    """Of one call, to be left once."""

    __slots__ = ("_admission", "_unsent_bytes", "connection", "give_up")

    def __init__(self, admission: Admission, connection: str) -> None:
        self.give_up: asyncio.TimerHandle | None = None
        """Ends the call if it is still there by then."""
        self._admission = admission
        self.connection = connection
        self._unsent_bytes = 0

    def queue_answer(self, size: int) -> None:
        """Raises AnswersUnread."""
        self._admission.queue_answer(self.connection, size)
        self._unsent_bytes += size

    def leave(self) -> None:
        if self.give_up is not None:
            self.give_up.cancel()
        self._admission.leave(self.connection, self._unsent_bytes)

"""Runs one query on one graph: deadline, retry of reads, and what an error means."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import hiredis

from drivers.deadline import Deadline
from drivers.errors import (
    OutcomeUnknown,
    OutcomeUnknownAtDeadline,
    ShardError,
    ShardTimeout,
    ShardUnavailable,
)
from drivers.falkordb.connection import Connection, ConnectionBroken, ReplyRefused
from drivers.falkordb.errors import NO_SUCH_GRAPH, NOT_PRIMARY, classify
from drivers.falkordb.graphs import MARKER_GRAPH
from drivers.falkordb.parameters import Parameter, statement
from drivers.falkordb.pool import ConnectionPool
from drivers.falkordb.queries import READ_MARKER
from drivers.falkordb.records import records
from drivers.falkordb.settings import FalkorDBSettings
from drivers.fence import ShardMarker
from drivers.fence_codec import decode_marker
from drivers.marker_proof import REPLACED, proves

REPLY_RESERVE = 0.1
"""Share of the remaining time, at most REPLY_RESERVE_S_MAX, in which the engine's own timeout can still
arrive: that one says for certain that nothing was written."""
REPLY_RESERVE_S_MAX = 0.05

type Rows = list[list[Any]]


class GraphClient:
    """Safe for concurrent use."""

    def __init__(self, shard_id: str, settings: FalkorDBSettings) -> None:
        self._shard_id = shard_id
        self._settings = settings
        self._pool = ConnectionPool(shard_id, settings)
        self._marker: ShardMarker | None = None

    @property
    def shard_id(self) -> str:
        return self._shard_id

    @property
    def graphs_at_once_max(self) -> int:
        return self._settings.graphs_at_once_max

    def use_marker(self, marker: ShardMarker) -> None:
        """What every new connection has to show before a query on a group is sent on it."""
        self._marker = marker

    def close(self) -> None:
        self._pool.close()

    async def read(
        self, graph: str, text: str, parameters: Mapping[str, Parameter], deadline: Deadline, what: str
    ) -> Rows:
        """The rows of a query that changes nothing; none when the graph does not exist."""
        query = statement(text, parameters)
        try:
            reply = await self._retried("GRAPH.RO_QUERY", graph, query, deadline, what)
        except ReplyRefused as refused:
            if NO_SUCH_GRAPH in str(refused):
                return []
            raise classify(self._shard_id, str(refused), what) from refused
        return records(reply)

    async def write(
        self,
        graph: str,
        text: str,
        parameters: Mapping[str, Parameter],
        deadline: Deadline,
        what: str,
        op_id: str | None = None,
    ) -> Rows:
        """The rows of a query that may write; makes the graph when it does not exist.

        It is never sent twice. When its answer is lost: OutcomeUnknown with an `op_id`, ShardUnavailable
        or ShardTimeout without, for writes that may simply be done again.
        """
        query = statement(text, parameters)

        async def once(connection: Connection) -> object:
            return await connection.call(*self._command("GRAPH.QUERY", graph, query, connection, deadline))

        try:
            return records(await self._run(once, deadline, what, graph=graph, op_id=op_id))
        except ReplyRefused as refused:
            raise classify(self._shard_id, str(refused), what) from refused

    async def delete_graph(self, graph: str, left_text: str, deadline: Deadline, what: str) -> bool:
        """Deletes a graph in which the query `left_text` finds nothing; whether it did.

        The server drops the deletion if anybody has sent the graph a query that may write since it was
        watched, before the look: a late deletion does nothing to what has come meanwhile. A query that is
        still running when the watch begins may be lost with the graph: a graph without an owner gets none but
        those of the next move, which looks at its fence again.
        """
        query = left_text.encode()

        async def once(connection: Connection) -> object:
            await connection.call("WATCH", graph)
            try:
                look = self._command("GRAPH.RO_QUERY", graph, query, connection, deadline)
                if records(await connection.call(*look)):
                    await connection.call("UNWATCH")
                    return None
                await connection.call("MULTI")
                await connection.call("GRAPH.DELETE", graph)
                return await connection.call("EXEC")
            except ReplyRefused:
                # What it watches must not outlive this call.
                connection.close()
                raise

        try:
            return bool(await self._run(once, deadline, what, graph=graph))
        except ReplyRefused as refused:
            if NO_SUCH_GRAPH in str(refused):
                return False
            raise classify(self._shard_id, str(refused), what) from refused

    async def command(self, deadline: Deadline, what: str, *parts: str) -> object:
        """The answer to a command that reads."""

        async def once(connection: Connection) -> object:
            return await connection.call(*parts)

        try:
            return await self._run(once, deadline, what, graph=MARKER_GRAPH)
        except ReplyRefused as refused:
            raise classify(self._shard_id, str(refused), what) from refused

    async def _retried(self, verb: str, graph: str, query: bytes, deadline: Deadline, what: str) -> object:
        """Once more, on a new connection, when the one that was used turned out to be dead."""

        async def once(connection: Connection) -> object:
            return await connection.call(*self._command(verb, graph, query, connection, deadline))

        try:
            return await self._run(once, deadline, what, graph=graph)
        except ShardUnavailable as error:
            if not isinstance(error.__cause__, ConnectionBroken) or not error.__cause__.sent:
                raise
        return await self._run(once, deadline, what, graph=graph, fresh=True)

    async def _run(
        self,
        once: Callable[[Connection], Awaitable[object]],
        deadline: Deadline,
        what: str,
        *,
        graph: str,
        op_id: str | None = None,
        fresh: bool = False,
    ) -> object:
        """ReplyRefused for an error reply; every other failure typed. What is asked of the marker's graph
        needs no proof: it is the proof."""
        deadline.check(what)
        sent = False
        try:
            async with self._pool.connection(deadline, fresh=fresh) as connection:
                if graph != MARKER_GRAPH and not connection.proven:
                    await self._prove(connection, deadline)
                deadline.check(what)
                sent = True
                async with asyncio.timeout(deadline.remaining_s()):
                    reply = await self._answer(once, connection)
        except ConnectionBroken as broken:
            raise self._lost(broken, op_id) from broken
        except TimeoutError as error:
            if not sent:
                raise ShardUnavailable(self._shard_id, "no connection before the deadline") from error
            if op_id is not None:
                raise OutcomeUnknownAtDeadline(self._shard_id, op_id) from error
            raise ShardTimeout(self._shard_id, what) from error
        refused = _nested_error(reply)
        if refused is not None:
            raise refused
        return reply

    async def _answer(
        self, once: Callable[[Connection], Awaitable[object]], connection: Connection
    ) -> object:
        try:
            return await once(connection)
        except ReplyRefused as refused:
            if str(refused).startswith(NOT_PRIMARY):
                self._pool.retire(connection)
            raise

    async def _prove(self, connection: Connection, deadline: Deadline) -> None:
        """Behind a new connection may be another process than before, on other data."""
        admitted = self._marker
        if admitted is None:
            return
        command = self._command("GRAPH.RO_QUERY", MARKER_GRAPH, READ_MARKER.encode(), connection, deadline)
        try:
            async with asyncio.timeout(deadline.remaining_s()):
                found = records(await connection.call(*command))
        except ConnectionBroken as broken:
            raise ConnectionBroken(broken.why, sent=False) from broken
        except ReplyRefused as refused:
            if NO_SUCH_GRAPH not in str(refused):
                raise
            found = []
        if not proves(decode_marker(found[0]) if found else None, admitted):
            connection.close()
            raise ConnectionBroken(REPLACED, sent=False)
        connection.proven = True

    def _lost(self, broken: ConnectionBroken, op_id: str | None) -> ShardError:
        if broken.sent and op_id is not None:
            return OutcomeUnknown(self._shard_id, op_id)
        return ShardUnavailable(self._shard_id, broken.why)

    def _command(
        self, verb: str, graph: str, query: bytes, connection: Connection, deadline: Deadline
    ) -> tuple[str | bytes, ...]:
        remaining_s = deadline.remaining_s()
        seconds = min(
            remaining_s - min(REPLY_RESERVE_S_MAX, remaining_s * REPLY_RESERVE),
            self._settings.query_timeout_s_max,
        )
        timeout_ms = max(1, int(seconds * 1000))
        if connection.timeout_ms_max:
            timeout_ms = min(timeout_ms, connection.timeout_ms_max)
        return (verb, graph, query, "--compact", "TIMEOUT", str(timeout_ms))


def _nested_error(reply: object) -> ReplyRefused | None:
    """An error that came up after the engine had begun to answer stands last in the reply."""
    if isinstance(reply, list) and reply:
        last = cast("list[object]", reply)[-1]
        if isinstance(last, hiredis.ReplyError):
            return ReplyRefused(str(last))
    return None

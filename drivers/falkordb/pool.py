"""A bounded set of connections: the last one used is used first, so that spare ones age and go."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from drivers.deadline import Deadline
from drivers.errors import ShardOverloaded
from drivers.falkordb.connection import Connection
from drivers.falkordb.settings import FalkorDBSettings

PRIMARY_LOOKUP_S_MIN = 1.0
"""Age below which a connection to a server that is not the primary is kept."""


class ConnectionPool:
    """At most `size` commands run at once; more wait for a place within their deadline."""

    def __init__(self, shard_id: str, settings: FalkorDBSettings) -> None:
        self._shard_id = shard_id
        self._settings = settings
        self.size = min(settings.pool_size_max, settings.concurrent_queries_max)
        self._places = asyncio.Semaphore(self.size)
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._closed = False
        self._tls: ssl.SSLContext | None = None

    @asynccontextmanager
    async def connection(self, deadline: Deadline, *, fresh: bool = False) -> AsyncGenerator[Connection]:
        """A connection to send one command on; `fresh` makes a new one.

        ShardOverloaded when none gets free in time, ConnectionBroken or ReplyRefused when a new one
        cannot be made, TimeoutError when the deadline passes meanwhile.
        """
        await self._take_place(deadline)
        try:
            connection = None if fresh else self._pop_idle()
            if connection is None:
                async with asyncio.timeout(deadline.remaining_s()):
                    connection = await Connection.open(self._settings, self._tls_context())
            self._busy.add(connection)
            try:
                yield connection
            finally:
                self._busy.discard(connection)
                self._keep(connection)
        finally:
            self._places.release()

    def close(self) -> None:
        """Commands that are under way fail as lost."""
        self._closed = True
        for connection in (*self._idle, *self._busy):
            connection.close()
        self._idle.clear()

    def retire(self, connection: Connection) -> None:
        """After the answer of a server that is not the primary any more: the next connection looks the
        address up anew. A young one stays, so that refused calls do not connect once each."""
        if self._age_s(connection) > PRIMARY_LOOKUP_S_MIN:
            connection.close()

    async def _take_place(self, deadline: Deadline) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(min(deadline.remaining_s(), self._settings.acquire_timeout_s)):
                await self._places.acquire()
        except TimeoutError:
            raise ShardOverloaded(self._shard_id, "pool_size_max", self.size) from None

    def _tls_context(self) -> ssl.SSLContext | None:
        """Made once: reading the authorities' certificates takes milliseconds."""
        if self._tls is None:
            self._tls = self._settings.tls_context()
        return self._tls

    def _pop_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and not self._is_old(connection):
                return connection
            connection.close()
        return None

    def _keep(self, connection: Connection) -> None:
        if self._closed or not connection.usable:
            connection.close()
            return
        self._idle.append(connection)
        if self._is_old(self._idle[0]):
            self._idle.pop(0).close()

    def _is_old(self, connection: Connection) -> bool:
        return self._age_s(connection) > self._settings.connection_lifetime_s

    def _age_s(self, connection: Connection) -> float:
        return asyncio.get_running_loop().time() - connection.opened_at_s

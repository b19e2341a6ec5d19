"""Which statements the server has compiled.

The server compiles a text when it first meets it, for 0.1 to 2 s, three to five times that just after its
start; it does so for each session that brings the text at the same time; and when a session is cancelled, it
throws away what it has begun. Callers whose deadlines are shorter than that begin it again and again: of 40
calls with 0.2 s each none ever came through, and on a busy machine a server answered hardly anybody for
minutes, with 83 % of its time in compilations. So each text is compiled apart from the calls that bring it,
once for all of them and for as long as it takes, with parameters that are all null and a rollback.
"""

import asyncio
from collections.abc import Awaitable, Callable

from drivers.deadline import Deadline
from drivers.errors import ShardTimeout, ShardUnavailable

COMPILATION = "a compilation"
WAIT_SHARE = 0.9
"""Of the time left: what runs out of it has certainly sent nothing, and its caller can still be told so."""


class Compilations:
    """Of one server, since it was connected. Safe for concurrent use."""

    def __init__(
        self, shard_id: str, compile_text: Callable[[str, str, Callable[[], None]], Awaitable[bool]]
    ) -> None:
        """`compile_text` is given a text, its access mode and what to call when the server has it; whether it
        is compiled now."""
        self._shard_id = shard_id
        self._compile_text = compile_text
        self._compiled: set[str] = set()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._sent: set[str] = set()
        """Of those that run: the server has them."""

    async def done(self, text: str, access: str, deadline: Deadline) -> None:
        """Returns when the text is compiled, or could not be: then its own use tells why. When most of the
        time has passed it raises ShardTimeout, or ShardUnavailable without a connection until then; the
        compilation goes on."""
        if text in self._compiled:
            return
        deadline.check(COMPILATION)
        task = self._running.get(text) or self._begin(text, access)
        await asyncio.wait((task,), timeout=deadline.remaining_s() * WAIT_SHARE)
        if not task.done():
            if text in self._sent:
                raise ShardTimeout(self._shard_id, COMPILATION)
            raise ShardUnavailable(self._shard_id, "no connection in time")

    def doubt(self, text: str) -> None:
        """It took too long: another gateway's schema command may have made the server forget it."""
        self._compiled.discard(text)

    def forget(self) -> None:
        """All of them: after a schema command, or when there may be another process behind the address."""
        self._compiled.clear()

    async def close(self) -> None:
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, text: str, access: str) -> asyncio.Task[None]:
        task = self._running[text] = asyncio.create_task(self._compile(text, access), name=COMPILATION)
        task.add_done_callback(lambda _: self._ended(text))
        return task

    def _ended(self, text: str) -> None:
        del self._running[text]
        self._sent.discard(text)

    async def _compile(self, text: str, access: str) -> None:
        if await self._compile_text(text, access, lambda: self._sent.add(text)):
            self._compiled.add(text)

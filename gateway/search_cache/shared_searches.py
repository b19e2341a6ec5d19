"""One search at a time for callers who ask the same."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from drivers.deadline import Deadline
from drivers.errors import DeadlinePassed, GraphgateError


@dataclass(slots=True)
class _Search[T]:
    task: asyncio.Task[T]
    deadline: Deadline
    """Its first caller's."""
    callers: int = 0


class SharedSearches[K: Hashable, T]:
    """Unlike a lookup of shard_router.single_flight, a search is dear: it has the deadline of its first
    caller and ends when the last one has left."""

    def __init__(self) -> None:
        self._running: dict[K, _Search[T]] = {}

    async def run(
        self, key: K, work: Callable[[Deadline], Awaitable[T]], deadline: Deadline
    ) -> tuple[T, bool]:
        """The result of the search that runs, else of a new one; and whether it is a new one.

        Raises what the search raises. A caller who joined and has more time than the first does not get the
        first's failure, but asks again; one with less gets DeadlinePassed when its time is up.
        """
        search = self._running.get(key)
        if search is None:
            search = self._begin(key, work, deadline)
            return await self._result(key, search, None), True
        try:
            return await self._result(key, search, deadline), False
        except GraphgateError:
            if deadline <= search.deadline:
                raise
        return await self.run(key, work, deadline)

    async def close(self) -> None:
        """Returns when nothing runs any more."""
        tasks = [search.task for search in self._running.values()]
        self._running.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, key: K, work: Callable[[Deadline], Awaitable[T]], deadline: Deadline) -> _Search[T]:
        async def searching() -> T:
            return await work(deadline)

        search = _Search(asyncio.create_task(searching()), deadline)
        self._running[key] = search
        search.task.add_done_callback(lambda _: self._ended(key, search))
        return search

    async def _result(self, key: K, search: _Search[T], deadline: Deadline | None) -> T:
        """`deadline` None: the search keeps it by itself."""
        search.callers += 1
        try:
            async with asyncio.timeout(None if deadline is None else deadline.remaining_s()):
                return await asyncio.shield(search.task)
        except TimeoutError as error:
            raise DeadlinePassed("another caller's search of the same was done") from error
        finally:
            search.callers -= 1
            if not search.callers and not search.task.done():
                # Whoever comes before it has ended must not wait for it.
                self._forget(key, search)
                search.task.cancel()

    def _ended(self, key: K, search: _Search[T]) -> None:
        self._forget(key, search)
        if not search.task.cancelled():
            # Marks the error as seen also when every caller has left.
            search.task.exception()

    def _forget(self, key: K, search: _Search[T]) -> None:
        if self._running.get(key) is search:
            del self._running[key]

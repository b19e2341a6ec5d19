"""One lookup per key at a time, shared by everyone who asks meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable

from drivers.deadline import Deadline
from drivers.errors import DeadlinePassed


class SingleFlight[K: Hashable, T]:
    """The lookup runs on its own clock: a caller that gives up or is cancelled does not end it for
    the others, and a caller with little time does not shorten it."""

    def __init__(self, what: str, flight_s_max: float) -> None:
        self._what = what
        self._flight_s_max = flight_s_max
        self._flights: dict[K, asyncio.Task[T]] = {}

    async def run(self, key: K, work: Callable[[Deadline], Awaitable[T]], deadline: Deadline) -> T:
        """The result of the flight in the air, else of a new one. Raises what the flight raises,
        DeadlinePassed when the caller's own time ends before."""
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._fly(work))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        try:
            async with asyncio.timeout(deadline.remaining_s()):
                return await asyncio.shield(flight)
        except TimeoutError as error:
            raise DeadlinePassed(f"{self._what} was known") from error

    async def close(self) -> None:
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    async def _fly(self, work: Callable[[Deadline], Awaitable[T]]) -> T:
        return await work(Deadline.after(self._flight_s_max))

    def _landed(self, key: K, flight: asyncio.Task[T]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            # Marks the error as seen also when every caller has left.
            flight.exception()

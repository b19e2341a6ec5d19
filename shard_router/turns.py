"""Long computations on the event loop, in turns that are short enough for everything else on it."""

import asyncio
from collections.abc import Generator


class Turns:
    """Of all computations of several steps that share it, one runs one step in each turn of the loop: however
    many there are, other tasks wait for a single step. Belongs to one event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def run[T](self, work: Generator[None, None, T]) -> T:
        """Runs to its end, from `yield` to `yield` a step; returns what it returns, raises what it raises.
        Does not wait if there is one step and nothing else runs."""
        while True:
            async with self._turn:
                try:
                    next(work)
                except StopIteration as ended:
                    return ended.value
                await asyncio.sleep(0)

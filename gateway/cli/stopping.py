"""Stop signals: the first asks to finish, the second to stop at once."""

import asyncio
import signal
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a container's stop, a closed terminal, which the engines of the fleet would outlive."""


class StopSignals:
    """Context manager, inside a running loop: SIGNALS are counted instead of raised."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        self.number = 0
        """Of the last signal; 0 before any."""
        self._counted: list[signal.Signals] = []

    def __enter__(self) -> Self:
        # nohup asks to survive its terminal.
        self._counted = [
            number
            for number in SIGNALS
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
        ]
        for number in self._counted:
            asyncio.get_running_loop().add_signal_handler(number, self._received, number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in self._counted:
            asyncio.get_running_loop().remove_signal_handler(number)

    def _received(self, number: int) -> None:
        self.number = number
        (self.second if self.first.is_set() else self.first).set()


async def unless[T](event: asyncio.Event, step: Coroutine[Any, Any, T]) -> T | None:
    """The step's result; None when the event came first: the step was cancelled then, and has ended.

    What the step raises is raised, also while it is being cancelled.
    """
    task = asyncio.create_task(step)
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task})
        raise
    finally:
        waiting.cancel()
    return None if task.cancelled() else task.result()

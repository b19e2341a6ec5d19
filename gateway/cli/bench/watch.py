"""How far a long benchmark is, on standard error."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class BarWatch:
    """Context manager: one bar for each part of the work."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("  {task.description:<32}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._progress.stop()

    def begin(self, what: str, total: int | None = None) -> None:
        """The next part of the work and how much there is of it; None: it has no measure."""
        self._end()
        self._task = self._progress.add_task(what, total=total)

    def advance(self, count: int) -> None:
        assert self._task is not None, "nothing was begun"
        self._progress.advance(self._task, count)

    def _end(self) -> None:
        """Stops the clock of the part that runs."""
        if self._task is not None:
            self._progress.stop_task(self._task)

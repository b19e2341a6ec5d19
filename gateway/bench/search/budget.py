"""Time for a whole run: what does not fit is left out and named."""

import time
from collections.abc import Callable


class Budget:
    def __init__(self, seconds_max: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._seconds_max = seconds_max
        self.left_out: list[str] = []
        """What was asked for and not done, each with why."""

    @property
    def spent_s(self) -> float:
        return self._clock() - self._began

    def allows(self, what: str, needs_s: float = 0.0) -> bool:
        """Whether there is time to begin it; if not, it is noted as left out. `needs_s`: what it is thought
        to take."""
        left_s = self._seconds_max - self.spent_s
        if left_s > 0 and needs_s <= left_s:
            return True
        self.leave_out(what, f"it is thought to take {needs_s:.0f} s and {max(0.0, left_s):.0f} s are left")
        return False

    def leave_out(self, what: str, why: str) -> None:
        self.left_out.append(f"{what}: {why}")

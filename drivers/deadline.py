"""The caller's deadline as one value that travels from the rim to every query."""

import time
from dataclasses import dataclass

from drivers.errors import DeadlinePassed


@dataclass(frozen=True, slots=True, order=True)
class Deadline:
    """A point on the monotonic clock. Comparable: the earlier deadline is the smaller one."""

    at_s: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(time.monotonic() + seconds)

    def remaining_s(self) -> float:
        """Seconds left; 0.0 when it has passed."""
        return max(0.0, self.at_s - time.monotonic())

    def earlier(self, seconds: float) -> "Deadline":
        """This deadline less a reserve for the work that follows, e.g. merging after a fan-out."""
        return Deadline(self.at_s - seconds)

    def within(self, seconds: float) -> "Deadline":
        """The sooner of this deadline and `seconds` from now."""
        return min(self, Deadline.after(seconds))

    def check(self, what: str) -> None:
        """Raises DeadlinePassed, naming `what` was about to start, when no time is left."""
        if time.monotonic() >= self.at_s:
            raise DeadlinePassed(what)

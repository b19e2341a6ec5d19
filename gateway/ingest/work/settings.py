"""How much a worker does at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Strategy(StrEnum):
    SEQUENTIAL = "sequential"
    CONSERVATIVE = "conservative"
    BALANCED = "balanced"
    AGGRESSIVE = "aggressive"


RUNNING_MAX = 20
"""Whatever the strategy."""
RUNNING: Mapping[Strategy, int] = {
    Strategy.SEQUENTIAL: 1,
    Strategy.CONSERVATIVE: 3,
    Strategy.BALANCED: 10,
    Strategy.AGGRESSIVE: RUNNING_MAX,
}
"""Episodes being extracted at once, and units in each later stage."""


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    strategy: Strategy = Strategy.BALANCED
    first_batch: int = 10
    batch_max: int = 1_000
    """Episodes of one unit."""
    unit_s_max: float = 300.0
    """One attempt at a unit."""
    pause_first_s: float = 0.5
    pause_s_max: float = 60.0
    """Before the next attempt at a unit that could not be done for now; doubling."""
    tries_max: int = 10
    """Attempts at a unit that end with the worker, before it is a failure."""
    stands_by: bool = False
    """Without a language model: turns are left to the workers that have one, as long as there are any."""

    @property
    def running(self) -> int:
        return RUNNING[self.strategy]

    @property
    def units_running_max(self) -> int:
        """Twice as many: while some are extracted, others are resolved and written."""
        return self.running if self.strategy is Strategy.SEQUENTIAL else 2 * self.running

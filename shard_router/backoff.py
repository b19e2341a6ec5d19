"""Growing pauses between attempts, drawn at random so that gateways do not knock in step."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Backoff:
    first_s: float
    pause_s_max: float

    def pause_s(self, attempt: int, rng: Random) -> float:
        """Before attempt number `attempt` (from 1): half to all of first_s * 2^(attempt - 1), capped."""
        doublings = min(attempt - 1, 32)
        return min(self.pause_s_max, self.first_s * 2**doublings) * rng.uniform(0.5, 1.0)

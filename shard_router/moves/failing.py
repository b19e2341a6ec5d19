"""How long a move has not got on."""

from dataclasses import dataclass
from random import Random

from shard_router.moves.settings import MoveSettings


@dataclass(slots=True)
class Failing:
    """Kept over the attempts of one gateway."""

    count: int = 0
    """Failures in a row."""
    since_s: float | None = None
    """Monotonic, of the first of them."""
    rests: int = 0
    """How often it has given its place to another move since."""

    def note(self, now_s: float) -> None:
        self.count += 1
        self.since_s = now_s if self.since_s is None else self.since_s

    def is_long(self, now_s: float, settings: MoveSettings) -> bool:
        return self.since_s is not None and now_s - self.since_s >= settings.failing_s_max

    def rest_s(self, settings: MoveSettings, rng: Random) -> float:
        """Of the next rest."""
        self.rests += 1
        return settings.rest_pause.pause_s(self.rests, rng)

    def over(self) -> None:
        """It has got on."""
        self.count, self.since_s, self.rests = 0, None, 0

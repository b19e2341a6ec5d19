"""When a group may be frozen: pure. Writers wait from the freeze to the commit, so the last round is to be
short, and is predicted from those before it."""

from dataclasses import dataclass
from random import Random

from shard_router.moves.settings import MoveSettings

_NEW_SHARE = 0.4
"""Of a new measurement in the running mean."""
_CATCHING_UP = 0.9
"""A round that leaves at most this share of what was left before gets on."""
_SMALL_ITEMS = 8
"""A round of so few is taken for the cost of a round as such."""


@dataclass(slots=True)
class DrainForecast:
    """How long a round takes: a part that every round has, and a part per item."""

    base_s: float = 0.0
    per_item_s: float = 0.0
    items_per_version: float = 1.0
    rounds: int = 0
    """With anything in them."""

    def note(self, items: int, versions: int, seconds: float) -> None:
        if not items or not versions:
            return
        self.items_per_version = self._mean(self.items_per_version, items / versions)
        if items <= _SMALL_ITEMS:
            self.base_s = self._mean(self.base_s, seconds)
        else:
            self.per_item_s = self._mean(self.per_item_s, max(0.0, seconds - self.base_s) / items)
        self.rounds += 1

    def seconds(self, versions: int) -> float | None:
        """Of a round with so many versions; None: there is nothing to tell it from."""
        if versions <= 0:
            return 0.0
        if not self.rounds:
            return None
        return self.base_s + self.per_item_s * self.items_per_version * versions

    def _mean(self, before: float, new: float) -> float:
        return new if not self.rounds else (1 - _NEW_SHARE) * before + _NEW_SHARE * new


@dataclass(slots=True)
class FreezeGate:
    """Whether a group may be frozen now."""

    settings: MoveSettings
    rng: Random
    forecast: DrainForecast
    misses: int = 0
    """Rounds after which it did not fit and that did not get on either."""
    behind_min: int | None = None
    """Versions that were left after the round that came nearest; None: since rounds began."""
    thaws: int = 0
    again_at_s: float = 0.0

    @property
    def budget_s(self) -> float:
        doublings = min(self.misses // self.settings.rounds_relaxed, 16)
        return min(self.settings.freeze_s_max * 2**doublings, self.settings.drain_s_max / 2)

    @property
    def is_hopeless(self) -> bool:
        return self.misses >= self.settings.rounds_max

    def opens(self, versions_behind: int, now_s: float) -> bool:
        """Whether the last round is expected to fit. A miss is counted."""
        if now_s < self.again_at_s:
            return False
        seconds = self.forecast.seconds(versions_behind)
        if seconds is not None and seconds <= self.budget_s:
            return True
        if self.behind_min is None or versions_behind <= self.behind_min * _CATCHING_UP:
            self.behind_min = versions_behind
        else:
            self.misses += 1
        return False

    def begins_anew(self) -> None:
        """After something long, during which the group was written to: to catch up with that is no miss, for
        which writers would have to wait longer in the end."""
        self.behind_min = None

    def thawed(self, now_s: float) -> None:
        self.thaws += 1
        self.again_at_s = now_s + self.settings.thaw_pause.pause_s(self.thaws, self.rng)

    def waits_s(self, now_s: float) -> float:
        """Until a freeze may be tried again."""
        return max(0.0, self.again_at_s - now_s)

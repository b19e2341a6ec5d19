"""Questions whose answer is not worth asking for again so soon."""

from collections import OrderedDict
from collections.abc import Hashable

from shard_router.clock import Clock

PAUSE_S = 1.0
ENTRIES_MAX = 10_000
"""About 200 bytes each; the oldest goes first."""


class RecentlyAsked[K: Hashable]:
    def __init__(self, clock: Clock, pause_s: float = PAUSE_S, entries_max: int = ENTRIES_MAX) -> None:
        self._clock = clock
        self._pause_s = pause_s
        self._entries_max = entries_max
        self._asked_at_s: OrderedDict[K, float] = OrderedDict()

    def lately(self, key: K) -> bool:
        """Whether it was asked within the pause."""
        asked_at_s = self._asked_at_s.get(key)
        return asked_at_s is not None and self._clock.monotonic_s() - asked_at_s < self._pause_s

    def note(self, key: K) -> None:
        self._asked_at_s[key] = self._clock.monotonic_s()
        self._asked_at_s.move_to_end(key)
        if len(self._asked_at_s) > self._entries_max:
            self._asked_at_s.popitem(last=False)

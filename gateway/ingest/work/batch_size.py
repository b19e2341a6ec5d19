"""How many episodes a unit takes: more while units are quick and have room, fewer when they are slow."""

QUICK_S = 1.0
SLOW_S = 5.0
EPISODES_MAX = 1_000


READ_AHEAD_TIMES = 2
"""Taken over written, where a write has no room for more: so many are read while those before are written."""


class BatchSize:
    """Doubled after a full unit under QUICK_S, halved after one over SLOW_S; once a write was full, a
    multiple of what it took at most."""

    def __init__(self, first: int, most: int = EPISODES_MAX) -> None:
        self._most = min(most, EPISODES_MAX)
        self.episodes = max(1, min(first, self._most))

    def note(self, episodes: int, seconds: float, written: int) -> None:
        """A unit of so many episodes took so long; there was room for `written` of them."""
        if 0 < written < episodes:
            self.episodes = max(1, min(self._most, READ_AHEAD_TIMES * written))
        elif seconds > SLOW_S and episodes > 1:
            self.episodes = max(1, min(self.episodes, episodes) // 2)
        elif seconds < QUICK_S and episodes >= self.episodes:
            self.episodes = min(self._most, self.episodes * 2)

    def note_overrun(self, episodes: int) -> None:
        """A unit of so many episodes did not end in its time."""
        # Units that overran side by side say the same once.
        self.episodes = max(1, min(self.episodes, episodes // 2))

"""How a slot's filling leaves the shard's time to its callers."""

from math import inf

SHARE = 0.5
"""Of the shard's time, while a slot is being filled."""


class FillPace:
    """Of one filling, part after part.

    A part waits for the searches that run: that is no work of the shard for it. What a row costs is taken
    from the quickest part so far.
    """

    def __init__(self) -> None:
        self._row_s = inf

    def pause_s(self, rows: int, took_s: float) -> float:
        """After a part of so many rows, at least one."""
        self._row_s = min(self._row_s, took_s / rows)
        return rows * self._row_s * (1 - SHARE) / SHARE

"""How a slot's filling leaves the shard's time to its callers, and gets its own among them."""

from collections import deque

from drivers.vector_slots import FILL_GROWTH_MAX

SHARE = 0.5
"""Of the shard's time, while a slot is being filled."""
PARTS_SEEN = 50
"""From which it is told what a row costs: one part of rows without vectors must not tell it for good."""


class FillPace:
    """Of one filling, part after part.

    A part waits for the searches and writes that run: that is no work of the shard for it. What a row costs
    is taken from the quickest of the last parts. Where parts mostly wait they grow: on FalkorDB a write waits
    until the scans that run are over: on a busy shard parts are few, and a filling by small ones would fall
    behind the writes while searches scan more.
    """

    def __init__(self) -> None:
        self._row_s: deque[float] = deque(maxlen=PARTS_SEEN)
        self._growth = 1.0

    @property
    def growth(self) -> int:
        """Times as many rows as usual that the next part may have."""
        return int(self._growth)

    def pause_s(self, rows: int, took_s: float) -> float:
        """After a part of so many rows, at least one."""
        self._row_s.append(took_s / rows)
        work_s = rows * min(self._row_s)
        if work_s > 0:
            # Twice as long as the work itself: the part is as large as it should be.
            self._growth = max(1.0, min(self._growth * took_s / work_s / 2, FILL_GROWTH_MAX))
        return work_s * (1 - SHARE) / SHARE

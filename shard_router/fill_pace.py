"""How a slot's filling leaves the shard's time to its callers, and gets its own among them."""

from math import inf

SHARE = 0.5
"""Of the shard's time, while a slot is being filled."""
AT_ONCE_MAX = 4
"""Steps side by side: a write of somebody else may stand behind so many, on FalkorDB 10 to 20 ms each."""


class FillPace:
    """Of one filling, part after part.

    A part waits for the searches and writes that run: that is no work of the shard for it. What a row costs
    is taken from the quickest part so far. Where parts mostly wait, more of them stand in the queue at once:
    with one after the other, a filling on a busy shard would fall behind its writes, and searches would scan
    more and more.
    """

    def __init__(self) -> None:
        self._row_s = inf
        self.at_once = 1
        """Steps that the next part may have side by side."""

    def pause_s(self, rows: int, took_s: float) -> float:
        """After a part of so many rows, at least one."""
        self._row_s = min(self._row_s, took_s / rows)
        work_s = rows * self._row_s
        if work_s > 0:
            waits = took_s / work_s
            self.at_once = max(1, min(int(self.at_once * waits / 2), AT_ONCE_MAX))
        return work_s * (1 - SHARE) / SHARE

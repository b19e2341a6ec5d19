"""Groups to which new rows are being added: their writes are planned without being read for first.

Most writes of an agent's memory add rows that did not exist. For those the images say only what can be
guessed: no row is there, every endpoint is. The shard checks the guess anyway, for the guards of a write
count the rows that the plan says exist and the endpoints that it needs. A wrong guess writes nothing, comes
back as CONFLICT and costs one statement; a right one saves a read of every row, a third of a write's time.
"""

from collections import OrderedDict
from dataclasses import dataclass

from drivers.fence import Fence
from drivers.write_plan import ImageRequest, Images
from gateway.writes.intent import WriteIntent, WriteMode

GROUPS_MAX = 10_000
"""Groups remembered, about 1 KiB each; the one unused for longest goes first."""

STREAK_MIN = 2
"""Writes in a row whose rows were all new before the next one is guessed: groups whose rows are overwritten
in turn with new ones would pay for a wrong guess each time."""


@dataclass(frozen=True, slots=True)
class _Streak:
    fence: Fence
    """As the last of the writes left it."""
    writes: int


class FreshGroups:
    def __init__(self, groups_max: int = GROUPS_MAX) -> None:
        self._groups_max = groups_max
        self._streaks: OrderedDict[str, _Streak] = OrderedDict()

    def guess(self, intent: WriteIntent, request: ImageRequest) -> Images | None:
        """Images in which nothing of the write exists but its endpoints; None where that is not to be
        expected, or where a refusal could be due to the guess."""
        streak = self._streaks.get(intent.group_id)
        if streak is None or streak.writes < STREAK_MIN:
            return None
        if intent.mode is WriteMode.PATCH or intent.deletions or intent.conditions or intent.validate_only:
            return None
        if intent.if_version is not None:
            return None
        self._streaks.move_to_end(intent.group_id)
        return Images(
            fence=streak.fence,
            operation=None,
            rows={},
            endpoints={kind: frozenset(uuids) for kind, uuids in request.endpoints.items()},
            incident=(),
        )

    def written(self, fence: Fence, *, all_new: bool) -> None:
        """After every applied write. `fence`: of its outcome."""
        group_id = fence.group_id
        if not all_new:
            self.forget(group_id)
            return
        before = self._streaks.pop(group_id, None)
        if before is not None and before.fence.version > fence.version:
            fence = before.fence
        self._streaks[group_id] = _Streak(fence, min((before.writes if before else 0) + 1, STREAK_MIN))
        if len(self._streaks) > self._groups_max:
            self._streaks.popitem(last=False)

    def forget(self, group_id: str) -> None:
        """After a wrong guess."""
        self._streaks.pop(group_id, None)

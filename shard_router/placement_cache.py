"""The placements that this gateway used last."""

from collections import OrderedDict

from shard_router.placement import Placement


class PlacementCache:
    """At most `entries_max`; the one unused for longest goes first. About 400 bytes per entry."""

    def __init__(self, entries_max: int) -> None:
        if entries_max < 1:
            raise ValueError(
                f"entries_max {entries_max} of the placement cache is below 1; give it 1 or more"
            )
        self._entries_max = entries_max
        self._entries: OrderedDict[str, Placement] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, group_id: str) -> Placement | None:
        found = self._entries.get(group_id)
        if found is not None:
            self._entries.move_to_end(group_id)
        return found

    def put(self, placement: Placement) -> None:
        """Kept unless a higher epoch is known: a slow lookup does not undo a newer one."""
        known = self._entries.get(placement.group_id)
        if known is None or known.epoch <= placement.epoch:
            self._entries[placement.group_id] = placement
        self._entries.move_to_end(placement.group_id)
        if len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)

    def forget(self, placement: Placement) -> None:
        """Only if it is still this one: what somebody else has learned since stays."""
        if self._entries.get(placement.group_id) == placement:
            del self._entries[placement.group_id]

"""One group followed from its home, fence by fence, to the shard that owns it."""

from dataclasses import dataclass
from typing import Final

from drivers.fence import POOLED, Fence, FenceState, GroupRef
from shard_router.errors import PlacementLost, PlacementUnsettled
from shard_router.placement import Placement

FIRST_EPOCH: Final = 1
POINTER_EPOCH: Final = 0


@dataclass(frozen=True, slots=True)
class Next:
    """Look at this shard and space."""

    shard_id: str
    space: str


@dataclass(frozen=True, slots=True)
class Vacant:
    """Nothing is placed: the home has no entry, or the creation that it points to is unfinished."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """The move that led here is committed and nobody has opened the group yet: whoever comes does it."""

    epoch: int


@dataclass(slots=True)
class Trail:
    """How one group is followed from its home."""

    group_id: str
    shard_id: str
    space: str = POOLED
    pointer: Fence | None = None
    """The fence that led here."""

    @property
    def ref(self) -> GroupRef:
        return GroupRef(self.group_id, self.space)

    def judge(self, fence: Fence | None, incarnation: str) -> Placement | Next | Vacant | Arrived:
        """Raises PlacementLost, PlacementUnsettled."""
        if fence is None:
            return self._judge_absence(incarnation)
        if fence.owns:
            return Placement(self.group_id, self.shard_id, fence.space, fence.epoch)
        if fence.state is FenceState.READY and self._hands_over(fence.epoch):
            return Arrived(fence.epoch)
        if not fence.moved_to:
            if fence.state in (FenceState.MOVED, FenceState.TOMB):
                raise PlacementLost(self.group_id, self.shard_id, f"its {fence.state} fence leads nowhere")
            raise PlacementUnsettled(self.group_id, f"it is being moved to shard {self.shard_id}")
        self.pointer = fence
        return Next(fence.moved_to, fence.moved_space)

    def _hands_over(self, epoch: int) -> bool:
        """Whether the fence that led here has given the group away at this epoch."""
        pointer = self.pointer
        gone = pointer is not None and pointer.state in (FenceState.MOVED, FenceState.TOMB)
        return gone and pointer is not None and pointer.moved_epoch == epoch

    def _judge_absence(self, incarnation: str) -> Vacant:
        pointer = self.pointer
        if pointer is None:
            return Vacant()
        if pointer.moved_epoch > FIRST_EPOCH or pointer.epoch > POINTER_EPOCH:
            raise PlacementLost(self.group_id, self.shard_id, f"no fence for epoch {pointer.moved_epoch}")
        if pointer.move_id and pointer.move_id != incarnation:
            raise PlacementLost(self.group_id, self.shard_id, "the shard has lost its data since")
        return Vacant()

    def go(self, place: Next) -> None:
        self.shard_id, self.space = place.shard_id, place.space

"""What a coordinator knows of one move while it works on it."""

from dataclasses import dataclass, field, replace
from typing import Any

from drivers.errors import GraphgateError
from drivers.fence import Fence
from drivers.moving import Changed
from shard_router.moves.copying import Copying
from shard_router.moves.journal import Journal
from shard_router.moves.next_step import CopyState, Situation
from shard_router.moves.side import Side


@dataclass(slots=True)
class Session:
    journal: Journal
    source: Side
    target: Side
    source_fence: Fence | None = None
    target_fence: Fence | None = None
    is_known: bool = False
    """Whether both fences were read since the last doubt; None of a known one means that there is none."""
    target_away: GraphgateError | None = None
    """Why the target's fence could not be read."""
    token: int = 0
    displaces: str = ""
    giving_up: bool = False
    copy: CopyState = field(default_factory=CopyState)
    placed: bool = False
    pointed: bool = False
    moved_on: bool | None = None
    window_over: bool = False
    cleaned: bool = False
    dropped: bool = False
    frozen_at_s: float | None = None
    copies: int = 0
    """Begun by this coordinator."""

    @property
    def situation(self) -> Situation:
        return Situation(
            record=self.journal.record,
            token=self.token,
            displaces=self.displaces,
            giving_up=self.giving_up,
            target_away=self.target_away is not None,
            copy=self.copy,
            placed=self.placed,
            pointed=self.pointed,
            moved_on=self.moved_on,
            window_over=self.window_over,
            cleaned=self.cleaned,
            dropped=self.dropped,
        )

    @property
    def copying(self) -> Copying:
        """Raises AssertionError where no copy has been taken."""
        assert self.source_fence is not None, "a copy has a source"
        return Copying(self.source_fence.token, self.source_fence.move_id)

    def copy_now(self, **values: Any) -> None:
        """Values are fields of CopyState."""
        self.copy = replace(self.copy, **values)

    def doubt(self) -> None:
        """The fences are to be read again."""
        self.is_known = False

    def source_changed(self, changed: Changed) -> bool:
        """Whether the change was made; if not, both fences are read again."""
        self.source_fence = changed.fence
        self.is_known &= changed.applied
        return changed.applied

    def target_changed(self, changed: Changed) -> bool:
        self.target_fence = changed.fence
        self.is_known &= changed.applied
        return changed.applied

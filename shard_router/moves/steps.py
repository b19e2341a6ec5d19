"""The steps of a move, as values: what to do, and what it was decided from."""

from dataclasses import dataclass

from shard_router.moves.record import MoveFailure, MovePhase


@dataclass(frozen=True, slots=True)
class Take:
    token: int
    move_id: str
    seen_move_id: str


@dataclass(frozen=True, slots=True)
class Resume:
    pass


@dataclass(frozen=True, slots=True)
class Prepare:
    pass


@dataclass(frozen=True, slots=True)
class PrepareDelta:
    owner_prune_floor: int


@dataclass(frozen=True, slots=True)
class Wipe:
    """What an earlier copy left at the target."""


@dataclass(frozen=True, slots=True)
class MarkWiped:
    """With the source's version, read under its lock."""


@dataclass(frozen=True, slots=True)
class CopyOn:
    cursor: str


@dataclass(frozen=True, slots=True)
class Round:
    pass


@dataclass(frozen=True, slots=True)
class BuildIndexes:
    pass


@dataclass(frozen=True, slots=True)
class Verify:
    pass


@dataclass(frozen=True, slots=True)
class Freeze:
    pass


@dataclass(frozen=True, slots=True)
class LastRound:
    pass


@dataclass(frozen=True, slots=True)
class MakeReady:
    epoch: int
    version: int


@dataclass(frozen=True, slots=True)
class Commit:
    frozen_epoch: int


@dataclass(frozen=True, slots=True)
class Thaw:
    pass


@dataclass(frozen=True, slots=True)
class Unready:
    epoch: int


@dataclass(frozen=True, slots=True)
class AwaitTarget:
    """It does not answer, and nothing can be done without it."""


@dataclass(frozen=True, slots=True)
class LookForOwner:
    """There is nothing of the group at the target: it may have gone on from there."""

    moved_epoch: int


@dataclass(frozen=True, slots=True)
class OpenTarget:
    epoch: int


@dataclass(frozen=True, slots=True)
class RecordPlacement:
    epoch: int


@dataclass(frozen=True, slots=True)
class PointRegister:
    moved_epoch: int


@dataclass(frozen=True, slots=True)
class AwaitReverseEnd:
    pass


@dataclass(frozen=True, slots=True)
class Bury:
    moved_epoch: int


@dataclass(frozen=True, slots=True)
class Clean:
    """Delete the rows of a TOMB: of the source after the commit, of the target of a move given up."""

    at_target: bool = False


@dataclass(frozen=True, slots=True)
class DropSpace:
    at_target: bool = False


@dataclass(frozen=True, slots=True)
class Abandon:
    frozen: bool


@dataclass(frozen=True, slots=True)
class Discard:
    """The target of a copy that the source's fence does not name any more."""

    token: int
    move_id: str
    owner_epoch: int


@dataclass(frozen=True, slots=True)
class Done:
    phase: MovePhase


@dataclass(frozen=True, slots=True)
class StandDown:
    """Another coordinator has taken the move over."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """Before the commit: the move is to be given up. After it: it ends as it is, with all its rows."""

    reason: MoveFailure


type Step = (
    Take
    | Resume
    | Prepare
    | PrepareDelta
    | Wipe
    | MarkWiped
    | CopyOn
    | Round
    | BuildIndexes
    | Verify
    | Freeze
    | LastRound
    | MakeReady
    | Commit
    | Thaw
    | Unready
    | AwaitTarget
    | LookForOwner
    | OpenTarget
    | RecordPlacement
    | PointRegister
    | AwaitReverseEnd
    | Bury
    | Clean
    | DropSpace
    | Abandon
    | Discard
    | Done
    | StandDown
    | Stuck
)

"""What a move needs next: pure, from both fences, so that whoever reads them can go on with it.

A fence that is read shows a moment that may be over. That costs at most a refused change: every step that
changes something names, in its rule of drivers/fence_changes.py, what it was decided from. Only an end is
final: the caller reads again before it believes in Stuck.
"""

from dataclasses import dataclass, field

from drivers.fence import Fence, FenceState
from drivers.moving import CURSOR_END
from shard_router.moves.record import MoveFailure, MovePhase, MoveRecord, copy_id
from shard_router.moves.steps import (
    Abandon,
    AwaitReverseEnd,
    AwaitTarget,
    BuildIndexes,
    Bury,
    Clean,
    Commit,
    CopyOn,
    Discard,
    Done,
    DropSpace,
    Freeze,
    LastRound,
    LookForOwner,
    MakeReady,
    MarkWiped,
    OpenTarget,
    PointRegister,
    Prepare,
    PrepareDelta,
    RecordPlacement,
    Resume,
    Round,
    StandDown,
    Step,
    Stuck,
    Take,
    Thaw,
    Unready,
    Verify,
    Wipe,
)

_S = FenceState
_COPIES = frozenset({_S.WIPING, _S.INCOMING, _S.READY})
_GONE = frozenset({_S.MOVED, _S.TOMB})


@dataclass(frozen=True, slots=True)
class CopyState:
    """What a coordinator knows of the present copy beside the fences; it begins anew with each copy."""

    wiped: bool = False
    """There is nothing left at the target."""
    fits: bool = False
    """The last round is expected to be short enough."""
    indexed: bool = False
    """The target's slots are complete, or none are wanted before the commit."""
    verified: bool = False
    """The copy has been compared, or is not to be."""
    overrun: bool = False
    """The group has been frozen for too long."""


@dataclass(frozen=True, slots=True)
class Situation:
    record: MoveRecord
    token: int = 0
    """That this coordinator has taken; 0: none yet."""
    displaces: str = ""
    """move_id in the source's fence of a move that has ended or is known to nobody: it may be taken away."""
    giving_up: bool = False
    target_away: bool = False
    """It does not answer: the target's fence is not known."""
    copy: CopyState = field(default_factory=CopyState)
    placed: bool = False
    """The catalog and this gateway know the new owner."""
    pointed: bool = False
    """So does the register."""
    moved_on: bool | None = None
    """Whether the group has left the target, where no fence of it is; None: the register was not asked."""
    window_over: bool = False
    cleaned: bool = False
    """There are no rows left to delete."""
    dropped: bool = False


def next_step(now: Situation, source: Fence | None, target: Fence | None) -> Step:
    record = now.record
    if now.target_away:
        return _without_target(now, source)
    if source is None and record.committed:
        # Its space was dropped.
        return Done(MovePhase.DONE)
    if source is None:
        return _ended(now) if now.giving_up else Stuck(MoveFailure.SOURCE_LOST)
    if source.owns:
        if record.committed:
            # The group has come back.
            return Done(MovePhase.DONE)
        return _give_up(now, source, target) if now.giving_up else _go_on(now, source, target)
    if source.state in _GONE and (record.owns(source.move_id) or record.committed):
        return _finish(now, source, target)
    if record.committed:
        # It is on its way back: what becomes of the rows is for that move to say.
        return Done(MovePhase.DONE)
    return _give_up(now, source, target) if now.giving_up else Stuck(MoveFailure.NOT_OWNER)


def _without_target(now: Situation, source: Fence | None) -> Step:
    """What the source alone allows: to let writers go, and to give up."""
    if source is None or not source.owns or not now.record.owns(source.move_id):
        return AwaitTarget()
    frozen = source.state is _S.FROZEN
    if not now.giving_up and not (frozen and now.copy.overrun):
        return AwaitTarget()
    if source.token != now.token:
        if now.token and source.token > now.token:
            return StandDown()
        return _take(now, source, None, keep=True)
    return Abandon(frozen) if now.giving_up else Thaw()


# --- before the commit ----------------------------------------------------------------------------


def _go_on(now: Situation, source: Fence, target: Fence | None) -> Step:
    record = now.record
    if target is not None and target.owns:
        return Stuck(MoveFailure.TARGET_OWNS)
    if not record.owns(source.move_id):
        if now.token and source.token >= now.token:
            # Somebody has given the move up, or another move has come.
            return StandDown()
        if source.move_id not in ("", now.displaces):
            return Stuck(MoveFailure.GROUP_IS_MOVING)
        return _take(now, source, target, keep=False)
    if source.token != now.token:
        if now.token and source.token > now.token:
            return StandDown()
        return _take(now, source, target, keep=_copy_is_good(source, target))
    if target is None or target.move_id != source.move_id or target.state not in _COPIES:
        return _prepare(now, source, target)
    if target.token != source.token:
        if target.token > source.token:
            return _take(now, source, target, keep=False)
        return Resume()
    match target.state:
        case _S.WIPING:
            if source.state is _S.FROZEN:
                return Thaw()
            return MarkWiped() if now.copy.wiped else Wipe()
        case _S.INCOMING:
            return _bring_up(now, source, target)
        case _:
            fits = (target.epoch, target.version) == (source.epoch + 1, source.version)
            if source.state is _S.FROZEN and fits:
                return Thaw() if now.copy.overrun else Commit(source.epoch)
            return Unready(target.epoch)


def _bring_up(now: Situation, source: Fence, target: Fence) -> Step:
    copy = now.copy
    complete = target.cursor == CURSOR_END
    pruned = source.prune_floor > target.applied
    if source.state is _S.FROZEN:
        if not complete or pruned or copy.overrun:
            return Thaw()
        if target.applied > source.version:
            return Stuck(MoveFailure.TARGET_AHEAD)
        if target.applied < source.version:
            return LastRound()
        return MakeReady(source.epoch + 1, source.version)
    if pruned:
        return _take(now, source, target, keep=False)
    if target.applied > source.version:
        return Stuck(MoveFailure.TARGET_AHEAD)
    if not complete:
        return CopyOn(target.cursor)
    if not copy.fits:
        return Round()
    if not copy.indexed:
        return BuildIndexes()
    return Freeze() if copy.verified else Verify()


def _take(now: Situation, source: Fence, target: Fence | None, *, keep: bool) -> Take:
    token = max(source.token, 0 if target is None else target.token, now.token, now.record.token) + 1
    move_id = source.move_id if keep else copy_id(now.record.move_id, token)
    return Take(token, move_id, source.move_id)


def _copy_is_good(source: Fence, target: Fence | None) -> bool:
    """Whether another coordinator can go on with the copy that there is."""
    if target is None or target.move_id != source.move_id or target.state not in _COPIES:
        return False
    return target.state is _S.WIPING or source.prune_floor <= target.applied


def _prepare(now: Situation, source: Fence, target: Fence | None) -> Step:
    if source.state is _S.FROZEN:
        return Thaw()
    if target is None:
        return Prepare()
    if target.token >= source.token:
        return _take(now, source, target, keep=False)
    # What left the group here had its rows; a pointer of the register never had any.
    has_rows = target.state is _S.MOVED and target.epoch > 0
    if has_rows and source.prune_floor <= target.version <= source.version:
        return PrepareDelta(source.prune_floor)
    return Prepare()


# --- giving up ------------------------------------------------------------------------------------


def _give_up(now: Situation, source: Fence, target: Fence | None) -> Step:
    record = now.record
    if source.owns and record.owns(source.move_id):
        if source.token == now.token:
            return Abandon(frozen=source.state is _S.FROZEN)
        if now.token and source.token > now.token:
            return StandDown()
        return _take(now, source, target, keep=True)
    if target is None:
        return _ended(now)
    if target.state in _COPIES and record.owns(target.move_id) and source.token >= target.token:
        return Discard(target.token, target.move_id, source.epoch)
    if target.state is _S.TOMB and record.token:
        if not now.cleaned:
            return Clean(at_target=True)
        if not now.dropped and record.target_space:
            return DropSpace(at_target=True)
    return _ended(now)


def _ended(now: Situation) -> Done:
    return Done(MovePhase.FAILED if now.record.error_reason else MovePhase.CANCELLED)


# --- after the commit -----------------------------------------------------------------------------


def _finish(now: Situation, source: Fence, target: Fence | None) -> Step:
    record = now.record
    if source.state is _S.MOVED and not record.owns(source.move_id):
        # It came back and has left again with another move, whose rows these are.
        return Done(MovePhase.DONE)
    if source.state is _S.MOVED:
        if target is None:
            return _without_copy(now, source)
        if target.state is _S.READY and target.epoch == source.moved_epoch:
            return OpenTarget(source.moved_epoch)
        if target.state in _COPIES and record.owns(target.move_id):
            return Stuck(MoveFailure.TARGET_LOST)
        if not now.placed and target.owns:
            return RecordPlacement(target.epoch)
        if not now.pointed:
            return PointRegister(source.moved_epoch)
        return Bury(source.moved_epoch) if now.window_over else AwaitReverseEnd()
    if not now.cleaned:
        return Clean()
    if not now.dropped and record.source_space:
        return DropSpace()
    return Done(MovePhase.DONE)


def _without_copy(now: Situation, source: Fence) -> Step:
    """Nothing of the group is where it has moved to: it has gone on, and nobody can take it back from there,
    or it is lost, and the rows here are the last ones."""
    if now.moved_on or not now.record.target.leads(source):
        return Bury(source.moved_epoch)
    if now.moved_on is None:
        return LookForOwner(source.moved_epoch)
    return Stuck(MoveFailure.TARGET_LOST)

"""Every pair of fences that a move can meet: what comes next, and that it ends."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from drivers.fence import Fence, FenceState
from drivers.fence_changes import (
    ABANDON,
    ABANDON_FROZEN,
    APPLY,
    BURY,
    COMMIT,
    DISCARD,
    FREEZE,
    LOAD,
    OPEN_UP,
    PREPARE,
    PREPARE_DELTA,
    READY,
    RESUME,
    TAKE,
    THAW,
    UNREADY,
    WIPED,
    FenceChange,
    Value,
)
from drivers.fence_codec import FENCE_COLUMNS, decode_fence, encode_fence
from drivers.moving import CURSOR_END
from shard_router.moves import steps
from shard_router.moves.next_step import CopyState, Situation, next_step
from shard_router.moves.record import MoveFailure, MovePhase, MoveRecord, copy_id

MINE, OTHER = "mine", "other"
RECORD = MoveRecord(
    move_id=MINE, group_id="g", source_shard="a", source_space="", target_shard="b", target_space="own"
)
ALL_KNOWN = CopyState(wiped=True, fits=True, indexed=True, verified=True)
_S = FenceState


def sources() -> Iterator[Fence | None]:
    yield None
    for state, move_id, token, prune_floor in product(_S, ("", copy_id(MINE, 3), OTHER), (0, 3, 5), (0, 6)):
        yield Fence(
            "g",
            4,
            state,
            version=7,
            move_id=move_id,
            token=token,
            prune_floor=prune_floor,
            moved_to="b",
            moved_space="own",
            moved_epoch=5 if state in (_S.MOVED, _S.TOMB) else 0,
        )


def targets() -> Iterator[Fence | None]:
    """Of each state only what its property tells."""
    yield None
    for state, move_id, token in product(_S, ("", copy_id(MINE, 3), OTHER), (0, 3, 6)):
        fence = Fence("g", 3, state, version=6, space="own", move_id=move_id, token=token, moved_to="a")
        match state:
            case _S.INCOMING:
                for applied, cursor in product((5, 7, 8), ("", CURSOR_END)):
                    yield replace(fence, applied=applied, cursor=cursor)
            case _S.READY:
                for epoch, version in product((3, 5), (6, 7)):
                    yield replace(fence, epoch=epoch, version=version)
            case _S.MOVED:
                for epoch, version in product((0, 3), (2, 6)):
                    yield replace(fence, epoch=epoch, version=version)
            case _:
                yield fence


def situations() -> Iterator[Situation]:
    for token in (0, 3, 6):
        record = replace(RECORD, token=token)
        yield Situation(replace(record, committed_us=1), token=token)
        for giving_up, known, overrun in product((False, True), (False, True), (False, True)):
            copy = replace(ALL_KNOWN if known else CopyState(), overrun=overrun)
            yield Situation(record, token=token, giving_up=giving_up, copy=copy)


PAIRS = [(source, target) for source in sources() for target in targets()]
SHARE = 7
"""Of the pairs every so many is followed to its end; prime to how they repeat."""


@pytest.mark.parametrize("now", list(situations()), ids=lambda now: f"{now.token}-{now.giving_up}-{now.copy}")
def test_steps_keep_to_what_the_fences_say(now: Situation) -> None:
    for source, target in PAIRS:
        step = next_step(now, source, target)
        where = (now, source, target, step)
        match step:
            case steps.Commit(frozen_epoch):
                assert source is not None, where
                assert target is not None, where
                assert (source.state, target.state) == (_S.FROZEN, _S.READY), where
                assert (target.epoch, target.version) == (source.epoch + 1, source.version), where
                assert frozen_epoch == source.epoch, where
                assert now.token == source.token == target.token, where
                assert source.move_id == target.move_id, where
                assert not now.giving_up, where
            case steps.MakeReady(epoch, version):
                assert source is not None, where
                assert target is not None, where
                assert source.state is _S.FROZEN, where
                assert target.cursor == CURSOR_END, where
                assert target.applied == source.version == version, where
                assert epoch == source.epoch + 1, where
            case steps.Take(token):
                assert source is not None, where
                assert source.owns, where
                assert token > max(source.token, now.token, target.token if target else 0), where
            case steps.Freeze():
                assert replace(now.copy, overrun=False) == ALL_KNOWN, where
                assert source is not None, where
                assert source.state is _S.OPEN, where
            case steps.Clean(at_target) | steps.DropSpace(at_target):
                fence = target if at_target else source
                assert fence is not None, where
                assert fence.state is _S.TOMB, where
            case steps.Bury():
                assert source is not None, where
                assert target is not None, where
                assert RECORD.owns(source.move_id), where
                assert now.window_over, where
            case steps.Discard(token, move_id):
                assert target is not None, where
                assert now.giving_up, where
                assert (target.token, target.move_id) == (token, move_id), where
                assert source is None or not source.owns or source.move_id != move_id, where
            case steps.Stuck(MoveFailure.TARGET_OWNS):
                assert target is not None, where
                assert target.owns, where
            case _:
                pass
        if now.token and source is not None and source.owns and source.token > now.token:
            assert isinstance(
                step,
                steps.StandDown | steps.Stuck | steps.Done | steps.Clean | steps.DropSpace | steps.Discard,
            ), where


class _World:
    """Both fences, changed by the shared rules: what a coordinator does that meets nobody else."""

    def __init__(self, source: Fence | None, target: Fence | None) -> None:
        self.source, self.target = source, target

    def change(self, at_source: bool, change: FenceChange, **given: Value) -> bool:
        fence = self.source if at_source else self.target
        there = None if fence is None else encode_fence(fence)
        if not change.allowed(there, given):
            return False
        before = there if there is not None else encode_fence(Fence("g", 0, _S.WIPING))
        after = change.after(before, given)
        made = decode_fence([after[name] for name in FENCE_COLUMNS])
        if at_source:
            self.source = made
        else:
            self.target = made
        return True


def _carry_out(world: _World, now: Situation, step: steps.Step) -> Situation:
    """The step on the fences. What a shard would refuse is a mistake here."""
    source, target = world.source, world.target
    mine = {} if source is None else {"token": source.token, "move_id": source.move_id}
    done = True
    match step:
        case steps.Take(token, move_id, seen):
            given = {"seen_move_id": seen, "to_shard": "b", "to_space": "own"}
            done = world.change(True, TAKE, token=token, move_id=move_id, **given)
            fresh = now.copy if move_id == seen else CopyState()
            now = replace(now, token=token, copy=fresh, record=replace(now.record, token=token))
        case steps.Resume():
            done = world.change(False, RESUME, **mine)
        case steps.Prepare():
            done = world.change(False, PREPARE, **mine, from_shard="a", from_space="", space="own")
            now = replace(now, copy=replace(now.copy, wiped=False))
        case steps.PrepareDelta(floor):
            done = world.change(
                False,
                PREPARE_DELTA,
                **mine,
                from_shard="a",
                from_space="",
                owner_prune_floor=floor,
                cursor_end=CURSOR_END,
            )
        case steps.Wipe():
            now = replace(now, copy=replace(now.copy, wiped=True))
        case steps.MarkWiped():
            assert source is not None
            done = world.change(False, WIPED, **mine, applied=source.version)
        case steps.CopyOn(cursor):
            given = {"cursor": cursor, "cursor_after": CURSOR_END, "owner_prune_floor": 0}
            done = world.change(False, LOAD, **mine, **given)
        case steps.Round() | steps.LastRound():
            assert source is not None
            assert target is not None
            given = {"applied": target.applied, "applied_after": source.version, "owner_prune_floor": 0}
            done = world.change(False, APPLY, **mine, **given)
            now = replace(now, copy=replace(now.copy, fits=True))
        case steps.BuildIndexes():
            now = replace(now, copy=replace(now.copy, indexed=True))
        case steps.Verify():
            now = replace(now, copy=replace(now.copy, verified=True))
        case steps.Freeze():
            done = world.change(True, FREEZE, **mine)
        case steps.MakeReady(epoch, version):
            given = {"last_created_at": 1, "created_at": 1, "embeddings": ""}
            done = world.change(False, READY, **mine, epoch=epoch, version=version, **given)
        case steps.Commit(frozen):
            token = mine["token"]
            done = world.change(True, COMMIT, token=token, frozen_epoch=frozen, to_shard="b", to_space="own")
        case steps.Thaw():
            done = world.change(True, THAW, token=now.token)
            now = replace(now, copy=replace(now.copy, overrun=False))
        case steps.Unready(epoch):
            done = world.change(False, UNREADY, **mine, epoch=epoch)
        case steps.AwaitTarget():
            raise AssertionError("the target answers")
        case steps.LookForOwner():
            now = replace(now, moved_on=False)
        case steps.OpenTarget(epoch):
            done = world.change(False, OPEN_UP, epoch=epoch)
            now = replace(now, record=replace(now.record, committed_us=1))
        case steps.RecordPlacement():
            now = replace(now, placed=True)
        case steps.PointRegister():
            now = replace(now, pointed=True)
        case steps.AwaitReverseEnd():
            now = replace(now, window_over=True, record=replace(now.record, committed_us=1))
        case steps.Bury(moved_epoch):
            now = replace(now, record=replace(now.record, committed_us=1))
            done = world.change(True, BURY, moved_epoch=moved_epoch)
        case steps.Clean():
            now = replace(now, cleaned=True)
        case steps.DropSpace():
            now = replace(now, dropped=True)
        case steps.Abandon(frozen):
            done = world.change(True, ABANDON_FROZEN if frozen else ABANDON, **mine)
        case steps.Discard(token, move_id, epoch):
            done = world.change(False, DISCARD, token=token, move_id=move_id, owner_epoch=epoch)
        case steps.Stuck():
            failed = replace(now.record, error_reason="STUCK")
            now = replace(now, giving_up=not now.record.committed, record=failed)
        case steps.Done() | steps.StandDown():
            pass
    assert done, (step, source, target)
    return now


@pytest.mark.parametrize("now", list(situations()), ids=lambda now: f"{now.token}-{now.giving_up}-{now.copy}")
def test_every_state_leads_to_an_end_and_no_step_is_refused(now: Situation) -> None:
    for source, target in PAIRS[::SHARE]:
        world, here = _World(source, target), now
        owned_before = [fence for fence in (source, target) if fence is not None and fence.owns]
        for _ in range(60):
            step = next_step(here, world.source, world.target)
            if isinstance(step, steps.Done | steps.StandDown):
                break
            if step == steps.Stuck(MoveFailure.TARGET_LOST):
                break
            here = _carry_out(world, here, step)
        else:
            raise AssertionError(f"no end: {now}, {source}, {target}, at {world.source}, {world.target}")
        owners = [fence for fence in (world.source, world.target) if fence is not None and fence.owns]
        if len(owned_before) == 1:
            assert len(owners) >= 1, (now, source, target)


def test_a_move_that_meets_nothing_goes_through_every_phase() -> None:
    world = _World(Fence("g", 1, _S.OPEN, version=2), None)
    now, seen = Situation(RECORD), list[type[steps.Step]]()
    while not isinstance(step := next_step(now, world.source, world.target), steps.Done):
        seen.append(type(step))
        now = _carry_out(world, now, step)
        if isinstance(step, steps.CopyOn):
            assert world.source is not None
            world.source = replace(world.source, version=5)
    assert step == steps.Done(MovePhase.DONE)
    assert seen == [
        steps.Take,
        steps.Prepare,
        steps.Wipe,
        steps.MarkWiped,
        steps.CopyOn,
        steps.Round,
        steps.BuildIndexes,
        steps.Verify,
        steps.Freeze,
        steps.MakeReady,
        steps.Commit,
        steps.OpenTarget,
        steps.RecordPlacement,
        steps.PointRegister,
        steps.AwaitReverseEnd,
        steps.Bury,
        steps.Clean,
    ]


def test_a_source_that_has_pruned_too_much_is_copied_anew() -> None:
    move_id = copy_id(MINE, 3)
    source = Fence("g", 1, _S.OPEN, version=9, prune_floor=6, token=3, move_id=move_id)
    target = Fence("g", 0, _S.INCOMING, applied=5, cursor=CURSOR_END, token=3, move_id=move_id)
    assert next_step(Situation(RECORD, token=3), source, target) == steps.Take(4, copy_id(MINE, 4), move_id)


def test_a_takeover_goes_on_with_a_good_copy() -> None:
    move_id = copy_id(MINE, 3)
    source = Fence("g", 1, _S.OPEN, version=9, prune_floor=5, token=3, move_id=move_id)
    target = Fence("g", 0, _S.INCOMING, applied=5, cursor="FACT/x", token=3, move_id=move_id)
    taken = next_step(Situation(RECORD), source, target)
    assert taken == steps.Take(4, move_id, move_id)
    source = replace(source, token=4)
    assert next_step(Situation(RECORD, token=4), source, target) == steps.Resume()
    target = replace(target, token=4)
    assert next_step(Situation(RECORD, token=4), source, target) == steps.CopyOn("FACT/x")


def test_rows_that_are_there_are_not_copied_again() -> None:
    """The way back within the reverse window, and not for a pointer of the register, which has no rows."""
    move_id = copy_id(MINE, 3)
    source = Fence("g", 5, _S.OPEN, version=9, prune_floor=6, token=3, move_id=move_id)
    left = Fence("g", 2, _S.MOVED, version=6, moved_to="a", moved_epoch=3)
    now = Situation(RECORD, token=3)
    assert next_step(now, source, left) == steps.PrepareDelta(6)
    assert next_step(now, source, replace(left, version=5)) == steps.Prepare()
    assert next_step(now, source, replace(left, epoch=0, version=7)) == steps.Prepare()
    assert next_step(now, source, replace(left, state=_S.TOMB)) == steps.Prepare()


def test_without_the_target_writers_are_let_go_and_the_move_is_given_up() -> None:
    move_id = copy_id(MINE, 3)
    frozen = Fence("g", 4, _S.FROZEN, version=9, token=3, move_id=move_id)
    away = Situation(RECORD, token=3, target_away=True)
    late = replace(away, copy=replace(ALL_KNOWN, overrun=True))
    assert next_step(away, frozen, None) == steps.AwaitTarget()
    assert next_step(late, frozen, None) == steps.Thaw()
    assert next_step(replace(late, token=0), frozen, None) == steps.Take(4, move_id, move_id)
    assert next_step(replace(late, token=2), frozen, None) == steps.StandDown()
    assert next_step(replace(away, giving_up=True), frozen, None) == steps.Abandon(frozen=True)
    opened = replace(frozen, state=_S.OPEN)
    assert next_step(late, opened, None) == steps.AwaitTarget()
    assert next_step(replace(away, giving_up=True), opened, None) == steps.Abandon(frozen=False)
    assert next_step(late, replace(frozen, move_id=OTHER), None) == steps.AwaitTarget()


def test_a_group_that_went_on_from_the_target_leaves_nothing_at_the_source() -> None:
    committed = replace(RECORD, committed_us=1)
    source = Fence("g", 4, _S.MOVED, move_id=copy_id(MINE, 3), moved_to="b", moved_space="own", moved_epoch=5)
    now = Situation(committed)
    assert next_step(now, source, None) == steps.LookForOwner(5)
    assert next_step(replace(now, moved_on=True), source, None) == steps.Bury(5)
    assert next_step(replace(now, moved_on=False), source, None) == steps.Stuck(MoveFailure.TARGET_LOST)
    led_past = replace(source, moved_to="c", moved_space="", moved_epoch=7)
    assert next_step(now, led_past, None) == steps.Bury(7)

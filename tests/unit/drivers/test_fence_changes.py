"""The table of a fence's transitions: what each rule asks for and does, and what all of them keep."""

from collections.abc import Mapping

import pytest

from drivers.fence import Fence, FenceState
from drivers.fence_changes import (
    ABANDON_FROZEN,
    APPLY,
    BURY,
    COMMIT,
    DISCARD,
    FENCE_CHANGES,
    FREEZE,
    LOAD,
    OPEN_UP,
    POINT,
    PREPARE,
    PREPARE_DELTA,
    READY,
    RESUME,
    TAKE,
    THAW,
    UNREADY,
    WIPED,
    FenceChange,
    Greater,
    Own,
    Value,
)
from drivers.fence_codec import FENCE_COLUMNS, encode_fence

S = FenceState
OWNING = {S.OPEN, S.FROZEN}
GIVEN: Mapping[str, Value] = {
    "token": 6,
    "move_id": "m",
    "seen_move_id": "m",
    "frozen_epoch": 7,
    "to_shard": "b",
    "to_space": "sb",
    "from_shard": "a",
    "from_space": "sa",
    "space": "own",
    "moved_epoch": 9,
    "owner_epoch": 9,
    "owner_prune_floor": 20,
    "cursor_end": "END",
    "cursor": "FACT/x",
    "cursor_after": "FACT/y",
    "applied": 30,
    "applied_after": 35,
    "version": 30,
    "epoch": 7,
    "last_created_at": 1,
    "created_at": 2,
    "embeddings": "{}",
}


def fence(state: FenceState, **values: Value) -> dict[str, Value]:
    """One that every rule for its state fits to, with GIVEN, but for those that want a greater number."""
    base = Fence(
        "g",
        7,
        state,
        version=30,
        token=6,
        move_id="m",
        moved_epoch=9,
        applied=30,
        cursor="FACT/x",
        prune_floor=5,
    )
    return {**encode_fence(base), **values}


def changed(change: FenceChange, before: Mapping[str, Value]) -> dict[str, Value]:
    """The properties that are others afterwards."""
    assert change.allowed(before, GIVEN), (change.name, before)
    after = change.after(before, GIVEN)
    assert after.keys() == before.keys()
    return {name: value for name, value in after.items() if value != before[name]}


@pytest.mark.parametrize("change", FENCE_CHANGES, ids=lambda change: change.name)
def test_every_rule_is_about_properties_of_a_fence(change: FenceChange) -> None:
    """Its names are those that are stored, its parameters those of the tests here, and no setting reads what
    another one sets: then it does not matter which is done first."""
    assert change.states
    assert {guard.name for guard in change.guards} | change.sets.keys() <= set(FENCE_COLUMNS)
    assert change.parameters <= GIVEN.keys()
    for name, source in change.sets.items():
        if isinstance(source, Own | Greater):
            assert source.name == name or source.name not in change.sets


def test_the_table_is_whole() -> None:
    """Every rule of the module is in it, once, and can be told from every other."""
    assert len({change.name for change in FENCE_CHANGES}) == len({*FENCE_CHANGES}) == len(FENCE_CHANGES) == 18
    assert [change.name for change in FENCE_CHANGES if change.creates] == ["PREPARE"]


@pytest.mark.parametrize("state", FenceState)
@pytest.mark.parametrize("change", FENCE_CHANGES, ids=lambda change: change.name)
def test_only_in_the_states_of_a_rule(change: FenceChange, state: FenceState) -> None:
    """Whatever else fits."""
    token = 5 if any(guard.comparison == "<" and guard.name == "token" for guard in change.guards) else 6
    before = fence(state, token=token, moved_epoch=8 if change is POINT else 9)
    assert change.allowed(before, GIVEN) == (state in change.states)


def test_ownership_changes_by_commit_and_opening_alone() -> None:
    """COMMIT is the only rule that takes an owner's state away, OPEN_UP the only one that gives it to one
    that has it not."""
    for change in FENCE_CHANGES:
        after = {S(str(change.sets["state"]))} if "state" in change.sets else set(change.states)
        if change is COMMIT:
            assert (change.states, after) == ({S.FROZEN}, {S.MOVED})
        elif change is OPEN_UP:
            assert (change.states, after) == ({S.READY}, {S.OPEN})
        else:
            assert (change.states <= OWNING) == (after <= OWNING)
            assert not change.states & OWNING or change.states <= OWNING


def test_a_frozen_epoch_never_comes_back() -> None:
    """Freezing and thawing go up, whichever way a freeze ends."""
    frozen = FREEZE.after(fence(S.OPEN), GIVEN)
    assert frozen["epoch"] == 8
    for thaw in (THAW, ABANDON_FROZEN):
        assert FREEZE.after(thaw.after(frozen, GIVEN), GIVEN)["epoch"] == 11
    assert COMMIT.allowed({**frozen, "epoch": 7}, GIVEN)
    assert not COMMIT.allowed(frozen, GIVEN)


def test_the_way_of_a_source() -> None:
    """TAKE, FREEZE, COMMIT, BURY, POINT: what each of them changes and nothing else."""
    assert changed(TAKE, fence(S.OPEN, token=5, moved_to="")) == {
        "token": 6,
        "moved_to": "b",
        "moved_space": "sb",
    }
    assert changed(FREEZE, fence(S.OPEN)) == {"state": "FROZEN", "epoch": 8}
    assert changed(COMMIT, fence(S.FROZEN)) == {
        "state": "MOVED",
        "moved_to": "b",
        "moved_space": "sb",
        "moved_epoch": 8,
    }
    assert changed(BURY, fence(S.MOVED)) == {"state": "TOMB", "move_id": ""}
    assert changed(POINT, fence(S.TOMB, moved_epoch=8)) == {
        "moved_to": "b",
        "moved_space": "sb",
        "moved_epoch": 9,
    }


def test_the_way_of_a_target() -> None:
    """PREPARE, WIPED, LOAD, APPLY, READY, OPEN_UP; the way back; taking it up and giving it up."""
    prepared = {"token": 6, "moved_to": "a", "moved_space": "sa", "space": "own"}
    fresh = {"state": "WIPING", "applied": 0, "cursor": "", "prune_floor": 0}
    assert changed(PREPARE, fence(S.READY, token=5)) == {**prepared, **fresh}
    assert changed(WIPED, fence(S.WIPING, applied=0)) == {"state": "INCOMING", "applied": 30, "cursor": ""}
    assert changed(LOAD, fence(S.INCOMING)) == {"cursor": "FACT/y", "prune_floor": 20}
    assert changed(LOAD, fence(S.INCOMING, prune_floor=21)) == {"cursor": "FACT/y"}
    assert changed(APPLY, fence(S.INCOMING)) == {"applied": 35, "prune_floor": 20}
    assert changed(READY, fence(S.INCOMING, epoch=3, version=4)) == {
        "state": "READY",
        "epoch": 7,
        "version": 30,
        "last_created_at": 1,
        "created_at": 2,
    }
    assert changed(OPEN_UP, fence(S.READY, moved_to="a", moved_space="s")) == {
        "state": "OPEN",
        "applied": 0,
        "cursor": "",
        "move_id": "",
        "moved_to": "",
        "moved_space": "",
    }
    assert changed(PREPARE_DELTA, fence(S.MOVED, token=5, applied=0, cursor="", move_id="old")) == {
        "state": "INCOMING",
        "token": 6,
        "move_id": "m",
        "moved_to": "a",
        "moved_space": "sa",
        "applied": 30,
        "cursor": "END",
    }
    assert changed(RESUME, fence(S.READY, token=5)) == {"token": 6}
    assert changed(UNREADY, fence(S.READY)) == {"state": "INCOMING"}
    assert changed(DISCARD, fence(S.READY, moved_epoch=8)) == {
        "state": "TOMB",
        "move_id": "",
        "moved_epoch": 9,
        "applied": 0,
        "cursor": "",
    }


def test_where_there_is_no_fence() -> None:
    """Only a target that is prepared is made, of what the rule sets."""
    assert [change.name for change in FENCE_CHANGES if change.allowed(None, GIVEN)] == ["PREPARE"]
    made = PREPARE.after(encode_fence(Fence("g", 0, S.WIPING)), GIVEN)
    assert (made["token"], made["move_id"], made["epoch"], made["space"]) == (6, "m", 0, "own")


@pytest.mark.parametrize(
    ("change", "state", "wrong"),
    [
        (TAKE, S.OPEN, {"token": 6}),
        (TAKE, S.OPEN, {"token": 5, "move_id": "x"}),
        (FREEZE, S.OPEN, {"token": 7}),
        (FREEZE, S.OPEN, {"move_id": "x"}),
        (THAW, S.FROZEN, {"token": 7}),
        (COMMIT, S.FROZEN, {"token": 5}),
        (COMMIT, S.FROZEN, {"epoch": 9}),
        (BURY, S.MOVED, {"moved_epoch": 10}),
        (POINT, S.MOVED, {"moved_epoch": 9}),
        (PREPARE, S.READY, {"token": 6}),
        (PREPARE_DELTA, S.MOVED, {"token": 5, "version": 19}),
        (RESUME, S.READY, {"token": 5, "move_id": "x"}),
        (UNREADY, S.READY, {"epoch": 8}),
        (DISCARD, S.READY, {"token": 7}),
        (DISCARD, S.READY, {"move_id": "x"}),
        (WIPED, S.WIPING, {"token": 7}),
        (LOAD, S.INCOMING, {"cursor": "FACT/y"}),
        (APPLY, S.INCOMING, {"applied": 29}),
        (READY, S.INCOMING, {"applied": 29}),
        (OPEN_UP, S.READY, {"epoch": 8}),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_what_makes_a_rule_refuse(change: FenceChange, state: FenceState, wrong: Mapping[str, Value]) -> None:
    """The guards that the protocol's checked mutations name."""
    assert not change.allowed(fence(state, **wrong), GIVEN)

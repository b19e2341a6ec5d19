"""What movers plan, and what moves must not leave behind."""

from collections import Counter
from dataclasses import replace
from random import Random
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphgate.v1 import move_pb2
from tests.robustness.model.findings import Kind
from tests.robustness.model.moves import CopySeen, MoveSeen, judge_moves
from tests.robustness.moves.calls import MoveCalls
from tests.robustness.moves.desk import MoveDesk
from tests.robustness.moves.plan import (
    AIMS,
    BEFORE_COMMIT,
    CANCELLING,
    PHASES,
    SELDOM,
    Aim,
    Course,
    Place,
    is_over,
    later_aim,
    least_killed,
    pairs_of,
    plan_move,
    target_of,
)
from tests.robustness.moves.settling import settle_moves
from tests.robustness.moves.shot import Shot
from tests.robustness.run import stays_of
from tests.robustness.timeline import Clock
from tests.robustness.traffic.board import Board

COPYING = move_pb2.MOVE_PHASE_COPYING
SHARDS = ("falkordb-0", "falkordb-1", "neo4j-0", "neo4j-1")


def _move(
    phase: str, *, source: str = "falkordb-0", target: str = "neo4j-0", committed_us: int = 0
) -> MoveSeen:
    return MoveSeen(
        "move", "group", "MOVE", source, "", target, "", phase, phase, committed_us, (), 0, False, ""
    )


def _kinds(moves: list[MoveSeen], copies: list[CopySeen]) -> list[Kind]:
    return [finding.kind for finding in judge_moves(moves, copies)]


def test_every_pair_is_there():
    """Between all engines, and between containers where there are some."""
    assert set(pairs_of(SHARDS)) == {
        "falkordb->falkordb",
        "falkordb->neo4j",
        "neo4j->falkordb",
        "neo4j->neo4j",
        "pooled->own",
        "own->pooled",
    }
    assert set(pairs_of(("neo4j-0", "neo4j-1"))) == {"neo4j->neo4j"}
    assert "neo4j->neo4j" not in pairs_of(("falkordb-0", "neo4j-0"))


@given(seed=st.integers(0, 2**32), shard=st.sampled_from(SHARDS), own=st.booleans())
def test_a_target_is_of_its_pair(seed: int, shard: str, own: bool):
    """A move from there to the target is one of the pair that was asked for, and never to where it is."""
    space = "g" if own and shard.startswith("falkordb") else ""
    for pair in pairs_of(SHARDS):
        target = target_of(pair, Place(shard, space), SHARDS, Random(seed))
        if target is None:
            continue
        to_shard, to_space = target
        own_there = to_space == "own" or (to_space == "" and bool(space) and to_shard.startswith("falkordb"))
        seen = MoveSeen(
            "m",
            "g",
            "MOVE",
            shard,
            space,
            to_shard,
            "g" if own_there else "",
            "DONE",
            "DONE",
            1,
            (),
            0,
            False,
            "",
        )
        assert seen.pair == pair
        assert (to_shard, own_there) != (shard, bool(space))


@given(seed=st.integers(0, 2**32))
def test_a_plan_can_be_carried_out(seed: int):
    """Only a move that is cancelled has a phase for that, before its commit; aims are at phases that it has;
    what is reversed or finished has the time for it."""
    plan = plan_move(("neo4j-0", ""), {}, Random(seed), aims=True)
    assert (plan.cancel_in in BEFORE_COMMIT) is (plan.course is Course.CANCEL)
    if plan.aim is not None:
        assert plan.aim.phase in AIMS
        assert (plan.aim.phase == CANCELLING) is (plan.course is Course.CANCEL)
        assert plan.aim.phase in (*plan.phases, CANCELLING)
    assert {"COMMITTED", "REVERSIBLE"}.isdisjoint(plan.phases) is (plan.reverse_window_s == 0)
    assert "INDEXING" not in plan.phases, "the group is too small for slots"
    if plan.course in (Course.REVERSE, Course.FINISH):
        assert plan.reverse_window_s > 10
    assert plan_move(("neo4j-0", ""), {}, Random(seed), aims=False).aim is None


def test_every_phase_has_its_turn():
    """Aims go where the fewest kills were, so that none is forgotten."""
    rng, killed = Random(7), Counter[str]()
    for _ in range(300):
        aim = plan_move(("neo4j-0", ""), killed, rng, aims=True, has_slots=True).aim
        if aim is not None:
            killed[aim.phase] += 1
    assert set(killed) == set(AIMS)
    assert min(killed.values()) * 4 >= max(killed.values())
    for phases in (AIMS, ("TAKEN", "COMMITTED")):
        drawn = Counter(least_killed(phases, {}, rng) for _ in range(200))
        assert sum(drawn[phase] for phase in SELDOM) > 80, "until they were met"
    assert least_killed(["TAKEN", "READY", "DONE"], {"DONE": 1}, rng) in ("TAKEN", "READY")


@given(seed=st.integers(0, 2**32), phase=st.sampled_from(PHASES[:-1]), now=st.sampled_from(PHASES))
def test_a_missed_aim_goes_to_a_later_phase(seed: int, phase: str, now: str):
    """As long as there is one."""
    again = later_aim(Aim("SOURCE", phase), now, PHASES[:-1], {}, Random(seed))
    assert (again is None) is (now in ("CLEANING", "DONE"))
    assert again is None or PHASES.index(again.phase) > PHASES.index(now)
    assert is_over(phase, now) is (PHASES.index(now) > PHASES.index(phase))


def _look(phase: str, updated_us: int, committed_us: int = 0) -> move_pb2.MoveProgress:
    look = move_pb2.MoveProgress(move_id="m", phase=f"MOVE_PHASE_{phase}")
    look.updated_at.FromMicroseconds(updated_us)
    if committed_us:
        look.committed_at.FromMicroseconds(committed_us)
    return look


@pytest.mark.parametrize(
    ("looks", "phase"),
    [
        ([], "FREEZING"),
        ([_look("READY", 90)], "READY"),
        ([_look("COMMITTED", 95, 90)], "COMMITTED"),
        ([_look("READY", 90), _look("COMMITTED", 140, 95)], "COMMITTED"),
        ([_look("REVERSIBLE", 110, 90)], "COMMITTED"),
        ([_look("COMMITTED", 130, 110)], "FREEZING"),
        ([_look("READY", 90), _look("REVERSIBLE", 130, 110)], "READY"),
        ([_look("REVERSIBLE", 95, 90), _look("REVERSIBLE", 150, 90)], "REVERSIBLE"),
        ([_look("CLEANING", 130, 90)], "FREEZING"),
        ([_look("COPYING", 20)], "FREEZING"),
    ],
)
def test_a_kill_counts_for_the_phase_that_it_met(looks: list[move_pb2.MoveProgress], phase: str):
    """Not for the one that it was aimed at: what was recorded before it tells, and a commit that was seen
    before it with an end that was recorded after it. An older copy of the catalog tells nothing."""
    shot = Shot("m", "TARGET", "neo4j-0", struck_us=100, phase="FREEZING", recorded_us=50)
    for look in looks:
        shot.see(look)
    shot.see(move_pb2.MoveProgress(move_id="another", phase=COPYING))
    assert shot.phase == phase


def test_moves_end():
    """Whatever was killed: done, cancelled or failed."""
    assert _kinds([_move(phase) for phase in ("DONE", "CANCELLED", "FAILED")], []) == []
    for phase in ("PLANNED", "FREEZING", "REVERSIBLE", "CLEANING", CANCELLING):
        assert _kinds([_move(phase)], []) == [Kind.LEFTOVER]
        # Of a move that the catalog has forgotten the last phase that was seen says nothing.
        assert _kinds([replace(_move(phase), forgotten=True)], []) == []


def test_nothing_that_is_committed_is_given_up():
    """The target owns the group then: whoever reads FAILED believes that the source does."""
    assert _kinds([_move("DONE", committed_us=1)], []) == []
    for phase in ("CANCELLED", "FAILED"):
        assert _kinds([_move(phase, committed_us=1)], []) == [Kind.LEFTOVER]
        assert not _move(phase, committed_us=1).aborted
        assert _move(phase).aborted


async def test_moves_that_the_catalog_forgot_stay_in_the_books():
    """They are judged by their fences, with what was seen of them; one that is found again by its end."""
    lost, back = (move_pb2.MoveProgress(move_id=name, phase=COPYING) for name in ("lost", "back"))
    lost.committed_at.FromMicroseconds(7)
    desk = MoveDesk(Board(1), SHARDS, ())
    desk.see(lost)
    desk.see(back)
    listed: list[move_pb2.MoveProgress] = []

    class Calls:
        async def every(self) -> list[move_pb2.MoveProgress]:
            return listed

    calls = cast("MoveCalls", Calls())
    await settle_moves(desk, calls)
    assert {seen.move_id: seen.forgotten for seen in desk.seen()} == {"lost": True, "back": True}
    back.phase = move_pb2.MOVE_PHASE_DONE
    listed.append(back)
    await settle_moves(desk, calls)
    assert {seen.move_id: seen.forgotten for seen in desk.seen()} == {"lost": True, "back": False}
    assert [seen.committed_us for seen in desk.seen() if seen.forgotten] == [7]
    assert desk.forgotten == {"lost", "back"}


@pytest.mark.parametrize(
    ("copy", "kinds"),
    [
        (CopySeen("g", "falkordb-0", "", "OPEN", True, 0), []),
        (CopySeen("g", "falkordb-0", "", "FROZEN", True, 0), [Kind.LEFTOVER]),
        (CopySeen("g", "falkordb-0", "", "TOMB", False, 0), []),
        (CopySeen("g", "falkordb-0", "", "MOVED", False, 0), []),
        (CopySeen("g", "falkordb-0", "", "TOMB", False, 3), [Kind.LEFTOVER]),
        (CopySeen("g", "falkordb-0", "", "INCOMING", False, 1), [Kind.LEFTOVER]),
        (CopySeen("g", "falkordb-0", "", "READY", False, 0), [Kind.LEFTOVER]),
        (CopySeen("g", "falkordb-0", "", "OPEN", True, 0, "a move"), [Kind.LEFTOVER]),
        (CopySeen("g", "falkordb-0", "", "MOVED", False, 0, "a move"), [Kind.LEFTOVER]),
        (CopySeen("g", "falkordb-0", "", "INCOMING", False, 0, "a move"), []),
    ],
)
def test_ended_moves_leave_nothing(copy: CopySeen, kinds: list[Kind]):
    """No rows beside the owner's, no fence that waits for something, no owner that takes no writes."""
    assert _kinds([], [copy]) == kinds


def test_a_group_is_where_its_commits_say():
    """At its first shard until the first commit, at the last one since the last; around a commit at both."""
    clock = Clock()
    wall_us = round(-clock.at_s(0) * 1e6)
    moves = [
        _move("DONE", source="neo4j-0", target="falkordb-1", committed_us=wall_us + 50_000_000),
        _move("DONE", source="falkordb-0", target="neo4j-0", committed_us=wall_us + 20_000_000),
        _move("CANCELLED", source="falkordb-1", target="neo4j-1"),
    ]
    stays = stays_of(moves, {"group": "falkordb-1", "other": "neo4j-1"}, clock)
    at = {
        second: {stay.shard for stay in stays["group"] if stay.overlaps(second, second)}
        for second in (0, 20, 35, 50, 90)
    }
    assert at == {
        0: {"falkordb-0"},
        20: {"falkordb-0", "neo4j-0"},
        35: {"neo4j-0"},
        50: {"neo4j-0", "falkordb-1"},
        90: {"falkordb-1"},
    }
    assert [stay.shard for stay in stays["other"]] == ["neo4j-1"]

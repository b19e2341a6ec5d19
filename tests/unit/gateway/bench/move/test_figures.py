"""What `bench move` makes of what it saw: no freeze is left out, and none that nobody met is counted."""

from collections.abc import Sequence

import pytest

from gateway.bench.move.figures import MoveFigures, goals_of, pair_figures
from gateway.bench.move.freezes import Freeze, freezes, pause_ms
from gateway.bench.move.options import Pair
from gateway.bench.move.pacing import Sample
from graphgate.v1 import move_pb2

PAIR = Pair("falkordb", "neo4j")
REQUESTED_US, COMMITTED_US = 1_000_000, 9_000_000


def look(updated_us: int, *pauses_us: int, thaws: int = 0, committed: bool = False) -> move_pb2.MoveProgress:
    progress = move_pb2.MoveProgress(thaws=thaws)
    progress.requested_at.FromMicroseconds(REQUESTED_US)
    progress.updated_at.FromMicroseconds(updated_us)
    for pause_us in pauses_us:
        progress.pauses.add().FromMicroseconds(pause_us)
    if committed:
        progress.committed_at.FromMicroseconds(COMMITTED_US)
    return progress


def move(*, pauses_ms: Sequence[float] = (), others_ms: Sequence[float] = (1.0,)) -> MoveFigures:
    return MoveFigures(1.0, 1.0, 1.0, pauses_ms, (5.0,), 0, others_ms)


def test_a_freeze_that_was_thawed_is_one() -> None:
    """It is looked for where the record began to tell it; the last one where the move was committed."""
    looks = [
        look(2_000_000),
        look(4_000_000),
        look(4_200_000, 900_000, thaws=1),
        look(6_000_000, 900_000, thaws=1),
        look(9_000_000, 900_000, 300_000, thaws=2, committed=True),
    ]
    done = look(9_500_000, 900_000, 300_000, 40_000, thaws=2, committed=True)
    assert freezes(looks, done) == [
        Freeze(3_100_000, 4_200_000),
        Freeze(5_700_000, 9_000_000),
        Freeze(8_960_000, 9_000_000),
    ]


def test_a_freeze_is_found_though_nobody_saw_the_move_before_its_end() -> None:
    """Between the request and the commit, then."""
    done = look(9_500_000, 900_000, 40_000, thaws=1, committed=True)
    assert freezes([], done) == [Freeze(100_000, COMMITTED_US), Freeze(8_960_000, COMMITTED_US)]
    assert freezes([], look(9_500_000, committed=True)) == [Freeze(COMMITTED_US, COMMITTED_US)]


def test_the_pause_is_that_of_the_slowest_write_that_met_the_freeze() -> None:
    """Whether it was sent before it or in it; of a freeze that no write met nothing is known."""
    freeze = Freeze(1_000, 41_000)
    before, met, later = Sample(0, 900), Sample(500, 40_500), Sample(50_000, 950_000)
    assert pause_ms([before, met, Sample(30_000, 42_000), later], freeze) == 40.0
    assert pause_ms([before, later], freeze) is None


def test_moves_that_no_write_met_are_not_counted() -> None:
    """They would pull the quantiles down and fill up the number of moves."""
    met = [move(pauses_ms=(900.0, 40.0)), move(pauses_ms=(50.0,))]
    moves = [*met, *(move() for _ in range(20))]
    figures = pair_figures(PAIR, moves, 1.0)
    assert (figures.moves, figures.pauses_measured) == (22, 3)
    assert (figures.pause_ms_p50, figures.pause_ms_max) == (50.0, 900.0)
    goals = {goal.goal: goal for goal in goals_of([figures], moves, None)}
    assert goals["moves in which the pause was measured"].figure == 2
    assert not goals["moves in which the pause was measured"].met
    assert goals["pause of writers, p99, ms"].figure == figures.pause_ms_p99
    assert not goals["pause of writers, p99, ms"].met


def test_a_pair_without_a_measured_pause_has_no_figure() -> None:
    """Instead of a perfect one."""
    moves = [move()]
    figures = pair_figures(PAIR, moves, 1.0)
    assert figures.pause_ms_p50 is figures.pause_ms_p99 is figures.pause_ms_max is None
    goals = {goal.goal: goal.met for goal in goals_of([figures], moves, None)}
    assert not goals["moves in which the pause was measured"]
    assert "pause of writers, p99, ms" not in goals


def test_the_slow_searches_of_one_move_are_not_hidden_by_the_others() -> None:
    """The p99 of all of them, not the median of each move's."""
    calm, busy = move(others_ms=[1.0] * 98), move(others_ms=[50.0] * 98)
    figures = pair_figures(PAIR, [calm, calm, calm, calm, busy], baseline_p99_ms=2.0)
    assert figures.others_p99_ratio == pytest.approx(25.0)

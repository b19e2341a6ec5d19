"""How long a slot's filling pauses between parts."""

import pytest

from drivers.vector_slots import FILL_GROWTH_MAX
from shard_router.fill_pace import PARTS_SEEN, SHARE, FillPace


def test_it_takes_its_share_of_the_time() -> None:
    """Parts of the same cost alternate with pauses so that the work is that share of the whole."""
    pace = FillPace()
    work_s = pause_s = 0.0
    for _ in range(50):
        work_s += 0.02
        pause_s += pace.pause_s(20, 0.02)
    assert work_s / (work_s + pause_s) == pytest.approx(SHARE)


def test_what_it_waited_for_others_is_no_work() -> None:
    """A part that stood behind a long scan is followed by the pause of a quick one, and a short part by a
    short pause."""
    pace = FillPace()
    usual_s = pace.pause_s(20, 0.02)
    assert pace.pause_s(20, 0.5) == usual_s
    assert pace.pause_s(5, 0.5) == pytest.approx(usual_s / 4)


def test_parts_grow_where_they_mostly_wait_and_shrink_where_they_work() -> None:
    """On a shard where every part waits half a second for its turn, parts grow to the limit; on one that does
    nothing else they go back to the usual size, whatever the larger ones take."""
    pace, row_s, rows = FillPace(), 0.001, 20
    pace.pause_s(rows, rows * row_s)
    for _ in range(5):
        assert 1 <= pace.growth <= FILL_GROWTH_MAX
        pace.pause_s(rows * pace.growth, rows * pace.growth * row_s + 0.5)
    assert pace.growth == FILL_GROWTH_MAX
    for _ in range(5):
        pace.pause_s(rows * pace.growth, rows * pace.growth * row_s)
    assert pace.growth == 1


def test_a_part_that_cost_nothing_is_forgotten() -> None:
    """Deleted rows are taken out in no time: the inserts after them are paused for all the same."""
    pace, row_s, paused_s = FillPace(), 0.001, 0.0
    pace.pause_s(20, 0.000_02)
    for _ in range(PARTS_SEEN):
        paused_s = pace.pause_s(20, 20 * row_s)
    assert paused_s == pytest.approx(20 * row_s * (1 - SHARE) / SHARE)

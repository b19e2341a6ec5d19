"""How long a slot's filling pauses between parts."""

import pytest

from shard_router.fill_pace import AT_ONCE_MAX, SHARE, FillPace


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


def test_a_queue_is_joined_with_several_steps_and_left_when_it_is_gone() -> None:
    """On a shard where every part waits four times as long as it works, parts grow to the limit; on one that
    does nothing else they go back to one step, whatever several of them take."""
    pace, step_s, rows = FillPace(), 0.02, 20
    pace.pause_s(rows, step_s)
    for _ in range(5):
        assert pace.at_once <= AT_ONCE_MAX
        pace.pause_s(rows * pace.at_once, step_s * (pace.at_once + 4 * AT_ONCE_MAX))
    assert pace.at_once == AT_ONCE_MAX
    for _ in range(5):
        pace.pause_s(rows * pace.at_once, step_s * pace.at_once)
    assert pace.at_once == 1

"""When a group may be frozen."""

from random import Random

import pytest

from shard_router.moves.pausing import DrainForecast, FreezeGate
from shard_router.moves.settings import MoveSettings

SETTINGS = MoveSettings(freeze_s_max=0.04, rounds_relaxed=10, drain_s_max=1.0, rounds_max=100)


def gate(forecast: DrainForecast | None = None) -> FreezeGate:
    return FreezeGate(SETTINGS, Random(1), forecast or DrainForecast())


def test_nothing_to_bring_takes_no_time() -> None:
    assert DrainForecast().seconds(0) == 0.0


def test_without_a_round_nothing_is_known() -> None:
    assert DrainForecast().seconds(1) is None
    assert not gate().opens(1, now_s=0.0)


def test_a_round_has_a_fixed_part_and_one_per_row() -> None:
    forecast = DrainForecast()
    for _ in range(20):
        forecast.note(items=4, versions=2, seconds=0.010)
        forecast.note(items=200, versions=100, seconds=0.210)
    assert forecast.seconds(100) == pytest.approx(0.210, rel=0.2)
    assert forecast.seconds(1) == pytest.approx(0.012, rel=0.2)


def test_empty_rounds_teach_nothing() -> None:
    forecast = DrainForecast()
    forecast.note(items=0, versions=0, seconds=9.0)
    assert forecast.seconds(1) is None


def test_a_group_is_frozen_when_the_last_round_fits() -> None:
    forecast = DrainForecast()
    forecast.note(items=2, versions=1, seconds=0.02)
    waiting = gate(forecast)
    assert waiting.opens(1, now_s=0.0)
    forecast.note(items=400, versions=200, seconds=0.5)
    assert not waiting.opens(100, now_s=0.0)


def test_a_longer_pause_is_allowed_after_many_misses_and_never_more_than_half_the_bound() -> None:
    forecast = DrainForecast()
    forecast.note(items=2, versions=1, seconds=0.06)
    waiting = gate(forecast)
    opened = [waiting.opens(1, now_s=0.0) for _ in range(12)]
    assert opened == [False] * 11 + [True]
    waiting.misses = 10_000
    assert waiting.budget_s == SETTINGS.drain_s_max / 2
    assert waiting.is_hopeless


def test_rounds_that_catch_up_do_not_lengthen_the_pause() -> None:
    """What has gathered during the copy or a verification takes many rounds; only those are misses after
    which about as much is left as before."""
    forecast = DrainForecast()
    forecast.note(items=400, versions=200, seconds=0.5)
    waiting = gate(forecast)
    for _ in range(2):
        for left in (10_000, 8_000, 6_000, 4_000, 2_000, 1_000, 500, 300, 200, 150, 120):
            assert not waiting.opens(left, now_s=0.0)
        waiting.begins_anew()
    assert not waiting.misses
    assert waiting.budget_s == SETTINGS.freeze_s_max
    for left in (120, 115, 130):
        assert not waiting.opens(left, now_s=0.0)
    assert waiting.misses == 2


def test_after_a_thaw_the_next_freeze_waits() -> None:
    waiting = gate()
    waiting.thawed(now_s=10.0)
    first_s = waiting.waits_s(10.0)
    assert 0 < first_s <= SETTINGS.thaw_pause.first_s
    assert not waiting.opens(0, now_s=10.0)
    assert waiting.opens(0, now_s=10.0 + first_s)
    assert not waiting.misses

"""Figures of the comparison."""

import pytest

from gateway.bench.peer.figures import Latency, SideFigures, latency, same_share, speedup

SCORES = {"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.7 + 1e-8, "e": 0.6}


def same(one: str, other: str) -> float:
    return same_share(list(one), list(other), SCORES.__getitem__)


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ("abc", "abc", 1.0),
        ("abc", "bac", 1.0),
        ("abc", "abe", 2 / 3),
        ("abc", "ab", 2 / 3),
        ("", "", 1.0),
        ("", "ab", 0.0),
    ],
)
def test_rankings_are_compared_as_sets(one: str, other: str, share: float) -> None:
    """The share of the best ten that both sides have; what one lacks counts as missing."""
    assert same(one, other) == pytest.approx(share)
    assert same(other, one) == pytest.approx(share)


def test_a_tie_at_the_end_is_no_difference() -> None:
    """Which of two equally near rows takes the last place is nobody's error."""
    assert same("abc", "abd") == 1.0


def test_a_near_row_that_was_passed_over_is_a_difference() -> None:
    """Only rows that tie with the last are forgiven: `b` is nearer than `c`, which took its place."""
    assert same("ab", "ac") == 0.5


def test_latency_is_median_and_nearest_rank() -> None:
    """In milliseconds: of 1 to 100 ms the median is 50.5 and the 95th percentile 95."""
    found = latency([number / 1_000 for number in range(100, 0, -1)])
    assert (found.p50_ms, found.p95_ms) == pytest.approx((50.5, 95.0))


def test_speedup_is_above_one_for_the_faster_side() -> None:
    """Times are divided the other way round than rates."""
    mine = SideFigures({"fact_search": Latency(2.0, 9.0)}, 600.0, 100.0)
    peer = SideFigures({"fact_search": Latency(8.0, 9.0)}, 200.0, 400.0)
    assert speedup(mine, peer) == {"fact_search_p50": 4.0, "entities_per_s": 3.0, "facts_per_s": 0.25}

"""Quantiles and histogram of one operation."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.latency import (
    HISTOGRAM_BOUNDS_S,
    QUANTILE_ERROR_RELATIVE_MAX,
    LatencyRecord,
    LatencySummary,
)

LATENCIES = st.lists(st.floats(1e-5, 600.0), min_size=1, max_size=200)


def record_of(latencies: list[float]) -> LatencyRecord:
    record = LatencyRecord()
    for latency in latencies:
        record.add(latency)
    return record


@given(latencies=LATENCIES)
def test_quantiles_stay_within_the_documented_error(latencies: list[float]) -> None:
    """p50, p95 and p99 are the nearest-rank quantiles of all calls, at most 2.5 % off."""
    summary = record_of(latencies).summary()
    ordered = sorted(latencies)
    for share, told in ((0.5, summary.p50_s), (0.95, summary.p95_s), (0.99, summary.p99_s)):
        exact = ordered[math.ceil(share * len(ordered)) - 1]
        assert told == pytest.approx(exact, rel=QUANTILE_ERROR_RELATIVE_MAX + 1e-9)
    assert QUANTILE_ERROR_RELATIVE_MAX < 0.025


@given(latencies=LATENCIES)
def test_count_sum_and_extremes_are_exact(latencies: list[float]) -> None:
    """Only quantiles are estimates."""
    summary = record_of(latencies).summary()
    assert (summary.count, summary.min_s, summary.max_s) == (len(latencies), min(latencies), max(latencies))
    assert summary.sum_s == pytest.approx(math.fsum(latencies))
    assert summary.mean_s == pytest.approx(math.fsum(latencies) / len(latencies))


@given(latencies=st.lists(st.floats(0.0, 2_000.0) | st.sampled_from(HISTOGRAM_BOUNDS_S), max_size=100))
def test_the_histogram_counts_exactly(latencies: list[float]) -> None:
    """Prometheus' buckets are exact, boundaries included, whatever lies below or above them."""
    cumulative, count, _ = record_of(latencies).histogram()
    assert cumulative == [sum(latency <= bound for latency in latencies) for bound in HISTOGRAM_BOUNDS_S]
    assert count == len(latencies)


def test_nothing_recorded_is_all_zero() -> None:
    """An operation that never ran has no infinite minimum."""
    assert LatencyRecord().summary() == LatencySummary(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def test_latencies_outside_the_buckets() -> None:
    """An extreme call is told as the extreme that it was."""
    summary = record_of([0.0, 7_200.0]).summary()
    assert (summary.min_s, summary.max_s, summary.p99_s) == (0.0, 7_200.0, 7_200.0)
    assert summary.p50_s <= 1e-5

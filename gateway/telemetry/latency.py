"""Latencies of one operation in a fixed number of buckets, fine enough for quantiles."""

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise

HISTOGRAM_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The buckets that Prometheus sees; each is the sum of whole fine buckets, so both views agree."""

BUCKET_GROWTH = 1.05
QUANTILE_ERROR_RELATIVE_MAX = math.sqrt(BUCKET_GROWTH) - 1
"""2.5 %: a quantile is the geometric middle of a fine bucket. Below 10 us the error is up to 10 us; from
10 minutes on a quantile is the maximum."""

_LEAST_S, _GREATEST_S = 0.000_01, 600.0


def _fine_bounds() -> tuple[float, ...]:
    anchors = (_LEAST_S, 0.000_1, *HISTOGRAM_BOUNDS_S, _GREATEST_S)
    bounds = [_LEAST_S]
    for low, high in pairwise(anchors):
        steps = math.ceil(math.log(high / low) / math.log(BUCKET_GROWTH))
        bounds += [low * (high / low) ** (step / steps) for step in range(1, steps)]
        bounds.append(high)
    return tuple(bounds)


_BOUNDS_S = _fine_bounds()
_HISTOGRAM_ENDS = tuple(_BOUNDS_S.index(bound) + 1 for bound in HISTOGRAM_BOUNDS_S)


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """In seconds; all 0 when nothing was recorded."""

    count: int
    sum_s: float
    min_s: float
    max_s: float
    mean_s: float
    p50_s: float
    p95_s: float
    p99_s: float


class LatencyRecord:
    """Some 3 kB, whatever the number of calls. Written on the event loop, readable from any thread."""

    __slots__ = ("_counts", "_max_s", "_min_s", "_sum_s")

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS_S) + 1)
        self._sum_s = 0.0
        self._min_s = math.inf
        self._max_s = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(_BOUNDS_S, seconds)] += 1
        self._sum_s += seconds
        self._min_s = min(self._min_s, seconds)
        self._max_s = max(self._max_s, seconds)

    def histogram(self) -> tuple[list[int], int, float]:
        """Calls at or below each of HISTOGRAM_BOUNDS_S, all calls, their sum in seconds."""
        counts = self._counts.copy()
        cumulative: list[int] = []
        total = start = 0
        for end in _HISTOGRAM_ENDS:
            total += sum(counts[start:end])
            cumulative.append(total)
            start = end
        return cumulative, total + sum(counts[start:]), self._sum_s

    def summary(self) -> LatencySummary:
        counts = self._counts.copy()
        count = sum(counts)
        if not count:
            return LatencySummary(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        p50_s, p95_s, p99_s = (self._quantile(counts, count, share) for share in (0.5, 0.95, 0.99))
        return LatencySummary(
            count, self._sum_s, self._min_s, self._max_s, self._sum_s / count, p50_s, p95_s, p99_s
        )

    def _quantile(self, counts: list[int], count: int, share: float) -> float:
        """The smallest value that at least this share of the calls did not exceed (nearest rank)."""
        rank = math.ceil(share * count)
        seen = 0
        for index, number in enumerate(counts):
            seen += number
            if seen >= rank:
                if index == len(_BOUNDS_S):
                    return self._max_s
                low = _BOUNDS_S[index - 1] if index else 0.0
                middle = math.sqrt(low * _BOUNDS_S[index])
                return min(max(middle, self._min_s), self._max_s)
        return self._max_s

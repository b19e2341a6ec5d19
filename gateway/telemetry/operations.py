"""Counts and latencies of one kind of operation, by its labels: the one record behind both views."""

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily

from gateway.telemetry.latency import HISTOGRAM_BOUNDS_S, LatencyRecord

SERIES_MAX = 5_000
"""Label sets of one kind; the calls of further ones are counted together under OVERFLOW."""
OVERFLOW = "other"

type Labels = tuple[str, ...]

_BUCKET_NAMES = (*(f"{bound:g}" for bound in HISTOGRAM_BOUNDS_S), "+Inf")


class Operation:
    """One label set. Written on the event loop only."""

    __slots__ = ("labels", "latency", "outcomes", "started")

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.started = 0
        self.outcomes: dict[str, int] = {}
        self.latency = LatencyRecord()

    def finished(self, outcome: str, seconds: float) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        self.latency.add(seconds)

    @property
    def success_rate(self) -> float | None:
        """Share of "OK" among the finished ones, what callers did wrong included; None before the first."""
        outcomes = self.outcomes.copy()
        total = sum(outcomes.values())
        return outcomes.get("OK", 0) / total if total else None


class OperationTable:
    """The operations of one kind."""

    def __init__(self, label_names: Labels, *, series_max: int = SERIES_MAX) -> None:
        self.label_names = label_names
        self._series_max = series_max
        self._operations: dict[Labels, Operation] = {}

    def of(self, labels: Labels) -> Operation:
        """The operation with these labels, made on first use."""
        known = self._operations.get(labels)
        if known is None:
            if len(self._operations) >= self._series_max:
                labels = (OVERFLOW,) * len(self.label_names)
            known = self._operations.setdefault(labels, Operation(labels))
        return known

    def __iter__(self) -> Iterator[Operation]:
        # A scrape reads in a thread of its own while the loop may add operations.
        return iter(list(self._operations.values()))

    def started_family(self, name: str, text: str) -> CounterMetricFamily:
        family = CounterMetricFamily(name, text, labels=self.label_names)
        for operation in self:
            family.add_metric(operation.labels, operation.started)
        return family

    def outcome_family(self, name: str, text: str, outcome_label: str) -> CounterMetricFamily:
        family = CounterMetricFamily(name, text, labels=(*self.label_names, outcome_label))
        for operation in self:
            for outcome, count in operation.outcomes.copy().items():
                family.add_metric((*operation.labels, outcome), count)
        return family

    def latency_family(self, name: str, text: str) -> HistogramMetricFamily:
        family = HistogramMetricFamily(name, text, labels=self.label_names)
        for operation in self:
            cumulative, count, sum_s = operation.latency.histogram()
            buckets = list(zip(_BUCKET_NAMES, (*cumulative, count), strict=True))
            family.add_metric(operation.labels, buckets=buckets, sum_value=sum_s)
        return family

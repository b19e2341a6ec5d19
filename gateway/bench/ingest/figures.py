"""What one run found, and what it is held to: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.bench.ingest.gateway_side import Loaded
from gateway.bench.ingest.options import HEADLINE_MS, Tuning
from gateway.bench.ingest.peer import PeerFigures
from gateway.corpus.metrics import percentile

SPEEDUP_MIN = 5.0
CALLS_SHARE_MAX = 0.5
"""Of graphiti-core's model calls for each episode."""
PER_S_MIN = 150.0
"""At a latency of 0, on two cores."""
VISIBLE_MS_MAX = (500.0, 1_200.0, 2_000.0)
"""p50, p95, p99 of a text episode under 500 tokens, the time of a model of fixed latency included."""
BULK_MS_MAX = 200.0
"""For each episode of bulk, the same included."""


@dataclass(frozen=True, slots=True)
class Latency:
    p50: float
    p95: float
    p99: float

    @staticmethod
    def of(samples_ms: Sequence[float]) -> "Latency":
        return Latency(percentile(samples_ms, 50), percentile(samples_ms, 95), percentile(samples_ms, 99))


@dataclass(frozen=True, slots=True)
class Row:
    """Of the table, at HEADLINE_MS."""

    tuning: Tuning
    groups: int
    loaded: Loaded


@dataclass(frozen=True, slots=True)
class Goal:
    goal: str
    figure: float
    bound: float
    at_least: bool = False
    """Else at most."""

    @property
    def met(self) -> bool:
        return self.figure >= self.bound if self.at_least else self.figure <= self.bound


@dataclass(frozen=True, slots=True)
class IngestBenchResult:
    loaded: Mapping[int, Loaded]
    """By latency of the model, ms."""
    visible: Mapping[int, Latency]
    """Likewise."""
    table: Sequence[Row]
    peer: PeerFigures | None

    @property
    def goals(self) -> Sequence[Goal]:
        found: list[Goal] = []
        if 0 in self.loaded:
            found.append(Goal("episodes/s at 0 ms", self.loaded[0].per_s, PER_S_MIN, at_least=True))
        if HEADLINE_MS in self.visible:
            seen = self.visible[HEADLINE_MS]
            for name, figure, bound in zip(
                ("p50", "p95", "p99"), (seen.p50, seen.p95, seen.p99), VISIBLE_MS_MAX, strict=True
            ):
                found.append(Goal(f"visible at {HEADLINE_MS} ms, {name}, ms", figure, bound))
        if HEADLINE_MS in self.loaded:
            per_episode_ms = 1e3 / self.loaded[HEADLINE_MS].per_s
            found.append(Goal(f"bulk at {HEADLINE_MS} ms, ms for each episode", per_episode_ms, BULK_MS_MAX))
        if self.peer is not None:
            bulk = self.peer.bulk
            share = bulk.graphgate.calls_per_episode / bulk.graphiti.calls_per_episode
            found.append(Goal("bulk over graphiti-core's, times", bulk.speedup, SPEEDUP_MIN, at_least=True))
            found.append(Goal("model calls over graphiti-core's", share, CALLS_SHARE_MAX))
        return found

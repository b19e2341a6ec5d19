"""What a run measures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.bench.rig import EngineName

type StrategyName = Literal["sequential", "conservative", "balanced", "aggressive"]

DIMENSION = 384
HEADLINE_MS = 200
"""Latency of the figures that are held against goals and baselines, of the table and of the peer."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """How much the gateway does at once."""

    strategy: StrategyName
    connections: int
    """HTTP requests to the model at once."""
    first_batch: int = 10
    """Episodes of a group's first unit."""
    batch_max: int = 1_000
    """The most that a unit grows to."""

    @property
    def batch(self) -> str:
        if self.first_batch == self.batch_max:
            return str(self.batch_max)
        return f"{self.first_batch} to {self.batch_max}"


@dataclass(frozen=True, slots=True)
class IngestBenchOptions:
    engine: EngineName
    cache_dir: Path
    latencies_ms: Sequence[int] = (0, HEADLINE_MS, 1_000)
    episodes: int = 500
    """Of one measurement of throughput, spread over `groups`."""
    groups: int = 10
    visible_episodes: int = 150
    """Of one measurement of how soon they are found; of every second it is measured."""
    visible_per_s: float = 5.0
    table_episodes: int = 200
    """Of one row of the table; 0: the table is left out."""
    peer: bool = False
    peer_single_episodes: int = 20
    """Added one by one; after each part of them it is the other side's turn."""
    peer_rounds: int = 3
    """Of bulk, the sides in turn."""
    round_episodes: int = 30
    """Of one round of bulk: graphgate is given them in one call."""
    peer_call_episodes: int = 10
    """graphiti-core is given them in calls of so many, the number that its sources name."""
    limit: int = 20
    """Model calls at once, of either side."""

    @property
    def tuning(self) -> Tuning:
        """Of all measurements but the table's."""
        return Tuning("aggressive", self.limit)

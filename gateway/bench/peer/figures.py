"""What one run found, and how it is computed from what was measured."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.bench.peer.graphgate_side import KindName, SearchName, VectorsName
from gateway.corpus.metrics import percentile

TIE = 1e-6
"""Cosines that are nearer than this are taken for equal: the sides compute them in different precision."""


@dataclass(frozen=True, slots=True)
class Latency:
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class SideFigures:
    searches: Mapping[SearchName, Latency]
    entities_per_s: float
    facts_per_s: float


@dataclass(frozen=True, slots=True)
class PeerResult:
    engine_version: str
    graphiti_version: str
    graphgate: Mapping[VectorsName, SideFigures]
    graphiti: SideFigures
    recall_at_10: Mapping[KindName, float]
    """Of automatic against exact search by cosine, mean over the questions."""
    same_semantic_top10: Mapping[KindName, float]
    """Share of the ten best by cosine that graphgate (exact) and graphiti-core have in common."""
    stages_ms: Mapping[tuple[VectorsName, SearchName], Mapping[str, float]]
    """Median by stage of graphgate; see Stages."""
    vectors: Mapping[tuple[VectorsName, SearchName], Sequence[str]]
    settled_s: float
    """From the last write until nothing of the group was still being built."""

    @property
    def speedup(self) -> Mapping[VectorsName, Mapping[str, float]]:
        return {name: speedup(figures, self.graphiti) for name, figures in self.graphgate.items()}


def latency(seconds: Sequence[float]) -> Latency:
    return Latency(statistics.median(seconds) * 1e3, percentile(seconds, 95) * 1e3)


def speedup(mine: SideFigures, peer: SideFigures) -> dict[str, float]:
    """How many times as fast; below 1: slower."""
    by_search = {
        f"{search}_p50": peer.searches[search].p50_ms / found.p50_ms
        for search, found in mine.searches.items()
    }
    return {
        **by_search,
        "entities_per_s": mine.entities_per_s / peer.entities_per_s,
        "facts_per_s": mine.facts_per_s / peer.facts_per_s,
    }


def same_share(one: Sequence[str], other: Sequence[str], score: Callable[[str], float]) -> float:
    """Share of rows that two rankings by `score` have in common, apart from ties at their ends.

    A row that only one has counts as common if its score is that of the other's last row. Of the longer
    list, if one is shorter; two empty lists agree, 1.
    """
    longer = max(len(one), len(other))
    if not longer:
        return 1.0
    if not one or not other:
        return 0.0
    cut = {uuid: score(uuid) for uuid in {one[-1], other[-1], *set(one) ^ set(other)}}
    tied = [uuid for uuid in set(one) - set(other) if abs(cut[uuid] - cut[other[-1]]) <= TIE]
    tied_back = [uuid for uuid in set(other) - set(one) if abs(cut[uuid] - cut[one[-1]]) <= TIE]
    return (len(set(one) & set(other)) + min(len(tied), len(tied_back))) / longer

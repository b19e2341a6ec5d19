"""What a run measures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.bench.rig import EngineName


@dataclass(frozen=True, slots=True)
class Pair:
    source: EngineName
    target: EngineName

    @property
    def name(self) -> str:
        return f"{self.source}->{self.target}"

    @property
    def back(self) -> "Pair":
        return Pair(self.target, self.source)


@dataclass(frozen=True, slots=True)
class MoveBenchOptions:
    cache_dir: Path
    pairs: Sequence[Pair]
    entities: int
    """Of the group that moves."""
    facts: int
    moves: int
    """Of each pair."""
    index_waits: int
    """Moves of each pair, the first ones, after which the load runs on until the target's indexes serve. 0:
    the group's first place has none yet either when it leaves."""
    small_groups: int
    """0: the part is left out."""
    writes_per_s: float = 100.0
    """Of single rows, to the group that moves."""
    searches_per_s: float = 50.0
    """Of which SEMANTIC_PER_S are semantic searches of the group that moves, the others of other groups."""
    semantic_per_s: float = 5.0
    other_groups: int = 8
    other_entities: int = 200
    """Of each other group, and as many facts."""
    baseline_s: float = 10.0
    """Of the same load without a move, before the moves of a pair."""
    small_rows: int = 5
    """Entities of a small group, and as many facts."""
    seed: int = 1


def shuttles(pairs: Sequence[Pair]) -> list[Pair]:
    """One of every pair and its way back: a group that has moved is moved back, which is a move of the other
    pair."""
    found: list[Pair] = []
    for pair in pairs:
        if pair not in found and pair.back not in found:
            found.append(pair)
    return found

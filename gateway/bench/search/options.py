"""What a run measures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from gateway.bench.rig import EngineName
from gateway.bench.search.measuring import Rounds

type Part = Literal["neighbours", "mixed", "fan_out", "sizes"]

PARTS: tuple[Part, ...] = get_args(Part.__value__)
"""In the order in which they run: what takes longest last, for it is left out when time is short."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    engine: EngineName
    cache_dir: Path
    parts: Sequence[Part]
    sizes: Sequence[int]
    """Facts of a group; one group of each."""
    shards: Sequence[int]
    groups: Sequence[int]
    """Of one request, up to 1,000."""
    wide_facts: int
    """Facts of each group where a request searches one group on every shard; 0: no such request."""
    neighbours: Sequence[int]
    """Other groups in a fleet."""
    questions: int
    rounds: Rounds
    mixed_s: float
    """How long the mixed load lasts."""
    seconds_max: float
    """Of the whole run: nothing begins after that."""

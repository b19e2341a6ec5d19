"""What one run found, and how goals are held against it: pure."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.bench.search.requests import MethodName
from gateway.corpus.metrics import percentile

type PartName = Literal["sizes", "fan_out", "neighbours"]

OVERHEAD_MS_MAX = 2.0
"""At one shard."""
FLOOR_TIMES_MAX = 1.3
"""At many shards."""
NEIGHBOURS_TIMES_MAX = 1.25
MEMORY_TIMES_MAX = 1.1
"""What counts as flat: resident memory at the most groups over that at the fewest."""


@dataclass(frozen=True, slots=True)
class Latency:
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Cell:
    """What is searched, and how."""

    part: PartName
    method: MethodName
    shards: int
    groups: int
    """Of one request."""
    group_facts: int
    """Facts of each of them."""
    other_groups: int
    """In the fleet, that the request does not search."""

    @property
    def name(self) -> str:
        return (
            f"{self.method}, {self.groups:,} of {self.groups + self.other_groups:,} groups, "
            f"{self.group_facts:,} facts each, {self.shards} shard{'s' if self.shards > 1 else ''}"
        )


@dataclass(frozen=True, slots=True)
class CellFigures:
    requests: int
    """Of the gateway, and as many of the floor, that count."""
    gateway: Latency
    floor: Latency
    overhead_ms: float
    """Median of what a request took longer than the engine calls that were sent next to it."""
    floor_times: float
    """The gateway's p50 over the floor's."""
    gateway_cpu_ms: float
    """User and system time of the gateway process per request, all threads."""
    floor_cpu_ms: float
    """The same of this process per request's engine calls: the drivers' share of the work."""
    engine_calls: float
    """Per request, mean."""
    engine_steps: float
    """Of calls that run side by side, one after the other; mean."""
    calls: Sequence[str]
    """Kinds of calls that were made, by the drivers' contract."""
    stages_ms: Mapping[str, float]
    """Median by stage of the gateway; `client`: the rest of what the caller waited."""
    vectors: Sequence[str]
    """Ways in which vectors were compared, with reasons."""
    same_hits: float
    """Share of requests whose hits were those of the search of which the floor is the engine calls."""


@dataclass(frozen=True, slots=True)
class Goal:
    goal: str
    at: str
    """Where the figure is from: the worst of `cells`."""
    figure: float
    bound: float
    cells: int = 1
    cells_met: int = 1

    @property
    def met(self) -> bool:
        return self.figure <= self.bound


def latency(seconds: Sequence[float]) -> Latency:
    return Latency(
        statistics.median(seconds) * 1e3, percentile(seconds, 95) * 1e3, percentile(seconds, 99) * 1e3
    )


def floor_goals(cells: Mapping[Cell, CellFigures]) -> list[Goal]:
    """Overhead at one shard, and the latency in floors at the most shards there were, by part and method."""
    shards_max = max((cell.shards for cell in cells), default=1)
    found: list[Goal] = []
    for part, method in dict.fromkeys((cell.part, cell.method) for cell in cells):
        mine = {cell: f for cell, f in cells.items() if (cell.part, cell.method) == (part, method)}
        one = {cell: f for cell, f in mine.items() if cell.shards == 1}
        found += _worst(
            f"{part}, {method}: overhead over the floor at 1 shard, ms",
            one,
            lambda f: f.overhead_ms,
            OVERHEAD_MS_MAX,
        )
        if shards_max > 1:
            most = {cell: f for cell, f in mine.items() if cell.shards == shards_max}
            found += _worst(
                f"{part}, {method}: p50 over the floor's at {shards_max} shards",
                most,
                lambda f: f.floor_times,
                FLOOR_TIMES_MAX,
            )
    return found


def neighbour_goals(cells: Mapping[Cell, CellFigures]) -> list[Goal]:
    """By method, p50 with the most other groups over that with the fewest."""
    mine = {cell: figures for cell, figures in cells.items() if cell.part == "neighbours"}
    found: list[Goal] = []
    for method in dict.fromkeys(cell.method for cell in mine):
        by_others = {c.other_groups: figures for c, figures in mine.items() if c.method == method}
        few, many = min(by_others), max(by_others)
        if few < many:
            figure = by_others[many].gateway.p50_ms / by_others[few].gateway.p50_ms
            goal = f"neighbours, {method}: p50 with many other groups over that with few"
            at = f"{many:,} and {few:,} other groups"
            found.append(_goal(goal, at, figure, NEIGHBOURS_TIMES_MAX))
    return found


def memory_goals(served_mb: Mapping[int, float]) -> list[Goal]:
    """`served_mb`: resident memory of a gateway that has searched every group, by their number."""
    if len(served_mb) < 2:
        return []
    few, many = min(served_mb), max(served_mb)
    goal = "memory of a gateway with many groups over that with few"
    return [_goal(goal, f"{many:,} and {few:,} groups", served_mb[many] / served_mb[few], MEMORY_TIMES_MAX)]


def baseline_goals(operations: Mapping[str, Latency], baselines: Mapping[str, Latency]) -> list[Goal]:
    """Every percentile of every operation."""
    return [
        _goal(
            f"{operation}: {name} under mixed load, ms",
            "mixed",
            getattr(found, name),
            getattr(baselines[operation], name),
        )
        for operation, found in operations.items()
        for name in ("p50_ms", "p95_ms", "p99_ms")
    ]


def _worst(
    goal: str, cells: Mapping[Cell, CellFigures], figure_of: Callable[[CellFigures], float], bound: float
) -> Iterable[Goal]:
    if not cells:
        return
    figures = {cell: figure_of(figures) for cell, figures in cells.items()}
    worst = max(figures, key=lambda cell: figures[cell])
    met = sum(figure <= bound for figure in figures.values())
    yield Goal(goal, worst.name, figures[worst], bound, len(figures), met)


def _goal(goal: str, at: str, figure: float, bound: float) -> Goal:
    return Goal(goal, at, figure, bound, 1, int(figure <= bound))

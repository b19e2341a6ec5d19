"""What one run found, and what it is held to: pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.bench.move.options import Pair
from gateway.corpus.metrics import percentile

PAUSE_P99_MS_MAX = 100.0
MOVES_MIN = 20
"""For the p99 of the pause to say something."""
TO_COMMIT_S_MAX = {"falkordb->falkordb": 15.0, "falkordb->neo4j": 90.0}
TO_INDEXES_READY_S_MAX = {"falkordb->falkordb": 60.0, "falkordb->neo4j": 90.0}
OTHERS_P99_RATIO_MAX = 2.0
SMALL_GROUPS_PER_S_MIN = 20.0
_INDEX_SLACK_S = 0.001


@dataclass(frozen=True, slots=True)
class MoveFigures:
    """Of one move."""

    to_commit_s: float
    to_indexes_ready_s: float | None
    """Until the first semantic search of the group by an index from the commit on; as to_commit_s where that
    was the first search after it, or where the group has no index anywhere. None: was not waited for."""
    mb_per_s: float
    """Of what was copied, over to_commit_s."""
    pauses_ms: Sequence[float]
    """For each freeze that a write met, also one that was thawed, the longest that such a write was under
    way, as its writer saw it."""
    recorded_pauses_ms: Sequence[float]
    """As the move's record tells them, one for each freeze."""
    failed_calls: int
    others_ms: Sequence[float]
    """Latencies of searches of other groups, from the request to the commit or to the indexes, whichever was
    later."""


@dataclass(frozen=True, slots=True)
class PairFigures:
    source: str
    target: str
    moves: int
    to_commit_s: float
    """The longest."""
    to_indexes_ready_s: float | None
    """The longest of the moves in which it was waited for; None: of none."""
    mb_per_s: float
    """Median."""
    pauses_measured: int
    """Freezes that a write met; without any, pause_ms_* are None."""
    pause_ms_p50: float | None
    pause_ms_p99: float | None
    pause_ms_max: float | None
    recorded_pause_ms_p50: float
    recorded_pause_ms_max: float
    thaws: int
    failed_calls: int
    others_p99_ratio: float
    """p99 of all searches of other groups during the moves over that of the same load without a move."""

    @property
    def name(self) -> str:
        return f"{self.source}->{self.target}"


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


def pair_figures(pair: Pair, moves: Sequence[MoveFigures], baseline_p99_ms: float) -> PairFigures:
    pauses = [pause for move in moves for pause in move.pauses_ms]
    others = [latency for move in moves for latency in move.others_ms]
    recorded = [pause for move in moves for pause in move.recorded_pauses_ms]
    ready = [move.to_indexes_ready_s for move in moves if move.to_indexes_ready_s is not None]
    return PairFigures(
        source=pair.source,
        target=pair.target,
        moves=len(moves),
        to_commit_s=max(move.to_commit_s for move in moves),
        to_indexes_ready_s=max(ready, default=None),
        mb_per_s=statistics.median(move.mb_per_s for move in moves),
        pauses_measured=len(pauses),
        pause_ms_p50=statistics.median(pauses) if pauses else None,
        pause_ms_p99=percentile(pauses, 99) if pauses else None,
        pause_ms_max=max(pauses, default=None),
        recorded_pause_ms_p50=statistics.median(recorded) if recorded else 0.0,
        recorded_pause_ms_max=max(recorded, default=0.0),
        thaws=sum(max(0, len(move.recorded_pauses_ms) - 1) for move in moves),
        failed_calls=sum(move.failed_calls for move in moves),
        others_p99_ratio=percentile(others, 99) / baseline_p99_ms,
    )


def goals_of(
    pairs: Sequence[PairFigures], moves: Sequence[MoveFigures], small_groups_per_s: float | None
) -> list[Goal]:
    """`moves`: of all pairs. Times are goals for 10,000 entities and 50,000 facts."""
    found: list[Goal] = []
    if moves:
        measured = sum(bool(move.pauses_ms) for move in moves)
        found.append(Goal("moves in which the pause was measured", measured, MOVES_MIN, at_least=True))
        pauses_ms = [pause for move in moves for pause in move.pauses_ms]
        if pauses_ms:
            found.append(Goal("pause of writers, p99, ms", percentile(pauses_ms, 99), PAUSE_P99_MS_MAX))
        found.append(Goal("failed calls", sum(pair.failed_calls for pair in pairs), 0))
    for pair in pairs:
        if pair.name in TO_COMMIT_S_MAX:
            found.append(Goal(f"{pair.name}: to commit, s", pair.to_commit_s, TO_COMMIT_S_MAX[pair.name]))
            if pair.to_indexes_ready_s is not None:
                bound = TO_INDEXES_READY_S_MAX[pair.name]
                found.append(Goal(f"{pair.name}: to indexes ready, s", pair.to_indexes_ready_s, bound))
        if pair.target == "neo4j" and pair.to_indexes_ready_s is not None:
            behind_s = max(0.0, pair.to_indexes_ready_s - pair.to_commit_s)
            found.append(Goal(f"{pair.name}: indexes ready after the commit, s", behind_s, _INDEX_SLACK_S))
        goal = f"{pair.name}: p99 of other groups over that without a move"
        found.append(Goal(goal, pair.others_p99_ratio, OTHERS_P99_RATIO_MAX))
    if small_groups_per_s is not None:
        goal = "small groups per second"
        found.append(Goal(goal, small_groups_per_s, SMALL_GROUPS_PER_S_MIN, at_least=True))
    return found

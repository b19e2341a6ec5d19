"""What a search does when a shard does not answer, and what it says of each shard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from drivers.errors import DeadlinePassed, GraphgateError, ShardTimeout
from shard_router.errors import PlacementUnsettled, StalePlacement


@dataclass(frozen=True, slots=True)
class PartialPolicy:
    """Go on with what answered, if that is enough. Without a policy a search is all or nothing."""

    coverage_min: float
    """Least share of the groups that were placed and must have answered, 0..1."""

    def __post_init__(self) -> None:
        if not 0 <= self.coverage_min <= 1:
            raise ValueError(f"coverage_min {self.coverage_min} of a partial answer is not from 0 to 1")


class ShardStatus(StrEnum):
    OK = "OK"
    TIMEOUT = "TIMEOUT"
    """It had not answered when the time for shards was up."""
    ERROR = "ERROR"
    STALE = "STALE"
    """It answered, and some of its groups kept moving."""


@dataclass(frozen=True, slots=True)
class ShardOutcome:
    status: ShardStatus
    reason: str
    """GraphgateError.reason; empty when OK."""
    groups: tuple[str, ...]
    """OK: the groups that this shard answered for. Else: those that are missing from the answer."""
    latency_s: float
    """Spent in its calls, the wait for a slot included."""


def status_of(error: GraphgateError) -> ShardStatus:
    match error:
        case DeadlinePassed() | ShardTimeout():
            return ShardStatus.TIMEOUT
        case PlacementUnsettled() | StalePlacement():
            return ShardStatus.STALE
        case _:
            return ShardStatus.ERROR


def coverage(answered: int, missing: int) -> float:
    """Share of the groups that answered; 1 when there were none to ask."""
    return answered / (answered + missing) if answered + missing else 1.0


def missing_groups(outcomes: Mapping[str, ShardOutcome]) -> Sequence[str]:
    """group_ids that no shard answered for, sorted."""
    return sorted(
        {g for outcome in outcomes.values() if outcome.status is not ShardStatus.OK for g in outcome.groups}
    )

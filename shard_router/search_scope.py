"""The groups of one search: where each was read, which shards answered, and whether that is enough."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from drivers.errors import GraphgateError
from drivers.fence import Engine, Fence, GroupRef
from shard_router.errors import CoverageTooLow
from shard_router.partial import PartialPolicy, ShardOutcome, ShardStatus, coverage, status_of
from shard_router.routing import Located


@dataclass(slots=True)
class SearchScope:
    """Grows over the stages of the search. A group that is missing in one stage is missing in all later
    ones."""

    located: Located
    partial: PartialPolicy | None = None
    """None: every shard answers, or the search fails."""
    outcomes: dict[str, ShardOutcome] = field(default_factory=dict[str, ShardOutcome])
    """By shard_id, of every shard that was asked or could not even be asked for its groups. A shard that
    failed in one stage stays failed."""
    fences: dict[str, Fence] = field(default_factory=dict[str, Fence])
    """Of the groups that have answered."""
    shard_of: dict[str, str] = field(default_factory=dict[str, str])
    engine_of: dict[str, Engine] = field(default_factory=dict[str, Engine])
    latency_s: dict[str, float] = field(default_factory=dict[str, float])
    missing: dict[str, GraphgateError] = field(default_factory=dict[str, GraphgateError])
    """By group_id: why it is not in the answer. Empty without a policy."""

    def __post_init__(self) -> None:
        self.missing |= self.located.groups_failed
        for shard_id, error in self.located.shards_failed.items():
            self.outcomes[shard_id] = ShardOutcome(status_of(error), error.reason, (), 0.0)

    def ref(self, group_id: str) -> GroupRef:
        fence = self.fences[group_id]
        return GroupRef(group_id, fence.space, fence.epoch)

    @property
    def coverage(self) -> float:
        """Share of the groups that have answered, of those that were placed."""
        return coverage(len(self.fences), len(self.missing))

    def answered(self, shard_id: str, fences: dict[str, Fence]) -> None:
        """The groups of these fences were read at this shard, which owns them."""
        self.fences.update(fences)
        self.shard_of.update(dict.fromkeys(fences, shard_id))

    def spent(self, shard_id: str, seconds: float) -> None:
        """Time of one more call."""
        self.latency_s[shard_id] = self.latency_s.get(shard_id, 0.0) + seconds

    def lose(self, shard_id: str, group_ids: Iterable[str], error: GraphgateError) -> None:
        """These groups will not be in the answer. Raises the error if there is no policy."""
        if self.partial is None:
            raise error
        for group_id in group_ids:
            self.missing[group_id] = error
            self.fences.pop(group_id, None)
            self.shard_of.pop(group_id, None)
        before = self.outcomes.get(shard_id)
        groups = (*(before.groups if before is not None else ()), *group_ids)
        self.outcomes[shard_id] = ShardOutcome(
            status_of(error), error.reason, tuple(dict.fromkeys(groups)), self.latency_s.get(shard_id, 0.0)
        )

    def settle(self) -> None:
        """Write down the outcomes of a stage. Raises CoverageTooLow if too many groups are missing, or if a
        shard's groups are not even known and all are asked for."""
        by_shard: dict[str, list[str]] = {}
        for group_id, shard_id in self.shard_of.items():
            by_shard.setdefault(shard_id, []).append(group_id)
        for shard_id in by_shard.keys() | self.latency_s.keys():
            known = self.outcomes.get(shard_id)
            if known is None or known.status is ShardStatus.OK:
                groups = tuple(sorted(by_shard.get(shard_id, ())))
                self.outcomes[shard_id] = ShardOutcome(
                    ShardStatus.OK, "", groups, self.latency_s.get(shard_id, 0.0)
                )
        if self.partial is None:
            return
        errors = (*self.missing.values(), *self.located.shards_failed.values())
        if errors and (self.partial.coverage_min >= 1 or self.coverage < self.partial.coverage_min):
            raise CoverageTooLow(
                answered=len(self.fences),
                missing=self.missing,
                coverage_min=self.partial.coverage_min,
                failed={
                    shard_id: outcome.reason
                    for shard_id, outcome in self.outcomes.items()
                    if outcome.status is not ShardStatus.OK
                },
                coverage=self.coverage,
            ) from errors[0]

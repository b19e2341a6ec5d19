"""The routing token, and what the router answers with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from drivers.errors import GraphgateError
from drivers.fence import Fence, GroupRef


@dataclass(frozen=True, slots=True)
class OneShard:
    shard_id: str


@dataclass(frozen=True, slots=True)
class SomeShards:
    shard_ids: tuple[str, ...]
    """Sorted; may be empty."""


@dataclass(frozen=True, slots=True)
class AllShards:
    """Every shard of the map that is not REMOVED, also those that are away."""


type Route = OneShard | SomeShards | AllShards


@dataclass(frozen=True, slots=True)
class Located:
    """Where the groups of a scope are. Hints: each shard's answer carries the fences that judge them."""

    route: Route
    refs: Mapping[str, tuple[GroupRef, ...]]
    """By shard_id; in the order in which the groups were named, or by group_id."""
    unknown: tuple[str, ...]
    """group_ids that are placed nowhere."""
    groups_failed: Mapping[str, GraphgateError]
    """By group_id: it could not be found out where the group is. Empty unless partial is allowed."""
    shards_failed: Mapping[str, GraphgateError]
    """By shard_id: it could not be listed which groups the shard owns. Empty as above."""


@dataclass(frozen=True, slots=True)
class ShardReply[T]:
    shard_id: str
    outcome: T | GraphgateError
    latency_ms: float
    """From the router's call to the outcome, the wait for a slot included."""

    def result(self) -> T:
        """Raises the outcome if it is an error."""
        if isinstance(self.outcome, GraphgateError):
            raise self.outcome
        return self.outcome


class OwnedGroup(NamedTuple):
    shard_id: str
    fence: Fence


@dataclass(frozen=True, slots=True)
class GroupPage:
    groups: tuple[OwnedGroup, ...]
    """By group_id in code point order, each group once."""
    more: bool
    """Whether a call after the last group_id may find more."""
    failures: Mapping[str, GraphgateError]
    """By shard_id. Empty unless partial is allowed."""


def route_to(shard_ids: Mapping[str, object]) -> Route:
    """The narrowest token for these shards."""
    ordered = tuple(sorted(shard_ids))
    return OneShard(ordered[0]) if len(ordered) == 1 else SomeShards(ordered)

"""Everything that routing can fail with.

GraphgateError
 +- GroupNotFound             no write has made this group yet
 +- StalePlacement            internal: raised by a call whose shard's fence does not own the group
 +- PlacementUnsettled        retryable: the owner kept changing while the caller waited
 +- PlacementLost             the group was placed and its fence is gone: data loss
 +- CatalogUnavailable        retryable
 +- FleetNotFounded           retryable: not every shard of the founding has answered yet
 +- NoShardTakesGroups        every shard is cordoned, draining, removed or weighs nothing
 +- ShardUnknown              not a shard of this gateway's settings
 +- ScopeTooLarge             more groups than one request may search
 +- CoverageTooLow            retryable: a partial search reached less than its caller accepts
 +- ShardError
     +- ShardGateFull         retryable: too many calls wait for this shard at this gateway
     +- ShardIdentityError
         +- ForeignFleet      marker of another fleet: no group is created
         +- TwoRootRings      marker with another root ring: no group is created
         +- ShardNotEmpty     no marker, but groups: it cannot join
"""

from collections.abc import Collection, Mapping

from drivers.errors import GraphgateError, ShardError, ShardIdentityError
from drivers.fence import Fence

GROUPS_NAMED_MAX = 10
"""Missing groups that an error names."""


class GroupNotFound(GraphgateError):
    reason = "GROUP_NOT_FOUND"

    def __init__(self, group_id: str) -> None:
        super().__init__(f"group {group_id} does not exist; write to it first")
        self.group_id = group_id

    def metadata(self) -> dict[str, str]:
        return {"group_id": self.group_id}


class StalePlacement(GraphgateError):
    """The called shard does not own the group. The router looks again; callers never see this."""

    reason = "STALE_PLACEMENT"
    retryable = True

    def __init__(self, fence: Fence | None) -> None:
        state = "no fence" if fence is None else f"fence {fence.state} at epoch {fence.epoch}"
        super().__init__(f"the shard does not own the group ({state}); look its placement up again")
        self.fence = fence


class PlacementUnsettled(GraphgateError):
    reason = "PLACEMENT_UNSETTLED"
    retryable = True

    def __init__(self, group_id: str, why: str) -> None:
        super().__init__(f"group {group_id} has no settled owner ({why}); retry after a short wait")
        self.group_id = group_id

    def metadata(self) -> dict[str, str]:
        return {"group_id": self.group_id}


class PlacementLost(GraphgateError):
    """Never repaired by creating the group again: that would hide the loss."""

    reason = "PLACEMENT_LOST"

    def __init__(self, group_id: str, shard_id: str, why: str) -> None:
        super().__init__(
            f"group {group_id} was placed and its data is missing at shard {shard_id} ({why}); "
            "restore that shard's newest copy"
        )
        self.group_id = group_id
        self.shard_id = shard_id

    def metadata(self) -> dict[str, str]:
        return {"group_id": self.group_id, "shard": self.shard_id}


class CatalogUnavailable(GraphgateError):
    """Searches and writes go on without the catalog; only what needs it raises this."""

    reason = "CATALOG_UNAVAILABLE"
    retryable = True

    def __init__(self, why: str) -> None:
        super().__init__(f"the catalog is not available ({why}); retry after a short wait")


class FleetNotFounded(GraphgateError):
    reason = "FLEET_NOT_FOUNDED"
    retryable = True

    def __init__(self, why: str) -> None:
        super().__init__(f"the fleet is not founded yet ({why}); start every configured shard")


class NoShardTakesGroups(GraphgateError):
    reason = "NO_SHARD_TAKES_GROUPS"

    def __init__(self, why: str) -> None:
        super().__init__(f"no shard takes new groups ({why}); add or uncordon one")


class ShardUnknown(GraphgateError):
    reason = "SHARD_UNKNOWN"

    def __init__(self, shard_id: str) -> None:
        super().__init__(f"shard {shard_id} is not configured at this gateway; add it to its settings")
        self.shard_id = shard_id

    def metadata(self) -> dict[str, str]:
        return {"shard": self.shard_id}


class ScopeTooLarge(GraphgateError):
    reason = "SCOPE_TOO_LARGE"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the scope has more than {limit} groups; name fewer groups at a time")
        self.limit = limit

    def metadata(self) -> dict[str, str]:
        return {"limit_name": "groups_max", "limit": str(self.limit)}


class CoverageTooLow(GraphgateError):
    reason = "COVERAGE_TOO_LOW"
    retryable = True

    def __init__(
        self,
        answered: int,
        missing: Collection[str],
        coverage_min: float,
        failed: Mapping[str, str],
        coverage: float,
    ) -> None:
        """`answered` counts the placed groups that were read, `missing` names the others; `failed` has, by
        shard_id, the reason of each shard's error."""
        shards = ", ".join(f"{shard_id} ({reason})" for shard_id, reason in sorted(failed.items()))
        super().__init__(
            f"{answered} of {answered + len(missing)} placed groups answered (coverage {coverage:.4g}, "
            f"min_coverage is {coverage_min:g}); without an answer: {shards or 'no shard as a whole'}; "
            "retry after a short wait or with a longer deadline, or accept a lower min_coverage"
        )
        self._metadata = {
            "coverage": f"{coverage:.6g}",
            "min_coverage": f"{coverage_min:g}",
            "groups_missing": str(len(missing)),
            "missing_groups": ",".join(sorted(missing)[:GROUPS_NAMED_MAX]),
            "shards": ",".join(f"{shard_id}={reason}" for shard_id, reason in sorted(failed.items())),
        }

    def metadata(self) -> dict[str, str]:
        return self._metadata


class ShardGateFull(ShardError):
    reason = "SHARD_GATE_FULL"
    retryable = True

    def __init__(self, shard_id: str, limit: int, waiting_max: int) -> None:
        super().__init__(
            shard_id,
            f"{limit} calls to shard {shard_id} are running and {waiting_max} wait at this gateway; "
            "retry after a short wait",
        )
        self.limit = limit
        self.waiting_max = waiting_max

    def metadata(self) -> dict[str, str]:
        return {
            "shard": self.shard_id,
            "limit_name": "calls_per_shard_max",
            "limit": str(self.limit),
            "waiting_max": str(self.waiting_max),
        }


class ForeignFleet(ShardIdentityError):
    reason = "FOREIGN_FLEET"

    def __init__(self, shard_id: str, expected: str, found: str) -> None:
        super().__init__(
            shard_id,
            f"shard {shard_id} belongs to fleet {found}, this gateway serves fleet {expected}; "
            "correct its address or remove it from the settings",
        )
        self.expected = expected
        self.found = found

    def metadata(self) -> dict[str, str]:
        return {"shard": self.shard_id, "expected": self.expected, "found": self.found}


class TwoRootRings(ShardIdentityError):
    reason = "TWO_ROOT_RINGS"

    def __init__(self, shard_id: str, expected: str, found: str) -> None:
        super().__init__(
            shard_id,
            f"shard {shard_id} has root ring {found}, the fleet has {expected}; "
            "restore its marker or remove it from the settings",
        )
        self.expected = expected
        self.found = found

    def metadata(self) -> dict[str, str]:
        return {"shard": self.shard_id, "expected": self.expected, "found": self.found}


class ShardNotEmpty(ShardIdentityError):
    reason = "SHARD_NOT_EMPTY"

    def __init__(self, shard_id: str) -> None:
        super().__init__(
            shard_id,
            f"shard {shard_id} has no marker but holds groups, so it cannot join; "
            "give it an empty server or restore its newest copy",
        )

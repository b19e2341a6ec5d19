"""Everything that routing can fail with.

GraphgateError
 +- GroupNotFound             no write has made this group yet
 +- StalePlacement            internal: raised by a call whose shard's fence does not own the group
 +- PlacementUnsettled        retryable: the owner kept changing while the caller waited
 +- PlacementLost             the group was placed and its fence is gone: data loss
 +- CatalogUnavailable        retryable
 +- FleetNotFounded           retryable: not every shard of the founding has answered yet
 +- NoShardTakesGroups        every shard is cordoned, draining, removed or weighs nothing
 +- ShardUnknown              not a shard of the fleet, or not one of this gateway's settings
 +- MapChanged                retryable: the shard map is not the one that the caller has seen
 +- ScopeTooLarge             more groups than one request may search
 +- CoverageTooLow            retryable: a partial search reached less than its caller accepts
 +- WriteBufferFull           retryable: too many writes wait for a group that changes its shard, or too long
 +- MoveNotFound
 +- MoveRefused               what was asked for cannot be done
 |   +- GroupIsMoving         another move of this group is not finished
 |   +- TargetNotReady        retryable: the shard is away, or still builds its indexes
 +- MoveCommitted             cancel came too late
 +- MoveNotCommitted          the move has no reverse window yet
 +- MoveNotReversible         its reverse window is over, or the group is not where it went
 +- ShardError
     +- ShardGateFull         retryable: too many calls wait for this shard at this gateway
     +- ShardIdentityError
         +- ForeignFleet      marker of another fleet: no group is created
         +- TwoRootRings      marker with another root ring: no group is created
         +- ShardNotEmpty     no marker, but groups: it cannot join
         +- ShardRemoved      it has left its fleet for ever
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

    def __init__(self, shard_id: str, state: str = "") -> None:
        """`state`: of the shard map; empty: it is not on it."""
        if not state:
            text = f"the fleet has no shard {shard_id}; `graphgate shards list` names those that it has"
        elif state == "REMOVED":
            text = f"shard {shard_id} was removed from the fleet; name another one"
        else:
            text = f"shard {shard_id} is not configured at this gateway; add it to its settings"
        super().__init__(text)
        self.shard_id = shard_id

    def metadata(self) -> dict[str, str]:
        return {"shard": self.shard_id}


class MapChanged(GraphgateError):
    reason = "SHARD_MAP_CHANGED"
    retryable = True

    def __init__(self, seen: int, found: int) -> None:
        super().__init__(
            f"the shard map has version {found}, the request is for version {seen}; look at the shards again"
        )
        self._metadata = {"map_version": str(seen), "found": str(found)}

    def metadata(self) -> dict[str, str]:
        return self._metadata


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


class WriteBufferFull(GraphgateError):
    reason = "WRITE_BUFFER_FULL"
    retryable = True
    retry_after_s = 1.0

    def __init__(self, group_id: str, limit_name: str, limit: float) -> None:
        """`limit_name`: which bound was reached; `limit` in calls, or in seconds for waited_s_max."""
        super().__init__(
            f"group {group_id} is changing its shard and no more writes wait for it "
            f"({limit_name} = {limit:g}); retry after a short wait, with the same request_id"
        )
        self._metadata = {"group_id": group_id, "limit_name": limit_name, "limit": f"{limit:g}"}

    def metadata(self) -> dict[str, str]:
        return self._metadata


class MoveNotFound(GraphgateError):
    reason = "MOVE_NOT_FOUND"

    def __init__(self, move_id: str) -> None:
        super().__init__(f"there is no move {move_id}; list the moves, old ones are not kept")
        self.move_id = move_id

    def metadata(self) -> dict[str, str]:
        return {"move_id": self.move_id}


class MoveRefused(GraphgateError):
    reason = "MOVE_REFUSED"

    def __init__(self, group_id: str, why: str) -> None:
        """`why` says what is in the way and what to do."""
        super().__init__(f"group {group_id} cannot be moved: {why}")
        self.group_id = group_id

    def metadata(self) -> dict[str, str]:
        return {"group_id": self.group_id}


class GroupIsMoving(MoveRefused):
    reason = "GROUP_IS_MOVING"

    def __init__(self, group_id: str, move_id: str) -> None:
        super().__init__(group_id, f"its move {move_id} is not finished; wait for it or cancel it")
        self.move_id = move_id

    def metadata(self) -> dict[str, str]:
        return {"group_id": self.group_id, "move_id": self.move_id}


class TargetNotReady(MoveRefused):
    reason = "TARGET_NOT_READY"
    retryable = True

    def __init__(self, group_id: str, shard_id: str, why: str) -> None:
        super().__init__(group_id, f"shard {shard_id} is not ready ({why}); retry after a short wait")
        self.shard_id = shard_id

    def metadata(self) -> dict[str, str]:
        return {"group_id": self.group_id, "shard": self.shard_id}


class MoveCommitted(GraphgateError):
    reason = "MOVE_COMMITTED"

    def __init__(self, move_id: str) -> None:
        super().__init__(f"move {move_id} is committed and cannot be cancelled; reverse it")
        self.move_id = move_id

    def metadata(self) -> dict[str, str]:
        return {"move_id": self.move_id}


class MoveNotCommitted(GraphgateError):
    reason = "MOVE_NOT_COMMITTED"

    def __init__(self, move_id: str, phase: str) -> None:
        super().__init__(f"move {move_id} is not committed (phase {phase}); wait for it or cancel it")
        self.move_id = move_id
        self.phase = phase

    def metadata(self) -> dict[str, str]:
        return {"move_id": self.move_id, "phase": self.phase}


class MoveNotReversible(GraphgateError):
    reason = "MOVE_NOT_REVERSIBLE"

    def __init__(self, move_id: str, why: str) -> None:
        super().__init__(f"move {move_id} cannot be reversed ({why}); move the group anew")
        self.move_id = move_id

    def metadata(self) -> dict[str, str]:
        return {"move_id": self.move_id}


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


class ShardRemoved(ShardIdentityError):
    reason = "SHARD_REMOVED"

    def __init__(self, shard_id: str) -> None:
        super().__init__(
            shard_id,
            f"shard {shard_id} was removed from its fleet; take it out of the settings, and use another id "
            "for an empty server",
        )

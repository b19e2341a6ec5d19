"""Why a move cannot go on, in words: what is wrong, with which values, what to do."""

from drivers.fence import Fence
from shard_router.moves.record import MoveFailure, MoveRecord, Place, record_id


def failure_text(reason: MoveFailure, record: MoveRecord, source: Fence | None, target: Fence | None) -> str:
    """`source` and `target`: the fences that it was found by; None: there is none."""
    group_id, here, there = record.group_id, _named(record.source), _named(record.target)
    match reason:
        case MoveFailure.SOURCE_LOST:
            return (
                f"group {group_id} has no fence at its source, shard {here}; look for it with `graphgate "
                "catalog check`, and restore that shard's newest copy"
            )
        case MoveFailure.NOT_OWNER:
            return (
                f"shard {here} does not own group {group_id} any more ({_told(source)}); move it from where "
                f"it is, see `graphgate groups show {group_id}`"
            )
        case MoveFailure.GROUP_IS_MOVING:
            other = "" if source is None else record_id(source.move_id)
            return f"group {group_id} is moving with move {other}; wait for that one or cancel it"
        case MoveFailure.TARGET_OWNS:
            return (
                f"group {group_id} has two owners: its source, shard {here} ({_told(source)}), and its "
                f"target, shard {there} ({_told(target)}); run `graphgate catalog check`"
            )
        case MoveFailure.TARGET_LOST:
            return (
                f"shard {there} has lost group {group_id} after the commit ({_told(target)}); restore that "
                f"shard's newest copy; shard {here} keeps the rows that it had at the commit"
            )
        case MoveFailure.TARGET_AHEAD:
            return (
                f"the copy at shard {there} has changes of group {group_id} that shard {here} does not have "
                f"({_told(target)}, {_told(source)}): shard {here} runs on an older copy of its data; "
                "restore its newest one"
            )
        case _:
            return f"the move of group {group_id} from shard {here} to shard {there} failed: {reason}"


def _named(place: Place) -> str:
    return f"{place.shard_id} (space {place.space})" if place.space else place.shard_id


def _told(fence: Fence | None) -> str:
    if fence is None:
        return "no fence"
    leads = f", leads to shard {fence.moved_to}" if fence.moved_to and not fence.owns else ""
    version = f"copied up to version {fence.applied}" if fence.applied else f"version {fence.version}"
    return f"fence {fence.state} at epoch {fence.epoch}, {version}{leads}"

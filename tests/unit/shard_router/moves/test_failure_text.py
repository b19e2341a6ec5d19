"""Why a move failed, as its caller reads it: which group, where, and what to do."""

import pytest

from drivers.fence import Fence, FenceState
from shard_router.errors import ShardUnknown
from shard_router.moves.failure_text import failure_text
from shard_router.moves.record import MoveFailure, MoveRecord

RECORD = MoveRecord(
    move_id="m", group_id="g", source_shard="a", source_space="g", target_shard="b", target_space=""
)
OPEN = Fence("g", 3, FenceState.OPEN, version=12, move_id="other/5")
LEFT = Fence("g", 3, FenceState.MOVED, version=12, moved_to="c")

CASES: dict[MoveFailure, tuple[Fence | None, Fence | None, tuple[str, ...]]] = {
    MoveFailure.SOURCE_LOST: (None, None, ("shard a (space g)", "catalog check", "restore")),
    MoveFailure.NOT_OWNER: (LEFT, None, ("shard a", "MOVED", "shard c", "groups show g")),
    MoveFailure.GROUP_IS_MOVING: (OPEN, None, ("move other;", "cancel it")),
    MoveFailure.TARGET_OWNS: (OPEN, OPEN, ("shard a", "shard b", "epoch 3", "catalog check")),
    MoveFailure.TARGET_LOST: (LEFT, None, ("shard b", "no fence", "restore", "shard a")),
    MoveFailure.TARGET_AHEAD: (OPEN, Fence("g", 0, FenceState.INCOMING, applied=20), ("20", "12", "restore")),
}


@pytest.mark.parametrize("reason", CASES)
def test_it_says_what_is_wrong_where_and_what_to_do(reason: MoveFailure) -> None:
    source, target, parts = CASES[reason]
    text = failure_text(reason, RECORD, source, target)
    assert not [part for part in ("group g", *parts) if part not in text], text


def test_a_shard_that_is_not_there_is_told_from_one_that_is_out_of_reach() -> None:
    assert "the fleet has no shard nope" in str(ShardUnknown("nope"))
    assert "settings" in str(ShardUnknown("b", "ACTIVE"))
    assert "was removed" in str(ShardUnknown("b", "REMOVED"))

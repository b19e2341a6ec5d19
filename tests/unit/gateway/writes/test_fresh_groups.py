"""FreshGroups: when a write is planned from a guess."""

from dataclasses import replace

import pytest

from drivers.fence import Fence, FenceState
from drivers.graph_model import Entity, Kind
from drivers.write_plan import ImageRequest
from gateway.writes.fresh_groups import STREAK_MIN, FreshGroups
from gateway.writes.intent import RowChange, RowCondition, WriteIntent, WriteMode

REQUEST = ImageRequest("op", {Kind.ENTITY: ("row",)}, {Kind.ENTITY: ("end",)}, {})
ROW = RowChange(Entity(uuid="row", name="Ada"))

INTENT = WriteIntent(group_id="g", op_id="op", content_hash="hash", changes=(ROW,))


def fence(group_id: str = "g", version: int = 1) -> Fence:
    return Fence(group_id, epoch=3, state=FenceState.OPEN, created_at=1, version=version)


def streak(groups: FreshGroups, group_id: str = "g", writes: int = STREAK_MIN) -> FreshGroups:
    for number in range(writes):
        groups.written(fence(group_id, number + 1), all_new=True)
    return groups


def test_no_guess_before_the_streak() -> None:
    """One new row says nothing about the next."""
    assert streak(FreshGroups(), writes=STREAK_MIN - 1).guess(INTENT, REQUEST) is None


def test_the_guess_says_that_only_the_endpoints_are_there() -> None:
    """Under the fence of the newest write."""
    images = streak(FreshGroups()).guess(INTENT, REQUEST)
    assert images is not None
    assert images.fence == fence(version=STREAK_MIN)
    assert (dict(images.rows), images.incident, images.operation) == ({}, (), None)
    assert images.endpoints == {Kind.ENTITY: frozenset({"end"})}


def test_an_older_fence_does_not_replace_a_newer_one() -> None:
    """Outcomes of writes side by side come in any order."""
    groups = streak(FreshGroups())
    groups.written(fence(version=9), all_new=True)
    groups.written(fence(version=4), all_new=True)
    images = groups.guess(INTENT, REQUEST)
    assert images is not None
    assert images.fence == fence(version=9)


@pytest.mark.parametrize(
    "wanted",
    [
        replace(INTENT, mode=WriteMode.PATCH),
        replace(INTENT, deletions=((Kind.ENTITY, "row"),)),
        replace(INTENT, conditions=(RowCondition(Kind.ENTITY, "row", 0),)),
        replace(INTENT, validate_only=True),
        replace(INTENT, if_version=1),
    ],
)
def test_what_depends_on_the_stored_rows_is_read_for(wanted: WriteIntent) -> None:
    """A guess must never be the cause of a refusal."""
    groups = streak(FreshGroups())
    assert groups.guess(wanted, REQUEST) is None
    assert groups.guess(INTENT, REQUEST) is not None


def test_a_write_that_was_not_all_new_ends_the_streak() -> None:
    """And a wrong guess does."""
    groups = streak(FreshGroups())
    groups.written(fence(version=5), all_new=False)
    assert groups.guess(INTENT, REQUEST) is None
    streak(groups).forget("g")
    assert groups.guess(INTENT, REQUEST) is None


def test_the_group_unused_for_longest_goes_first() -> None:
    """Memory stays bounded whatever the number of groups."""
    groups = FreshGroups(groups_max=2)
    for group_id in ("a", "b"):
        streak(groups, group_id)
    assert groups.guess(replace(INTENT, group_id="a"), REQUEST) is not None
    streak(groups, "c")
    assert groups.guess(replace(INTENT, group_id="b"), REQUEST) is None
    assert groups.guess(replace(INTENT, group_id="a"), REQUEST) is not None

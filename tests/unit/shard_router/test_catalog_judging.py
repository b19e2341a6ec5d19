"""What the fences of a group say together: every conflict by its name, and nothing where there is none."""

from collections.abc import Sequence

import pytest

from drivers.fence import Engine, Fence, FenceState
from shard_router.catalog_check.findings import GRAVE, FindingKind
from shard_router.catalog_check.judging import FleetView, Seen, compare, judge
from shard_router.placement import Placement

S = FenceState
VIEW = FleetView(dict.fromkeys("abc", Engine.FALKORDB), ())


def seen(
    shard_id: str, state: FenceState, epoch: int, to: str = "", moved_epoch: int = 0, **more: str
) -> Seen:
    fence = Fence("g", epoch, state, moved_to=to, moved_epoch=moved_epoch, **more)  # pyright: ignore[reportArgumentType]
    return Seen(shard_id, fence)


CASES: dict[str, tuple[Sequence[Seen], FindingKind | None, str | None]] = {
    "at home": ([seen("a", S.OPEN, 1)], None, "a"),
    "placed elsewhere": ([seen("a", S.MOVED, 0, "b", 1), seen("b", S.OPEN, 1)], None, "b"),
    "moved twice": (
        [seen("a", S.MOVED, 2, "b", 3), seen("b", S.TOMB, 4, "c", 5), seen("c", S.FROZEN, 6)],
        None,
        "c",
    ),
    "in a space of its own": (
        [seen("a", S.MOVED, 2, "a", 3, moved_space="own"), seen("a", S.OPEN, 3, space="own")],
        None,
        "a",
    ),
    "a copy under way": ([seen("a", S.OPEN, 1), seen("b", S.INCOMING, 0, "a")], None, "a"),
    "two owners": ([seen("a", S.OPEN, 1), seen("b", S.OPEN, 3)], FindingKind.TWO_OWNERS, None),
    "pointer to nothing": ([seen("a", S.MOVED, 2, "b", 3)], FindingKind.NO_OWNER, None),
    "never finished": ([seen("a", S.MOVED, 0, "b", 1)], FindingKind.UNFINISHED_CREATION, None),
    "no entry": ([seen("b", S.OPEN, 1)], FindingKind.REGISTER_MISSING, "b"),
    "leads past the owner": (
        [seen("a", S.MOVED, 2, "b", 3), seen("c", S.OPEN, 1)],
        FindingKind.REGISTER_BROKEN,
        "c",
    ),
    "leads nowhere": ([seen("a", S.MOVED, 2)], FindingKind.REGISTER_BROKEN, None),
    "in a circle": (
        [seen("a", S.MOVED, 2, "b", 3), seen("b", S.MOVED, 4, "a", 5)],
        FindingKind.REGISTER_CIRCLE,
        None,
    ),
    "never opened": (
        [seen("a", S.MOVED, 2, "b", 3), seen("b", S.READY, 3, "a")],
        FindingKind.READY_NOT_OPENED,
        None,
    ),
    "to a shard that is none": ([seen("a", S.MOVED, 2, "z", 3)], FindingKind.NO_OWNER, None),
}


@pytest.mark.parametrize("case", CASES)
def test_fences_are_judged(case: str) -> None:
    """The owner is told only if there is one; the finding is the one that the case is named after."""
    fences, kind, owner = CASES[case]
    found = judge("g", fences, "a", VIEW)
    assert [finding.kind for finding in found.findings] == ([] if kind is None else [kind])
    assert (found.owner and found.owner.shard_id) == owner


def test_what_a_shard_that_is_away_may_hold_is_no_finding() -> None:
    """A pointer to it may be right."""
    away = FleetView(VIEW.engines, ("b",))
    assert not judge("g", [seen("a", S.MOVED, 2, "b", 3)], "a", away).findings
    assert not judge("g", [seen("c", S.OPEN, 3)], "b", away).findings


def test_records_are_compared_with_the_owner() -> None:
    """Missing and different ones are to be rebuilt; one that is ahead tells of lost data."""
    owner = Placement("g", "a", "", 5)
    assert compare(owner, owner, "g") is None
    assert compare(None, owner, "g") is None

    def kind(record: Placement | None) -> FindingKind:
        finding = compare(owner, record, "g")
        assert finding is not None
        return finding.kind

    assert kind(None) is FindingKind.RECORD_MISSING
    assert kind(Placement("g", "b", "", 3)) is FindingKind.RECORD_DIFFERS
    assert kind(Placement("g", "b", "", 7)) is FindingKind.RECORD_AHEAD
    assert {FindingKind.RECORD_AHEAD, FindingKind.TWO_OWNERS} <= GRAVE
    assert FindingKind.RECORD_MISSING not in GRAVE

"""What of the placement is explored to the end, and its mutations."""

from dataclasses import dataclass
from typing import Final

from tests.model_check.placement import Placement
from tests.model_check.state import ASTRAY, NO_OWNER, TWO_OWNERS

PLACEMENTS: Final = (
    Placement("placement", "two gateways, any catalog, two moves", moves=2),
    Placement(
        "root change", "the same over a change of the root ring that may die and begin again", changes=2
    ),
    Placement("removal", "the same, and the removal of the shard that was the home", changes=1, removals=2),
)


@dataclass(frozen=True, slots=True)
class PlacementMutation:
    name: str
    placement: Placement
    breaks: str


def _mutation(name: str, flag: str, breaks: str, *, changes: int = 0, removals: int = 0) -> PlacementMutation:
    placement = Placement(
        "",
        "",
        changes=changes,
        removals=removals,
        only_ownership=breaks != ASTRAY,
        flags=frozenset({flag}),
    )
    return PlacementMutation(name, placement, breaks)


PLACEMENT_MUTATIONS: Final = (
    _mutation("the ring alone decides, no register", "no register", TWO_OWNERS),
    _mutation("root change: no pending phase", "no pending phase", TWO_OWNERS, changes=1),
    _mutation("root change: no pointers at the new homes", "no pointers", TWO_OWNERS, changes=1),
    _mutation("root change: the home does not check the root", "root not checked", TWO_OWNERS, changes=1),
    _mutation("removal: the shard is not closed first", "not closed", NO_OWNER, changes=1, removals=1),
    _mutation("removal: pointers to it stay", "not pointed anew", ASTRAY, changes=1, removals=1),
)

"""No interleaving of creators, crashes, ring changes, catalog losses, moves and outages makes two owners."""

import pytest

from drivers.contract import Fence
from drivers.deadline import Deadline
from drivers.errors import ShardUnavailable
from shard_router.placement import Placement
from shard_router.root_register import RootRegister, _Trail  # pyright: ignore[reportPrivateUsage]
from tests.unit.shard_router.placement_world import SHARDS, Budgets, Exploration, World, explore

RINGS = [("A", "B"), ("B", "B"), ("B", "C")]
"""What the two gateways' placement rings choose; the group's home is A."""

FAULTS = {
    "crashes of both": Budgets(crashes=2),
    "catalog rolled back or emptied, a crash": Budgets(crashes=1, rollbacks=2),
    "a move, catalog rolled back": Budgets(crashes=0, rollbacks=1, moves=1),
    "two moves, a crash": Budgets(crashes=1, moves=2),
    "an outage, a crash": Budgets(crashes=1, outages=1),
    "one of each": Budgets(crashes=1, rollbacks=1, moves=1, outages=1),
}


def wrong_with(world: World) -> str | None:
    if len(world.owners()) > 1:
        return f"two owners: {world.owners()}"
    for gateway in world.gateways:
        outcome = gateway.outcome
        if not isinstance(outcome, Placement | ShardUnavailable | str | None):
            return f"a gateway ended with {outcome!r}"
    number = len(world.gateways)
    completed = world.place_afresh(SHARDS[number % len(SHARDS)])
    if not isinstance(completed, Placement):
        return f"with every shard up the group cannot be placed: {completed!r}"
    if not isinstance(world.record, Placement):
        return "a completed placement has no record"
    if len(world.owners()) > 1:
        return f"completion made two owners: {world.owners()}"
    if not world.owners():
        return "completion made no owner"
    return None


def explored(
    rings: tuple[str, ...], budgets: Budgets, register: type[RootRegister] = RootRegister
) -> Exploration:
    return explore(lambda: World(rings, budgets, register), wrong_with)


@pytest.mark.parametrize("rings", RINGS, ids="-".join)
@pytest.mark.parametrize("faults", FAULTS)
def test_never_two_owners_and_always_completable(rings: tuple[str, str], faults: str) -> None:
    """Invariant 3: at most one OPEN fence in every reachable state, and from every one of them a
    gateway that knows nothing places the group once the shards are up."""
    result = explored(rings, FAULTS[faults])

    assert result.violation is None
    assert result.states > 100

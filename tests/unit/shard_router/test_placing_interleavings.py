"""No interleaving of creators, crashes, ring changes, catalog losses, moves and outages makes two owners."""

import pytest

from drivers.deadline import Deadline
from drivers.errors import ShardUnavailable
from drivers.fence import Fence
from shard_router.errors import PlacementUnsettled
from shard_router.placement import Placement
from shard_router.register_trail import Trail
from shard_router.root_register import RootRegister
from tests.unit.shard_router.placement_world import Budgets, Exploration, View, World, explore

type Rings = tuple[str, ...]
"""What each gateway's placement ring chooses; the group's home is A."""

RINGS: list[Rings] = [("A", "B"), ("B", "C")]

FAULTS = {
    "two crashes": Budgets(crashes=2),
    "catalog rolled back or emptied, a crash": Budgets(crashes=1, rollbacks=2),
    "a move, catalog rolled back": Budgets(crashes=0, rollbacks=1, moves=1),
    "two moves": Budgets(crashes=0, moves=2),
    "an outage, a crash": Budgets(crashes=1, outages=1),
}
CASES: list[tuple[Rings, str, Budgets]] = [
    *((rings, faults, budgets) for rings in RINGS for faults, budgets in FAULTS.items()),
    (("B", "B"), "two crashes", Budgets(crashes=2)),
    (("A", "B"), "an outage, a move", Budgets(crashes=0, moves=1, outages=1)),
    (("A", "B"), "an outage, catalog rolled back", Budgets(crashes=0, rollbacks=1, outages=1)),
    (("A", "B", "C"), "three gateways", Budgets(crashes=0)),
]


class Judge:
    def __init__(self) -> None:
        self._completable: set[View] = set()
        """A gateway without memory sees nothing but this of a state."""

    def __call__(self, world: World) -> str | None:
        if len(world.owners()) > 1:
            return f"two owners: {world.owners()}"
        for gateway in world.gateways:
            if not isinstance(gateway.outcome, Placement | ShardUnavailable | str | None):
                return f"a gateway ended with {gateway.outcome!r}"
        stored = world.stored()
        wrong = None if stored in self._completable else self._wrong_when_completed(world)
        if wrong is None:
            self._completable.add(stored)
        return wrong

    def _wrong_when_completed(self, world: World) -> str | None:
        completed = world.place_afresh("C")
        if not isinstance(completed, Placement):
            return f"with every shard up the group cannot be placed: {completed!r}"
        if len(world.owners()) != 1:
            return f"completion made {len(world.owners())} owners, not one: {world.owners()}"
        if world.record is None:
            return "a completed placement has no record"
        return None


def explored(rings: Rings, budgets: Budgets, register: type[RootRegister] = RootRegister) -> Exploration:
    return explore(lambda: World(rings, budgets, register), Judge())


@pytest.mark.parametrize(
    ("rings", "budgets"), [pytest.param(r, b, id=f"{'-'.join(r)} {faults}") for r, faults, b in CASES]
)
def test_never_two_owners_and_always_completable(rings: Rings, budgets: Budgets) -> None:
    """Invariant 3: at most one OPEN fence in every reachable state, and from every one of them a
    gateway that knows nothing places the group once the shards are up."""
    result = explored(rings, budgets)

    assert result.violation is None
    assert result.states > 100, "the explorer saw hardly any interleaving"


class _FollowsItsOwnChoice(RootRegister):
    """Takes what it asked for as what the register says."""

    async def _create_fence(
        self, trail: Trail, fence: Fence, deadline: Deadline, roots: frozenset[int] = frozenset()
    ) -> Fence:
        await super()._create_fence(trail, fence, deadline, roots)
        return fence


class _RingIsTheRegister(RootRegister):
    """Creates at the ring's choice, without a home."""

    async def create(self, group_id: str, chosen: str, deadline: Deadline) -> Placement:
        trail = Trail(group_id, chosen)
        fence = await self._create_fence(trail, self._opening(trail), deadline)
        return Placement(group_id, chosen, fence.space, fence.epoch)


class _LooksThenCreates(RootRegister):
    """Trusts that what was absent when it looked is absent when it writes: opens at its choice first
    and registers it afterwards."""

    async def create(self, group_id: str, chosen: str, deadline: Deadline) -> Placement:
        there = Trail(group_id, chosen)
        opened = await self._create_fence(there, self._opening(there), deadline)
        home = Trail(group_id, self._shards.home_of(group_id))
        await self._create_fence(home, self._entry(home, chosen), deadline)
        return Placement(group_id, chosen, opened.space, opened.epoch)


@pytest.mark.parametrize("mutation", [_FollowsItsOwnChoice, _RingIsTheRegister, _LooksThenCreates])
def test_a_register_without_its_rule_is_caught(mutation: type[RootRegister]) -> None:
    """The search above has teeth: each rule of the register, left out, makes two owners."""
    result = explored(("B", "C"), Budgets(crashes=1), mutation)

    assert result.violation is not None
    assert "owners" in result.violation.what


class _LeavesPointersUnfinished(RootRegister):
    """Believes that a creation that somebody has begun is somebody else's to finish."""

    async def create(self, group_id: str, chosen: str, deadline: Deadline) -> Placement:
        home = Trail(group_id, self._shards.home_of(group_id))
        if await self._read(home.shard_id, [home.ref], deadline):
            raise PlacementUnsettled(group_id, "its creator has not come back")
        return await super().create(group_id, chosen, deadline)


def test_a_creation_that_nobody_finishes_is_caught() -> None:
    """The search above has teeth: a crash between pointer and fence must not strand the group."""
    result = explored(("B",), Budgets(crashes=1), _LeavesPointersUnfinished)

    assert result.violation is not None
    assert "cannot be placed" in result.violation.what

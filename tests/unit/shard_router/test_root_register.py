"""Following a group from its home, state by state of the fences that lie there."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import ShardUnavailable
from drivers.fence import Fence, FenceState
from drivers.register_gate import RegisterGate
from shard_router.errors import PlacementLost, PlacementUnsettled
from shard_router.placement import Placement
from shard_router.root_register import REFS_PER_READ_MAX, RootRegister
from tests.model_group import GroupState
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import soon

OPEN, FROZEN, MOVED, TOMB = FenceState.OPEN, FenceState.FROZEN, FenceState.MOVED, FenceState.TOMB
WIPING, INCOMING, READY = FenceState.WIPING, FenceState.INCOMING, FenceState.READY


class Shards:
    """Three shards; every group's home is a, unless its id begins with another shard's."""

    def __init__(self) -> None:
        self.drivers = {shard_id: FaultyDriver(shard_id) for shard_id in ("a", "b", "c")}
        self.incarnations = {shard_id: f"incarnation-{shard_id}" for shard_id in self.drivers}

    def home_of(self, group_id: str) -> str:
        return group_id[0] if group_id[0] in self.drivers else "a"

    def register_roots(self, group_id: str) -> frozenset[int]:
        return frozenset({RegisterGate().root})

    def has_left(self, shard_id: str) -> bool:
        return False

    def incarnation_of(self, shard_id: str) -> str:
        return self.incarnations[shard_id]

    async def on_shard[T](
        self,
        shard_id: str,
        deadline: Deadline,
        call: Callable[[ShardDriver], Awaitable[T]],
        *,
        writes: bool = False,
    ) -> T:
        return await call(self.drivers[shard_id])

    def put(self, shard_id: str, fence: Fence, space: str = "") -> None:
        self.drivers[shard_id].groups[space, fence.group_id] = GroupState(fence)

    def fence(self, shard_id: str, group_id: str) -> Fence:
        found = self.drivers[shard_id].groups["", group_id].fence
        assert found is not None
        return found


@pytest.fixture
def shards() -> Shards:
    return Shards()


@pytest.fixture
def register(shards: Shards) -> RootRegister:
    return RootRegister(shards, lambda: 1_234)


def pointer(to: str, moved_epoch: int = 1, **more: object) -> Fence:
    return replace(Fence("g", 0, MOVED, moved_to=to, moved_epoch=moved_epoch), **more)  # pyright: ignore[reportArgumentType]


# --- finding --------------------------------------------------------------------------------------


async def test_an_unknown_group_is_nowhere_and_stays_so(register: RootRegister, shards: Shards) -> None:
    """Reading never creates."""
    assert await register.find("g", soon()) is None
    assert not any(driver.groups for driver in shards.drivers.values())


@pytest.mark.parametrize("state", [OPEN, FROZEN])
async def test_the_homes_own_fence_places_the_group(
    register: RootRegister, shards: Shards, state: FenceState
) -> None:
    """A frozen group is still owned: its writes wait, they do not go elsewhere."""
    shards.put("a", Fence("g", 5, state, space="own"))

    assert await register.find("g", soon()) == Placement("g", "a", "own", 5)


async def test_a_pointer_leads_to_shard_and_space(register: RootRegister, shards: Shards) -> None:
    """The pointer's epoch is informational; the fence that owns tells its own."""
    shards.put("a", pointer("b", 3, moved_space="own"))
    shards.put("b", Fence("g", 9, OPEN, space="own"), space="own")

    assert await register.find("g", soon()) == Placement("g", "b", "own", 9)


async def test_a_group_in_its_own_space_of_its_home(register: RootRegister, shards: Shards) -> None:
    """A promoted group leaves a MOVED fence in the pooled register of the same shard."""
    shards.put("a", Fence("g", 2, MOVED, moved_to="a", moved_space="own", moved_epoch=3))
    shards.put("a", Fence("g", 3, OPEN, space="own"), space="own")

    assert await register.find("g", soon()) == Placement("g", "a", "own", 3)


@pytest.mark.parametrize("left", [MOVED, TOMB])
async def test_a_chain_of_moves_is_followed(register: RootRegister, shards: Shards, left: FenceState) -> None:
    """A pointer that no finisher has updated leads on through the shards that the group left."""
    shards.put("a", pointer("b"))
    shards.put("b", Fence("g", 4, left, moved_to="c", moved_epoch=5))
    shards.put("c", Fence("g", 5, OPEN))

    assert await register.find("g", soon()) == Placement("g", "c", "", 5)


@pytest.mark.parametrize("state", [WIPING, INCOMING, READY])
async def test_a_prepared_target_leads_back_to_the_owner(
    register: RootRegister, shards: Shards, state: FenceState
) -> None:
    """Until COMMIT the source owns the group, whatever epoch the target was given."""
    shards.put("a", Fence("g", 9, state, moved_to="b"))
    shards.put("b", Fence("g", 4, FROZEN))

    assert await register.find("g", soon()) == Placement("g", "b", "", 4)


async def test_a_prepared_target_without_a_way_back_is_unsettled(
    register: RootRegister, shards: Shards
) -> None:
    """Not unknown and not lost: the caller tries again."""
    shards.put("a", Fence("g", 9, INCOMING))

    with pytest.raises(PlacementUnsettled):
        await register.find("g", soon())


@pytest.mark.parametrize("home", ["a", "b"])
async def test_after_a_commit_whoever_comes_opens_the_group(
    register: RootRegister, shards: Shards, home: str
) -> None:
    """Also where the home is the target, whose fence leads back to the source until it has been opened."""
    target, source = ("a", "b") if home == "a" else ("b", "a")
    shards.put(target, Fence("g", 9, READY, moved_to=source, move_id="m"))
    shards.put(source, Fence("g", 8, MOVED, moved_to=target, moved_epoch=9))

    found = await register.find("g", soon())
    assert found is not None
    assert (found.shard_id, found.epoch) == (target, 9)
    fence = shards.drivers[target].groups["", "g"].fence
    assert fence is not None
    assert (fence.state, fence.move_id, fence.moved_to) == (OPEN, "", "")
    assert await register.create("g", "a", soon()) == found


async def test_a_target_is_not_opened_at_an_epoch_that_no_commit_has_given(
    register: RootRegister, shards: Shards
) -> None:
    """READY of a freeze that was thawed. A circle is walked a bounded number of times."""
    shards.put("a", Fence("g", 7, READY, moved_to="b"))
    shards.put("b", Fence("g", 8, MOVED, moved_to="a", moved_epoch=9))

    with pytest.raises(PlacementUnsettled):
        await register.find("g", soon())
    assert shards.drivers["a"].calls["read_fences"] <= 8
    assert not shards.drivers["a"].calls["change_fence"]


async def test_an_unfinished_creation_is_not_placed(register: RootRegister, shards: Shards) -> None:
    """A pointer whose target has no fence: its creator died in between."""
    shards.put("a", pointer("b", move_id="incarnation-b"))

    assert await register.find("g", soon()) is None


@pytest.mark.parametrize(
    "entry",
    [
        pointer("b", moved_epoch=3),
        Fence("g", 2, MOVED, moved_to="b", moved_epoch=3),
        pointer("b", move_id="another incarnation of b"),
        Fence("g", 2, TOMB),
    ],
)
async def test_a_placement_without_a_fence_is_lost_and_not_created_again(
    register: RootRegister, shards: Shards, entry: Fence
) -> None:
    """Invariant 7: data loss is reported, by finding and by creating alike."""
    shards.put("a", entry)

    with pytest.raises(PlacementLost):
        await register.find("g", soon())
    with pytest.raises(PlacementLost):
        await register.create("g", "c", soon())
    assert not shards.drivers["b"].groups
    assert not shards.drivers["c"].groups


async def test_many_groups_cost_one_call_per_shard_and_hop(register: RootRegister, shards: Shards) -> None:
    """A search over many groups does not ask for each of them."""
    at_home = [f"a{n}" for n in range(50)]
    pointed = [f"b{n}" for n in range(50)]
    for group_id in at_home:
        shards.put("a", Fence(group_id, 1, OPEN))
    for group_id in pointed:
        shards.put("b", replace(pointer("c"), group_id=group_id))
        shards.put("c", Fence(group_id, 1, OPEN))
    found = await register.find_many([*at_home, *pointed, "a-unknown"], soon())

    assert {g: p.shard_id if isinstance(p, Placement) else p for g, p in found.items()} == {
        **dict.fromkeys(at_home, "a"),
        **dict.fromkeys(pointed, "c"),
        "a-unknown": None,
    }
    assert [shards.drivers[s].calls["read_fences"] for s in "abc"] == [1, 1, 1]


async def test_batches_are_bounded(register: RootRegister, shards: Shards) -> None:
    """No read names more than its limit of groups."""
    await register.find_many([str(n) for n in range(REFS_PER_READ_MAX * 2 + 1)], soon())

    assert shards.drivers["a"].calls["read_fences"] == 3


async def test_a_home_that_is_down_fails_its_own_groups_only(register: RootRegister, shards: Shards) -> None:
    """A shard that is down blocks only the groups that it homes or holds."""
    shards.put("a", Fence("a1", 1, OPEN))
    shards.drivers["b"].down = True
    found = await register.find_many(["a1", "b1"], soon())

    assert isinstance(found["a1"], Placement)
    assert isinstance(found["b1"], ShardUnavailable)


# --- creating -------------------------------------------------------------------------------------


async def test_a_group_placed_at_its_home_is_its_own_register(register: RootRegister, shards: Shards) -> None:
    """One step, one fence, open at epoch 1."""
    assert await register.create("g", "a", soon()) == Placement("g", "a", "", 1)
    fence = shards.fence("a", "g")
    assert (fence.state, fence.epoch, fence.created_at) == (OPEN, 1, 1_234)


async def test_a_group_placed_elsewhere_leaves_a_pointer(register: RootRegister, shards: Shards) -> None:
    """MOVED(to p, 1) at the home, with p's incarnation; OPEN at p."""
    assert await register.create("g", "b", soon()) == Placement("g", "b", "", 1)
    entry = shards.fence("a", "g")
    assert (entry.state, entry.epoch, entry.moved_to, entry.moved_epoch) == (MOVED, 0, "b", 1)
    assert entry.move_id == "incarnation-b"
    assert shards.fence("b", "g").state is OPEN
    assert await register.find("g", soon()) == Placement("g", "b", "", 1)


@pytest.mark.parametrize("chosen", ["a", "c"])
async def test_the_register_beats_the_own_choice(register: RootRegister, shards: Shards, chosen: str) -> None:
    """Whoever registered first has placed the group; another ring's choice is dropped, and an
    interrupted creation is completed where it was begun."""
    shards.put("a", pointer("b", move_id="incarnation-b"))

    assert await register.create("g", chosen, soon()) == Placement("g", "b", "", 1)
    assert not shards.drivers["c"].groups


async def test_creating_a_group_that_has_moved_finds_it(register: RootRegister, shards: Shards) -> None:
    """A gateway without any memory is as safe as one with all of it."""
    shards.put("a", pointer("b"))
    shards.put("b", Fence("g", 4, MOVED, moved_to="c", moved_epoch=5))
    shards.put("c", Fence("g", 5, FROZEN))

    assert await register.create("g", "a", soon()) == Placement("g", "c", "", 5)


@pytest.mark.parametrize(("down", "placed_at"), [("a", "c"), ("b", "b")])
async def test_a_creation_stopped_by_an_outage_is_completed_later(
    register: RootRegister, shards: Shards, down: str, placed_at: str
) -> None:
    """Repeating is safe after any failure; what the pointer says stays."""
    shards.drivers[down].down = True
    with pytest.raises(ShardUnavailable):
        await register.create("g", "b", soon())
    shards.drivers[down].down = False

    assert await register.create("g", "c", soon()) == Placement("g", placed_at, "", 1)

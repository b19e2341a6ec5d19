"""Many groups at once: where they are, what failed, nothing silent."""

from collections.abc import AsyncGenerator

import pytest

from drivers.errors import ShardUnavailable
from drivers.fence import Fence, FenceState, GroupRef
from shard_router.errors import PlacementLost, ScopeTooLarge
from shard_router.fleet import Fleet
from shard_router.placement import Placement
from shard_router.router import Router, RouterSettings
from shard_router.routing import AllShards, Located, OneShard, SomeShards
from shard_router.scope import FENCES_PER_READ_MAX
from tests.model_group import GroupState
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import founded, running, soon, unevenly
from tests.unit.shard_router.memory_catalog import MemoryCatalog

GROUPS_MAX = 5_000


class Gateway:
    def __init__(self, drivers: list[FaultyDriver], fleet: Fleet) -> None:
        self.drivers = {driver.shard_id: driver for driver in drivers}
        self.fleet = fleet
        self.catalog = MemoryCatalog()
        self.router = self.fresh_router()

    def fresh_router(self) -> Router:
        return Router(self.fleet, self.catalog, RouterSettings(groups_max=GROUPS_MAX))

    async def place(self, count: int) -> dict[str, str]:
        """Shard by group_id of that many new groups."""
        placed = [await self.router.place(f"g{n:03}", soon()) for n in range(count)]
        return {placement.group_id: placement.shard_id for placement in placed}

    def put(self, shard_id: str, fence: Fence, space: str = "") -> None:
        self.drivers[shard_id].groups[space, fence.group_id] = GroupState(fence)

    def calls(self, name: str) -> int:
        return sum(driver.calls[name] for driver in self.drivers.values())


@pytest.fixture
async def gateway() -> AsyncGenerator[Gateway]:
    drivers = founded("a", "b", "c")
    async with running(unevenly(drivers)) as fleet:
        made = Gateway(drivers, fleet)
        yield made
        await made.router.close()


def shards_of(located: Located) -> dict[str, str]:
    return {ref.group_id: shard_id for shard_id, refs in located.refs.items() for ref in refs}


async def settle(gateway: Gateway, shard_id: str) -> None:
    """Lets the gateway notice that the shard is down."""
    with pytest.raises(ShardUnavailable):
        await gateway.fleet.on_shard(shard_id, soon(), lambda driver: driver.ping(soon()))


# --- locate ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("catalog_knows", [True, False])
async def test_groups_are_located_in_few_calls(gateway: Gateway, catalog_knows: bool) -> None:
    """One look at the catalog, at most two batched reads per shard; unknown groups are named."""
    placed = await gateway.place(60)
    if not catalog_knows:
        gateway.catalog.placements.clear()
    gateway.catalog.calls.clear()
    before = gateway.calls("read_fences")
    router = gateway.fresh_router()
    located = await router.locate([*placed, "unknown", "g001"], soon())

    assert shards_of(located) == placed
    assert located.unknown == ("unknown",)
    assert (located.groups_failed, located.shards_failed) == ({}, {})
    assert located.route == SomeShards(("a", "b", "c"))
    assert gateway.catalog.calls.count("get_placements") == 1
    assert gateway.calls("read_fences") - before <= (1 if catalog_knows else 6)
    before = gateway.calls("read_fences")
    assert shards_of(await router.locate(list(placed), soon())) == placed
    assert gateway.calls("read_fences") == before
    await router.close()


async def test_the_ref_names_the_space(gateway: Gateway) -> None:
    """A group in its own container is searched there."""
    home = gateway.fleet.home_of("g")
    gateway.put(home, Fence("g", 2, FenceState.MOVED, moved_to=home, moved_space="own", moved_epoch=3))
    gateway.put(home, Fence("g", 3, FenceState.OPEN, space="own"), space="own")
    located = await gateway.router.locate(["g"], soon())

    assert located.refs == {home: (GroupRef("g", "own"),)}
    assert located.route == OneShard(home)


async def test_a_scope_is_bounded(gateway: Gateway) -> None:
    """Invariant 6, with the limit in the error; repeats do not count."""
    with pytest.raises(ScopeTooLarge) as too_large:
        await gateway.router.locate([str(n) for n in range(GROUPS_MAX + 1)], soon())
    assert too_large.value.metadata()["limit"] == str(GROUPS_MAX)
    await gateway.router.locate(["g"] * (GROUPS_MAX + 1), soon())


async def test_a_group_that_cannot_be_located_fails_the_call_or_is_named(gateway: Gateway) -> None:
    """A partial scope only if the caller allowed it, and then with the reason per group."""
    gateway.drivers["a"].down = True
    await settle(gateway, "a")
    groups = [f"g{n:03}" for n in range(30)]
    homed_at_a = {g for g in groups if gateway.fleet.home_of(g) == "a"}

    with pytest.raises(ShardUnavailable):
        await gateway.router.locate(groups, soon())
    located = await gateway.router.locate(groups, soon(), allow_partial=True)
    assert set(located.groups_failed) == homed_at_a
    assert set(located.unknown) == set(groups) - homed_at_a


async def test_stale_refs_are_looked_up_in_the_register(gateway: Gateway) -> None:
    """Fresh: neither the cache nor a rolled-back record is believed again; what the register no
    longer knows is lost, not unknown."""
    placed = await gateway.place(2)
    moved, lost = placed
    source = placed[moved]
    target = next(s for s in gateway.drivers if s != source)
    gateway.put(source, Fence(moved, 2, FenceState.MOVED, moved_to=target, moved_epoch=3))
    gateway.put(target, Fence(moved, 3, FenceState.OPEN))
    for driver in gateway.drivers.values():
        driver.groups.pop(("", lost), None)
    assert shards_of(await gateway.router.locate([moved], soon())) == {moved: source}

    gateway.catalog.calls.clear()
    located = await gateway.router.locate([moved, lost], soon(), fresh=True, allow_partial=True)
    assert shards_of(located) == {moved: target}
    assert isinstance(located.groups_failed[lost], PlacementLost)
    assert located.unknown == ()
    assert "get_placements" not in gateway.catalog.calls
    assert shards_of(await gateway.router.locate([moved], soon())) == {moved: target}


async def test_records_are_checked_where_they_cannot_be_used(gateway: Gateway) -> None:
    """A record of a shard that is not configured here is looked up; without a fence it is lost."""
    placed = await gateway.place(1)
    gateway.catalog.placements |= {g: Placement(g, "z", "", 1) for g in (*placed, "gone")}
    router = gateway.fresh_router()
    located = await router.locate([*placed, "gone"], soon(), allow_partial=True)

    assert shards_of(located) == placed
    assert isinstance(located.groups_failed["gone"], PlacementLost)
    await router.close()


# --- all groups -----------------------------------------------------------------------------------


async def test_every_group_is_listed_over_pages(gateway: Gateway) -> None:
    """A scope of all groups is complete, however many pages a shard needs."""
    count = FENCES_PER_READ_MAX + 50
    for n in range(count):
        gateway.put("a", Fence(f"{n:05}", 1, FenceState.OPEN))
    gateway.put("b", Fence("x", 1, FenceState.FROZEN))
    gateway.put("b", Fence("left", 1, FenceState.MOVED, moved_to="c", moved_epoch=3))
    located = await gateway.router.all_owned(soon())

    assert located.route == AllShards()
    assert len(located.refs["a"]) == count
    assert located.refs["b"] == (GroupRef("x"),)
    assert gateway.drivers["a"].calls["list_fences"] == 2


async def test_listing_stops_at_the_bound(gateway: Gateway) -> None:
    """A fleet with more groups than a request may search is an error, partial or not."""
    for n in range(10):
        gateway.put("ab"[n % 2], Fence(str(n), 1, FenceState.OPEN))

    assert len(shards_of(await gateway.router.all_owned(soon(), 10))) == 10
    for allow_partial in (False, True):
        with pytest.raises(ScopeTooLarge):
            await gateway.router.all_owned(soon(), 9, allow_partial=allow_partial)


async def test_a_group_seen_at_both_ends_of_a_move_counts_once(gateway: Gateway) -> None:
    """Shards are listed one beside the other; the later owner counts."""
    gateway.put("a", Fence("g", 2, FenceState.FROZEN))
    gateway.put("b", Fence("g", 3, FenceState.OPEN))

    assert shards_of(await gateway.router.all_owned(soon())) == {"g": "b"}


async def test_a_shard_that_cannot_be_listed_fails_the_call_or_is_named(gateway: Gateway) -> None:
    """Nothing silent: the missing shard and why."""
    gateway.put("b", Fence("g", 1, FenceState.OPEN))
    gateway.drivers["a"].down = True

    with pytest.raises(ShardUnavailable):
        await gateway.router.all_owned(soon())
    located = await gateway.router.all_owned(soon(), allow_partial=True)
    assert shards_of(located) == {"g": "b"}
    assert isinstance(located.shards_failed["a"], ShardUnavailable)


@pytest.mark.parametrize("shard_ids", ["abc", "a"])
async def test_groups_are_listed_in_pages_over_all_shards(gateway: Gateway, shard_ids: str) -> None:
    """By group_id in code point order, complete and without repeats, whatever the page size and
    however the groups lie."""
    ids = sorted(["A:b", "Z", "a", "a.1", "a_1", "b", "b-2", "z"])
    for n, group_id in enumerate(ids):
        gateway.put(shard_ids[n % len(shard_ids)], Fence(group_id, 1, FenceState.OPEN))
    for size in (1, 3, 8, 20):
        listed: list[str] = []
        while True:
            page = await gateway.router.list_groups(listed[-1] if listed else "", size, soon())
            assert len(page.groups) <= size
            listed += [group.fence.group_id for group in page.groups]
            if not page.more:
                break
        assert listed == ids


async def test_a_page_without_a_shard_names_it_or_fails(gateway: Gateway) -> None:
    """As for searches."""
    gateway.put("b", Fence("g", 1, FenceState.OPEN))
    gateway.drivers["c"].down = True

    with pytest.raises(ShardUnavailable):
        await gateway.router.list_groups("", 10, soon())
    page = await gateway.router.list_groups("", 10, soon(), allow_partial=True)
    assert [(group.shard_id, group.fence.group_id) for group in page.groups] == [("b", "g")]
    assert list(page.failures) == ["c"]

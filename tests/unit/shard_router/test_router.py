"""One group's way to its owner, whatever the gateway believed before."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from drivers.contract import Fence, FenceState, ShardDriver
from drivers.deadline import Deadline
from drivers.errors import DeadlinePassed, ShardUnavailable
from shard_router.errors import (
    ForeignFleet,
    GroupNotFound,
    PlacementLost,
    PlacementUnsettled,
    ShardUnknown,
    StalePlacement,
)
from shard_router.fleet import Fleet
from shard_router.placement import Placement
from shard_router.router import OWNER_ATTEMPTS_MAX, Router
from tests.eventually import eventually
from tests.model_group import GroupState
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import configured, founded, marker, running, soon, unevenly
from tests.unit.shard_router.memory_catalog import MemoryCatalog


class Gateway:
    """A router over three shards and a catalog, with the calls that its owner calls made."""

    def __init__(self, drivers: list[FaultyDriver], fleet: Fleet, catalog: MemoryCatalog) -> None:
        self.drivers = {driver.shard_id: driver for driver in drivers}
        self.fleet = fleet
        self.catalog = catalog
        self.router = Router(fleet, catalog)
        self.tried: list[Placement] = []

    async def owned(self, driver: ShardDriver, placement: Placement) -> str:
        """As any read or write: the fence has the last word."""
        self.tried.append(placement)
        fence = (await driver.read_fences([placement.ref], soon())).get(placement.group_id)
        if fence is None or fence.state is not FenceState.OPEN or fence.epoch != placement.epoch:
            raise StalePlacement(fence)
        return driver.shard_id

    async def use(self, group_id: str = "g", *, create: bool = True) -> str:
        return await self.router.on_owner(group_id, soon(), self.owned, create=create)

    def put(self, shard_id: str, fence: Fence) -> None:
        self.drivers[shard_id].groups["", fence.group_id] = GroupState(fence)

    def move(self, group_id: str, source: str, target: str) -> None:
        fence = self.drivers[source].groups["", group_id].fence
        assert fence is not None
        epoch = fence.epoch + 2
        gone = replace(fence, epoch=epoch - 1, state=FenceState.MOVED, moved_to=target, moved_epoch=epoch)
        self.put(source, gone)
        self.put(target, Fence(group_id, epoch, FenceState.OPEN))

    def elsewhere(self, shard_id: str) -> str:
        return next(other for other in self.drivers if other != shard_id)

    def register_reads(self) -> int:
        return sum(driver.calls["read_fences"] for driver in self.drivers.values())


@pytest.fixture
async def gateway() -> AsyncGenerator[Gateway]:
    drivers, catalog = founded("a", "b", "c"), MemoryCatalog()
    async with running(unevenly(drivers), catalog) as fleet:
        made = Gateway(drivers, fleet, catalog)
        yield made
        await made.router.close()


def group_homed_at(gateway: Gateway, home: str, away_from: str = "") -> str:
    """A group whose register is at `home` and that the ring places elsewhere than `away_from`."""
    return next(
        g
        for g in map(str, range(1_000))
        if gateway.fleet.home_of(g) == home and gateway.fleet.map.placement_ring.shard_of(g) != away_from
    )


# --- finding and creating -------------------------------------------------------------------------


async def test_the_first_write_places_the_group_by_the_ring(gateway: Gateway) -> None:
    """The ring places, the directory remembers: record last, the same shard ever after."""
    groups = [str(n) for n in range(30)]
    placed = {group_id: await gateway.use(group_id) for group_id in groups}

    ring = gateway.fleet.map.placement_ring
    assert placed == {group_id: ring.shard_of(group_id) for group_id in groups}
    assert {g: p.shard_id for g, p in gateway.catalog.placements.items()} == placed


async def test_reading_an_unknown_group_creates_nothing(gateway: Gateway) -> None:
    """GroupNotFound names the group; no fence, no record."""
    with pytest.raises(GroupNotFound, match="group g "):
        await gateway.use(create=False)
    assert await gateway.router.find("g", soon()) is None

    assert not any(driver.groups for driver in gateway.drivers.values())
    assert not gateway.catalog.placements


async def test_two_gateways_with_different_rings_place_a_group_once(gateway: Gateway) -> None:
    """Every pair of racing creators agrees on one owner."""
    shards = configured(*gateway.drivers.values())
    lopsided = [
        replace(shard, info=replace(shard.info, weight=w)) for shard, w in zip(shards, (9, 1, 0), strict=True)
    ]
    async with running(lopsided) as fleet:
        other = Router(fleet, None)
        for n in range(40):
            mine, theirs = await asyncio.gather(
                gateway.router.place(str(n), soon()), other.place(str(n), soon())
            )
            assert mine == theirs
        await other.close()
    for n in range(40):
        owners = [
            d
            for d in gateway.drivers.values()
            if (s := d.groups.get(("", str(n)))) and s.fence and s.fence.owns
        ]
        assert len(owners) == 1


async def test_a_foreign_shard_forbids_new_groups_only() -> None:
    """Groups that exist are read and written, also by a gateway that sees two fleets."""
    a, b, c = *founded("a", "b"), FaultyDriver("c")
    c.marker = marker("c", fleet="fleet-2")
    async with running(configured(a, b, c)) as fleet:
        gateway = Gateway([a, b, c], fleet, MemoryCatalog())
        gateway.put(fleet.home_of("old"), Fence("old", 1, FenceState.OPEN))

        assert await gateway.use("old") == fleet.home_of("old")
        with pytest.raises(ForeignFleet):
            await gateway.use("new")
        with pytest.raises(GroupNotFound):
            await gateway.use("new", create=False)
        await gateway.router.close()
    assert not any(("", "new") in driver.groups for driver in (a, b, c))


# --- stale beliefs --------------------------------------------------------------------------------


async def test_a_stale_cache_is_invisible_to_the_caller(gateway: Gateway) -> None:
    """Invariant 1: the gateway's cache is a hint. One wrong call, one look at the register."""
    source = await gateway.use()
    target = gateway.elsewhere(source)
    gateway.move("g", source, target)
    gateway.tried.clear()

    assert await gateway.use() == target
    assert [p.shard_id for p in gateway.tried] == [source, target]
    assert await gateway.use() == target
    assert len(gateway.tried) == 3
    assert gateway.catalog.placements["g"] == Placement("g", target, "", 3)


async def test_a_rolled_back_record_is_asked_once(gateway: Gateway) -> None:
    """After a stale answer the register is asked and not the catalog again, which would say the same."""
    source = await gateway.use()
    old = gateway.catalog.placements["g"]
    gateway.move("g", source, gateway.elsewhere(source))
    fresh = Gateway(list(gateway.drivers.values()), gateway.fleet, gateway.catalog)
    fresh.catalog.calls.clear()

    assert await fresh.use() == gateway.elsewhere(source)
    assert fresh.tried[0] == old
    assert fresh.catalog.calls.count("get_placements") == 1
    await fresh.router.close()


async def test_a_thawed_group_is_found_at_its_new_epoch(gateway: Gateway) -> None:
    """The same shard, two epochs later: a retry, not an error."""
    shard_id = await gateway.use()
    gateway.put(shard_id, Fence("g", 3, FenceState.OPEN))

    assert await gateway.use() == shard_id
    assert gateway.tried[-1].epoch == 3


async def test_a_write_waits_through_a_freeze(gateway: Gateway) -> None:
    """A frozen group is not an error: the call is repeated until the owner opens."""
    shard_id = await gateway.use()
    gateway.put(shard_id, Fence("g", 2, FenceState.FROZEN))
    gateway.tried.clear()
    writing = asyncio.create_task(gateway.use())
    await eventually(lambda: len(gateway.tried) >= 3)
    gateway.move("g", shard_id, gateway.elsewhere(shard_id))

    assert await writing == gateway.elsewhere(shard_id)


async def test_an_owner_that_never_settles_is_a_bounded_error(gateway: Gateway) -> None:
    """Invariant 6: attempts are bounded, and the caller may retry."""
    shard_id = await gateway.use()
    gateway.put(shard_id, Fence("g", 2, FenceState.FROZEN))
    gateway.tried.clear()

    with pytest.raises(PlacementUnsettled) as unsettled:
        await gateway.use()
    assert unsettled.value.retryable
    assert len(gateway.tried) == OWNER_ATTEMPTS_MAX


async def test_retries_end_with_the_deadline(gateway: Gateway) -> None:
    """No attempt begins after the caller's time is up."""
    shard_id = await gateway.use()
    gateway.put(shard_id, Fence("g", 2, FenceState.FROZEN))

    with pytest.raises(DeadlinePassed):
        await gateway.router.on_owner("g", Deadline.after(0.05), gateway.owned, create=True)


@pytest.mark.parametrize("cached", [True, False])
async def test_a_placement_without_a_fence_is_lost(gateway: Gateway, cached: bool) -> None:
    """Invariant 7: a record whose fence is nowhere is data loss; a write does not create it again."""
    await gateway.use()
    for driver in gateway.drivers.values():
        driver.groups.clear()
    victim = gateway if cached else Gateway(list(gateway.drivers.values()), gateway.fleet, gateway.catalog)

    with pytest.raises(PlacementLost):
        await victim.use()
    assert not any(driver.groups for driver in gateway.drivers.values())
    await victim.router.close()


async def test_a_hint_to_a_shard_that_is_gone_is_no_dead_end(gateway: Gateway) -> None:
    """A shard was drained and switched off; gateways that slept through it find the new owner."""
    group_id = group_homed_at(gateway, "a", away_from="a")
    source = await gateway.use(group_id)
    target = "b" if source == "c" else "c"
    gateway.move(group_id, source, target)
    gateway.drivers["a"].groups["", group_id].fence = Fence(
        group_id, 0, FenceState.MOVED, moved_to=target, moved_epoch=3
    )
    gateway.drivers[source].down = True

    assert await gateway.use(group_id) == target


async def test_a_record_of_a_shard_that_is_not_configured_is_no_dead_end(gateway: Gateway) -> None:
    """The register may know better than an old record."""
    shard_id = await gateway.use()
    fresh = Gateway(list(gateway.drivers.values()), gateway.fleet, gateway.catalog)
    gateway.catalog.placements["g"] = Placement("g", "z", "", 1)

    assert await fresh.use() == shard_id
    gateway.put("a", Fence("h", 0, FenceState.MOVED, moved_to="z", moved_epoch=1))
    gateway.put("b", Fence("h", 0, FenceState.MOVED, moved_to="z", moved_epoch=1))
    gateway.put("c", Fence("h", 0, FenceState.MOVED, moved_to="z", moved_epoch=1))
    with pytest.raises(ShardUnknown):
        await fresh.use("h")
    await fresh.router.close()


async def test_an_owner_that_is_down_is_said_to_be_down(gateway: Gateway) -> None:
    """The register confirms the hint: the caller gets the shard's own error."""
    group_id = group_homed_at(gateway, "a", away_from="a")
    shard_id = await gateway.use(group_id)
    gateway.drivers[shard_id].down = True

    with pytest.raises(ShardUnavailable) as down:
        await gateway.use(group_id)
    assert down.value.shard_id == shard_id


async def test_a_call_that_the_right_shard_failed_is_not_repeated(gateway: Gateway) -> None:
    """The router re-routes; whether to repeat a failed call is the caller's to decide."""
    await gateway.use()
    tried: list[str] = []

    async def dies(driver: ShardDriver, placement: Placement) -> None:
        tried.append(driver.shard_id)
        raise ShardUnavailable(driver.shard_id, "reset")

    with pytest.raises(ShardUnavailable):
        await gateway.router.on_owner("g", soon(), dies, create=False)
    assert len(tried) == 1


async def test_a_record_with_too_high_an_epoch_is_believed_once(gateway: Gateway) -> None:
    """A wrong record that nothing will outbid in the catalog does not mislead every call."""
    shard_id = await gateway.use()
    fresh = Gateway(list(gateway.drivers.values()), gateway.fleet, gateway.catalog)
    wrong = Placement("g", gateway.elsewhere(shard_id), "", 9)
    gateway.catalog.placements["g"] = wrong

    assert await fresh.use() == shard_id
    assert await fresh.use() == shard_id
    assert fresh.tried.count(wrong) == 1
    await fresh.router.close()


async def test_a_first_look_in_the_middle_of_a_move_waits(gateway: Gateway) -> None:
    """Between COMMIT and opening nobody owns the group; a gateway that comes just then retries."""
    home = gateway.fleet.home_of("g")
    other = gateway.elsewhere(home)
    gateway.put(home, Fence("g", 3, FenceState.READY, moved_to=other))
    gateway.put(other, Fence("g", 2, FenceState.MOVED, moved_to=home, moved_epoch=3))
    before = gateway.register_reads()
    using = asyncio.create_task(gateway.use(create=False))
    await eventually(lambda: gateway.register_reads() > before)
    gateway.put(home, Fence("g", 3, FenceState.OPEN))

    assert await using == home


async def test_a_group_described_is_the_owners_fence(gateway: Gateway) -> None:
    """Also through a stale cache; unknown groups are not found."""
    source = await gateway.use()
    gateway.move("g", source, gateway.elsewhere(source))

    shard_id, fence = await gateway.router.describe_group("g", soon())
    assert (shard_id, fence.epoch, fence.state) == (gateway.elsewhere(source), 3, FenceState.OPEN)
    with pytest.raises(GroupNotFound):
        await gateway.router.describe_group("unknown", soon())


# --- load and outages -----------------------------------------------------------------------------


async def test_a_stampede_is_one_lookup(gateway: Gateway) -> None:
    """Single flight: a hundred first readers of a group cost one look at catalog and register."""
    await gateway.use()
    fresh = Gateway(list(gateway.drivers.values()), gateway.fleet, MemoryCatalog())
    before = gateway.register_reads()
    found = await asyncio.gather(*(fresh.router.find("g", soon()) for _ in range(100)))

    assert len(set(found)) == 1
    assert fresh.catalog.calls.count("get_placements") == 1
    assert gateway.register_reads() - before <= 2
    await fresh.router.close()


async def test_a_stampede_of_first_writes_is_one_creation(gateway: Gateway) -> None:
    """A hundred writers of a new group make its fence once."""
    owners = await asyncio.gather(*(gateway.use() for _ in range(100)))

    assert len(set(owners)) == 1
    assert sum(driver.calls["create_fence"] for driver in gateway.drivers.values()) <= 2


async def test_a_stampede_after_a_move_is_one_look_at_the_register(gateway: Gateway) -> None:
    """A rejected call does not make every caller reload the routing."""
    source = await gateway.use()
    gateway.move("g", source, gateway.elsewhere(source))
    gateway.tried.clear()
    before = gateway.register_reads()
    owners = await asyncio.gather(*(gateway.use() for _ in range(50)))

    assert set(owners) == {gateway.elsewhere(source)}
    lookups = gateway.register_reads() - before - len(gateway.tried)
    assert lookups <= 6


async def test_the_catalog_may_be_down(gateway: Gateway) -> None:
    """Cached groups do not ask for it, others are found and created through the register."""
    cached = await gateway.use()
    gateway.catalog.down = True
    gateway.catalog.calls.clear()

    assert await gateway.use() == cached
    assert "get_placements" not in gateway.catalog.calls
    assert await gateway.use("new") == gateway.fleet.map.placement_ring.shard_of("new")
    fresh = Gateway(list(gateway.drivers.values()), gateway.fleet, gateway.catalog)
    assert await fresh.use(create=False) == cached
    assert fresh.router.catalog_problem is not None
    await fresh.router.close()

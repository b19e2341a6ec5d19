"""Finding and creating groups, also under load and without the catalog."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from drivers.fence import Fence, FenceState
from shard_router.errors import (
    ForeignFleet,
    GroupNotFound,
)
from shard_router.router import Router
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import configured, founded, marker, running, soon, unevenly
from tests.unit.shard_router.memory_catalog import MemoryCatalog
from tests.unit.shard_router.router_gateway import Gateway


@pytest.fixture
async def gateway() -> AsyncGenerator[Gateway]:
    drivers, catalog = founded("a", "b", "c"), MemoryCatalog()
    async with running(unevenly(drivers), catalog) as fleet:
        made = Gateway(drivers, fleet, catalog)
        yield made
        await made.router.close()


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

"""One group's way to its owner, whatever the gateway believed before."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import DeadlinePassed, ShardUnavailable
from drivers.fence import Fence, FenceState
from shard_router.errors import (
    GroupNotFound,
    PlacementLost,
    PlacementUnsettled,
    ShardUnknown,
    StalePlacement,
)
from shard_router.placement import Placement
from shard_router.router import OWNER_ATTEMPTS_MAX
from tests.eventually import eventually
from tests.unit.shard_router.fleet_of import founded, running, soon, unevenly
from tests.unit.shard_router.memory_catalog import MemoryCatalog
from tests.unit.shard_router.router_gateway import Gateway, group_homed_at


@pytest.fixture
async def gateway() -> AsyncGenerator[Gateway]:
    drivers, catalog = founded("a", "b", "c"), MemoryCatalog()
    async with running(unevenly(drivers), catalog) as fleet:
        made = Gateway(drivers, fleet, catalog)
        yield made
        await made.router.close()


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
    """A frozen group is not an error: the call waits until the owner opens."""
    shard_id = await gateway.use()
    gateway.put(shard_id, Fence("g", 2, FenceState.FROZEN))
    gateway.tried.clear()
    writing = [asyncio.create_task(gateway.use()) for _ in range(20)]
    await eventually(lambda: gateway.router.frozen_waiting == {"g": 20})
    gateway.move("g", shard_id, gateway.elsewhere(shard_id))

    assert await asyncio.gather(*writing) == [gateway.elsewhere(shard_id)] * 20
    assert len(gateway.tried) == 40


async def test_an_owner_that_never_settles_is_a_bounded_error(gateway: Gateway) -> None:
    """Invariant 6: attempts are bounded, and the caller may retry."""
    await gateway.use()
    gateway.tried.clear()

    async def never(driver: ShardDriver, placement: Placement) -> str:
        gateway.tried.append(placement)
        raise StalePlacement(None)

    with pytest.raises(PlacementUnsettled) as unsettled:
        await gateway.router.on_owner("g", soon(), never, create=True)
    assert unsettled.value.retryable
    assert len(gateway.tried) == OWNER_ATTEMPTS_MAX


async def test_waits_for_a_frozen_group_are_no_attempts(gateway: Gateway) -> None:
    """A move that freezes and thaws a busy group again and again fails no write that has time."""
    shard_id = await gateway.use()
    gateway.tried.clear()
    pauses = 2 * OWNER_ATTEMPTS_MAX

    async def frozen_again_and_again(driver: ShardDriver, placement: Placement) -> str:
        gateway.tried.append(placement)
        if len(gateway.tried) <= pauses:
            raise StalePlacement(Fence("g", placement.epoch, FenceState.FROZEN))
        return driver.shard_id

    assert await gateway.router.on_owner("g", soon(), frozen_again_and_again, create=False) == shard_id
    assert len(gateway.tried) == pauses + 1


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

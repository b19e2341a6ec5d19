"""A router over model shards and a catalog, for tests."""

from dataclasses import replace

from drivers.contract import ShardDriver
from drivers.fence import Fence, FenceState
from shard_router.errors import (
    StalePlacement,
)
from shard_router.fleet import Fleet
from shard_router.placement import Placement
from shard_router.router import Router
from tests.model_group import GroupState
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import soon
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


def group_homed_at(gateway: Gateway, home: str, away_from: str = "") -> str:
    """A group whose register is at `home` and that the ring places elsewhere than `away_from`."""
    return next(
        g
        for g in map(str, range(1_000))
        if gateway.fleet.home_of(g) == home and gateway.fleet.map.placement_ring.shard_of(g) != away_from
    )

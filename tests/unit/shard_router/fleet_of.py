"""Gateways' fleets over model shards, for tests."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from random import Random

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError
from drivers.fence import SCHEMA_VERSION, RootMember, ShardMarker
from shard_router.catalog_port import FleetCatalog
from shard_router.clock import Clock
from shard_router.fleet import Fleet, FleetSettings
from shard_router.founding import ConfiguredShard
from shard_router.shard_link import LinkState
from shard_router.shard_map import ShardInfo
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.manual_clock import ManualClock


def soon() -> Deadline:
    """Far enough for a busy machine."""
    return Deadline.after(20)


def configured(*drivers: ShardDriver, weight: float = 1.0) -> list[ConfiguredShard]:
    return [ConfiguredShard(ShardInfo(driver.shard_id, driver.engine, weight), driver) for driver in drivers]


def unevenly(drivers: Sequence[ShardDriver]) -> list[ConfiguredShard]:
    """Weights 1, 3, 5, ... for shards whose root ring has equal ones: so that many groups are placed
    away from their homes."""
    return [shard for n, driver in enumerate(drivers) for shard in configured(driver, weight=1.0 + 2 * n)]


@asynccontextmanager
async def running(
    shards: Sequence[ConfiguredShard],
    catalog: FleetCatalog | None = None,
    clock: Clock | None = None,
    settings: FleetSettings | None = None,
) -> AsyncGenerator[Fleet]:
    """Started and settled. The clock stands still unless one is given: nothing is tried again or
    checked until the test lets time pass."""
    fleet = Fleet(shards, catalog, settings, clock or ManualClock(), Random(1))
    await fleet.start()
    try:
        await fleet.settled(soon())
        yield fleet
    finally:
        await fleet.close()


def marker(
    shard_id: str,
    *,
    fleet: str = "fleet-1",
    root: Sequence[str] = ("a", "b"),
    beat: int = 1,
    version: int = 1,
) -> ShardMarker:
    return ShardMarker(
        fleet=fleet,
        shard=shard_id,
        incarnation=f"incarnation-{shard_id}",
        schema_version=SCHEMA_VERSION,
        root_version=version,
        root_ring=tuple(RootMember(member, 1.0) for member in root),
        pool_graphs=16,
        beat=beat,
    )


def founded(*shard_ids: str) -> list[FaultyDriver]:
    """Shards of one fleet that has been in use, all members of its root ring."""
    drivers = [FaultyDriver(shard_id) for shard_id in shard_ids]
    for driver in drivers:
        driver.marker = marker(driver.shard_id, root=sorted(shard_ids))
    return drivers


def link_states(fleet: Fleet) -> dict[str, LinkState | None]:
    return {status.info.shard_id: status.link for status in fleet.status()}


def problem_of(fleet: Fleet, shard_id: str) -> GraphgateError | None:
    return next(status.problem for status in fleet.status() if status.info.shard_id == shard_id)


async def ask(fleet: Fleet, shard_id: str) -> str:
    async def call(driver: ShardDriver) -> str:
        await driver.ping(soon())
        return driver.shard_id

    return await fleet.on_shard(shard_id, soon(), call)

"""Gateways that share shards and a real Redis, which is lost and rolled back under them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from secrets import token_hex

import pytest
from redis.asyncio import Redis

from drivers.contract import ShardDriver
from drivers.fence import Fence, FenceState
from shard_router.catalog import Catalog, CatalogSettings
from shard_router.errors import PlacementLost, StalePlacement
from shard_router.fleet import Fleet
from shard_router.founding import ConfiguredShard
from shard_router.placement import Placement
from shard_router.router import Router
from tests.engines import RedisServer
from tests.eventually import eventually
from tests.model_driver import ModelDriver
from tests.model_group import GroupState
from tests.unit.shard_router.fleet_of import configured, soon, unevenly

GROUPS = [f"tenant-{n}" for n in range(60)]


@dataclass(frozen=True, slots=True)
class Gateway:
    fleet: Fleet
    router: Router
    catalog: Catalog


@asynccontextmanager
async def gateway(url: str, prefix: str, shards: list[ConfiguredShard]) -> AsyncGenerator[Gateway]:
    catalog = Catalog(url, CatalogSettings(prefix, call_timeout_s=10, poll_interval_s=0.05))
    fleet = Fleet(shards, catalog, rng=Random(1))
    router = Router(fleet, catalog)
    await fleet.start()
    await fleet.settled(soon())
    try:
        await eventually(lambda: fleet.map.version > 0)
        yield Gateway(fleet, router, catalog)
    finally:
        await router.close()
        await fleet.close()
        await catalog.close()


def owners(drivers: list[ModelDriver]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for driver in drivers:
        for (_, group_id), group in driver.groups.items():
            if group.fence is not None and group.fence.owns:
                found.setdefault(group_id, []).append(driver.shard_id)
    return found


@pytest.fixture
def prefix() -> str:
    return f"test-{token_hex(6)}"


@pytest.fixture
async def raw(redis_server: RedisServer) -> AsyncGenerator[Redis]:
    client: Redis = Redis.from_url(redis_server.url)
    yield client
    await client.aclose()


async def empty(raw: Redis, prefix: str) -> None:
    async for key in raw.scan_iter(f"{prefix}:*"):
        await raw.delete(key)


async def test_no_second_owner_when_redis_is_lost(redis_server: RedisServer, raw: Redis, prefix: str) -> None:
    """Invariant 3: gateways with different rings write while the catalog is emptied again and again;
    every group has one owner, all gateways agree, and a gateway without memory finds it."""
    drivers = [ModelDriver(shard_id) for shard_id in "abc"]
    url = redis_server.url
    async with (
        gateway(url, prefix, configured(*drivers)) as one,
        gateway(url, prefix, unevenly(drivers[::-1])) as two,
    ):
        stop = asyncio.Event()

        async def lose() -> None:
            while not stop.is_set():
                await empty(raw, prefix)
                await asyncio.sleep(0)

        losing = asyncio.create_task(lose())
        placed = await asyncio.gather(
            *(made.router.place(group_id, soon()) for group_id in GROUPS for made in (one, two))
        )
        stop.set()
        await losing

    by_group = {g: {p for p in placed if p.group_id == g} for g in GROUPS}
    assert all(len(places) == 1 for places in by_group.values())
    assert owners(drivers) == {g: [next(iter(places)).shard_id] for g, places in by_group.items()}
    await empty(raw, prefix)
    async with gateway(url, prefix, configured(*drivers)) as late:
        located = await late.router.locate(GROUPS, soon())
    found = {ref.group_id: [shard_id] for shard_id, refs in located.refs.items() for ref in refs}
    assert found == owners(drivers)


async def test_a_rolled_back_record_costs_one_retry(
    redis_server: RedisServer, raw: Redis, prefix: str
) -> None:
    """A record from before a move leads to the old shard, which sends the caller on."""
    drivers = {shard_id: ModelDriver(shard_id) for shard_id in "ab"}
    async with gateway(redis_server.url, prefix, configured(*drivers.values())) as first:
        source = (await first.router.place("g", soon())).shard_id
        target = "b" if source == "a" else "a"
        moved = Fence("g", 2, FenceState.MOVED, moved_to=target, moved_epoch=3)
        drivers[source].groups["", "g"].fence = moved
        drivers[target].groups["", "g"] = GroupState(Fence("g", 3, FenceState.OPEN))
    async with gateway(redis_server.url, prefix, configured(*drivers.values())) as second:
        assert await second.router.find("g", soon()) == Placement("g", source, "", 1)
        shard_id, fence = await second.router.describe_group("g", soon())
        assert (shard_id, fence.epoch) == (target, 3)
        records = await second.catalog.get_placements(["g"], soon())
    assert records == {"g": Placement("g", target, "", 3)}


async def test_a_record_without_a_fence_is_data_loss(
    redis_server: RedisServer, raw: Redis, prefix: str
) -> None:
    """Invariant 7: reported as such, never created again."""
    drivers = [ModelDriver(shard_id) for shard_id in "ab"]
    async with gateway(redis_server.url, prefix, configured(*drivers)) as made:
        await made.router.place("g", soon())
        for driver in drivers:
            driver.groups.clear()

        async def write(driver: ShardDriver, placement: Placement) -> None:
            fences = await driver.read_fences([placement.ref], soon())
            if "g" not in fences:
                raise StalePlacement(None)

        with pytest.raises(PlacementLost):
            await made.router.on_owner("g", soon(), write, create=True)
    assert owners(drivers) == {}

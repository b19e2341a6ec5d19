"""Founding, losing and restoring real shards under a running gateway."""

import asyncio
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from secrets import token_hex

import pytest
from redis.asyncio import Redis

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError, OlderCopy, ShardUnavailable, WipedShard
from drivers.falkordb import FalkorDBDriver, FalkorDBSettings
from drivers.fence import Engine, Fence
from gateway.embedded import FalkorDBProcess
from gateway.embedded.errors import EngineNotInstalledError
from shard_router.backoff import Backoff
from shard_router.catalog import Catalog, CatalogSettings
from shard_router.errors import StalePlacement
from shard_router.fleet import Fleet, FleetSettings
from shard_router.founding import ConfiguredShard
from shard_router.placement import Placement
from shard_router.reconnecting import ReconnectSettings
from shard_router.router import Router
from shard_router.shard_link import LinkSettings
from shard_router.shard_map import ShardInfo
from tests.engines import RedisServer, engine_absent
from tests.eventually import eventually

GROUPS = [f"tenant:{n}" for n in range(12)]
QUICK = LinkSettings(
    check_interval_s=0.1, reconnect=ReconnectSettings(Backoff(first_s=0.05, pause_s_max=0.2))
)


def soon() -> Deadline:
    return Deadline.after(60)


class Gateway:
    def __init__(self, processes: dict[str, FalkorDBProcess], redis_url: str, prefix: str) -> None:
        self.catalog = Catalog(redis_url, CatalogSettings(prefix, call_timeout_s=10))
        shards = [
            ConfiguredShard(
                ShardInfo(shard_id, Engine.FALKORDB),
                FalkorDBDriver(shard_id, FalkorDBSettings(url=process.url)),
            )
            for shard_id, process in processes.items()
        ]
        self.fleet = Fleet(shards, self.catalog, FleetSettings(pool_graphs=2, link=QUICK), rng=Random(1))
        self.router = Router(self.fleet, self.catalog)

    def problem_of(self, shard_id: str) -> GraphgateError | None:
        return next(s.problem for s in self.fleet.status() if s.info.shard_id == shard_id)

    def beat_of(self, shard_id: str) -> int:
        return next(s.beat for s in self.fleet.status() if s.info.shard_id == shard_id)

    async def fence(self, group_id: str, *, create: bool = False) -> Fence:
        async def read(driver: ShardDriver, placement: Placement) -> Fence:
            fence = (await driver.read_fences([placement.ref], soon())).get(group_id)
            if fence is None or not fence.owns:
                raise StalePlacement(fence)
            return fence

        return await self.router.on_owner(group_id, soon(), read, create=create)

    async def write(self, shard_id: str) -> None:
        """Something that makes the shard beat."""
        await self.fleet.on_shard(shard_id, soon(), lambda driver: driver.ping(soon()), writes=True)


class Shards:
    def __init__(self, directory: Path, redis_url: str) -> None:
        self.processes = {shard_id: FalkorDBProcess(directory / shard_id) for shard_id in ("a", "b")}
        self.redis_url = redis_url
        self.prefix = f"test-{token_hex(6)}"

    @asynccontextmanager
    async def gateway(self) -> AsyncGenerator[Gateway]:
        made = Gateway(self.processes, self.redis_url, self.prefix)
        await made.fleet.start()
        try:
            await made.fleet.answered(soon())
            yield made
        finally:
            await made.router.close()
            await made.fleet.close()
            await made.catalog.close()


@pytest.fixture
async def shards(tmp_path: Path, redis_server: RedisServer) -> AsyncGenerator[Shards]:
    made = Shards(tmp_path, redis_server.url)
    try:
        await asyncio.gather(*(process.start() for process in made.processes.values()))
    except EngineNotInstalledError as error:
        engine_absent("FalkorDB", error.missing)
    yield made
    await asyncio.gather(*(process.stop() for process in made.processes.values()))


async def test_two_gateways_share_a_fleet_of_real_shards(shards: Shards) -> None:
    """Both found at the same time, agree on fleet and owners, and a late one finds every group."""
    async with shards.gateway() as one, shards.gateway() as two:
        assert one.fleet.identity == two.fleet.identity
        fences = await asyncio.gather(
            *(gateway.fence(group_id, create=True) for group_id in GROUPS for gateway in (one, two))
        )
        assert {fence.epoch for fence in fences} == {1}
        owned = await one.router.all_owned(soon())
    async with shards.gateway() as late:
        located = await late.router.locate([*GROUPS, "unknown"], soon())
        page = await late.router.list_groups("", 5, soon())

    assert {s: set(refs) for s, refs in located.refs.items()} == {s: set(r) for s, r in owned.refs.items()}
    assert set(located.refs) == {"a", "b"}
    assert located.unknown == ("unknown",)
    assert [group.fence.group_id for group in page.groups] == sorted(GROUPS)[:5]


async def test_a_killed_shard_fails_alone_and_comes_back(shards: Shards) -> None:
    """The other shard serves on; after the restart nothing has to be done."""
    async with shards.gateway() as gateway:
        owners = {g: (await gateway.router.place(g, soon())).shard_id for g in GROUPS}
        at_a, at_b = (next(g for g in GROUPS if owners[g] == shard_id) for shard_id in "ab")
        await shards.processes["a"].kill()
        with pytest.raises(ShardUnavailable):
            await gateway.fence(at_a)
        assert (await gateway.fence(at_b)).owns

        await shards.processes["a"].restart()
        await gateway.fleet.answered(soon())
        await eventually(lambda: gateway.problem_of("a") is None)
        assert (await gateway.fence(at_a)).owns


async def test_a_wiped_shard_is_refused_by_the_gateway_that_uses_it(shards: Shards) -> None:
    """Invariant 1: data that is gone is reported, and nothing is created in its place."""
    async with shards.gateway() as gateway:
        for group_id in GROUPS:
            await gateway.fence(group_id, create=True)
        raw: Redis = Redis.from_url(shards.processes["b"].url)
        await raw.flushall()
        await eventually(lambda: isinstance(gateway.problem_of("b"), WipedShard))
        with pytest.raises(WipedShard):
            await gateway.fleet.on_shard("b", soon(), lambda driver: driver.ping(soon()))
        assert await raw.keys("*") == []
        await raw.aclose()


async def test_an_older_copy_of_a_disk_is_refused(shards: Shards) -> None:
    """A restored backup lacks acknowledged writes: the gateway that wrote them notices from memory, a
    new one from the catalog."""
    process = shards.processes["a"]
    async with shards.gateway() as gateway:
        await process.stop()
        shutil.copytree(process.directory, process.directory.with_name("backup"))
        await process.restart()
        await eventually(lambda: gateway.problem_of("a") is None)
        before = gateway.beat_of("a")
        await gateway.write("a")
        await eventually(lambda: gateway.beat_of("a") > before)

        await process.stop()
        shutil.rmtree(process.directory)
        shutil.copytree(process.directory.with_name("backup"), process.directory)
        await process.restart()
        await eventually(lambda: isinstance(gateway.problem_of("a"), OlderCopy))
    async with shards.gateway() as late:
        assert isinstance(late.problem_of("a"), OlderCopy)
        assert late.problem_of("b") is None

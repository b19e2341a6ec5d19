"""The catalog stops, hangs, is emptied and rolled back: it is a cache, and the shards know everything."""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import grpc
import pytest

from gateway.embedded import FalkorDBProcess, RedisProcess
from gateway.settings.fleet import CatalogSettings, ShardSettings
from gateway.settings.service import GrpcSettings, MetricsSettings
from gateway.settings.tree import Settings
from graphgate.v1 import admin_service_pb2
from tests.eventually import eventually
from tests.integration.faults import engines
from tests.integration.faults.placements import gateway_of, owners, recorded
from tests.integration.faults.world import (
    FALKORDB,
    NEIGHBOUR,
    NEO4J,
    PATIENT_S,
    Fleet,
    HeldEmbedder,
    World,
    client_of,
    gateway_over,
)
from tests.integration.gateway.calls import Refusal, refused

Code = grpc.StatusCode

STATES: dict[str, Callable[[RedisProcess], AbstractAsyncContextManager[None]]] = {
    "down": engines.killed,
    "hanging": engines.suspended,
}


def new_ids(count: int) -> list[str]:
    return [f"group-{secrets.token_hex(6)}" for _ in range(count)]


async def catalog_problem(world: World) -> str:
    asked = admin_service_pb2.ListShardsRequest()
    return (await world.client.admin.ListShards(asked, timeout=PATIENT_S)).catalog_problem


async def map_version(world: World) -> int:
    asked = admin_service_pb2.ListShardsRequest()
    return (await world.client.admin.ListShards(asked, timeout=PATIENT_S)).map_version


@pytest.mark.parametrize("state", STATES)
async def test_groups_old_and_new_are_served_without_the_catalog(world: World, state: str) -> None:
    """It stops under a gateway at work: known groups are read, written and searched, new ones are made at the
    shards, and operators are told. Once it is back it is used again, by itself."""
    known = [await world.new_group(shard) for shard in (FALKORDB, NEO4J)]
    new = new_ids(4)
    async with STATES[state](world.fleet.catalog):
        for group_id in known:
            await world.write(group_id, "second")
            assert await world.names(group_id) == ["first", "second"]
        for group_id in new:
            await world.write(group_id, "made without")
        assert len((await world.search(*known, *new)).results[0].hits) == len(known) * 2 + len(new)
        assert await eventually(lambda: catalog_problem(world))

    async def used_again() -> bool:
        (group_id,) = new_ids(1)
        await world.write(group_id, "made with")
        return (await recorded(world.fleet, [group_id]))[0]

    await eventually(used_again, 60.0)
    assert [await world.names(group_id) for group_id in new] == [["made without"]] * len(new)


async def test_a_gateway_that_starts_without_the_catalog_finds_every_group(world: World) -> None:
    """It knows no placement and asks the register at the shards; a group that nobody made is still told from
    one that is there, and the catalog is filled once it is back."""
    known = [await world.new_group(shard) for shard in (FALKORDB, NEIGHBOUR, NEO4J)]
    (new,) = new_ids(1)
    async with AsyncExitStack() as stack:
        async with engines.killed(world.fleet.catalog):
            late = await stack.enter_async_context(gateway_of(world.fleet))
            for group_id in known:
                assert await late.names(group_id) == ["first"]
                await late.write(group_id, "second")
            assert (await refused(late.names(new))).reason == "GROUP_NOT_FOUND"
            await late.write(new, "made without")
            assert await catalog_problem(late)

        async def told() -> bool:
            return not await catalog_problem(late) and await map_version(late) > 0

        await eventually(told, 60.0)
        assert await late.names(known[0]) == await world.names(known[0]) == ["first", "second"]
        assert await world.names(new) == ["made without"]


async def test_a_fleet_is_not_founded_without_its_catalog(tmp_path: Path) -> None:
    """Only the catalog tells an empty shard from one that was wiped: until it answers, a fleet without any
    marker is refused with UNAVAILABLE and RetryInfo, and then founded without a restart."""
    shard, catalog = FalkorDBProcess(tmp_path / "shard"), RedisProcess(tmp_path / "catalog")
    try:
        await asyncio.gather(shard.start(), catalog.start())
        await catalog.kill()
        settings = Settings(
            grpc=GrpcSettings(port=0),
            metrics=MetricsSettings(enabled=False),
            shards=(ShardSettings.model_validate({"id": FALKORDB, "engine": "falkordb", "url": shard.url}),),
            catalog=CatalogSettings(url=catalog.url),
            pool_graphs=2,
        )
        embedder = HeldEmbedder()
        async with gateway_over(settings, embedder) as gateway, client_of(gateway) as client:
            one = World(Fleet(tmp_path / "none"), gateway, client, embedder)
            (group_id,) = new_ids(1)
            refusal = await refused(one.write(group_id, "too early"))
            assert (refusal.code, refusal.metadata["retryable"]) == (Code.UNAVAILABLE, "true")
            assert refusal.reason == "FLEET_NOT_FOUNDED"
            assert refusal.retry_delay_s
            await catalog.restart()
            await eventually(one.all_well)
            await one.write(group_id, "founded")
            assert await one.names(group_id) == ["founded"]
    finally:
        await asyncio.gather(shard.stop(), catalog.stop())


async def test_an_emptied_or_older_catalog_makes_no_second_owner(world: World, tmp_path: Path) -> None:
    """Gateways with different rings, one without any memory, make and write the same groups while the catalog
    goes back to the time before a shard was on the ring, and again after it was emptied: every group has one
    owner among the fences of all shards, and the same data through every gateway."""
    fleet, prefix = world.fleet, f"back-{secrets.token_hex(4)}"
    async with AsyncExitStack() as stack:
        narrow = await stack.enter_async_context(gateway_of(fleet, prefix, without=NEIGHBOUR))
        await engines.copy_of(fleet.catalog, tmp_path / "before")
        wide = await stack.enter_async_context(gateway_of(fleet, prefix))
        await eventually(lambda: _wider(wide, narrow))
        old = new_ids(16)
        await asyncio.gather(*(wide.write(group_id, "old") for group_id in old))
        expected = {group_id: ["old"] for group_id in old}
        assert NEIGHBOUR in {shard_id for g, (shard_id, *_) in (await owners(fleet)).items() if g in expected}

        for loss in ("rolled back", "emptied"):
            if loss == "emptied":
                async with engines.beside(fleet.catalog) as client:
                    await client.flushall()
            else:
                await engines.put_back(fleet.catalog, tmp_path / "before")
            assert not any(await recorded(fleet, old, prefix))
            fresh = await stack.enter_async_context(gateway_of(fleet, prefix))
            new = [wide.new_group_id_homed_at(shard) for shard in (FALKORDB, NEO4J) for _ in range(6)]
            expected |= {group_id: [] for group_id in new}
            for number, gateway in enumerate((fresh, wide, narrow)):
                name = f"{loss} {number}"
                written = [g for g in expected if gateway is not narrow or g in new]
                results = await asyncio.gather(*(_write(gateway, g, name) for g in written))
                for group_id, done in zip(written, results, strict=True):
                    expected[group_id] += [name] if done else []
            found = await owners(fleet)
            assert {g: len(found[g]) for g in expected} == dict.fromkeys(expected, 1), loss
            for gateway in (fresh, wide):
                names = await asyncio.gather(*map(gateway.names, expected))
                assert dict(zip(expected, names, strict=True)) == {g: sorted(n) for g, n in expected.items()}


async def _wider(wide: World, narrow: World) -> bool:
    return await map_version(wide) > 0 and NEIGHBOUR in await wide.shards() and await map_version(narrow) > 1


async def _write(gateway: World, group_id: str, name: str) -> bool:
    """Whether it was written: a gateway without one of the shards cannot reach the groups there."""
    try:
        await gateway.write(group_id, name)
    except grpc.aio.AioRpcError as error:
        if error.code() is not Code.NOT_FOUND or Refusal(error).reason != "SHARD_UNKNOWN":
            raise
        return False
    return True

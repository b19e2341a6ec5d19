"""What the shards and the catalog say of where groups are, and further gateways that ask them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from drivers.deadline import Deadline
from drivers.fence import Engine
from gateway.assembly import make_driver
from gateway.settings.fleet import ShardSettings
from tests.integration.faults import engines
from tests.integration.faults.world import PATIENT_S, Fleet, HeldEmbedder, World, client_of, gateway_over


@asynccontextmanager
async def gateway_of(fleet: Fleet, prefix: str = "graphgate", without: str = "") -> AsyncGenerator[World]:
    """Another gateway; `without` one of the shards, so that its ring is another one."""
    settings = fleet.settings(prefix)
    kept = tuple(shard for shard in settings.shards if shard.id != without)
    embedder = HeldEmbedder()
    async with (
        gateway_over(settings.model_copy(update={"shards": kept}), embedder) as gateway,
        client_of(gateway) as client,
    ):
        yield World(fleet, gateway, client, embedder)


async def recorded(fleet: Fleet, group_ids: Sequence[str], prefix: str = "graphgate") -> list[bool]:
    """Whether the catalog has a placement record, by group."""
    async with engines.beside(fleet.catalog) as client:
        return [bool(await client.exists(f"{prefix}:group:{group_id}")) for group_id in group_ids]


async def owners(fleet: Fleet) -> dict[str, list[str]]:
    """The shards that own each group, as their own fences say."""
    found: dict[str, list[str]] = {}
    for shard_id, process in fleet.processes.items():
        engine = Engine(shard_id.partition("-")[0].upper())
        settings = {"id": shard_id, "engine": engine.lower(), "url": process.url}
        driver = make_driver(engine, ShardSettings.model_validate(settings))
        await driver.open()
        try:
            marker = await driver.read_marker(Deadline.after(PATIENT_S))
            assert marker is not None
            driver.use_marker(marker)
            after = ""
            while page := await driver.list_fences(after, 500, Deadline.after(PATIENT_S)):
                for fence in page:
                    found.setdefault(fence.group_id, []).append(shard_id)
                after = page[-1].group_id
        finally:
            await driver.close()
    return found

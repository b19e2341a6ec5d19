"""The state at the end: rows through the gateways, fences and operation records from every shard directly."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import POOLED, Engine, Fence, GroupRef
from drivers.graph_model import Kind
from drivers.write_plan import ImageRequest
from gateway.assembly import make_driver
from gateway.embedded import EmbeddedFleet
from gateway.loopback.client import GatewayClient
from gateway.settings.fleet import ShardSettings
from graphgate.v1 import graph_service_pb2
from shard_router.fleet_identity import FleetIdentity
from tests.robustness.model.history import GroupSeen, RowSeen, WriteHistory
from tests.robustness.traffic.requests import entity_seen, fact_seen

_CALL_S_MAX = 30.0
_AT_ONCE_MAX = 8
_PAGE_MAX = 500
_ATTEMPTS_MAX = 5


@dataclass(frozen=True, slots=True)
class Observation:
    groups: Mapping[str, GroupSeen]
    """Every group of the history, and every other one that a shard owns."""
    homes: Mapping[str, str]
    """Root home of each group of the history."""
    shards: Mapping[str, str]
    """Where each group is: its owner, or the shard that its register points to."""


class StillWriting(Exception):
    """The fences kept changing while they were read."""

    def __init__(self) -> None:
        super().__init__(
            "groups were still written to after the traffic had ended; look at the gateways' logs"
        )


async def observe(
    fleet: EmbeddedFleet, gateways: Sequence[GatewayClient], writes: Sequence[WriteHistory]
) -> Observation:
    """Everything must run and nobody write. Raises StillWriting, ShardError and AioRpcError."""
    async with open_drivers(fleet) as drivers:
        marker = await next(iter(drivers.values())).read_marker(Deadline.after(_CALL_S_MAX))
        assert marker is not None, "the fleet was founded"
        identity = FleetIdentity.of(marker)
        for _ in range(_ATTEMPTS_MAX):
            before = await _owning_fences(drivers)
            groups = await _groups(drivers, gateways, writes, before)
            if before == await _owning_fences(drivers):
                break
        else:
            raise StillWriting
        homes = {history.write.group_id: identity.home_of(history.write.group_id) for history in writes}
        pointers = await _pointers(drivers, homes, groups)
    owners = {group_id: seen.owners[0] for group_id, seen in groups.items() if seen.owners}
    return Observation(groups, homes, pointers | owners)


@asynccontextmanager
async def open_drivers(fleet: EmbeddedFleet) -> AsyncGenerator[Mapping[str, ShardDriver]]:
    """A driver for each shard, by its id. Raises ShardError."""
    drivers: dict[str, ShardDriver] = {}
    try:
        for shard in fleet.shards:
            settings = ShardSettings.model_validate(
                {"id": shard.id, "engine": shard.engine, "url": shard.url}
            )
            driver = make_driver(Engine(shard.engine.upper()), settings)
            await driver.open()
            drivers[shard.id] = driver
            marker = await driver.read_marker(Deadline.after(_CALL_S_MAX))
            assert marker is not None, f"shard {shard.id} has a marker"
            driver.use_marker(marker)
        yield drivers
    finally:
        for driver in drivers.values():
            await driver.close()


async def _owning_fences(drivers: Mapping[str, ShardDriver]) -> dict[str, dict[str, Fence]]:
    """By group and shard."""
    found: dict[str, dict[str, Fence]] = {}
    for shard_id, driver in drivers.items():
        after = ""
        while page := await driver.list_fences(after, _PAGE_MAX, Deadline.after(_CALL_S_MAX)):
            for fence in page:
                found.setdefault(fence.group_id, {})[shard_id] = fence
            after = page[-1].group_id
    return found


async def _groups(
    drivers: Mapping[str, ShardDriver],
    gateways: Sequence[GatewayClient],
    writes: Sequence[WriteHistory],
    fences: Mapping[str, Mapping[str, Fence]],
) -> dict[str, GroupSeen]:
    operations: dict[str, list[str]] = {}
    for history in writes:
        operations.setdefault(history.write.group_id, []).append(history.write.op_id)
    places = asyncio.Semaphore(_AT_ONCE_MAX)

    async def see(number: int, group_id: str) -> GroupSeen:
        owners = fences.get(group_id, {})
        if not owners:
            return GroupSeen(())
        shard_id, fence = next(iter(owners.items()))
        async with places:
            return GroupSeen(
                owners=tuple(sorted(owners)),
                version=fence.version,
                rows=await _rows(gateways[number % len(gateways)], group_id, fence.version),
                operations=await _records(drivers[shard_id], fence, operations.get(group_id, ())),
                rows_counted=fence.stats[Kind.ENTITY].rows + fence.stats[Kind.FACT].rows,
            )

    group_ids = sorted({*operations, *fences})
    async with asyncio.TaskGroup() as tasks:
        seen = [tasks.create_task(see(number, group_id)) for number, group_id in enumerate(group_ids)]
    return {group_id: task.result() for group_id, task in zip(group_ids, seen, strict=True)}


async def _rows(gateway: GatewayClient, group_id: str, version: int) -> dict[str, RowSeen]:
    """Entities and facts by uuid."""
    rows: dict[str, RowSeen] = {}
    entities = graph_service_pb2.ListEntitiesRequest(
        group_id=group_id, page_size=_PAGE_MAX, min_version=version
    )
    while True:
        page = await gateway.graph.ListEntities(entities, timeout=_CALL_S_MAX)
        rows |= {entity.uuid: entity_seen(entity) for entity in page.entities}
        if not page.next_page_token:
            break
        entities.page_token = page.next_page_token
    facts = graph_service_pb2.ListFactsRequest(group_id=group_id, page_size=_PAGE_MAX, min_version=version)
    while True:
        found = await gateway.graph.ListFacts(facts, timeout=_CALL_S_MAX)
        rows |= {fact.uuid: fact_seen(fact) for fact in found.facts}
        if not found.next_page_token:
            return rows
        facts.page_token = found.next_page_token


async def _records(driver: ShardDriver, fence: Fence, op_ids: Sequence[str]) -> dict[str, int]:
    ref = GroupRef(fence.group_id, fence.space)
    versions: dict[str, int] = {}
    for op_id in op_ids:
        asked = ImageRequest(op_id, rows={}, endpoints={}, cascades={})
        record = (await driver.read_images(ref, asked, Deadline.after(_CALL_S_MAX))).operation
        if record is not None:
            versions[op_id] = record.version
    return versions


async def _pointers(
    drivers: Mapping[str, ShardDriver], homes: Mapping[str, str], groups: Mapping[str, GroupSeen]
) -> dict[str, str]:
    """Of the groups that nobody owns: where their register says that they were to be made."""
    pointers: dict[str, str] = {}
    for group_id, home in homes.items():
        if not groups[group_id].owners:
            ref = GroupRef(group_id, POOLED)
            fence = (await drivers[home].read_fences([ref], Deadline.after(_CALL_S_MAX))).get(group_id)
            if fence is not None and fence.moved_to:
                pointers[group_id] = fence.moved_to
    return pointers

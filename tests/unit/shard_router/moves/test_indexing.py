"""Vector slots of a group that arrives: a move waits for them, and not for ever."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from drivers.deadline import Deadline
from drivers.fence import EmbeddingSpec, Engine, GroupRef
from drivers.graph_model import Kind
from drivers.vector_slots import SlotBacklog, VectorSlot
from shard_router.moves.indexing import SLOT_ATTEMPTS_MAX
from shard_router.moves.record import MovePhase, MoveRecord, MoveRequest
from shard_router.slot_policy import SlotPolicy
from tests.contract.rows import entity, random_vector
from tests.contract.tenant import Tenant
from tests.eventually import eventually
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import configured, marker, running, soon
from tests.unit.shard_router.moves.memory_store import MemoryMoveStore
from tests.unit.shard_router.moves.test_moves import QUICK, Gateway

ROWS = 20
SLOTS = SlotPolicy(rows_min={Engine.FALKORDB: ROWS, Engine.NEO4J: ROWS}, slots_max=3)
INDEXED = replace(QUICK, indexes_first=True, slots=SLOTS, persist_s=60.0)


@dataclass(slots=True)
class Losses:
    left: int = 0


class LosingDriver(FaultyDriver):
    """Somebody drops a slot whenever it is about to be complete, `losses.left` times."""

    def __init__(self, shard_id: str, losses: Losses) -> None:
        super().__init__(shard_id)
        self._losses = losses

    async def advance_slot(
        self, slot: VectorSlot, backlog: SlotBacklog, deadline: Deadline
    ) -> VectorSlot | None:
        if self._losses.left:
            self._losses.left -= 1
            await self.drop_slot(slot, deadline)
        return await super().advance_slot(slot, backlog, deadline)


@dataclass(slots=True)
class World:
    gateway: Gateway
    losses: Losses

    async def move(self) -> tuple[MoveRecord, FaultyDriver]:
        """It has ended; its target."""
        source = await self.gateway.group()
        placement = await self.gateway.router.find("g", soon())
        assert placement is not None
        generator = np.random.default_rng(1)
        rows = [entity(f"e{n}", embedding=random_vector(generator, 4)) for n in range(ROWS)]
        await Tenant(self.gateway.drivers[source], placement.ref).write(*rows)
        target = self.gateway.elsewhere(source)
        request = MoveRequest("g", target, reverse_window_s=0)
        record = await self.gateway.moves.begin(request, soon())
        return await self.gateway.until(record.move_id, MovePhase.DONE), self.gateway.drivers[target]


@pytest.fixture
async def world() -> AsyncGenerator[World]:
    losses = Losses()
    drivers: list[FaultyDriver] = [LosingDriver(shard_id, losses) for shard_id in "ab"]
    for driver in drivers:
        driver.marker, driver.has_schema = marker(driver.shard_id), True
    async with running(configured(*drivers)) as fleet:
        made = Gateway(drivers, fleet, MemoryMoveStore(), "gateway-1", INDEXED)
        await made.moves.start()
        yield World(made, losses)
        await made.moves.close()
        await made.router.close()


async def test_the_slots_are_complete_before_the_commit(world: World) -> None:
    record, target = await world.move()
    assert 0 < record.indexed_us <= record.committed_us
    (slot,) = await target.list_slots(soon())
    assert slot.caught_up


async def test_the_record_says_so_while_slots_are_filled(world: World) -> None:
    """Also when it was written just before: a large group's take minutes."""
    store, held = world.gateway.store, asyncio.Event()
    for driver in world.gateway.drivers.values():
        driver.held["fill_slot"] = held
    moving = asyncio.create_task(world.move())
    await eventually(lambda: MovePhase.INDEXING in {record.phase for record in store.records.values()})
    held.set()
    record, _ = await moving
    assert record.indexed_us


async def test_a_slot_that_is_dropped_is_filled_again(world: World) -> None:
    world.losses.left = SLOT_ATTEMPTS_MAX - 1
    record, target = await world.move()
    assert record.indexed_us
    assert target.calls["create_slot"] == SLOT_ATTEMPTS_MAX


async def test_a_slot_that_never_stays_does_not_keep_the_group(world: World) -> None:
    world.losses.left = 1_000_000
    record, target = await world.move()
    assert not record.indexed_us, "there are none"
    assert target.calls["create_slot"] == SLOT_ATTEMPTS_MAX


async def test_a_shard_without_room_for_a_slot_takes_the_group_all_the_same(world: World) -> None:
    spec = EmbeddingSpec("m", 4)
    for driver in world.gateway.drivers.values():
        for number in range(SLOTS.slots_max):
            await driver.create_slot(VectorSlot(GroupRef(f"other-{number}"), Kind.ENTITY, spec), soon())
    record, _ = await world.move()
    assert not record.indexed_us

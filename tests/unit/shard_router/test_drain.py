"""Drains over model shards: every group has one move at a time, none keeps the others, an end is an end."""

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from drivers.deadline import Deadline
from drivers.errors import ShardUnavailable
from drivers.fence import POOLED
from shard_router.clock import SystemClock
from shard_router.errors import GroupIsMoving, MoveRefused
from shard_router.fleet import Fleet
from shard_router.moves.moves import Moves
from shard_router.moves.record import MovePhase, MoveRecord, MoveRequest
from shard_router.moves.settings import MoveSettings
from shard_router.router import Router
from shard_router.shard_link import LinkState
from shard_router.shard_map import ShardState
from shard_router.shards.departures import DepartureSettings
from shard_router.shards.drain import Drains, DrainSettings
from shard_router.shards.history import HistoryEntry
from tests.contract.rows import entity
from tests.contract.tenant import Tenant
from tests.eventually import eventually
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import configured, link_states, marker, running, soon
from tests.unit.shard_router.manual_clock import ManualClock
from tests.unit.shard_router.memory_catalog import MemoryCatalog
from tests.unit.shard_router.moves.memory_store import MemoryMoveStore

LEAVING = "a"
STAYING = ("b", "c", "d")
QUICK = MoveSettings(poll_s=0.01, persist_s=0.0, schema_known_s=0.0)
DEPARTURES = DepartureSettings(moves_max=8, stuck_max=24)


class NoHistory:
    async def append_history(self, entry: HistoryEntry, deadline: Deadline) -> None: ...

    async def list_history(
        self, before: str, limit: int, shard_id: str, deadline: Deadline
    ) -> Sequence[HistoryEntry]:
        return ()

    async def lease(self, name: str, holder: str, seconds: float, deadline: Deadline) -> bool:
        return True


class World:
    """Moves are begun and not worked on until the test starts them."""

    def __init__(self, drivers: list[FaultyDriver], fleet: Fleet, clock: ManualClock) -> None:
        self.drivers = {driver.shard_id: driver for driver in drivers}
        self.fleet = fleet
        self.clock = clock
        self.store = MemoryMoveStore()
        self.router = Router(fleet, MemoryCatalog())
        self.moves = Moves(fleet, self.router, self.store, "gateway-1", QUICK, SystemClock())
        settings = DrainSettings(departures=DEPARTURES)
        self.drains = Drains(fleet, self.moves, NoHistory(), "gateway-1", settings, clock)

    async def groups(self, count: int) -> list[str]:
        """At the shard that is to be drained."""
        found: list[str] = []
        number = 0
        while len(found) < count:
            group_id = f"g{number:04d}"
            number += 1
            if self.fleet.map.placement_ring.shard_of(group_id) == LEAVING:
                placement = await self.router.place(group_id, soon())
                await Tenant(self.drivers[LEAVING], placement.ref).write(entity("one"))
                found.append(group_id)
        return found

    async def set_state(self, state: ShardState) -> None:
        def changed(known):  # pyright: ignore
            info = known.get(LEAVING)
            return known.with_shard(replace(info, state=state))

        await self.fleet.change_map(changed)  # pyright: ignore

    async def rounds(self, count: int) -> None:
        for _ in range(count):
            await self.drains.round()
            self.clock.advance(1)

    @property
    def active(self) -> list[MoveRecord]:
        return [record for record in self.store.records.values() if not record.ended]

    def has_left(self, group_id: str) -> bool:
        group = self.drivers[LEAVING].groups.get((POOLED, group_id))
        return group is None or group.fence is None or not group.fence.owns


@pytest.fixture
async def world() -> AsyncGenerator[World]:
    drivers = [FaultyDriver(shard_id) for shard_id in (LEAVING, *STAYING)]
    for driver in drivers:
        # The leaving one is no root member: no change of the root ring comes between.
        driver.marker = marker(driver.shard_id, root=STAYING)
        driver.has_schema = True
    clock = ManualClock()
    catalog = MemoryCatalog()
    async with running(configured(*drivers), catalog, clock) as fleet:
        await eventually(lambda: fleet.map.version > 0)
        made = World(drivers, fleet, clock)
        yield made
        await made.moves.close()
        await made.router.close()


async def test_a_group_has_one_move_however_long_it_waits(world: World) -> None:
    groups = await world.groups(5)
    await world.set_state(ShardState.DRAINING)
    await world.rounds(60)
    assert Counter(record.group_id for record in world.store.records.values()) == Counter(groups)
    with pytest.raises(GroupIsMoving):
        await world.moves.begin(MoveRequest(groups[0], "b"), soon())


async def test_so_many_moves_wait_at_once_and_all_groups_leave(world: World) -> None:
    groups = await world.groups(30)
    await world.set_state(ShardState.DRAINING)
    await world.rounds(20)
    assert len(world.active) == DEPARTURES.moves_max
    await world.moves.start()

    async def all_left() -> bool:
        await world.rounds(1)
        assert sum(1 for record in world.active if record.holds_group) <= DEPARTURES.moves_max
        return all(world.has_left(group_id) for group_id in groups)

    await eventually(all_left)
    assert len(world.store.records) == len(groups)


async def test_the_end_of_a_drain_ends_its_moves(world: World) -> None:
    """At once, though nobody works on them; one that somebody else has asked for goes on."""
    groups = await world.groups(5)
    asked = await world.moves.begin(MoveRequest(groups[0], "b"), soon())
    await world.set_state(ShardState.DRAINING)
    await world.rounds(3)
    assert len(world.active) == 5
    await world.set_state(ShardState.ACTIVE)
    await world.rounds(1)
    assert [record.move_id for record in world.active] == [asked.move_id]
    assert {r.phase for r in world.store.records.values() if r.ended} == {MovePhase.CANCELLED}
    await world.moves.start()
    await eventually(lambda: world.store.records[asked.move_id].committed)
    assert [world.has_left(group_id) for group_id in groups] == [True, False, False, False, False]


async def test_a_gateway_that_had_not_heard_of_the_end_is_made_up_for(world: World) -> None:
    (group_id,) = await world.groups(1)
    await world.rounds(1)
    request = MoveRequest(group_id, "b", request_id=f"drain:{LEAVING}:late", reverse_window_s=0)
    late = await world.moves.begin(request, soon())
    await world.rounds(1)
    assert not world.store.records[late.move_id].ended, "it is looked at now and then"
    world.clock.advance(60)
    await world.rounds(1)
    assert world.store.records[late.move_id].phase is MovePhase.CANCELLED


async def test_a_drain_that_is_begun_again_moves_what_was_cancelled(world: World) -> None:
    groups = await world.groups(3)
    for state in (ShardState.DRAINING, ShardState.ACTIVE, ShardState.DRAINING):
        await world.set_state(state)
        await world.rounds(2)
    assert sorted(record.group_id for record in world.active) == groups


async def test_groups_that_cannot_leave_keep_no_others(world: World) -> None:
    """More than may leave at once, and first in order, cannot go where they should: the others leave, and
    these go elsewhere afterwards."""
    groups = await world.groups(40)
    ring = world.fleet.map.placement_ring_without(frozenset({LEAVING}))
    to_b = [group_id for group_id in groups if ring.shard_of(group_id) == "b"]
    assert len(to_b) > DEPARTURES.moves_max
    world.drivers["b"].faults["describe_schema"] = ShardUnavailable("b", "the test says so")
    await world.set_state(ShardState.DRAINING)
    await world.moves.start()

    async def others_left() -> bool:
        await world.drains.round()
        return all(world.has_left(group_id) for group_id in groups if group_id not in to_b)

    await eventually(others_left)
    assert "the test says so" in world.drains.progress(LEAVING).problem

    async def all_left() -> bool:
        await world.rounds(1)
        return all(world.has_left(group_id) for group_id in groups)

    await eventually(all_left)
    await world.rounds(3)
    assert not world.drains.progress(LEAVING).problem
    assert {record.target_shard for record in world.store.records.values()} == {"c", "d"}


async def test_moves_to_a_shard_that_goes_away_keep_no_others(world: World) -> None:
    groups = await world.groups(40)
    await world.set_state(ShardState.DRAINING)
    await world.rounds(2)
    waiting = {record.group_id for record in world.active}
    assert len(waiting) == DEPARTURES.moves_max
    for shard_id in ("b", "c"):
        world.drivers[shard_id].down = True

    async def is_seen() -> bool:
        world.clock.advance(5)
        states = link_states(world.fleet)
        return states["b"] is not LinkState.READY and states["c"] is not LinkState.READY

    await eventually(is_seen)
    await world.rounds(40)
    more = [record for record in world.active if record.group_id not in waiting]
    assert more, "those that were begun do not get on"
    assert {record.target_shard for record in more} == {"d"}
    to_d = sum(1 for record in world.active if record.target_shard == "d")
    assert to_d == DEPARTURES.moves_max
    assert len(groups) > len(world.active)


async def test_a_group_whose_moves_fail_is_tried_less_and_less(world: World) -> None:
    (group_id,) = await world.groups(1)
    await world.set_state(ShardState.DRAINING)
    tries: list[float] = []
    for _ in range(600):
        before = len(world.store.records)
        await world.rounds(1)
        if len(world.store.records) > before:
            tries.append(world.clock.now_s)
            # Whoever cancels it wants something else; and it is no drain's.
            await world.moves.cancel(next(iter(world.active)).move_id, soon())
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert 5 < len(tries) < 15
    assert pauses[-1] > 4 * pauses[0]
    assert f"group {group_id} is still there" in world.drains.progress(LEAVING).problem
    assert {r.target_shard for r in world.store.records.values()} <= set(STAYING)
    assert len({r.target_shard for r in world.store.records.values()}) > 1


async def test_a_move_asked_for_from_a_shard_moves_no_group_that_is_elsewhere(world: World) -> None:
    (group_id,) = await world.groups(1)
    with pytest.raises(MoveRefused, match=f"it is at shard {LEAVING}, not at c"):
        await world.moves.begin(MoveRequest(group_id, "b", from_shard="c"), soon())

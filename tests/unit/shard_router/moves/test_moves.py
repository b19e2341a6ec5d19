"""Moves as a gateway offers them, over model shards and a catalog in memory."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from drivers.contract import ShardDriver
from drivers.fence import POOLED, Engine, Fence, FenceState
from shard_router.clock import SystemClock
from shard_router.errors import (
    CatalogUnavailable,
    GroupIsMoving,
    GroupNotFound,
    MoveCommitted,
    MoveNotCommitted,
    MoveNotFound,
    MoveNotReversible,
    MoveRefused,
    ShardUnknown,
    TargetNotReady,
)
from shard_router.fleet import Fleet
from shard_router.moves.moves import Moves
from shard_router.moves.record import MovePhase, MoveRecord, MoveRequest, ToSpace
from shard_router.moves.settings import MoveSettings
from shard_router.placement import Placement
from shard_router.router import Router
from tests.contract.rows import entity
from tests.contract.tenant import Tenant
from tests.eventually import eventually
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import configured, founded, running, soon
from tests.unit.shard_router.memory_catalog import MemoryCatalog
from tests.unit.shard_router.moves.memory_store import MemoryMoveStore

QUICK = MoveSettings(poll_s=0.01, persist_s=0.0, schema_known_s=0.0)


class Gateway:
    def __init__(
        self,
        drivers: list[FaultyDriver],
        fleet: Fleet,
        store: MemoryMoveStore,
        name: str,
        settings: MoveSettings = QUICK,
    ) -> None:
        self.drivers = {driver.shard_id: driver for driver in drivers}
        self.fleet = fleet
        self.store = store
        self.catalog = MemoryCatalog()
        self.router = Router(fleet, self.catalog)
        self.moves = Moves(fleet, self.router, store, name, settings, SystemClock())

    async def group(self, group_id: str = "g") -> str:
        """A group with a row; the shard that it is at."""
        placement = await self.router.place(group_id, soon())
        await Tenant(self.drivers[placement.shard_id], placement.ref).write(entity("one"))
        return placement.shard_id

    def elsewhere(self, shard_id: str) -> str:
        return next(other for other in self.drivers if other != shard_id)

    async def until(self, move_id: str, *phases: MovePhase) -> MoveRecord:
        await eventually(lambda: self.store.records[move_id].phase in phases)
        return self.store.records[move_id]

    def fence(self, shard_id: str, space: str = POOLED, group_id: str = "g") -> Fence | None:
        group = self.drivers[shard_id].groups.get((space, group_id))
        return None if group is None else group.fence


@pytest.fixture
async def gateway() -> AsyncGenerator[Gateway]:
    drivers = founded("a", "b", "c")
    for driver in drivers:
        driver.has_schema = True
    async with running(configured(*drivers)) as fleet:
        made = Gateway(drivers, fleet, MemoryMoveStore(), "gateway-1")
        await made.moves.start()
        yield made
        await made.moves.close()
        await made.router.close()


async def test_a_group_moves_and_everybody_is_told(gateway: Gateway) -> None:
    source = await gateway.group()
    target = gateway.elsewhere(source)
    record = await gateway.moves.begin(MoveRequest("g", target, reverse_window_s=0), soon())
    ended = await gateway.until(record.move_id, MovePhase.DONE)
    assert ended.rows_copied == ended.rows_total + 1, "a row and an operation record"
    assert len(ended.pauses_us) == 1
    there = gateway.fence(target)
    assert there is not None
    assert (there.state, there.move_id) == (FenceState.OPEN, "")
    assert gateway.catalog.placements["g"] == Placement("g", target, POOLED, there.epoch)
    left = gateway.fence(source)
    assert left is not None
    assert left.state is FenceState.TOMB
    home = gateway.fence(gateway.fleet.home_of("g"))
    assert home is not None
    assert home.owns or home.moved_to == target


async def test_a_small_group_costs_few_records(gateway: Gateway) -> None:
    gateway.moves._runner._settings = replace(QUICK, persist_s=60.0)  # pyright: ignore[reportPrivateUsage]
    source = await gateway.group()
    before = gateway.store.writes
    record = await gateway.moves.begin(
        MoveRequest("g", gateway.elsewhere(source), reverse_window_s=0), soon()
    )
    await gateway.until(record.move_id, MovePhase.DONE)
    assert gateway.store.writes - before == 3, "it is asked for, cleans up, has ended"


async def test_the_same_request_is_one_move(gateway: Gateway) -> None:
    source = await gateway.group()
    request = MoveRequest("g", gateway.elsewhere(source), reverse_window_s=0, request_id="r")
    first = await gateway.moves.begin(request, soon())
    await gateway.until(first.move_id, MovePhase.DONE)
    assert (await gateway.moves.begin(request, soon())).move_id == first.move_id
    await gateway.group("h")
    with pytest.raises(MoveRefused, match="request_id r belongs to"):
        await gateway.moves.begin(replace(request, group_id="h"), soon())


async def test_what_cannot_be_moved_is_refused(gateway: Gateway) -> None:
    source = await gateway.group()
    target = gateway.elsewhere(source)
    with pytest.raises(GroupNotFound):
        await gateway.moves.begin(MoveRequest("nobody", target), soon())
    with pytest.raises(ShardUnknown, match="the fleet has no shard nowhere"):
        await gateway.moves.begin(MoveRequest("g", "nowhere"), soon())
    with pytest.raises(MoveRefused, match="already"):
        await gateway.moves.begin(MoveRequest("g", source), soon())
    gateway.drivers[target].has_schema = False
    with pytest.raises(TargetNotReady):
        await gateway.moves.begin(MoveRequest("g", target), soon())
    gateway.store.down = True
    with pytest.raises(CatalogUnavailable):
        await gateway.moves.begin(MoveRequest("g", target, request_id="r"), soon())


async def test_a_group_that_is_moving_is_not_moved(gateway: Gateway) -> None:
    source = await gateway.group()
    target = gateway.elsewhere(source)
    gateway.drivers[target].held["take_in"] = asyncio.Event()
    record = await gateway.moves.begin(MoveRequest("g", target), soon())
    await eventually(lambda: gateway.drivers[target].calls["take_in"] > 0)
    with pytest.raises(GroupIsMoving):
        await gateway.moves.begin(MoveRequest("g", target, ToSpace.OWN), soon())
    gateway.drivers[target].held.pop("take_in").set()
    await gateway.until(record.move_id, MovePhase.REVERSIBLE)


async def test_a_move_is_cancelled_before_its_commit_and_not_after(gateway: Gateway) -> None:
    source = await gateway.group()
    target = gateway.elsewhere(source)
    held = asyncio.Event()
    gateway.drivers[target].held["take_in"] = held
    record = await gateway.moves.begin(MoveRequest("g", target, ToSpace.OWN), soon())
    await eventually(lambda: gateway.drivers[target].calls["take_in"] > 0)
    with pytest.raises(MoveNotCommitted):
        await gateway.moves.finish(record.move_id, soon())
    with pytest.raises(MoveNotReversible):
        await gateway.moves.reverse(record.move_id, soon())
    assert (await gateway.moves.cancel(record.move_id, soon())).cancel_requested
    del gateway.drivers[target].held["take_in"]
    held.set()
    await gateway.until(record.move_id, MovePhase.CANCELLED)
    here = gateway.fence(source)
    assert here is not None
    assert (here.state, here.move_id) == (FenceState.OPEN, "")
    assert not gateway.drivers[target].spaces
    done = await gateway.moves.begin(MoveRequest("g", target), soon())
    await gateway.until(done.move_id, MovePhase.REVERSIBLE)
    with pytest.raises(MoveCommitted):
        await gateway.moves.cancel(done.move_id, soon())
    with pytest.raises(MoveNotFound):
        await gateway.moves.cancel("nothing", soon())


async def test_a_cancel_ends_a_verification(gateway: Gateway) -> None:
    """Of a large group it takes minutes: it stops at the next page."""
    source = await gateway.group()
    target = gateway.elsewhere(source)
    placement = await gateway.router.find("g", soon())
    assert placement is not None
    await Tenant(gateway.drivers[source], placement.ref).write(*(entity(f"e{n}") for n in range(300)))
    held = asyncio.Event()
    gateway.drivers[target].held["read_page"] = held
    record = await gateway.moves.begin(MoveRequest("g", target), soon())
    await eventually(lambda: gateway.drivers[target].calls["read_page"] > 0)
    await gateway.moves.cancel(record.move_id, soon())
    del gateway.drivers[target].held["read_page"]
    held.set()
    await gateway.until(record.move_id, MovePhase.CANCELLED)
    assert gateway.drivers[target].calls["read_page"] == 1


async def test_a_move_is_reversed_within_its_window(gateway: Gateway) -> None:
    source = await gateway.group()
    target = gateway.elsewhere(source)
    there = await gateway.moves.begin(MoveRequest("g", target, reverse_window_s=600), soon())
    await gateway.until(there.move_id, MovePhase.REVERSIBLE)
    placement = await gateway.router.find("g", soon())
    assert placement is not None
    await Tenant(gateway.drivers[target], placement.ref, placement.epoch).write(entity("two"))
    back = await gateway.moves.reverse(there.move_id, soon())
    ended = await gateway.until(back.move_id, MovePhase.REVERSIBLE)
    assert ended.rows_copied == 2, "the new row and its operation record"
    await gateway.until(there.move_id, MovePhase.REVERSIBLE)
    await gateway.moves.finish(back.move_id, soon())
    await gateway.until(back.move_id, MovePhase.DONE)
    await gateway.until(there.move_id, MovePhase.DONE)
    owner = gateway.fence(source)
    assert owner is not None
    assert owner.owns
    with pytest.raises(MoveNotReversible):
        await gateway.moves.reverse(there.move_id, soon())


async def test_a_move_whose_gateway_died_goes_on_at_another_one(gateway: Gateway) -> None:
    source = await gateway.group()
    target = gateway.elsewhere(source)
    held = asyncio.Event()
    gateway.drivers[target].held["take_in"] = held
    record = await gateway.moves.begin(MoveRequest("g", target, reverse_window_s=0), soon())
    await eventually(lambda: gateway.drivers[target].calls["take_in"] > 0)
    await gateway.moves.close()
    assert not gateway.store.leases
    del gateway.drivers[target].held["take_in"]
    other = Moves(gateway.fleet, gateway.router, gateway.store, "gateway-2", QUICK, SystemClock())
    await other.start()
    ended = await gateway.until(record.move_id, MovePhase.DONE)
    assert ended.coordinator == "gateway-2"
    await other.close()


async def test_lost_records_are_made_again(gateway: Gateway) -> None:
    source = await gateway.group()
    target = gateway.elsewhere(source)
    held = asyncio.Event()
    gateway.drivers[target].held["take_in"] = held
    record = await gateway.moves.begin(MoveRequest("g", target, reverse_window_s=0), soon())
    await eventually(lambda: gateway.drivers[target].calls["take_in"] > 0)
    await gateway.moves.close()
    gateway.store.records.clear()
    gateway.store.due_at_us.clear()
    del gateway.drivers[target].held["take_in"]
    settings = replace(QUICK, adopted_window_s=0.0)
    other = Moves(gateway.fleet, gateway.router, gateway.store, "gateway-2", settings, SystemClock())
    await other.start()
    await eventually(lambda: record.move_id in gateway.store.records)
    await gateway.until(record.move_id, MovePhase.DONE)
    assert await gateway.router.find("g", soon()) is not None
    await other.close()


async def test_moves_wait_for_their_turn(gateway: Gateway) -> None:
    """Not more than a few at once, and all come to their end."""
    at: dict[str, str] = {}
    for number in range(12):
        at[f"g{number}"] = await gateway.group(f"g{number}")
    records = [
        await gateway.moves.begin(MoveRequest(g, gateway.elsewhere(s), reverse_window_s=0), soon())
        for g, s in at.items()
    ]
    for record in records:
        await gateway.until(record.move_id, MovePhase.DONE)
    listed = await gateway.moves.list("", 5, soon())
    more = await gateway.moves.list(listed[-1].move_id, 50, soon())
    assert {record.move_id for record in (*listed, *more)} == {record.move_id for record in records}
    assert not await gateway.moves.list("", 50, soon(), active_only=True)


async def test_neo4j_has_no_space_of_its_own_for_a_group() -> None:
    drivers: list[ShardDriver] = [FaultyDriver("a"), FaultyDriver("n", Engine.NEO4J)]
    async with running(configured(*drivers)) as fleet:
        router = Router(fleet, None)
        moves = Moves(fleet, router, MemoryMoveStore(), "gateway-1", QUICK)
        group_id = next(g for g in map(str, range(100)) if fleet.map.placement_ring.shard_of(g) == "a")
        await router.place(group_id, soon())
        with pytest.raises(MoveRefused, match="no space for one group"):
            await moves.begin(MoveRequest(group_id, "n", ToSpace.OWN), soon())
        assert fleet.map.get("n") is not None
        await router.close()

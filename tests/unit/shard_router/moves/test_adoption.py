"""Moves whose records the catalog has lost: found by the fences, told of, and brought to their end."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from drivers.errors import GraphgateError, ShardUnavailable
from drivers.fence import POOLED, FenceState
from shard_router.catalog_check.check import CatalogCheck
from shard_router.catalog_check.findings import CheckReport, Finding, FindingKind
from shard_router.clock import SystemClock
from shard_router.fleet import Fleet
from shard_router.frozen_groups import FrozenSettings
from shard_router.moves.adoption import LEASE
from shard_router.moves.moves import Moves
from shard_router.moves.record import MovePhase, MoveRecord, MoveRequest, record_id
from shard_router.moves.settings import MoveSettings
from shard_router.placement import Placement
from shard_router.router import Router, RouterSettings
from tests.contract.rows import entity
from tests.contract.tenant import Tenant
from tests.eventually import eventually
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import configured, founded, running, soon
from tests.unit.shard_router.memory_catalog import MemoryCatalog
from tests.unit.shard_router.moves.memory_store import MemoryMoveStore

SETTINGS = MoveSettings(
    poll_s=0.01, persist_s=0.0, schema_known_s=0.0, adoption_pause_s=0.05, adoption_lease_s=0.06
)
NEVER_S = 1e6
UNSWEPT = replace(SETTINGS, adoption_pause_s=NEVER_S, adoption_lease_s=NEVER_S)
"""One look when the gateway starts, no other."""


class World:
    def __init__(self, drivers: list[FaultyDriver], fleet: Fleet) -> None:
        self.drivers = {driver.shard_id: driver for driver in drivers}
        self.fleet = fleet
        self.store = MemoryMoveStore()
        self.catalog = _Records()

    @asynccontextmanager
    async def gateway(
        self, name: str, settings: MoveSettings = SETTINGS, router: RouterSettings | None = None
    ) -> AsyncGenerator[tuple[Router, Moves]]:
        router_ = Router(self.fleet, self.catalog, router)
        moves = Moves(self.fleet, router_, self.store, name, settings, SystemClock())
        await moves.start()
        try:
            yield router_, moves
        finally:
            await moves.close()
            await router_.close()

    def lose_records(self) -> None:
        self.store.records.clear()
        self.store.due_at_us.clear()
        self.store.leases.clear()

    def state(self, shard_id: str) -> FenceState:
        fence = self.drivers[shard_id].groups[POOLED, "g"].fence
        assert fence is not None
        return fence.state

    def rows(self, shard_id: str) -> int:
        return len(self.drivers[shard_id].groups[POOLED, "g"].rows)

    async def until(self, move_id: str, phase: MovePhase) -> MoveRecord:
        await eventually(lambda: move_id in self.store.records and self.store.records[move_id].phase is phase)
        return self.store.records[move_id]

    async def stopped(self, *, window_s: float, is_there: Callable[[str, str], bool]) -> tuple[str, str, str]:
        """A move whose gateway has died and whose record is lost, in the state that `is_there` waits for;
        source, target and move_id."""
        async with self.gateway("gateway-1", UNSWEPT) as (router, moves):
            placement = await router.place("g", soon())
            source = placement.shard_id
            await Tenant(self.drivers[source], placement.ref).write(entity("one"))
            target = next(shard_id for shard_id in self.drivers if shard_id != source)
            request = MoveRequest("g", target, reverse_window_s=window_s)
            move_id = (await moves.begin(request, soon())).move_id
            await eventually(lambda: is_there(source, target))
        self.lose_records()
        for driver in self.drivers.values():
            driver.held.clear()
        return source, target, move_id

    async def copying(self) -> tuple[str, str, str]:
        for driver in self.drivers.values():
            driver.held["take_in"] = asyncio.Event()
        return await self.stopped(
            window_s=0, is_there=lambda _, target: self.drivers[target].calls["take_in"] > 0
        )

    async def frozen(self) -> tuple[str, str, str]:
        source, target, move_id = await self.copying()
        group = self.drivers[source].groups[POOLED, "g"]
        assert group.fence is not None
        group.fence = replace(group.fence, state=FenceState.FROZEN, epoch=group.fence.epoch + 1)
        return source, target, move_id

    async def reversible(self) -> tuple[str, str, str]:
        def is_there(source: str, target: str) -> bool:
            (record,) = self.store.records.values()
            return record.phase is MovePhase.REVERSIBLE

        return await self.stopped(window_s=NEVER_S, is_there=is_there)

    async def report(self, moves: Moves, *, rebuild: bool = False, dry_run: bool = False) -> CheckReport:
        check = CatalogCheck(self.fleet, self.catalog, moves)
        return await (check.rebuild(100, soon(), dry_run=dry_run) if rebuild else check.check(100, soon()))


class _Records(MemoryCatalog):
    """PlacementRecords too."""

    async def scan_placements(self, cursor: int, deadline: object) -> tuple[int, list[Placement]]:
        return 0, list(self.placements.values())


def _lost(shard_id: str) -> GraphgateError:
    return ShardUnavailable(shard_id, "the connection broke")


def lost_moves(report: CheckReport) -> list[Finding]:
    return [found for found in report.findings if found.kind is FindingKind.MOVE_WITHOUT_RECORD]


@pytest.fixture
async def world() -> AsyncGenerator[World]:
    drivers = founded("a", "b", "c")
    for driver in drivers:
        driver.has_schema = True
    async with running(configured(*drivers)) as fleet:
        yield World(drivers, fleet)


async def test_a_group_that_is_left_frozen_goes_on(world: World) -> None:
    source, target, move_id = await world.frozen()
    async with world.gateway("gateway-2", replace(SETTINGS, adopted_window_s=0.0)):
        record = await world.until(move_id, MovePhase.DONE)
    assert (record.source_shard, record.target_shard) == (source, target)
    assert (world.state(source), world.state(target)) == (FenceState.TOMB, FenceState.OPEN)
    assert (world.rows(source), world.rows(target)) == (0, 1)


async def test_a_reverse_window_without_a_record_ends(world: World) -> None:
    source, _, move_id = await world.reversible()
    async with world.gateway("gateway-2", replace(SETTINGS, adopted_window_s=0.05)):
        record = await world.until(move_id, MovePhase.DONE)
    assert record.committed
    assert (world.state(source), world.rows(source)) == (FenceState.TOMB, 0)


async def test_a_window_that_was_lost_begins_anew_and_can_be_ended(world: World) -> None:
    source, target, move_id = await world.reversible()
    async with world.gateway("gateway-2") as (_, moves):
        record = await world.until(move_id, MovePhase.REVERSIBLE)
        assert record.reverse_until_us - record.committed_us == SETTINGS.adopted_window_s * 1e6
        assert (world.state(source), world.rows(source)) == (FenceState.MOVED, 1)
        back = await moves.reverse(move_id, soon())
        await world.until(back.move_id, MovePhase.REVERSIBLE)
        await moves.finish(back.move_id, soon())
        await world.until(back.move_id, MovePhase.DONE)
    assert (world.state(source), world.state(target)) == (FenceState.OPEN, FenceState.TOMB)


async def test_a_copy_that_its_source_gave_up_is_deleted(world: World) -> None:
    """The gateway died between the two, and the record was lost."""
    source, target, move_id = await world.copying()
    group = world.drivers[source].groups[POOLED, "g"]
    assert group.fence is not None
    group.fence = replace(group.fence, move_id="", moved_to="", moved_space="")
    async with world.gateway("gateway-2"):
        await world.until(move_id, MovePhase.CANCELLED)
    assert (world.state(source), world.state(target)) == (FenceState.OPEN, FenceState.TOMB)
    assert world.rows(source) == 1


async def test_one_gateway_at_a_time_looks(world: World) -> None:
    world.store.leases[LEASE] = "gateway-9"
    _, _, move_id = await world.copying()
    world.store.leases[LEASE] = "gateway-9"
    async with world.gateway("gateway-2"):
        before = world.drivers["a"].calls["list_all_fences"]
        await eventually(lambda: world.store.calls["lease"] > 20)
        assert world.drivers["a"].calls["list_all_fences"] == before
        assert not world.store.records
        del world.store.leases[LEASE]
        await world.until(move_id, MovePhase.REVERSIBLE)
    assert LEASE not in world.store.leases, "another one need not wait for it"


async def test_a_shard_that_is_away_keeps_no_other_from_being_looked_at(world: World) -> None:
    source, target, move_id = await world.copying()
    for shard_id in world.drivers.keys() - {source, target}:
        world.drivers[shard_id].down = True
    async with world.gateway("gateway-2"):
        await world.until(move_id, MovePhase.REVERSIBLE)


async def test_writers_that_wait_too_long_wake_the_look(world: World) -> None:
    source, _, move_id = await world.frozen()
    world.store.leases[LEASE] = "gateway-9"
    settings = RouterSettings(frozen=FrozenSettings(stuck_s=0.01))
    async with world.gateway("gateway-2", router=settings) as (router, _):
        placement = Placement("g", source, POOLED, 1)
        await router.learn(placement, soon())
        await router.until_thawed("g", soon())
        await world.until(move_id, MovePhase.REVERSIBLE)


async def test_a_move_that_has_ended_meanwhile_is_not_begun_again(world: World) -> None:
    source, _, _ = await world.copying()
    group = world.drivers[source].groups[POOLED, "g"]
    seen = group.fence
    assert seen is not None
    group.fence = replace(seen, move_id="", moved_to="", moved_space="")
    async with world.gateway("gateway-2", UNSWEPT) as (_, moves):
        await world.until(record_id(seen.move_id), MovePhase.CANCELLED)
        world.lose_records()
        assert await moves.adopt(source, seen, soon()) is None
        assert not world.store.records


@pytest.mark.parametrize(("state", "grave"), [("copying", False), ("frozen", True), ("reversible", False)])
async def test_a_move_without_a_record_is_told_and_rebuilt(world: World, state: str, grave: bool) -> None:
    world.store.leases[LEASE] = "gateway-9"
    source, _, move_id = await getattr(world, state)()
    world.store.leases[LEASE] = "gateway-9"
    async with world.gateway("gateway-2") as (_, moves):
        report = await world.report(moves)
        (told,) = lost_moves(report)
        assert (told.grave, told.group_id, told.shard_ids) == (grave, "g", (source,))
        assert report.clean is not grave
        assert move_id in told.detail
        assert (await world.report(moves, rebuild=True, dry_run=True)).written >= 1
        assert not world.store.records
        report = await world.report(moves, rebuild=True)
        (told,) = lost_moves(report)
        assert not told.grave, "it is mended"
        assert report.written >= 1
        await world.until(move_id, MovePhase.REVERSIBLE)
        assert not lost_moves(await world.report(moves))


async def test_a_rebuild_tells_what_it_could_not_make(world: World) -> None:
    world.store.leases[LEASE] = "gateway-9"
    source, _, _ = await world.frozen()
    world.store.leases[LEASE] = "gateway-9"
    async with world.gateway("gateway-2") as (_, moves):
        world.drivers[source].faults["read_fences"] = _lost(source)
        (told,) = lost_moves(await world.report(moves, rebuild=True))
        assert told.grave
        assert "it was not made anew" in told.detail
        assert not world.store.records


def _bury(world: World, source: str) -> None:
    group = world.drivers[source].groups[POOLED, "g"]
    assert group.fence is not None
    group.fence = replace(group.fence, state=FenceState.TOMB, move_id="")
    assert world.rows(source) == 1


async def test_what_a_forgotten_move_left_behind_is_deleted(world: World) -> None:
    """The record was lost after the source was buried, so that its fence names no move any more."""
    source, target, _ = await world.reversible()
    _bury(world, source)
    async with world.gateway("gateway-2"):
        await eventually(lambda: world.rows(source) == 0)
    assert (world.state(source), world.rows(target)) == (FenceState.TOMB, 1)


async def test_a_buried_group_is_looked_at_once(world: World) -> None:
    """By each gateway: a fleet has one such fence for every group that ever moved away."""
    source, _, _ = await world.reversible()
    _bury(world, source)
    async with world.gateway("gateway-2"):
        await eventually(lambda: world.rows(source) == 0)
        driver = world.drivers[source]
        # The look that finds nothing, and three more.
        looks = driver.calls["list_all_fences"]
        await eventually(lambda: driver.calls["list_all_fences"] >= looks + 2)
        wipes = driver.calls["wipe"]
        await eventually(lambda: driver.calls["list_all_fences"] >= looks + 5)
        assert driver.calls["wipe"] == wipes


async def test_a_record_from_before_the_commit_ends_as_the_move_did(world: World) -> None:
    """The catalog came back with older data after the source was buried: the group is where the move was to
    take it, so the move is done, and what it left behind is deleted."""
    source, target, move_id = await world.reversible()
    _bury(world, source)
    old = MoveRecord(
        move_id=move_id,
        group_id="g",
        source_shard=source,
        source_space="",
        target_shard=target,
        target_space="",
        phase=MovePhase.TAKEN,
        token=1,
    )
    world.store.records[move_id], world.store.due_at_us[move_id] = old, 0
    world.store.leases[LEASE] = "nobody"
    async with world.gateway("gateway-2"):
        record = await world.until(move_id, MovePhase.DONE)
    assert record.committed
    assert not record.error_reason
    assert (world.rows(source), world.rows(target)) == (0, 1)

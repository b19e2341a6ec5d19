"""Whose turn it is at a gateway: moves that cannot get on, or are long in their end, keep no others."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from drivers.deadline import Deadline
from drivers.errors import ShardUnavailable
from drivers.fence import POOLED, Fence, FenceState
from shard_router.backoff import Backoff
from shard_router.clock import SystemClock
from shard_router.fleet import Fleet
from shard_router.moves import runner as runner_module
from shard_router.moves.moves import Moves
from shard_router.moves.record import MovePhase, MoveRecord, MoveRequest
from shard_router.moves.runner import MoveRunner
from shard_router.moves.settings import MoveSettings
from shard_router.router import Router
from tests.contract.rows import entity
from tests.contract.tenant import Tenant
from tests.eventually import eventually
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import configured, founded, running, soon
from tests.unit.shard_router.memory_catalog import MemoryCatalog
from tests.unit.shard_router.moves.memory_store import MemoryMoveStore

AWAY = "the test says so"
ONE = MoveSettings(
    moves_max=1,
    poll_s=0.01,
    persist_s=0.0,
    schema_known_s=0.0,
    failing_s_max=0.05,
    failure_pause=Backoff(first_s=0.01, pause_s_max=0.02),
    rest_pause=Backoff(first_s=0.05, pause_s_max=0.1),
    failures_max=1_000_000,
    cleanup_share=1.0,
)
"""Room for one copy."""


@dataclass(slots=True)
class World:
    drivers: dict[str, FaultyDriver]
    fleet: Fleet
    router: Router
    store: MemoryMoveStore
    made: list[Moves] = field(default_factory=list[Moves])

    def gateway(self, settings: MoveSettings = ONE, store: MemoryMoveStore | None = None) -> Moves:
        name = f"gateway-{len(self.made)}"
        moves = Moves(self.fleet, self.router, store or self.store, name, settings, SystemClock())
        self.made.append(moves)
        return moves

    async def groups(self, shard_id: str, count: int) -> Sequence[str]:
        found: list[str] = []
        for number in range(10_000):
            group_id = f"{shard_id}{number}"
            if self.fleet.map.placement_ring.shard_of(group_id) != shard_id:
                continue
            placement = await self.router.place(group_id, soon())
            await Tenant(self.drivers[shard_id], placement.ref).write(entity("one"))
            found.append(group_id)
            if len(found) == count:
                break
        return found

    async def until(self, record: MoveRecord, *phases: MovePhase) -> MoveRecord:
        await eventually(lambda: self.store.records[record.move_id].phase in phases)
        return self.store.records[record.move_id]

    def fence(self, shard_id: str, group_id: str) -> Fence | None:
        group = self.drivers[shard_id].groups.get((POOLED, group_id))
        return None if group is None else group.fence


@pytest.fixture
async def world() -> AsyncGenerator[World]:
    drivers = founded("a", "b", "c", "d")
    for driver in drivers:
        driver.has_schema = True
    async with running(configured(*drivers)) as fleet:
        router = Router(fleet, MemoryCatalog())
        world = World({driver.shard_id: driver for driver in drivers}, fleet, router, MemoryMoveStore())
        yield world
        for moves in world.made:
            await moves.close()
        await router.close()


def at_once(group_id: str, to_shard: str) -> MoveRequest:
    return MoveRequest(group_id, to_shard, reverse_window_s=0)


# --- moves that cannot get on ---------------------------------------------------------------------


@pytest.mark.parametrize("method", ["read_fences", "take_in", "change_fence"])
async def test_copies_to_a_shard_that_fails_give_their_place_back(world: World, method: str) -> None:
    """And end when it answers again, without having been given up."""
    moves = world.gateway()
    failing = [await moves.begin(at_once(group_id, "b"), soon()) for group_id in await world.groups("a", 3)]
    (other,) = await world.groups("c", 1)
    world.drivers["b"].faults[method] = ShardUnavailable("b", AWAY)
    await moves.start()
    await eventually(lambda: world.drivers["b"].calls[method] > 3)
    done = await moves.begin(at_once(other, "d"), soon())
    await world.until(done, MovePhase.DONE)
    assert not any(world.store.records[record.move_id].ended for record in failing)
    del world.drivers["b"].faults[method]
    for record in failing:
        await world.until(record, MovePhase.DONE)


async def test_a_copy_that_fails_is_given_up_though_it_rests_between(world: World) -> None:
    """Its failures are counted over all its attempts."""
    moves = world.gateway(replace(ONE, failures_max=30))
    (group_id,) = await world.groups("a", 1)
    world.drivers["b"].faults["take_in"] = ShardUnavailable("b", AWAY)
    await moves.start()
    record = await moves.begin(at_once(group_id, "b"), soon())
    ended = await world.until(record, MovePhase.FAILED)
    assert ended.error_reason == "KEEPS_FAILING"
    fence = world.fence("a", group_id)
    assert fence is not None
    assert (fence.state, fence.move_id) == (FenceState.OPEN, "")


async def test_committed_moves_whose_source_fails_give_their_place_back(world: World) -> None:
    moves = world.gateway(replace(ONE, ends_max=1))
    world.drivers["a"].faults["wipe"] = ShardUnavailable("a", AWAY)
    await moves.start()
    stuck = [await moves.begin(at_once(group_id, "b"), soon()) for group_id in await world.groups("a", 3)]
    for record in stuck:
        await world.until(record, MovePhase.CLEANING)
    (other,) = await world.groups("c", 1)
    done = await moves.begin(at_once(other, "d"), soon())
    await world.until(done, MovePhase.DONE)
    assert {world.store.records[record.move_id].phase for record in stuck} == {MovePhase.CLEANING}
    del world.drivers["a"].faults["wipe"]
    for record in stuck:
        await world.until(record, MovePhase.DONE)


async def test_the_rests_of_a_move_grow(world: World) -> None:
    moves = world.gateway(replace(ONE, rest_pause=Backoff(first_s=0.05, pause_s_max=1_000.0)))
    (group_id,) = await world.groups("a", 1)
    world.drivers["b"].faults["take_in"] = ShardUnavailable("b", AWAY)
    await moves.start()
    record = await moves.begin(at_once(group_id, "b"), soon())
    clock = SystemClock()
    await eventually(lambda: world.store.due_at_us[record.move_id] - clock.wall_us() > 400_000)
    assert record.move_id not in world.store.leases, "another gateway may go on"
    # Whoever asks for something is not kept waiting.
    del world.drivers["b"].faults["take_in"]
    await moves.cancel(record.move_id, soon())
    await world.until(record, MovePhase.CANCELLED)


async def test_a_move_with_a_bug_gives_its_place_back(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    moves = world.gateway(replace(ONE, lease_s=1_000.0))
    group_id, other = await world.groups("a", 2)
    read = world.drivers["a"].read_fences

    async def broken(refs: Any, deadline: Deadline) -> Any:
        if [ref.group_id for ref in refs] == [group_id]:
            raise RuntimeError("a bug")
        return await read(refs, deadline)

    record = await moves.begin(at_once(group_id, "b"), soon())
    done = await moves.begin(at_once(other, "b"), soon())
    monkeypatch.setattr(world.drivers["a"], "read_fences", broken)
    await moves.start()
    await world.until(done, MovePhase.DONE)
    assert "unexpected failure" in caplog.text
    monkeypatch.undo()
    await world.until(record, MovePhase.DONE)


# --- ends and cleanups ----------------------------------------------------------------------------


async def test_a_long_cleanup_keeps_no_copy(world: World) -> None:
    moves = world.gateway()
    first, second = await world.groups("a", 2)
    held = world.drivers["a"].held["wipe"] = asyncio.Event()
    await moves.start()
    long = await moves.begin(at_once(first, "b"), soon())
    await eventually(lambda: world.drivers["a"].calls["wipe"] > 0)
    behind = await moves.begin(at_once(second, "b"), soon())
    await eventually(lambda: world.store.records[behind.move_id].committed)
    await world.until(behind, MovePhase.CLEANING)
    assert world.drivers["a"].calls["wipe"] == 1, "one at a time"
    assert world.store.records[long.move_id].phase is MovePhase.CLEANING
    del world.drivers["a"].held["wipe"]
    held.set()
    for record in (long, behind):
        await world.until(record, MovePhase.DONE)


async def test_long_copies_keep_no_end(world: World) -> None:
    """Neither the end of a reverse window nor a cancel waits for room among the copies."""
    moves = world.gateway()
    await moves.start()
    first, second, third = await world.groups("a", 3)
    kept = await moves.begin(MoveRequest(first, "b", reverse_window_s=600), soon())
    await world.until(kept, MovePhase.REVERSIBLE)
    held = world.drivers["c"].held["take_in"] = asyncio.Event()
    long = await moves.begin(at_once(second, "c"), soon())
    await eventually(lambda: world.drivers["c"].calls["take_in"] > 0)
    await moves.finish(kept.move_id, soon())
    await world.until(kept, MovePhase.DONE)
    # One that was begun by a gateway that is gone.
    begun = await moves.begin(at_once(third, "d"), soon())
    world.store.records[begun.move_id] = replace(
        begun, phase=MovePhase.TAKEN, coordinator="gone", revision=begun.revision + 1
    )
    cancelled = await moves.cancel(begun.move_id, soon())
    assert cancelled.phase is MovePhase.TAKEN
    await world.until(begun, MovePhase.CANCELLED)
    assert not world.store.records[long.move_id].ended
    del world.drivers["c"].held["take_in"]
    held.set()
    await world.until(long, MovePhase.DONE)


# --- moves that wait ------------------------------------------------------------------------------


async def test_a_move_that_waits_is_cancelled_at_once(world: World) -> None:
    moves = world.gateway()
    await moves.start()
    first, second = await world.groups("a", 2)
    held = world.drivers["b"].held["take_in"] = asyncio.Event()
    long = await moves.begin(at_once(first, "b"), soon())
    await eventually(lambda: world.drivers["b"].calls["take_in"] > 0)
    waiting = await moves.begin(at_once(second, "b"), soon())
    answered = await moves.cancel(waiting.move_id, soon())
    assert (answered.phase, answered.ended_us > 0) == (MovePhase.CANCELLED, True)
    assert (await moves.cancel(waiting.move_id, soon())).phase is MovePhase.CANCELLED
    again = await moves.begin(at_once(second, "c"), soon())
    del world.drivers["b"].held["take_in"]
    held.set()
    for record in (long, again):
        await world.until(record, MovePhase.DONE)
    assert world.fence("b", second) is None


async def test_a_move_that_was_begun_and_has_not_said_so_is_not_ended_at_once(world: World) -> None:
    """The record is behind the fence: it is given up in order, and nothing stays behind."""
    moves = world.gateway(replace(ONE, persist_s=1_000.0))
    await moves.start()
    (group_id,) = await world.groups("a", 1)
    held = world.drivers["b"].held["take_in"] = asyncio.Event()
    record = await moves.begin(at_once(group_id, "b"), soon())
    await eventually(lambda: world.drivers["b"].calls["take_in"] > 0)
    await moves.close()
    assert world.store.records[record.move_id].phase is MovePhase.PLANNED
    other = world.gateway()
    assert not (await other.cancel(record.move_id, soon())).ended
    del world.drivers["b"].held["take_in"]
    held.set()
    await other.start()
    await world.until(record, MovePhase.CANCELLED)
    fence = world.fence("a", group_id)
    assert fence is not None
    assert (fence.state, fence.move_id) == (FenceState.OPEN, "")


async def test_a_move_that_another_gateway_has_ended_is_not_begun(world: World) -> None:
    """It waits at both; what one of them knew of it then is not what it does."""
    settings = replace(ONE, poll_s=1_000.0)
    moves, other = world.gateway(settings), world.gateway(settings)
    await moves.start()
    first, second = await world.groups("a", 2)
    held = world.drivers["b"].held["take_in"] = asyncio.Event()
    long = await moves.begin(at_once(first, "b"), soon())
    await eventually(lambda: world.drivers["b"].calls["take_in"] > 0)
    waiting = await moves.begin(at_once(second, "b"), soon())
    assert (await other.cancel(waiting.move_id, soon())).phase is MovePhase.CANCELLED
    del world.drivers["b"].held["take_in"]
    held.set()
    await world.until(long, MovePhase.DONE)
    third = await moves.begin(at_once((await world.groups("c", 1))[0], "d"), soon())
    await world.until(third, MovePhase.DONE)
    fence = world.fence("a", second)
    assert fence is not None
    assert (fence.move_id, fence.token) == ("", 0)
    assert world.fence("b", second) is None


async def test_moves_behind_many_that_wait_are_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "DUE_MAX", 2)
    asks = world.gateway()
    held = world.drivers["b"].held["take_in"] = asyncio.Event()
    waiting = [await asks.begin(at_once(group_id, "b"), soon()) for group_id in await world.groups("a", 4)]
    last = await asks.begin(at_once((await world.groups("c", 1))[0], "d"), soon())
    # Those that are due the longest come first.
    for number, record in enumerate((*waiting, last)):
        world.store.due_at_us[record.move_id] = number
    works = world.gateway(replace(ONE, moves_max=2, moves_per_shard_max=1))
    await works.start()
    await world.until(last, MovePhase.DONE)
    del world.drivers["b"].held["take_in"]
    held.set()
    for record in waiting:
        await world.until(record, MovePhase.DONE)


# --- tasks ----------------------------------------------------------------------------------------


async def test_the_looks_for_work_live_through_a_bug(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (group_id,) = await world.groups("a", 1)
    record = await world.gateway().begin(at_once(group_id, "b"), soon())
    works = world.gateway()
    bugs = {"due": 2, "room": 2}
    due, has_room = world.store.due, MoveRunner._has_room  # pyright: ignore[reportPrivateUsage]

    async def broken_due(*given: Any) -> Sequence[str]:
        bugs["due"] -= 1
        if bugs["due"] >= 0:
            raise RuntimeError("a bug in a look")
        return await due(*given)

    def broken_room(runner: MoveRunner, known: MoveRecord) -> bool:
        bugs["room"] -= 1
        if bugs["room"] >= 0:
            raise RuntimeError("a bug in a choice")
        return has_room(runner, known)

    monkeypatch.setattr(world.store, "due", broken_due)
    monkeypatch.setattr(MoveRunner, "_has_room", broken_room)
    with caplog.at_level(logging.ERROR):
        await works.start()
        await works.begin(at_once((await world.groups("c", 1))[0], "d"), soon())
        await world.until(record, MovePhase.DONE)
    assert "a bug in a look" in caplog.text
    assert "a bug in a choice" in caplog.text

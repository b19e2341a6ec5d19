"""A move whose target is away for long, or has left the fleet, or has passed the group on."""

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from drivers.fence import FenceState
from drivers.fence_changes import READY, FenceChange
from shard_router.backoff import Backoff
from shard_router.clock import SystemClock
from shard_router.moves.record import MovePhase, MoveRequest, ToSpace
from tests.eventually import eventually
from tests.unit.shard_router.fleet_of import configured, founded, running, soon
from tests.unit.shard_router.moves.memory_store import MemoryMoveStore
from tests.unit.shard_router.moves.test_moves import QUICK, Gateway

BRIEF = replace(QUICK, drain_s_max=0.05, failure_pause=Backoff(first_s=0.001, pause_s_max=0.01))
FOR_LONG_S = 24 * 3_600.0


@pytest.fixture
async def gateway() -> AsyncGenerator[Gateway]:
    drivers = founded("a", "b", "c")
    for driver in drivers:
        driver.has_schema = True
    async with running(configured(*drivers), clock=SystemClock()) as fleet:
        made = Gateway(drivers, fleet, MemoryMoveStore(), "gateway-1", BRIEF)
        await made.moves.start()
        yield made
        await made.moves.close()
        await made.router.close()


async def _dies(gateway: Gateway, change: FenceChange) -> tuple[str, str, str]:
    """A group whose move stands because its target has died: source, target, move_id."""
    source = await gateway.group()
    target = gateway.elsewhere(source)
    gateway.drivers[target].dies_at = change
    move = await gateway.moves.begin(MoveRequest("g", target, reverse_window_s=0), soon())
    await eventually(lambda: gateway.drivers[target].down)
    gateway.drivers[target].dies_at = None
    return source, target, move.move_id


async def test_writers_are_let_go_while_the_target_is_away(gateway: Gateway) -> None:
    source, target, move_id = await _dies(gateway, READY)

    def is_let_go() -> bool:
        fence = gateway.fence(source)
        return fence is not None and fence.state is FenceState.OPEN

    await eventually(is_let_go)
    assert gateway.drivers[target].down
    gateway.drivers[target].down = False
    assert (await gateway.until(move_id, MovePhase.DONE)).thaws == 1


async def test_a_move_is_cancelled_while_its_target_is_away(gateway: Gateway) -> None:
    """The group is free at once; what is at the target goes when that is back."""
    source, target, move_id = await _dies(gateway, READY)
    await gateway.moves.cancel(move_id, soon())

    def is_free() -> bool:
        fence = gateway.fence(source)
        return fence is not None and (fence.state, fence.move_id) == (FenceState.OPEN, "")

    await eventually(is_free)
    assert gateway.drivers[target].down
    gateway.drivers[target].down = False
    await gateway.until(move_id, MovePhase.CANCELLED)
    assert not gateway.drivers[target].groups["", "g"].rows


async def test_a_group_that_has_moved_on_leaves_no_rows_behind(gateway: Gateway) -> None:
    """The first move's target was a space of its own, and is dropped when the group leaves it."""
    source = await gateway.group()
    second, third = (shard_id for shard_id in gateway.drivers if shard_id != source)
    request = MoveRequest("g", second, to_space=ToSpace.OWN, reverse_window_s=FOR_LONG_S)
    first = await gateway.moves.begin(request, soon())
    await gateway.until(first.move_id, MovePhase.REVERSIBLE)
    onward = await gateway.moves.begin(MoveRequest("g", third, ToSpace.POOLED, reverse_window_s=0), soon())
    await gateway.until(onward.move_id, MovePhase.DONE)
    await gateway.moves.finish(first.move_id, soon())
    assert (await gateway.until(first.move_id, MovePhase.DONE, MovePhase.FAILED)).phase is MovePhase.DONE
    assert not gateway.drivers[source].groups["", "g"].rows
    assert len(gateway.drivers[third].groups["", "g"].rows) == 1


async def test_a_move_ends_whose_target_has_left_the_fleet(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await gateway.group()
    second, third = (shard_id for shard_id in gateway.drivers if shard_id != source)
    first = await gateway.moves.begin(MoveRequest("g", second, reverse_window_s=FOR_LONG_S), soon())
    await gateway.until(first.move_id, MovePhase.REVERSIBLE)
    onward = await gateway.moves.begin(MoveRequest("g", third, reverse_window_s=0), soon())
    await gateway.until(onward.move_id, MovePhase.DONE)
    monkeypatch.setattr(gateway.fleet, "has_left", lambda shard_id: shard_id == second)  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType]
    gateway.drivers[second].down = True
    await gateway.moves.finish(first.move_id, soon())
    assert (await gateway.until(first.move_id, MovePhase.DONE, MovePhase.FAILED)).phase is MovePhase.DONE
    assert not gateway.drivers[source].groups["", "g"].rows

"""What a change of the root ring and the end of a shard ask of every driver."""

import asyncio
import time
from dataclasses import replace

import pytest

from drivers.contract import ShardDriver
from drivers.errors import RegisterClosed
from drivers.fence import Fence, FenceState, GroupRef, RootMember
from drivers.register_gate import RegisterGate, being_replaced, in_force
from tests.contract.rows import new_uuid
from tests.contract.tenant import soon


async def test_the_clock_is_that_of_the_server(driver: ShardDriver) -> None:
    """UTC in microseconds; here both run on one machine."""
    before = time.time_ns() // 1_000
    told = await driver.clock_us(soon())
    after = time.time_ns() // 1_000
    assert before - 1_000_000 <= told <= after + 1_000_000


async def test_a_marker_changes_by_compare_and_set(driver: ShardDriver) -> None:
    """Of many changes of one marker one wins; beat and identity stay as they are."""
    seen = await driver.read_marker(soon())
    assert seen is not None
    offered = [
        replace(seen, pending_version=n, pending_ring=(RootMember(f"s{n}", 0.5),)) for n in range(2, 8)
    ]
    answers = await asyncio.gather(*(driver.change_marker(seen, after, soon()) for after in offered))
    won = answers[0]
    assert won in offered
    assert all(answer == won for answer in answers)
    assert won is not None
    removed = await driver.change_marker(won, replace(won, removed=True), soon())
    assert removed is not None
    assert removed == replace(won, removed=True)
    assert await driver.change_marker(removed, seen, soon()) == seen
    assert await driver.read_marker(soon()) == seen


async def test_every_fence_is_listed_whatever_its_state(driver: ShardDriver) -> None:
    """In code point order, in pages of any size, the fences of one group together."""
    base = new_uuid()
    fences = [Fence(f"{base}{n:02}", n, state) for n, state in enumerate(FenceState)]
    for fence in fences:
        await driver.create_fence(fence, soon())
    wanted = [(fence.group_id, fence.epoch, fence.state) for fence in fences]
    for limit in (1, 3, 100):
        listed: list[Fence] = []
        after = base
        while page := await driver.list_all_fences(after, limit, soon()):
            mine = [fence for fence in page if fence.group_id.startswith(base)]
            listed += mine
            if len(mine) < len(page):
                break
            after = page[-1].group_id
        assert [(fence.group_id, fence.epoch, fence.state) for fence in listed] == wanted


async def test_the_gate_closes_for_new_fences_and_opens_again(driver: ShardDriver) -> None:
    """Sealed, it refuses new fences and answers with those that are there; its numbers only grow."""
    gate = await driver.read_gate(soon())
    there = Fence(new_uuid(), 1, FenceState.OPEN)
    await driver.create_fence(there, soon())
    sealed = gate.with_seal(True)
    await driver.raise_gate(sealed, soon())
    try:
        assert await driver.read_gate(soon()) == sealed
        new = Fence(new_uuid(), 1, FenceState.OPEN)
        with pytest.raises(RegisterClosed):
            await driver.create_fence(new, soon())
        assert not await driver.read_fences([GroupRef(new.group_id)], soon())
        assert (await driver.create_fence(there, soon())).group_id == there.group_id
        await driver.raise_gate(gate, soon())
        assert await driver.read_gate(soon()) == sealed
    finally:
        await driver.raise_gate(sealed.with_seal(False), soon())
    assert (await driver.create_fence(new, soon())).group_id == new.group_id


async def test_an_entry_is_made_under_the_right_root_ring_only(driver: ShardDriver) -> None:
    """Whoever names how the register stands is refused when it stands otherwise."""
    gate = await driver.read_gate(soon())
    version = gate.root // 2
    right, wrong = frozenset({gate.root}), frozenset({in_force(version + 1), being_replaced(version + 1)})
    fence = Fence(new_uuid(), 1, FenceState.OPEN)
    with pytest.raises(RegisterClosed):
        await driver.create_fence(fence, soon(), wrong)
    assert (await driver.create_fence(fence, soon(), right)).epoch == 1


async def test_no_fence_slips_past_a_gate_that_closes(driver: ShardDriver) -> None:
    """Once the gate is raised, every fence that was made is listed and none is made after it."""
    gate = await driver.read_gate(soon())
    base = new_uuid()

    async def create(number: int) -> bool:
        try:
            await driver.create_fence(Fence(f"{base}{number:03}", 1, FenceState.OPEN), soon())
        except RegisterClosed:
            return False
        return True

    async def close() -> set[str]:
        await driver.raise_gate(gate.with_seal(True), soon())
        return {fence.group_id for fence in await driver.list_all_fences(base, 1_000, soon())}

    try:
        works = [create(number) for number in range(30)]
        *made, listed = await asyncio.gather(*works[:15], *works[15:], close())
    finally:
        await driver.raise_gate(gate.with_seal(True).with_seal(False), soon())
    assert isinstance(listed, set)
    assert {f"{base}{number:03}" for number, was in enumerate(made) if was} <= listed


def test_sealing_again_outruns_an_opening_that_is_late() -> None:
    """The numbers are ordered as the decisions were."""
    first = RegisterGate().with_seal(True)
    late_opening = first.with_seal(False)
    second = first.with_seal(True)
    assert second.raised(late_opening).sealed

"""Every transition of a fence is one conditional change, as drivers/fence_changes.py has it."""

import asyncio
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import pytest

from drivers.contract import ShardDriver
from drivers.fence import EmbeddingSpec, Fence, FenceState, GroupRef, KindStats
from drivers.fence_changes import (
    FENCE_CHANGES,
    PREPARE,
    READY,
    TAKE,
    Comparison,
    FenceChange,
    Guard,
    Parameter,
    Value,
)
from drivers.fence_codec import FENCE_COLUMNS, decode_fence, encode_embeddings, encode_fence
from drivers.graph_model import KINDS, Kind
from drivers.moving import CURSOR_END, Settlement
from tests.contract.probes import Probe
from tests.contract.tenant import soon

STATS = {kind: KindStats(n + 1, 0) for n, kind in enumerate(KINDS)} | {Kind.FACT: KindStats(7, 90)}
FENCE = Fence(
    group_id="",
    epoch=7,
    state=FenceState.OPEN,
    version=40,
    moved_to="shard-x",
    moved_space="space-x",
    moved_epoch=3,
    token=5,
    move_id="move-a",
    applied=41,
    cursor='ENTITY/a"b\\c',
    last_created_at=1_234,
    prune_floor=11,
    stats=STATS,
    embeddings={Kind.FACT: EmbeddingSpec("m", 3)},
    created_at=99,
)
"""As a fence of any state: with every property set."""

GIVEN: Mapping[str, Value] = {
    "token": 5,
    "move_id": "move-b",
    "to_shard": "shard-y",
    "to_space": "space-y",
    "from_shard": "shard-z",
    "from_space": "space-z",
    "space": "",
    "moved_epoch": 12,
    "owner_epoch": 13,
    "owner_prune_floor": 17,
    "cursor_end": CURSOR_END,
    "cursor_after": "FACT/x y'z",
    "applied": 50,
    "applied_after": 60,
    "version": 40,
    "epoch": 8,
    "last_created_at": 5_678,
    "created_at": 98,
    "embeddings": encode_embeddings({Kind.ENTITY: EmbeddingSpec('m "2"', 4)}),
}


class Case(NamedTuple):
    change: FenceChange
    state: FenceState
    given: Mapping[str, Value]

    def fence(self) -> Fence:
        return replace(FENCE, group_id=f"group-{secrets.token_hex(6)}", state=self.state)


def _fitting(change: FenceChange) -> dict[str, Value]:
    """Values with which every guard holds at FENCE."""
    fence = encode_fence(FENCE)
    given = {name: GIVEN[name] for name in change.parameters if name in GIVEN}
    for guard in change.guards:
        assert isinstance(guard.value, Parameter)
        there = fence[guard.name]
        given[guard.value.name] = there if guard.comparison is not Comparison.LESS else int(there) + 1
    return given


def _breaking(guard: Guard) -> list[Value]:
    """Values with which a guard does not hold at FENCE."""
    there = encode_fence(FENCE)[guard.name]
    match guard.comparison, there:
        case Comparison.EQUAL, str():
            return ["", f"{there}x", f" {there}"]
        case Comparison.EQUAL, int():
            return [there - 1, there + 1]
        case Comparison.LESS, int():
            return [there, there - 1]
        case Comparison.AT_LEAST, int():
            return [there + 1]
        case _:
            raise AssertionError(guard)


def _allowed() -> Iterator[Case]:
    for change in FENCE_CHANGES:
        for state in sorted(change.states):
            yield Case(change, state, _fitting(change))


def _refused() -> Iterator[Case]:
    for change in FENCE_CHANGES:
        for state in FenceState:
            if state not in change.states:
                yield Case(change, state, _fitting(change))
        for guard in change.guards:
            assert isinstance(guard.value, Parameter)
            for value in _breaking(guard):
                yield Case(change, min(change.states), _fitting(change) | {guard.value.name: value})


def _by_change(cases: Iterator[Case]) -> dict[str, list[Case]]:
    by_name: dict[str, list[Case]] = {}
    for case in cases:
        by_name.setdefault(case.change.name, []).append(case)
    return by_name


ALLOWED = _by_change(_allowed())
REFUSED = _by_change(_refused())


def _after(change: FenceChange, fence: Fence, given: Mapping[str, Value]) -> Fence:
    values = change.after(encode_fence(fence), given)
    return decode_fence([values[name] for name in FENCE_COLUMNS])


@pytest.mark.parametrize("name", ALLOWED)
async def test_a_change_that_fits_is_made(driver: ShardDriver, name: str) -> None:
    """The fence is exactly what the rule says, in the answer and for every reader after it."""
    for case in ALLOWED[name]:
        made = await driver.create_fence(case.fence(), soon())
        ref = GroupRef(made.group_id)
        changed = await driver.change_fence(ref, case.change, case.given, soon())
        assert changed.applied
        assert changed.homeless == ()
        assert changed.fence == _after(case.change, made, case.given)
        assert changed.fence != made
        assert await driver.locked_fence(ref, soon()) == changed.fence
        assert await driver.read_fences([ref], soon()) == {ref.group_id: changed.fence}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_change_that_does_not_fit_changes_nothing(driver: ShardDriver, name: str) -> None:
    """In every other state and with every guard broken, one at a time: refused, with the fence as it is."""
    for case in REFUSED[name]:
        made = await driver.create_fence(case.fence(), soon())
        changed = await driver.change_fence(GroupRef(made.group_id), case.change, case.given, soon())
        assert (changed.applied, changed.fence) == (False, made), case
        assert await driver.locked_fence(GroupRef(made.group_id), soon()) == made


@pytest.mark.parametrize("change", [c for c in FENCE_CHANGES if not c.creates], ids=lambda c: c.name)
@pytest.mark.parametrize("space", ["", "space-nobody-made"])
async def test_where_there_is_no_fence_nothing_is_made(
    driver: ShardDriver, probe: Probe, change: FenceChange, space: str
) -> None:
    """A change that does not prepare a target is refused for an unknown group, and leaves no trace."""
    before = await probe.containers()
    ref = GroupRef(f"unknown-{secrets.token_hex(4)}", space)
    changed = await driver.change_fence(ref, change, _fitting(change), soon())
    assert (changed.applied, changed.fence) == (False, None)
    assert await probe.containers() == before


async def test_preparing_makes_the_fence_of_a_target(driver: ShardDriver) -> None:
    """PREPARE of an unknown group: a fence of what it sets, everything else empty or 0; once."""
    ref = GroupRef(f"group-{secrets.token_hex(6)}")
    given = _fitting(PREPARE) | {"token": 1}
    empty = Fence(ref.group_id, 0, FenceState.WIPING, stats=dict.fromkeys(KINDS, KindStats()))
    changed = await driver.change_fence(ref, PREPARE, given, soon())
    assert changed.applied
    assert changed.fence == _after(PREPARE, empty, given)
    again = await driver.change_fence(ref, PREPARE, given, soon())
    assert (again.applied, again.fence) == (False, changed.fence)
    assert await driver.locked_fence(ref, soon()) == changed.fence


async def test_ready_brings_the_statistics(driver: ShardDriver) -> None:
    """With a settlement every count is the given one; without, they stay."""
    other = {kind: KindStats(100 + n, 0) for n, kind in enumerate(KINDS)}
    other |= {Kind.ENTITY: KindStats(3, 8), Kind.SAGA: KindStats()}
    case = Case(READY, FenceState.INCOMING, _fitting(READY))
    made = await driver.create_fence(case.fence(), soon())
    changed = await driver.change_fence(GroupRef(made.group_id), READY, case.given, soon(), Settlement(other))
    assert changed.applied
    assert changed.fence == replace(_after(READY, made, case.given), stats=other)
    refused = await driver.change_fence(GroupRef(made.group_id), READY, case.given, soon(), Settlement(STATS))
    assert (refused.applied, refused.fence) == (False, changed.fence)


async def test_of_many_coordinators_one_takes(driver: ShardDriver) -> None:
    """All with the same token: one has it. With rising ones the greatest has it in the end."""
    made = await driver.create_fence(Case(TAKE, FenceState.OPEN, {}).fence(), soon())
    ref = GroupRef(made.group_id)

    def taking(token: int, shard: str) -> dict[str, Value]:
        return _fitting(TAKE) | {"token": token, "move_id": "move-a", "to_shard": shard}

    answers = await asyncio.gather(
        *(driver.change_fence(ref, TAKE, taking(6, f"shard-{n}"), soon()) for n in range(8))
    )
    (won,) = [n for n, changed in enumerate(answers) if changed.applied]
    fence = await driver.locked_fence(ref, soon())
    assert fence is not None
    assert (fence.token, fence.moved_to) == (6, f"shard-{won}")
    await asyncio.gather(
        *(driver.change_fence(ref, TAKE, taking(7 + n, f"shard-{n}"), soon()) for n in range(8))
    )
    fence = await driver.locked_fence(ref, soon())
    assert fence is not None
    assert (fence.token, fence.moved_to) == (14, "shard-7")


async def test_the_locked_fence_shows_every_acknowledged_change(driver: ShardDriver) -> None:
    """Unknown groups have none."""
    made = await driver.create_fence(Case(TAKE, FenceState.OPEN, {}).fence(), soon())
    assert await driver.locked_fence(GroupRef(made.group_id), soon()) == made
    assert await driver.locked_fence(GroupRef(f"{made.group_id}-x"), soon()) is None

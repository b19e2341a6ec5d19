"""The root change under thousands of interleavings with creations, crashes and moves: one owner, always."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError, RegisterClosed
from drivers.fence import Fence, FenceState, RootMember
from shard_router.errors import PlacementUnsettled
from shard_router.fleet_identity import FleetIdentity, Roots
from shard_router.placement import Placement
from shard_router.root_register import RootRegister
from shard_router.shard_map import ShardInfo, ShardMapSnapshot
from shard_router.shards import root_change
from shard_router.shards.root_change import RootChange, entry_for
from tests.model_driver import ModelDriver
from tests.model_group import GroupState
from tests.unit.shard_router.fleet_of import marker, soon

SHARDS = ("a", "b", "c")
BEFORE = (RootMember("a", 1.0), RootMember("b", 1.0))
AFTER = (RootMember("b", 1.0), RootMember("c", 1.0))
SEEDS = 600
STEPS_OF_A_CHANGE = 45
ATTEMPTS_MAX = 40
CALLS_MAX = 5_000


class Turns:
    """Whose call to a shard comes next is drawn."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._waiting: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    async def run(self, works: list[asyncio.Task[Any]]) -> None:
        for _ in range(CALLS_MAX):
            for _ in range(3):
                await asyncio.sleep(0)
            self._waiting = [turn for turn in self._waiting if not turn.done()]
            if all(work.done() for work in works):
                return
            if self._waiting:
                self._rng.choice(self._waiting).set_result(None)
        raise AssertionError("the works do not end")


class Shard(ModelDriver):
    def __init__(self, shard_id: str, turns: Turns) -> None:
        super().__init__(shard_id)
        self._turns = turns

    async def step(self, name: str) -> None:
        await self._turns.wait()


class Gateway:
    """What register and root change use of a fleet; it learns as a gateway does, from markers."""

    def __init__(self, shards: dict[str, Shard]) -> None:
        self.shards = shards
        self.roots = Roots(FleetIdentity("fleet-1", 1, BEFORE))
        infos = [ShardInfo(shard_id, shard.engine) for shard_id, shard in shards.items()]
        self.map = ShardMapSnapshot.of(1, "fleet-1", infos)

    @property
    def identity(self) -> FleetIdentity:
        return self.roots.current

    def home_of(self, group_id: str) -> str:
        return self.identity.home_of(group_id)

    def incarnation_of(self, shard_id: str) -> str:
        return f"incarnation-{shard_id}"

    def register_roots(self, group_id: str) -> frozenset[int]:
        return self.roots.register_roots(group_id)

    def has_left(self, shard_id: str) -> bool:
        return False

    async def look_at_root(self, shard_id: str, deadline: Deadline) -> None:
        shown = await self.shards[shard_id].read_marker(deadline)
        assert shown is not None
        roots = self.roots.after(shard_id, shown)
        # The others' markers were asked here, were it a whole gateway; they always explain it.
        roots = roots or Roots(FleetIdentity.of(shown), FleetIdentity.pending_of(shown))
        assert isinstance(roots, Roots), roots
        self.roots = roots

    async def on_shard[T](
        self,
        shard_id: str,
        deadline: Deadline,
        call: Callable[[ShardDriver], Awaitable[T]],
        *,
        writes: bool = False,
    ) -> T:
        return await call(self.shards[shard_id])

    async def place(self, group_id: str, chosen: str) -> Placement:
        """As Placing, again and again. Raises PlacementUnsettled when a change that nobody carries on is in
        the way."""
        register = RootRegister(self, lambda: 0)
        for _ in range(ATTEMPTS_MAX):
            try:
                return await register.create(group_id, chosen, soon())
            except RegisterClosed as closed:
                await self.look_at_root(closed.shard_id, soon())
            except PlacementUnsettled:
                await asyncio.sleep(0)
        raise PlacementUnsettled(group_id, f"{ATTEMPTS_MAX} attempts")


async def move(gateway: Gateway, group_id: str, target: str) -> None:
    """In three steps, as the fences see a move: target prepared, source decides, target opens."""
    placement = await RootRegister(gateway, lambda: 0).find(group_id, soon())
    if placement is None or placement.shard_id == target:
        return
    source, there = gateway.shards[placement.shard_id], gateway.shards[target]
    await there.step("prepare")
    key = ("", group_id)
    before = source.groups[key].fence
    assert before is not None
    if not before.owns:
        return
    prepared = there.groups.setdefault(key, GroupState())
    moved_epoch = 0 if prepared.fence is None else prepared.fence.moved_epoch
    prepared.fence = Fence(
        group_id, before.epoch, FenceState.INCOMING, moved_to=source.shard_id, moved_epoch=moved_epoch
    )
    await source.step("commit")
    epoch = before.epoch + 2
    source.groups[key].fence = replace(
        before, state=FenceState.MOVED, epoch=epoch - 1, moved_to=target, moved_epoch=epoch
    )
    await there.step("open")
    prepared.fence = Fence(group_id, epoch, FenceState.OPEN)


def owners(shards: dict[str, Shard]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for shard_id, shard in shards.items():
        for (_, group_id), group in shard.groups.items():
            if group.fence is not None and group.fence.owns:
                found.setdefault(group_id, []).append(shard_id)
    return found


async def run(seed: int) -> None:
    rng = Random(seed)
    turns = Turns(rng)
    shards = {shard_id: Shard(shard_id, turns) for shard_id in SHARDS}
    for shard_id, shard in shards.items():
        shard.marker = marker(shard_id, root=("a", "b"))
    gateways = [Gateway(shards) for _ in range(3)]
    groups = [f"g{n}" for n in range(6)]
    works: list[Coroutine[Any, Any, Any]] = [RootChange(gateways[0]).to(AFTER)]
    if rng.random() < 0.5:
        works.append(RootChange(gateways[1]).to(AFTER))
    later: list[Coroutine[Any, Any, Any]] = [
        *(rng.choice(gateways).place(rng.choice(groups), rng.choice(SHARDS)) for _ in range(8)),
        *(move(rng.choice(gateways), group_id, rng.choice(SHARDS)) for group_id in rng.sample(groups, 2)),
    ]
    works += [_later(work, rng.randrange(STEPS_OF_A_CHANGE), turns) for work in later]
    tasks = [asyncio.create_task(work) for work in works]
    crashing = rng.random() < 0.4
    if crashing:
        dying = tasks[0] if rng.random() < 0.6 else rng.choice(tasks[1:])
        crash = asyncio.create_task(_crash(dying, rng.randrange(STEPS_OF_A_CHANGE), turns))
        tasks.append(crash)
    await turns.run(tasks)
    failed = [t.exception() for t in tasks if not t.cancelled() and t.exception() is not None]
    assert not [error for error in failed if not isinstance(error, GraphgateError)], failed

    finishing = asyncio.create_task(finish(gateways, shards, groups))
    await turns.run([finishing])
    placed = finishing.result()
    found = owners(shards)
    assert all(len(where) == 1 for where in found.values()), f"seed {seed}: two owners {found}"
    assert {group_id: [shard_id] for group_id, shard_id in placed.items()} == found, f"seed {seed}"


async def _later[T](work: Coroutine[Any, Any, T], after: int, turns: Turns) -> T | None:
    try:
        for _ in range(after):
            await turns.wait()
    except asyncio.CancelledError:
        work.close()
        raise
    return await work


async def _crash(dying: asyncio.Task[Any], after: int, turns: Turns) -> None:
    for _ in range(after):
        await turns.wait()
        if dying.done():
            return
    dying.cancel()


async def finish(gateways: list[Gateway], shards: dict[str, Shard], groups: list[str]) -> dict[str, str]:
    """The change goes on, half-done moves are ended, a gateway without memory writes to every group."""
    last = Gateway(shards)
    for shard_id in SHARDS:
        await last.look_at_root(shard_id, soon())
    await RootChange(last).to(AFTER)
    assert last.identity.root_members == AFTER
    for shard in shards.values():
        for (_, group_id), group in shard.groups.items():
            fence = group.fence
            if fence is None or fence.state is not FenceState.INCOMING:
                continue
            source = shards[fence.moved_to].groups["", group_id].fence
            assert source is not None
            if source.state is FenceState.MOVED and source.moved_to == shard.shard_id:
                group.fence = Fence(group_id, source.moved_epoch, FenceState.OPEN)
    return {group_id: (await last.place(group_id, "c")).shard_id for group_id in groups}


async def test_one_owner_in_every_interleaving() -> None:
    """Two gateways carry the change on, others create and move groups; any may die."""
    await run_all(SEEDS)


async def run_all(seeds: int) -> None:
    for seed in range(seeds):
        try:
            await asyncio.wait_for(run(seed), 60)
        except BaseException:
            print(f"seed {seed}")
            raise


@pytest.mark.parametrize("mutation", ["no gate", "no scan"])
async def test_a_change_without_its_rule_is_caught(mutation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search above has teeth: without the gate, or without the pointers, a group gets two owners."""

    async def nothing(*_: object, **__: object) -> None:
        return

    if mutation == "no gate":
        monkeypatch.setattr(ModelDriver, "raise_gate", nothing)
        monkeypatch.setattr(root_change.RegisterGate, "lets", lambda _self, _roots: True)
    else:
        monkeypatch.setattr(RootChange, "_copy_entries", nothing)
    with pytest.raises(AssertionError, match="two owners"):
        await run_all(SEEDS)


def test_entries_lead_to_the_owner() -> None:
    """What the new home gets, by the state of the old home's fence."""
    base = Fence("g", 5, FenceState.OPEN)

    def of(fence: Fence, new_home: str = "n") -> Fence:
        return entry_for("h", new_home, fence, lambda shard_id: f"incarnation-{shard_id}")

    assert (of(base).moved_to, of(base).moved_epoch, of(base).move_id) == ("h", 5, "incarnation-h")
    moved = replace(base, state=FenceState.MOVED, moved_to="x", moved_space="own", moved_epoch=7)
    assert (of(moved).moved_to, of(moved).moved_space, of(moved).moved_epoch) == ("x", "own", 7)
    incoming = replace(base, state=FenceState.INCOMING, moved_to="x", moved_epoch=0)
    assert (of(incoming).moved_to, of(incoming).moved_epoch) == ("x", 2)
    unfinished = replace(base, epoch=0, state=FenceState.MOVED, moved_to="n", moved_epoch=1)
    assert of(unfinished).state is FenceState.OPEN
    lost = replace(moved, moved_to="n", moved_space="")
    assert (of(lost).state, of(lost).moved_to) == (FenceState.MOVED, "")

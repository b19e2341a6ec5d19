"""Moves of one group under writers, faults and several coordinators, in an order that a seed decides.

Everything that calls a shard or sleeps stops first; the scheduler lets one of them go on at a time. Time is
virtual: it goes forward a little with every step, and to the end of a sleep when nothing else is left.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import GraphgateError, ShardTimeout, ShardUnavailable
from drivers.fence import POOLED, Engine, Fence, FenceState, GroupRef
from drivers.graph_model import Kind
from drivers.register_gate import RegisterGate
from drivers.row_codec import kind_of
from drivers.write_plan import WriteOutcome, WritePlan, WriteStatus
from shard_router.moves.coordinator import Coordinator
from shard_router.moves.record import MoveRecord
from shard_router.moves.settings import MoveSettings
from shard_router.placement import Placement
from shard_router.root_register import RootRegister
from shard_router.shard_map import ShardInfo, ShardMapSnapshot
from shard_router.slot_search import NoSlots
from tests.contract.rows import entity, fact, random_vector
from tests.contract.tenant import Tenant
from tests.model_driver import ModelDriver
from tests.model_group import GroupState, every_kind
from tests.unit.shard_router.moves.memory_store import MemoryMoveStore

GROUP = "tenant"
SHARDS = ("A", "B", "C")
HOME = "A"
DIMENSION = 4
STEPS_MAX = 60_000


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities per call of a coordinator or writer."""

    before: float = 0.0
    """It fails and nothing was done."""
    after: float = 0.0
    """It was done and the answer is lost."""
    late: float = 0.0
    """It times out, and lands at any later time."""


@dataclass(slots=True)
class _Stop:
    goes: asyncio.Future[None]
    due_s: float


class WorldDriver(ModelDriver):
    def __init__(self, shard_id: str, world: "World") -> None:
        super().__init__(shard_id, Engine.FALKORDB)
        self._world = world

    async def step(self, name: str) -> None:
        await self._world.stop()

    async def apply(self, ref: GroupRef, plan: WritePlan, deadline: Deadline) -> WriteOutcome:
        outcome = await super().apply(ref, plan, deadline)
        if outcome.status is WriteStatus.APPLIED and outcome.fence is not None:
            self._world.applied.append((outcome.fence.version, plan))
        return outcome


class World:
    """MoveShards, RegisterShards, MovePlacements and Clock."""

    def __init__(self, seed: int, faults: Faults | None = None, settings: MoveSettings | None = None) -> None:
        self.rng = Random(seed)
        self.faults = faults or Faults()
        self.settings = settings or MoveSettings()
        self.is_calm = False
        """Nothing fails any more."""
        self.now_s = 1_000.0
        self.store = MemoryMoveStore()
        self.shards = {shard_id: WorldDriver(shard_id, self) for shard_id in SHARDS}
        self.applied: list[tuple[int, WritePlan]] = []
        """Every write that a shard has applied, in the order of time."""
        self.acked: set[str] = set()
        """op_ids."""
        self.placements: dict[str, Placement] = {}
        self.map = ShardMapSnapshot.of(1, "fleet", (ShardInfo(s, Engine.FALKORDB) for s in SHARDS))
        self.register = RootRegister(self, self.wall_us)
        self._stops: list[_Stop] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._began = 0
        """Stops so far."""
        self.shards[HOME].groups[POOLED, GROUP] = GroupState(
            Fence(GROUP, 1, FenceState.OPEN, created_at=1, stats=every_kind({}))
        )

    # --- the scheduler ----------------------------------------------------------------------------

    async def stop(self, seconds: float = 0.0) -> None:
        """Until the scheduler lets it go on."""
        stop = _Stop(asyncio.get_running_loop().create_future(), self.now_s + seconds)
        self._stops.append(stop)
        self._began += 1
        await stop.goes

    def spawn[T](self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def run_until(self, is_over: Callable[[], bool]) -> None:
        for _ in range(STEPS_MAX):
            await self.quiet()
            if is_over():
                return
            await self.step()
        raise AssertionError(f"not over after {STEPS_MAX} steps")

    async def step(self) -> None:
        """One of those that stand goes on, sleepers only in their time."""
        self._stops = [stop for stop in self._stops if not stop.goes.done()]
        assert self._stops, "everybody has gone and it is not over"
        self.now_s += self.rng.choice((0.0002, 0.001, 0.004))
        ready = [stop for stop in self._stops if stop.due_s <= self.now_s]
        chosen = self.rng.choice(ready) if ready else min(self._stops, key=lambda stop: stop.due_s)
        self.now_s = max(self.now_s, chosen.due_s)
        chosen.goes.set_result(None)

    async def quiet(self) -> None:
        """Everybody has gone as far as he can."""
        calm, seen = 0, self._began
        while calm < 4:
            await asyncio.sleep(0)
            calm, seen = (calm + 1, seen) if seen == self._began else (0, self._began)

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- Clock ------------------------------------------------------------------------------------

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_us(self) -> int:
        return round(self.now_s * 1_000_000)

    async def sleep(self, seconds: float) -> None:
        await self.stop(seconds)

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        await self.stop(seconds)
        return event.is_set()

    # --- shards -----------------------------------------------------------------------------------

    def home_of(self, group_id: str) -> str:
        return HOME

    def incarnation_of(self, shard_id: str) -> str:
        return f"incarnation-{shard_id}"

    def register_roots(self, group_id: str) -> frozenset[int]:
        return frozenset({RegisterGate().root})

    def has_left(self, shard_id: str) -> bool:
        return False

    def configured(self, shard_id: str) -> bool:
        return shard_id in self.shards

    def write_weight_max(self, shard_id: str) -> int:
        return self.shards[shard_id].write_weight_max

    async def on_shard[T](
        self,
        shard_id: str,
        deadline: Deadline,
        call: Callable[[ShardDriver], Awaitable[T]],
        *,
        writes: bool = False,
    ) -> T:
        faults = Faults() if self.is_calm else self.faults
        drawn = self.rng.random()
        if drawn < faults.before:
            await self.stop()
            raise ShardUnavailable(shard_id, "it is away")
        if writes and drawn < faults.before + faults.late:
            self.spawn(self._land(shard_id, call))
            await self.stop()
            raise ShardTimeout(shard_id, "the call")
        answer = await call(self.shards[shard_id])
        if drawn > 1 - faults.after:
            raise ShardUnavailable(shard_id, "the connection broke")
        return answer

    async def _land(self, shard_id: str, call: Callable[[ShardDriver], Awaitable[object]]) -> None:
        await self.stop(self.rng.choice((0.0, 0.01, 0.1, 1.0, 5.0)))
        await call(self.shards[shard_id])

    # --- MovePlacements ---------------------------------------------------------------------------

    async def learn(self, placement: Placement, deadline: Deadline) -> None:
        self.placements[placement.group_id] = placement

    # --- who acts ---------------------------------------------------------------------------------

    def coordinator(self, record: MoveRecord) -> Coordinator:
        return Coordinator(
            record, self, self, self.store, NoSlots(), self.settings, self, Random(self.rng.random())
        )

    async def writer(self, writes: int, name: str) -> None:
        """Writes, deletes and repeats; each write until it is known to be applied."""
        tenant = Tenant(self.shards[HOME], GroupRef(GROUP))
        vectors = self._vectors()
        earlier: list[Any] = []
        for number in range(writes):
            op_id = f"{name}-{number}"
            intent = self._intent(tenant, op_id, vectors)
            if earlier and self.rng.random() < 0.1:
                intent = self.rng.choice(earlier)
            while not await self._write(tenant, intent):
                await self.sleep(0.005)
            self.acked.add(intent.op_id)
            earlier.append(intent)
            await self.sleep(self.rng.choice((0.0, 0.005, 0.05)))

    async def _write(self, tenant: Tenant, intent: Any) -> bool:
        """Whether it was applied, now or before."""
        soon = Deadline.after(1_000)
        try:
            if tenant.driver.shard_id not in self.shards or self.rng.random() < 0.3:
                placement = await self.register.find(GROUP, soon)
                assert placement is not None, "the group is there"
                tenant.driver, tenant.ref = self.shards[placement.shard_id], placement.ref
            shard_id = tenant.driver.shard_id
            images = await self.on_shard(shard_id, soon, lambda _: tenant.images(intent))
            if images.fence is None or not images.fence.owns:
                placement = await self.register.find(GROUP, soon)
                assert placement is not None, "the group is there"
                tenant.driver, tenant.ref = self.shards[placement.shard_id], placement.ref
                return False
            if images.operation is not None:
                return True
            tenant.epoch = images.fence.epoch
            plan = tenant.plan_from(intent, images)
            outcome = await self.on_shard(shard_id, soon, lambda _: tenant.apply(plan), writes=True)
        except GraphgateError:
            return False
        return outcome.status in (WriteStatus.APPLIED, WriteStatus.DUPLICATE)

    def _intent(self, tenant: Tenant, op_id: str, vectors: Any) -> Any:
        """Rows of a small set, so that they meet: entities, facts between them, deletions with cascades."""
        one, other = (f"{self.rng.randrange(6):08x}-0000-4000-8000-000000000000" for _ in range(2))
        match self.rng.randrange(6):
            case 0 | 1:
                return tenant.intent(entity(f"e {op_id}", at=one, embedding=vectors()), op_id=op_id)
            case 2 | 3:
                named = [
                    entity(f"e {op_id}", at=at, embedding=vectors()) for at in dict.fromkeys((one, other))
                ]
                hung = fact(one, other, f"f {op_id}", at=f"f{one[1:]}", embedding=vectors())
                return tenant.intent(*named, hung, op_id=op_id)
            case 4:
                return tenant.intent(deletions=[(Kind.FACT, f"f{one[1:]}")], op_id=op_id)
            case _:
                return tenant.intent(deletions=[(Kind.ENTITY, one)], op_id=op_id)

    def _vectors(self) -> Callable[[], Any]:
        generator = np.random.default_rng(self.rng.randrange(1 << 30))
        return lambda: random_vector(generator, DIMENSION)

    def prune(self) -> None:
        """The owner forgets its oldest tombstones."""
        for driver in self.shards.values():
            for group in driver.groups.values():
                fence = group.fence
                if fence is None or fence.state is not FenceState.OPEN:
                    continue
                floor = self.rng.randint(fence.prune_floor, fence.version)
                group.fence = replace(fence, prune_floor=floor)
                group.tombstones = {key: v for key, v in group.tombstones.items() if v > floor}

    # --- what is true -----------------------------------------------------------------------------

    def owners(self) -> list[tuple[str, str]]:
        """Shard and space."""
        return [
            (shard_id, space)
            for shard_id, driver in self.shards.items()
            for (space, _), group in driver.groups.items()
            if group.fence is not None and group.fence.owns
        ]

    def judge(self) -> None:
        """One owner, which has what was written and nothing else; each write was applied once."""
        assert len(self.owners()) == 1, self.owners()
        ((shard_id, space),) = self.owners()
        group = self.shards[shard_id].groups[space, GROUP]
        versions = [version for version, _ in self.applied]
        assert versions == list(range(1, len(versions) + 1)), "two shards have taken writes"
        expected: dict[tuple[Kind, str], int] = {}
        for version, plan in self.applied:
            for drop in plan.drops:
                expected.pop((drop.kind, drop.uuid), None)
            for put in plan.puts:
                expected[kind_of(put.row), put.row.uuid] = version
        assert {key: row.version for key, row in group.rows.items()} == expected
        ops = [plan.operation.op_id for _, plan in self.applied]
        assert len(ops) == len(set(ops)), "a write was applied twice"
        assert self.acked <= set(ops), "an acknowledged write is gone"
        assert set(group.operations) == set(ops)
        assert group.fence is not None
        assert group.fence.version == len(versions)
        for kind in Kind:
            count = sum(1 for found, _ in group.rows if found == kind)
            assert group.fence.stats[kind].rows == count, (kind, group.fence.stats[kind], count)
        with_vector = {key[:2] for key in group.vectors}
        assert {key for key in group.rows if key[0] in (Kind.ENTITY, Kind.FACT)} == with_vector

    def left_behind(self, shard_id: str, space: str) -> int:
        """Rows, tombstones and operations at a place."""
        group = self.shards[shard_id].groups.get((space, GROUP))
        return 0 if group is None else len(group.rows) + len(group.tombstones) + len(group.operations)

"""The keeper of vector slots, on the model of the driver contract."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import EngineRefused, ShardUnavailable
from drivers.fence import Engine, Fence, FenceState, GroupRef
from drivers.graph_model import Kind
from drivers.vector_slots import BACKLOG_ROWS_MAX, SlotProgress, VectorSlot
from shard_router.slot_keeper import ROUND_S, SlotKeeper
from shard_router.slot_policy import REPLACE_TIMES, SlotPolicy
from tests.contract.rows import entity, random_vector, uuids
from tests.contract.tenant import Tenant, soon
from tests.model_driver import ModelDriver

POLICY = SlotPolicy(rows_min={Engine.FALKORDB: 40, Engine.NEO4J: 40}, keep_share=0.5, slots_max=2)
KEY = ("g", Kind.ENTITY)
TURNS_PER_SECOND = 100
TURNS_PER_FILL = 15


class Refusing(ModelDriver):
    """Makes no slot for one group."""

    def __init__(self, group_id: str) -> None:
        super().__init__("s")
        self.refused = 0
        self._group_id = group_id

    async def create_slot(self, slot: VectorSlot, deadline: Deadline) -> VectorSlot:
        if slot.ref.group_id == self._group_id:
            self.refused += 1
            raise EngineRefused("s", "no such index")
        return await super().create_slot(slot, deadline)


class Counting(ModelDriver):
    def __init__(self) -> None:
        super().__init__("s")
        self.filled = 0
        """Rows, each as often as it was filled in."""

    async def fill_slot(self, slot: VectorSlot, uuids: Sequence[str], deadline: Deadline) -> None:
        self.filled += len(uuids)
        await super().fill_slot(slot, uuids, deadline)


class Slow(Counting):
    """A busy shard: to fill one backlog takes many of SlowShardClock's rounds."""

    def __init__(self) -> None:
        super().__init__()
        self.fills = 0
        self.side_by_side = 0
        """Of the fills, those that began while another one ran."""
        self._running = 0

    async def fill_slot(self, slot: VectorSlot, uuids: Sequence[str], deadline: Deadline) -> None:
        self.fills += 1
        self.side_by_side += self._running > 0
        self._running += 1
        for _ in range(TURNS_PER_FILL):
            await asyncio.sleep(0)
        self._running -= 1
        await super().fill_slot(slot, uuids, deadline)


class OneShard:
    """What the keeper uses of a fleet."""

    def __init__(self, driver: ModelDriver) -> None:
        self.driver = driver
        self.away = False

    async def on_shard[T](
        self, shard_id: str, deadline: Deadline, call: Callable[[ShardDriver], Awaitable[T]]
    ) -> T:
        if self.away:
            raise ShardUnavailable(shard_id, "not connected")
        return await call(self.driver)


class QuickClock:
    """Waits end at once, but not before the event loop has turned."""

    def monotonic_s(self) -> float:
        return 0.0

    def wall_us(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        await asyncio.sleep(0)
        return event.is_set()


class RoundsApartClock(QuickClock):
    """Rounds are far apart: many calls fit between two."""

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        for _ in range(20_000):
            await asyncio.sleep(0)
            if event.is_set():
                return True
        return False


class SlowShardClock(QuickClock):
    """Its time is that of Slow: what is waited for and slept is counted in turns of the event loop."""

    def __init__(self) -> None:
        self._turns = 0

    def monotonic_s(self) -> float:
        return self._turns / TURNS_PER_SECOND

    async def run(self) -> None:
        while True:
            self._turns += 1
            await asyncio.sleep(0)

    async def sleep(self, seconds: float) -> None:
        for _ in range(int(seconds * TURNS_PER_SECOND)):
            await asyncio.sleep(0)

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        await self.sleep(seconds)
        return event.is_set()


@pytest.fixture
async def tenant() -> Tenant:
    driver = ModelDriver("s")
    await driver.create_fence(Fence("g", 1, FenceState.OPEN), soon())
    return Tenant(driver, GroupRef("g"))


@pytest.fixture
def fleet(tenant: Tenant) -> OneShard:
    assert isinstance(tenant.driver, ModelDriver)
    return OneShard(tenant.driver)


@pytest.fixture
async def keeper(fleet: OneShard) -> AsyncIterator[SlotKeeper]:
    made = _keeper(fleet)
    made.start()
    yield made
    await made.close()


def _keeper(fleet: OneShard) -> SlotKeeper:
    return SlotKeeper(fleet, {"s": Engine.FALKORDB}, POLICY, QuickClock())


async def _grow(tenant: Tenant, rows: int) -> list[str]:
    rng = np.random.default_rng(1)
    names = uuids(rows)
    await tenant.write(*(entity("e", at=at, embedding=random_vector(rng, 8)) for at in names))
    return names


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the keeper tells nobody when it is done
            await asyncio.sleep(0)


def _complete(keeper: SlotKeeper, version: int, group_id: str = "g") -> bool:
    slot = keeper.slots_of("s").get((group_id, Kind.ENTITY))
    return slot is not None and slot.caught_up and slot.progress.complete_version == version


async def test_a_large_group_gets_a_slot_that_follows_its_writes(keeper: SlotKeeper, tenant: Tenant) -> None:
    """Noted once it is seen to be large, filled to its version, and again after each write."""
    await _grow(tenant, 40)
    keeper.note("s", [await tenant.fence()])
    await _until(lambda: _complete(keeper, 1))
    await _grow(tenant, 5)
    await _until(lambda: _complete(keeper, 2))


async def test_a_small_group_gets_none(keeper: SlotKeeper, tenant: Tenant) -> None:
    """A note of a group below the limit changes nothing."""
    await _grow(tenant, 39)
    keeper.note("s", [await tenant.fence()])
    for _ in range(200):
        await asyncio.sleep(0)
    assert not keeper.slots_of("s")


async def test_a_group_that_shrank_loses_its_slot(keeper: SlotKeeper, tenant: Tenant) -> None:
    """Below half of the limit the slot is dropped, at the shard too."""
    names = await _grow(tenant, 40)
    keeper.note("s", [await tenant.fence()])
    await _until(lambda: _complete(keeper, 1))
    await tenant.write(deletions=[(Kind.ENTITY, name) for name in names[:21]])
    await _until(lambda: not keeper.slots_of("s"))
    assert await tenant.driver.list_slots(soon()) == []


async def test_a_restarted_keeper_goes_on(fleet: OneShard, keeper: SlotKeeper, tenant: Tenant) -> None:
    """It finds the slots of the shard by itself, whoever made them."""
    await _grow(tenant, 40)
    keeper.note("s", [await tenant.fence()])
    await _until(lambda: _complete(keeper, 1))
    await keeper.close()
    await _grow(tenant, 5)
    other = _keeper(fleet)
    other.start()
    try:
        await _until(lambda: _complete(other, 2))
    finally:
        await other.close()


async def test_two_keepers_fill_one_slot(fleet: OneShard, keeper: SlotKeeper, tenant: Tenant) -> None:
    """Gateways do not know of each other: both end with the complete slot."""
    other = _keeper(fleet)
    other.start()
    try:
        await _grow(tenant, 100)
        for one in (keeper, other):
            one.note("s", [await tenant.fence()])
        await _until(lambda: _complete(keeper, 1) and _complete(other, 1))
    finally:
        await other.close()


async def test_of_two_that_began_together_one_gives_way() -> None:
    """Two gateways see at the same moment that a group is large: after the first part one of them leaves the
    filling to the other, and not each does all of it."""
    driver = Counting()
    await driver.create_fence(Fence("g", 1, FenceState.OPEN), soon())
    tenant, fleet, parts = Tenant(driver, GroupRef("g")), OneShard(driver), 4
    for _ in range(parts):
        await _grow(tenant, BACKLOG_ROWS_MAX)
    keepers = [SlotKeeper(fleet, {"s": Engine.FALKORDB}, POLICY, RoundsApartClock()) for _ in range(2)]
    for one in keepers:
        one.start()
    try:
        for one in keepers:
            one.note("s", [await tenant.fence()])
        await _until(lambda: any(_complete(one, parts) for one in keepers))
    finally:
        for one in keepers:
            await one.close()
    assert parts * BACKLOG_ROWS_MAX <= driver.filled <= (parts + 2) * BACKLOG_ROWS_MAX


async def test_a_fill_that_takes_long_is_left_to_who_began_it() -> None:
    """Of two gateways one is in the middle of a slow backlog: the other one sees that it gets on, and does
    not fill the same rows again."""
    driver, clock = Slow(), SlowShardClock()
    await driver.create_fence(Fence("g", 1, FenceState.OPEN), soon())
    tenant, fleet = Tenant(driver, GroupRef("g")), OneShard(driver)
    await _grow(tenant, BACKLOG_ROWS_MAX)
    keepers = [SlotKeeper(fleet, {"s": Engine.FALKORDB}, POLICY, clock) for _ in range(2)]
    ticking = asyncio.create_task(clock.run())
    try:
        for one in keepers:
            one.start()
            one.note("s", [await tenant.fence()])
        await _until(lambda: any(_complete(one, 1) for one in keepers))
    finally:
        ticking.cancel()
        for one in keepers:
            await one.close()
    assert clock.monotonic_s() > 3 * ROUND_S, "the fill was too quick to be joined"
    assert driver.filled < 1.2 * BACKLOG_ROWS_MAX


async def test_several_slots_of_a_shard_are_filled_by_one_keeper() -> None:
    """Each keeper takes its share of the shard's time: of two, one fills all slots, and not each its own."""
    driver, clock = Slow(), SlowShardClock()
    tenants = [Tenant(driver, GroupRef(group_id)) for group_id in ("a", "b")]
    for tenant in tenants:
        await driver.create_fence(Fence(tenant.ref.group_id, 1, FenceState.OPEN), soon())
        await _grow(tenant, BACKLOG_ROWS_MAX // 2)
    keepers = [SlotKeeper(OneShard(driver), {"s": Engine.FALKORDB}, POLICY, clock) for _ in range(2)]
    ticking = asyncio.create_task(clock.run())
    try:
        for one in keepers:
            one.start()
            one.note("s", [await tenant.fence() for tenant in tenants])
        await _until(lambda: any(_complete(one, 1, "a") and _complete(one, 1, "b") for one in keepers))
    finally:
        ticking.cancel()
        for one in keepers:
            await one.close()
    assert clock.monotonic_s() > 3 * ROUND_S, "the fill was too quick to be joined"
    assert driver.side_by_side < 0.2 * driver.fills


async def test_it_outlives_an_outage(fleet: OneShard, keeper: SlotKeeper, tenant: Tenant) -> None:
    """A shard that is away costs rounds, not the task."""
    fleet.away = True
    await _grow(tenant, 40)
    keeper.note("s", [await tenant.fence()])
    for _ in range(50):
        await asyncio.sleep(0)
    fleet.away = False
    keeper.note("s", [await tenant.fence()])
    await _until(lambda: _complete(keeper, 1))


async def test_a_slot_that_cannot_be_made_starves_no_other() -> None:
    """One group's slot is refused at each attempt; the group after it is served all the same."""
    driver = Refusing("a")
    tenants: dict[str, Tenant] = {}
    for group_id in ("a", "b"):
        await driver.create_fence(Fence(group_id, 1, FenceState.OPEN), soon())
        tenants[group_id] = Tenant(driver, GroupRef(group_id))
        await _grow(tenants[group_id], 40)
    keeper = _keeper(OneShard(driver))
    keeper.note("s", [await tenant.fence() for tenant in tenants.values()])
    keeper.start()
    try:
        await _until(
            lambda: (slot := keeper.slots_of("s").get(("b", Kind.ENTITY))) is not None and slot.caught_up
        )
    finally:
        await keeper.close()
    assert driver.refused


async def test_a_shard_that_has_all_its_slots_is_left_alone() -> None:
    """Searches in one large group more begin no rounds: the group is scanned."""
    driver = ModelDriver("s")
    keeper = _keeper(OneShard(driver))
    fences: list[Fence] = []
    for group_id in ("a", "b", "c"):
        await driver.create_fence(Fence(group_id, 1, FenceState.OPEN), soon())
        tenant = Tenant(driver, GroupRef(group_id))
        await _grow(tenant, 40)
        fences.append(await tenant.fence())
    keeper.note("s", fences[: POLICY.slots_max])
    keeper.start()
    try:
        await _until(lambda: len(keeper.slots_of("s")) == POLICY.slots_max)
        keeper.note("s", fences)
        assert not keeper._shards["s"].noted
    finally:
        await keeper.close()


class Twin(ModelDriver):
    """Lists a second slot beside each, until that one is dropped."""

    def __init__(self) -> None:
        super().__init__("s")
        self.twins = 0

    async def list_slots(self, deadline: Deadline) -> Sequence[VectorSlot]:
        listed = await super().list_slots(deadline)
        return [*(replace(slot, serial=f"{slot.serial}-twin") for slot in listed if not self.twins), *listed]

    async def drop_slot(self, slot: VectorSlot, deadline: Deadline) -> None:
        self.twins += slot.serial.endswith("-twin")
        await super().drop_slot(slot, deadline)


async def test_of_two_slots_with_one_key_one_is_dropped() -> None:
    """Else it would be filled for nobody, by each gateway in turn."""
    driver = Twin()
    await driver.create_fence(Fence("g", 1, FenceState.OPEN), soon())
    tenant, keeper = Tenant(driver, GroupRef("g")), _keeper(OneShard(driver))
    await _grow(tenant, 40)
    keeper.note("s", [await tenant.fence()])
    keeper.start()
    try:
        await _until(lambda: driver.twins > 0 and _complete(keeper, 1))
    finally:
        await keeper.close()
    assert driver.twins == 1
    assert len(await driver.list_slots(soon())) == 1


async def test_a_group_that_is_many_times_larger_takes_the_place_of_the_smallest() -> None:
    """Not whoever was large first has the slots of a shard for good; which of them goes is told by size."""
    driver = ModelDriver("s")
    keeper = _keeper(OneShard(driver))
    sizes = {"small": 40, "middle": 60, "large": REPLACE_TIMES * 40}
    fences: dict[str, Fence] = {}
    for group_id, rows in sizes.items():
        await driver.create_fence(Fence(group_id, 1, FenceState.OPEN), soon())
        tenant = Tenant(driver, GroupRef(group_id))
        await _grow(tenant, rows)
        fences[group_id] = await tenant.fence()
    keeper.start()
    try:
        keeper.note("s", [fences["small"], fences["middle"]])
        await _until(lambda: _complete(keeper, 1, "small") and _complete(keeper, 1, "middle"))

        def is_there() -> bool:
            # Each search notes its groups.
            keeper.note("s", [fences["large"]])
            return _complete(keeper, 1, "large")

        await _until(is_there)
        keeper.note("s", [fences["small"]])
        assert not keeper._shards["s"].noted
        assert {group_id for group_id, _ in keeper.slots_of("s")} == {"middle", "large"}
    finally:
        await keeper.close()
    assert {slot.ref.group_id for slot in await driver.list_slots(soon())} == {"middle", "large"}


async def test_what_a_search_saw_of_a_slot_is_kept_if_it_is_further(
    keeper: SlotKeeper, tenant: Tenant
) -> None:
    """Not what an older search saw, nor of a slot that has been dropped since."""
    await _grow(tenant, 40)
    keeper.note("s", [await tenant.fence()])
    await _until(lambda: _complete(keeper, 1))
    await keeper.close()
    slot = keeper.slots_of("s")[KEY]
    for of, seen, left in (
        (slot, SlotProgress(7), 7),
        (slot, SlotProgress(8, "u"), 7),
        (replace(slot, serial="another"), SlotProgress(9), 7),
    ):
        keeper.searched("s", of, seen)
        assert keeper.slots_of("s")[KEY].progress.complete_version == left
        assert keeper.slots_of("s")[KEY].serial == slot.serial

"""What a semantic search asks of a shard with vector slots, on the model of the driver contract."""

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import replace

import numpy as np
import pytest

from drivers.fence import Engine, Fence, FenceState, GroupRef
from drivers.graph_model import Kind
from drivers.search_reads import SemanticQuery
from drivers.vector_slots import SlotProgress, VectorSlot
from shard_router.slot_keeper import SlotKeeper
from shard_router.slot_policy import SlotPolicy
from shard_router.slot_search import NoSlots, ShardSemantic, semantic
from tests.contract.rows import entity, random_vector, uuids
from tests.contract.tenant import Tenant, soon
from tests.model_driver import ModelDriver
from tests.unit.shard_router.test_slot_keeper import OneShard, QuickClock

DIMENSION = 8
ROWS_MIN = 40
LARGE, SMALL = ("large-a", "large-b"), ("small-a", "small-b")

_of_search: ContextVar[list[str] | None] = ContextVar("of_search", default=None)


class Counting(ModelDriver):
    """Notes the calls of a search, apart from those of whoever fills slots beside it."""

    async def step(self, name: str) -> None:
        calls = _of_search.get()
        if calls is not None:
            calls.append(name)


class Known:
    """Slots as a search finds them."""

    def __init__(self, *slots: VectorSlot) -> None:
        self._slots = {(slot.ref.group_id, slot.kind): slot for slot in slots}
        self.seen: list[SlotProgress] = []

    def slots_of(self, shard_id: str) -> Mapping[tuple[str, Kind], VectorSlot]:
        return self._slots

    def searched(self, shard_id: str, slot: VectorSlot, progress: SlotProgress) -> None:
        self.seen.append(progress)

    def note(self, shard_id: str, fences: Iterable[Fence]) -> None:
        return


@pytest.fixture
async def driver() -> Counting:
    driver = Counting("s")
    rng = np.random.default_rng(1)
    for group_id in (*LARGE, *SMALL):
        await driver.create_fence(Fence(group_id, 1, FenceState.OPEN), soon())
        rows = ROWS_MIN if group_id in LARGE else 5
        await Tenant(driver, GroupRef(group_id)).write(
            *(entity("e", at=at, embedding=random_vector(rng, DIMENSION)) for at in uuids(rows))
        )
    return driver


async def _slot(driver: Counting, group_id: str) -> VectorSlot:
    """Complete."""
    ref = GroupRef(group_id)
    fence = (await driver.read_fences([ref], soon()))[group_id]
    slot = await driver.create_slot(VectorSlot(ref, Kind.ENTITY, fence.embeddings[Kind.ENTITY]), soon())
    backlog = await driver.slot_backlog(slot, 1_000, soon())
    for part in backlog.parts(driver.slot_fill_rows):
        await driver.fill_slot(slot, part.uuids, soon())
    advanced = await driver.advance_slot(slot, backlog, soon())
    assert advanced is not None
    return advanced


async def _search(
    driver: Counting, group_ids: Iterable[str], slots: Known | NoSlots | SlotKeeper
) -> tuple[ShardSemantic, list[str]]:
    """And the calls that it made."""
    query = SemanticQuery(Kind.ENTITY, np.ones(DIMENSION, dtype=np.float32), 10)
    calls: list[str] = []
    token = _of_search.set(calls)
    try:
        return await semantic(driver, [GroupRef(name) for name in group_ids], query, slots, soon()), calls
    finally:
        _of_search.reset(token)


async def test_one_call_for_all_small_groups_and_one_for_each_slot(driver: Counting) -> None:
    """The answer is that of one scan of all; what was learned of the slots is passed on."""
    known = Known(*[await _slot(driver, group_id) for group_id in LARGE])
    found, calls = await _search(driver, (*LARGE, *SMALL), known)
    scanned, one = await _search(driver, (*LARGE, *SMALL), NoSlots())
    assert sorted(calls) == ["semantic", "semantic_in_slot", "semantic_in_slot"]
    assert one == ["semantic"]
    assert found.hits == scanned.hits
    assert found.fences == scanned.fences
    assert found.by_index == set(LARGE)
    assert known.seen == [SlotProgress(1)] * 2
    assert (await _search(driver, SMALL, known))[1] == ["semantic"]
    assert sorted((await _search(driver, LARGE, known))[1]) == ["semantic_in_slot"] * 2


async def test_groups_whose_slots_are_not_enough_are_scanned_by_one_call(driver: Counting) -> None:
    """Slots that are gone cost a call each and no row; those that have never been complete, and those of
    vectors of another length, are not asked."""
    slots = [await _slot(driver, group_id) for group_id in LARGE]
    gone = Known(*(replace(slot, serial="gone") for slot in slots))
    found, calls = await _search(driver, (*LARGE, *SMALL), gone)
    scanned, _ = await _search(driver, (*LARGE, *SMALL), NoSlots())
    assert sorted(calls) == ["semantic", "semantic", "semantic_in_slot", "semantic_in_slot"]
    assert (found.hits, found.fences, found.by_index) == (scanned.hits, scanned.fences, frozenset())
    for unfit in (
        replace(slots[0], caught_up=False),
        replace(slots[0], spec=replace(slots[0].spec, dimension=DIMENSION + 1)),
    ):
        assert (await _search(driver, LARGE, Known(unfit)))[1] == ["semantic"]


async def test_a_small_group_costs_one_call_while_large_ones_are_served(driver: Counting) -> None:
    """Two groups become large at once: both get slots that serve, and at every moment until then a search in
    a small group asks the shard once, one in a large group once or, when its slot serves, once for that."""
    policy = SlotPolicy(rows_min={Engine.FALKORDB: ROWS_MIN}, slots_max=4)
    keeper = SlotKeeper(OneShard(driver), {"s": Engine.FALKORDB}, policy, QuickClock())
    keeper.note("s", (await driver.read_fences([GroupRef(name) for name in LARGE], soon())).values())
    keeper.start()
    try:
        for _ in range(1_000):
            assert (await _search(driver, SMALL[:1], keeper))[1] == ["semantic"]
            ways = [(await _search(driver, [group_id], keeper))[1] for group_id in LARGE]
            assert all(calls in (["semantic"], ["semantic_in_slot"]) for calls in ways)
            if ways == [["semantic_in_slot"]] * 2:
                break
            await QuickClock().sleep(0)
        else:
            pytest.fail("the large groups are still scanned")
    finally:
        await keeper.close()

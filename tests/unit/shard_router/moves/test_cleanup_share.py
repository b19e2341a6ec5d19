"""What cleanups take of a shard's time, over several groups and gateways, in virtual time."""

from dataclasses import replace
from random import Random

import pytest

from drivers.deadline import Deadline
from drivers.fence import POOLED, Fence, FenceState, GroupRef
from drivers.graph_model import Kind
from shard_router.backoff import Backoff
from shard_router.moves.cleanup_turns import lease_name
from shard_router.moves.record import MovePhase, MoveRecord
from shard_router.moves.runner import MoveRunner
from shard_router.moves.settings import MoveSettings
from shard_router.slot_search import NoSlots
from tests.model_group import GroupState, every_kind
from tests.unit.shard_router.moves.memory_store import MemoryMoveStore
from tests.unit.shard_router.moves.move_world import World, WorldDriver

SOON = Deadline.after(10_000)
GATEWAYS = 3
GROUPS = 6
ROWS = 120
BATCHES = 12
SETTINGS = MoveSettings(
    wipe_rows=ROWS // BATCHES, poll_s=0.05, persist_s=0.0, rest_pause=Backoff(first_s=0.02, pause_s_max=0.1)
)


class BusyDriver(WorldDriver):
    """Notes when it deletes."""

    def __init__(self, shard_id: str, world: World) -> None:
        super().__init__(shard_id, world)
        self.clock = world
        self.busy: list[tuple[float, float]] = []
        """From when until when, virtual seconds."""

    async def wipe(
        self, ref: GroupRef, token: int, move_id: str, rows_max: int, deadline: Deadline
    ) -> int | None:
        began_s = self.clock.now_s
        # Some milliseconds more than the call.
        await self.clock.stop(self.clock.rng.uniform(0.002, 0.02))
        wiped = await super().wipe(ref, token, move_id, rows_max, deadline)
        self.busy.append((began_s, self.clock.now_s))
        return wiped


class AskedStore(MemoryMoveStore):
    """Notes who has asked for a turn."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_by: set[str] = set()

    async def lease(self, move_id: str, holder: str, seconds: float, deadline: Deadline) -> bool:
        if move_id == lease_name("A"):
            self.asked_by.add(holder)
        return await super().lease(move_id, holder, seconds, deadline)


def left_behind(world: World, driver: BusyDriver, number: int) -> MoveRecord:
    """A group that has left the shard for B, and is to be deleted there."""
    group_id = f"gone-{number}"
    at_source = GroupState(
        Fence(group_id, 3, FenceState.TOMB, moved_to="B", moved_epoch=4, move_id="", stats=every_kind({}))
    )
    at_source.tombstones = {(Kind.ENTITY, f"{row:08x}-0000-4000-8000-000000000000"): 1 for row in range(ROWS)}
    driver.groups[POOLED, group_id] = at_source
    world.shards["B"].groups[POOLED, group_id] = GroupState(
        Fence(group_id, 4, FenceState.OPEN, created_at=1, stats=every_kind({}))
    )
    return MoveRecord(
        move_id=f"{number:032x}",
        group_id=group_id,
        source_shard=driver.shard_id,
        source_space=POOLED,
        target_shard="B",
        target_space=POOLED,
        phase=MovePhase.CLEANING,
        committed_us=1,
        reverse_until_us=1,
    )


@pytest.mark.parametrize("share", [0.2, 0.5])
async def test_cleanups_take_no_more_of_a_shard_than_their_share(share: float) -> None:
    """Six groups that three gateways delete: one call at a time, and between them the shard is left alone for
    long enough."""
    world = World(7)
    store = world.store = AskedStore()
    driver = world.shards["A"] = BusyDriver("A", world)
    settings = replace(SETTINGS, cleanup_share=share)
    for number in range(GROUPS):
        await world.store.create(left_behind(world, driver, number), SOON)
    runners = [
        MoveRunner(world, world, world.store, f"gateway-{n}", settings, world, NoSlots(), Random(n))
        for n in range(GATEWAYS)
    ]
    for runner in runners:
        runner.start()
    await world.run_until(lambda: all(record.ended for record in world.store.records.values()))
    ended_s = world.now_s
    for runner in runners:
        await runner.close()
    await world.close()
    assert {record.phase for record in world.store.records.values()} == {MovePhase.DONE}
    assert len(store.asked_by) == GATEWAYS, "not all of them were there"
    assert len(driver.busy) >= GROUPS * BATCHES
    for (_, end_s), (begin_s, _) in zip(driver.busy, driver.busy[1:], strict=False):
        assert end_s <= begin_s, "two delete at once"
    deleting_s = sum(end_s - begin_s for begin_s, end_s in driver.busy)
    taken = deleting_s / (ended_s - driver.busy[0][0])
    assert taken <= share * 1.02
    assert taken > share / 2, "it could have had more"

"""Whole moves of a group under writers, in orders that seeds decide: one owner, nothing lost, nothing
revived, nothing applied twice, nothing left behind."""

import os
from collections import Counter
from dataclasses import replace
from functools import partial
from random import Random

import pytest

from drivers.deadline import Deadline
from drivers.fence import POOLED, Fence, FenceState
from shard_router.moves import copying
from shard_router.moves.record import MoveKind, MovePhase, MoveRecord, Place
from shard_router.moves.settings import MoveSettings
from tests.model_group import GroupState, every_kind
from tests.unit.shard_router.moves.move_world import GROUP, Faults, World

SEEDS = int(os.environ.get("MOVE_SEEDS", "25"))
"""Per kind of trouble. More of them: MOVE_SEEDS=2000."""
MANY_PLACES_SEEDS = SEEDS // 3 + 1
WRITES = 10
SOON = Deadline.after(10_000)

SMALL = MoveSettings(page_rows=4, wipe_rows=3, persist_s=0.01, failures_max=1_000_000)


def record_of(move_id: str, source: Place, target: Place, **more: object) -> MoveRecord:
    values = {
        "move_id": move_id,
        "group_id": GROUP,
        "source_shard": source.shard_id,
        "source_space": source.space,
        "target_shard": target.shard_id,
        "target_space": target.space,
    }
    return MoveRecord(**(values | more))  # pyright: ignore[reportArgumentType]


async def begun(world: World, record: MoveRecord) -> MoveRecord:
    return await world.store.create(record, SOON)


async def ended(world: World, move_id: str) -> MoveRecord:
    """Coordinators carry it to its end, past its reverse window."""
    while not (record := world.store.records[move_id]).ended:
        world.now_s = max(world.now_s, record.due_us / 1_000_000)
        task = world.spawn(world.coordinator(record).run())
        await world.run_until(task.done)
        task.result()
    return record


class Trouble:
    """What happens beside the steps of the coordinators, in each step with a small probability."""

    def __init__(
        self, *, others: float = 0.0, crashes: float = 0.0, cancels: float = 0.0, prunes: float = 0.0
    ) -> None:
        self.others = others
        self.crashes = crashes
        self.cancels = cancels
        self.prunes = prunes


def _has_writes(world: World, count: int) -> bool:
    return len(world.applied) >= count


async def troubled(world: World, record: MoveRecord, trouble: Trouble) -> MoveRecord:
    """Runs the move and two writers; then everything is calm and the move goes on to its end."""
    move_id = (await begun(world, record)).move_id
    chance = Random(world.rng.random())
    writers = [world.spawn(world.writer(WRITES, f"{move_id}-{n}")) for n in range(2)]
    await world.run_until(partial(_has_writes, world, len(world.applied) + chance.randrange(WRITES)))
    running = [world.spawn(world.coordinator(world.store.records[move_id]).run())]
    await world.quiet()
    while not all(writer.done() for writer in writers):
        await world.step()
        await world.quiet()
        running = [task for task in running if not task.done()]
        if chance.random() < trouble.others or not running:
            stored = world.store.records[move_id]
            if not stored.ended:
                running.append(world.spawn(world.coordinator(stored).run()))
        if running and chance.random() < trouble.crashes:
            chance.choice(running).cancel()
        stored = world.store.records[move_id]
        if chance.random() < trouble.cancels and not stored.committed and not stored.ended:
            world.store.records[move_id] = replace(
                stored, cancel_requested=True, revision=stored.revision + 1
            )
        if chance.random() < trouble.prunes:
            world.prune()
    for writer in writers:
        writer.result()
    world.is_calm = True
    for task in running:
        await world.run_until(task.done)
    final = await ended(world, move_id)
    world.is_calm = False
    return final


TROUBLES = {
    "none": (Faults(), Trouble()),
    "lost and late calls": (Faults(before=0.03, after=0.03, late=0.03), Trouble()),
    "crashes": (Faults(), Trouble(crashes=0.03)),
    "two coordinators": (Faults(), Trouble(others=0.02)),
    "cancelled": (Faults(), Trouble(cancels=0.01)),
    "pruned": (Faults(), Trouble(prunes=0.03)),
    "everything": (
        Faults(before=0.01, after=0.01, late=0.02),
        Trouble(others=0.01, crashes=0.02, cancels=0.001, prunes=0.01),
    ),
}


@pytest.mark.parametrize("name", TROUBLES)
async def test_a_group_has_one_owner_and_all_that_was_written(name: str) -> None:
    faults, trouble = TROUBLES[name]
    phases: Counter[MovePhase] = Counter()
    for seed in range(SEEDS):
        world = World(seed, faults, SMALL)
        try:
            final = await troubled(world, record_of("m1", Place("A"), Place("B")), trouble)
            world.judge()
            phases[final.phase] += 1
            left = final.source if final.committed else final.target
            assert world.left_behind(left.shard_id, left.space) == 0
            assert world.owners() == [("B", "") if final.committed else ("A", "")]
        except BaseException as error:
            error.add_note(f"seed {seed} of {name!r}")
            raise
        finally:
            await world.close()
    if name != "cancelled":
        assert phases[MovePhase.DONE] > SEEDS // 2, phases


@pytest.mark.parametrize("name", TROUBLES)
async def test_a_group_goes_through_many_places_and_back(name: str) -> None:
    """To its own space, to another shard with a reverse window, back by what is newer, and home."""
    faults, trouble = TROUBLES[name]
    way = ((Place("A", "own"), 0.0), (Place("C"), 3_600.0), (Place("A", "own"), 0.0), (Place("A"), 0.0))
    arrivals: Counter[int] = Counter()
    for seed in range(MANY_PLACES_SEEDS):
        world = World(seed, faults, SMALL)
        try:
            for number, (place, window_s) in enumerate(way):
                ((shard_id, space),) = world.owners()
                if (shard_id, space) == (place.shard_id, place.space):
                    continue
                kind = MoveKind.REVERSE if number == 2 else MoveKind.MOVE
                record = record_of(
                    f"m{number}", Place(shard_id, space), place, reverse_window_s=window_s, kind=kind
                )
                final = await troubled(world, record, trouble)
                world.judge()
                assert final.phase is MovePhase.DONE or trouble.cancels, final
                assert final.phase in (MovePhase.DONE, MovePhase.CANCELLED), final
                here, left = (place, record.source) if final.committed else (record.source, place)
                assert world.owners() == [(here.shard_id, here.space)], final
                assert world.left_behind(left.shard_id, left.space) == 0, final
                arrivals[number] += final.committed
        except BaseException as error:
            error.add_note(f"seed {seed} of {name!r}")
            raise
        finally:
            await world.close()
    if name != "cancelled":
        # Cancels are rare then: every leg of the way has been gone.
        assert all(arrivals[number] > MANY_PLACES_SEEDS // 2 for number in range(len(way))), arrivals


async def test_rounds_that_are_cut_bring_no_edge_without_its_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edge of a round may hang on a node that is newer than the round reaches, or gone."""
    monkeypatch.setattr(copying, "PAGE_ROWS_MAX", 2)
    for seed in range(SEEDS):
        world = World(seed, Faults(), SMALL)
        try:
            # What is there when the move begins comes in rounds, too.
            world.shards["B"].groups[POOLED, GROUP] = GroupState(
                Fence(GROUP, 1, FenceState.MOVED, moved_to="A", moved_epoch=1, stats=every_kind({}))
            )
            final = await troubled(world, record_of("m1", Place("A"), Place("B")), Trouble())
            assert final.phase is MovePhase.DONE, final
            world.judge()
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
        finally:
            await world.close()

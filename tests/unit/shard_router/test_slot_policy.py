"""When a slot comes, is filled and goes."""

from dataclasses import replace

import pytest

from drivers.fence import EmbeddingSpec, Engine, Fence, FenceState, GroupRef, KindStats
from drivers.graph_model import Kind
from drivers.vector_slots import SlotProgress, VectorSlot
from shard_router.slot_policy import SlotPolicy, SlotStep, next_step

SPEC = EmbeddingSpec("m", 8)
POLICY = SlotPolicy(rows_min={Engine.FALKORDB: 100, Engine.NEO4J: 100}, keep_share=0.5)


def fence(rows: int, version: int = 9, state: FenceState = FenceState.OPEN) -> Fence:
    return Fence("g", 1, state, version, stats={Kind.FACT: KindStats(rows, 0)}, embeddings={Kind.FACT: SPEC})


def slot(version: int = 9, uuid: str = "", caught_up: bool = True) -> VectorSlot:
    return VectorSlot(GroupRef("g"), Kind.FACT, SPEC, SlotProgress(version, uuid), caught_up, rows_min=100)


@pytest.mark.parametrize(
    ("found", "held", "step"),
    [
        (fence(99), None, SlotStep.NOTHING),
        (fence(100), None, SlotStep.CREATE),
        (fence(100, state=FenceState.MOVED), None, SlotStep.NOTHING),
        (replace(fence(100), embeddings={}), None, SlotStep.NOTHING),
        (None, None, SlotStep.NOTHING),
        (fence(100), slot(), SlotStep.NOTHING),
        (fence(100), slot(8), SlotStep.FILL),
        (fence(100), slot(9, "u"), SlotStep.FILL),
        (fence(100), slot(0, caught_up=False), SlotStep.CREATE),
        (fence(100), replace(slot(), spec=replace(SPEC, dimension=0)), SlotStep.DROP),
        (fence(100), slot(caught_up=False), SlotStep.FILL),
        (replace(fence(100), move_id="m"), None, SlotStep.NOTHING),
        (replace(fence(100), move_id="m"), slot(caught_up=False), SlotStep.NOTHING),
        (replace(fence(100), move_id="m"), slot(0, caught_up=False), SlotStep.NOTHING),
        (replace(fence(100), move_id="m"), slot(8), SlotStep.FILL),
        (replace(fence(49), move_id="m"), slot(), SlotStep.DROP),
        (fence(50), slot(), SlotStep.NOTHING),
        (fence(49), slot(), SlotStep.DROP),
        (fence(100, state=FenceState.MOVED), slot(), SlotStep.DROP),
        (None, slot(), SlotStep.DROP),
        (replace(fence(100), embeddings={Kind.FACT: EmbeddingSpec("n", 8)}), slot(), SlotStep.DROP),
    ],
)
def test_the_step_that_a_slot_needs(found: Fence | None, held: VectorSlot | None, step: SlotStep) -> None:
    """Slots come at the limit and go at half of it, follow the group's versions, and never outlive the group
    or its model; what was begun is brought to its end, a slot without its index and one half dropped. While a
    group is being moved away, what is there is kept up to date, and nothing is built."""
    assert next_step(found, Kind.FACT, held, POLICY, Engine.FALKORDB) is step


def test_gateways_with_other_limits_leave_a_slot_to_its_own() -> None:
    """A slot goes by the limit that it was made with; one of a gateway that wants none goes at once."""
    made = replace(slot(), rows_min=10)
    assert next_step(fence(5), Kind.FACT, made, POLICY, Engine.FALKORDB) is SlotStep.NOTHING
    assert next_step(fence(4), Kind.FACT, made, POLICY, Engine.FALKORDB) is SlotStep.DROP
    off = replace(POLICY, slots_max=0)
    assert next_step(fence(500), Kind.FACT, slot(), off, Engine.FALKORDB) is SlotStep.DROP

"""When a group gets a vector slot, and what its slot needs next: pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from drivers.fence import Engine, Fence, FenceState
from drivers.graph_model import TEXT_KINDS, Kind
from drivers.vector_slots import SlotProgress, VectorSlot

ROWS_MIN: Mapping[Engine, int] = {Engine.FALKORDB: 2_000, Engine.NEO4J: 1_500}
"""From about here on a search of the index is faster than a scan: a scan takes 0.7 to 1.5 us a row on
FalkorDB and 12 to 15 us on Neo4j, a search of the index 1 to 2 ms and 10 to 20 ms."""


@dataclass(frozen=True, slots=True)
class SlotPolicy:
    rows_min: Mapping[Engine, int] = field(default_factory=lambda: ROWS_MIN)
    """Rows of one kind in one group."""
    keep_share: float = 0.5
    """Of the rows_min that a slot was made with: it stays until its group has fewer, so that one at the limit
    does not come and go."""
    slots_max: int = 64
    """In one shard. Further groups are scanned, but see REPLACE_TIMES. 0: all are, and slots that are there
    go."""


REPLACE_TIMES = 4
"""A group with so many times the rows of the smallest one that has a slot takes its place: to make one is
minutes of work, so that groups that grow side by side do not take turns."""


class SlotStep(StrEnum):
    NOTHING = "NOTHING"
    CREATE = "CREATE"
    """Make it or what it lacks, then FILL."""
    FILL = "FILL"
    DROP = "DROP"


def is_large(fence: Fence, kind: Kind, rows_min: int) -> bool:
    """Whether the group should have a slot. A group without vectors of this kind has nothing to put there."""
    spec = fence.embeddings.get(kind) if kind in TEXT_KINDS else None
    return fence.owns and spec is not None and rows_of(fence, kind) >= rows_min


def next_step(
    fence: Fence | None, kind: Kind, slot: VectorSlot | None, policy: SlotPolicy, engine: Engine
) -> SlotStep:
    rows_min = policy.rows_min[engine]
    if slot is None:
        large = fence is not None and is_large(fence, kind, rows_min) and not fence.move_id
        return SlotStep.CREATE if large else SlotStep.NOTHING
    if fence is not None and fence.state in (FenceState.INCOMING, FenceState.READY):
        # A move brings the group and fills its slot.
        return SlotStep.NOTHING
    if fence is None or not fence.owns:
        return SlotStep.DROP
    if (
        not policy.slots_max
        or not slot.fits(fence)
        or rows_of(fence, kind) < slot.rows_min * policy.keep_share
    ):
        return SlotStep.DROP
    if fence.move_id and not slot.caught_up:
        # The group is leaving: what is built here is for nobody, and holds up the copy and its writers. An
        # index of tens of thousands of vectors is minutes of work for a FalkorDB.
        return SlotStep.NOTHING
    if slot.progress == SlotProgress():
        # Whoever made it may not have come to its index.
        return SlotStep.CREATE
    behind = not slot.caught_up or slot.progress.complete_version < fence.version
    return SlotStep.FILL if behind else SlotStep.NOTHING


def gives_way(smallest_rows: int, fence: Fence, kind: Kind) -> bool:
    """Whether the smallest slot of a shard that has all it may have goes for one of this group."""
    return rows_of(fence, kind) >= REPLACE_TIMES * smallest_rows


def rows_of(fence: Fence, kind: Kind) -> int:
    stats = fence.stats.get(kind)
    return 0 if stats is None else stats.rows

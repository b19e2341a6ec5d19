"""Semantic candidates of one shard: large groups by their vector slots, the rest by one scan."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Protocol

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import Fence, GroupRef
from drivers.graph_model import Kind
from drivers.row_key import RowKey
from drivers.search_reads import ScoredRow, SemanticQuery
from drivers.vector_slots import SlotProgress, VectorSlot


class SlotDirectory(Protocol):
    """What searches need of the keeper of slots."""

    def slots_of(self, shard_id: str) -> Mapping[tuple[str, Kind], VectorSlot]:
        """By group_id and kind."""
        ...

    def searched(self, shard_id: str, slot: VectorSlot, progress: SlotProgress) -> None: ...

    def note(self, shard_id: str, fences: Iterable[Fence]) -> None: ...


class NoSlots:
    """For a gateway that scans everything."""

    def slots_of(self, shard_id: str) -> Mapping[tuple[str, Kind], VectorSlot]:
        return {}

    def searched(self, shard_id: str, slot: VectorSlot, progress: SlotProgress) -> None:
        return

    def note(self, shard_id: str, fences: Iterable[Fence]) -> None:
        return


@dataclass(frozen=True, slots=True)
class ShardSemantic:
    """As SemanticRead; `by_index` are the groups whose rows came from a slot."""

    hits: tuple[ScoredRow, ...]
    fences: Mapping[str, Fence]
    by_index: frozenset[str]


async def semantic(
    driver: ShardDriver,
    refs: Sequence[GroupRef],
    query: SemanticQuery,
    slots: SlotDirectory,
    deadline: Deadline,
) -> ShardSemantic:
    """A group whose slot is gone, behind or not enough is scanned, like those that have none."""
    usable = _usable(refs, query, slots.slots_of(driver.shard_id))
    if not usable:
        read = await driver.semantic(refs, query, deadline)
        return ShardSemantic(read.hits, read.fences, frozenset())
    scanned = [ref for ref in refs if ref.group_id not in usable]
    scan, in_slots = await asyncio.gather(
        _scan(driver, scanned, query, deadline),
        asyncio.gather(*(_in_slot(driver, slot, query, slots, deadline) for slot in usable.values())),
    )
    found = [part for part in in_slots if part is not None]
    by_index = frozenset(group_id for part in found for group_id in part.fences)
    missed = [slot.ref for slot, part in zip(usable.values(), in_slots, strict=True) if part is None]
    if missed:
        found.append(await _scan(driver, missed, query, deadline))
    parts = [scan, *found]
    return ShardSemantic(
        hits=tuple(islice(merge(*(part.hits for part in parts), key=_rank), query.limit)),
        fences={group_id: fence for part in parts for group_id, fence in part.fences.items()},
        by_index=by_index,
    )


def _usable(
    refs: Sequence[GroupRef], query: SemanticQuery, slots: Mapping[tuple[str, Kind], VectorSlot]
) -> dict[str, VectorSlot]:
    usable: dict[str, VectorSlot] = {}
    for ref in refs if slots else ():
        slot = slots.get((ref.group_id, query.kind))
        if slot is not None and slot.caught_up and slot.spec.dimension == query.vector.size:
            usable[ref.group_id] = slot
    return usable


async def _scan(
    driver: ShardDriver, refs: Sequence[GroupRef], query: SemanticQuery, deadline: Deadline
) -> ShardSemantic:
    if not refs:
        return ShardSemantic((), {}, frozenset())
    read = await driver.semantic(refs, query, deadline)
    return ShardSemantic(read.hits, read.fences, frozenset())


async def _in_slot(
    driver: ShardDriver, slot: VectorSlot, query: SemanticQuery, slots: SlotDirectory, deadline: Deadline
) -> ShardSemantic | None:
    """None: the slot is not enough."""
    read = await driver.semantic_in_slot(slot, query, deadline)
    if read.progress is not None:
        slots.searched(driver.shard_id, slot, read.progress)
    if not read.enough or read.fence is None:
        return None
    return ShardSemantic(read.hits, {slot.ref.group_id: read.fence}, frozenset())


def _rank(hit: ScoredRow) -> tuple[float, RowKey]:
    return -hit.score, hit.key

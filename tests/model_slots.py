"""Vector slots as plain dictionaries. Their index is exact: recall is the engines' own affair."""

from collections.abc import Sequence
from dataclasses import replace

from drivers.fence import GroupRef
from drivers.filters import matches
from drivers.graph_model import Kind, Vector
from drivers.row_key import RowKey
from drivers.search_reads import ScoredRow, SemanticQuery
from drivers.vector_slots import (
    FILL_GROWTH_MAX,
    TAIL_ROWS_MAX,
    SlotBacklog,
    SlotProgress,
    SlotRead,
    VectorSlot,
)
from tests.model_group import GroupState, cosine, vector_of

FILL_ROWS = 7
"""Small, so that tests see slots that are filled in part."""


class ModelSlots:
    def __init__(self) -> None:
        self._slots: dict[str, VectorSlot] = {}
        self._vectors: dict[str, dict[str, Vector]] = {}
        self._made = 0

    def list(self) -> list[VectorSlot]:
        return list(self._slots.values())

    def create(self, slot: VectorSlot) -> VectorSlot:
        if slot.key not in self._slots:
            self._made += 1
            self._slots[slot.key] = replace(
                slot, progress=SlotProgress(), caught_up=False, serial=str(self._made)
            )
            self._vectors[slot.key] = {}
        return self._slots[slot.key]

    def backlog(self, group: GroupState, slot: VectorSlot, limit: int) -> SlotBacklog:
        if group.fence is None:
            return SlotBacklog((), slot.progress, caught_up=True)
        changed = [(row.version, uuid) for (kind, uuid), row in group.rows.items() if kind == slot.kind]
        changed += [
            (version, uuid) for (kind, uuid), version in group.tombstones.items() if kind == slot.kind
        ]
        after = slot.progress
        later = sorted(
            (version, uuid)
            for version, uuid in changed
            if version > after.version or (version == after.version and after.uuid and uuid > after.uuid)
        )
        changes = tuple(SlotProgress(*change) for change in later[:limit])
        if len(later) >= limit:
            return SlotBacklog(changes, changes[-1], caught_up=False)
        return SlotBacklog(changes, SlotProgress(group.fence.version), caught_up=True)

    def fill(self, group: GroupState, slot: VectorSlot, uuids: Sequence[str]) -> None:
        assert len(uuids) <= FILL_GROWTH_MAX * FILL_ROWS, len(uuids)
        if self._stored(slot) is None:
            return
        held = self._vectors[slot.key]
        for uuid in uuids:
            vector = vector_of(group, slot.kind, uuid) if (slot.kind, uuid) in group.rows else None
            if vector is None:
                held.pop(uuid, None)
            else:
                held[uuid] = vector

    def advance(self, slot: VectorSlot, backlog: SlotBacklog) -> VectorSlot | None:
        stored = self._stored(slot)
        if stored is None or stored.progress != slot.progress:
            return None
        progress = max(stored.progress, backlog.reaches, key=_place)
        caught_up = stored.caught_up or backlog.caught_up
        self._slots[slot.key] = replace(stored, progress=progress, caught_up=caught_up)
        return self._slots[slot.key]

    def drop(self, slot: VectorSlot) -> None:
        if self._stored(slot) is not None:
            del self._slots[slot.key], self._vectors[slot.key]

    def drop_all(self, ref: GroupRef) -> None:
        for slot in [slot for slot in self._slots.values() if slot.ref == ref]:
            self.drop(slot)

    def search(self, group: GroupState, slot: VectorSlot, query: SemanticQuery) -> SlotRead:
        stored = self._stored(slot)
        since = slot.progress.complete_version
        tail = {u for (kind, u), row in group.rows.items() if kind == slot.kind and row.version > since}
        gone = {uuid for uuid, version in _tombstones(group, slot.kind) if version > since}
        if stored is None or not slot.fits(group.fence) or max(len(tail), len(gone)) > TAIL_ROWS_MAX:
            return SlotRead((), group.fence, enough=False)
        vectors = {u: v for u, v in self._vectors[slot.key].items() if u not in tail | gone}
        for uuid in tail:
            vector = vector_of(group, slot.kind, uuid)
            if vector is not None and vector.shape == query.vector.shape:
                vectors[uuid] = vector
        hits = [
            ScoredRow(RowKey(slot.ref.group_id, uuid), cosine(vector, query.vector))
            for uuid, vector in vectors.items()
            if matches(group.rows[slot.kind, uuid], query.filter)
        ]
        hits = sorted((h for h in hits if h.score >= query.score_min), key=lambda h: (-h.score, h.key))
        return SlotRead(tuple(hits[: query.limit]), group.fence, enough=True, progress=stored.progress)

    def _stored(self, slot: VectorSlot) -> VectorSlot | None:
        stored = self._slots.get(slot.key)
        return stored if stored is not None and stored.serial == slot.serial else None


def _place(progress: SlotProgress) -> tuple[int, bool, str]:
    """All of a version is further than any row of it."""
    return progress.version, not progress.uuid, progress.uuid


def _tombstones(group: GroupState, kind: Kind) -> list[tuple[str, int]]:
    return [(uuid, version) for (of_kind, uuid), version in group.tombstones.items() if of_kind == kind]

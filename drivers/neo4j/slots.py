"""Vector slots: nodes under a label of their own, with a vector index on it."""

import secrets
from collections.abc import Sequence
from typing import Any

from drivers.deadline import Deadline
from drivers.errors import EngineRefused, SchemaNotReady
from drivers.fence import EmbeddingSpec, GroupRef
from drivers.filter_parameters import narrowing, narrowing_parameters
from drivers.graph_model import Kind
from drivers.neo4j import queries_slots as texts
from drivers.neo4j import records
from drivers.neo4j.client import Neo4jClient
from drivers.neo4j.queries_write import LOCKED_VERSION
from drivers.row_codec import pk
from drivers.row_key import RowKey
from drivers.search_reads import ScoredRow, SemanticQuery
from drivers.vector_slots import (
    FILL_GROWTH_MAX,
    TAIL_ROWS_MAX,
    SlotBacklog,
    SlotProgress,
    SlotRead,
    VectorSlot,
    searched_until_enough,
)

FILL_ROWS = 100
"""Rows of one statement that fills a slot; writers of the group wait for it."""
EMPTY_ROWS = 1_000
FOUND_MIN = 140
"""Asked of the index at least: it compares vectors of one byte a number, and among 140 of those the best 10
by the vectors themselves are there (of the first 10 alone 0.84). A hit asked for costs 0.04 ms."""


class Slots:
    def __init__(self, client: Neo4jClient) -> None:
        self._client = client

    async def list(self, deadline: Deadline) -> Sequence[VectorSlot]:
        found = await self._client.read(texts.LIST_SLOTS, {}, "list_slots", deadline)
        return [_slot(values) for (values,) in found]

    async def create(self, slot: VectorSlot, deadline: Deadline) -> VectorSlot:
        """Its node first, so that no index is without one."""
        ((values,),) = await self._client.repeatable(
            texts.CREATE_SLOT,
            {
                "key": slot.key,
                "properties": {
                    "group_id": slot.ref.group_id,
                    "space": slot.ref.space,
                    "kind": slot.kind,
                    "model": slot.spec.model,
                    "dimension": slot.spec.dimension,
                    "revision": slot.spec.revision,
                    "property": slot.spec.slot,
                    "version": 0,
                    "uuid": "",
                    "caught_up": False,
                    "serial": secrets.token_hex(8),
                    "rows_min": slot.rows_min,
                },
            },
            "create_slot",
            deadline,
        )
        made = _slot(values)
        if made.spec.dimension:
            await self._ensure_index(made, deadline)
        return made

    async def backlog(self, slot: VectorSlot, limit: int, deadline: Deadline) -> SlotBacklog:
        """Up to the version of the last write that is wholly visible."""
        group_id = slot.ref.group_id
        locked = await self._client.repeatable(
            LOCKED_VERSION, {"group_id": group_id}, "slot_backlog", deadline
        )
        if not locked:
            return SlotBacklog((), slot.progress, caught_up=True)
        ((bound,),) = locked
        found = await self._client.read(
            texts.backlog_text(slot.kind),
            {
                "group_id": group_id,
                "kind": slot.kind,
                "version": slot.progress.version,
                "uuid": slot.progress.uuid,
                "bound": bound,
                "limit": limit,
            },
            "slot_backlog",
            deadline,
        )
        # A row that is being deleted may lack properties already; its tombstone comes with the next version.
        changed = [(version, uuid) for version, uuid in found if uuid is not None]
        changes = tuple(SlotProgress(*change) for change in changed)
        if len(found) >= limit and changes:
            return SlotBacklog(changes, changes[-1], caught_up=False)
        return SlotBacklog(changes, SlotProgress(bound), caught_up=True)

    async def fill(self, slot: VectorSlot, uuids: Sequence[str], deadline: Deadline) -> None:
        assert len(uuids) <= FILL_GROWTH_MAX * FILL_ROWS, f"{len(uuids)} rows in one step of a slot"
        rows = [
            {"pk": pk(slot.ref.group_id, uuid), "slot_pk": f"{slot.label}/{uuid}", "uuid": uuid}
            for uuid in uuids
        ]
        await self._client.repeatable(
            texts.fill_text(slot.kind),
            {
                "group_id": slot.ref.group_id,
                "key": slot.key,
                "serial": slot.serial,
                "label": slot.label,
                "column": slot.spec.slot,
                "rows": rows,
            },
            "fill_slot",
            deadline,
        )

    async def advance(self, slot: VectorSlot, backlog: SlotBacklog, deadline: Deadline) -> VectorSlot | None:
        found = await self._client.repeatable(
            texts.ADVANCE_SLOT,
            {
                "key": slot.key,
                "serial": slot.serial,
                "from_version": slot.progress.version,
                "from_uuid": slot.progress.uuid,
                "version": backlog.reaches.version,
                "uuid": backlog.reaches.uuid,
                "caught_up": backlog.caught_up,
            },
            "advance_slot",
            deadline,
        )
        return _slot(found[0][0]) if found else None

    async def drop(self, slot: VectorSlot, deadline: Deadline) -> None:
        """Its node last: whoever sees it finishes what was begun."""
        this = {"key": slot.key, "serial": slot.serial}
        await self._client.repeatable(texts.MARK_DROPPED, this, "drop_slot", deadline)
        await self._client.define(texts.drop_text(index_of(slot)), deadline)
        gone = EMPTY_ROWS
        while gone:
            ((gone,),) = await self._client.repeatable(
                texts.empty_text(slot.label), {"limit": EMPTY_ROWS}, "drop_slot", deadline
            )
        await self._client.repeatable(texts.DROP_SLOT, this, "drop_slot", deadline)

    async def semantic(self, slot: VectorSlot, query: SemanticQuery, deadline: Deadline) -> SlotRead:
        return await searched_until_enough(
            query, FOUND_MIN, lambda asked: self._search(slot, query, asked, deadline)
        )

    async def _search(
        self, slot: VectorSlot, query: SemanticQuery, asked: int, deadline: Deadline
    ) -> SlotRead:
        try:
            ((found, of_index, tail, gone, values, fence_values),) = await self._client.read(
                texts.search_text(slot.kind, narrowing(query.kind, query.filter)),
                {
                    "group_id": slot.ref.group_id,
                    "kind": slot.kind,
                    "key": slot.key,
                    "serial": slot.serial,
                    "index": index_of(slot),
                    "column": slot.spec.slot,
                    "k": asked,
                    "vector": query.vector.tolist(),
                    "dimension": query.vector.size,
                    "since": slot.progress.complete_version,
                    "tail_max": TAIL_ROWS_MAX + 1,
                    **narrowing_parameters(query.kind, query.filter),
                },
                "semantic_in_slot",
                deadline,
            )
        except (EngineRefused, SchemaNotReady):
            # Another gateway has dropped the slot.
            return SlotRead((), None, enough=False)
        fence = records.fence(fence_values)
        present = _slot(values) if values is not None else None
        usable = slot.fits(fence) and max(len(tail), len(gone)) <= TAIL_ROWS_MAX
        if not usable or present is None or present.spec != slot.spec:
            return SlotRead((), fence, enough=False)
        passed = {uuid for uuid, _ in tail} | set(gone)
        indexed = [(uuid, score) for uuid, score in found if uuid not in passed and score is not None]
        scored = (
            ScoredRow(RowKey(slot.ref.group_id, uuid), min(1.0, max(-1.0, 2.0 * score - 1.0)))
            for uuid, score in (*tail, *indexed)
            if uuid is not None and score is not None
        )
        hits = sorted(
            (hit for hit in scored if hit.score >= query.score_min), key=lambda hit: (-hit.score, hit.key)
        )
        # Fewer than were asked for: the index has no more, or the filter (or the tail) has taken them.
        enough = len(indexed) >= query.limit or of_index < asked
        return SlotRead(tuple(hits[: query.limit]), fence, enough, present.progress)

    async def _ensure_index(self, slot: VectorSlot, deadline: Deadline) -> None:
        """While the slot is empty it serves at once."""
        index = index_of(slot)
        await self._client.define(texts.index_text(slot.label, index, slot.spec.dimension), deadline)
        await self._client.read(
            texts.AWAIT_INDEX,
            {"index": index, "seconds": max(1, int(deadline.remaining_s()))},
            "create_slot",
            deadline,
        )


def index_of(slot: VectorSlot) -> str:
    """Its index's name in the server."""
    return f"graphgate_slot_{slot.label}"


def _slot(values: Sequence[Any]) -> VectorSlot:
    stored = dict(zip(texts.SLOT_COLUMNS, values, strict=True))
    return VectorSlot(
        ref=GroupRef(stored["group_id"], stored["space"]),
        kind=Kind(stored["kind"]),
        spec=EmbeddingSpec(stored["model"], stored["dimension"], stored["revision"], stored["property"]),
        progress=SlotProgress(stored["version"], stored["uuid"]),
        caught_up=stored["caught_up"],
        serial=stored["serial"],
        rows_min=stored["rows_min"],
    )

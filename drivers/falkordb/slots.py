"""Vector slots: nodes under a label of their own in the graph of their group."""

import secrets
from collections.abc import Sequence
from typing import Any

from drivers.deadline import Deadline
from drivers.errors import EngineRefused, SchemaNotReady
from drivers.falkordb import queries_slots as texts
from drivers.falkordb.client import GraphClient
from drivers.falkordb.errors import ALREADY_INDEXED, NO_SUCH_INDEX
from drivers.falkordb.fan_out import over_graphs
from drivers.falkordb.fences import fences
from drivers.falkordb.parameters import Parameter
from drivers.falkordb.write import slot_of
from drivers.fence import EmbeddingSpec, GroupRef
from drivers.filter_parameters import narrowing, narrowing_parameters
from drivers.graph_model import Kind
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

FILL_ROWS = 20
"""Rows of one query that fills a slot, usually. An insert into the index holds the whole server for 0.5 to 1
ms."""
EMPTY_ROWS = 200
"""Nodes that one query deletes with a slot: 0.2 to 0.5 ms each while the index is there, so it goes first."""
FOUND_MIN = 100
"""Asked of the index at least: with 100 and efRuntime 200 the best 10 of real text vectors are all there."""


async def list_slots(client: GraphClient, graphs: Sequence[str], deadline: Deadline) -> list[VectorSlot]:
    async def of_graph(graph: str, _: None) -> list[VectorSlot]:
        found = await client.read(graph, texts.LIST_SLOTS, {}, deadline, "listing vector slots")
        return [_slot(values) for _, values in found]

    answers = await over_graphs(client, dict.fromkeys(graphs), of_graph)
    return [slot for slots in answers for slot in slots]


async def create_slot(client: GraphClient, graph: str, slot: VectorSlot, deadline: Deadline) -> VectorSlot:
    """Its node first, so that no index is without one. An index of an empty label serves in a moment; until
    then a fill passes over the few rows that the slot has."""
    parameters: dict[str, Parameter] = {
        "key": slot.key,
        "properties": {
            "group_id": slot.ref.group_id,
            "space": slot.ref.space,
            "kind": str(slot.kind),
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
    }
    ((_, values),) = await client.write(graph, texts.CREATE_SLOT, parameters, deadline, "creating a slot")
    made = _slot(values)
    if made.spec.dimension:
        for text in texts.index_texts(made.label, made.spec.dimension):
            await _alter(client, graph, text, ALREADY_INDEXED, deadline)
    return made


async def slot_backlog(
    client: GraphClient, graph: str, slot: VectorSlot, limit: int, deadline: Deadline
) -> SlotBacklog:
    parameters: dict[str, Parameter] = {
        "group": slot.ref.group_id,
        "kind": str(slot.kind),
        "version": slot.progress.version,
        "uuid": slot.progress.uuid,
        "limit": limit,
    }
    found = await client.read(
        graph, texts.backlog_text(slot.kind), parameters, deadline, "reading what a slot lacks"
    )
    changed = sorted(tuple(values) for tag, values in found if tag == texts.CHANGED)
    fence = fences(found).get(slot.ref.group_id)
    changes = tuple(SlotProgress(*change) for change in changed[:limit])
    if len(changed) >= limit:
        return SlotBacklog(changes, changes[-1], caught_up=False)
    reached = slot.progress if fence is None else SlotProgress(fence.version)
    return SlotBacklog(changes, reached, caught_up=True)


async def fill_slot(
    client: GraphClient, graph: str, slot: VectorSlot, uuids: Sequence[str], deadline: Deadline
) -> None:
    assert len(uuids) <= FILL_GROWTH_MAX * FILL_ROWS, f"{len(uuids)} rows in one step of a slot"
    rows: list[Parameter] = [{"pk": pk(slot.ref.group_id, uuid), "uuid": uuid} for uuid in uuids]
    parameters: dict[str, Parameter] = {"key": slot.key, "serial": slot.serial, "rows": rows}
    text = texts.fill_text(slot.kind, slot.label, _column(slot))
    await client.write(graph, text, parameters, deadline, "filling a slot")


async def advance_slot(
    client: GraphClient, graph: str, slot: VectorSlot, backlog: SlotBacklog, deadline: Deadline
) -> VectorSlot | None:
    parameters: dict[str, Parameter] = {
        "key": slot.key,
        "serial": slot.serial,
        "from_version": slot.progress.version,
        "from_uuid": slot.progress.uuid,
        "version": backlog.reaches.version,
        "uuid": backlog.reaches.uuid,
        "caught_up": backlog.caught_up,
    }
    found = await client.write(graph, texts.ADVANCE_SLOT, parameters, deadline, "advancing a slot")
    return _slot(found[0][1]) if found else None


async def drop_slot(client: GraphClient, graph: str, slot: VectorSlot, deadline: Deadline) -> None:
    """Its node last: whoever sees it finishes what was begun."""
    this: dict[str, Parameter] = {"key": slot.key, "serial": slot.serial}
    await client.write(graph, texts.MARK_DROPPED, this, deadline, "dropping a slot")
    for text in texts.drop_texts(slot.label):
        await _alter(client, graph, text, NO_SUCH_INDEX, deadline)
    text, asked = texts.empty_text(slot.label), {"limit": EMPTY_ROWS}
    while (await client.write(graph, text, asked, deadline, "emptying a slot"))[0][0]:
        continue
    await client.write(graph, texts.DROP_SLOT, this, deadline, "dropping a slot")


async def semantic_in_slot(
    client: GraphClient, graph: str, slot: VectorSlot, query: SemanticQuery, deadline: Deadline
) -> SlotRead:
    return await searched_until_enough(
        query, FOUND_MIN, lambda asked: _search(client, graph, slot, query, asked, deadline)
    )


async def _search(
    client: GraphClient, graph: str, slot: VectorSlot, query: SemanticQuery, asked: int, deadline: Deadline
) -> SlotRead:
    parameters: dict[str, Parameter] = {
        "group": slot.ref.group_id,
        "kind": str(slot.kind),
        "key": slot.key,
        "serial": slot.serial,
        "label": slot.label,
        "k": asked,
        "vector": query.vector,
        "since": slot.progress.complete_version,
        "tail_max": TAIL_ROWS_MAX + 1,
        **narrowing_parameters(query.kind, query.filter),
    }
    text = texts.search_text(slot.kind, _column(slot), narrowing(query.kind, query.filter))
    try:
        found = await client.read(graph, text, parameters, deadline, "a search in a slot")
    except SchemaNotReady:
        # Another gateway has dropped the slot, or the engine fills the index anew after a restart.
        return SlotRead((), None, enough=False)
    by_tag: dict[str, list[Any]] = {}
    for tag, values in found:
        by_tag.setdefault(tag, []).append(values)
    fence = fences(found).get(slot.ref.group_id)
    tail, gone = by_tag.get(texts.TAIL, []), by_tag.get(texts.GONE, [])
    present = [_slot(values) for values in by_tag.get(texts.SLOT, [])]
    usable = slot.fits(fence) and max(len(tail), len(gone)) <= TAIL_ROWS_MAX
    if not usable or not present or present[0].spec != slot.spec:
        return SlotRead((), fence, enough=False)
    passed = {values[0] for values in (*tail, *gone)}
    scores = [(uuid, score) for uuid, score in tail if score is not None]
    of_index = by_tag.get(texts.HIT, [])
    indexed = [(uuid, score) for uuid, score in of_index if uuid not in passed and score is not None]
    hits = [
        ScoredRow(RowKey(slot.ref.group_id, uuid), max(-1.0, min(1.0, score)))
        for uuid, score in (*scores, *indexed)
        if score >= query.score_min
    ]
    hits.sort(key=lambda hit: (-hit.score, hit.key))
    # Fewer than were asked for: the index has no more, or the filter (or the tail) has taken them.
    enough = len(indexed) >= query.limit or len(of_index) + len(gone) < asked
    return SlotRead(tuple(hits[: query.limit]), fence, enough, present[0].progress)


async def _alter(client: GraphClient, graph: str, text: str, done_already: str, deadline: Deadline) -> None:
    try:
        await client.write(graph, text, {}, deadline, "changing the schema")
    except EngineRefused as refused:
        if done_already not in refused.engine_text:
            raise


def _column(slot: VectorSlot) -> str:
    return slot_of({slot.kind: slot.spec}, slot.kind)


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

"""Reads of one group's rows."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from drivers.contract import Changes, EmbeddingSpec, GroupRef, ListQuery, RowsRead, Tombstone
from drivers.deadline import Deadline
from drivers.errors import SchemaNotReady
from drivers.falkordb import queries_read as texts
from drivers.falkordb.client import GraphClient, Rows
from drivers.falkordb.fences import fences
from drivers.falkordb.parameters import Parameter, Verbatim, strings_text
from drivers.falkordb.write import DEFAULT_SLOT, slot_of
from drivers.graph_model import TEXT_KINDS, AnyRow, Kind, Vector
from drivers.row_codec import COLUMNS, decode, pk

READS_PER_CALL_MAX = 3
"""A read that finds the vectors in another slot than it looked in is done again. A second change of slot
within one call has never a reason."""

type Slots = Mapping[Kind, str]

_DEFAULT_SLOTS: Slots = dict.fromkeys(TEXT_KINDS, DEFAULT_SLOT)


async def get_rows(
    client: GraphClient,
    graph: str,
    ref: GroupRef,
    kind: Kind,
    uuids: Sequence[str],
    with_vectors: bool,
    deadline: Deadline,
) -> RowsRead:
    keys = Verbatim(strings_text([pk(ref.group_id, uuid) for uuid in dict.fromkeys(uuids)]))
    parameters: dict[str, Parameter] = {"group": ref.group_id, "keys": keys}

    async def read(slots: Slots) -> Rows:
        text = texts.get_text(kind, _slot(kind, with_vectors, slots))
        return await client.read(graph, text, parameters, deadline, f"reading {kind} rows")

    found = await _in_slots(client, ref, (kind,) if with_vectors else (), read)
    by_uuid = {row.uuid: row for row in _rows(found)}
    return RowsRead(
        tuple(by_uuid[uuid] for uuid in dict.fromkeys(uuids) if uuid in by_uuid),
        fences(found).get(ref.group_id),
    )


async def list_rows(
    client: GraphClient, graph: str, ref: GroupRef, query: ListQuery, deadline: Deadline
) -> RowsRead:
    parameters: dict[str, Parameter] = {"group": ref.group_id, "limit": query.limit}
    if query.anchor is not None:
        parameters["anchor"] = pk(ref.group_id, query.anchor.uuid)
    if query.after is not None:
        parameters["after_uuid"] = query.after.uuid
        parameters["after_created_at"] = query.after.created_at

    async def read(slots: Slots) -> Rows:
        text = texts.list_text(
            query.kind,
            None if query.anchor is None else query.anchor.kind,
            query.order,
            continues=query.after is not None,
            slot=_slot(query.kind, query.with_vectors, slots),
        )
        return await client.read(graph, text, parameters, deadline, f"listing {query.kind} rows")

    found = await _in_slots(client, ref, (query.kind,) if query.with_vectors else (), read)
    return RowsRead(tuple(_rows(found)), fences(found).get(ref.group_id))


async def changes(
    client: GraphClient, graph: str, ref: GroupRef, after_version: int, limit: int, deadline: Deadline
) -> Changes:
    """Two queries: what changed is counted first, because rows come with their vectors.

    A row that is written in between leaves the range that was counted for a later one; so it does if it
    is dropped, and its tombstone is then later too.
    """
    counted = await client.read(
        graph,
        texts.changed_versions_text(),
        {"group": ref.group_id, "after": after_version, "rows_max": limit + 1},
        deadline,
        "counting changes",
    )
    fence = fences(counted).get(ref.group_id)
    if fence is None:
        return Changes((), (), after_version, None)
    per_version: dict[int, int] = {}
    for tag, values in counted:
        if tag == texts.VERSION:
            per_version[values[0]] = per_version.get(values[0], 0) + values[1]
    if not per_version:
        return Changes((), (), fence.version, fence)
    until = _cut(per_version, limit, fence.version)

    async def read(slots: Slots) -> Rows:
        return await client.read(
            graph,
            texts.changes_text(tuple(slots.items())),
            {"group": ref.group_id, "after": after_version, "until": until},
            deadline,
            "reading changes",
        )

    found = await _in_slots(client, ref, TEXT_KINDS, read)
    tombstones = [
        Tombstone(Kind(values[0]), values[1], values[2]) for tag, values in found if tag == texts.TOMBSTONE
    ]
    return Changes(
        rows=tuple(sorted(_rows(found), key=lambda row: row.version)),
        tombstones=tuple(sorted(tombstones, key=lambda tombstone: tombstone.version)),
        bound=until,
        fence=fences(found).get(ref.group_id),
    )


def _cut(per_version: Mapping[int, int], limit: int, newest: int) -> int:
    """The last version of which all is within the limit, at least the first; `newest` when all is.

    A kind with more rows than the limit has its last version counted in part, but is over the limit by
    then: that version is cut away, or is the first one and read whole.
    """
    total, until = 0, 0
    for version in sorted(per_version):
        total += per_version[version]
        if total > limit:
            return until or version
        until = version
    return newest


def _slot(kind: Kind, with_vectors: bool, slots: Slots) -> str | None:
    return slots[kind] if with_vectors and kind in TEXT_KINDS else None


async def _in_slots(
    client: GraphClient, ref: GroupRef, kinds: Iterable[Kind], read: Callable[[Slots], Awaitable[Rows]]
) -> Rows:
    """Reads with the usual vector slots, and again if the fence that comes with the rows names others."""
    kinds = [kind for kind in kinds if kind in TEXT_KINDS]
    slots = dict(_DEFAULT_SLOTS)
    for _ in range(READS_PER_CALL_MAX):
        found = await read(slots)
        fence = fences(found).get(ref.group_id)
        named = _slots_of(fence.embeddings if fence is not None else {})
        if all(named[kind] == slots[kind] for kind in kinds):
            return found
        slots = named
    raise SchemaNotReady(client.shard_id, "the vectors of a group")


def _slots_of(embeddings: Mapping[Kind, EmbeddingSpec]) -> dict[Kind, str]:
    return {kind: slot_of(embeddings, kind) for kind in TEXT_KINDS}


def _rows(found: Iterable[Sequence[Any]]) -> Iterable[AnyRow]:
    for tag, values in found:
        if tag in COLUMNS:
            kind = Kind(tag)
            columns = len(COLUMNS[kind])
            vector = cast("Vector | None", values[columns]) if len(values) > columns else None
            yield decode(kind, values[:columns], vector)

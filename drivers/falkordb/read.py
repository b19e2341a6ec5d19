"""Reads of rows by key, by order and by version."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from drivers.deadline import Deadline
from drivers.errors import SchemaNotReady
from drivers.falkordb import queries_read as texts
from drivers.falkordb.client import GraphClient, Rows
from drivers.falkordb.fan_out import over_graphs
from drivers.falkordb.fences import fences
from drivers.falkordb.graphs import graph_of
from drivers.falkordb.parameters import Parameter, Verbatim, strings_text
from drivers.falkordb.queries import FENCE_OF_GROUP
from drivers.falkordb.queries_write import OPERATION
from drivers.falkordb.write import DEFAULT_SLOT, slot_of
from drivers.fence import Fence, GroupRef
from drivers.graph_model import TEXT_KINDS, AnyRow, Kind, Vector
from drivers.reads import Changes, ListQuery, RowsRead, Tombstone, VersionsRead
from drivers.row_codec import COLUMNS, decode, pk
from drivers.write_plan import OpRecord

READS_PER_CALL_MAX = 3
"""A read that finds the vectors in another slot than it looked in is done again. There is never a reason
for a second change of slots within one call."""
VERSIONS_AT_ONCE = 100
"""Versions whose rows are read without being counted first: most writes have one or two rows."""

type Slots = Mapping[Kind, str]

# --- by key ---------------------------------------------------------------------------------------


async def fetch_rows(
    client: GraphClient,
    wanted: Mapping[GroupRef, Sequence[str]],
    pool_graphs: int,
    kind: Kind,
    with_vectors: bool,
    deadline: Deadline,
) -> dict[str, RowsRead]:
    """One query for each graph, and one more for each further vector slot that its groups use."""

    async def of_graph(graph: str, refs: list[GroupRef]) -> dict[str, RowsRead]:
        here = {ref: wanted[ref] for ref in refs}
        return await fetch_in_graph(client, graph, here, kind, with_vectors, deadline)

    graphs: dict[str, list[GroupRef]] = {}
    for ref in wanted:
        graphs.setdefault(graph_of(ref, pool_graphs), []).append(ref)
    answers = await over_graphs(client, graphs, of_graph)
    return {group_id: read for answer in answers for group_id, read in answer.items()}


async def fetch_in_graph(
    client: GraphClient,
    graph: str,
    wanted: Mapping[GroupRef, Sequence[str]],
    kind: Kind,
    with_vectors: bool,
    deadline: Deadline,
) -> dict[str, RowsRead]:
    """Of groups that are all in this graph."""
    found: dict[str, RowsRead] = {}
    left: dict[str, list[GroupRef]] = {DEFAULT_SLOT: list(wanted)}
    for _ in range(READS_PER_CALL_MAX):
        again: dict[str, list[GroupRef]] = {}
        for slot, of_slot in left.items():
            read = await _fetch(
                client, graph, {ref: wanted[ref] for ref in of_slot}, kind, slot, with_vectors, deadline
            )
            found |= read
            for ref in of_slot:
                named = _slots(read[ref.group_id].fence)
                if with_vectors and named.get(kind, slot) != slot:
                    again.setdefault(named[kind], []).append(ref)
        if not again:
            return found
        left = again
    raise SchemaNotReady(client.shard_id, "the vectors of a group")


async def _fetch(
    client: GraphClient,
    graph: str,
    wanted: Mapping[GroupRef, Sequence[str]],
    kind: Kind,
    slot: str,
    with_vectors: bool,
    deadline: Deadline,
) -> dict[str, RowsRead]:
    keys = [pk(ref.group_id, uuid) for ref, uuids in wanted.items() for uuid in dict.fromkeys(uuids)]
    parameters: dict[str, Parameter] = {
        "groups": [ref.group_id for ref in wanted],
        "keys": Verbatim(strings_text(keys)),
    }
    text = texts.fetch_text(kind, slot if with_vectors and kind in TEXT_KINDS else None)
    found = await client.read(graph, text, parameters, deadline, f"reading {kind} rows")
    rows: dict[tuple[str, str], AnyRow] = {}
    for tag, values in found:
        if tag == kind:
            row = _row(kind, values[1:])
            rows[values[0], row.uuid] = row
    known = fences(found)
    return {
        ref.group_id: RowsRead(
            tuple(rows[key] for uuid in dict.fromkeys(uuids) if (key := (ref.group_id, uuid)) in rows),
            known.get(ref.group_id),
        )
        for ref, uuids in wanted.items()
    }


# --- by order -------------------------------------------------------------------------------------


async def list_rows(
    client: GraphClient, graph: str, ref: GroupRef, query: ListQuery, deadline: Deadline
) -> RowsRead:
    kinds = (query.kind,) if query.with_vectors and query.kind in TEXT_KINDS else ()

    async def read(slots: Slots) -> Rows:
        text = _list_text(query, slot=slots[query.kind] if kinds else None)
        return await client.read(
            graph, text, _list_parameters(ref, query), deadline, f"listing {query.kind} rows"
        )

    found = await _in_slots(client, ref, kinds, read)
    return RowsRead(tuple(_rows(found)), fences(found).get(ref.group_id))


async def list_versions(
    client: GraphClient, graph: str, ref: GroupRef, query: ListQuery, deadline: Deadline
) -> VersionsRead:
    text, what = _list_text(query, slot=None, versions=True), f"listing versions of {query.kind} rows"
    found = await client.read(graph, text, _list_parameters(ref, query), deadline, what)
    versions = {values[0]: values[1] for tag, values in found if tag == query.kind}
    return VersionsRead(versions, fences(found).get(ref.group_id))


def _list_text(query: ListQuery, *, slot: str | None, versions: bool = False) -> str:
    return texts.list_text(
        query.kind,
        None if query.anchor is None else query.anchor.kind,
        query.order,
        continues=query.after is not None,
        slot=slot,
        between=bool(query.other_uuid),
        closed=query.closed_by_facts is not None,
        bounded=query.up_to_version is not None,
        versions=versions,
    )


def _list_parameters(ref: GroupRef, query: ListQuery) -> dict[str, Parameter]:
    parameters: dict[str, Parameter] = {"group": ref.group_id, "limit": query.limit}
    if query.anchor is not None:
        parameters["anchor"] = pk(ref.group_id, query.anchor.uuid)
        parameters["anchor_uuid"] = query.anchor.uuid
        parameters["other_uuid"] = query.other_uuid
        parameters["closed_by_facts"] = list(query.closed_by_facts or ())
    if query.after is not None:
        parameters["after_uuid"] = query.after.uuid
        parameters["after_created_at"] = query.after.created_at
    if query.up_to_version is not None:
        parameters["up_to_version"] = query.up_to_version
    return parameters


# --- by version -----------------------------------------------------------------------------------


async def changes(
    client: GraphClient, graph: str, ref: GroupRef, after_version: int, limit: int, deadline: Deadline
) -> Changes:
    return decoded_changes(
        *await changed(client, graph, ref, after_version, limit, deadline, with_operations=False)
    )


def decoded_changes(found: Rows, bound: int, fence: Fence | None) -> Changes:
    return Changes(
        rows=tuple(sorted(_rows(found), key=lambda row: row.version)),
        tombstones=tuple(sorted(tombstones(found), key=lambda tombstone: tombstone.version)),
        bound=bound,
        fence=fence,
    )


async def changed(
    client: GraphClient,
    graph: str,
    ref: GroupRef,
    after_version: int,
    limit: int,
    deadline: Deadline,
    *,
    with_operations: bool,
    seen_version: int = 0,
) -> tuple[Rows, int, Fence | None]:
    """What has a version in (after_version, bound], the bound, and the fence.

    The fence alone when nothing changed, which is what most readers of a feed find. Else what changed is
    counted before it is read, because rows come with their vectors. A caller that has seen a later version of
    the group spares the look, and the count too if there are few: each read of a busy server waits its turn.

    A row that is written in between leaves the range that was counted for a later one; so does one that
    is dropped, and its tombstone is later too.
    """

    async def whole(given: Mapping[str, Parameter], *, bounded: bool) -> Rows:
        async def read(slots: Slots) -> Rows:
            text = texts.changes_text(
                tuple((kind, slots[kind]) for kind in TEXT_KINDS),
                with_operations=with_operations,
                bounded=bounded,
            )
            asked = {"group": ref.group_id, "after": after_version, **given}
            return await client.read(graph, text, asked, deadline, "reading changes")

        return await _in_slots(client, ref, TEXT_KINDS, read)

    asked: dict[str, Parameter] = {"group": ref.group_id}
    if 0 < seen_version - after_version <= VERSIONS_AT_ONCE:
        found = await whole({"rows_max": limit + 1}, bounded=True)
        fence = fences(found).get(ref.group_id)
        if len(found) - (fence is not None) <= limit:
            return found, after_version if fence is None else max(fence.version, after_version), fence
    elif seen_version <= after_version:
        first = await client.read(graph, FENCE_OF_GROUP, asked, deadline, "looking for changes")
        fence = fences(first).get(ref.group_id)
        if fence is not None and fence.version <= after_version:
            return [], fence.version, fence
    counted = await client.read(
        graph,
        texts.changed_versions_text(with_operations=with_operations),
        {"group": ref.group_id, "after": after_version, "rows_max": limit + 1},
        deadline,
        "counting changes",
    )
    fence = fences(counted).get(ref.group_id)
    if fence is None:
        return [], after_version, None
    rows_of: dict[int, int] = {}
    for tag, values in counted:
        if tag == texts.VERSION:
            rows_of[values[0]] = rows_of.get(values[0], 0) + values[1]
    if not rows_of:
        return [], fence.version, fence
    until = _cut(rows_of, limit, fence.version)
    found = await whole({"until": until}, bounded=False)
    return found, until, fences(found).get(ref.group_id)


def tombstones(found: Rows) -> Iterable[Tombstone]:
    return (
        Tombstone(Kind(values[0]), values[1], values[2]) for tag, values in found if tag == texts.TOMBSTONE
    )


def operations(found: Rows) -> Iterable[OpRecord]:
    return (OpRecord(*values) for tag, values in found if tag == OPERATION)


def _cut(rows_of: Mapping[int, int], limit: int, newest: int) -> int:
    """The last version up to which all is within the limit, at least the first; `newest` when all is.

    Of a kind with more rows than the limit the last version is counted in part, but then it is over the
    limit: it is cut away, or is the first one and read whole.
    """
    total, until = 0, 0
    for version in sorted(rows_of):
        total += rows_of[version]
        if total > limit:
            return until or version
        until = version
    return newest


# --- parts ----------------------------------------------------------------------------------------


async def _in_slots(
    client: GraphClient, ref: GroupRef, kinds: Sequence[Kind], read: Callable[[Slots], Awaitable[Rows]]
) -> Rows:
    """Reads with the usual vector slots, and again if the fence that comes with the rows names others."""
    slots = _slots(None)
    for _ in range(READS_PER_CALL_MAX):
        found = await read(slots)
        named = _slots(fences(found).get(ref.group_id))
        if all(named[kind] == slots[kind] for kind in kinds):
            return found
        slots = named
    raise SchemaNotReady(client.shard_id, "the vectors of a group")


def _slots(fence: Fence | None) -> dict[Kind, str]:
    """The vector slot of every text kind; the usual ones without a fence."""
    embeddings = fence.embeddings if fence is not None else {}
    return {kind: slot_of(embeddings, kind) for kind in TEXT_KINDS}


def _rows(found: Iterable[Sequence[Any]]) -> Iterable[AnyRow]:
    return (_row(Kind(tag), values) for tag, values in found if tag in COLUMNS)


def _row(kind: Kind, values: Sequence[Any]) -> AnyRow:
    """COLUMNS[kind], then a vector if one was asked for."""
    columns = len(COLUMNS[kind])
    vector = cast("Vector | None", values[columns]) if len(values) > columns else None
    return decode(kind, values[:columns], vector)

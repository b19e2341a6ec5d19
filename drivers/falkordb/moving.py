"""The move of a group: its fence, its pages, what it takes in, and what is taken away again.

CPU time of a fact with a 384-d vector on 4.22: to read it 55 us in the server and 72 here, to take it in 150
and 58: one after the other some 7,000 rows/s are read and 4,500 taken in on a machine that does nothing else.
To wipe it takes 40 us. The server answers nobody while it stores a batch, 0.15 ms a row: a mover that is not
to be felt stays far below WEIGHT_MAX.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from drivers.deadline import Deadline
from drivers.falkordb import queries_moving as texts
from drivers.falkordb import read, schema, slots
from drivers.falkordb.client import GraphClient
from drivers.falkordb.fences import fences
from drivers.falkordb.graphs import own_graph
from drivers.falkordb.parameters import Parameter, Verbatim, map_text, quoted, vector_text
from drivers.falkordb.queries import FENCE_OF_GROUP
from drivers.falkordb.write import DEFAULT_SLOT, WEIGHT_MAX, AnyEdge, operation_parameters
from drivers.fence import POOLED, Fence, FenceState, GroupRef
from drivers.fence_changes import FenceChange, Value
from drivers.fence_codec import decode_fence, encode_fence, encode_stats
from drivers.graph_model import KINDS, TEXT_KINDS, AnyRow, Fact, Kind, TextRow
from drivers.moving import (
    PAGE_ROWS_MAX,
    Changed,
    CopyCursor,
    GroupChanges,
    GroupPage,
    Intake,
    Other,
    PageAhead,
    Settlement,
    after_page,
    check_intake,
    newest_rows,
    sections_from,
)
from drivers.reads import ListCursor, ListQuery, Tombstone
from drivers.row_codec import encode, pk, tombstone_pk
from drivers.write_plan import OpRecord

WIPE_ROWS = 200
"""Rows of one query that deletes."""
KEYS_AHEAD = 20_000
"""Of a section with several pages. To find the next keys of 50,000 facts takes 0.15 s, in which no write
begins: not once for each page."""

# --- the fence ------------------------------------------------------------------------------------


async def change_fence(
    client: GraphClient,
    graph: str,
    ref: GroupRef,
    change: FenceChange,
    given: Mapping[str, Value],
    deadline: Deadline,
    settlement: Settlement | None,
) -> Changed:
    if change.creates:
        await ensure_space(client, ref.space, deadline)
    elif not await _may_be_there(client, graph, ref, deadline):
        return Changed(False, None)
    parameters = {"group": ref.group_id, "given": _given(change, given)}
    if change.creates:
        blank = encode_fence(Fence(ref.group_id, 0, FenceState.WIPING))
        parameters["made"] = {**blank, "state": texts.NO_STATE}
    if settlement is not None:
        parameters["stats"] = encode_stats(settlement.stats)
    text = texts.change_text(change, settles=settlement is not None)
    found = await client.write(graph, text, parameters, deadline, f"the change {change.name}")
    if not found:
        return Changed(False, None)
    ((applied, *values),) = found
    return Changed(applied, decode_fence(values))


async def read_fence(client: GraphClient, graph: str, ref: GroupRef, deadline: Deadline) -> Fence | None:
    """Readers see whole queries only: this is the locked read."""
    found = await client.read(graph, FENCE_OF_GROUP, {"group": ref.group_id}, deadline, "reading a fence")
    return fences(found).get(ref.group_id)


async def _may_be_there(client: GraphClient, graph: str, ref: GroupRef, deadline: Deadline) -> bool:
    """A query that may write makes the graph that it names, and one of a single group may be gone."""
    return ref.space == POOLED or await read_fence(client, graph, ref, deadline) is not None


def _given(change: FenceChange, given: Mapping[str, Value]) -> Mapping[str, Parameter]:
    """ValueError when a value lacks: null would be compared and set."""
    missing = change.parameters - given.keys()
    if missing:
        raise ValueError(f"{change.name} needs {', '.join(sorted(missing))}")
    return {name: given[name] for name in sorted(change.parameters)}


# --- reading a group out --------------------------------------------------------------------------


async def read_page(
    client: GraphClient,
    graph: str,
    ref: GroupRef,
    cursor: CopyCursor,
    rows_max: int,
    deadline: Deadline,
    ahead: PageAhead | None,
) -> GroupPage:
    """Without `ahead` a page passes over its whole section (0.3 us a node, 3 us an edge) and reads only its
    own rows whole."""
    assert 0 < rows_max <= PAGE_ROWS_MAX, f"a page of {rows_max} rows, at most {PAGE_ROWS_MAX}"
    for place in sections_from(cursor):
        page = await _page(client, graph, ref, place, rows_max, deadline, ahead)
        if page.rows or page.tombstones or page.operations or page.next is None:
            return page
    raise AssertionError("the last section has nothing after it")


async def _page(
    client: GraphClient,
    graph: str,
    ref: GroupRef,
    cursor: CopyCursor,
    rows_max: int,
    deadline: Deadline,
    ahead: PageAhead | None,
) -> GroupPage:
    match cursor.section:
        case (Kind() | Other.OPERATION) as section if ahead is not None and cursor.after:
            return await _page_by_keys(client, graph, ref, section, cursor.after, rows_max, deadline, ahead)
        case Kind() as kind:
            after = ListCursor(cursor.after) if cursor.after else None
            query = ListQuery(kind, rows_max, after=after, with_vectors=kind in TEXT_KINDS)
            listed = await read.list_rows(client, graph, ref, query, deadline)
            following = after_page(kind, [row.uuid for row in listed.rows], rows_max)
            return GroupPage(listed.rows, (), (), following, listed.fence)
        case Other.TOMBSTONE:
            text, after = texts.TOMBSTONE_PAGE, pk(ref.group_id, cursor.after)
        case Other.OPERATION:
            text, after = texts.OPERATION_PAGE, cursor.after
    parameters: dict[str, Parameter] = {"group": ref.group_id, "after": after, "limit": rows_max}
    found = await client.read(graph, text, parameters, deadline, f"reading a page of {cursor.section}")
    tombstones = tuple(read.tombstones(found))
    operations = tuple(read.operations(found))
    keys = [f"{t.kind}/{t.uuid}" for t in tombstones] + [record.op_id for record in operations]
    following = after_page(cursor.section, keys, rows_max)
    return GroupPage((), tombstones, operations, following, fences(found).get(ref.group_id))


async def _page_by_keys(
    client: GraphClient,
    graph: str,
    ref: GroupRef,
    section: Kind | Literal[Other.OPERATION],
    after: str,
    rows_max: int,
    deadline: Deadline,
    ahead: PageAhead,
) -> GroupPage:
    fence: Fence | None = None
    while True:
        keys = ahead.behind(section, after, rows_max)
        if keys is None:
            learned, fence = await _keys_behind(client, graph, ref, section, after, deadline)
            ahead.learn(section, after, learned, whole=len(learned) < KEYS_AHEAD)
            continue
        if not keys:
            return GroupPage((), (), (), after_page(section, (), rows_max), fence)
        after = keys[-1]
        ends = ahead.ends_with(after)
        following = after_page(section, (), rows_max) if ends else CopyCursor(section, after)
        if section is Other.OPERATION:
            page = await _operations(client, graph, ref, keys, following, deadline)
        else:
            vectors = section in TEXT_KINDS
            fetched = await read.fetch_in_graph(client, graph, {ref: keys}, section, vectors, deadline)
            page = GroupPage(fetched[ref.group_id].rows, (), (), following, fetched[ref.group_id].fence)
        if page.rows or page.operations or ends:
            return page


async def _keys_behind(
    client: GraphClient,
    graph: str,
    ref: GroupRef,
    section: Kind | Literal[Other.OPERATION],
    after: str,
    deadline: Deadline,
) -> tuple[list[str], Fence | None]:
    if section is not Other.OPERATION:
        query = ListQuery(section, KEYS_AHEAD, after=ListCursor(after))
        listed = await read.list_versions(client, graph, ref, query, deadline)
        return list(listed.versions), listed.fence
    parameters: dict[str, Parameter] = {"group": ref.group_id, "after": after, "limit": KEYS_AHEAD}
    found = await client.read(graph, texts.OPERATION_IDS, parameters, deadline, "listing operations")
    # In the order of this language, in which PageAhead looks for them.
    op_ids = sorted(values[0] for tag, values in found if tag == texts.OP_ID)
    return op_ids, fences(found).get(ref.group_id)


async def _operations(
    client: GraphClient,
    graph: str,
    ref: GroupRef,
    op_ids: Sequence[str],
    following: CopyCursor | None,
    deadline: Deadline,
) -> GroupPage:
    wanted: list[Parameter] = [operation_parameters(ref.group_id, op_id) for op_id in op_ids]
    parameters: dict[str, Parameter] = {"group": ref.group_id, "operations": wanted}
    found = await client.read(graph, texts.OPERATIONS, parameters, deadline, "reading operations")
    operations = tuple(sorted(read.operations(found), key=lambda record: record.op_id))
    return GroupPage((), (), operations, following, fences(found).get(ref.group_id))


async def read_changes(
    client: GraphClient,
    graph: str,
    ref: GroupRef,
    after_version: int,
    rows_max: int,
    deadline: Deadline,
    seen_version: int,
) -> GroupChanges:
    found, bound, fence = await read.changed(
        client,
        graph,
        ref,
        after_version,
        rows_max,
        deadline,
        with_operations=True,
        seen_version=seen_version,
    )
    changes = read.decoded_changes(found, bound, fence)
    operations = sorted(read.operations(found), key=lambda record: record.version)
    return GroupChanges(changes.rows, changes.tombstones, tuple(operations), bound, fence)


# --- taking it in ---------------------------------------------------------------------------------


async def take_in(
    client: GraphClient, graph: str, ref: GroupRef, intake: Intake, deadline: Deadline
) -> Changed:
    """Vectors go into the property of groups without specs, which the target is until READY."""
    check_intake(intake, client.shard_id, WEIGHT_MAX)
    if not await _may_be_there(client, graph, ref, deadline):
        return Changed(False, None)
    shape, parameters = compose_intake(ref.group_id, intake)
    text = texts.intake_text(shape, DEFAULT_SLOT)
    found = await client.write(graph, text, parameters, deadline, "taking in a part of a group")
    if not found:
        return Changed(False, None)
    ((applied, homeless, *values),) = found
    return Changed(applied, decode_fence(values), tuple((Kind(kind), uuid) for kind, uuid in homeless))


def compose_intake(group_id: str, intake: Intake) -> tuple[texts.IntakeShape, dict[str, Parameter]]:
    """The sections of a batch and the parameters of their text."""
    buried: dict[Kind, list[Tombstone]] = {}
    for tombstone in intake.tombstones:
        buried.setdefault(tombstone.kind, []).append(tombstone)
    put = newest_rows(intake.rows)
    shape = texts.IntakeShape(
        change=intake.change,
        buried=tuple(kind for kind in KINDS if kind in buried),
        put=tuple(kind for kind in KINDS if kind in put),
        operations=bool(intake.operations),
    )
    parameters: dict[str, Parameter] = {"group": group_id, "given": _given(intake.change, intake.given)}
    for kind, tombstones in buried.items():
        parameters[f"buried_{kind}"] = [_buried(group_id, tombstone) for tombstone in tombstones]
    for kind, rows in put.items():
        parameters[f"keys_{kind}"] = [_key(group_id, kind, row) for row in rows.values()]
        maps = [_row_text(group_id, row) for row in rows.values()]
        parameters[f"put_{kind}"] = Verbatim("[" + ",".join(maps) + "]")
    if intake.operations:
        parameters["operations"] = [_operation(group_id, record) for record in intake.operations]
    return shape, parameters


def _buried(group_id: str, tombstone: Tombstone) -> Mapping[str, Parameter]:
    return {
        "pk": pk(group_id, tombstone.uuid),
        "t": tombstone_pk(group_id, tombstone.kind, tombstone.uuid),
        "uuid": tombstone.uuid,
        "version": tombstone.version,
    }


def _key(group_id: str, kind: Kind, row: AnyRow) -> Mapping[str, Parameter]:
    """All by which it is told whether a row is put: its version and keys, of an edge also its ends'."""
    key: dict[str, Parameter] = {
        "pk": pk(group_id, row.uuid),
        "t": tombstone_pk(group_id, kind, row.uuid),
        "version": row.version,
    }
    if isinstance(row, AnyEdge):
        key |= {
            "uuid": row.uuid,
            "source": row.source_uuid,
            "target": row.target_uuid,
            "a": pk(group_id, row.source_uuid),
            "b": pk(group_id, row.target_uuid),
        }
    return key


def _row_text(group_id: str, row: AnyRow) -> str:
    """One row as a map: `p` its properties, `a` and `b` the keys of an edge's endpoints, `v` its vector."""
    stamps: dict[str, Parameter] = {"created_at": row.created_at, "version": row.version}
    parts = [f"{{p:{map_text({**encode(group_id, row), **stamps})}"]
    if isinstance(row, AnyEdge):
        source, target = pk(group_id, row.source_uuid), pk(group_id, row.target_uuid)
        parts.append(f"a:{quoted(source)},b:{quoted(target)}")
    if isinstance(row, TextRow | Fact) and row.embedding is not None:
        parts.append(f"v:{vector_text(row.embedding)}")
    return ",".join(parts) + "}"


def _operation(group_id: str, record: OpRecord) -> Mapping[str, Parameter]:
    found_by = operation_parameters(group_id, record.op_id)
    return {
        "key": found_by["operation_key"],
        "p": {
            "pk": found_by["operation"],
            "group_id": group_id,
            "op_id": record.op_id,
            "content_hash": record.content_hash,
            "result": record.result,
            "version": record.version,
            "created_at": record.created_at,
        },
    }


# --- taking it away -------------------------------------------------------------------------------


async def wipe(
    client: GraphClient,
    graph: str,
    ref: GroupRef,
    token: int,
    move_id: str,
    rows_max: int,
    deadline: Deadline,
) -> int | None:
    """In queries of WIPE_ROWS rows at most, so that others go in between. The slots go first: they are
    derived, and their index makes each deletion of a node that it has slow."""
    allowed: dict[str, Parameter] = {"group": ref.group_id, "token": token, "move_id": move_id}
    if not await client.read(graph, texts.MAY_WIPE, allowed, deadline, "looking for what to wipe"):
        return None
    for slot in await slots.list_slots(client, [graph], deadline):
        if slot.ref == ref:
            await slots.drop_slot(client, graph, slot, deadline)
    wiped = 0
    for section in texts.WIPE_ORDER:
        while wiped < rows_max:
            limit = min(WIPE_ROWS, rows_max - wiped)
            found = await client.write(
                graph, texts.wipe_text(section), {**allowed, "limit": limit}, deadline, "wiping a group"
            )
            if not found:
                return None
            wiped += found[0][0]
            if found[0][0] < limit:
                break
    return wiped


# --- spaces ---------------------------------------------------------------------------------------


async def ensure_space(client: GraphClient, space: str, deadline: Deadline) -> None:
    if space != POOLED:
        await schema.ensure(client, (own_graph(space),), deadline)


async def drop_space(client: GraphClient, space: str, deadline: Deadline) -> bool:
    assert space != POOLED, "the pooled space is never dropped"
    return await client.delete_graph(own_graph(space), texts.WHAT_IS_LEFT, deadline, "dropping a space")

"""The fenced write and the images that it is planned from."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from drivers.deadline import Deadline
from drivers.errors import RowLimitExceeded
from drivers.falkordb import queries_write as texts
from drivers.falkordb.client import GraphClient
from drivers.falkordb.parameters import (
    Parameter,
    Verbatim,
    literal,
    map_text,
    quoted,
    strings_text,
    vector_text,
)
from drivers.falkordb.queries import FENCE
from drivers.fence import EmbeddingSpec, GroupRef
from drivers.fence_codec import FENCE_COLUMNS, decode_fence, encode_embeddings_change, encode_stats
from drivers.graph_model import (
    EDGE_KINDS,
    ENDPOINT_KINDS,
    KINDS,
    TEXT_KINDS,
    AnyRow,
    Fact,
    Kind,
    Membership,
    Mention,
    NextEpisode,
    SagaEpisode,
)
from drivers.row_codec import LABEL, decode, encode, kind_of, pk, tombstone_pk
from drivers.write_plan import (
    ROWS_PER_WRITE_MAX,
    ImageRequest,
    Images,
    IncidentEdge,
    OpRecord,
    RowDrop,
    RowPut,
    VectorChange,
    WriteOutcome,
    WritePlan,
    WriteStatus,
    check_weight,
)

_KIND_OF_TYPE: Mapping[str, Kind] = {LABEL[kind]: kind for kind in EDGE_KINDS}
AnyEdge = Fact | Mention | Membership | SagaEpisode | NextEpisode
_SLOT = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
DEFAULT_SLOT = "vector"

WEIGHT_MAX = 400
"""write_weight of one write. While a write is committed the server answers nobody, whatever graph they ask:
28 to 66 ms for 400 entities with 384-d vectors on two cores that do little else.

The constants of write_weight follow from the longest PING beside writes of 4.22, in entities with 384-d
vectors (1), on a busy machine: an entity without a vector 0.3, a fact with one 2, a KiB of distinct words
1.4 to 1.9 (of repeated words 0.1), a KiB of any other text 0.1, a value of a list 0.02 to 0.04, 1,000 numbers
of a vector 1.4. Writes of weight 400 held it, as multiples of 400 plain ones: vectors of 4,096 numbers 1.2,
distinct words 1.1, long texts 0.5, strings as attributes 0.4, lists and labels 0.4.

A single row passes whatever it weighs, for it cannot be split: its limits bound it. The largest, an episode
of 1,000,000 characters of distinct words, weighs some 2,200 and holds the server about as long as five full
writes."""


def slot_of(embeddings: Mapping[Kind, EmbeddingSpec], kind: Kind) -> str:
    """The property that holds the vectors of a kind. It becomes part of a query text, so it is checked."""
    slot = embeddings[kind].slot if kind in embeddings else DEFAULT_SLOT
    assert _SLOT.fullmatch(slot), f"{slot!r} is no name for a vector slot"
    return slot


# --- images ---------------------------------------------------------------------------------------


async def read_images(
    client: GraphClient, graph: str, ref: GroupRef, request: ImageRequest, deadline: Deadline
) -> Images:
    sections = {"rows": request.rows, "endpoints": request.endpoints, "cascades": request.cascades}
    shape = texts.ImageShape(*(tuple(k for k in Kind if section.get(k)) for section in sections.values()))
    parameters: dict[str, Parameter] = {
        "group": ref.group_id,
        **operation_parameters(ref.group_id, request.op_id),
        "incident_max": ROWS_PER_WRITE_MAX + 1,
    }
    for name, section in sections.items():
        for kind, uuids in section.items():
            parameters[f"{name}_{kind}"] = _keys(ref.group_id, uuids)
    found = await client.read(graph, texts.images_text(shape), parameters, deadline, "reading for a write")
    return _images(client.shard_id, request, found)


def _images(shard_id: str, request: ImageRequest, found: Iterable[Sequence[Any]]) -> Images:
    fence, operation = None, None
    rows: dict[tuple[Kind, str], AnyRow] = {}
    endpoints: dict[Kind, set[str]] = {kind: set() for kind in request.endpoints}
    incident: dict[tuple[Kind, str], IncidentEdge] = {}
    for tag, values in found:
        match tag:
            case _ if tag == FENCE:
                fence = decode_fence(values)
            case texts.OPERATION:
                operation = OpRecord(request.op_id, *values)
            case texts.ENDPOINT:
                endpoints[Kind(values[0])].add(values[1])
            case texts.INCIDENT:
                kind = _KIND_OF_TYPE[values[0]]
                incident[kind, values[1]] = IncidentEdge(kind, *values[1:4], term_count=values[4] or 0)
            case _:
                row = decode(Kind(tag), values)
                rows[Kind(tag), row.uuid] = row
    if len(incident) > ROWS_PER_WRITE_MAX:
        raise RowLimitExceeded(shard_id, "the deletion with its edges", ROWS_PER_WRITE_MAX)
    return Images(
        fence=fence,
        operation=operation,
        rows=rows,
        endpoints={kind: frozenset(uuids) for kind, uuids in endpoints.items()},
        incident=tuple(incident.values()),
    )


# --- the write ------------------------------------------------------------------------------------


async def apply(
    client: GraphClient, graph: str, ref: GroupRef, plan: WritePlan, deadline: Deadline
) -> WriteOutcome:
    check_weight(plan, client.shard_id, WEIGHT_MAX)
    shape, parameters = compose(ref.group_id, plan)
    text = texts.write_text(shape)
    op_id = plan.operation.op_id
    found = await client.write(graph, text, parameters, deadline, f"the write {op_id}", op_id)
    if not found:
        return WriteOutcome(WriteStatus.NOT_OWNED, None)
    ((verdict, *values),) = found
    status = WriteStatus(verdict)
    fence = decode_fence(values[: len(FENCE_COLUMNS)])
    record = None
    if status is WriteStatus.APPLIED:
        record = replace(plan.operation, version=fence.version, created_at=fence.last_created_at)
    elif status is WriteStatus.DUPLICATE:
        record = OpRecord(op_id, *values[len(FENCE_COLUMNS) :])
    return WriteOutcome(status, fence, record)


def compose(group_id: str, plan: WritePlan) -> tuple[texts.WriteShape, dict[str, Parameter]]:
    """The sections of a plan and the parameters of their text."""
    dropped: dict[Kind, list[str]] = {}
    for drop in plan.drops:
        dropped.setdefault(drop.kind, []).append(drop.uuid)
    put: dict[Kind, list[RowPut]] = {}
    for row_put in plan.puts:
        put.setdefault(kind_of(row_put.row), []).append(row_put)
    touched = {
        kind: {item.row.uuid for item in put.get(kind, ())}.union(dropped.get(kind, ()))
        for kind in KINDS
        if kind in put or kind in dropped
    }
    tombstones = [drop for drop in plan.drops if drop.tombstone]
    _assert_sound(plan, touched)
    closing = [item for item in put.get(Kind.FACT, ()) if item.closed_by is not None or item.expires]

    shape = texts.WriteShape(
        touched=tuple(touched),
        endpoints=tuple(kind for kind in KINDS if plan.endpoints.get(kind)) if plan.endpoints else (),
        dropped=tuple(kind for kind in KINDS if kind in dropped) if dropped else (),
        put=tuple(
            (kind, slot_of(plan.embeddings, kind) if kind in TEXT_KINDS else "")
            for kind in KINDS
            if kind in put
        ),
        closes_facts=bool(closing),
        tombstones=bool(tombstones),
    )
    embeddings_seen, embeddings = encode_embeddings_change(plan.embeddings_seen, plan.embeddings)
    parameters: dict[str, Parameter] = {
        "group": group_id,
        **operation_parameters(group_id, plan.operation.op_id),
        "op_id": plan.operation.op_id,
        "content_hash": plan.operation.content_hash,
        "result": plan.operation.result,
        "epoch": plan.epoch,
        "if_version": plan.if_version,
        "seen_version": plan.seen_version,
        "incident": plan.incident_edges,
        "embeddings_seen": embeddings_seen,
        "embeddings": embeddings,
        "stats": encode_stats(plan.stats),
        "now": plan.now,
    }
    for kind, uuids in touched.items():
        parameters[f"touched_{kind}"] = _keys(group_id, uuids)
        parameters[f"existing_{kind}"] = plan.existing.get(kind, 0)
    for kind in shape.endpoints:
        parameters[f"endpoints_{kind}"] = _keys(group_id, plan.endpoints[kind])
    for kind, uuids in dropped.items():
        parameters[f"dropped_{kind}"] = _keys(group_id, uuids)
    if tombstones:
        parameters["tombstones"] = [
            {"pk": tombstone_pk(group_id, drop.kind, drop.uuid), "kind": str(drop.kind), "uuid": drop.uuid}
            for drop in tombstones
        ]
    for kind, items in put.items():
        plain = (item for item in items if item.closed_by is None and not item.expires)
        parameters[f"put_{kind}"] = _rows_text(group_id, plain)
    if closing:
        parameters["closed_FACT"] = _rows_text(group_id, closing)
    return shape, parameters


def _assert_sound(plan: WritePlan, touched: Mapping[Kind, set[str]]) -> None:
    """What the query relies on and a planner always keeps: a key twice among the puts would be written
    once, with the first row, and an edge on a node that nobody guards would make a bare node."""
    puts = {(kind_of(item.row), item.row.uuid) for item in plan.puts}
    drops = {(drop.kind, drop.uuid) for drop in plan.drops}
    again = {(drop.kind, drop.uuid) for drop in plan.drops if not drop.tombstone}
    assert len(puts) == len(plan.puts), "a plan puts a row twice"
    assert len(drops) == len(plan.drops), "a plan drops a row twice"
    assert puts & drops <= again, "a plan puts a row that it drops for good"
    assert sum(map(len, touched.values())) <= ROWS_PER_WRITE_MAX, "a plan has too many rows"
    guarded = puts | {(kind, uuid) for kind, uuids in plan.endpoints.items() for uuid in uuids}
    for drop in plan.drops:
        if not drop.tombstone and drop.kind in EDGE_KINDS:
            guarded.update(_ends(drop))
    for item in plan.puts:
        if isinstance(item.row, AnyEdge) and not item.existed:
            assert guarded.issuperset(_ends(item.row)), f"nobody guards the endpoints of {item.row.uuid}"


def _ends(edge: AnyEdge | RowDrop) -> tuple[tuple[Kind, str], tuple[Kind, str]]:
    kind = edge.kind if isinstance(edge, RowDrop) else kind_of(edge)
    source_kind, target_kind = ENDPOINT_KINDS[kind]
    return (source_kind, edge.source_uuid), (target_kind, edge.target_uuid)


def operation_parameters(group_id: str, op_id: str) -> dict[str, Parameter]:
    """By which a query finds the operation's record."""
    key = pk(group_id, op_id)
    return {"operation": key, "operation_key": blake2b(key.encode(), digest_size=16).hexdigest()}


def _keys(group_id: str, uuids: Iterable[str]) -> Verbatim:
    return Verbatim(strings_text([pk(group_id, uuid) for uuid in uuids]))


def _rows_text(group_id: str, items: Iterable[RowPut]) -> Verbatim:
    return Verbatim("[" + ",".join([row_text(group_id, item) for item in items]) + "]")


def row_text(group_id: str, item: RowPut) -> str:
    """One row as a map: `p` its properties, `a` and `b` the keys of an edge's endpoints, `v` a vector to
    set or `keep`, and what changes the end of a fact."""
    row = item.row
    parts = [f"{{p:{map_text(encode(group_id, row))}"]
    if isinstance(row, AnyEdge):
        source, target = pk(group_id, row.source_uuid), pk(group_id, row.target_uuid)
        parts.append(f"a:{quoted(source)},b:{quoted(target)}")
    if item.vector is VectorChange.SET:
        embedding = getattr(row, "embedding", None)
        assert embedding is not None, f"the vector of {row.uuid} is to be set and not given"
        parts.append(f"v:{vector_text(embedding)}")
    elif item.vector is VectorChange.KEEP:
        parts.append("keep:true")
    if item.closed_by is not None:
        parts.append(f"by:{quoted(item.closed_by)},end:{literal(item.previous_end)}")
    if item.expires:
        parts.append("expires:true")
    return ",".join(parts) + "}"

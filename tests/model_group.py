"""One group in the model: its state, the guards of a write and what a write does."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from drivers.fence import EmbeddingSpec, Fence, FenceState, KindStats
from drivers.graph_model import (
    EDGE_KINDS,
    ENDPOINT_KINDS,
    AnyRow,
    Closure,
    Fact,
    Kind,
    Membership,
    Mention,
    NextEpisode,
    SagaEpisode,
    Vector,
)
from drivers.row_codec import kind_of
from drivers.write_plan import OpRecord, RowPut, VectorChange, WriteOutcome, WritePlan, WriteStatus

type KindAndUuid = tuple[Kind, str]
type AnyEdge = Fact | Mention | Membership | SagaEpisode | NextEpisode

DEFAULT_SLOT = "vector"


@dataclass(slots=True)
class GroupState:
    """All that one space of a shard holds of one group. Public: tests may set up any state."""

    fence: Fence | None = None
    rows: dict[KindAndUuid, AnyRow] = field(default_factory=dict[KindAndUuid, AnyRow])
    """Without vectors."""
    vectors: dict[tuple[Kind, str, str], Vector] = field(default_factory=dict[tuple[Kind, str, str], Vector])
    """By kind, uuid and slot."""
    tombstones: dict[KindAndUuid, int] = field(default_factory=dict[KindAndUuid, int])
    """Version of the last deletion. It stays when the row is written again."""
    operations: dict[str, OpRecord] = field(default_factory=dict[str, OpRecord])


def every_kind(stats: Mapping[Kind, KindStats]) -> dict[Kind, KindStats]:
    return {kind: stats.get(kind, KindStats()) for kind in Kind}


def slot(embeddings: Mapping[Kind, EmbeddingSpec], kind: Kind) -> str:
    return embeddings[kind].slot if kind in embeddings else DEFAULT_SLOT


def ends(edge: AnyEdge) -> tuple[KindAndUuid, KindAndUuid]:
    source_kind, target_kind = ENDPOINT_KINDS[kind_of(edge)]
    return (source_kind, edge.source_uuid), (target_kind, edge.target_uuid)


def edges(group: GroupState) -> Iterator[AnyEdge]:
    for row in group.rows.values():
        if isinstance(row, Fact | Mention | Membership | SagaEpisode | NextEpisode):
            yield row


def incident(group: GroupState, nodes: set[KindAndUuid]) -> Iterator[AnyEdge]:
    """Edges of all kinds that start or end at one of the nodes, each once."""
    return (edge for edge in edges(group) if nodes & set(ends(edge)))


def vector_of(group: GroupState, kind: Kind, uuid: str) -> Vector | None:
    embeddings = group.fence.embeddings if group.fence is not None else {}
    return group.vectors.get((kind, uuid, slot(embeddings, kind)))


def read(group: GroupState, kind: Kind, uuid: str, with_vector: bool) -> AnyRow:
    row = group.rows[kind, uuid]
    if not with_vector or not hasattr(row, "embedding"):
        return row
    return replace(row, embedding=vector_of(group, kind, uuid))


def apply_plan(group: GroupState, plan: WritePlan) -> WriteOutcome:
    """The verdicts, in their order: ownership, retry, version, changed since planned."""
    fence = group.fence
    if fence is None or fence.state != FenceState.OPEN or fence.epoch != plan.epoch:
        return WriteOutcome(WriteStatus.NOT_OWNED, fence)
    record = group.operations.get(plan.operation.op_id)
    if record is not None:
        return WriteOutcome(WriteStatus.DUPLICATE, fence, record)
    if plan.if_version is not None and plan.if_version != fence.version:
        return WriteOutcome(WriteStatus.VERSION_MISMATCH, fence)
    if not _holds(group, fence, plan):
        return WriteOutcome(WriteStatus.CONFLICT, fence)
    return _commit(group, fence, plan)


def _holds(group: GroupState, fence: Fence, plan: WritePlan) -> bool:
    """Whether nothing that the plan was computed from has changed."""
    touched = {(kind_of(put.row), put.row.uuid) for put in plan.puts}
    touched |= {(drop.kind, drop.uuid) for drop in plan.drops}
    there = touched & group.rows.keys()
    cascade = list(incident(group, {(d.kind, d.uuid) for d in plan.drops if d.kind not in EDGE_KINDS}))
    return (
        all(
            sum(1 for kind_there, _ in there if kind_there == kind) == plan.existing.get(kind, 0)
            for kind in {kind for kind, _ in touched}
        )
        and all(group.rows[key].version <= plan.seen_version for key in there)
        and all((kind, uuid) in group.rows for kind, uuids in plan.endpoints.items() for uuid in uuids)
        and len(cascade) == plan.incident_edges
        and all(edge.version <= plan.seen_version for edge in cascade)
        and fence.embeddings == plan.embeddings_seen
    )


def _commit(group: GroupState, fence: Fence, plan: WritePlan) -> WriteOutcome:
    version = fence.version + 1
    at = max(plan.now, fence.last_created_at + 1)
    for drop in plan.drops:
        group.rows.pop((drop.kind, drop.uuid), None)
        for key in [key for key in group.vectors if key[:2] == (drop.kind, drop.uuid)]:
            del group.vectors[key]
        if drop.tombstone:
            group.tombstones[drop.kind, drop.uuid] = version
    for put in sorted(plan.puts, key=lambda put: kind_of(put.row) in EDGE_KINDS):
        _put(group, put, version, at, slot(plan.embeddings, kind_of(put.row)))
    group.fence = replace(
        fence,
        version=version,
        last_created_at=at,
        stats={kind: fence.stats[kind] + plan.stats.get(kind, KindStats()) for kind in Kind},
        embeddings=dict(plan.embeddings),
    )
    record = replace(plan.operation, version=version, created_at=at)
    group.operations[record.op_id] = record
    return WriteOutcome(WriteStatus.APPLIED, group.fence, record)


def _put(group: GroupState, put: RowPut, version: int, at: int, vector_slot: str) -> None:
    row = put.row
    kind, uuid = kind_of(row), row.uuid
    before = group.rows.get((kind, uuid))
    if isinstance(row, Fact | Mention | Membership | SagaEpisode | NextEpisode):
        assert all(end in group.rows for end in ends(row)), f"{kind} {uuid} hangs on a node that is not there"
        assert not isinstance(before, type(row)) or ends(row) == ends(before), (
            f"{kind} {uuid} was not dropped"
        )
    if put.vector is VectorChange.SET:
        embedding: Vector | None = getattr(row, "embedding", None)
        assert embedding is not None, f"{kind} {uuid} sets a vector that is not given"
        group.vectors[kind, uuid, vector_slot] = embedding.copy()
    elif put.vector is VectorChange.REMOVE:
        group.vectors.pop((kind, uuid, vector_slot), None)
    if isinstance(row, Fact):
        if put.closed_by is not None:
            closure = Closure(at, put.previous_end, put.closed_by)
            row = replace(row, closures=(*row.closures, closure))
        if put.expires:
            row = replace(row, expired_at=at)
    if hasattr(row, "embedding"):
        row = replace(row, embedding=None)
    group.rows[kind, uuid] = replace(
        row, version=version, created_at=at if before is None else before.created_at
    )


def cosine(a: Vector, b: Vector) -> float:
    """In [-1, 1], computed in float64."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    return float(np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1.0, 1.0))

"""A plan as the parameter map of the write statement (queries_write.py)."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from drivers.errors import RowLimitExceeded, VectorDimensionMismatch
from drivers.fence_codec import encode_embeddings_change, encode_stats
from drivers.graph_model import (
    EDGE_KINDS,
    ENDPOINT_KINDS,
    NODE_KINDS,
    Community,
    Entity,
    Episode,
    Fact,
    Kind,
    Vector,
)
from drivers.neo4j.queries_write import WriteShape, shape_for
from drivers.neo4j.records import slot_of
from drivers.row_codec import encode, kind_of, pk, tombstone_pk
from drivers.write_plan import ROWS_PER_WRITE_MAX, ImageRequest, RowPut, VectorChange, WritePlan

type ByKind = dict[Kind, list[Any]]


def check(shard_id: str, plan: WritePlan) -> None:
    """Raises RowLimitExceeded, or VectorDimensionMismatch for a vector that would make searches of its
    group fail: one of another dimension, without a direction or not finite."""
    if len(plan.puts) + len(plan.drops) > ROWS_PER_WRITE_MAX:
        raise RowLimitExceeded(shard_id, "one write", ROWS_PER_WRITE_MAX)
    for put in plan.puts:
        if put.vector is not VectorChange.SET:
            continue
        vector = _vector(put)
        spec = plan.embeddings.get(kind_of(put.row))
        square = float(vector @ vector)
        if (spec is not None and vector.shape != (spec.dimension,)) or not 0.0 < square < float("inf"):
            raise VectorDimensionMismatch(shard_id, vector.size)


def shape_of(plans: Iterable[WritePlan]) -> WriteShape:
    """The statement that can do all of `plans`."""
    kinds: set[Kind] = set()
    drops = False
    for plan in plans:
        drops = drops or bool(plan.drops) or plan.incident_edges > 0
        kinds.update(kind for kind, uuids in plan.endpoints.items() if uuids)
        kinds.update(drop.kind for drop in plan.drops)
        for put in plan.puts:
            kinds.add(kind_of(put.row))
    kinds.update(end for kind in kinds & ENDPOINT_KINDS.keys() for end in ENDPOINT_KINDS[kind])
    return shape_for(kinds, drops)


def shape_of_images(request: ImageRequest) -> WriteShape:
    """The statement that reads all of it."""
    asked = (request.rows, request.endpoints, request.cascades)
    kinds = {kind for uuids in asked for kind, some in uuids.items() if some}
    return shape_for(kinds, drops=any(request.cascades.values()))


def write(group_id: str, plan: WritePlan) -> dict[str, Any]:
    """One element of `writes`. Rows are in the order of their pks, lists without repeats."""
    touched: dict[Kind, set[str]] = defaultdict(set)
    for put in plan.puts:
        touched[kind_of(put.row)].add(pk(group_id, put.row.uuid))
    for drop in plan.drops:
        touched[drop.kind].add(pk(group_id, drop.uuid))
    endpoints = {
        kind: sorted({pk(group_id, uuid) for uuid in uuids}) for kind, uuids in plan.endpoints.items()
    }
    dropped: ByKind = defaultdict(list)
    for drop in plan.drops:
        dropped[drop.kind].append(pk(group_id, drop.uuid))
    puts: ByKind = defaultdict(list)
    changed: ByKind = defaultdict(list)
    for put in sorted(plan.puts, key=lambda put: put.row.uuid):
        kind = kind_of(put.row)
        # An edge that is there is found by its own key alone; a node by MERGE in either case.
        section = changed if put.existed and kind in EDGE_KINDS else puts
        section[kind].append(_row(group_id, put, slot_of(plan.embeddings, kind)))
    embeddings_seen, embeddings = encode_embeddings_change(plan.embeddings_seen, plan.embeddings)
    return {
        "group_id": group_id,
        "epoch": plan.epoch,
        "if_version": plan.if_version,
        "seen_version": plan.seen_version,
        "now": plan.now,
        "embeddings_seen": embeddings_seen,
        "embeddings": embeddings,
        "stats": encode_stats(plan.stats),
        "operation": {
            "pk": pk(group_id, plan.operation.op_id),
            "group_id": group_id,
            "op_id": plan.operation.op_id,
            "content_hash": plan.operation.content_hash,
            "result": plan.operation.result,
        },
        "touched": {kind: sorted(pks) for kind, pks in touched.items()},
        "existing": {kind: plan.existing.get(kind, 0) for kind in touched},
        "endpoints": endpoints,
        "endpoint_count": sum(map(len, endpoints.values())),
        "cascades": {kind: pks for kind, pks in dropped.items() if kind in NODE_KINDS},
        "incident_edges": plan.incident_edges,
        "dropped": dropped,
        "tombstones": [
            {
                "pk": tombstone_pk(group_id, drop.kind, drop.uuid),
                "group_id": group_id,
                "kind": drop.kind,
                "uuid": drop.uuid,
            }
            for drop in plan.drops
            if drop.tombstone
        ],
        "put": puts,
        "changed": changed,
        "closed": [
            {
                "pk": pk(group_id, put.row.uuid),
                "closes": put.closed_by is not None,
                "closure_at": [closure.closed_at for closure in put.row.closures],
                "expires": put.expires,
                "expired_at": put.row.expired_at,
            }
            for put in plan.puts
            if isinstance(put.row, Fact) and (put.closed_by is not None or put.expires)
        ],
        "row_count": len(plan.puts),
    }


def _row(group_id: str, put: RowPut, slot: str) -> dict[str, Any]:
    """r of the statement: p, and for what has them source and target, slot and vector."""
    properties: dict[str, Any] = dict(encode(group_id, put.row))
    row: dict[str, Any] = {"p": properties}
    if "source_uuid" in properties:
        row["source"] = pk(group_id, properties["source_uuid"])
        row["target"] = pk(group_id, properties["target_uuid"])
    if put.closed_by is not None:
        # The time is the shard's to give; the other lists are known here.
        properties["closure_end"] = [*properties["closure_end"], put.previous_end]
        properties["closure_episode"] = [*properties["closure_episode"], put.closed_by]
        properties["closure_fact"] = [*properties["closure_fact"], ""]
    if put.vector is VectorChange.SET:
        row["slot"] = slot
        row["vector"] = _vector(put).tolist()
    elif put.vector is VectorChange.REMOVE:
        properties[slot] = None
    return row


def _vector(put: RowPut) -> Vector:
    vector = put.row.embedding if isinstance(put.row, Entity | Episode | Community | Fact) else None
    if vector is None:
        raise ValueError(f"{kind_of(put.row)} {put.row.uuid} sets a vector that is not given")
    return vector

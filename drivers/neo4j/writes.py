"""Images and fenced writes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from drivers.deadline import Deadline
from drivers.errors import RowLimitExceeded
from drivers.fence import GroupRef
from drivers.graph_model import AnyRow, Kind
from drivers.neo4j import parameters, records
from drivers.neo4j.client import Neo4jClient, Record
from drivers.neo4j.queries_write import images_statement, node_kinds, write_statement
from drivers.row_codec import pk
from drivers.write_plan import (
    ROWS_PER_WRITE_MAX,
    ImageRequest,
    Images,
    IncidentEdge,
    WriteOutcome,
    WritePlan,
    WriteStatus,
)


class Writes:
    def __init__(self, client: Neo4jClient) -> None:
        self._client = client

    async def read_images(self, ref: GroupRef, request: ImageRequest, deadline: Deadline) -> Images:
        group_id = ref.group_id

        def pks(uuids: Mapping[Kind, Sequence[str]]) -> dict[Kind, list[str]]:
            return {
                kind: [pk(group_id, uuid) for uuid in dict.fromkeys(some)] for kind, some in uuids.items()
            }

        shape = parameters.shape_of_images(request)
        statement = images_statement(shape)
        ((fence, operation, incident, rows, ends),) = await self._client.repeatable(
            statement,
            {
                "group_id": group_id,
                "operation_pk": pk(group_id, request.op_id),
                "rows": pks(request.rows),
                "endpoints": pks(request.endpoints),
                "cascades": pks(request.cascades),
                "incident_max": ROWS_PER_WRITE_MAX + 1,
            },
            "read_images",
            deadline,
        )
        if len(incident) > ROWS_PER_WRITE_MAX:
            raise RowLimitExceeded(self._client.shard_id, "the deletion with its edges", ROWS_PER_WRITE_MAX)
        found: dict[tuple[Kind, str], AnyRow] = {}
        for kind, values in zip(shape.kinds, rows, strict=True):
            for row in records.rows(kind, values, None, with_vectors=False):
                found[kind, row.uuid] = row
        there = dict(zip(node_kinds(shape), ends, strict=True))
        return Images(
            fence=records.fence(fence),
            operation=records.operation(operation),
            rows=found,
            endpoints={kind: frozenset(there.get(kind, ())) for kind in request.endpoints},
            incident=tuple(
                IncidentEdge(records.KIND_OF_LABEL[label], uuid, source, target, term_count or 0)
                for label, uuid, source, target, term_count in incident
            ),
        )

    async def apply_many(
        self,
        plans: Sequence[tuple[GroupRef, WritePlan]],
        deadline: Deadline,
        engine_limit_s: float = 0.0,
    ) -> list[WriteOutcome]:
        """Applies plans of different groups in one commit, whose cost they share; outcomes in their order.

        A plan that a guard refuses writes nothing and does not touch the others. An error is of the whole
        statement: none was applied, or with OutcomeUnknown, which names all op ids, all or none of those
        that passed their guards. ValueError when two plans are of one group. The engine
        stops the statement after `engine_limit_s`; 0: query_timeout_s_max.
        """
        group_ids = [ref.group_id for ref, _ in plans]
        if len(set(group_ids)) != len(group_ids):
            raise ValueError(f"two plans of one group in one write: {sorted(group_ids)}")
        for _, plan in plans:
            parameters.check(self._client.shard_id, plan)
        statement = write_statement(parameters.shape_of(plan for _, plan in plans))
        found = await self._client.write(
            statement,
            {
                # Sorted, because the statement locks the fences in this order.
                "writes": [
                    parameters.write(ref.group_id, plan)
                    for ref, plan in sorted(plans, key=lambda planned: planned[0].group_id)
                ]
            },
            "a write",
            ", ".join(plan.operation.op_id for _, plan in plans),
            deadline,
            engine_limit_s,
        )
        by_group: dict[str, Record] = {record[0]: record for record in found}
        return [_outcome(by_group.get(ref.group_id), plan) for ref, plan in plans]


def _outcome(record: Record | None, plan: WritePlan) -> WriteOutcome:
    """Of the verdicts the first in this order: ownership, retry, version, changed since planned."""
    if record is None:
        return WriteOutcome(WriteStatus.NOT_OWNED, None)
    _, owned, expected_version, applied, operation, values, _ = record
    fence = records.fence(values)
    if not owned or fence is None:
        return WriteOutcome(WriteStatus.NOT_OWNED, fence)
    if operation is not None:
        return WriteOutcome(WriteStatus.DUPLICATE, fence, records.operation(operation))
    if not expected_version:
        return WriteOutcome(WriteStatus.VERSION_MISMATCH, fence)
    if not applied:
        return WriteOutcome(WriteStatus.CONFLICT, fence)
    written = replace(plan.operation, version=fence.version, created_at=fence.last_created_at)
    return WriteOutcome(WriteStatus.APPLIED, fence, written)

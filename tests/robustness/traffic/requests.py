"""Writes as calls of the API, and its answers as the model's."""

from google.protobuf.field_mask_pb2 import FieldMask

from gateway.loopback.client import GatewayClient
from graphgate.v1 import graph_pb2, graph_service_pb2
from tests.robustness.model.history import Answer, Effect, RowSeen, Write

_MODES = {
    Effect.CREATE: graph_service_pb2.WRITE_MODE_CREATE,
    Effect.UPSERT: graph_service_pb2.WRITE_MODE_UPSERT,
    Effect.PATCH: graph_service_pb2.WRITE_MODE_PATCH,
}


async def send_write(write: Write, client: GatewayClient, timeout_s: float) -> Answer:
    """One attempt; always the same request for the same write. Raises AioRpcError."""
    if write.effect is Effect.DELETE:
        deletion = graph_service_pb2.DeleteEntitiesRequest(
            group_id=write.group_id, uuids=write.uuids, request_id=write.op_id, allow_missing=True
        )
        deleted = await client.graph.DeleteEntities(deletion, timeout=timeout_s)
        return Answer(deleted.version, (sum(count.rows for count in deleted.deleted),))
    patches = write.effect is Effect.PATCH
    request = graph_service_pb2.WriteGraphRequest(
        group_id=write.group_id,
        entities=[
            graph_pb2.Entity(uuid=uuid, name="" if patches else write.token, summary=write.token)
            for uuid in write.uuids
        ],
        mode=_MODES[write.effect],
        update_mask=FieldMask(paths=["entities.summary"]) if patches else None,
        request_id=write.op_id,
    )
    written = await client.graph.WriteGraph(request, timeout=timeout_s)
    counts = tuple(int(row.created) for row in written.rows)
    return Answer(written.version, counts, written.written_at.ToMicroseconds())


async def send_read(
    group_id: str, uuid: str, min_version: int, client: GatewayClient, timeout_s: float
) -> tuple[RowSeen, int]:
    """One row and the group's version. Raises AioRpcError."""
    request = graph_service_pb2.GetEntityRequest(group_id=group_id, uuid=uuid, min_version=min_version)
    answer = await client.graph.GetEntity(request, timeout=timeout_s)
    return row_seen(answer.entity), answer.version


def row_seen(entity: graph_pb2.Entity) -> RowSeen:
    return RowSeen(entity.name, entity.summary, entity.version)

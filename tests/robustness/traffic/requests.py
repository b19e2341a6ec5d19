"""Writes as calls of the API, and its answers as the model's."""

from collections.abc import Sequence
from hashlib import blake2b

from google.protobuf.field_mask_pb2 import FieldMask

from gateway.loopback.client import GatewayClient
from graphgate.v1 import graph_pb2, graph_service_pb2
from tests.robustness.model.history import Answer, Effect, RowSeen, Write
from tests.robustness.traffic.board import RowName

_MODES = {
    Effect.CREATE: graph_service_pb2.WRITE_MODE_CREATE,
    Effect.UPSERT: graph_service_pb2.WRITE_MODE_UPSERT,
    Effect.PATCH: graph_service_pb2.WRITE_MODE_PATCH,
}


_MODEL = "hash-of-token"
_DIMENSION = 8


async def send_write(write: Write, client: GatewayClient, timeout_s: float) -> Answer:
    """One attempt; always the same request for the same write. Raises AioRpcError."""
    if write.effect is Effect.DELETE:
        return await _send_deletion(write, client, timeout_s)
    patches = write.effect is Effect.PATCH
    request = graph_service_pb2.WriteGraphRequest(
        group_id=write.group_id,
        mode=_MODES[write.effect],
        request_id=write.op_id,
        embedding_model=_MODEL if write.embeds and not patches else "",
    )
    # A patch names the fields that it sets, and the ends of a fact stay.
    name = "" if patches else write.token
    if write.ends is None:
        vector = _vector_of(write.token) if write.embeds and not patches else ()
        request.entities.extend(
            graph_pb2.Entity(uuid=uuid, name=name, summary=write.token, embedding=vector)
            for uuid in write.uuids
        )
    else:
        source, target = write.ends
        request.facts.extend(
            graph_pb2.Fact(uuid=uuid, source_uuid=source, target_uuid=target, name=name, fact=write.token)
            for uuid in write.uuids
        )
    if patches:
        path = "entities.summary" if write.ends is None else "facts.fact"
        request.update_mask.CopyFrom(FieldMask(paths=[path]))
    written = await client.graph.WriteGraph(request, timeout=timeout_s)
    counts = tuple(int(row.created) for row in written.rows)
    return Answer(written.version, counts, written.written_at.ToMicroseconds())


async def _send_deletion(write: Write, client: GatewayClient, timeout_s: float) -> Answer:
    if write.ends is None:
        entities = graph_service_pb2.DeleteEntitiesRequest(
            group_id=write.group_id, uuids=write.uuids, request_id=write.op_id, allow_missing=True
        )
        deleted = await client.graph.DeleteEntities(entities, timeout=timeout_s)
        return Answer(deleted.version, (sum(count.rows for count in deleted.deleted),))
    facts = graph_service_pb2.DeleteFactsRequest(
        group_id=write.group_id, uuids=write.uuids, request_id=write.op_id, allow_missing=True
    )
    removed = await client.graph.DeleteFacts(facts, timeout=timeout_s)
    return Answer(removed.version, (sum(count.rows for count in removed.deleted),))


async def send_read(
    group_id: str, row: RowName, min_version: int, client: GatewayClient, timeout_s: float
) -> tuple[RowSeen, int]:
    """One row and the group's version. Raises AioRpcError."""
    if row.ends is None:
        entity = graph_service_pb2.GetEntityRequest(group_id=group_id, uuid=row.uuid, min_version=min_version)
        answer = await client.graph.GetEntity(entity, timeout=timeout_s)
        return entity_seen(answer.entity), answer.version
    fact = graph_service_pb2.GetFactRequest(group_id=group_id, uuid=row.uuid, min_version=min_version)
    found = await client.graph.GetFact(fact, timeout=timeout_s)
    return fact_seen(found.fact), found.version


def _vector_of(token: str) -> Sequence[float]:
    return [byte - 127.5 for byte in blake2b(token.encode(), digest_size=_DIMENSION).digest()]


def entity_seen(entity: graph_pb2.Entity) -> RowSeen:
    return RowSeen(entity.name, entity.summary, entity.version)


def fact_seen(fact: graph_pb2.Fact) -> RowSeen:
    return RowSeen(fact.name, fact.fact, fact.version)

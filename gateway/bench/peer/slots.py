"""Waits until a group is as quick to search as it will be."""

import asyncio
import time

from drivers.fence import Engine
from gateway.bench.peer.errors import SlotsNotReady
from gateway.bench.rig import EngineName
from gateway.loopback.client import GatewayClient
from graphgate.v1 import graph_pb2, graph_service_pb2
from shard_router.slot_policy import ROWS_MIN

READY_TIMEOUT_S = 300.0
_POLL_INTERVAL_S = 0.25
_CALL_TIMEOUT_S = 10.0


async def until_settled(
    client: GatewayClient,
    group_id: str,
    engine: EngineName,
    entities: int,
    facts: int,
    timeout_s: float = READY_TIMEOUT_S,
) -> float:
    """Returns once GetGroup shows all rows, and each kind of which there are enough in a vector index of its
    own that is complete; the seconds that this took. Raises SlotsNotReady and AioRpcError."""
    rows_min = ROWS_MIN[Engine(engine.upper())]
    started = time.monotonic()
    while True:
        request = graph_service_pb2.GetGroupRequest(group_id=group_id)
        group = (await client.graph.GetGroup(request, timeout=_CALL_TIMEOUT_S)).group
        waits_for = outstanding(group, entities, facts, rows_min)
        if not waits_for:
            return time.monotonic() - started
        if time.monotonic() - started > timeout_s:
            raise SlotsNotReady(group_id, waits_for, timeout_s)
        await asyncio.sleep(_POLL_INTERVAL_S)


def outstanding(group: graph_pb2.Group, entities: int, facts: int, rows_min: int) -> str:
    """What is not there yet, as half a sentence; empty when everything is. `rows_min`: rows of a kind from
    which on it gets an index of its own."""
    rows = {count.kind: count.rows for count in group.counts}
    slots = {slot.kind: slot for slot in group.vector_slots}
    for kind, wanted in ((graph_pb2.ROW_KIND_ENTITY, entities), (graph_pb2.ROW_KIND_FACT, facts)):
        name = graph_pb2.RowKind.Name(kind)
        if rows.get(kind, 0) < wanted:
            return f"{rows.get(kind, 0)} of {wanted} rows of {name}"
        slot = slots.get(kind)
        if slot is None:
            if wanted >= rows_min:
                return f"no vector index of {name}"
        elif not slot.serving or slot.complete_version < group.version:
            return f"the vector index of {name} is at version {slot.complete_version} of {group.version}"
    return ""

"""The calls of a run: rows, searches, moves. All raise AioRpcError."""

import asyncio
import itertools
import uuid
from collections.abc import Callable, Sequence

import numpy as np
from google.longrunning import operations_pb2
from google.protobuf.duration_pb2 import Duration

from drivers.graph_model import Entity, Fact
from gateway.bench.move.errors import MoveNotDone
from gateway.bench.random_rows import RowSource
from gateway.bench.variants import ThroughGateway
from gateway.loopback.client import GatewayClient
from graphgate.v1 import graph_pb2, graph_service_pb2, move_pb2
from graphgate.v1 import search_service_pb2 as pb

BATCH_ROWS = 200
CALL_S_MAX = 30.0
MOVE_S_MAX = 1_800.0
LOOK_S = 0.05
"""Between two looks at a move."""
OPERATION = "operations/moves/"


class Rows:
    """Random rows for groups, from one seed, and vectors to search with."""

    def __init__(self, seed: int) -> None:
        self._source = RowSource(seed)
        self._random = np.random.default_rng(seed)
        self._uuids: dict[str, list[str]] = {}

    async def fill(self, client: GatewayClient, group_id: str, entities: int, facts: int) -> None:
        through = ThroughGateway(client)
        uuids = self._uuids.setdefault(group_id, [])
        for some in itertools.batched(range(entities), BATCH_ROWS):
            rows = [self._source.entity() for _ in some]
            await through.prepare(group_id, rows)()
            uuids += [row.uuid for row in rows]
        for some in itertools.batched(range(facts), BATCH_ROWS):
            await through.prepare(group_id, [self._source.fact(uuids) for _ in some])()

    def one(self, group_id: str) -> Sequence[Entity] | Sequence[Fact]:
        """A new entity or a new fact."""
        if self._random.random() < 0.5:
            return [self._source.entity()]
        return [self._source.fact(self._uuids[group_id])]

    def vector(self) -> list[float]:
        return self._source.vector().tolist()

    def words(self) -> str:
        return self._source.text(3)


async def write_one(client: GatewayClient, rows: Rows, group_id: str) -> None:
    await ThroughGateway(client).prepare(group_id, rows.one(group_id))()


async def search(
    client: GatewayClient, rows: Rows, group_id: str, method: pb.SearchMethod
) -> pb.SearchResponse:
    """Of facts."""
    spec = pb.ResultSpec(kind=graph_pb2.ROW_KIND_FACT, limit=10)
    spec.methods.append(pb.MethodWeight(method=method, weight=1.0))
    request = pb.SearchRequest(
        group_id=group_id, results=[spec], query=rows.words(), cache=pb.SEARCH_CACHE_USE_BYPASS
    )
    if method == pb.SEARCH_METHOD_SEMANTIC:
        request.query_vector.extend(rows.vector())
    return await client.search.Search(request, timeout=CALL_S_MAX)


async def place_of(client: GatewayClient, group_id: str) -> graph_pb2.Group:
    request = graph_service_pb2.GetGroupRequest(group_id=group_id)
    return (await client.graph.GetGroup(request, timeout=CALL_S_MAX)).group


async def begin_move(client: GatewayClient, group_id: str, to_shard: str) -> move_pb2.MoveProgress:
    """Into the shared container, and what stays behind is deleted at once."""
    request = move_pb2.MoveGroupRequest(
        group_id=group_id,
        to_shard=to_shard,
        to_space=move_pb2.MOVE_SPACE_POOLED,
        reverse_window=Duration(),
        request_id=str(uuid.uuid4()),
    )
    return _progress(await client.admin.MoveGroup(request, timeout=CALL_S_MAX))


async def until_committed(
    client: GatewayClient,
    move_id: str,
    on_look: Callable[[move_pb2.MoveProgress], None] = lambda progress: None,
) -> move_pb2.MoveProgress:
    """`on_look` is told all that is seen of the move. Raises MoveNotDone."""
    return await _until(client, move_id, lambda progress: progress.HasField("committed_at"), on_look)


async def until_done(client: GatewayClient, move_id: str) -> move_pb2.MoveProgress:
    """Nothing is left at the source. Raises MoveNotDone."""
    return await _until(client, move_id, lambda progress: progress.phase == move_pb2.MOVE_PHASE_DONE)


async def _until(
    client: GatewayClient,
    move_id: str,
    has_come: Callable[[move_pb2.MoveProgress], bool],
    on_look: Callable[[move_pb2.MoveProgress], None] = lambda progress: None,
) -> move_pb2.MoveProgress:
    request = operations_pb2.GetOperationRequest(name=OPERATION + move_id)
    async with asyncio.timeout(MOVE_S_MAX):
        while True:
            progress = _progress(await client.operations.GetOperation(request, timeout=CALL_S_MAX))
            on_look(progress)
            if has_come(progress):
                return progress
            if progress.HasField("ended_at"):
                raise MoveNotDone(progress)
            await asyncio.sleep(LOOK_S)


def _progress(operation: operations_pb2.Operation) -> move_pb2.MoveProgress:
    progress = move_pb2.MoveProgress()
    assert operation.metadata.Unpack(progress), f"{operation.name} has no MoveProgress"
    return progress

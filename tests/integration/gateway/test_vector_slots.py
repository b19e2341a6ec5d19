"""Large groups are searched by an index of their own, on both engines, and nothing is hidden by it."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import numpy as np
import pytest

from gateway.embedded.fleet import EmbeddedFleet
from gateway.loopback.client import GatewayClient
from gateway.server import GatewayServer
from gateway.settings.service import VectorSlotSettings
from graphgate.v1 import (
    admin_service_pb2_grpc,
    graph_pb2,
    graph_service_pb2,
    graph_service_pb2_grpc,
    ingest_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
)
from tests.fakes.hashing_embedder import HashingEmbedder
from tests.integration.gateway.calls import new_uuid
from tests.integration.gateway.conftest import Client, group_on, settings_for

ROWS_MIN = 120
DIMENSION = 32
MODEL = "hashing"


@pytest.fixture(scope="module")
async def small_limits(
    mixed_fleet: EmbeddedFleet, gateway: GatewayServer, embedder: HashingEmbedder
) -> AsyncIterator[Client]:
    """A second gateway of the fleet, for which groups are large early."""
    limits = VectorSlotSettings(falkordb_rows_min=ROWS_MIN, neo4j_rows_min=ROWS_MIN)
    settings = settings_for(mixed_fleet).model_copy(update={"vector_slots": limits})
    server = GatewayServer(settings, embedder)
    try:
        await server.start()
        async with GatewayClient(server.address) as own:
            await own.until_all_shards_answer(timeout_s=120)
        async with grpc.aio.insecure_channel(server.address) as channel:
            yield Client(
                channel=channel,
                graph=graph_service_pb2_grpc.GraphServiceStub(channel),
                ingest=ingest_service_pb2_grpc.IngestServiceStub(channel),
                search=search_service_pb2_grpc.SearchServiceStub(channel),
                admin=admin_service_pb2_grpc.AdminServiceStub(channel),
            )
    finally:
        await server.stop(0)


async def _write(client: Client, group: str, rng: np.random.Generator, rows: int) -> list[str]:
    vectors = rng.standard_normal((rows, DIMENSION))
    entities = [
        graph_pb2.Entity(uuid=new_uuid(), name=f"row {n}", embedding=vector)
        for n, vector in enumerate(vectors.tolist())
    ]
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(group_id=group, entities=entities, embedding_model=MODEL)
    )
    return [entity.uuid for entity in entities]


async def _search(
    client: Client, group: str, vector: "list[float]", vectors: search_service_pb2.VectorSearch
) -> search_service_pb2.ResultList:
    answer = await client.search.Search(
        search_service_pb2.SearchRequest(
            group_id=group,
            query_vector=vector,
            query_model=MODEL,
            vectors=vectors,
            results=[
                search_service_pb2.ResultSpec(
                    kind=graph_pb2.ROW_KIND_ENTITY,
                    limit=10,
                    methods=[
                        search_service_pb2.MethodWeight(
                            method=search_service_pb2.SEARCH_METHOD_SEMANTIC, weight=1
                        )
                    ],
                )
            ],
        )
    )
    (result,) = answer.results
    return result


async def _serving(client: Client, group: str) -> graph_pb2.Group:
    """Returns when the group's slot is complete."""
    async with asyncio.timeout(60):
        while True:
            described = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group))
            slots = described.group.vector_slots
            if slots and slots[0].serving and slots[0].complete_version == described.group.version:
                return described.group
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("engine", ["FALKORDB", "NEO4J"])
async def test_a_group_that_grows_is_searched_by_its_index(small_limits: Client, engine: str) -> None:
    """From scan to index without a caller's doing, with the same answers; rows written after that are found
    at once, deleted ones never; EXACT scans all the same; a group that shrinks is scanned again."""
    rng = np.random.default_rng(11)
    client = small_limits
    group = await group_on(client, engine)
    names = await _write(client, group, rng, ROWS_MIN)
    query = rng.standard_normal(DIMENSION).tolist()
    automatic, exact = search_service_pb2.VECTOR_SEARCH_AUTOMATIC, search_service_pb2.VECTOR_SEARCH_EXACT
    first = await _search(client, group, query, automatic)
    assert (first.vectors.ran, first.vectors.reason) == (exact, "NO_VECTOR_INDEX")
    await _serving(client, group)

    found = await _search(client, group, query, automatic)
    assert found.vectors.ran == search_service_pb2.VECTOR_SEARCH_APPROXIMATE
    assert (found.vectors.reason, found.vectors.groups_by_index) == ("LARGE_GROUPS", 1)
    assert [hit.entity.uuid for hit in found.hits] == [hit.entity.uuid for hit in first.hits]
    scanned = await _search(client, group, query, exact)
    assert (scanned.vectors.ran, scanned.vectors.reason) == (exact, "REQUESTED")

    best = graph_pb2.Entity(uuid=new_uuid(), name="best", embedding=query)
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(group_id=group, entities=[best], embedding_model=MODEL)
    )
    assert (await _search(client, group, query, automatic)).hits[0].entity.uuid == best.uuid
    await client.graph.DeleteEntities(
        graph_service_pb2.DeleteEntitiesRequest(group_id=group, uuids=[best.uuid, first.hits[0].entity.uuid])
    )
    left = await _search(client, group, query, automatic)
    assert {best.uuid, first.hits[0].entity.uuid}.isdisjoint(hit.entity.uuid for hit in left.hits)

    gone = [name for name in names if name != first.hits[0].entity.uuid][: ROWS_MIN // 2 + 1]
    await client.graph.DeleteEntities(graph_service_pb2.DeleteEntitiesRequest(group_id=group, uuids=gone))
    async with asyncio.timeout(60):
        while (await _search(client, group, query, automatic)).vectors.ran != exact:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    described = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group))
    assert not described.group.vector_slots

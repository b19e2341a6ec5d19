"""Large groups are searched by an index of their own, on both engines, and nothing is hidden by it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import grpc
import numpy as np
import pytest

from gateway.embedded.fleet import EmbeddedFleet
from gateway.loopback.client import GatewayClient
from gateway.server import GatewayServer
from gateway.settings.service import VectorSlotSettings
from graphgate.v1 import (
    graph_pb2,
    graph_service_pb2,
    search_service_pb2,
)
from tests.eventually import eventually
from tests.fakes.hashing_embedder import HashingEmbedder
from tests.integration.gateway.calls import new_uuid
from tests.integration.gateway.conftest import Client, group_on, settings_for

ROWS_MIN = 120
DIMENSION = 32
MODEL = "hashing"


AUTOMATIC, EXACT = search_service_pb2.VECTOR_SEARCH_AUTOMATIC, search_service_pb2.VECTOR_SEARCH_EXACT
APPROXIMATE = search_service_pb2.VECTOR_SEARCH_APPROXIMATE


@asynccontextmanager
async def _gateway(fleet: EmbeddedFleet, embedder: HashingEmbedder) -> AsyncGenerator[Client]:
    """A gateway of the fleet for which groups are large early."""
    limits = VectorSlotSettings(falkordb_rows_min=ROWS_MIN, neo4j_rows_min=ROWS_MIN)
    settings = settings_for(fleet).model_copy(update={"vector_slots": limits})
    server = GatewayServer(settings, embedder)
    try:
        await server.start()
        async with GatewayClient(server.address) as own:
            await own.until_all_shards_answer(timeout_s=120)
        async with grpc.aio.insecure_channel(server.address) as channel:
            yield Client.over(channel)
    finally:
        await server.stop(0)


@pytest.fixture(scope="module")
async def small_limits(
    mixed_fleet: EmbeddedFleet, gateway: GatewayServer, embedder: HashingEmbedder
) -> AsyncIterator[Client]:
    """`gateway`: the first has founded the fleet, and leaves slots alone that it would not have made."""
    async with _gateway(mixed_fleet, embedder) as client:
        yield client


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
            # How an answer was found is told of the search that found it, kept or not.
            cache=search_service_pb2.SEARCH_CACHE_USE_BYPASS,
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


async def _group(client: Client, group: str) -> graph_pb2.Group:
    return (await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group))).group


async def _serving(client: Client, group: str) -> graph_pb2.VectorSlot:
    """Returns when the group's slot is complete."""

    async def complete() -> graph_pb2.VectorSlot | None:
        described = await _group(client, group)
        slots = described.vector_slots
        is_complete = slots and slots[0].serving and slots[0].complete_version == described.version
        return slots[0] if is_complete else None

    slot = await eventually(complete, timeout_s=60)
    assert slot is not None
    return slot


@pytest.mark.parametrize("engine", ["FALKORDB", "NEO4J"])
async def test_a_group_that_grows_is_searched_by_its_index(small_limits: Client, engine: str) -> None:
    """From scan to index without a caller's doing, with the same answers; rows written after that are found
    at once, deleted ones never; EXACT scans all the same; a group that shrinks is scanned again."""
    rng = np.random.default_rng(11)
    client = small_limits
    group = await group_on(client, engine)
    names = await _write(client, group, rng, ROWS_MIN)
    query = rng.standard_normal(DIMENSION).tolist()
    first = await _search(client, group, query, AUTOMATIC)
    assert (first.vectors.ran, first.vectors.reason) == (EXACT, "NO_VECTOR_INDEX")
    slot = await _serving(client, group)
    assert slot.kind == graph_pb2.ROW_KIND_ENTITY

    found = await _search(client, group, query, AUTOMATIC)
    assert found.vectors.ran == APPROXIMATE
    assert (found.vectors.reason, found.vectors.groups_by_index) == ("LARGE_GROUPS", 1)
    assert [hit.entity.uuid for hit in found.hits] == [hit.entity.uuid for hit in first.hits]
    scanned = await _search(client, group, query, EXACT)
    assert (scanned.vectors.ran, scanned.vectors.reason) == (EXACT, "REQUESTED")

    best = graph_pb2.Entity(uuid=new_uuid(), name="best", embedding=query)
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(group_id=group, entities=[best], embedding_model=MODEL)
    )
    at_once = await _search(client, group, query, AUTOMATIC)
    assert (at_once.vectors.ran, at_once.hits[0].entity.uuid) == (APPROXIMATE, best.uuid)
    dead = {best.uuid, first.hits[0].entity.uuid}
    await client.graph.DeleteEntities(
        graph_service_pb2.DeleteEntitiesRequest(group_id=group, uuids=sorted(dead))
    )
    left = await _search(client, group, query, AUTOMATIC)
    assert left.vectors.ran == APPROXIMATE
    assert len(left.hits) == 10
    assert dead.isdisjoint(hit.entity.uuid for hit in left.hits)

    gone = [name for name in names if name not in dead][: ROWS_MIN // 2 + 1]
    await client.graph.DeleteEntities(graph_service_pb2.DeleteEntitiesRequest(group_id=group, uuids=gone))

    async def is_scanned() -> bool:
        answer = await _search(client, group, query, AUTOMATIC)
        assert set(gone).isdisjoint(hit.entity.uuid for hit in answer.hits)
        return answer.vectors.ran == EXACT

    await eventually(is_scanned, timeout_s=60)

    async def has_none() -> bool:
        return not (await _group(client, group)).vector_slots

    await eventually(has_none)


async def test_large_groups_of_one_shard_do_not_keep_each_other_waiting(small_limits: Client) -> None:
    """Two that become large at the same time are both served, and a small group beside them is searched all
    the while."""
    rng = np.random.default_rng(12)
    client = small_limits
    large = [await group_on(client, "FALKORDB")]
    shard = (await _group(client, large[0])).shard
    while len(large) < 3:
        group = await group_on(client, "FALKORDB")
        if (await _group(client, group)).shard == shard:
            large.append(group)
    small = large.pop()
    query = rng.standard_normal(DIMENSION).tolist()
    for group, rows in ((small, 10), (large[0], 2 * ROWS_MIN), (large[1], 3 * ROWS_MIN)):
        await _write(client, group, rng, rows)
    for group in large:
        await _search(client, group, query, AUTOMATIC)
    filled = asyncio.gather(*(_serving(client, group) for group in large))
    while not filled.done():
        beside = await _search(client, small, query, AUTOMATIC)
        assert (len(beside.hits), beside.vectors.reason) == (10, "NO_VECTOR_INDEX")
    await filled
    for group in large:
        found = await _search(client, group, query, AUTOMATIC)
        scanned = await _search(client, group, query, EXACT)
        assert found.vectors.ran == APPROXIMATE
        assert [hit.entity.uuid for hit in found.hits] == [hit.entity.uuid for hit in scanned.hits]


async def test_a_restarted_gateway_goes_on_with_a_slot(
    mixed_fleet: EmbeddedFleet, gateway: GatewayServer, embedder: HashingEmbedder, client: Client
) -> None:
    """What the slot had taken in it still has: it serves as soon as the gateway knows of it, with what was
    written meanwhile, and takes that in."""
    rng = np.random.default_rng(13)
    group = await group_on(client, "FALKORDB")
    await _write(client, group, rng, ROWS_MIN)
    query = rng.standard_normal(DIMENSION).tolist()
    async with _gateway(mixed_fleet, embedder) as own:
        await _search(own, group, query, AUTOMATIC)
        before = await _serving(own, group)
    best = graph_pb2.Entity(uuid=new_uuid(), name="best", embedding=query)
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(group_id=group, entities=[best], embedding_model=MODEL)
    )
    async with _gateway(mixed_fleet, embedder) as own:

        async def known() -> graph_pb2.VectorSlot | None:
            slots = (await _group(own, group)).vector_slots
            return slots[0] if slots else None

        slot = await eventually(known)
        assert slot is not None
        assert slot.serving
        assert slot.complete_version >= before.complete_version
        found = await _search(own, group, query, AUTOMATIC)
        assert (found.vectors.ran, found.hits[0].entity.uuid) == (APPROXIMATE, best.uuid)
        assert (await _serving(own, group)).complete_version > before.complete_version

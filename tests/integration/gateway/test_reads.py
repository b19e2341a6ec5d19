"""Reads over gRPC: pages, batches, what is unknown."""

from collections.abc import Callable

import grpc

from graphgate.v1 import graph_pb2, graph_service_pb2
from tests.integration.gateway.calls import new_uuid, refused
from tests.integration.gateway.conftest import Client

Code = grpc.StatusCode


async def group_of(client: Client, group_id: str, names: int) -> list[str]:
    """A group with so many entities; their uuids."""
    written = await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(
            group_id=group_id, entities=[graph_pb2.Entity(name=f"name {i}") for i in range(names)]
        )
    )
    return [row.uuid for row in written.rows]


async def test_pages_show_every_row_once_while_others_write(
    client: Client, new_group: Callable[[], str]
) -> None:
    """Keyset pages neither repeat nor lose a row that was there throughout."""
    group_id = new_group()
    there = await group_of(client, group_id, 55)
    for order in (graph_service_pb2.ROW_ORDER_UUID, graph_service_pb2.ROW_ORDER_NEWEST):
        request = graph_service_pb2.ListEntitiesRequest(group_id=group_id, page_size=10, order=order)
        seen: list[str] = []
        while True:
            page = await client.graph.ListEntities(request)
            assert len(page.entities) <= 10
            seen += [entity.uuid for entity in page.entities]
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
            await group_of(client, group_id, 1)
        assert len(seen) == len(set(seen))
        assert set(there) <= set(seen)


async def test_newest_first(client: Client, new_group: Callable[[], str]) -> None:
    """The order NEWEST begins with the last write."""
    group_id = new_group()
    batches = [await group_of(client, group_id, 2) for _ in range(3)]
    page = await client.graph.ListEntities(
        graph_service_pb2.ListEntitiesRequest(group_id=group_id, order=graph_service_pb2.ROW_ORDER_NEWEST)
    )
    assert [entity.uuid for entity in page.entities] == [
        uuid for batch in batches[::-1] for uuid in sorted(batch)
    ]


async def test_a_token_of_another_request_is_refused(client: Client, new_group: Callable[[], str]) -> None:
    """A page token belongs to its request; a broken one is named as the bad field."""
    group_id = new_group()
    await group_of(client, group_id, 3)
    page = await client.graph.ListEntities(
        graph_service_pb2.ListEntitiesRequest(group_id=group_id, page_size=1)
    )
    for request in (
        graph_service_pb2.ListEntitiesRequest(
            group_id=group_id, page_token=page.next_page_token, order=graph_service_pb2.ROW_ORDER_NEWEST
        ),
        graph_service_pb2.ListEntitiesRequest(group_id=group_id, page_token="no token"),
        graph_service_pb2.ListEntitiesRequest(group_id=group_id, page_token="日本"),
    ):
        refusal = await refused(client.graph.ListEntities(request))
        assert (refusal.code, refusal.fields) == (Code.INVALID_ARGUMENT, ["page_token"])


async def test_a_page_ends_early_by_bytes(client: Client, new_group: Callable[[], str]) -> None:
    """A reply stays under 4 MiB, which is all that clients take; the list goes on from there."""
    group_id = new_group()
    for _ in range(5):
        await client.graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(
                group_id=group_id, episodes=[graph_pb2.Episode(content="é" * 500_000)]
            )
        )
    request = graph_service_pb2.ListEpisodesRequest(group_id=group_id, page_size=100)
    pages: list[int] = []
    while True:
        page = await client.graph.ListEpisodes(request)
        pages.append(len(page.episodes))
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert sum(pages) == 5
    assert len(pages) > 1


async def test_batch_get_keeps_the_order_and_names_what_is_missing(
    client: Client, new_group: Callable[[], str]
) -> None:
    """Rows come in the order asked for; unknown uuids are named, not errors."""
    group_id = new_group()
    uuids = await group_of(client, group_id, 5)
    unknown = new_uuid()
    batch = await client.graph.BatchGetEntities(
        graph_service_pb2.BatchGetEntitiesRequest(group_id=group_id, uuids=[*reversed(uuids), unknown])
    )
    assert [entity.uuid for entity in batch.entities] == uuids[::-1]
    assert list(batch.missing_uuids) == [unknown]


async def test_unknown_groups_are_not_found_and_not_made(
    client: Client, new_group: Callable[[], str]
) -> None:
    """Reading never creates anything: a group stays unknown after every kind of read."""
    group_id = new_group()
    reads = (
        client.graph.GetEntity(graph_service_pb2.GetEntityRequest(group_id=group_id, uuid=new_uuid())),
        client.graph.ListFacts(graph_service_pb2.ListFactsRequest(group_id=group_id)),
        client.graph.DeleteFacts(graph_service_pb2.DeleteFactsRequest(group_id=group_id, uuids=[new_uuid()])),
        client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group_id)),
    )
    for read in reads:
        refusal = await refused(read)
        assert (refusal.code, refusal.reason) == (Code.NOT_FOUND, "GROUP_NOT_FOUND")
        assert refusal.metadata["group_id"] == group_id


async def test_min_version_beyond_the_group_is_refused(client: Client, new_group: Callable[[], str]) -> None:
    """An answer older than the caller asked for is an error, never given as if it were fresh."""
    group_id = new_group()
    (uuid,) = await group_of(client, group_id, 1)
    refusal = await refused(
        client.graph.GetEntity(
            graph_service_pb2.GetEntityRequest(group_id=group_id, uuid=uuid, min_version=99)
        )
    )
    assert (refusal.code, refusal.reason) == (Code.ABORTED, "VERSION_NOT_REACHED")


async def test_groups_are_listed_over_all_shards(client: Client, new_group: Callable[[], str]) -> None:
    """ListGroups shows each group once, by id, wherever it lives."""
    made = sorted(new_group() for _ in range(12))
    for group_id in made:
        await group_of(client, group_id, 1)
    seen: list[str] = []
    shards: set[str] = set()
    request = graph_service_pb2.ListGroupsRequest(page_size=7)
    while True:
        page = await client.graph.ListGroups(request)
        seen += [group.group_id for group in page.groups]
        shards |= {group.shard for group in page.groups}
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == sorted(set(seen))
    assert set(made) <= set(seen)
    assert {shard.partition("-")[0] for shard in shards} == {"falkordb", "neo4j"}


async def test_groups_may_share_uuids(client: Client, new_group: Callable[[], str]) -> None:
    """The same uuid in two groups is two rows, also where the groups share a container."""
    uuid = new_uuid()
    groups = [new_group() for _ in range(8)]
    for group_id in groups:
        await client.graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(
                group_id=group_id, entities=[graph_pb2.Entity(uuid=uuid, name=group_id)]
            )
        )
    for group_id in groups:
        read = await client.graph.GetEntity(graph_service_pb2.GetEntityRequest(group_id=group_id, uuid=uuid))
        assert read.entity.name == group_id

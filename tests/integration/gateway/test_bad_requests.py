"""Requests of every method with bad fields: each field is named, whatever else is wrong."""

import grpc
import pytest

from graphgate.v1 import (
    admin_service_pb2,
    graph_pb2,
    graph_service_pb2,
    ingest_service_pb2,
    search_service_pb2,
)
from tests.integration.gateway.bad_input import NAN
from tests.integration.gateway.calls import refused
from tests.integration.gateway.conftest import Client

Code = grpc.StatusCode


@pytest.mark.parametrize("group_id", ["", "with space", "x" * 129, "grüße", "a/b", "\0"])
async def test_a_malformed_group_is_named_by_every_method(client: Client, group_id: str) -> None:
    """Whatever else is wrong with the request is named beside it."""
    calls = {
        client.graph.GetFact(graph_service_pb2.GetFactRequest(group_id=group_id, uuid="", min_version=-1)): {
            "group_id",
            "uuid",
            "min_version",
        },
        client.graph.BatchGetSagas(graph_service_pb2.BatchGetSagasRequest(group_id=group_id)): {
            "group_id",
            "uuids",
        },
        client.graph.ListMentions(
            graph_service_pb2.ListMentionsRequest(
                group_id=group_id,
                page_size=-1,
                page_token="?",
                order=99,  # pyright: ignore[reportArgumentType]
                min_version=-1,
                episode_uuid="x",
                entity_uuid="y",
            )
        ): {"group_id", "page_size", "page_token", "order", "min_version", "episode_uuid", "entity_uuid"},
        client.graph.DeleteEpisodes(
            graph_service_pb2.DeleteEpisodesRequest(
                group_id=group_id, uuids=["", "x"], request_id="a b", if_version=-1
            )
        ): {"group_id", "uuids[0]", "uuids[1]", "request_id", "if_version"},
        client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group_id)): {"group_id"},
        client.ingest.AddEpisode(
            ingest_service_pb2.AddEpisodeRequest(
                group_id=group_id,
                mode=99,  # pyright: ignore[reportArgumentType]
                entities=[graph_pb2.Entity()],
                mentioned_entity_uuids=["x"],
                previous_episode_uuid="x",
                embedding_model="m" * 129,
            )
        ): {
            "group_id",
            "mode",
            "episode",
            "episode.content",
            "entities",
            "entities[0].name",
            "mentioned_entity_uuids",
            "mentioned_entity_uuids[0]",
            "previous_episode_uuid",
            "embedding_model",
        },
        client.search.Search(
            search_service_pb2.SearchRequest(
                group_id=group_id,
                query_vector=[NAN],
                rrf_k=10_001,
                results=[
                    search_service_pb2.ResultSpec(
                        kind=graph_pb2.ROW_KIND_SAGA,
                        limit=201,
                        methods=[
                            search_service_pb2.MethodWeight(weight=NAN),
                            search_service_pb2.MethodWeight(method="SEARCH_METHOD_GRAPH", weight=101),
                        ],
                    )
                ],
                min_versions={group_id: -1},
            )
        ): {
            "group_id",
            "query_vector",
            "rrf_k",
            "results[0].kind",
            "results[0].limit",
            "results[0].methods[0].method",
            "results[0].methods[0].weight",
            "results[0].methods[1].weight",
            f"min_versions[{group_id[:40]!r}]",
        },
    }
    for call, fields in calls.items():
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (Code.INVALID_ARGUMENT, "INVALID_FIELDS")
        assert set(refusal.fields) == fields


async def test_lists_of_groups_and_shards_check_their_fields(client: Client) -> None:
    """Methods without a group name their bad fields too."""
    listed = graph_service_pb2.ListGroupsRequest(page_size=-1, page_token="A" * 5_000)
    refusal = await refused(client.graph.ListGroups(listed))
    assert (refusal.code, set(refusal.fields)) == (Code.INVALID_ARGUMENT, {"page_size", "page_token"})
    refusal = await refused(client.admin.DropSchema(admin_service_pb2.DropSchemaRequest()))
    assert (refusal.code, refusal.fields) == (Code.INVALID_ARGUMENT, ["shard"])
    described = admin_service_pb2.DescribeSchemaRequest(shard="\U0001f642" * 100_000)
    refusal = await refused(client.admin.DescribeSchema(described))
    assert (refusal.code, refusal.fields) == (Code.INVALID_ARGUMENT, ["shard"])
    refusal = await refused(client.admin.EnsureSchema(admin_service_pb2.EnsureSchemaRequest(shard="mars")))
    assert (refusal.code, refusal.reason) == (Code.NOT_FOUND, "SHARD_UNKNOWN")
    assert refusal.resource == ("shard", "mars")

"""One request_id, one operation."""

import grpc

from graphgate.v1 import graph_pb2, graph_service_pb2, ingest_service_pb2
from tests.integration.gateway.bad_input import version_of
from tests.integration.gateway.calls import new_uuid, refused
from tests.integration.gateway.conftest import Client

Code = grpc.StatusCode


async def test_a_request_id_stands_for_one_operation(client: Client, group: str) -> None:
    """Deletions and episodes repeat their answer too; any other content under the id is refused."""
    uuid = new_uuid()
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(group_id=group, entities=[graph_pb2.Entity(uuid=uuid, name="A")])
    )
    added = ingest_service_pb2.AddEpisodeRequest(
        group_id=group, episode=graph_pb2.Episode(content="Once."), request_id=new_uuid()
    )
    deleted = graph_service_pb2.DeleteEntitiesRequest(group_id=group, uuids=[uuid], request_id=new_uuid())
    first = (await client.ingest.AddEpisode(added), await client.graph.DeleteEntities(deleted))
    version = await version_of(client, group)
    assert (await client.ingest.AddEpisode(added), await client.graph.DeleteEntities(deleted)) == first
    others = (
        client.ingest.AddEpisode(
            ingest_service_pb2.AddEpisodeRequest(
                group_id=group, episode=graph_pb2.Episode(content="Twice."), request_id=added.request_id
            )
        ),
        client.graph.DeleteEntities(
            graph_service_pb2.DeleteEntitiesRequest(
                group_id=group, uuids=[new_uuid()], request_id=deleted.request_id
            )
        ),
        # The bytes of both requests are the same: only the kind tells them apart.
        client.graph.DeleteFacts(
            graph_service_pb2.DeleteFactsRequest(group_id=group, uuids=[uuid], request_id=deleted.request_id)
        ),
        client.graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(
                group_id=group, entities=[graph_pb2.Entity(name="B")], request_id=deleted.request_id
            )
        ),
    )
    for other in others:
        refusal = await refused(other)
        assert (refusal.code, refusal.reason) == (Code.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert await version_of(client, group) == version


async def test_the_id_in_an_answer_is_enough_for_a_retry(client: Client, group: str) -> None:
    """A caller who gave no request_id sends the same again under the id that the answer named: the first
    answer comes, with the same uuids, and nothing is written."""
    graph, ingest = client.graph, client.ingest
    written = graph_service_pb2.WriteGraphRequest(
        group_id=group, entities=[graph_pb2.Entity(name="A"), graph_pb2.Entity(name="B")]
    )
    added = ingest_service_pb2.AddEpisodeRequest(
        group_id=group,
        episode=graph_pb2.Episode(content="Once."),
        mode=ingest_service_pb2.EXTRACTION_MODE_PROVIDED,
        entities=[graph_pb2.Entity(name="C")],
    )
    first_write, first_episode = await graph.WriteGraph(written), await ingest.AddEpisode(added)
    deleted = graph_service_pb2.DeleteEntitiesRequest(group_id=group, uuids=[first_write.rows[0].uuid])
    first_deletion = await graph.DeleteEntities(deleted)
    version = await version_of(client, group)
    written.request_id = first_write.request_id
    added.request_id = first_episode.request_id
    deleted.request_id = first_deletion.request_id
    assert len({written.request_id, added.request_id, deleted.request_id, ""}) == 4
    assert await graph.WriteGraph(written) == first_write
    assert await ingest.AddEpisode(added) == first_episode
    assert await graph.DeleteEntities(deleted) == first_deletion
    assert await version_of(client, group) == version


async def test_a_default_mode_is_the_same_named_or_left_out(client: Client, group: str) -> None:
    """A retry by a client that fills defaults in is no other content; another mode is."""
    written = graph_service_pb2.WriteGraphRequest(
        group_id=group, entities=[graph_pb2.Entity(name="A")], request_id=new_uuid()
    )
    added = ingest_service_pb2.AddEpisodeRequest(
        group_id=group, episode=graph_pb2.Episode(content="Once."), request_id=new_uuid()
    )
    first = (await client.graph.WriteGraph(written), await client.ingest.AddEpisode(added))
    written.mode = graph_service_pb2.WRITE_MODE_UPSERT
    added.mode = ingest_service_pb2.EXTRACTION_MODE_NONE
    assert (await client.graph.WriteGraph(written), await client.ingest.AddEpisode(added)) == first
    written.mode = graph_service_pb2.WRITE_MODE_CREATE
    added.mode = ingest_service_pb2.EXTRACTION_MODE_PROVIDED
    for other in (client.graph.WriteGraph(written), client.ingest.AddEpisode(added)):
        assert (await refused(other)).reason == "REQUEST_ID_REUSED"

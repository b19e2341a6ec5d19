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

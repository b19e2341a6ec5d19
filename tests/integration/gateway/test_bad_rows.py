"""Rows that no caller should write: each is refused with every bad field, and nothing is written."""

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from graphgate.v1 import graph_pb2, graph_service_pb2, ingest_service_pb2
from tests.integration.gateway.bad_input import BAD_ENTITY_FIELDS, NAN, TOO_LATE, bad_entity, version_of
from tests.integration.gateway.calls import new_uuid, refused
from tests.integration.gateway.conftest import Client

Code = grpc.StatusCode


async def test_every_bad_field_of_a_batch_is_named_and_nothing_is_written(client: Client, group: str) -> None:
    """Each kind of bad value has its own violation; the good rows beside them are not written."""
    version, good = await version_of(client, group), graph_pb2.Entity(uuid=new_uuid(), name="Good")
    request = graph_service_pb2.WriteGraphRequest(
        group_id=group,
        entities=[good, bad_entity(), graph_pb2.Entity(name="Zero", embedding=[0.0, -0.0])],
        facts=[
            graph_pb2.Fact(
                source_uuid=good.uuid,
                target_uuid="nobody",
                name="x" * 1_025,
                fact="a\0b",
                episode_uuids=["", new_uuid()],
                valid_at=Timestamp(seconds=2),
                invalid_at=Timestamp(seconds=1),
                embedding=[1.0] * 4_097,
            ),
            graph_pb2.Fact(source_uuid=good.uuid, target_uuid=good.uuid, name="N", valid_at=TOO_LATE),
        ],
        episodes=[
            graph_pb2.Episode(
                content=" ",
                source=99,  # pyright: ignore[reportArgumentType]
                reference_time=Timestamp(seconds=1, nanos=-1),
                embedding=[3e38, 3e38],
            ),
            graph_pb2.Episode(content="Two", embedding=[float("inf")]),
            graph_pb2.Episode(content="Three", embedding=[1.0, 2.0, 3.0]),
        ],
        memberships=[graph_pb2.Membership(community_uuid="", entity_uuid="x")],
        conditions=[
            graph_service_pb2.RowCondition(
                kind=99,  # pyright: ignore[reportArgumentType]
                uuid=good.uuid,
                version=-1,
            ),
            graph_service_pb2.RowCondition(kind=graph_pb2.ROW_KIND_ENTITY, uuid=new_uuid()),
        ],
        update_mask=FieldMask(paths=["entities.name"]),
    )
    refusal = await refused(client.graph.WriteGraph(request))
    assert (refusal.code, refusal.reason) == (Code.INVALID_ARGUMENT, "INVALID_FIELDS")
    assert set(refusal.fields) == {
        *(f"entities[1].{field}" for field in BAD_ENTITY_FIELDS),
        "entities[2].embedding",
        "facts[0].target_uuid",
        "facts[0].name",
        "facts[0].fact",
        "facts[0].episode_uuids[0]",
        "facts[0].invalid_at",
        "facts[0].embedding",
        "facts[1].valid_at",
        "episodes[0].content",
        "episodes[0].source",
        "episodes[0].reference_time",
        "episodes[1].embedding",
        "episodes[2].embedding",
        "memberships[0].community_uuid",
        "memberships[0].entity_uuid",
        "conditions[0].kind",
        "conditions[0].version",
        "conditions[1].uuid",
        "update_mask",
    }
    assert await version_of(client, group) == version
    batch = graph_service_pb2.BatchGetEntitiesRequest(group_id=group, uuids=[good.uuid])
    assert list((await client.graph.BatchGetEntities(batch)).missing_uuids) == [good.uuid]


async def test_more_bad_fields_than_an_answer_holds_are_counted(client: Client, group: str) -> None:
    """The answer still arrives, says how many there are and names the first."""
    request = graph_service_pb2.WriteGraphRequest(group_id=group)
    for number in range(1_000):
        entity = request.entities.add(uuid=f"?{number}")
        entity.attributes["\U0001f642" * 129].scalar.double_value = NAN
    refusal = await refused(client.graph.WriteGraph(request))
    assert refusal.code is Code.INVALID_ARGUMENT
    assert refusal.text.startswith("the request has 4000 bad field(s): entities[0].uuid: ")
    assert refusal.fields[0] == "entities[0].uuid"


async def test_nodes_that_edges_need_are_named_and_nothing_is_written(client: Client, group: str) -> None:
    """Every kind of edge: the uuids that are missing are told, the batch beside them is not written."""
    there, episode, saga, community = (new_uuid() for _ in range(4))
    missing = new_uuid()
    version = await version_of(client, group)
    row = graph_pb2.Entity(uuid=there, name="There")
    batches = [
        {"facts": [graph_pb2.Fact(source_uuid=there, target_uuid=missing, name="N")]},
        {"mentions": [graph_pb2.Mention(episode_uuid=missing, entity_uuid=there)]},
        {"memberships": [graph_pb2.Membership(community_uuid=missing, entity_uuid=there)]},
        {
            "communities": [graph_pb2.Community(uuid=community, name="C")],
            "memberships": [graph_pb2.Membership(community_uuid=community, entity_uuid=missing)],
        },
        {
            "sagas": [graph_pb2.Saga(uuid=saga, name="S")],
            "saga_episodes": [graph_pb2.SagaEpisode(saga_uuid=saga, episode_uuid=missing)],
        },
        {
            "sagas": [graph_pb2.Saga(uuid=saga, name="S")],
            "episodes": [graph_pb2.Episode(uuid=episode, content="E")],
            "saga_episodes": [
                graph_pb2.SagaEpisode(saga_uuid=saga, episode_uuid=episode, previous_episode_uuid=missing)
            ],
        },
    ]
    for batch in batches:
        request = graph_service_pb2.WriteGraphRequest(group_id=group, entities=[row], **batch)  # pyright: ignore[reportArgumentType]
        refusal = await refused(client.graph.WriteGraph(request))
        assert (refusal.code, refusal.reason) == (Code.FAILED_PRECONDITION, "ENDPOINT_MISSING")
        assert refusal.metadata["uuids"] == missing
    added = ingest_service_pb2.AddEpisodeRequest(
        group_id=group,
        episode=graph_pb2.Episode(uuid=episode, content="E"),
        mode=ingest_service_pb2.EXTRACTION_MODE_PROVIDED,
        mentioned_entity_uuids=[missing],
        saga_uuid=saga,
    )
    refusal = await refused(client.ingest.AddEpisode(added))
    assert (refusal.code, refusal.reason) == (Code.FAILED_PRECONDITION, "ENDPOINT_MISSING")
    assert set(refusal.metadata["uuids"].split(",")) == {missing, saga}
    assert set(refusal.metadata["kind"].split(",")) == {"ENTITY", "SAGA"}
    assert await version_of(client, group) == version
    for uuids, get in (
        ([there], client.graph.BatchGetEntities),
        ([episode], client.graph.BatchGetEpisodes),
        ([saga], client.graph.BatchGetSagas),
        ([community], client.graph.BatchGetCommunities),
    ):
        name = get._method.decode().rpartition("/")[2]  # type: ignore[attr-defined]
        request = getattr(graph_service_pb2, f"{name}Request")(group_id=group, uuids=uuids)
        assert list((await get(request)).missing_uuids) == uuids, name


async def test_a_row_given_twice_is_named_where_it_is_given_again(client: Client, group: str) -> None:
    """The later row's own field, not a kind: a program can mark what its user has to mend. Edges that their
    ends identify are named as a whole."""
    uuid, other = new_uuid(), new_uuid()
    row, mention = (
        graph_pb2.Entity(uuid=uuid, name="A"),
        graph_pb2.Mention(episode_uuid=other, entity_uuid=uuid),
    )
    fact = graph_pb2.Fact(uuid=other, source_uuid=uuid, target_uuid=uuid, name="N")
    written = graph_service_pb2.WriteGraphRequest(
        group_id=group, entities=[graph_pb2.Entity(name="B"), row, row], mentions=[mention, mention]
    )
    refusal = await refused(client.graph.WriteGraph(written))
    assert refusal.fields == ["entities[2].uuid", "mentions[1]"]
    assert "entities[1]" in refusal.violations["entities[2].uuid"]
    assert "mentions[0]" in refusal.violations["mentions[1]"]
    added = ingest_service_pb2.AddEpisodeRequest(
        group_id=group,
        episode=graph_pb2.Episode(content="E"),
        mode=ingest_service_pb2.EXTRACTION_MODE_PROVIDED,
        entities=[row, row],
        facts=[fact, fact],
    )
    assert (await refused(client.ingest.AddEpisode(added))).fields == ["entities[1].uuid", "facts[1].uuid"]


async def test_a_patch_that_empties_a_required_text_names_its_field(client: Client, group: str) -> None:
    """As a whole row would: the position in the request and the field."""
    request = graph_service_pb2.WriteGraphRequest(
        group_id=group,
        entities=[graph_pb2.Entity(uuid=new_uuid(), name="A"), graph_pb2.Entity(uuid=new_uuid())],
        mode=graph_service_pb2.WRITE_MODE_PATCH,
        update_mask=FieldMask(paths=["entities.name"]),
    )
    assert (await refused(client.graph.WriteGraph(request))).fields == ["entities[1].name"]

"""Writes over gRPC, on both engines: groups are spread over the fleet."""

from collections.abc import Callable, Sequence

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from drivers.falkordb.write import WEIGHT_MAX
from gateway.embedding.errors import EmbedderUnavailable
from gateway.embedding.port import Vector
from graphgate.v1 import graph_pb2, graph_service_pb2, ingest_service_pb2
from tests.fakes.hashing_embedder import DIMENSION, HashingEmbedder
from tests.integration.gateway.calls import Refusal, new_uuid, refused
from tests.integration.gateway.conftest import Client, group_on

Code = grpc.StatusCode


def pair() -> tuple[graph_pb2.Entity, graph_pb2.Entity, graph_pb2.Fact]:
    ada, bob = graph_pb2.Entity(uuid=new_uuid(), name="Ada"), graph_pb2.Entity(uuid=new_uuid(), name="Bob")
    fact = graph_pb2.Fact(
        uuid=new_uuid(), source_uuid=ada.uuid, target_uuid=bob.uuid, name="KNOWS", fact="Ada knows Bob"
    )
    return ada, bob, fact


async def test_a_batch_is_read_back_as_it_was_written(client: Client, group: str) -> None:
    """Every field of every row comes back, with the version of its write."""
    ada, bob, fact = pair()
    ada.summary = "wrote 'notes' \"on\" the \\engine\\ {x: 1}) MATCH (n) DETACH DELETE n //\n\té 日本語 🙂"
    ada.labels.extend(["Person", "Ma`them-atician"])
    ada.attributes["born"].scalar.timestamp_value.CopyFrom(
        Timestamp(seconds=-4_871_836_800, nanos=123_456_000)
    )
    ada.attributes["big"].scalar.int64_value = -(2**63)
    ada.attributes["pi"].scalar.double_value = 3.141592653589793
    ada.attributes["tags"].list.values.extend(
        [graph_pb2.AttributeScalar(string_value="x"), graph_pb2.AttributeScalar(string_value="")]
    )
    fact.valid_at.CopyFrom(Timestamp(seconds=-1, nanos=1_000))
    written = await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(group_id=group, entities=[ada, bob], facts=[fact])
    )
    assert [row.created for row in written.rows] == [True, True, True]
    read = await client.graph.GetEntity(
        graph_service_pb2.GetEntityRequest(group_id=group, uuid=ada.uuid, min_version=written.version)
    )
    assert read.version == written.version == read.entity.version
    assert read.entity.created_at == written.written_at
    read.entity.ClearField("created_at")
    read.entity.ClearField("version")
    assert read.entity == ada
    stored = await client.graph.GetFact(graph_service_pb2.GetFactRequest(group_id=group, uuid=fact.uuid))
    assert stored.fact.valid_at == fact.valid_at
    assert not stored.fact.HasField("invalid_at")
    assert not stored.fact.HasField("expired_at")


async def test_same_request_id_gives_the_first_answer(client: Client, group: str) -> None:
    """A retry neither writes again nor undoes what came after; other content under the id is refused."""
    ada, _, _ = pair()
    first = graph_service_pb2.WriteGraphRequest(group_id=group, entities=[ada], request_id=new_uuid())
    answer = await client.graph.WriteGraph(first)
    later = graph_service_pb2.WriteGraphRequest(
        group_id=group, entities=[graph_pb2.Entity(uuid=ada.uuid, name="Ada L.")]
    )
    await client.graph.WriteGraph(later)
    assert await client.graph.WriteGraph(first) == answer
    read = await client.graph.GetEntity(graph_service_pb2.GetEntityRequest(group_id=group, uuid=ada.uuid))
    assert read.entity.name == "Ada L."
    other = graph_service_pb2.WriteGraphRequest(
        group_id=group, entities=[graph_pb2.Entity(name="X")], request_id=first.request_id
    )
    refusal = await refused(client.graph.WriteGraph(other))
    assert (refusal.code, refusal.reason) == (Code.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_rows_without_uuid_get_the_same_one_on_retry(client: Client, group: str) -> None:
    """uuids made by the gateway follow from the operation."""
    request = graph_service_pb2.WriteGraphRequest(
        group_id=group,
        entities=[graph_pb2.Entity(name="A"), graph_pb2.Entity(name="B")],
        request_id=new_uuid(),
    )
    first, second = await client.graph.WriteGraph(request), await client.graph.WriteGraph(request)
    assert [row.uuid for row in first.rows] == [row.uuid for row in second.rows]
    assert len({row.uuid for row in first.rows}) == 2


async def test_missing_endpoint_writes_nothing(client: Client, group: str) -> None:
    """A batch is all or nothing: the entities beside a bad fact are not written either."""
    ada, bob, fact = pair()
    refusal = await refused(
        client.graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(group_id=group, entities=[ada], facts=[fact])
        )
    )
    assert (refusal.code, refusal.reason) == (Code.FAILED_PRECONDITION, "ENDPOINT_MISSING")
    assert bob.uuid in refusal.metadata["uuids"]
    refusal = await refused(
        client.graph.GetEntity(graph_service_pb2.GetEntityRequest(group_id=group, uuid=ada.uuid))
    )
    assert (refusal.code, refusal.reason) == (Code.NOT_FOUND, "ROW_NOT_FOUND")


async def test_every_bad_field_is_named_at_once(client: Client) -> None:
    """One answer tells everything that is wrong, and no group is created by it."""
    request = graph_service_pb2.WriteGraphRequest(
        group_id="bad group!",
        request_id="white space",
        if_version=-1,
        entities=[
            graph_pb2.Entity(uuid="NOT-A-UUID", name=" ", embedding=[0.0, 0.0]),
            graph_pb2.Entity(name="x" * 2_000, embedding=[float("nan")]),
        ],
        facts=[
            graph_pb2.Fact(
                source_uuid=new_uuid(),
                target_uuid="",
                name="N",
                valid_at=Timestamp(seconds=10),
                invalid_at=Timestamp(seconds=5),
            )
        ],
        mode=99,  # pyright: ignore[reportArgumentType]
    )
    refusal = await refused(client.graph.WriteGraph(request))
    assert (refusal.code, refusal.reason) == (Code.INVALID_ARGUMENT, "INVALID_FIELDS")
    assert set(refusal.fields) == {
        "group_id",
        "request_id",
        "if_version",
        "mode",
        "entities[0].uuid",
        "entities[0].name",
        "entities[0].embedding",
        "entities[1].name",
        "entities[1].embedding",
        "facts[0].target_uuid",
        "facts[0].invalid_at",
    }


async def test_patch_changes_the_named_fields_only(client: Client, group: str) -> None:
    """PATCH keeps what its mask leaves out; a row that does not exist is NOT_FOUND."""
    ada, _, _ = pair()
    ada.summary = "stays"
    await client.graph.WriteGraph(graph_service_pb2.WriteGraphRequest(group_id=group, entities=[ada]))
    patch = graph_service_pb2.WriteGraphRequest(
        group_id=group,
        entities=[graph_pb2.Entity(uuid=ada.uuid, name="Ada Lovelace")],
        mode=graph_service_pb2.WRITE_MODE_PATCH,
        update_mask=FieldMask(paths=["entities.name"]),
    )
    await client.graph.WriteGraph(patch)
    read = await client.graph.GetEntity(graph_service_pb2.GetEntityRequest(group_id=group, uuid=ada.uuid))
    assert (read.entity.name, read.entity.summary) == ("Ada Lovelace", "stays")
    patch.entities[0].uuid = new_uuid()
    assert (await refused(client.graph.WriteGraph(patch))).code is Code.NOT_FOUND


async def test_conditions_on_versions(client: Client, group: str) -> None:
    """if_version guards the group, conditions guard rows; a failed one is ABORTED and writes nothing."""
    ada, _, _ = pair()
    written = await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(group_id=group, entities=[ada])
    )
    stale = graph_service_pb2.WriteGraphRequest(
        group_id=group, entities=[ada], if_version=written.version - 1
    )
    refusal = await refused(client.graph.WriteGraph(stale))
    assert (refusal.code, refusal.reason) == (Code.ABORTED, "GROUP_VERSION_MISMATCH")
    conditioned = graph_service_pb2.WriteGraphRequest(
        group_id=group,
        entities=[ada],
        if_version=written.version,
        conditions=[
            graph_service_pb2.RowCondition(
                kind=graph_pb2.ROW_KIND_ENTITY, uuid=ada.uuid, version=written.version
            )
        ],
    )
    after = await client.graph.WriteGraph(conditioned)
    assert after.version == written.version + 1
    refusal = await refused(
        client.graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(
                group_id=group, entities=[ada], conditions=conditioned.conditions
            )
        )
    )
    assert (refusal.code, refusal.reason) == (Code.ABORTED, "ROW_VERSION_MISMATCH")


async def test_validate_only_writes_nothing(client: Client, new_group: Callable[[], str]) -> None:
    """A dry run checks everything and does not even create the group."""
    group_id = new_group()
    ada, bob, fact = pair()
    request = graph_service_pb2.WriteGraphRequest(
        group_id=group_id, entities=[ada, bob], facts=[fact], validate_only=True
    )
    answer = await client.graph.WriteGraph(request)
    assert answer.version == 0
    assert [row.created for row in answer.rows] == [True] * 3
    refusal = await refused(client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group_id)))
    assert (refusal.code, refusal.reason) == (Code.NOT_FOUND, "GROUP_NOT_FOUND")


async def test_closures_of_a_fact_are_kept(client: Client, group: str) -> None:
    """Each change of a fact's end is recorded with the end before it."""
    ada, bob, fact = pair()
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(group_id=group, entities=[ada, bob], facts=[fact])
    )
    fact.invalid_at.CopyFrom(Timestamp(seconds=1_000))
    closed = await client.graph.WriteGraph(graph_service_pb2.WriteGraphRequest(group_id=group, facts=[fact]))
    read = await client.graph.GetFact(graph_service_pb2.GetFactRequest(group_id=group, uuid=fact.uuid))
    (closure,) = read.fact.closures
    assert closure.closed_at == closed.written_at == read.fact.expired_at
    assert not closure.HasField("previous_invalid_at")
    assert read.fact.invalid_at == fact.invalid_at


async def test_embedding_is_made_only_when_the_text_changes(
    client: Client, group: str, embedder: HashingEmbedder
) -> None:
    """Rewriting a row with the same text asks the embedder for nothing and keeps the vector."""
    ada, _, _ = pair()
    await client.graph.WriteGraph(graph_service_pb2.WriteGraphRequest(group_id=group, entities=[ada]))
    before = embedder.texts_embedded
    ada.labels.append("Person")
    await client.graph.WriteGraph(graph_service_pb2.WriteGraphRequest(group_id=group, entities=[ada]))
    assert embedder.texts_embedded == before
    read = await client.graph.GetEntity(
        graph_service_pb2.GetEntityRequest(group_id=group, uuid=ada.uuid, with_embedding=True)
    )
    assert len(read.entity.embedding) == DIMENSION
    wrong = graph_pb2.Entity(uuid=ada.uuid, name="Ada", embedding=[1.0, 0.0])
    refusal = await refused(
        client.graph.WriteGraph(graph_service_pb2.WriteGraphRequest(group_id=group, entities=[wrong]))
    )
    assert (refusal.code, refusal.reason) == (Code.FAILED_PRECONDITION, "EMBEDDING_MISMATCH")


async def test_episode_with_its_graph(client: Client, group: str) -> None:
    """AddEpisode PROVIDED writes episode, entities, facts, mentions and place in the saga at once."""
    saga = graph_pb2.Saga(uuid=new_uuid(), name="Chat")
    await client.graph.WriteGraph(graph_service_pb2.WriteGraphRequest(group_id=group, sagas=[saga]))
    previous = ""
    ada, bob, fact = pair()
    for turn in ("Ada met Bob.", "They are friends."):
        added = await client.ingest.AddEpisode(
            ingest_service_pb2.AddEpisodeRequest(
                group_id=group,
                episode=graph_pb2.Episode(uuid=new_uuid(), content=turn),
                mode=ingest_service_pb2.EXTRACTION_MODE_PROVIDED,
                entities=[ada, bob],
                facts=[fact],
                saga_uuid=saga.uuid,
                previous_episode_uuid=previous,
            )
        )
        assert added.state == ingest_service_pb2.EPISODE_STATE_APPLIED
        first, previous = previous, added.episode_uuid
    read = await client.graph.GetFact(graph_service_pb2.GetFactRequest(group_id=group, uuid=fact.uuid))
    assert list(read.fact.episode_uuids) == [first, previous]
    mentions = await client.graph.ListMentions(
        graph_service_pb2.ListMentionsRequest(group_id=group, entity_uuid=ada.uuid)
    )
    assert {mention.episode_uuid for mention in mentions.mentions} == {first, previous}
    episodes = await client.graph.ListEpisodes(
        graph_service_pb2.ListEpisodesRequest(group_id=group, saga_uuid=saga.uuid)
    )
    assert {episode.uuid for episode in episodes.episodes} == {first, previous}


async def test_episode_without_graph(client: Client, group: str) -> None:
    """Mode NONE stores the episode and its embedding, and refuses entities that it would ignore."""
    request = ingest_service_pb2.AddEpisodeRequest(
        group_id=group, episode=graph_pb2.Episode(content="A quiet day.")
    )
    added = await client.ingest.AddEpisode(request)
    read = await client.graph.GetEpisode(
        graph_service_pb2.GetEpisodeRequest(group_id=group, uuid=added.episode_uuid, with_embedding=True)
    )
    assert len(read.episode.embedding) == DIMENSION
    assert read.episode.source == graph_pb2.EPISODE_SOURCE_TEXT
    request.entities.append(graph_pb2.Entity(name="Ignored"))
    assert (await refused(client.ingest.AddEpisode(request))).fields == ["entities"]


async def test_deletion_takes_edges_along_and_repeats_its_answer(client: Client, group: str) -> None:
    """Deleting an entity removes its facts; a retry says the same, also after the row came back."""
    ada, bob, fact = pair()
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(group_id=group, entities=[ada, bob], facts=[fact])
    )
    delete = graph_service_pb2.DeleteEntitiesRequest(group_id=group, uuids=[ada.uuid], request_id=new_uuid())
    answer = await client.graph.DeleteEntities(delete)
    assert {count.kind: count.rows for count in answer.deleted} == {
        graph_pb2.ROW_KIND_ENTITY: 1,
        graph_pb2.ROW_KIND_FACT: 1,
    }
    await client.graph.WriteGraph(graph_service_pb2.WriteGraphRequest(group_id=group, entities=[ada]))
    assert await client.graph.DeleteEntities(delete) == answer
    read = await client.graph.GetEntity(graph_service_pb2.GetEntityRequest(group_id=group, uuid=ada.uuid))
    assert read.entity.name == "Ada"
    refusal = await refused(
        client.graph.GetFact(graph_service_pb2.GetFactRequest(group_id=group, uuid=fact.uuid))
    )
    assert refusal.code is Code.NOT_FOUND


async def assert_absent(client: Client, group_id: str) -> None:
    described = await refused(client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group_id)))
    assert (described.code, described.reason) == (Code.NOT_FOUND, "GROUP_NOT_FOUND")


async def test_refused_writes_leave_no_group_behind(client: Client, new_group: Callable[[], str]) -> None:
    """A group comes to be by its first write, not by an attempt that was refused."""
    _, _, fact = pair()
    ghosts = [new_group() for _ in range(4)]
    attempts = (
        graph_service_pb2.WriteGraphRequest(group_id=ghosts[0], facts=[fact]),
        graph_service_pb2.WriteGraphRequest(
            group_id=ghosts[1], entities=[graph_pb2.Entity(name="A")], if_version=5
        ),
        graph_service_pb2.WriteGraphRequest(
            group_id=ghosts[2],
            entities=[graph_pb2.Entity(uuid=new_uuid(), name="A")],
            mode=graph_service_pb2.WRITE_MODE_PATCH,
            update_mask=FieldMask(paths=["entities.name"]),
        ),
        # Only beside the vector that the gateway makes is the given one of another dimension.
        graph_service_pb2.WriteGraphRequest(
            group_id=ghosts[3],
            entities=[graph_pb2.Entity(name="A", embedding=[1.0, 1.0]), graph_pb2.Entity(name="B")],
        ),
    )
    reasons = ["ENDPOINT_MISSING", "GROUP_VERSION_MISMATCH", "ROW_NOT_FOUND", "EMBEDDING_MISMATCH"]
    for attempt, reason in zip(attempts, reasons, strict=True):
        assert (await refused(client.graph.WriteGraph(attempt))).reason == reason
        await assert_absent(client, attempt.group_id)


async def test_a_write_too_heavy_for_its_shard_leaves_no_group_behind(
    client: Client, new_group: Callable[[], str]
) -> None:
    """The weight is told before the group is made, where it would come to a FalkorDB shard."""
    entities = [graph_pb2.Entity(name="x") for _ in range(WEIGHT_MAX + 1)]
    for _ in range(20):
        request = graph_service_pb2.WriteGraphRequest(group_id=new_group(), entities=entities)
        try:
            await client.graph.WriteGraph(request)
        except grpc.aio.AioRpcError as error:
            refusal = Refusal(error)
            assert refusal.reason == "WRITE_TOO_HEAVY"
            assert refusal.metadata["shard"].startswith("falkordb")
            await assert_absent(client, request.group_id)
            return
    raise AssertionError("no group of 20 was placed on FalkorDB")


async def test_a_failing_embedder_leaves_no_group_behind(
    client: Client,
    embedder: HashingEmbedder,
    new_group: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The vectors are made before the group is; once the model answers, the same write makes it."""

    async def fails(texts: Sequence[str], *, deadline: float) -> list[Vector]:
        raise EmbedderUnavailable("hashing", "no connection")

    request = graph_service_pb2.WriteGraphRequest(
        group_id=new_group(), entities=[graph_pb2.Entity(name=f"unembedded {new_uuid()}")]
    )
    with monkeypatch.context() as patch:
        patch.setattr(embedder, "embed", fails)
        refusal = await refused(client.graph.WriteGraph(request))
    assert (refusal.code, refusal.reason) == (Code.UNAVAILABLE, "EMBEDDER_UNAVAILABLE")
    await assert_absent(client, request.group_id)
    assert (await client.graph.WriteGraph(request)).version == 1


async def test_a_node_with_too_many_edges_is_deleted_after_them(client: Client) -> None:
    """One uuid cannot be split: the refusal counts the edges that go along and says to delete them first,
    which then works."""
    group = await group_on(client, "FALKORDB")
    hub = graph_pb2.Entity(uuid=new_uuid(), name="hub")
    uuids = [new_uuid() for _ in range(WEIGHT_MAX + 50)]
    halves = (uuids[: len(uuids) // 2], uuids[len(uuids) // 2 :])
    for half in halves:
        facts = [
            graph_pb2.Fact(uuid=uuid, source_uuid=hub.uuid, target_uuid=hub.uuid, name="N") for uuid in half
        ]
        await client.graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(group_id=group, entities=[hub], facts=facts)
        )
    deletion = graph_service_pb2.DeleteEntitiesRequest(group_id=group, uuids=[hub.uuid])
    refusal = await refused(client.graph.DeleteEntities(deletion))
    assert (refusal.code, refusal.reason) == (Code.RESOURCE_EXHAUSTED, "WRITE_TOO_HEAVY")
    assert refusal.metadata["cascade"] == str(len(uuids))
    assert f"{len(uuids)} of it are facts and other edges" in refusal.text
    assert "delete these first" in refusal.text
    for half in halves:
        await client.graph.DeleteFacts(graph_service_pb2.DeleteFactsRequest(group_id=group, uuids=half))
    answer = await client.graph.DeleteEntities(deletion)
    assert [count.rows for count in answer.deleted] == [1]


async def test_a_row_that_no_reply_could_hold_is_refused(
    client: Client, new_group: Callable[[], str]
) -> None:
    """What is stored can be read again: a row has a limit below a reply's."""
    refusal = await refused(
        client.graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(
                group_id=new_group(), episodes=[graph_pb2.Episode(content="\U0001f642" * 900_000)]
            )
        )
    )
    assert refusal.fields == ["episodes[0]"]

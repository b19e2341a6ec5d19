"""Requests that no caller should send: each is refused with every bad field, and nothing is written."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from drivers.write_plan import ROWS_PER_WRITE_MAX
from graphgate.v1 import (
    admin_service_pb2,
    graph_pb2,
    graph_service_pb2,
    ingest_service_pb2,
    search_service_pb2,
)
from tests.integration.gateway.calls import new_uuid, refused
from tests.integration.gateway.conftest import Client

Code = grpc.StatusCode
MIB = 1024 * 1024
NAN = float("nan")
TOO_LATE = Timestamp(seconds=253_402_300_800)


async def version_of(client: Client, group: str) -> int:
    described = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group))
    return described.group.version


def scalars(**values: Any) -> list[graph_pb2.AttributeScalar]:
    return [graph_pb2.AttributeScalar(**{name: value}) for name, value in values.items()]


def bad_entity() -> graph_pb2.Entity:
    entity = graph_pb2.Entity(
        uuid="550E8400-E29B-41D4-A716-446655440000",
        name="\t ",
        summary="x" * 65_537,
        labels=["", "l" * 129, "fine"],
        embedding=[1.0, NAN],
    )
    entity.attributes["mixed"].list.values.extend(scalars(string_value="a", int64_value=1))
    entity.attributes["nan"].scalar.double_value = NAN
    entity.attributes["unset"].SetInParent()
    entity.attributes["late"].scalar.timestamp_value.CopyFrom(TOO_LATE)
    entity.attributes["long"].scalar.string_value = "x" * 65_537
    entity.attributes["many"].list.values.extend(scalars(bool_value=True) * 1_001)
    entity.attributes[""].scalar.bool_value = True
    return entity


BAD_ENTITY_FIELDS = {
    "uuid",
    "name",
    "summary",
    "labels[0]",
    "labels[1]",
    "embedding",
    *(f"attributes[{name!r}]" for name in ("mixed", "nan", "unset", "late", "long", "many", "")),
}


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


async def test_a_number_that_does_not_fit_64_bits_is_refused(client: Client, group: str) -> None:
    """Protobuf's libraries do not send one; bytes that hold one are no message, and nothing is written."""
    version = await version_of(client, group)
    marker = 7
    body = graph_service_pb2.WriteGraphRequest(group_id=group, entities=[graph_pb2.Entity(name="Big")])
    body.entities[0].attributes["n"].scalar.int64_value = marker
    fitting = body.SerializeToString()
    # Field 2 of the scalar, its value as a varint of eleven bytes: 2^70. Four lengths grow by ten.
    needle = bytes([2 << 3, marker])
    assert fitting.endswith(needle)
    grown = bytearray(fitting[:-1] + b"\xff" * 10 + b"\x01")
    start = fitting.index(b"\x12\x03Big") - 1
    for at in (start, *_lengths_after(fitting, start)):
        grown[at] += 10
    call = client.channel.unary_unary("/graphgate.v1.GraphService/WriteGraph")
    refusal = await refused(call(bytes(grown)))
    assert (refusal.code, refusal.reason) == (Code.INVALID_ARGUMENT, "REQUEST_UNREADABLE")
    assert await version_of(client, group) == version
    await call(fitting)
    assert await version_of(client, group) == version + 1


def _lengths_after(body: bytes, start: int) -> tuple[int, int, int]:
    """Where the lengths of the map entry, its value and the scalar in it are written."""
    entry = start + 1 + len(b"\x12\x03Big") + 1
    value = entry + 1 + len(b"\x0a\x01n") + 1
    scalar = value + 2
    assert body[entry] == len(body) - entry - 1
    assert body[scalar] == 2
    return entry, value, scalar


@pytest.mark.parametrize("body", [b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02\xff\xfe", b"\x00" * 64])
async def test_bytes_that_are_no_message_are_refused(client: Client, body: bytes) -> None:
    """Truncated, overlong and not UTF-8: a typed answer instead of the parser's own words."""
    for method in ("GraphService/WriteGraph", "GraphService/GetEntity", "SearchService/Search"):
        refusal = await refused(client.channel.unary_unary(f"/graphgate.v1.{method}")(body))
        assert (refusal.code, refusal.reason) == (Code.INVALID_ARGUMENT, "REQUEST_UNREADABLE")


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
    assert set(refusal.metadata["uuids"].split(",")) <= {missing, saga}
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


async def test_limits_are_named_with_their_values(client: Client, group: str) -> None:
    """A batch or a message that is too large says which limit it passed, and its value."""
    version = await version_of(client, group)
    rows = graph_service_pb2.WriteGraphRequest(
        group_id=group, entities=[graph_pb2.Entity(name="x")] * (ROWS_PER_WRITE_MAX + 1)
    )
    refusal = await refused(client.graph.WriteGraph(rows))
    assert (refusal.code, refusal.fields) == (Code.INVALID_ARGUMENT, ["rows"])
    assert refusal.violations["rows"] == "has 2001 rows, at most 2000 are allowed (rows_per_write_max)"
    uuids = graph_service_pb2.BatchGetFactsRequest(group_id=group, uuids=[new_uuid()] * 1_001)
    refusal = await refused(client.graph.BatchGetFacts(uuids))
    assert refusal.violations["uuids"] == "has 1001 items, at most 1000 are allowed"
    message = graph_service_pb2.WriteGraphRequest(
        group_id=group, episodes=[graph_pb2.Episode(content="x" * 900_000)] * 20
    )
    refusal = await refused(client.graph.WriteGraph(message))
    assert (refusal.code, refusal.reason) == (Code.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE")
    assert refusal.metadata["limit_name"] == "message_bytes_max"
    assert refusal.metadata["limit"] == str(16 * MIB)
    assert refusal.metadata["bytes"] == str(message.ByteSize())
    assert refusal.retry_delay_s is None
    assert await version_of(client, group) == version


async def test_a_message_far_over_the_limit_is_never_taken_in(client: Client) -> None:
    """Beyond twice the limit the library itself refuses; the connection lives on."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.channel.unary_unary("/graphgate.v1.GraphService/WriteGraph")(b"\0" * (33 * MIB))
    assert caught.value.code() is Code.RESOURCE_EXHAUSTED
    await client.admin.ListShards(admin_service_pb2.ListShardsRequest())


async def test_millions_of_rows_in_one_message_are_only_counted(client: Client) -> None:
    """What is far over a limit costs no more than reading it: no row is made, no list of violations."""
    refusal = await refused(
        client.channel.unary_unary("/graphgate.v1.GraphService/WriteGraph")(b"\x12\x00" * 2_000_000)
    )
    assert set(refusal.fields) == {"group_id", "rows"}
    refusal = await refused(
        client.channel.unary_unary("/graphgate.v1.SearchService/Search")(b"\x32\x00" * 2_000_000)
    )
    assert {"scope", "query", "results"} <= set(refusal.fields)


READS_OF_A_GROUP = sorted(
    method.name
    for method in graph_service_pb2.DESCRIPTOR.services_by_name["GraphService"].methods
    if method.name.startswith(("Get", "BatchGet", "List", "Delete")) and method.name != "ListGroups"
)


def reading(method: str, group_id: str, uuid: str) -> Any:
    """The request of any Get, BatchGet, List or Delete."""
    request = getattr(graph_service_pb2, f"{method}Request")(group_id=group_id)
    fields = request.DESCRIPTOR.fields_by_name
    if "uuid" in fields:
        request.uuid = uuid
    if "uuids" in fields:
        request.uuids.append(uuid)
    return request


async def test_reads_of_an_unknown_group_say_so_and_create_nothing(
    client: Client, new_group: Callable[[], str]
) -> None:
    """Every method that takes a group: NOT_FOUND with the group as the resource, before and after."""
    assert len(READS_OF_A_GROUP) >= 25
    group_id = new_group()
    for method in [*READS_OF_A_GROUP, *READS_OF_A_GROUP]:
        refusal = await refused(getattr(client.graph, method)(reading(method, group_id, new_uuid())))
        assert (refusal.code, refusal.reason) == (Code.NOT_FOUND, "GROUP_NOT_FOUND"), method
        assert refusal.resource == ("group_id", group_id)
    found = await client.search.Search(search_service_pb2.SearchRequest(group_id=group_id, query="anything"))
    assert list(found.unknown_groups) == [group_id]
    # Groups are listed by id, so it would be the first after a token that ends just before it.
    listed = graph_service_pb2.ListGroupsRequest(page_size=1_000)
    while True:
        page = await client.graph.ListGroups(listed)
        assert group_id not in {group.group_id for group in page.groups}
        if not page.next_page_token:
            break
        listed.page_token = page.next_page_token


async def test_reads_of_an_unknown_uuid_say_so_and_change_nothing(client: Client, group: str) -> None:
    """Get and Delete of each kind: NOT_FOUND with the kind and the uuid; the version stays."""
    version = await version_of(client, group)
    for method in READS_OF_A_GROUP:
        if method.startswith(("List", "BatchGet")) or method == "GetGroup":
            continue
        uuid = new_uuid()
        refusal = await refused(getattr(client.graph, method)(reading(method, group, uuid)))
        assert (refusal.code, refusal.reason) == (Code.NOT_FOUND, "ROW_NOT_FOUND"), method
        assert refusal.resource is not None
        assert refusal.resource[1] == uuid
        assert refusal.resource[0] in method.lower().replace("ies", "y")
    assert await version_of(client, group) == version


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

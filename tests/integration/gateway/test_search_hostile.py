"""Queries that break others: every one is answered with the sensible thing or a typed refusal."""

import asyncio
from collections.abc import Callable

import grpc
import pytest

from graphgate.v1 import graph_pb2, graph_service_pb2
from graphgate.v1 import search_service_pb2 as pb
from tests.fakes.hashing_embedder import DIMENSION, hashed
from tests.integration.gateway.calls import new_uuid, refused
from tests.integration.gateway.conftest import Client, group_on

Code = grpc.StatusCode
ENTITY = graph_pb2.ROW_KIND_ENTITY
NAMES = {
    "the": "The Who",
    "operators": "foo AND bar NOT (baz) | qux~2 @group_id:{x}",
    "emoji": "party 🎉 parade 👩‍👩‍👧",
    "hebrew": "שלום עולם הספר",
    "arabic": "الكتاب الجديد على الطاولة",
    "chinese": "我喜欢北京烤鸭",
    "japanese": "東京タワーの写真",
    "plain": "harbour of the amber sea",
}
"""One entity each, in every group."""


@pytest.fixture(scope="module", params=["FALKORDB", "NEO4J"])
async def named(request: pytest.FixtureRequest, client: Client) -> dict[str, str]:
    """uuid -> short name; the group is under ""."""
    group = await group_on(client, str(request.param))
    uuids = {new_uuid(): short for short in NAMES}
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(
            group_id=group,
            entities=[graph_pb2.Entity(uuid=uuid, name=NAMES[short]) for uuid, short in uuids.items()],
        )
    )
    return {**uuids, "": group}


def request(group_id: str, query: str, *methods: str) -> pb.SearchRequest:
    weights = [pb.MethodWeight(method=f"SEARCH_METHOD_{name}", weight=1) for name in methods]  # pyright: ignore[reportArgumentType]
    return pb.SearchRequest(
        group_id=group_id, query=query, results=[pb.ResultSpec(kind=ENTITY, methods=weights)]
    )


async def found(client: Client, named: dict[str, str], query: str, *methods: str) -> list[str]:
    answer = await client.search.Search(request(named[""], query, *methods))
    return [named.get(hit.entity.uuid, "?") for hit in answer.results[0].hits]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("the who", ["the"]),
        ("THE", ["the"]),
        ("foo", ["operators"]),
        ("foo AND bar OR -qux", ["operators"]),
        ("(baz", ["operators"]),
        ('"bar" | (foo*) ~baz ^2', ["operators"]),
        ("@terms:(foo) => {$weight: 5}", ["operators"]),
        ("group_key:* OR *:*", ["operators"]),
        ("\\foo\\ /bar/ [baz TO qux] {a}", ["operators"]),
        ("foo'); MATCH (n) DETACH DELETE n //", ["operators"]),
        ("🎉 party", ["emoji"]),
        ("parade👩‍👩‍👧", ["emoji"]),
        ("הספר", ["hebrew"]),
        ("עולם שלום", ["hebrew"]),
        ("الكتاب", ["arabic"]),
        ("الكِتَاب", ["arabic"]),
        ("北京烤鸭", ["chinese"]),
        ("烤鸭", ["chinese"]),
        ("東京の写真", ["japanese"]),
        ("タワー", ["japanese"]),
        ("ﾀﾜｰ", ["japanese"]),
        ("\u202eamber\u202c", ["plain"]),
        ("\uff21\uff2d\uff22\uff25\uff32", ["plain"]),
        ("amber " * 5_000 + "sea " * 5_000, ["plain"]),
        (" ".join(f"word{number}" for number in range(5_000)), []),
        ("harbour " + " ".join(f"word{number}" for number in range(5_000)), ["plain"]),
        ("?!.,;:-()[]{}", []),
        ("🎉🎊", []),
        ("\ufeff\u200d", []),
    ],
)
async def test_keyword_search_finds_the_sensible_thing(
    client: Client, named: dict[str, str], query: str, expected: list[str]
) -> None:
    """Stop words, operators of both engines' query languages, emoji, right-to-left, scripts without spaces,
    10,000 words: tokens are found wherever they stand, and nothing of a query is ever run."""
    assert await found(client, named, query, "KEYWORD") == expected


async def test_a_hybrid_search_survives_them_too(client: Client, named: dict[str, str]) -> None:
    """The same texts with all methods: an answer each time, and the graph is still there afterwards."""
    for query in (
        "?!",
        "🎉",
        "the",
        "x" * 60_000,
        "foo'); MATCH (n) DETACH DELETE n //",
        "\u202e",
        "a\r\n\t",
    ):
        answer = await client.search.Search(request(named[""], query))
        assert len(answer.results) == 1
    counted = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=named[""]))
    assert {count.kind: count.rows for count in counted.group.counts} == {ENTITY: len(NAMES) + 1}


@pytest.mark.parametrize("query", ["", "   ", "\n\t", "\u3000"])
async def test_an_empty_query_is_named(client: Client, named: dict[str, str], query: str) -> None:
    """There is nothing to search for: the field is named, no empty answer given."""
    refusal = await refused(client.search.Search(request(named[""], query)))
    assert (refusal.code, refusal.fields) == (Code.INVALID_ARGUMENT, ["query"])


async def test_a_query_beyond_its_limit_is_named(client: Client, named: dict[str, str]) -> None:
    """65,536 characters are searched for, one more is refused."""
    assert await found(client, named, "amber" + " " * 65_531, "KEYWORD") == ["plain"]
    refusal = await refused(client.search.Search(request(named[""], "a" * 65_537)))
    assert (refusal.code, refusal.fields) == (Code.INVALID_ARGUMENT, ["query"])


async def test_a_thousand_groups_in_one_request(client: Client, new_group: Callable[[], str]) -> None:
    """1,000 groups, written or not, on every shard: one ranking over those that exist, the others named; one
    group more is refused."""
    written = [new_group() for _ in range(120)]
    slots = asyncio.Semaphore(16)

    async def write(position: int) -> None:
        async with slots:
            await client.graph.WriteGraph(
                graph_service_pb2.WriteGraphRequest(
                    group_id=written[position],
                    entities=[graph_pb2.Entity(name=f"lighthouse {position % 10}")],
                )
            )

    await asyncio.gather(*(write(position) for position in range(len(written))))
    unknown = [new_group() for _ in range(880)]
    asked = pb.SearchRequest(
        groups=pb.GroupList(group_ids=[*written, *unknown]),
        query="lighthouse 7",
        results=[pb.ResultSpec(kind=ENTITY, limit=20)],
    )
    answer = await client.search.Search(asked)
    assert set(answer.unknown_groups) == set(unknown)
    assert {version.group_id for version in answer.versions} == set(written)
    assert sum(shard.groups for shard in answer.shards) == len(written)
    best = answer.results[0].hits[:12]
    assert {hit.group_id for hit in best} == set(written[7::10])
    asked.groups.group_ids.append(new_group())
    refusal = await refused(client.search.Search(asked))
    assert (refusal.code, refusal.fields) == (Code.INVALID_ARGUMENT, ["groups.group_ids"])


async def write_with(client: Client, group_id: str, name: str, model: str, vector: list[float]) -> None:
    entity = graph_pb2.Entity(name=name, embedding=vector)
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(group_id=group_id, entities=[entity], embedding_model=model)
    )


async def test_groups_of_several_embedding_models_in_one_scope(
    client: Client, new_group: Callable[[], str]
) -> None:
    """Groups whose vectors are of another dimension, or of another model with the same dimension, take part
    by keyword alone and are named; their vectors take no place from those that can be compared."""
    own, other_dimension = new_group(), new_group()
    look_alikes = [new_group() for _ in range(5)]
    query = "copper kettle"
    near = hashed(query).tolist()
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(
            group_id=own, entities=[graph_pb2.Entity(name="copper"), graph_pb2.Entity(name="iron pot")]
        )
    )
    await write_with(client, other_dimension, "copper pan", "small", [1.0, 0.0, 0.0])
    for group_id in look_alikes:
        await write_with(client, group_id, "copper bell", "look-alike", near)
    asked = pb.SearchRequest(
        groups=pb.GroupList(group_ids=[own, other_dimension, *look_alikes]),
        query=query,
        results=[
            pb.ResultSpec(
                kind=ENTITY,
                methods=[
                    pb.MethodWeight(method=pb.SEARCH_METHOD_SEMANTIC, weight=1),
                    pb.MethodWeight(method=pb.SEARCH_METHOD_KEYWORD, weight=1),
                ],
            )
        ],
    )
    answer = await client.search.Search(asked)
    semantic = {
        hit.group_id
        for hit in answer.results[0].hits
        for place in hit.methods
        if place.method == pb.SEARCH_METHOD_SEMANTIC
    }
    assert semantic == {own}
    assert {hit.group_id for hit in answer.results[0].hits} == {own, other_dimension, *look_alikes}
    assert {(skip.group_id, skip.model, skip.dimension) for skip in answer.semantic_skips} == {
        (other_dimension, "small", 3),
        *((group_id, "look-alike", DIMENSION) for group_id in look_alikes),
    }
    assert answer.semantic_skips_total == 6
    # The caller's own vector, with its model's name: the look-alikes' turn.
    asked.query_vector.extend(near)
    asked.query_model = "look-alike"
    answer = await client.search.Search(asked)
    best = answer.results[0].hits[:5]
    assert {hit.group_id for hit in best} == set(look_alikes)
    assert {skip.group_id for skip in answer.semantic_skips} == {own, other_dimension}
    # No group fits: words find what they find, and the list says that no vectors were compared.
    del asked.query_vector[:]
    asked.query_model = ""
    del asked.groups.group_ids[:]
    asked.groups.group_ids.extend(look_alikes)
    asked.results.add(kind=graph_pb2.ROW_KIND_FACT)
    answer = await client.search.Search(asked)
    assert {hit.group_id for hit in answer.results[0].hits} == set(look_alikes)
    assert answer.results[0].vectors.reason == "NO_FITTING_GROUP"
    assert {skip.group_id for skip in answer.semantic_skips} == set(look_alikes)


async def test_a_query_vector_that_fits_some_groups_names_the_others(
    client: Client, new_group: Callable[[], str]
) -> None:
    """A dimension that one group has is searched there; one that no group has is an error, not emptiness,
    unless there are words to search by."""
    small, large = new_group(), new_group()
    await write_with(client, small, "tin", "small", [1.0, 0.0, 0.0])
    await write_with(client, large, "tin", "large", [1.0, 0.0, 0.0, 0.0])
    asked = pb.SearchRequest(
        groups=pb.GroupList(group_ids=[small, large]),
        query_vector=[1.0, 0.0, 0.0],
        results=[pb.ResultSpec(kind=ENTITY)],
    )
    answer = await client.search.Search(asked)
    assert {hit.group_id for hit in answer.results[0].hits} == {small}
    assert [skip.group_id for skip in answer.semantic_skips] == [large]
    asked.query_vector.extend([1.0, 1.0])
    refusal = await refused(client.search.Search(asked))
    assert (refusal.code, refusal.reason) == (Code.FAILED_PRECONDITION, "QUERY_VECTOR_UNFIT")
    asked.query = "tin"
    answer = await client.search.Search(asked)
    assert {hit.group_id for hit in answer.results[0].hits} == {small, large}
    assert answer.results[0].vectors.reason == "NO_FITTING_GROUP"
    assert {skip.group_id for skip in answer.semantic_skips} == {small, large}

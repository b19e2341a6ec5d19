"""Everything that a search can ask for, over gRPC, on both engines."""

from collections.abc import Callable

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp as TimestampMessage

from graphgate.v1 import filter_pb2, graph_pb2, graph_service_pb2
from graphgate.v1 import search_service_pb2 as pb
from tests.integration.gateway.calls import new_uuid, refused
from tests.integration.gateway.conftest import Client, group_on
from tests.integration.gateway.people import ENDED_S, People, write_people

Code = grpc.StatusCode
ENTITY, FACT = graph_pb2.ROW_KIND_ENTITY, graph_pb2.ROW_KIND_FACT
EPISODE, COMMUNITY = graph_pb2.ROW_KIND_EPISODE, graph_pb2.ROW_KIND_COMMUNITY
ROW = {ENTITY: "entity", FACT: "fact", EPISODE: "episode", COMMUNITY: "community"}
RowFilter = filter_pb2.RowFilter
BEFORE_END = TimestampMessage(seconds=ENDED_S - 1)


@pytest.fixture(scope="module", params=["FALKORDB", "NEO4J"])
async def people(request: pytest.FixtureRequest, client: Client) -> People:
    return await write_people(client, await group_on(client, str(request.param)))


def method(name: str, **given: float) -> pb.MethodWeight:
    return pb.MethodWeight(method=f"SEARCH_METHOD_{name}", **{"weight": 1.0, **given})  # pyright: ignore[reportArgumentType]


def spec(kind: graph_pb2.RowKind, *methods: str, **given: object) -> pb.ResultSpec:
    return pb.ResultSpec(kind=kind, methods=[method(name) for name in methods], **given)  # pyright: ignore[reportArgumentType]


async def search(
    client: Client, people: People, *results: pb.ResultSpec, query: str = "ada", **given: object
) -> pb.SearchResponse:
    return await client.search.Search(
        pb.SearchRequest(group_id=people.group_id, query=query, results=results, **given)  # pyright: ignore[reportArgumentType]
    )


def names(people: People, found: pb.ResultList) -> list[str]:
    """Short names of the hits, best first."""
    return [people.name_of(getattr(hit, ROW[found.kind]).uuid) for hit in found.hits]


async def test_four_kinds_each_with_its_methods(client: Client, people: People) -> None:
    """Entities, facts, episodes and communities in one answer, in the order of the request, each ranked by
    its own methods."""
    answer = await search(
        client,
        people,
        spec(COMMUNITY),
        spec(EPISODE, "KEYWORD"),
        spec(FACT, "SEMANTIC", limit=2),
        spec(ENTITY),
        query="sailor ada sea",
    )
    assert [found.kind for found in answer.results] == [COMMUNITY, EPISODE, FACT, ENTITY]
    communities, episodes, facts, entities = answer.results
    assert names(people, communities) == ["sailors"]
    assert names(people, episodes)[0] == "tale-ada"
    assert len(facts.hits) == 2
    assert names(people, entities)[0] == "ada"
    assert {place.method for hit in facts.hits for place in hit.methods} == {pb.SEARCH_METHOD_SEMANTIC}
    assert not communities.HasField("graph")


async def test_the_answer_is_recomputed_by_hand_from_its_explanation(client: Client, people: People) -> None:
    """With explain the whole of the fusion can be checked: rank and raw score of every candidate, weights, k,
    and from these score and order of every hit."""
    kinds = (ENTITY, FACT, EPISODE, COMMUNITY)
    request = [pb.ResultSpec(kind=kind, limit=3) for kind in kinds]
    answer = await search(client, people, *request, query="bob the sailor at sea", rrf_k=7, explain=True)
    for found in answer.results:
        how = found.explanation
        assert not how.cut
        scores: dict[tuple[str, str], float] = {}
        places: dict[tuple[str, str], list[tuple[int, int, float]]] = {}
        for one in how.methods:
            assert [row.score for row in one.rows] == sorted((row.score for row in one.rows), reverse=True)
            for rank, row in enumerate(one.rows, start=1):
                key = (row.group_id, row.uuid)
                scores[key] = scores.get(key, 0.0) + one.weight / (how.rrf_k + rank)
                places.setdefault(key, []).append((one.method, rank, row.score))
        by_hand = sorted(scores, key=lambda key: (-round(scores[key], 12), key))
        assert [(row.group_id, row.uuid) for row in how.fused] == by_hand
        assert [row.score for row in how.fused] == pytest.approx([scores[key] for key in by_hand])
        hits = [(hit.group_id, getattr(hit, ROW[found.kind]).uuid) for hit in found.hits]
        assert hits == by_hand[:3]
        for hit, key in zip(found.hits, hits, strict=True):
            assert hit.score == hit.fused_score == pytest.approx(scores[key])
            assert sorted((p.method, p.rank, p.score) for p in hit.methods) == sorted(places[key])
    unexplained = await search(client, people, *request, query="bob the sailor at sea", rrf_k=7)
    assert not any(found.HasField("explanation") for found in unexplained.results)
    assert [found.hits for found in unexplained.results] == [found.hits for found in answer.results]


async def test_a_narrow_filter_still_fills_the_answer(client: Client, people: People) -> None:
    """Filters of every kind of result act before the ranking is cut, by each method."""
    young = filter_pb2.AttributeCondition(
        name="age",
        range=filter_pb2.AttributeRange(
            low=graph_pb2.AttributeScalar(int64_value=30), high=graph_pb2.AttributeScalar(int64_value=50)
        ),
    )
    cases: list[tuple[graph_pb2.RowKind, RowFilter, set[str]]] = [
        (ENTITY, RowFilter(labels_any=["Baker"]), {"cid", "dan", "eve"}),
        (ENTITY, RowFilter(labels_all=["Person"], labels_none=["Baker"]), {"ada", "bob"}),
        (ENTITY, RowFilter(attributes=[young]), {"bob", "cid", "dan"}),
        (ENTITY, RowFilter(uuids=[people.uuid["eve"]]), {"eve"}),
        (FACT, RowFilter(end_uuids=[people.uuid["bob"]]), {"ada-bob", "bob-cid"}),
        (FACT, RowFilter(source_uuids=[people.uuid["bob"]], names=["KNOWS"]), {"bob-cid"}),
        (EPISODE, RowFilter(sources=["EPISODE_SOURCE_JSON"]), {"tale-ada"}),
        (COMMUNITY, RowFilter(uuids=[people.uuid["sailors"]]), {"sailors"}),
        (COMMUNITY, RowFilter(uuids=[new_uuid()]), set()),
    ]
    for kind, wanted, expected in cases:
        for methods in (["SEMANTIC"], [] if kind == COMMUNITY else ["GRAPH"], []):
            answer = await search(
                client, people, spec(kind, *methods, filter=wanted, limit=5), query="ada bob sea story sailor"
            )
            assert set(names(people, answer.results[0])) == expected, (kind, wanted, methods)


async def test_facts_that_hold_now_are_the_default(client: Client, people: People) -> None:
    """A fact that has ended is found at a time when it held, or at all times."""
    facts = spec(FACT, "KEYWORD")

    async def found(**given: object) -> list[str]:
        answer = await search(client, people, facts, query="harbour", **given)
        return names(people, answer.results[0])

    assert await found() == []
    assert await found(as_of=BEFORE_END) == ["ada-cid"]
    assert await found(as_of=TimestampMessage(seconds=ENDED_S)) == []
    assert await found(all_times=True) == ["ada-cid"]
    assert await found(all_times=True, known_at=BEFORE_END) == []


async def test_known_at_reads_the_state_of_knowledge(client: Client, group: str) -> None:
    """A closure that was recorded later is not known before: the fact is found as it was believed then."""
    people = await write_people(client, group)
    before = await client.graph.GetFact(
        graph_service_pb2.GetFactRequest(group_id=people.group_id, uuid=people.uuid["bob-cid"])
    )
    closed = before.fact
    closed.invalid_at.FromSeconds(ENDED_S)
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(
            group_id=people.group_id,
            facts=[closed],
            mode="WRITE_MODE_PATCH",
            update_mask=FieldMask(paths=["facts.invalid_at"]),
        )
    )
    facts = spec(FACT, "KEYWORD", filter=RowFilter(uuids=[people.uuid["bob-cid"]]))
    for given, expected in (
        ({}, []),
        ({"known_at": closed.created_at}, ["bob-cid"]),
        ({"known_at": closed.created_at, "as_of": BEFORE_END}, ["bob-cid"]),
    ):
        answer = await search(client, people, facts, query="knows", **given)
        assert names(people, answer.results[0]) == expected, given


async def test_what_was_stored_later_is_no_origin_and_no_center(client: Client, group: str) -> None:
    """At a known_at before an entity was stored nothing starts from it and nothing is near it, and the answer
    names it as missing."""
    people = await write_people(client, group)
    stored = await client.graph.GetEntity(
        graph_service_pb2.GetEntityRequest(group_id=people.group_id, uuid=people.uuid["ada"])
    )
    ada = pb.EntityRef(uuid=people.uuid["ada"])
    near = pb.Reranker(node_distance=pb.NodeDistanceReranker())
    kinds = (spec(ENTITY, "GRAPH"), spec(FACT, "SEMANTIC", reranker=near))
    just_before = TimestampMessage()
    just_before.FromMicroseconds(stored.entity.created_at.ToMicroseconds() - 1)
    for known_at, missing, empty in ((stored.entity.created_at, 0, ""), (just_before, 1, "ORIGINS_MISSING")):
        answer = await search(client, people, *kinds, origins=[ada], center=ada, known_at=known_at)
        assert [ref.uuid for ref in answer.missing_entities] == [ada.uuid] * missing
        assert answer.results[0].graph.empty_reason == empty


async def test_the_graph_method_goes_hop_by_hop_from_given_origins(client: Client, people: People) -> None:
    """Distance by distance, no further than asked, over facts that hold; no query is needed."""
    origin = pb.EntityRef(uuid=people.uuid["ada"])
    specs = (spec(ENTITY, "GRAPH"), spec(FACT, "GRAPH"), spec(EPISODE, "GRAPH"))

    async def walk(hops: int, **given: object) -> list[dict[str, int]]:
        answer = await search(client, people, *specs, query="", origins=[origin], graph_hops=hops, **given)
        assert all(found.graph.hops == hops and not found.graph.empty_reason for found in answer.results)
        assert all(found.graph.origins == 1 for found in answer.results)
        return [
            {
                people.name_of(getattr(hit, ROW[found.kind]).uuid): hit.methods[0].distance
                for hit in found.hits
            }
            for found in answer.results
        ]

    assert await walk(1) == [{"bob": 1}, {"ada-bob": 1}, {"tale-ada": 1}]
    assert await walk(3) == [
        {"bob": 1, "cid": 2, "dan": 3},
        {"ada-bob": 1, "bob-cid": 2, "cid-dan": 3},
        {
            "tale-ada": 1,
            "tale-bob": 2,
            "more-0": 2,
            "more-1": 2,
            "more-2": 2,
            "tale-cid": 3,
        },
    ]
    entities, facts, _ = await walk(2, as_of=BEFORE_END)
    assert (entities["cid"], facts["ada-cid"]) == (1, 1)


async def test_the_graph_method_is_never_silently_empty(
    client: Client, people: People, new_group: Callable[[], str]
) -> None:
    """Nothing to start from, origins that do not exist and nothing attached are three different things."""
    graph = spec(EPISODE, "GRAPH")
    alone = People(new_group(), {"tale": new_uuid()})
    episode = graph_pb2.Episode(uuid=alone.uuid["tale"], content="a tale of nobody")
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(group_id=alone.group_id, episodes=[episode])
    )
    answer = await search(client, alone, graph, query="tale")
    assert answer.results[0].graph.empty_reason == "NO_ORIGINS"
    lost = pb.EntityRef(uuid=new_uuid())
    answer = await search(client, people, graph, origins=[lost])
    assert answer.results[0].graph.empty_reason == "ORIGINS_MISSING"
    assert [(ref.group_id, ref.uuid) for ref in answer.missing_entities] == [(people.group_id, lost.uuid)]
    nothing = spec(FACT, "GRAPH", filter=RowFilter(names=["NOTHING"]))
    answer = await search(client, people, nothing, origins=[pb.EntityRef(uuid=people.uuid["ada"])])
    assert answer.results[0].graph.empty_reason == "NOTHING_ATTACHED"


async def test_episodes_are_reached_from_what_entities_and_facts_were_found(
    client: Client, people: People
) -> None:
    """An episode that shares no word with the query is found over the entities of the best facts."""
    answer = await search(client, people, spec(EPISODE, "GRAPH"), query="dan knows eve well")
    assert {"tale-dan", "tale-eve"} <= set(names(people, answer.results[0]))


async def test_minimum_scores(client: Client, people: People) -> None:
    """Of a method, rows below it are no candidates; of a kind, hits below it are left out."""
    plain = (await search(client, people, spec(ENTITY, "SEMANTIC"))).results[0]
    cosines = [hit.methods[0].score for hit in plain.hits]
    least = cosines[1]
    bounded = pb.ResultSpec(kind=ENTITY, methods=[method("SEMANTIC", min_score=least - 1e-5)])
    assert len((await search(client, people, bounded)).results[0].hits) == 2
    final = pb.ResultSpec(kind=ENTITY, methods=[method("SEMANTIC")], min_score=plain.hits[0].score)
    assert len((await search(client, people, final)).results[0].hits) == 1
    keyword = pb.ResultSpec(kind=ENTITY, methods=[method("KEYWORD", min_score=1e6)])
    assert len((await search(client, people, keyword)).results[0].hits) == 0


@pytest.mark.parametrize("mode", ["UNSPECIFIED", "EXACT", "APPROXIMATE", "AUTOMATIC"])
async def test_the_answer_says_which_way_vectors_were_compared(
    client: Client, people: People, mode: str
) -> None:
    """Without a vector index every way is the exact scan, and the answer gives the reason."""
    answer = await search(
        client, people, spec(FACT), spec(ENTITY, "KEYWORD"), vectors=f"VECTOR_SEARCH_{mode}"
    )
    facts, entities = answer.results
    assert facts.vectors.ran == pb.VECTOR_SEARCH_EXACT
    assert facts.vectors.reason == ("REQUESTED" if mode == "EXACT" else "NO_VECTOR_INDEX")
    assert not entities.HasField("vectors")


async def test_a_read_mask_and_placement(client: Client, people: People) -> None:
    """Only the fields that were asked for; shard and engine on request; embeddings by name."""
    answer = await search(
        client,
        people,
        spec(ENTITY, limit=1),
        spec(FACT, limit=1),
        read_mask=FieldMask(paths=["entity.name", "entity.embedding"]),
        with_placement=True,
    )
    (entity,), (fact,) = (found.hits for found in answer.results)
    assert {field.name for field, _ in entity.entity.ListFields()} == {"uuid", "name", "embedding"}
    assert {field.name for field, _ in fact.fact.ListFields()} == {"uuid"}
    shards = {outcome.shard: outcome for outcome in answer.shards}
    assert shards[entity.shard].status == pb.SHARD_OUTCOME_STATUS_OK
    assert pb.ShardEngine.Name(entity.engine).removeprefix("SHARD_ENGINE_").lower() in entity.shard


async def test_the_answer_accounts_for_itself(client: Client, people: People) -> None:
    """Coverage, shards with their groups, versions and the time of every stage."""
    answer = await search(client, people, spec(FACT), spec(ENTITY))
    assert answer.coverage == 1.0
    assert [(one.groups, one.status, one.reason) for one in answer.shards] == [
        (1, pb.SHARD_OUTCOME_STATUS_OK, "")
    ]
    assert [version.group_id for version in answer.versions] == [people.group_id]
    stages = [timing.stage for timing in answer.timings]
    assert stages == ["embed", "route", "candidates", "graph", "fuse", "rows", "rerank"]
    assert len(answer.missing_groups) == 0


async def test_recipes_are_published_requests(client: Client, people: People) -> None:
    """Every recipe that needs no cross-encoder gives by name what its published request gives."""
    listed = await client.search.ListSearchRecipes(pb.ListSearchRecipesRequest())
    assert len(listed.recipes) >= 16
    for recipe in listed.recipes:
        if recipe.name.endswith("cross_encoder"):
            continue
        whole = pb.SearchRequest()
        whole.CopyFrom(recipe.request)
        own = pb.SearchRequest(group_id=people.group_id, query="bob the sailor", all_times=True)
        if recipe.name.endswith("node_distance"):
            own.center.uuid = people.uuid["bob"]
        whole.MergeFrom(own)
        own.recipe = recipe.name
        by_name, by_request = await client.search.Search(own), await client.search.Search(whole)
        assert list(by_name.results) == list(by_request.results), recipe.name
        assert all(found.hits for found in by_name.results), recipe.name


async def test_entities_near_a_centre_come_first(client: Client, people: People) -> None:
    """1 / (1 + distance) from cid, 0 for who is not connected; a fact counts by its nearer end."""
    near = pb.Reranker(node_distance=pb.NodeDistanceReranker())
    answer = await search(
        client,
        people,
        spec(ENTITY, "SEMANTIC", reranker=near),
        spec(FACT, "SEMANTIC", reranker=near),
        query="knows",
        center=pb.EntityRef(uuid=people.uuid["cid"]),
    )
    entities, facts = answer.results
    assert entities.rerank.reranked
    assert {people.name_of(hit.entity.uuid): hit.score for hit in entities.hits} == {
        "cid": 1.0,
        "bob": 1 / 2,
        "dan": 1 / 2,
        "ada": 1 / 3,
        "eve": 1 / 3,
        "?": 0.0,
    }
    assert [hit.score for hit in entities.hits] == sorted((hit.score for hit in entities.hits), reverse=True)
    assert set(names(people, facts)[:2]) == {"bob-cid", "cid-dan"}
    assert [hit.score for hit in facts.hits] == [1.0, 1.0, 1 / 2, 1 / 2]


async def test_rows_that_many_episodes_speak_of_come_first(client: Client, people: People) -> None:
    """Mentions of an entity, episodes of a fact."""
    often = pb.Reranker(episode_mentions=pb.EpisodeMentionsReranker())
    answer = await search(
        client,
        people,
        spec(ENTITY, "SEMANTIC", reranker=often),
        spec(FACT, "SEMANTIC", reranker=often),
        query="knows",
    )
    entities, facts = answer.results
    assert names(people, entities)[0] == "bob"
    assert [hit.score for hit in entities.hits] == [4, 1, 1, 1, 1, 0]
    assert names(people, facts) == ["dan-eve", "cid-dan", "bob-cid", "ada-bob"]
    assert [hit.score for hit in facts.hits] == [3, 2, 1, 0]


async def test_mmr_over_the_rows_vectors(client: Client, people: People) -> None:
    """The same word again comes after something new; the raw ranks stay in the answer."""
    mmr = pb.Reranker(mmr=pb.MmrReranker(relevance_weight=0.3))
    plain = (await search(client, people, spec(EPISODE, "SEMANTIC"), query="bob")).results[0]
    found = (await search(client, people, spec(EPISODE, "SEMANTIC", reranker=mmr), query="bob")).results[0]
    assert found.rerank.reranked
    assert sorted(names(people, found)) == sorted(names(people, plain))
    assert names(people, found)[0] == names(people, plain)[0]
    assert not names(people, found)[1].startswith("more")
    assert all(not hit.episode.embedding for hit in found.hits)


async def test_a_missing_centre_leaves_the_fused_order_and_is_named(client: Client, people: People) -> None:
    """The search answers, and says that it could not order by distance."""
    center = pb.EntityRef(uuid=new_uuid())
    near = spec(ENTITY, "SEMANTIC", reranker=pb.Reranker(node_distance=pb.NodeDistanceReranker()))
    answer = await search(client, people, near, center=center)
    plain = await search(client, people, spec(ENTITY, "SEMANTIC"))
    assert (answer.results[0].rerank.reranked, answer.results[0].rerank.reason) == (False, "CENTER_MISSING")
    assert names(people, answer.results[0]) == names(people, plain.results[0])
    assert [ref.uuid for ref in answer.missing_entities] == [center.uuid]


async def test_a_cross_encoder_that_the_gateway_does_not_have_is_refused(
    client: Client, people: People
) -> None:
    """What cannot be done is told before it is left out."""
    refusal = await refused(
        client.search.Search(
            pb.SearchRequest(group_id=people.group_id, query="ada", recipe="facts_cross_encoder")
        )
    )
    assert (refusal.code, refusal.reason) == (Code.FAILED_PRECONDITION, "CROSS_ENCODER_DISABLED")

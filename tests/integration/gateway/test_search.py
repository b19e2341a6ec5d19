"""Search over gRPC on a fleet of both engines."""

import random
from collections.abc import Callable
from itertools import pairwise
from math import log

import grpc
import numpy as np
import pytest

from graphgate.v1 import graph_pb2, graph_service_pb2, search_service_pb2
from tests.fakes.hashing_embedder import hashed
from tests.integration.gateway.calls import new_uuid, refused
from tests.integration.gateway.conftest import Client

Code = grpc.StatusCode
WORDS = (
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "haven",
    "islet",
    "jetty",
    "knoll",
    "mesa",
)

GROUPS = 10
ENTITIES_PER_GROUP = 12


@pytest.fixture(scope="module")
async def corpus(client: Client) -> dict[str, dict[str, str]]:
    """By group: uuid -> name of its entities. Groups are many enough to lie on every shard."""
    rng = random.Random(7)
    groups: dict[str, dict[str, str]] = {}
    for number in range(GROUPS):
        group_id = f"search-{number}-{new_uuid()[:8]}"
        entities = [
            graph_pb2.Entity(uuid=new_uuid(), name=" ".join(rng.sample(WORDS, 4)))
            for _ in range(ENTITIES_PER_GROUP)
        ]
        facts = [
            graph_pb2.Fact(
                uuid=new_uuid(),
                source_uuid=a.uuid,
                target_uuid=b.uuid,
                name="NEAR",
                fact=f"{a.name} near {b.name}",
            )
            for a, b in pairwise(entities)
        ]
        await client.graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(group_id=group_id, entities=entities, facts=facts)
        )
        groups[group_id] = {entity.uuid: entity.name for entity in entities}
    return groups


def entity_search(
    groups: list[str], query: str, method: str, limit: int = 10
) -> search_service_pb2.SearchRequest:
    return search_service_pb2.SearchRequest(
        groups=search_service_pb2.GroupList(group_ids=groups),
        query=query,
        results=[
            search_service_pb2.ResultSpec(
                kind=graph_pb2.ROW_KIND_ENTITY,
                limit=limit,
                methods=[search_service_pb2.MethodWeight(method=f"SEARCH_METHOD_{method}", weight=1)],
            )
        ],
        with_placement=True,
    )


async def test_semantic_search_over_both_engines_is_the_brute_force_list(
    client: Client, corpus: dict[str, dict[str, str]]
) -> None:
    """The merged ranking is that of one scan over all rows, by score, group and uuid."""
    query = "amber cedar islet"
    answer = await client.search.Search(entity_search(list(corpus), query, "SEMANTIC"))
    target = hashed(query).astype(np.float64)
    expected = sorted(
        (
            (-round(float(hashed(name).astype(np.float64) @ target), 6), group_id, uuid)
            for group_id, names in corpus.items()
            for uuid, name in names.items()
        ),
    )[:10]
    hits = answer.results[0].hits
    assert [(hit.group_id, hit.entity.uuid) for hit in hits] == [(group, uuid) for _, group, uuid in expected]
    for hit, (negative, _, _) in zip(hits, expected, strict=True):
        assert hit.methods[0].score == pytest.approx(-negative, abs=2e-6)
    engines = {shard.shard.partition("-")[0] for shard in answer.shards}
    assert engines == {"falkordb", "neo4j"}


async def test_keyword_search_finds_the_rows_with_the_words(
    client: Client, corpus: dict[str, dict[str, str]]
) -> None:
    """Every row with all words of the query comes before those with fewer of them."""
    rng = random.Random(11)
    for _ in range(5):
        words = rng.sample(WORDS, 2)
        answer = await client.search.Search(entity_search(list(corpus), " ".join(words), "KEYWORD", 200))
        hits = answer.results[0].hits
        expected = {
            (group_id, uuid)
            for group_id, names in corpus.items()
            for uuid, name in names.items()
            if set(words) & set(name.split())
        }
        assert {(hit.group_id, hit.entity.uuid) for hit in hits} == expected
        counts = [len(set(words) & set(hit.entity.name.split())) for hit in hits]
        assert counts == sorted(counts, reverse=True)


async def test_fusion_can_be_recomputed_from_the_answer(
    client: Client, corpus: dict[str, dict[str, str]]
) -> None:
    """score = sum of weight / (k + rank) over the methods that the hit names."""
    request = search_service_pb2.SearchRequest(
        groups=search_service_pb2.GroupList(group_ids=list(corpus)),
        query="grove near haven",
        results=[search_service_pb2.ResultSpec(kind=graph_pb2.ROW_KIND_FACT)],
        rrf_k=20,
    )
    answer = await client.search.Search(request)
    weights = {
        search_service_pb2.SEARCH_METHOD_SEMANTIC: 0.4,
        search_service_pb2.SEARCH_METHOD_KEYWORD: 0.3,
        search_service_pb2.SEARCH_METHOD_GRAPH: 0.3,
    }
    hits = answer.results[0].hits
    assert len(hits) == 10
    assert {place.method for hit in hits for place in hit.methods} == set(weights)
    for hit in hits:
        assert hit.score == pytest.approx(sum(weights[p.method] / (20 + p.rank) for p in hit.methods))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


async def test_every_score_can_be_recomputed_from_the_explanation(
    client: Client, corpus: dict[str, dict[str, str]]
) -> None:
    """With explain the answer alone gives BM25 of every keyword candidate and the fusion of every candidate,
    over groups of both engines; its statistics are those of the rows that were written."""
    request = search_service_pb2.SearchRequest(
        groups=search_service_pb2.GroupList(group_ids=list(corpus)),
        query="the haven of grove and Havens zephyr",
        results=[search_service_pb2.ResultSpec(kind=graph_pb2.ROW_KIND_ENTITY, limit=100)],
        rrf_k=20,
        explain=True,
    )
    (found,) = (await client.search.Search(request)).results
    how = found.explanation
    assert not how.cut
    assert not found.keyword_cut
    names = [name.split() for of_group in corpus.values() for name in of_group.values()]
    stated = how.keyword
    assert (stated.documents, stated.mean_length) == (len(names), sum(map(len, names)) / len(names))
    assert [(t.term, t.query_frequency, t.document_frequency) for t in stated.terms] == [
        ("haven", 2, sum("haven" in name for name in names)),
        ("grove", 1, sum("grove" in name for name in names)),
        ("zephyr", 1, 0),
    ]

    def bm25(row: search_service_pb2.RankedRow) -> float:
        norm = stated.k1 * (1 - stated.b + stated.b * row.length / stated.mean_length)
        score = 0.0
        for term, tf in zip(stated.terms, row.term_frequencies, strict=True):
            df = min(term.document_frequency, stated.documents)
            idf = log(1 + (stated.documents - df + 0.5) / (df + 0.5))
            score += term.query_frequency * idf * tf / (tf + norm)
        return score

    fused: dict[tuple[str, str], float] = {}
    for ranking in how.methods:
        keyword = ranking.method == search_service_pb2.SEARCH_METHOD_KEYWORD
        for rank, row in enumerate(ranking.rows, start=1):
            fused.setdefault((row.group_id, row.uuid), 0.0)
            fused[row.group_id, row.uuid] += ranking.weight / (how.rrf_k + rank)
            if keyword:
                assert round(bm25(row), 6) == pytest.approx(row.score, abs=1e-9)
            else:
                assert (list(row.term_frequencies), row.length) == ([], 0)
        if keyword:
            order = sorted(ranking.rows, key=lambda row: (-round(bm25(row), 6), row.group_id, row.uuid))
            assert list(ranking.rows) == order
            assert len(order) == sum(not {"haven", "grove"}.isdisjoint(name) for name in names)
    by_hand = sorted(fused, key=lambda key: (-round(fused[key], 12), key))
    assert [(hit.group_id, hit.entity.uuid) for hit in found.hits] == by_hand[:100]
    assert [hit.score for hit in found.hits] == pytest.approx([fused[key] for key in by_hand[:100]])


async def test_unknown_groups_are_named_and_versions_told(
    client: Client, corpus: dict[str, dict[str, str]], new_group: Callable[[], str]
) -> None:
    """An agent's first search meets a group that does not exist: empty, not an error, nothing made."""
    unknown, known = new_group(), next(iter(corpus))
    answer = await client.search.Search(entity_search([unknown], "amber", "KEYWORD"))
    assert list(answer.unknown_groups) == [unknown]
    assert len(answer.results[0].hits) == 0
    answer = await client.search.Search(entity_search([unknown, known], "amber", "SEMANTIC"))
    assert list(answer.unknown_groups) == [unknown]
    assert [(version.group_id, version.version) for version in answer.versions] == [(known, 1)]
    refusal = await refused(client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=unknown)))
    assert refusal.code is Code.NOT_FOUND


async def test_all_groups_and_one_group(client: Client, corpus: dict[str, dict[str, str]]) -> None:
    """The scope decides what is searched: a hit of one group is a hit of all groups."""
    group_id, names = next(iter(corpus.items()))
    uuid, name = next(iter(names.items()))
    one = search_service_pb2.SearchRequest(
        group_id=group_id, query=name, results=[search_service_pb2.ResultSpec(kind=graph_pb2.ROW_KIND_ENTITY)]
    )
    answer = await client.search.Search(one)
    assert answer.results[0].hits[0].entity.uuid == uuid
    assert {hit.group_id for hit in answer.results[0].hits} == {group_id}
    everywhere = search_service_pb2.SearchRequest(
        all_groups=search_service_pb2.AllGroups(), query=name, results=one.results
    )
    answer = await client.search.Search(everywhere)
    assert any(hit.entity.uuid == uuid for hit in answer.results[0].hits)


async def test_written_rows_are_found_at_once(client: Client, new_group: Callable[[], str]) -> None:
    """An acknowledged write is in the next search; min_versions asks for it."""
    for _ in range(6):
        group_id = new_group()
        written = await client.graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(group_id=group_id, entities=[graph_pb2.Entity(name="zephyr")])
        )
        request = entity_search([group_id], "zephyr", "KEYWORD")
        request.min_versions[group_id] = written.version
        answer = await client.search.Search(request)
        assert [hit.entity.uuid for hit in answer.results[0].hits] == [written.rows[0].uuid]
        request.min_versions[group_id] = written.version + 1
        refusal = await refused(client.search.Search(request))
        assert (refusal.code, refusal.reason) == (Code.ABORTED, "VERSION_NOT_REACHED")


async def test_queries_without_anything_to_find(client: Client, corpus: dict[str, dict[str, str]]) -> None:
    """Stop words, punctuation and operators of the engines' query languages are just text."""
    for query in ("the", "?!", "amber) | *", '"@group_id:{x}', "-amber", "a" * 60_000, "日本 🙂"):
        answer = await client.search.Search(entity_search(list(corpus), query, "KEYWORD"))
        assert len(answer.results) == 1


async def test_a_request_without_scope_or_query_names_both(client: Client) -> None:
    """Every bad field of a search is named at once."""
    request = search_service_pb2.SearchRequest(
        rrf_k=-1, results=[search_service_pb2.ResultSpec(kind=graph_pb2.ROW_KIND_MENTION, limit=9_999)]
    )
    refusal = await refused(client.search.Search(request))
    assert set(refusal.fields) == {"scope", "query", "rrf_k", "results[0].kind", "results[0].limit"}


async def test_a_reply_stays_under_what_clients_take(client: Client, new_group: Callable[[], str]) -> None:
    """Hits that do not fit into the reply are counted, never sent beyond 4 MiB nor dropped silently."""
    group_id = new_group()
    for _ in range(5):
        await client.graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(
                group_id=group_id, episodes=[graph_pb2.Episode(content="zebra " + "é" * 450_000)]
            )
        )
    request = search_service_pb2.SearchRequest(
        group_id=group_id,
        query="zebra",
        results=[search_service_pb2.ResultSpec(kind=graph_pb2.ROW_KIND_EPISODE)],
    )
    (found,) = (await client.search.Search(request)).results
    assert len(found.hits) == 3
    assert found.hits_left_out == 2


async def test_a_query_vector_of_another_dimension_is_refused(
    client: Client, corpus: dict[str, dict[str, str]]
) -> None:
    """A vector that is comparable with nothing in the scope is an error, not an empty answer."""
    request = entity_search(list(corpus), "", "SEMANTIC")
    request.query_vector.extend([1.0, 0.0, 0.0])
    refusal = await refused(client.search.Search(request))
    assert (refusal.code, refusal.reason) == (Code.FAILED_PRECONDITION, "QUERY_VECTOR_UNFIT")

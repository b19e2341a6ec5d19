"""Searches from their requests: defaults, recipes, masks, and what fits not together."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from drivers.graph_model import Kind
from drivers.row_key import RowKey
from gateway.rpc.read_mask import read_mask
from gateway.rpc.search_reading import search_of
from gateway.rpc.search_recipes import RECIPES, published, with_recipe
from gateway.rpc.validation import InvalidRequest, Violations
from gateway.search.request import CrossEncoding, Mmr, NodeDistance, Search, VectorMode
from graphgate.v1 import filter_pb2, graph_pb2
from graphgate.v1 import search_service_pb2 as pb
from shard_router.fusion import Method
from shard_router.partial import PartialPolicy

UUID = "00000000-0000-4000-8000-000000000000"
ENTITY, FACT = graph_pb2.ROW_KIND_ENTITY, graph_pb2.ROW_KIND_FACT
EPISODE, COMMUNITY = graph_pb2.ROW_KIND_EPISODE, graph_pb2.ROW_KIND_COMMUNITY


def request(*results: pb.ResultSpec, query: str = "amber", **given: object) -> pb.SearchRequest:
    return pb.SearchRequest(group_id="g", query=query, results=results, **given)  # pyright: ignore[reportArgumentType]


def read(message: pb.SearchRequest) -> Search:
    v = Violations()
    found = search_of(v, with_recipe(v, message), with_vectors=False)
    v.raise_if_any()
    return found


def refused_fields(message: pb.SearchRequest) -> set[str]:
    with pytest.raises(InvalidRequest) as caught:
        read(message)
    return {field for field, _ in caught.value.violations}


def method(name: str, **given: float) -> pb.MethodWeight:
    return pb.MethodWeight(method=f"SEARCH_METHOD_{name}", **{"weight": 1.0, **given})  # pyright: ignore[reportArgumentType]


def test_defaults_are_the_documented_ones() -> None:
    """Facts that hold now, ten of them, semantic .4, keyword .3, graph .3 over one hop, k 60, whole or not
    at all."""
    search = read(request())
    (spec,) = search.results
    assert (spec.kind, spec.limit) == (Kind.FACT, 10)
    assert spec.weights == {Method.SEMANTIC: 0.4, Method.KEYWORD: 0.3, Method.GRAPH: 0.3}
    assert spec.filter == search.walked
    assert spec.filter.as_of is not None
    assert (search.rrf_k, search.hops, search.partial, search.origins) == (60, 1, None, ())
    assert search.vectors is VectorMode.AUTOMATIC
    (spec,) = read(request(pb.ResultSpec(kind=COMMUNITY))).results
    assert spec.weights == {Method.SEMANTIC: 0.4, Method.KEYWORD: 0.3}


def test_every_field_arrives() -> None:
    """What a caller sets is what is searched."""
    search = read(
        request(
            pb.ResultSpec(
                kind=FACT,
                limit=3,
                methods=[method("SEMANTIC", weight=2, min_score=0.5), method("GRAPH")],
                reranker=pb.Reranker(mmr=pb.MmrReranker(relevance_weight=0)),
                min_score=0.1,
                filter=filter_pb2.RowFilter(names=["KNOWS"]),
            ),
            pb.ResultSpec(kind=ENTITY, reranker=pb.Reranker(node_distance=pb.NodeDistanceReranker())),
            pb.ResultSpec(
                kind=EPISODE,
                reranker=pb.Reranker(
                    cross_encoder=pb.CrossEncoderReranker(timeout=Duration(nanos=250_000_000))
                ),
            ),
            rrf_k=1,
            vectors="VECTOR_SEARCH_APPROXIMATE",
            query_vector=[3, 4],
            query_model="m",
            center=pb.EntityRef(uuid=UUID),
            origins=[pb.EntityRef(uuid=UUID), pb.EntityRef(group_id="g", uuid=UUID)],
            graph_hops=5,
            partial=pb.PartialPolicy(min_coverage=0.5),
        )
    )
    facts, entities, episodes = search.results
    assert facts.weights == {Method.SEMANTIC: 2, Method.GRAPH: 1}
    assert facts.method_score_min == {Method.SEMANTIC: 0.5}
    assert (facts.reranker, facts.score_min, facts.filter.names) == (Mmr(0), 0.1, ("KNOWS",))
    assert (entities.reranker, episodes.reranker) == (NodeDistance(), CrossEncoding(0.25))
    assert search.vector is not None
    assert search.vector.tolist() == pytest.approx([0.6, 0.8])
    assert (search.vector_model, search.rrf_k, search.hops) == ("m", 1, 5)
    assert (search.center, search.origins) == (RowKey("g", UUID), (RowKey("g", UUID),))
    assert (search.vectors, search.partial) == (VectorMode.APPROXIMATE, PartialPolicy(0.5))


REF = pb.EntityRef(uuid=UUID)
NEAR = pb.Reranker(node_distance=pb.NodeDistanceReranker())


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (request(query=" "), {"query"}),
        (request(pb.ResultSpec(kind=ENTITY, methods=[method("GRAPH")]), query=""), {"query"}),
        (request(query_model="m"), {"query_model"}),
        (request(pb.ResultSpec(kind=COMMUNITY, methods=[method("GRAPH")])), {"results[0].methods[0].method"}),
        (request(pb.ResultSpec(kind=ENTITY, methods=[method("KEYWORD")]), origins=[REF]), {"origins"}),
        (request(pb.ResultSpec(kind=COMMUNITY), graph_hops=2), {"graph_hops"}),
        (request(graph_hops=6), {"graph_hops"}),
        (request(center=REF), {"center"}),
        (request(pb.ResultSpec(kind=FACT, reranker=NEAR)), {"center"}),
        (
            request(pb.ResultSpec(kind=EPISODE, reranker=NEAR), center=REF),
            {"results[0].reranker.node_distance"},
        ),
        (
            request(
                pb.ResultSpec(
                    kind=COMMUNITY, reranker=pb.Reranker(episode_mentions=pb.EpisodeMentionsReranker())
                )
            ),
            {"results[0].reranker.episode_mentions"},
        ),
        (
            request(pb.ResultSpec(kind=FACT, reranker=pb.Reranker(mmr=pb.MmrReranker(relevance_weight=1.1)))),
            {"results[0].reranker.mmr.relevance_weight"},
        ),
        (
            request(
                pb.ResultSpec(kind=FACT, reranker=pb.Reranker(cross_encoder=pb.CrossEncoderReranker())),
                query="",
                query_vector=[1],
            ),
            {"results[0].reranker.cross_encoder"},
        ),
        (
            request(
                pb.ResultSpec(
                    kind=FACT,
                    reranker=pb.Reranker(cross_encoder=pb.CrossEncoderReranker(timeout=Duration())),
                )
            ),
            {"results[0].reranker.cross_encoder.timeout"},
        ),
        (
            request(pb.ResultSpec(kind=FACT, methods=[method("SEMANTIC", min_score=1.01)])),
            {"results[0].methods[0].min_score"},
        ),
        (
            request(pb.ResultSpec(kind=FACT, methods=[method("KEYWORD", min_score=float("nan"))])),
            {"results[0].methods[0].min_score"},
        ),
        (request(pb.ResultSpec(kind=FACT, min_score=float("nan"))), {"results[0].min_score"}),
        (request(origins=[pb.EntityRef(group_id="other", uuid=UUID)]), {"origins[0].group_id"}),
        (request(origins=[pb.EntityRef(uuid="x")]), {"origins[0].uuid"}),
        (request(origins=[REF] * 101), {"origins"}),
        (request(partial=pb.PartialPolicy(min_coverage=1.5)), {"partial.min_coverage"}),
        (request(min_versions={"g": 1, "other": 1}), {"min_versions['other']"}),
        (request(vectors=99), {"vectors"}),
        (request(recipe="facts"), {"recipe"}),
        (
            request(
                pb.ResultSpec(
                    kind=ENTITY,
                    filter=filter_pb2.RowFilter(names=["x"], labels_any=[""]),
                )
            ),
            {"results[0].filter.names", "results[0].filter.labels_any[0]"},
        ),
    ],
)
def test_what_would_be_ignored_or_cannot_work_is_refused(message: pb.SearchRequest, fields: set[str]) -> None:
    """No field is passed over in silence: it works, or it is named."""
    assert refused_fields(message) == fields


def test_a_search_by_graph_alone_needs_no_query() -> None:
    """Origins say where to start."""
    search = read(
        request(pb.ResultSpec(kind=ENTITY, methods=[method("GRAPH")]), query="", origins=[REF], graph_hops=2)
    )
    assert search.origins == (RowKey("g", UUID),)


def test_an_origin_names_its_group_where_the_scope_has_several() -> None:
    """A uuid is unique only within a group."""
    message = pb.SearchRequest(
        groups=pb.GroupList(group_ids=["g", "h"]), query="amber", origins=[pb.EntityRef(uuid=UUID)]
    )
    assert refused_fields(message) == {"origins[0].group_id"}
    message.origins[0].group_id = "h"
    assert read(message).origins == (RowKey("h", UUID),)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_the_request_that_is_published(name: str) -> None:
    """Sent with scope and query, the published request is the same search as the name."""
    recipe = next(one for one in published().recipes if one.name == name)
    assert recipe.description
    center = REF if name.endswith("node_distance") else None
    whole = pb.SearchRequest()
    whole.CopyFrom(recipe.request)
    whole.MergeFrom(pb.SearchRequest(group_id="g", query="amber", center=center, all_times=True))
    by_name = pb.SearchRequest(group_id="g", query="amber", center=center, all_times=True, recipe=name)
    assert read(by_name) == read(whole)


def test_every_combination_of_kind_and_reranker_has_a_recipe() -> None:
    """Facts, entities, communities and combined; those rerankers that order the kind."""
    kinds = {name.partition("_")[0] for name in RECIPES}
    assert kinds == {"facts", "entities", "communities", "combined"}
    for kind in ("facts", "entities"):
        rerankers = {name.partition("_")[2] for name in RECIPES if name.startswith(kind)}
        assert rerankers == {"rrf", "mmr", "node_distance", "episode_mentions", "cross_encoder"}


def test_what_the_caller_sets_replaces_what_the_recipe_sets() -> None:
    """A kind that is named starts from the recipe's entry of that kind; the recipe itself never changes."""
    before = published().SerializeToString(deterministic=True)
    search = read(request(pb.ResultSpec(kind=ENTITY, limit=3), recipe="combined_mmr", rrf_k=7))
    (spec,) = search.results
    assert (spec.kind, spec.limit, spec.reranker, search.rrf_k) == (Kind.ENTITY, 3, Mmr(), 7)
    search = read(request(recipe="combined_mmr"))
    assert [spec.kind for spec in search.results] == [Kind.FACT, Kind.ENTITY, Kind.EPISODE, Kind.COMMUNITY]
    override = pb.Reranker(mmr=pb.MmrReranker(relevance_weight=0.9))
    (spec,) = read(request(pb.ResultSpec(kind=FACT, reranker=override), recipe="facts_rrf")).results
    assert spec.reranker == Mmr(0.9)
    assert published().SerializeToString(deterministic=True) == before


def test_a_read_mask_leaves_what_was_asked_for() -> None:
    """The uuid always comes; a kind that is not named gives nothing else; embeddings only by name or flag."""

    def masked(*paths: str, with_embedding: bool = False) -> graph_pb2.Entity:
        entity = graph_pb2.Entity(uuid="u", name="n", summary="s", embedding=[1], version=3)
        mask = read_mask(Violations(), "read_mask", FieldMask(paths=paths), with_embedding)
        mask.apply(Kind.ENTITY, entity)
        return entity

    assert masked("entity.name") == graph_pb2.Entity(uuid="u", name="n")
    assert masked("fact") == graph_pb2.Entity(uuid="u")
    assert masked("entity") == graph_pb2.Entity(uuid="u", name="n", summary="s", version=3)
    assert masked("entity.embedding") == graph_pb2.Entity(uuid="u", embedding=[1])
    assert masked("entity.name", with_embedding=True) == graph_pb2.Entity(uuid="u", name="n", embedding=[1])
    assert masked() == masked("*")
    assert read_mask(Violations(), "m", FieldMask(paths=["fact.embedding"]), False).wants_embedding
    assert not read_mask(Violations(), "m", FieldMask(paths=["fact"]), False).wants_embedding


@pytest.mark.parametrize("path", ["entities", "entity.nme", "entity.", ".", "", "entity.name.first", "score"])
def test_an_unknown_path_of_a_mask_is_refused(path: str) -> None:
    """A misspelt field is told, not left out."""
    v = Violations()
    read_mask(v, "read_mask", FieldMask(paths=["fact", path]), False)
    with pytest.raises(InvalidRequest):
        v.raise_if_any()

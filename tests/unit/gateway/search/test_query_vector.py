"""When a query is embedded, and with which groups' vectors it is compared."""

from dataclasses import replace

import numpy as np
import pytest

from drivers.deadline import Deadline
from drivers.fence import EmbeddingSpec, Fence, FenceState
from drivers.filters import RowFilter
from drivers.graph_model import Kind, Vector
from drivers.row_key import RowKey
from gateway.embedding.errors import EmbedderDisabled
from gateway.embedding.none_embedder import NoneEmbedder
from gateway.search.candidates import candidate_queries
from gateway.search.errors import QueryVectorUnfit
from gateway.search.query_vector import QueryVector, fit_of, query_vector
from gateway.search.request import (
    COMMUNITY_DEFAULT_WEIGHTS,
    WINDOW_MIN,
    Mmr,
    ResultSpec,
    Search,
    VectorMode,
)
from gateway.search.result import VectorPath, VectorPathReason
from shard_router.fusion import Method
from tests.fakes.hashing_embedder import DIMENSION, HashingEmbedder

SOON = Deadline.after(60)
OWN = EmbeddingSpec("hashing", DIMENSION)


def vector(dimension: int = DIMENSION) -> Vector:
    return np.eye(1, dimension, dtype=np.float32)[0]


def search(*results: ResultSpec, text: str = "amber", **given: object) -> Search:
    return Search(group_ids=("g",), text=text, vector=None, results=results, **given)  # pyright: ignore[reportArgumentType]


def only(method: Method, kind: Kind = Kind.ENTITY, **given: object) -> ResultSpec:
    return ResultSpec(kind, weights={method: 1.0}, **given)  # pyright: ignore[reportArgumentType]


def fences(**specs: EmbeddingSpec) -> dict[str, Fence]:
    """By group: the spec of its entities' vectors."""
    return {
        group_id: Fence(group_id, 1, FenceState.OPEN, embeddings={Kind.ENTITY: spec})
        for group_id, spec in specs.items()
    }


@pytest.mark.parametrize(
    ("asked", "embedded"),
    [
        (search(only(Method.SEMANTIC)), 1),
        (search(only(Method.KEYWORD)), 0),
        (search(only(Method.KEYWORD, reranker=Mmr())), 1),
        (search(only(Method.GRAPH)), 1),
        (search(only(Method.GRAPH), origins=(RowKey("g", "u"),)), 0),
        (search(only(Method.SEMANTIC), text=" "), 0),
    ],
)
async def test_a_query_is_embedded_only_where_a_vector_is_of_use(asked: Search, embedded: int) -> None:
    """Embedding costs the most of a small search: keyword search and given origins do without."""
    embedder = HashingEmbedder()
    found = await query_vector(asked, embedder, SOON)
    assert embedder.texts_embedded == embedded
    assert (found is not None) == bool(embedded)


async def test_a_gateway_without_embedder_searches_by_words_unless_it_is_told_to_compare() -> None:
    """The default methods go on with what there is; a method or reranker by name is an error without."""
    for spec in (ResultSpec(Kind.FACT), ResultSpec(Kind.COMMUNITY, weights=COMMUNITY_DEFAULT_WEIGHTS)):
        assert await query_vector(search(spec), NoneEmbedder(), SOON) is None
    for spec in (only(Method.SEMANTIC), ResultSpec(Kind.FACT, reranker=Mmr())):
        with pytest.raises(EmbedderDisabled):
            await query_vector(search(spec), NoneEmbedder(), SOON)


def test_groups_of_another_model_or_dimension_are_skipped_and_named() -> None:
    """Cosines between models mean nothing: equal dimensions do not make vectors comparable."""
    asked = search(only(Method.SEMANTIC))
    stored = fences(own=OWN, alike=EmbeddingSpec("other", DIMENSION), small=EmbeddingSpec("hashing", 3))
    fit = fit_of(asked, QueryVector(vector(), "hashing"), [Kind.ENTITY], stored)
    assert [skip.group_id for skip in fit.skips] == ["alike", "small"]
    assert [fit.comparable(Kind.ENTITY, g) for g in ("own", "alike", "small")] == [True, False, False]
    assert fit.look_alike(Kind.ENTITY, DIMENSION)
    assert not fit.look_alike(Kind.ENTITY, 5)
    unnamed = fit_of(asked, QueryVector(vector(), ""), [Kind.ENTITY], stored)
    assert [skip.group_id for skip in unnamed.skips] == ["small"]


def test_a_vector_that_fits_nowhere_is_an_error_where_it_is_all_there_is() -> None:
    """Not for kinds that are only started from, nor where no group has vectors at all."""
    misfit = QueryVector(vector(3), "")
    both = ResultSpec(Kind.ENTITY, weights={Method.SEMANTIC: 0.5, Method.KEYWORD: 0.5})
    for asked in (search(only(Method.SEMANTIC)), search(both, text=" ")):
        with pytest.raises(QueryVectorUnfit):
            fit_of(asked, misfit, [Kind.ENTITY], fences(own=OWN))
    graph = search(only(Method.GRAPH, Kind.EPISODE))
    assert len(fit_of(graph, misfit, [Kind.ENTITY, Kind.FACT], fences(own=OWN)).skips) == 1
    assert fit_of(search(only(Method.SEMANTIC)), misfit, [Kind.ENTITY], {}).skips == []


def test_an_unfit_kind_is_skipped_where_something_else_can_answer() -> None:
    """Words, given origins, another kind, or a group that is missing from a partial answer: each list comes,
    and says with which groups it was not compared."""
    misfit = QueryVector(vector(3), "")
    stored = fences(own=OWN)
    hybrid = {Method.SEMANTIC: 0.5, Method.KEYWORD: 0.5}
    from_origins = ResultSpec(Kind.ENTITY, weights={Method.SEMANTIC: 0.5, Method.GRAPH: 0.5})
    for asked in (
        search(ResultSpec(Kind.ENTITY, weights=hybrid)),
        search(only(Method.SEMANTIC), only(Method.KEYWORD, Kind.EPISODE)),
        search(from_origins, text="", origins=(RowKey("g", "u"),)),
    ):
        fit = fit_of(asked, misfit, [Kind.ENTITY], stored)
        assert [skip.group_id for skip in fit.skips] == ["own"]
        path = fit.path(asked.results[0], misfit, VectorMode.AUTOMATIC, 0)
        assert path == VectorPath(None, VectorPathReason.NO_FITTING_GROUP)
    alone = search(only(Method.SEMANTIC))
    assert len(fit_of(alone, misfit, [Kind.ENTITY], stored, whole=False).skips) == 1
    two_kinds = search(only(Method.SEMANTIC), only(Method.SEMANTIC, Kind.FACT))
    both = Fence("g", 1, FenceState.OPEN, embeddings={Kind.ENTITY: OWN, Kind.FACT: EmbeddingSpec("", 3)})
    fit = fit_of(two_kinds, misfit, [Kind.ENTITY, Kind.FACT], {"g": both})
    assert [skip.kind for skip in fit.skips] == [Kind.ENTITY]


def test_the_path_of_vectors_has_its_reason() -> None:
    """What ran, and why, for every case."""
    asked = search(only(Method.SEMANTIC))
    (spec,) = asked.results
    own = QueryVector(vector(), "hashing")
    fit = fit_of(asked, own, [Kind.ENTITY], fences(own=OWN))
    exact, approximate = VectorMode.EXACT, VectorMode.APPROXIMATE
    assert fit.path(spec, own, exact, 0) == VectorPath(exact, VectorPathReason.REQUESTED)
    for mode in (VectorMode.AUTOMATIC, approximate):
        assert fit.path(spec, own, mode, 0) == VectorPath(exact, VectorPathReason.NO_VECTOR_INDEX)
    for mode, reason in (
        (VectorMode.AUTOMATIC, VectorPathReason.LARGE_GROUPS),
        (approximate, VectorPathReason.REQUESTED),
    ):
        assert fit.path(spec, own, mode, 2) == VectorPath(approximate, reason, groups_by_index=2)
    assert fit.path(spec, None, exact, 0) == VectorPath(None, VectorPathReason.NO_QUERY_VECTOR)
    empty = fit_of(asked, own, [Kind.ENTITY], {})
    assert empty.path(spec, own, exact, 0) == VectorPath(None, VectorPathReason.NO_FITTING_GROUP)
    assert fit.path(only(Method.KEYWORD), own, exact, 0) is None


def test_every_kind_is_asked_once_with_its_own_filter_and_minimum() -> None:
    """Rows that only serve as origins are those that hold at the time of the search; what the request
    filters is filtered on the shards."""
    held = RowFilter(as_of=5, known_at=6)
    wanted = RowFilter(labels_any=("A",), known_at=6)
    asked = search(
        only(Method.GRAPH, Kind.EPISODE),
        ResultSpec(
            Kind.ENTITY,
            limit=200,
            weights={Method.SEMANTIC: 1.0},
            method_score_min={Method.SEMANTIC: 0.5},
            filter=wanted,
        ),
        walked=held,
    )
    queries = {query.kind: query for query in candidate_queries(asked, QueryVector(vector(), ""))}
    assert queries.keys() == {Kind.ENTITY, Kind.FACT}
    assert (queries[Kind.ENTITY].filter, queries[Kind.ENTITY].score_min) == (wanted, 0.5)
    assert (queries[Kind.ENTITY].window, queries[Kind.FACT].window) == (400, WINDOW_MIN)
    assert (queries[Kind.FACT].filter, queries[Kind.FACT].score_min) == (held, -1.0)
    assert queries[Kind.FACT].terms == {"amber": 1}
    entities = candidate_queries(search(only(Method.GRAPH, Kind.EPISODE), walked=held), None)
    assert {query.kind: query.filter.as_of for query in entities} == {Kind.ENTITY: None, Kind.FACT: 5}
    started = search(only(Method.GRAPH), origins=(RowKey("g", "u"),))
    assert candidate_queries(started, None) == []


def test_a_ranking_that_is_fused_with_no_other_is_asked_for_no_further_than_it_is_returned() -> None:
    """Where another method, a reranker, a walk or an explanation looks further, it is the usual window."""
    text = only(Method.KEYWORD)
    both = replace(text, weights={Method.KEYWORD: 1.0, Method.SEMANTIC: 1.0})
    none = replace(text, weights={Method.KEYWORD: 1.0, Method.SEMANTIC: 0.0})

    def window(asked: Search) -> int:
        return next(
            q.window for q in candidate_queries(asked, QueryVector(vector(), "")) if q.kind is text.kind
        )

    for spec in (text, none):
        assert window(search(spec)) == 2 * spec.limit
    assert window(search(both)) == WINDOW_MIN
    assert window(search(replace(text, reranker=Mmr()))) == WINDOW_MIN
    assert window(replace(search(text), explain=True)) == WINDOW_MIN
    assert window(search(text, only(Method.GRAPH, Kind.EPISODE))) == WINDOW_MIN


def test_what_a_walk_starts_from_is_asked_with_a_result_only_if_that_is_as_wide() -> None:
    """A filter or a minimum of a result is none of the walk's: then the first question is the result's
    alone, by its own methods."""
    narrow = ResultSpec(Kind.ENTITY, weights={Method.KEYWORD: 1.0}, filter=RowFilter(labels_any=("A",)))
    least = replace(narrow, filter=RowFilter(), method_score_min={Method.KEYWORD: 0.5})
    wide = replace(narrow, filter=RowFilter())
    for spec, by_vector in ((narrow, False), (least, False), (wide, True)):
        asked = search(only(Method.GRAPH, Kind.FACT), spec)
        queries = {query.kind: query for query in candidate_queries(asked, QueryVector(vector(), ""))}
        assert (queries[Kind.ENTITY].vector is not None) == by_vector
        assert queries[Kind.FACT].vector is not None

"""What semantic and keyword search find on all shards, each as one ranking by kind."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from drivers.deadline import Deadline
from drivers.fence import GroupRef
from drivers.filters import RowFilter
from drivers.graph_model import Kind
from gateway.search.analyzer import analyze
from gateway.search.query_vector import Fit, QueryVector, fit_of
from gateway.search.request import WINDOW_MIN, ResultSpec, Rrf, Search, VectorMode
from shard_router.bm25 import count_query_terms
from shard_router.candidates import CandidateQuery, Candidates
from shard_router.fusion import Method
from shard_router.partial import PartialPolicy
from shard_router.routing import Located, route_to
from shard_router.scatter import Scatter
from shard_router.search_scope import SearchScope

NOT_RANKED = -1.0
"""The least cosine there is: no minimum."""
SEED_KINDS = (Kind.ENTITY, Kind.FACT)
"""Whose best rows a walk starts from; where there are none, from the best episodes."""
SEED_METHODS = (Method.SEMANTIC, Method.KEYWORD)


async def find_candidates(
    search: Search, vector: QueryVector | None, scope: SearchScope, scatter: Scatter, deadline: Deadline
) -> tuple[Mapping[Kind, Candidates], Fit]:
    """Fills the scope. Raises QueryVectorUnfit and what the scatter raises."""
    queries = candidate_queries(search, vector)
    found = await scatter.candidates(scope, queries, deadline)
    compared = [query.kind for query in queries if query.vector is not None]
    whole = not scope.missing and not scope.located.shards_failed
    fit = fit_of(search, vector, compared, scope.fences, whole=whole)
    found = await _comparable(queries, found, fit, scope, scatter, deadline)
    for spec in search.results:
        score_min = spec.method_score_min.get(Method.KEYWORD)
        if score_min is not None and spec.kind in found:
            keyword = tuple(row for row in found[spec.kind].keyword if row.score >= score_min)
            found[spec.kind] = replace(found[spec.kind], keyword=keyword)
    return found, fit


def candidate_queries(search: Search, vector: QueryVector | None) -> list[CandidateQuery]:
    """What to ask of every shard. Without given origins the graph method needs entities and facts to start
    from, whatever kinds are returned."""
    terms = count_query_terms(analyze(search.text))
    specs: dict[Kind, ResultSpec] = {spec.kind: spec for spec in search.results}
    semantic = {kind for kind, spec in specs.items() if spec.weights.get(Method.SEMANTIC)}
    keyword = {kind for kind, spec in specs.items() if spec.weights.get(Method.KEYWORD)}
    if search.walks and not search.origins:
        started_from = {kind for kind in SEED_KINDS if _is_shared(search, kind)}
        semantic |= started_from
        keyword |= started_from
    return [
        CandidateQuery(
            kind=kind,
            window=_window(search, specs[kind]) if kind in specs else WINDOW_MIN,
            vector=vector.values if vector is not None and kind in semantic else None,
            terms=terms if kind in keyword else {},
            filter=specs[kind].filter if kind in specs else _held(search.walked, kind),
            score_min=specs[kind].method_score_min.get(Method.SEMANTIC, NOT_RANKED)
            if kind in specs
            else NOT_RANKED,
            explain=search.explain,
            exact=search.vectors is VectorMode.EXACT,
        )
        for kind in Kind
        if kind in semantic | keyword
    ]


def _window(search: Search, spec: ResultSpec) -> int:
    """Rows of each method's ranking. One that is fused with no other keeps its order: what comes after the
    rows that are returned decides nothing, unless it is told of or a walk starts there."""
    alone = len([weight for weight in spec.weights.values() if weight]) == 1
    if alone and not search.walks and not search.explain and isinstance(spec.reranker, Rrf):
        return 2 * spec.limit
    return spec.window


async def seed_candidates(
    kinds: Iterable[Kind],
    found: Mapping[Kind, Candidates],
    search: Search,
    vector: QueryVector | None,
    scope: SearchScope,
    scatter: Scatter,
    deadline: Deadline,
) -> Mapping[Kind, Candidates]:
    """What a walk starts from: the WINDOW_MIN best of each kind by both methods, of all rows of the time of
    the search. A result that is narrower or wider than that decides nothing here: each kind of the request
    has the list that it has alone. `found`: what find_candidates gave."""
    known = {kind: found[kind] for kind in kinds if kind in found and _is_shared(search, kind)}
    terms = count_query_terms(analyze(search.text))
    queries = [
        CandidateQuery(
            kind=kind,
            window=WINDOW_MIN,
            vector=None if vector is None else vector.values,
            terms=terms,
            filter=_held(search.walked, kind),
        )
        for kind in kinds
        if kind not in known
    ]
    own: Mapping[Kind, Candidates] = {}
    if queries and (vector is not None or terms):
        own = await _once_more(queries, scope, list(scope.fences), scatter, deadline)
        fit = fit_of(search, vector, [query.kind for query in queries], scope.fences, whole=False)
        own = await _comparable(queries, own, fit, scope, scatter, deadline)
    return {
        kind: replace(
            candidates,
            semantic=candidates.semantic[:WINDOW_MIN],
            keyword=candidates.keyword[:WINDOW_MIN],
        )
        for kind, candidates in (known | own).items()
    }


def _is_shared(search: Search, kind: Kind) -> bool:
    """Whether the candidates that find_candidates asks for are those that a walk starts from too."""
    spec = next((spec for spec in search.results if spec.kind is kind), None)
    if spec is None:
        return kind in SEED_KINDS
    by_both = all(spec.weights.get(method) for method in SEED_METHODS)
    narrowed = any(method in spec.method_score_min for method in SEED_METHODS)
    held = spec.filter == _held(search.walked, kind)
    return held and not narrowed and (by_both or kind in SEED_KINDS)


def _held(walked: RowFilter, kind: Kind) -> RowFilter:
    """All rows of the time of the search."""
    return walked if kind is Kind.FACT else replace(walked, as_of=None)


async def _comparable(
    queries: Sequence[CandidateQuery],
    found: Mapping[Kind, Candidates],
    fit: Fit,
    scope: SearchScope,
    scatter: Scatter,
    deadline: Deadline,
) -> dict[Kind, Candidates]:
    """With the semantic rankings of the groups whose vectors are comparable with the query's."""
    comparable = dict(found)
    for query in queries:
        # Vectors of another model with the same dimension were scanned like the others, and may have taken
        # the places of those that count.
        if query.vector is not None and fit.look_alike(query.kind, len(query.vector)):
            fitting = [group_id for group_id in scope.fences if fit.comparable(query.kind, group_id)]
            again = await _once_more([replace(query, terms={})], scope, fitting, scatter, deadline)
            comparable[query.kind] = replace(found[query.kind], semantic=again[query.kind].semantic)
    return comparable


async def _once_more(
    queries: Sequence[CandidateQuery],
    scope: SearchScope,
    group_ids: Sequence[str],
    scatter: Scatter,
    deadline: Deadline,
) -> Mapping[Kind, Candidates]:
    """Of groups of the scope that have answered before."""
    refs: dict[str, list[GroupRef]] = defaultdict(list)
    for group_id in sorted(group_ids):
        refs[scope.shard_of[group_id]].append(scope.ref(group_id))
    part = SearchScope(
        Located(route_to(refs), {shard: tuple(found) for shard, found in refs.items()}, (), {}, {}),
        None if scope.partial is None else PartialPolicy(coverage_min=0),
    )
    found = await scatter.candidates(part, queries, deadline)
    for shard_id, seconds in part.latency_s.items():
        scope.spent(shard_id, seconds)
    for group_id, shard_id in part.shard_of.items():
        scope.answered(shard_id, {group_id: part.fences[group_id]})
    for group_id, error in part.missing.items():
        scope.lose(scope.shard_of[group_id], [group_id], error)
    scope.settle()
    return found

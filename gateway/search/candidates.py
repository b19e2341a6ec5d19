"""What semantic and keyword search find on all shards, each as one ranking by kind."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from drivers.deadline import Deadline
from drivers.fence import GroupRef
from drivers.filters import RowFilter
from drivers.graph_model import Kind
from drivers.search_reads import ScoredRow
from gateway.search.analyzer import analyze
from gateway.search.query_vector import Fit, QueryVector, fit_of
from gateway.search.request import WINDOW_MIN, ResultSpec, Search, VectorMode
from shard_router.bm25 import count_query_terms
from shard_router.candidates import CandidateQuery, Candidates
from shard_router.fusion import Method
from shard_router.partial import PartialPolicy
from shard_router.routing import Located, route_to
from shard_router.scatter import Scatter
from shard_router.search_scope import SearchScope

NOT_RANKED = -1.0
"""The least cosine there is: no minimum."""


async def find_candidates(
    search: Search, vector: QueryVector | None, scope: SearchScope, scatter: Scatter, deadline: Deadline
) -> tuple[Mapping[Kind, Candidates], Fit]:
    """Fills the scope. Raises QueryVectorUnfit and what the scatter raises."""
    queries = candidate_queries(search, vector)
    found = dict(await scatter.candidates(scope, queries, deadline))
    compared = [query.kind for query in queries if query.vector is not None]
    fit = fit_of(search, vector, compared, scope.fences)
    for query in queries:
        # Vectors of another model with the same dimension were scanned like the others, and may have taken
        # the places of those that count.
        if query.vector is not None and fit.look_alike(query.kind, len(query.vector)):
            again = await _among_fitting(query, scope, fit, scatter, deadline)
            found[query.kind] = replace(found[query.kind], semantic=again)
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
    if not search.origins and any(spec.weights.get(Method.GRAPH) for spec in search.results):
        semantic |= {Kind.ENTITY, Kind.FACT}
        keyword |= {Kind.ENTITY, Kind.FACT}
    return [
        CandidateQuery(
            kind=kind,
            window=specs[kind].window if kind in specs else WINDOW_MIN,
            vector=vector.values if vector is not None and kind in semantic else None,
            terms=terms if kind in keyword else {},
            filter=specs[kind].filter if kind in specs else _held(search.walked, kind),
            score_min=specs[kind].method_score_min.get(Method.SEMANTIC, NOT_RANKED)
            if kind in specs
            else NOT_RANKED,
            exact=search.vectors is VectorMode.EXACT,
        )
        for kind in Kind
        if kind in semantic | keyword
    ]


def _held(walked: RowFilter, kind: Kind) -> RowFilter:
    """Of a kind that is only started from."""
    return walked if kind is Kind.FACT else replace(walked, as_of=None)


async def _among_fitting(
    query: CandidateQuery, scope: SearchScope, fit: Fit, scatter: Scatter, deadline: Deadline
) -> tuple[ScoredRow, ...]:
    """The semantic ranking of the groups whose vectors are comparable with the query's."""
    refs: dict[str, list[GroupRef]] = defaultdict(list)
    for group_id in sorted(scope.fences):
        if fit.comparable(query.kind, group_id):
            refs[scope.shard_of[group_id]].append(scope.ref(group_id))
    fitting = SearchScope(
        Located(route_to(refs), {shard: tuple(found) for shard, found in refs.items()}, (), {}, {}),
        None if scope.partial is None else PartialPolicy(coverage_min=0),
    )
    found = await scatter.candidates(fitting, [replace(query, terms={})], deadline)
    for shard_id, seconds in fitting.latency_s.items():
        scope.spent(shard_id, seconds)
    for group_id, shard_id in fitting.shard_of.items():
        scope.answered(shard_id, {group_id: fitting.fences[group_id]})
    for group_id, error in fitting.missing.items():
        scope.lose(scope.shard_of[group_id], [group_id], error)
    scope.settle()
    return found[query.kind].semantic

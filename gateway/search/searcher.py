"""Runs one search: embed, route, candidates, graph, fuse, rows."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from drivers.contract import ExpandedEdge, ScoredRow
from drivers.deadline import Deadline
from drivers.graph_model import AnyRow, Kind, Vector
from drivers.row_key import RowKey
from gateway.embedding.port import Embedder
from gateway.search import graph_method
from gateway.search.analyzer import analyze
from gateway.search.errors import QueryVectorUnfit
from gateway.search.request import (
    DEFAULT_WEIGHTS,
    SCOPE_GROUPS_MAX,
    WINDOW_MIN,
    Hit,
    MethodPlace,
    ResultSpec,
    Search,
    SearchResult,
)
from shard_router.bm25 import count_query_terms
from shard_router.fusion import FusedHit, Method, weighted_rrf
from shard_router.router import Router
from shard_router.routing import Located
from shard_router.scatter import CandidateQuery, Candidates, Scatter, SearchScope


@dataclass(slots=True)
class _Stages:
    """Wall time by stage."""

    seconds: dict[str, float] = field(default_factory=dict[str, float])
    _last: float = field(default_factory=time.monotonic)

    def done(self, stage: str) -> None:
        now = time.monotonic()
        self.seconds[stage] = now - self._last
        self._last = now


class Searcher:
    def __init__(self, router: Router, embedder: Embedder) -> None:
        self._router = router
        self._scatter = Scatter(router)
        self._embedder = embedder

    async def search(self, search: Search, deadline: Deadline) -> SearchResult:
        """Raises what routing, drivers and embedder raise; a partial answer is never returned."""
        stages = _Stages()
        vector = await self._query_vector(search, deadline)
        stages.done("embed")
        located = await self._locate(search, deadline)
        scope = SearchScope(located)
        stages.done("route")
        candidates = await self._scatter.candidates(scope, _queries(search, vector), deadline)
        if vector is not None:
            self._check_fit(search, vector, scope)
        stages.done("candidates")
        graph = await self._graph(search, scope, candidates, deadline)
        stages.done("graph")
        fused = {
            spec.kind: _fuse(spec, candidates.get(spec.kind), graph.get(spec.kind, []), search.rrf_k)
            for spec in search.results
        }
        stages.done("fuse")
        hits = {
            kind: await self._hits(scope, kind, found, search.with_vectors, deadline)
            for kind, found in fused.items()
        }
        stages.done("rows")
        return SearchResult(
            hits=hits,
            unknown_groups=located.unknown,
            versions={group_id: fence.version for group_id, fence in scope.fences.items()},
            groups_by_shard={shard: len(refs) for shard, refs in located.refs.items()},
            latency_s=scope.latency_s,
            stages_s=stages.seconds,
        )

    async def _query_vector(self, search: Search, deadline: Deadline) -> Vector | None:
        """None: the semantic method finds nothing, because nobody gave a vector or can make one."""
        wanted = any(
            spec.weights.get(Method.SEMANTIC) or spec.weights.get(Method.GRAPH) for spec in search.results
        )
        if search.vector is not None or not wanted or not search.text.strip():
            return search.vector
        if self._embedder.model is None and not any(
            spec.weights is not DEFAULT_WEIGHTS and spec.weights.get(Method.SEMANTIC)
            for spec in search.results
        ):
            return None
        (vector,) = await self._embedder.embed([search.text], deadline=deadline.at_s)
        return vector

    def _check_fit(self, search: Search, vector: Vector, scope: SearchScope) -> None:
        """Raises QueryVectorUnfit: cosines between models mean nothing, and an empty list would say that
        there is nothing to find."""
        own = self._embedder.model
        made_by = own.name if own is not None and search.vector is None else None
        for spec in search.results:
            if not spec.weights.get(Method.SEMANTIC):
                continue
            stored = [
                fence.embeddings[spec.kind]
                for fence in scope.fences.values()
                if spec.kind in fence.embeddings
            ]
            fits = any(one.dimension == len(vector) and made_by in (None, one.model) for one in stored)
            if stored and not fits:
                raise QueryVectorUnfit(spec.kind, stored[0], made_by or "the caller", len(vector))

    async def _locate(self, search: Search, deadline: Deadline) -> Located:
        if search.group_ids is None:
            return await self._router.all_owned(deadline, SCOPE_GROUPS_MAX)
        return await self._router.locate(search.group_ids, deadline)

    async def _graph(
        self, search: Search, scope: SearchScope, candidates: Mapping[Kind, Candidates], deadline: Deadline
    ) -> Mapping[Kind, Sequence[ScoredRow]]:
        """The graph method's ranking of every kind that asks for it."""
        specs = [spec for spec in search.results if spec.weights.get(Method.GRAPH)]
        if not specs:
            return {}
        facts = graph_method.best(candidates[Kind.FACT], graph_method.SEED_FACTS, search.rrf_k)
        entities = graph_method.best(candidates[Kind.ENTITY], graph_method.SEED_ENTITIES, search.rrf_k)
        fact_rows = await self._scatter.rows(scope, Kind.FACT, facts, False, deadline)
        seeds = graph_method.seeds(entities, facts, fact_rows)
        along = {Kind.MENTION if spec.kind is Kind.EPISODE else Kind.FACT for spec in specs}
        edges: dict[Kind, Mapping[str, tuple[ExpandedEdge, ...]]] = {
            kind: await self._scatter.expand(
                scope, seeds.by_group(), kind, graph_method.EDGES_PER_ENTITY_MAX, deadline
            )
            for kind in sorted(along)
        }
        rankings: dict[Kind, Sequence[ScoredRow]] = {}
        for spec in specs:
            match spec.kind:
                case Kind.FACT:
                    ranked = graph_method.ranked_facts(seeds, edges[Kind.FACT], spec.window)
                case Kind.ENTITY:
                    ranked = graph_method.ranked_entities(seeds, edges[Kind.FACT], spec.window)
                case _:
                    ranked = graph_method.ranked_episodes(seeds, edges[Kind.MENTION], spec.window)
            rankings[spec.kind] = ranked
        return rankings

    async def _hits(
        self,
        scope: SearchScope,
        kind: Kind,
        found: Sequence[tuple[FusedHit, tuple[MethodPlace, ...]]],
        with_vectors: bool,
        deadline: Deadline,
    ) -> tuple[Hit, ...]:
        rows: Mapping[RowKey, AnyRow] = await self._scatter.rows(
            scope, kind, [fused.key for fused, _ in found], with_vectors, deadline
        )
        return tuple(
            Hit(
                key=fused.key,
                row=rows[fused.key],
                score=fused.score,
                methods=places,
                shard_id=(shard := scope.shard_of[fused.key.group_id]),
                engine=scope.engine_of[shard],
            )
            for fused, places in found
            if fused.key in rows
        )


def _queries(search: Search, vector: Vector | None) -> list[CandidateQuery]:
    """What to ask of every shard. The graph method needs entities and facts to start from, whatever
    kinds are returned."""
    terms = count_query_terms(analyze(search.text))
    windows: dict[Kind, int] = {}
    semantic: set[Kind] = set()
    keyword: set[Kind] = set()
    for spec in search.results:
        windows[spec.kind] = spec.window
        if spec.weights.get(Method.SEMANTIC):
            semantic.add(spec.kind)
        if spec.weights.get(Method.KEYWORD):
            keyword.add(spec.kind)
    if any(spec.weights.get(Method.GRAPH) for spec in search.results):
        for kind in (Kind.ENTITY, Kind.FACT):
            windows.setdefault(kind, WINDOW_MIN)
            semantic.add(kind)
            keyword.add(kind)
    return [
        CandidateQuery(
            kind=kind,
            window=window,
            vector=vector if kind in semantic else None,
            terms=terms if kind in keyword else {},
        )
        for kind, window in windows.items()
    ]


def _fuse(
    spec: ResultSpec, candidates: Candidates | None, graph: Sequence[ScoredRow], k: int
) -> list[tuple[FusedHit, tuple[MethodPlace, ...]]]:
    """The best `limit` rows of one kind with their place in each method."""
    rankings: dict[Method, Sequence[ScoredRow]] = {Method.GRAPH: graph}
    if candidates is not None:
        rankings |= {Method.SEMANTIC: candidates.semantic, Method.KEYWORD: candidates.keyword}
    rankings = {method: rows for method, rows in rankings.items() if spec.weights.get(method)}
    fused = weighted_rrf(
        {method: [row.key for row in rows] for method, rows in rankings.items()}, spec.weights, k
    )
    return [
        (
            hit,
            tuple(
                MethodPlace(method, rank, rankings[method][rank - 1].score)
                for method, rank in sorted(hit.ranks.items())
            ),
        )
        for hit in fused[: spec.limit]
    ]

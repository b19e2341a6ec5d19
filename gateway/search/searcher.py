"""Runs one search: embed, route, candidates, graph, fuse, rows, rerank."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from drivers.deadline import Deadline
from drivers.filters import RowFilter, matches
from drivers.graph_model import AnyRow, Community, Entity, Episode, Fact, Kind
from drivers.row_key import RowKey
from gateway.embedding.port import Embedder
from gateway.rerank.port import CrossEncoder
from gateway.search.candidates import find_candidates
from gateway.search.fusing import Fusion, fuse
from gateway.search.graph_method import GraphMethod
from gateway.search.query_vector import query_vector
from gateway.search.request import SCOPE_GROUPS_MAX, Mmr, ResultSpec, Search
from gateway.search.rerankers.order import Candidate, Reranking
from gateway.search.reranking import NOT_ASKED, Rerankers
from gateway.search.result import Hit, KindResult, SearchResult
from gateway.search.seeds import SeedSearch
from gateway.search.stages import Stages
from shard_router.candidates import Candidates
from shard_router.fusion import Method
from shard_router.keyword_basis import KeywordBasis
from shard_router.parallel import all_in_parallel
from shard_router.router import Router
from shard_router.routing import Located
from shard_router.scatter import Scatter
from shard_router.search_scope import SearchScope
from shard_router.slot_search import SlotDirectory


@dataclass(frozen=True, slots=True)
class _Named:
    """The entities that the request names."""

    origins: Sequence[RowKey]
    """Those that exist, and did at the known_at of the search."""
    center: RowKey | None
    missing: Sequence[RowKey]


class Searcher:
    def __init__(
        self,
        router: Router,
        embedder: Embedder,
        cross_encoder: CrossEncoder,
        slots: SlotDirectory | None = None,
    ) -> None:
        """`slots` None: every vector is scanned."""
        self._router = router
        self._scatter = Scatter(router, slots)
        self._embedder = embedder
        self._cross_encoder = cross_encoder

    async def search(self, search: Search, deadline: Deadline) -> SearchResult:
        """Raises QueryVectorUnfit, CrossEncoderDisabled and what routing, drivers and embedder raise. The
        answer is partial only if the search allows it."""
        stages = Stages()
        vector = await query_vector(search, self._embedder, deadline)
        stages.done("embed")
        located = await self._locate(search, deadline)
        scope = SearchScope(located, search.partial)
        stages.done("route")
        candidates, fit = await find_candidates(search, vector, scope, self._scatter, deadline)
        stages.done("candidates")
        named = await self._named(search, scope, deadline)
        seeds = SeedSearch(self._scatter, search, scope, deadline, vector, candidates)
        graph = await GraphMethod(self._scatter, search, scope, deadline).rankings(seeds, named.origins)
        stages.done("graph")
        fusions = {
            spec.kind: fuse(
                spec,
                candidates.get(spec.kind),
                graph[spec.kind].rows if spec.kind in graph else (),
                search.rrf_k,
            )
            for spec in search.results
        }
        stages.done("fuse")
        rows = await all_in_parallel(
            {
                spec.kind: partial(self._candidates, spec, fusions[spec.kind], search, scope, deadline)
                for spec in search.results
            }
        )
        stages.done("rows")
        rerankers = Rerankers(self._scatter, self._cross_encoder, search, scope, deadline)
        reranked = await all_in_parallel(
            {
                spec.kind: partial(rerankers.rerank, spec, rows[spec.kind], vector, fit, named.center)
                for spec in search.results
            }
        )
        stages.done("rerank")
        wanted = {spec.kind for spec in search.results}
        return SearchResult(
            kinds={
                spec.kind: KindResult(
                    hits=_hits(spec, fusions[spec.kind], rows[spec.kind], reranked[spec.kind], search, scope),
                    rankings=fusions[spec.kind].rankings,
                    fused=fusions[spec.kind].hits,
                    reranked=reranked[spec.kind].rows if reranked[spec.kind].report.reranked else (),
                    rerank=reranked[spec.kind].report,
                    vectors=fit.path(spec, vector, search.vectors, _by_index(candidates.get(spec.kind))),
                    walk=graph[spec.kind].report if spec.kind in graph else None,
                    keyword_exact=spec.kind not in candidates or candidates[spec.kind].keyword_exact,
                    keyword_basis=_keyword_basis(spec, candidates.get(spec.kind)),
                )
                for spec in search.results
            },
            unknown_groups=located.unknown,
            versions={group_id: fence.version for group_id, fence in scope.fences.items()},
            outcomes=scope.outcomes,
            coverage=scope.coverage,
            missing_groups=sorted(scope.missing),
            semantic_skips=[skip for skip in fit.skips if skip.kind in wanted],
            missing_entities=named.missing,
            stages_s=stages.seconds,
        )

    async def _locate(self, search: Search, deadline: Deadline) -> Located:
        allow_partial = search.partial is not None
        if search.group_ids is None:
            return await self._router.all_owned(deadline, SCOPE_GROUPS_MAX, allow_partial=allow_partial)
        return await self._router.locate(search.group_ids, deadline, allow_partial=allow_partial)

    async def _named(self, search: Search, scope: SearchScope, deadline: Deadline) -> _Named:
        asked = list(search.origins) + ([search.center] if search.center is not None else [])
        placed = [key for key in dict.fromkeys(asked) if key.group_id in scope.fences]
        rows = await self._scatter.rows(scope, Kind.ENTITY, placed, False, deadline) if placed else {}
        there = RowFilter(known_at=search.walked.known_at)
        found = {key for key, row in rows.items() if matches(row, there)}
        return _Named(
            origins=[key for key in search.origins if key in found],
            center=search.center if search.center in found else None,
            missing=[key for key in dict.fromkeys(asked) if key not in found],
        )

    async def _candidates(
        self, spec: ResultSpec, fusion: Fusion, search: Search, scope: SearchScope, deadline: Deadline
    ) -> list[Candidate]:
        """The best of the fusion with their rows; without those that were deleted meanwhile."""
        best = fusion.hits[: spec.reranked_max]
        with_vectors = search.with_vectors or isinstance(spec.reranker, Mmr)
        rows = await self._scatter.rows(scope, spec.kind, [hit.key for hit in best], with_vectors, deadline)
        return [Candidate(hit.key, rows[hit.key], hit.score) for hit in best if hit.key in rows]


def _hits(
    spec: ResultSpec,
    fusion: Fusion,
    candidates: Sequence[Candidate],
    reranking: Reranking,
    search: Search,
    scope: SearchScope,
) -> tuple[Hit, ...]:
    fused = {hit.key: hit for hit in fusion.hits[: spec.reranked_max]}
    rows: Mapping[RowKey, AnyRow] = {candidate.key: candidate.row for candidate in candidates}
    # A minimum that was meant for a reranker's scores says nothing about the fusion's.
    score_min = spec.score_min if _ran(reranking) else None
    return tuple(
        Hit(
            key=ranked.key,
            row=rows[ranked.key] if search.with_vectors else _without_vector(rows[ranked.key]),
            score=ranked.score,
            fused_score=fused[ranked.key].score,
            methods=fusion.places(fused[ranked.key]),
            shard_id=(shard := scope.shard_of[ranked.key.group_id]),
            engine=scope.engine_of[shard],
        )
        for ranked in reranking.rows[: spec.limit]
        # A group that was lost while its rows were reranked is missing from the answer.
        if ranked.key.group_id in scope.shard_of and (score_min is None or ranked.score >= score_min)
    )


def _keyword_basis(spec: ResultSpec, candidates: Candidates | None) -> KeywordBasis | None:
    """None for a kind whose keyword candidates only tell the graph method where to start."""
    return candidates.keyword_basis if candidates is not None and spec.weights.get(Method.KEYWORD) else None


def _by_index(candidates: Candidates | None) -> int:
    return 0 if candidates is None else len(candidates.by_index)


def _ran(reranking: Reranking) -> bool:
    """Whether the scores are those of what was asked for."""
    return reranking.report.reranked or reranking.report.reason == NOT_ASKED


def _without_vector(row: AnyRow) -> AnyRow:
    match row:
        case Entity() | Fact() | Episode() | Community():
            return row if row.embedding is None else replace(row, embedding=None)
        case _:
            return row

"""Runs candidate queries on every shard of a scope and merges each method over all shards.

A group that moved while it was read is found by its fence (which a read returns last) and asked again
where it is now; the answer never mixes two places of one group.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from drivers.contract import (
    Engine,
    ExpandedEdge,
    ExpandQuery,
    ExpandRead,
    Fence,
    GroupRef,
    KeywordHit,
    KeywordQuery,
    RowsRead,
    ScoredRow,
    SemanticQuery,
    ShardDriver,
)
from drivers.deadline import Deadline
from drivers.graph_model import AnyRow, Kind, Vector
from drivers.row_key import RowKey
from shard_router import bm25
from shard_router.errors import PlacementUnsettled
from shard_router.fusion import merge_method
from shard_router.near_ties import exact_cosine, near_ties, settled
from shard_router.router import Router
from shard_router.routing import Located

ROUNDS_MAX = 4
"""Times that moved groups are looked up anew before the search gives up."""
TIE_SLACK = 16
"""Candidates asked of each shard beyond the window, so that disputed ties at its end are all there."""


@dataclass(frozen=True, slots=True)
class CandidateQuery:
    """One method-independent question; vector or terms may be absent."""

    kind: Kind
    window: int
    """Rows that each method's merged ranking holds at most."""
    vector: Vector | None = None
    terms: Mapping[str, int] = field(default_factory=dict[str, int])
    """Query tokens with their repeats."""


@dataclass(frozen=True, slots=True)
class Candidates:
    semantic: tuple[ScoredRow, ...]
    """Cosine, rounded."""
    keyword: tuple[ScoredRow, ...]
    """BM25 with the statistics of the whole scope, rounded."""


@dataclass(slots=True)
class SearchScope:
    """The groups of one search and where each was read. Grows over the stages of the search."""

    located: Located
    fences: dict[str, Fence] = field(default_factory=dict[str, Fence])
    shard_of: dict[str, str] = field(default_factory=dict[str, str])
    engine_of: dict[str, Engine] = field(default_factory=dict[str, Engine])
    latency_s: dict[str, float] = field(default_factory=dict[str, float])

    def ref(self, group_id: str) -> GroupRef:
        return GroupRef(group_id, self.fences[group_id].space)


@dataclass(frozen=True, slots=True)
class _ShardCandidates:
    semantic: Mapping[Kind, tuple[ScoredRow, ...]]
    keyword: Mapping[Kind, tuple[KeywordHit, ...]]
    document_frequency: Mapping[Kind, Mapping[str, int]]
    fences: Mapping[str, Fence]


class Scatter:
    def __init__(self, router: Router) -> None:
        self._router = router

    async def candidates(
        self, scope: SearchScope, queries: Sequence[CandidateQuery], deadline: Deadline
    ) -> Mapping[Kind, Candidates]:
        """Every query on every shard, in parallel. Fills the scope's fences and shards."""
        answers: list[_ShardCandidates] = []
        pending = scope.located.refs
        for _ in range(ROUNDS_MAX):
            read = await self._on_shards(
                scope,
                {shard: partial(_candidates, refs, queries, deadline) for shard, refs in pending.items()},
                deadline,
            )
            again: list[str] = []
            for shard, answer in read.items():
                group_ids = [ref.group_id for ref in pending[shard]]
                if all(_owns(answer.fences.get(group_id)) for group_id in group_ids):
                    scope.fences.update(answer.fences)
                    scope.shard_of.update(dict.fromkeys(group_ids, shard))
                    answers.append(answer)
                else:
                    # Rows that a move left behind are in this answer's document frequencies: ask anew.
                    again += group_ids
            if not again:
                return await self._merge(scope, queries, answers, deadline)
            pending = (await self._router.locate(again, deadline, fresh=True)).refs
        moving = next(iter(pending.values()))[0].group_id
        raise PlacementUnsettled(moving, f"it moved during {ROUNDS_MAX} reads")

    async def expand(
        self,
        scope: SearchScope,
        entities: Mapping[str, Sequence[str]],
        along: Kind,
        per_entity_max: int,
        deadline: Deadline,
    ) -> Mapping[str, tuple[ExpandedEdge, ...]]:
        """Edges of the given entities, by group_id. Groups that moved since are left out: their rows
        count only where the fence owns them, and the caller's other methods still have them."""
        queries: dict[str, list[ExpandQuery]] = defaultdict(list)
        for group_id, uuids in entities.items():
            ref = scope.ref(group_id)
            queries[scope.shard_of[group_id]].append(
                ExpandQuery(group_id, ref.space, tuple(uuids), along, per_entity_max)
            )
        reads = await self._on_shards(
            scope,
            {shard: partial(_expand, tuple(asked), deadline) for shard, asked in queries.items()},
            deadline,
        )
        return {
            group_id: edges
            for read in reads.values()
            for group_id, edges in read.edges.items()
            if _owns(read.fences.get(group_id))
        }

    async def rows(
        self, scope: SearchScope, kind: Kind, keys: Iterable[RowKey], with_vectors: bool, deadline: Deadline
    ) -> Mapping[RowKey, AnyRow]:
        """The rows themselves; one that was deleted since, or whose group moved, is left out."""
        wanted: dict[str, dict[GroupRef, list[str]]] = defaultdict(lambda: defaultdict(list))
        for key in keys:
            wanted[scope.shard_of[key.group_id]][scope.ref(key.group_id)].append(key.uuid)
        reads = await self._on_shards(
            scope,
            {
                shard: partial(_fetch, kind, groups, with_vectors, deadline)
                for shard, groups in wanted.items()
            },
            deadline,
        )
        return {
            RowKey(group_id, row.uuid): row
            for read in reads.values()
            for group_id, rows_read in read.items()
            if _owns(rows_read.fence)
            for row in rows_read.rows
        }

    async def _on_shards[T](
        self,
        scope: SearchScope,
        calls: Mapping[str, Callable[[ShardDriver], Awaitable[T]]],
        deadline: Deadline,
    ) -> Mapping[str, T]:
        """All or nothing. Notes engine and latency of each shard."""

        async def timed(shard: str, call: Callable[[ShardDriver], Awaitable[T]], driver: ShardDriver) -> T:
            started = time.monotonic()
            result = await call(driver)
            scope.engine_of[shard] = driver.engine
            scope.latency_s[shard] = scope.latency_s.get(shard, 0.0) + time.monotonic() - started
            return result

        return await self._router.fan_out_all(
            {shard: partial(timed, shard, call) for shard, call in calls.items()}, deadline
        )

    async def _merge(
        self,
        scope: SearchScope,
        queries: Sequence[CandidateQuery],
        answers: Sequence[_ShardCandidates],
        deadline: Deadline,
    ) -> Mapping[Kind, Candidates]:
        merged: dict[Kind, Candidates] = {}
        for query in queries:
            hits = [hit for answer in answers for hit in answer.semantic.get(query.kind, ())]
            exact = await self._exact_scores(scope, query, hits, deadline)
            semantic = merge_method([settled(hits, exact)], query.window) if hits else []
            keyword = bm25.rescore(
                [hit for answer in answers for hit in answer.keyword.get(query.kind, ())],
                query.terms,
                _corpus(scope, query.kind, answers),
            )
            merged[query.kind] = Candidates(tuple(semantic), tuple(keyword[: query.window]))
        return merged

    async def _exact_scores(
        self, scope: SearchScope, query: CandidateQuery, hits: Sequence[ScoredRow], deadline: Deadline
    ) -> Mapping[RowKey, float]:
        disputed = near_ties(hits, query.window)
        if not disputed or query.vector is None:
            return {}
        rows = await self.rows(scope, query.kind, disputed, with_vectors=True, deadline=deadline)
        scores: dict[RowKey, float] = {}
        for key, row in rows.items():
            vector: Vector | None = getattr(row, "embedding", None)
            if vector is not None and vector.shape == query.vector.shape:
                scores[key] = exact_cosine(query.vector, vector)
        return scores


async def _candidates(
    refs: Sequence[GroupRef], queries: Sequence[CandidateQuery], deadline: Deadline, driver: ShardDriver
) -> _ShardCandidates:
    semantic = {
        query.kind: driver.semantic(
            refs, SemanticQuery(query.kind, query.vector, query.window + TIE_SLACK), deadline
        )
        for query in queries
        if query.vector is not None
    }
    keyword = {
        query.kind: driver.keyword(refs, KeywordQuery(query.kind, tuple(query.terms), query.window), deadline)
        for query in queries
        if query.terms
    }
    semantic_reads, keyword_reads, fences = await asyncio.gather(
        asyncio.gather(*semantic.values()),
        asyncio.gather(*keyword.values()),
        _fences_if_alone(driver, refs, deadline, alone=not semantic and not keyword),
    )
    reads = [read.fences for read in (*semantic_reads, *keyword_reads)] or [fences]
    # A group counts only if every read of it found it owned: a later one may have seen it move.
    owned = {
        ref.group_id: reads[-1][ref.group_id]
        for ref in refs
        if all(_owns(read.get(ref.group_id)) for read in reads)
    }
    return _ShardCandidates(
        semantic={kind: read.hits for kind, read in zip(semantic, semantic_reads, strict=True)},
        keyword={kind: read.hits for kind, read in zip(keyword, keyword_reads, strict=True)},
        document_frequency={
            kind: read.document_frequency for kind, read in zip(keyword, keyword_reads, strict=True)
        },
        fences=owned,
    )


async def _fences_if_alone(
    driver: ShardDriver, refs: Sequence[GroupRef], deadline: Deadline, *, alone: bool
) -> Mapping[str, Fence]:
    return await driver.read_fences(refs, deadline) if alone else {}


async def _expand(queries: Sequence[ExpandQuery], deadline: Deadline, driver: ShardDriver) -> ExpandRead:
    return await driver.expand(queries, deadline)


async def _fetch(
    kind: Kind,
    wanted: Mapping[GroupRef, Sequence[str]],
    with_vectors: bool,
    deadline: Deadline,
    driver: ShardDriver,
) -> Mapping[str, RowsRead]:
    return await driver.fetch_rows(kind, wanted, with_vectors, deadline)


def _owns(fence: Fence | None) -> bool:
    return fence is not None and fence.owns


def _corpus(scope: SearchScope, kind: Kind, answers: Sequence[_ShardCandidates]) -> bm25.CorpusStats:
    """N and lengths from the fences of the searched groups, document frequencies from the shards."""
    counts = [fence.stats[kind] for fence in scope.fences.values()]
    return bm25.merge_stats(
        [
            bm25.CorpusStats(sum(c.rows for c in counts), sum(c.terms for c in counts), {}),
            *(bm25.CorpusStats(0, 0, answer.document_frequency.get(kind, {})) for answer in answers),
        ]
    )

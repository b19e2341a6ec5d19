"""The graph method: what hangs on given origins, or on the best hits of the other methods.

Without given origins it starts at the entities that semantic and keyword search found and at the ends of the
facts that they found, each weighing 1 / its rank (where there are neither, at the entities that the best
episodes mention); a given origin weighs 1. Facts that hold at the time of the
search lead from entity to entity; facts themselves are found along those that pass their own filter.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from drivers.deadline import Deadline
from drivers.filters import NO_FILTER, RowFilter, matches
from drivers.graph_model import AnyRow, Fact, Kind
from drivers.row_key import RowKey
from gateway.search.request import ResultSpec, Search
from gateway.search.result import EmptyReason, RankedRow, WalkReport
from gateway.search.walk import Expand, Walk, over_mentions, ranked, walk_facts
from shard_router.candidates import Candidates
from shard_router.expansion import Expansion
from shard_router.fusion import Method, weighted_rrf
from shard_router.scatter import Scatter
from shard_router.search_scope import SearchScope

SEED_FACTS = 10
SEED_ENTITIES = 10
SEED_EPISODES = 10
EDGES_PER_ENTITY_MAX = 100
"""Bound of the expansion at a hub; the newest edges are taken."""
FILTERED_MAX = 2_000
"""Reached rows of one kind that are read to see whether they pass a filter."""


@dataclass(frozen=True, slots=True)
class GraphRanking:
    rows: Sequence[RankedRow]
    report: WalkReport


@dataclass(frozen=True, slots=True)
class _Seeds:
    """Where a walk starts."""

    weights: Mapping[RowKey, float]
    cut: bool = False
    """A bound left some out."""


class GraphMethod:
    """Of one search."""

    def __init__(self, scatter: Scatter, search: Search, scope: SearchScope, deadline: Deadline) -> None:
        self._scatter = scatter
        self._search = search
        self._scope = scope
        self._deadline = deadline
        self._walks: dict[tuple[RowFilter, int], Walk] = {}

    async def rankings(
        self, candidates: Mapping[Kind, Candidates], origins: Sequence[RowKey]
    ) -> Mapping[Kind, GraphRanking]:
        """Of every kind that asks for the method. `origins`: those of the request that exist."""
        specs = [spec for spec in self._search.results if spec.weights.get(Method.GRAPH)]
        if not specs:
            return {}
        given = bool(self._search.origins)
        seeds = _Seeds(dict.fromkeys(origins, 1.0)) if given else await self._seeds(candidates)
        found: dict[Kind, GraphRanking] = {}
        for spec in specs:
            if seeds.weights:
                found[spec.kind] = await self._ranking(spec, seeds)
            else:
                empty = EmptyReason.ORIGINS_MISSING if given else EmptyReason.NO_ORIGINS
                found[spec.kind] = GraphRanking((), WalkReport(0, 0, cut=False, empty=empty))
        return found

    async def _seeds(self, candidates: Mapping[Kind, Candidates]) -> _Seeds:
        facts = best(candidates[Kind.FACT], SEED_FACTS, self._search.rrf_k)
        entities = best(candidates[Kind.ENTITY], SEED_ENTITIES, self._search.rrf_k)
        rows = await self._scatter.rows(self._scope, Kind.FACT, facts, False, self._deadline)
        weights = seed_weights(entities, facts, rows)
        if weights or Kind.EPISODE not in candidates:
            return _Seeds(weights)
        return await self._mentioned(best(candidates[Kind.EPISODE], SEED_EPISODES, self._search.rrf_k))

    async def _mentioned(self, episodes: Sequence[RowKey]) -> _Seeds:
        """Where no entity and no fact was found: the entities of the best episodes."""
        asked: dict[str, list[str]] = defaultdict(list)
        for key in episodes:
            asked[key.group_id].append(key.uuid)
        found = await self._scatter.expand(
            self._scope, asked, Kind.MENTION, EDGES_PER_ENTITY_MAX, self._deadline, origin=Kind.EPISODE
        )
        rank_of = {key: rank for rank, key in enumerate(episodes, start=1)}
        weights: dict[RowKey, list[float]] = defaultdict(list)
        for group_id, mentions in found.by_group.items():
            for mention in mentions:
                rank = rank_of.get(RowKey(group_id, mention.source_uuid))
                if rank is not None:
                    weights[RowKey(group_id, mention.target_uuid)].append(1 / rank)
        return _Seeds({key: fsum(parts) for key, parts in weights.items()}, found.cut)

    async def _ranking(self, spec: ResultSpec, seeds: _Seeds) -> GraphRanking:
        origins, hops = seeds.weights, self._search.hops
        match spec.kind:
            case Kind.FACT:
                walk = await self._walk(origins, spec.filter, hops)
                rows, cut, walked = ranked(walk.facts), walk.cut, walk.hops
            case Kind.ENTITY:
                walk = await self._walk(origins, self._search.walked, hops)
                rows, cut, walked = ranked(walk.entities), walk.cut, walk.hops
            case _:
                walk = await self._walk(origins, self._search.walked, hops - 1)
                episodes, too_many = await over_mentions(walk, hops, self._along(Kind.MENTION, NO_FILTER))
                rows, cut, walked = ranked(episodes), walk.cut or too_many, walk.hops + 1
        if spec.kind is not Kind.FACT and spec.filter != NO_FILTER:
            rows, unread = await self._passing(spec, rows)
            cut = cut or unread
        rows = rows[: spec.window]
        score_min = spec.method_score_min.get(Method.GRAPH)
        if score_min is not None:
            rows = [row for row in rows if row.score >= score_min]
        empty = None if rows else EmptyReason.NOTHING_ATTACHED
        return GraphRanking(rows, WalkReport(len(origins), walked, cut or seeds.cut, empty))

    async def _walk(self, origins: Mapping[RowKey, float], wanted: RowFilter, hops: int) -> Walk:
        """Kinds that walk the same facts share the walk."""
        walk = self._walks.get((wanted, hops))
        if walk is None:
            walk = await walk_facts(origins, hops, self._along(Kind.FACT, wanted))
            self._walks[wanted, hops] = walk
        return walk

    def _along(self, kind: Kind, wanted: RowFilter) -> Expand:
        async def expand(entities: Mapping[str, Sequence[str]]) -> Expansion:
            return await self._scatter.expand(
                self._scope, entities, kind, EDGES_PER_ENTITY_MAX, self._deadline, wanted
            )

        return expand

    async def _passing(self, spec: ResultSpec, rows: Sequence[RankedRow]) -> tuple[list[RankedRow], bool]:
        """As many as the window holds, in order; and whether some were left unread."""
        passing: list[RankedRow] = []
        for start in range(0, min(len(rows), FILTERED_MAX), spec.window):
            part = rows[start : start + spec.window]
            read = await self._scatter.rows(
                self._scope, spec.kind, [row.key for row in part], False, self._deadline
            )
            passing += [row for row in part if row.key in read and matches(read[row.key], spec.filter)]
            if len(passing) >= spec.window:
                return passing[: spec.window], False
        return passing, len(rows) > FILTERED_MAX


def best(candidates: Candidates, limit: int, k: int) -> list[RowKey]:
    """The best rows of semantic and keyword together, by RRF with equal weights."""
    rankings = {
        Method.SEMANTIC: [hit.key for hit in candidates.semantic],
        Method.KEYWORD: [hit.key for hit in candidates.keyword],
    }
    fused = weighted_rrf(rankings, dict.fromkeys(rankings, 1.0), k)
    return [hit.key for hit in fused[:limit]]


def seed_weights(
    entities: Sequence[RowKey], facts: Sequence[RowKey], fact_rows: Mapping[RowKey, AnyRow]
) -> Mapping[RowKey, float]:
    """By entity. `entities` and `facts` best first; a fact that is not in `fact_rows` any more gives none."""
    weights: dict[RowKey, float] = defaultdict(float)
    for rank, key in enumerate(entities[:SEED_ENTITIES], start=1):
        weights[key] += 1 / rank
    for rank, key in enumerate(facts[:SEED_FACTS], start=1):
        row = fact_rows.get(key)
        if isinstance(row, Fact):
            for end in {row.source_uuid, row.target_uuid}:
                weights[RowKey(key.group_id, end)] += 1 / rank
    return weights

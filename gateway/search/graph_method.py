"""The graph method: what hangs on given origins, or on the best hits of the other methods (seeds.py).

A given origin weighs 1. Facts that hold at the time of the search lead from entity to entity, whether they
and the entities on the way are wanted or not. What is found must pass the result's own filter, which the
shards apply before they cut.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.deadline import Deadline
from drivers.filters import NO_FILTER, RowFilter, matches
from drivers.graph_model import Kind
from drivers.row_key import RowKey
from gateway.search.request import ResultSpec, Search
from gateway.search.result import EmptyReason, RankedRow, WalkReport
from gateway.search.seeds import Seeds, SeedSearch
from gateway.search.walk import Attached, Expand, Walk, attached, ranked, walk_facts
from shard_router.expansion import Expansion
from shard_router.fusion import Method
from shard_router.scatter import Scatter
from shard_router.search_scope import SearchScope

EDGES_PER_ENTITY_MAX = 100
"""Bound of the expansion at a hub; the newest edges are taken."""


@dataclass(frozen=True, slots=True)
class GraphRanking:
    rows: Sequence[RankedRow]
    report: WalkReport


class GraphMethod:
    """Of one search."""

    def __init__(self, scatter: Scatter, search: Search, scope: SearchScope, deadline: Deadline) -> None:
        self._scatter = scatter
        self._search = search
        self._scope = scope
        self._deadline = deadline
        self._walks: dict[int, Walk] = {}

    async def rankings(self, seeds: SeedSearch, origins: Sequence[RowKey]) -> Mapping[Kind, GraphRanking]:
        """Of every kind that asks for the method. `origins`: those of the request that exist."""
        specs = [spec for spec in self._search.results if spec.weights.get(Method.GRAPH)]
        if not specs:
            return {}
        given = bool(self._search.origins)
        start = Seeds(dict.fromkeys(origins, 1.0)) if given else await seeds.seeds()
        found: dict[Kind, GraphRanking] = {}
        for spec in specs:
            if start.weights:
                found[spec.kind] = await self._ranking(spec, start)
            else:
                empty = EmptyReason.ORIGINS_MISSING if given else EmptyReason.NO_ORIGINS
                found[spec.kind] = GraphRanking((), WalkReport(0, 0, cut=False, empty=empty))
        return found

    async def _ranking(self, spec: ResultSpec, seeds: Seeds) -> GraphRanking:
        found = await self._attached(spec, seeds.weights)
        score_min = spec.method_score_min.get(Method.GRAPH)
        rows = [row for row in ranked(found.rows) if score_min is None or row.score >= score_min]
        empty = None
        if not rows:
            empty = EmptyReason.BELOW_MINIMUM if found.rows else EmptyReason.NOTHING_ATTACHED
        report = WalkReport(len(seeds.weights), found.hops, found.cut or seeds.cut, empty)
        return GraphRanking(rows[: spec.window], report)

    async def _attached(self, spec: ResultSpec, origins: Mapping[RowKey, float]) -> Attached:
        walked, hops = self._search.walked, self._search.hops
        match spec.kind:
            case Kind.FACT:
                if spec.filter == walked:
                    walk = await self._walk(origins, hops)
                    return Attached(walk.facts, walk.hops, walk.cut)
                along = self._along(Kind.FACT, spec.filter)
            case Kind.ENTITY:
                if spec.filter == NO_FILTER:
                    walk = await self._walk(origins, hops)
                    return Attached(walk.entities, walk.hops, walk.cut)
                along = self._along(Kind.FACT, walked, spec.filter)
            case _:
                known = RowFilter(known_at=walked.known_at)
                along = self._along(Kind.MENTION, known, spec.filter)
        found = await attached(await self._walk(origins, hops - 1), hops, spec.kind, along)
        if spec.kind is not Kind.ENTITY:
            return found
        unwanted = await self._failing(origins.keys() & found.rows.keys(), spec.filter)
        rows = {key: reached for key, reached in found.rows.items() if key not in unwanted}
        return Attached(rows, found.hops, found.cut)

    async def _walk(self, origins: Mapping[RowKey, float], hops: int) -> Walk:
        """Kinds share a walk."""
        walk = self._walks.get(hops)
        if walk is None:
            walk = await walk_facts(origins, hops, self._along(Kind.FACT, self._search.walked))
            self._walks[hops] = walk
        return walk

    def _along(self, kind: Kind, wanted: RowFilter, far: RowFilter = NO_FILTER) -> Expand:
        async def expand(entities: Mapping[str, Sequence[str]]) -> Expansion:
            return await self._scatter.expand(
                self._scope,
                entities,
                kind,
                EDGES_PER_ENTITY_MAX,
                self._deadline,
                wanted,
                far_filter=far,
            )

        return expand

    async def _failing(self, entities: set[RowKey], wanted: RowFilter) -> set[RowKey]:
        rows = await self._scatter.rows(self._scope, Kind.ENTITY, sorted(entities), False, self._deadline)
        return {key for key in entities if key not in rows or not matches(rows[key], wanted)}

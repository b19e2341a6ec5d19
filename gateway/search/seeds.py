"""Where a walk starts that the request gives no origins: at what semantic and keyword search find best.

At the best entities and the ends of the best facts, each weighing 1 / its rank; where there are neither, at
the entities that the best episodes mention.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from drivers.deadline import Deadline
from drivers.filters import RowFilter
from drivers.graph_model import AnyRow, Fact, Kind
from drivers.row_key import RowKey
from gateway.search.candidates import SEED_KINDS, seed_candidates
from gateway.search.query_vector import QueryVector
from gateway.search.request import Search
from shard_router.candidates import Candidates
from shard_router.fusion import Method, weighted_rrf
from shard_router.scatter import Scatter
from shard_router.search_scope import SearchScope

SEED_FACTS = 10
SEED_ENTITIES = 10
SEED_EPISODES = 10
MENTIONS_PER_EPISODE_MAX = 100
"""The newest."""


@dataclass(frozen=True, slots=True)
class Seeds:
    weights: Mapping[RowKey, float]
    """By entity."""
    cut: bool = False
    """A bound left some out."""


class SeedSearch:
    """Of one search."""

    def __init__(
        self,
        scatter: Scatter,
        search: Search,
        scope: SearchScope,
        deadline: Deadline,
        vector: QueryVector | None,
        found: Mapping[Kind, Candidates],
    ) -> None:
        """`found`: the candidates of the search."""
        self._scatter = scatter
        self._search = search
        self._scope = scope
        self._deadline = deadline
        self._vector = vector
        self._found = found

    async def seeds(self) -> Seeds:
        best_of = await self._best(SEED_KINDS)
        entities, facts = best_of[Kind.ENTITY][:SEED_ENTITIES], best_of[Kind.FACT][:SEED_FACTS]
        rows = await self._scatter.rows(self._scope, Kind.FACT, facts, False, self._deadline)
        weights = seed_weights(entities, facts, rows)
        if weights:
            return Seeds(weights)
        episodes = (await self._best((Kind.EPISODE,)))[Kind.EPISODE][:SEED_EPISODES]
        return await self._mentioned(episodes)

    async def _best(self, kinds: Sequence[Kind]) -> Mapping[Kind, list[RowKey]]:
        """Without the rows of groups that were lost since."""
        candidates = await seed_candidates(
            kinds, self._found, self._search, self._vector, self._scope, self._scatter, self._deadline
        )
        ranked = {kind: best(candidates[kind], self._search.rrf_k) for kind in kinds if kind in candidates}
        return {
            kind: [key for key in ranked.get(kind, ()) if key.group_id in self._scope.fences]
            for kind in kinds
        }

    async def _mentioned(self, episodes: Sequence[RowKey]) -> Seeds:
        asked: dict[str, list[str]] = defaultdict(list)
        for key in episodes:
            asked[key.group_id].append(key.uuid)
        found = await self._scatter.expand(
            self._scope,
            asked,
            Kind.MENTION,
            MENTIONS_PER_EPISODE_MAX,
            self._deadline,
            RowFilter(known_at=self._search.walked.known_at),
            Kind.EPISODE,
        )
        rank_of = {key: rank for rank, key in enumerate(episodes, start=1)}
        weights: dict[RowKey, list[float]] = defaultdict(list)
        for group_id, mentions in found.by_group.items():
            for mention in mentions:
                rank = rank_of.get(RowKey(group_id, mention.source_uuid))
                if rank is not None:
                    weights[RowKey(group_id, mention.target_uuid)].append(1 / rank)
        return Seeds({key: fsum(parts) for key, parts in weights.items()}, found.cut)


def best(candidates: Candidates, k: int) -> list[RowKey]:
    """Semantic and keyword together, by RRF with equal weights."""
    rankings = {
        Method.SEMANTIC: [hit.key for hit in candidates.semantic],
        Method.KEYWORD: [hit.key for hit in candidates.keyword],
    }
    return [hit.key for hit in weighted_rrf(rankings, dict.fromkeys(rankings, 1.0), k)]


def seed_weights(
    entities: Sequence[RowKey], facts: Sequence[RowKey], fact_rows: Mapping[RowKey, AnyRow]
) -> Mapping[RowKey, float]:
    """By entity. `entities` and `facts` best first; a fact that is not in `fact_rows` any more gives none."""
    weights: dict[RowKey, float] = defaultdict(float)
    for rank, key in enumerate(entities, start=1):
        weights[key] += 1 / rank
    for rank, key in enumerate(facts, start=1):
        row = fact_rows.get(key)
        if isinstance(row, Fact):
            for end in {row.source_uuid, row.target_uuid}:
                weights[RowKey(key.group_id, end)] += 1 / rank
    return weights

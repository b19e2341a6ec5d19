"""Gives the best rows of a fusion to the reranker that was asked for, with what it must know of the graph."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from drivers.deadline import Deadline
from drivers.filters import NO_FILTER, RowFilter
from drivers.graph_model import Kind
from drivers.row_key import RowKey
from gateway.rerank.port import CrossEncoder
from gateway.search.graph_method import EDGES_PER_ENTITY_MAX
from gateway.search.query_vector import Fit, QueryVector
from gateway.search.request import CrossEncoding, EpisodeMentions, Mmr, NodeDistance, ResultSpec, Rrf, Search
from gateway.search.rerankers.cross_encoding import by_cross_encoder
from gateway.search.rerankers.episode_mentions import (
    ENTITIES_PER_READ_MAX,
    MENTIONS_COUNTED_MAX,
    by_mentions,
)
from gateway.search.rerankers.mmr import mmr
from gateway.search.rerankers.node_distance import (
    EDGES_TO_CANDIDATES_MAX,
    by_distance,
    distances,
    entities_of,
)
from gateway.search.rerankers.order import Candidate, Reranking, unchanged
from shard_router.expansion import Expansion
from shard_router.scatter import Scatter
from shard_router.search_scope import SearchScope

NOT_ASKED = "NOT_ASKED"
CENTER_MISSING = "CENTER_MISSING"
NO_QUERY_VECTOR = "NO_QUERY_VECTOR"


class Rerankers:
    """Of one search."""

    def __init__(
        self,
        scatter: Scatter,
        cross_encoder: CrossEncoder,
        search: Search,
        scope: SearchScope,
        deadline: Deadline,
    ) -> None:
        self._scatter = scatter
        self._cross_encoder = cross_encoder
        self._search = search
        self._scope = scope
        self._deadline = deadline

    async def rerank(
        self,
        spec: ResultSpec,
        candidates: Sequence[Candidate],
        vector: QueryVector | None,
        fit: Fit,
        center: RowKey | None,
    ) -> Reranking:
        """`candidates` by fused score; `center`: the request's, if it exists."""
        match spec.reranker:
            case Rrf():
                return unchanged(candidates, NOT_ASKED)
            case Mmr(relevance_weight):
                if vector is None:
                    return unchanged(candidates, NO_QUERY_VECTOR)
                return mmr(
                    candidates,
                    vector.values,
                    relevance_weight,
                    spec.limit,
                    lambda key: fit.comparable(spec.kind, key.group_id),
                )
            case NodeDistance():
                if center is None:
                    return unchanged(candidates, CENTER_MISSING)
                return await self._by_distance(candidates, center)
            case EpisodeMentions():
                if spec.kind is not Kind.ENTITY:
                    return by_mentions(candidates, {})
                counted, cut = await self._mentions(candidates)
                return by_mentions(candidates, counted, cut=cut)
            case CrossEncoding(timeout_s):
                return await by_cross_encoder(
                    candidates, self._search.text, self._cross_encoder, timeout_s, self._deadline
                )

    async def _by_distance(self, candidates: Sequence[Candidate], center: RowKey) -> Reranking:
        async def expand(
            entities: Mapping[str, Sequence[str]], edges_max: int, far_filter: RowFilter
        ) -> Expansion:
            return await self._scatter.expand(
                self._scope,
                entities,
                Kind.FACT,
                edges_max,
                self._deadline,
                self._search.walked,
                far_filter=far_filter,
            )

        wanted = entities_of(candidates, center.group_id)
        reached, cut = await distances(
            center,
            wanted,
            partial(expand, edges_max=EDGES_PER_ENTITY_MAX, far_filter=NO_FILTER),
            partial(
                expand, edges_max=EDGES_TO_CANDIDATES_MAX, far_filter=RowFilter(uuids=tuple(sorted(wanted)))
            ),
        )
        return by_distance(candidates, center, reached, cut=cut)

    async def _mentions(self, candidates: Sequence[Candidate]) -> tuple[Mapping[RowKey, int], bool]:
        """Those that were known at the time of the search; and whether a bound left some out."""
        known = RowFilter(known_at=self._search.walked.known_at)
        counted: Counter[RowKey] = Counter()
        cut = False
        for start in range(0, len(candidates), ENTITIES_PER_READ_MAX):
            asked: dict[str, list[str]] = {}
            for candidate in candidates[start : start + ENTITIES_PER_READ_MAX]:
                asked.setdefault(candidate.key.group_id, []).append(candidate.key.uuid)
            found = await self._scatter.expand(
                self._scope, asked, Kind.MENTION, MENTIONS_COUNTED_MAX, self._deadline, known
            )
            cut |= found.cut
            counted.update(
                RowKey(group_id, mention.target_uuid)
                for group_id, mentions in found.by_group.items()
                for mention in mentions
            )
        return counted, cut

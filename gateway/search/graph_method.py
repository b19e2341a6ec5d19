"""The graph method: what hangs on the best hits of the other methods, by distance, then by support.

Seeds are the entities that semantic and keyword search found and the ends of the facts that they
found. Each seed weighs 1 / its rank. A row one hop away has as support the sum of the weights of the
seeds that lead to it; its score is support / distance.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from drivers.contract import ExpandedEdge, ScoredRow
from drivers.graph_model import AnyRow, Fact
from drivers.row_key import RowKey
from shard_router.fusion import Method, merge_method, weighted_rrf
from shard_router.scatter import Candidates

SEED_FACTS = 10
SEED_ENTITIES = 10
EDGES_PER_ENTITY_MAX = 100
"""Bound of the expansion at a hub; the newest edges are taken."""


@dataclass(frozen=True, slots=True)
class Seeds:
    weights: Mapping[RowKey, float]
    """By entity."""

    def by_group(self) -> Mapping[str, tuple[str, ...]]:
        groups: dict[str, list[str]] = defaultdict(list)
        for key in self.weights:
            groups[key.group_id].append(key.uuid)
        return {group_id: tuple(uuids) for group_id, uuids in groups.items()}


def best(candidates: Candidates, limit: int, k: int) -> list[RowKey]:
    """The best rows of semantic and keyword together, by RRF with equal weights."""
    rankings = {
        Method.SEMANTIC: [hit.key for hit in candidates.semantic],
        Method.KEYWORD: [hit.key for hit in candidates.keyword],
    }
    fused = weighted_rrf(rankings, dict.fromkeys(rankings, 1.0), k)
    return [hit.key for hit in fused[:limit]]


def seeds(entities: Sequence[RowKey], facts: Sequence[RowKey], fact_rows: Mapping[RowKey, AnyRow]) -> Seeds:
    """`entities` and `facts` best first. A fact that is not in `fact_rows` any more gives no seed."""
    weights: dict[RowKey, float] = defaultdict(float)
    for rank, key in enumerate(entities[:SEED_ENTITIES], start=1):
        weights[key] += 1 / rank
    for rank, key in enumerate(facts[:SEED_FACTS], start=1):
        row = fact_rows.get(key)
        if isinstance(row, Fact):
            for end in {row.source_uuid, row.target_uuid}:
                weights[RowKey(key.group_id, end)] += 1 / rank
    return Seeds(dict(weights))


def ranked_facts(seeds: Seeds, edges: Mapping[str, Sequence[ExpandedEdge]], limit: int) -> list[ScoredRow]:
    """Facts of the seeds; support comes from both ends."""
    return _ranked(
        (
            (RowKey(group_id, edge.uuid), RowKey(group_id, end))
            for group_id, found in edges.items()
            for edge in found
            for end in {edge.source_uuid, edge.target_uuid}
        ),
        seeds,
        limit,
    )


def ranked_entities(seeds: Seeds, edges: Mapping[str, Sequence[ExpandedEdge]], limit: int) -> list[ScoredRow]:
    """Entities at the other end of the seeds' facts."""
    return _ranked(
        (
            (RowKey(group_id, reached), RowKey(group_id, seed))
            for group_id, found in edges.items()
            for edge in found
            for seed, reached in (
                (edge.source_uuid, edge.target_uuid),
                (edge.target_uuid, edge.source_uuid),
            )
            if seed != reached
        ),
        seeds,
        limit,
    )


def ranked_episodes(
    seeds: Seeds, mentions: Mapping[str, Sequence[ExpandedEdge]], limit: int
) -> list[ScoredRow]:
    """Episodes that mention the seeds."""
    return _ranked(
        (
            (RowKey(group_id, edge.source_uuid), RowKey(group_id, edge.target_uuid))
            for group_id, found in mentions.items()
            for edge in found
        ),
        seeds,
        limit,
    )


def _ranked(pairs: Iterable[tuple[RowKey, RowKey]], seeds: Seeds, limit: int) -> list[ScoredRow]:
    """`pairs`: (row reached, entity it was reached from). Everything here is one hop away."""
    support: dict[RowKey, float] = defaultdict(float)
    for reached, origin in pairs:
        weight = seeds.weights.get(origin)
        if weight is not None:
            support[reached] += weight
    return merge_method([[ScoredRow(key, score) for key, score in support.items()]], limit)

"""Rows near a centre entity first."""

from collections.abc import Mapping, Sequence

from drivers.graph_model import Fact
from drivers.row_key import RowKey
from gateway.search.rerankers.order import Candidate, Reranking, by_score
from gateway.search.walk import Reached

HOPS = 3
"""Further away is as far as not connected."""


def by_distance(
    candidates: Sequence[Candidate], center: RowKey, reached: Mapping[RowKey, Reached]
) -> Reranking:
    """Score 1 / (1 + facts between the centre and the entity, of a fact its nearer end); 0: not reached.

    `reached`: what a walk of HOPS from the centre found.
    """

    def of_entity(key: RowKey) -> float:
        if key == center:
            return 1.0
        at = reached.get(key)
        return 0.0 if at is None else 1 / (1 + at.distance)

    def score(candidate: Candidate) -> float:
        if isinstance(candidate.row, Fact):
            ends = (candidate.row.source_uuid, candidate.row.target_uuid)
            return max(of_entity(RowKey(candidate.key.group_id, end)) for end in ends)
        return of_entity(candidate.key)

    return by_score(candidates, score)

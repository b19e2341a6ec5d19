"""Rows that many episodes speak of first."""

from collections.abc import Mapping, Sequence

from drivers.graph_model import Fact
from drivers.row_key import RowKey
from gateway.search.rerankers.order import Candidate, Reranking, by_score

MENTIONS_COUNTED_MAX = 200
"""Of one entity."""
ENTITIES_PER_READ_MAX = 100
"""Whose mentions are counted at once."""


def by_mentions(
    candidates: Sequence[Candidate], mentions: Mapping[RowKey, int], *, cut: bool = False
) -> Reranking:
    """Of a fact its episodes count, of an entity the `mentions` that were counted; `cut`: some were not."""

    def score(candidate: Candidate) -> float:
        if isinstance(candidate.row, Fact):
            return float(len(candidate.row.episodes))
        return float(mentions.get(candidate.key, 0))

    return by_score(candidates, score, cut=cut)

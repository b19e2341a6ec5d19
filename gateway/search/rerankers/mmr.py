"""Maximal marginal relevance: what is relevant and not yet said.

Carbonell and Goldstein, "The use of MMR, diversity-based reranking" (1998), one row after the other: the next
is argmax of lambda * cos(query, row) - (1 - lambda) * max of cos(row, chosen).
"""

from collections.abc import Callable, Sequence

import numpy as np

from drivers.graph_model import Vector
from drivers.row_key import RowKey
from gateway.search.rerankers.order import Candidate, Reranking
from gateway.search.result import RankedRow, RerankReport

LEAST = -1.0
"""The least value that the formula can give; rows without a vector get it."""


def mmr(
    candidates: Sequence[Candidate],
    query: Vector,
    relevance_weight: float,
    limit: int,
    comparable: Callable[[RowKey], bool],
) -> Reranking:
    """The `limit` best. Rows without a vector, with one of another dimension, or for which `comparable` is
    false follow in the order of the fusion. Equal values keep that order too."""
    vectors = {
        position: vector.astype(np.float64)
        for position, candidate in enumerate(candidates)
        if (vector := _vector(candidate)) is not None
        and vector.shape == query.shape
        and comparable(candidate.key)
    }
    chosen: list[RankedRow] = []
    if vectors:
        positions = list(vectors)
        matrix = np.stack(list(vectors.values()))
        relevance = matrix @ query.astype(np.float64)
        similarities = matrix @ matrix.T
        nearest = np.zeros(len(positions))
        left = np.ones(len(positions), dtype=bool)
        for turn in range(min(limit, len(positions))):
            redundancy = nearest if turn else 0.0
            value = relevance_weight * relevance - (1 - relevance_weight) * redundancy
            # Rounded, so that the last bits of a sum decide no tie.
            best = int(np.argmax(np.where(left, np.round(value, 9), -np.inf)))
            chosen.append(RankedRow(candidates[positions[best]].key, round(float(value[best]), 9)))
            left[best] = False
            nearest = np.maximum(nearest, similarities[best]) if turn else similarities[best]
    rest = [RankedRow(row.key, LEAST) for position, row in enumerate(candidates) if position not in vectors]
    return Reranking([*chosen, *rest][:limit], RerankReport(reranked=True))


def _vector(candidate: Candidate) -> Vector | None:
    vector: Vector | None = getattr(candidate.row, "embedding", None)
    return vector

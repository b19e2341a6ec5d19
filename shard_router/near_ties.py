"""Semantic scores that two engines would order differently, and the exact scores that settle them.

Engines compute the same cosine with different last bits (float32 sums in another order), so rows whose
scores agree to about the seventh decimal may change places between layouts. Such rows are scored once
more at the gateway from their stored vectors, in double precision, which every layout repeats.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from drivers.graph_model import Vector
from drivers.row_key import RowKey
from drivers.search_reads import ScoredRow

EPSILON = 3e-6
"""A unit of the last decimal that ranks, plus twice the largest difference between the engines' cosines
(about 5e-7 at 384 dimensions), and half as much again for safety."""

RESCORED_MAX = 512
"""Rows of one kind that are scored again, best first: more than the largest window of 400 with what a few
shards add to it. Rows past that keep their engines' scores: where hundreds of rows nearly tie, the end of a
long list may differ between layouts."""


def near_ties(hits: Sequence[ScoredRow], limit: int) -> list[RowKey]:
    """Rows among those that can reach the best `limit` whose order the engines may dispute.

    `hits`: any order, unrounded. A run of bit-equal scores alone is not disputed: its order is by key.
    """
    ordered = sorted(hits, key=lambda hit: -hit.score)
    disputed: list[RowKey] = []
    run: list[ScoredRow] = []
    for position, hit in enumerate(ordered):
        if run and run[-1].score - hit.score > EPSILON:
            disputed += _disputed(run)
            if position >= limit:
                return disputed[:RESCORED_MAX]
            run = []
        run.append(hit)
    return (disputed + _disputed(run))[:RESCORED_MAX]


def _disputed(run: Sequence[ScoredRow]) -> list[RowKey]:
    return [] if len({hit.score for hit in run}) == 1 else [hit.key for hit in run]


def exact_cosine(query: Vector, vector: Vector) -> float:
    """In double precision, from the stored float32 values."""
    a, b = query.astype(np.float64), vector.astype(np.float64)
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def settled(hits: Sequence[ScoredRow], exact: Mapping[RowKey, float]) -> list[ScoredRow]:
    """The hits with exact scores where there are some."""
    return [ScoredRow(hit.key, exact.get(hit.key, hit.score)) for hit in hits]

"""Merges what the shards found into the one ranking that a single database would have given.

Two steps, in this order: the candidates of each method are merged over all shards by their comparable
score; then the methods' rankings are fused once by weighted reciprocal ranks. Fusing on every shard and
merging afterwards would rank each shard's best row first, whatever it is worth.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from drivers.row_key import RowKey
from drivers.search_reads import ScoredRow

SCORE_DECIMALS = 6
"""Scores that agree to this many decimals are equal: engines differ in the last bits of the same cosine."""
FUSED_DECIMALS = 12
"""Fused scores that agree to this many decimals are equal: 1/21 + 1/70 and 1/30 + 1/35 are the same number,
but not the same float."""
RRF_K_DEFAULT = 60.0


class Method(StrEnum):
    """How a candidate was found."""

    SEMANTIC = "SEMANTIC"
    KEYWORD = "KEYWORD"
    GRAPH = "GRAPH"


@dataclass(frozen=True, slots=True)
class FusedHit:
    key: RowKey
    score: float
    """Sum of weight / (k + rank) over the methods that found the row, rounded to FUSED_DECIMALS."""
    ranks: Mapping[Method, int]
    """From 1; a method that did not find the row is absent."""


def merge_method(lists: Iterable[Sequence[ScoredRow]], limit: int) -> list[ScoredRow]:
    """Merge the candidates of one method from all shards into its `limit` best rows.

    Ordered by score rounded to SCORE_DECIMALS (descending), group_id, uuid; scores are returned rounded. A
    row that came twice (from both sides of a move) counts once, with its better score. Scores must be
    comparable between the lists. The result is that of one undivided list if every list holds all its rows
    or at least its `limit` best in this same order: a shard that cuts its list by the unrounded score may cut
    the wrong one of two tied rows.

    Raises ValueError if limit is below 1 or a score is not finite.
    """
    if limit < 1:
        raise ValueError(f"limit {limit} of a merged ranking is below 1; ask for one row at least")
    best: dict[RowKey, float] = {}
    for rows in lists:
        for row in rows:
            if not isfinite(row.score):
                raise ValueError(
                    f"score {row.score} of {row.key} is not finite and has no place in a ranking"
                )
            score = round(row.score, SCORE_DECIMALS)
            if score > best.get(row.key, float("-inf")):
                best[row.key] = score
    ordered = sorted(best.items(), key=lambda item: (-item[1], item[0].group_id, item[0].uuid))
    return [ScoredRow(key, score) for key, score in ordered[:limit]]


def weighted_rrf(
    rankings: Mapping[Method, Sequence[RowKey]], weights: Mapping[Method, float], k: float = RRF_K_DEFAULT
) -> list[FusedHit]:
    """Fuse the rankings of several methods (Cormack, Clarke and Buettcher 2009, with weights).

    score = sum of weight / (k + rank), rank from 1, rounded to FUSED_DECIMALS; ordered by score descending,
    then group_id, uuid. A method of weight 0 takes no part. What is equal in exact arithmetic ties, so that
    neither the order of the methods nor that of the rows decides.

    Raises ValueError if k or a weight is negative or not finite, a method has no weight, or a ranking names a
    row twice.
    """
    if not (isfinite(k) and k >= 0):
        raise ValueError(f"k {k} of reciprocal rank fusion is not a finite number of 0 or more")
    scores: dict[RowKey, float] = {}
    ranks: dict[RowKey, dict[Method, int]] = {}
    # In one order, whatever that of the arguments: sums of floats depend on it.
    for method in sorted(rankings):
        weight = weights.get(method)
        if weight is None or not (isfinite(weight) and weight >= 0):
            raise ValueError(f"weight {weight} of method {method} is not a finite number of 0 or more")
        if weight == 0:
            continue
        for rank, key in enumerate(rankings[method], start=1):
            of_row = ranks.get(key)
            if of_row is None:
                ranks[key] = {method: rank}
                scores[key] = weight / (k + rank)
            elif method in of_row:
                raise ValueError(f"{key} is in the {method} ranking twice; merge the shards' lists first")
            else:
                of_row[method] = rank
                scores[key] += weight / (k + rank)
    ordered = sorted((-round(score, FUSED_DECIMALS), key) for key, score in scores.items())
    return [FusedHit(key, -score, ranks[key]) for score, key in ordered]

"""Figures of one ranking and of a series of latencies. A ranking lists uuids without repeats, best first."""

import math
from collections.abc import Collection, Sequence


def recall_at(k: int, ranking: Sequence[str], gold: Collection[str]) -> float:
    """|gold in the first k| / |gold|: Manning, Raghavan, Schütze, Introduction to Information Retrieval, 8.3.

    `gold` must not be empty, as for the others.
    """
    return len(set(ranking[:k]) & set(gold)) / len(gold)


def all_at(k: int, ranking: Sequence[str], gold: Collection[str]) -> float:
    """1 if every gold row is among the first k, else 0: what a question that needs all of them asks for."""
    return float(set(gold) <= set(ranking[:k]))


def ndcg_at(k: int, ranking: Sequence[str], gold: Collection[str]) -> float:
    """Binary nDCG: DCG = sum of 1 / log2(rank + 1) over the gold rows among the first k, rank from 1, divided
    by the DCG of the best possible list, which starts with min(k, |gold|) gold rows.

    Järvelin and Kekäläinen, Cumulated Gain-Based Evaluation of IR Techniques, ACM TOIS 20(4), 2002, in the
    form of Burges et al., Learning to Rank using Gradient Descent, ICML 2005; the original gives ranks 1 and
    2 the same weight.
    """
    gain = sum(_discount(rank) for rank, row in enumerate(ranking[:k], start=1) if row in gold)
    return gain / sum(_discount(rank) for rank in range(1, min(k, len(gold)) + 1))


def overlap_at(k: int, one: Sequence[str], other: Sequence[str]) -> float:
    """Share of rows that the first k of both lists have in common, whatever their order: |A & B| / k.

    Where fewer than k rows were found, the longer list's length stands for k, so that what one list has and
    the other lacks counts as missing; two empty lists agree, 1.
    """
    first, second = set(one[:k]), set(other[:k])
    longer = max(len(first), len(second))
    return len(first & second) / longer if longer else 1.0


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that at least `percent` % of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _discount(rank: int) -> float:
    return 1 / math.log2(rank + 1)

"""Which rows can be among the best of a keyword search, told without looking at them (MaxScore).

A term adds less than its weight to a row's BM25. So once some rows are scored, and the worst of the best
`window` has the score t, only rows count whose terms' weights sum up to t: those with a term that does so
alone, or with one and another of a few. They are asked for by TermClauses; whatever ranking an engine uses,
and wherever the groups lie, the best rows are among the answers.

Turtle and Flood, "Query evaluation: strategies and optimizations", 1995.
"""

from collections.abc import Mapping, Sequence

from drivers.search_reads import CLAUSE_TERMS_MAX, TermClause
from shard_router.fusion import SCORE_DECIMALS

_ROUNDING = 2 * 10.0**-SCORE_DECIMALS
"""A row that scores this much less can still tie with the threshold after both are rounded."""


def clauses_above(weights: Mapping[str, float], threshold: float) -> tuple[TermClause, ...]:
    """Clauses that every row satisfies whose bound reaches the threshold; none when no row can.

    `weights`: most that each term can add. With a threshold of 0 every row with a term passes.
    """
    least = max(threshold - _ROUNDING, 0.0)
    ordered = sorted(
        (term for term, weight in weights.items() if weight > 0), key=lambda term: (-weights[term], term)
    )
    clauses: list[TermClause] = []
    for place, term in enumerate(ordered):
        rest = ordered[place + 1 :]
        missing = least - weights[term]
        if missing <= 0:
            clauses.append(TermClause(term))
        elif others := _needed(rest, weights, missing):
            clauses.append(TermClause(term, others))
    if sum(1 + len(clause.others) for clause in clauses) > CLAUSE_TERMS_MAX:
        return tuple(TermClause(clause.term) for clause in clauses)
    return tuple(clauses)


def _needed(ordered: Sequence[str], weights: Mapping[str, float], missing: float) -> tuple[str, ...]:
    """The terms of which a row must have one to get `missing`; `ordered` by weight, descending."""
    needed = list(ordered)
    without = 0.0
    while needed and without + weights[needed[-1]] < missing:
        without += weights[needed.pop()]
    return tuple(needed)

"""Rows that can be among the best are never left out."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.search_reads import CLAUSE_TERMS_MAX, TermClause
from shard_router.bm25 import CorpusStats, bm25_score, bounds
from shard_router.max_score import clauses_above

TERMS = tuple("abcdefgh")
ROWS = st.lists(
    st.lists(st.sampled_from((*TERMS, "x", "y")), min_size=1, max_size=12), min_size=1, max_size=40
)


def _satisfies(tokens: list[str], clauses: tuple[TermClause, ...]) -> bool:
    return any(c.term in tokens and (not c.others or not set(c.others).isdisjoint(tokens)) for c in clauses)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(rows=ROWS, query=st.lists(st.sampled_from(TERMS), min_size=1, max_size=8), rank=st.integers(0, 39))
def test_every_row_that_reaches_the_threshold_satisfies_a_clause(
    rows: list[list[str]], query: list[str], rank: int
) -> None:
    """Whatever rows and query: a row with at least the score of any known row is asked for, and no term adds
    more than its bound."""
    terms = Counter(query)
    frequency = {term: sum(term in row for row in rows) for term in terms}
    stats = CorpusStats(len(rows), sum(map(len, rows)), frequency)
    scores = [bm25_score(terms, Counter(row), len(row), stats) for row in rows]
    threshold = round(scores[min(rank, len(scores) - 1)], 6)
    most = bounds(terms, stats)
    clauses = clauses_above(most, threshold)
    for row, score in zip(rows, scores, strict=True):
        assert score <= sum(most[term] for term in terms if term in row)
        if score > 0 and round(score, 6) >= threshold:
            assert _satisfies(row, clauses)


def test_terms_that_cannot_reach_the_threshold_are_not_asked_for() -> None:
    """The common terms of a query, which most rows have, are what this saves."""
    weights = {"rare": 6.0, "less": 3.0, "common": 1.0, "every": 0.5, "absent": 0.0}
    assert clauses_above(weights, 5.0) == (TermClause("rare"),)
    assert clauses_above(weights, 7.0) == (TermClause("rare", ("less", "common")),)
    assert clauses_above(weights, 4.0) == (TermClause("rare"), TermClause("less", ("common",)))
    assert clauses_above(weights, 100.0) == ()
    assert {clause.term for clause in clauses_above(weights, 0.0)} == {"rare", "less", "common", "every"}


def test_a_row_that_ties_after_rounding_is_asked_for() -> None:
    """Scores count to six decimals; the last place of a list may be a tie."""
    assert clauses_above({"a": 4.999999}, 5.0) == (TermClause("a"),)
    assert clauses_above({"a": 4.9999}, 5.0) == ()


@pytest.mark.parametrize("count", [16, 64])
def test_clauses_stay_within_what_engines_take(count: int) -> None:
    """Many terms of equal weight need each other; past the limit they are asked for one by one, which finds
    more rows, never fewer."""
    clauses = clauses_above({f"t{n}": 1.0 for n in range(count)}, 1.5)
    assert sum(1 + len(clause.others) for clause in clauses) <= CLAUSE_TERMS_MAX
    assert len(clauses) in (count - 1, count)

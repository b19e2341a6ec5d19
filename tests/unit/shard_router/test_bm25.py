from collections import Counter
from collections.abc import Mapping, Sequence
from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.row_key import RowKey
from drivers.search_reads import KeywordHit, KeywordRead, ScoredRow
from shard_router.bm25 import (
    QUERY_TERMS_MAX,
    CorpusStats,
    best_of,
    bm25_score,
    count_query_terms,
    merge_stats,
    rescore,
)
from shard_router.fusion import merge_method
from shard_router.keyword_counts import CountedRows, counted
from tests.unit.shard_router.steps import ended

PROPERTY = settings(deadline=None, max_examples=200)
TOKENS = st.sampled_from(["ada", "bob", "cat", "dog", "eel", "日本"])
TEXTS = st.lists(TOKENS, max_size=12)
QUERIES = st.lists(TOKENS, min_size=1, max_size=5)
CORPORA = st.lists(TEXTS, max_size=25)


def hits_of(corpus: Sequence[Sequence[str]]) -> list[KeywordHit]:
    return [
        KeywordHit(RowKey(f"group-{number % 3}", f"{number:036d}"), " ".join(tokens), len(tokens))
        for number, tokens in enumerate(corpus)
    ]


def stats_of(hits: Sequence[KeywordHit], query: Sequence[str]) -> CorpusStats:
    """What a shard would report of its rows."""
    frequency = Counter(token for hit in hits for token in set(hit.terms.split()) & set(query))
    return CorpusStats(len(hits), sum(hit.term_count for hit in hits), frequency)


def rows_of(hits: Sequence[KeywordHit], terms: Mapping[str, int]) -> Sequence[CountedRows]:
    return ended(counted(KeywordRead(tuple(hits), {}, {}), terms)).rows


def split(hits: Sequence[KeywordHit], choices: Sequence[int]) -> list[list[KeywordHit]]:
    return [
        [hit for hit, choice in zip(hits, choices, strict=True) if choice == shard] for shard in set(choices)
    ]


def search_with_merged_stats(shards: Sequence[Sequence[KeywordHit]], query: Sequence[str]) -> list[ScoredRow]:
    stats = merge_stats(stats_of(shard, query) for shard in shards)
    terms = count_query_terms(query)
    return rescore([rows for shard in shards for rows in rows_of(shard, terms)], terms, stats)


def search_with_each_shards_stats(
    shards: Sequence[Sequence[KeywordHit]], query: Sequence[str]
) -> list[ScoredRow]:
    """The wrong way: a token that is rare on one shard weighs more there."""
    terms = count_query_terms(query)
    return merge_method(
        [rescore(rows_of(shard, terms), terms, stats_of(shard, query)) for shard in shards], 100
    )


@PROPERTY
@given(CORPORA, QUERIES, st.data())
def test_sharded_keyword_ranking_equals_the_whole(
    corpus: list[list[str]], query: list[str], data: st.DataObject
):
    """Scores and order do not depend on how the rows lie on shards."""
    hits = hits_of(corpus)
    choices = data.draw(st.lists(st.integers(0, 4), min_size=len(hits), max_size=len(hits)))
    assert search_with_merged_stats(split(hits, choices), query) == search_with_merged_stats([hits], query)


def test_statistics_of_each_shard_alone_fail_the_same_check():
    """The check above can fail: it does for scores from local statistics."""
    hits = hits_of([["ada"], ["ada", "bob"], ["ada", "cat"], ["bob"], ["bob", "cat"], ["ada", "dog", "dog"]])
    shards, query = split(hits, [0, 0, 0, 1, 1, 1]), ["ada", "bob"]
    assert search_with_merged_stats(shards, query) == search_with_merged_stats([hits], query)
    with pytest.raises(AssertionError):
        assert search_with_each_shards_stats(shards, query) == search_with_each_shards_stats([hits], query)


@PROPERTY
@given(CORPORA, QUERIES, st.sampled_from([0.0, 0.9, 1.2, 2.0]), st.sampled_from([0.0, 0.4, 0.75, 1.0]))
def test_rescoring_follows_the_published_formula(
    corpus: list[list[str]], query: list[str], k1: float, b: float
):
    """Each row gets Robertson's BM25 with Lucene's idf, written out here; rows without a token are absent."""
    hits = hits_of(corpus)
    stats = stats_of(hits, query)
    expected: dict[RowKey, float] = {}
    for hit, tokens in zip(hits, corpus, strict=True):
        mean = max(sum(map(len, corpus)) / len(corpus), 1)
        for token in query:
            frequency = sum(token in other for other in corpus)
            idf = log(1 + (len(corpus) - frequency + 0.5) / (frequency + 0.5))
            tf = tokens.count(token)
            if tf:
                score = idf * tf / (tf + k1 * (1 - b + b * len(tokens) / mean))
                expected[hit.key] = expected.get(hit.key, 0.0) + score
    terms = count_query_terms(query)
    ranking = rescore(rows_of(hits, terms), terms, stats, k1=k1, b=b)
    assert {row.key: row.score for row in ranking} == pytest.approx(expected, abs=1e-6)
    assert ranking == sorted(ranking, key=lambda row: (-row.score, row.key))
    for hit, tokens in zip(hits, corpus, strict=True):
        score = bm25_score(terms, Counter(tokens), len(tokens), stats, k1=k1, b=b)
        assert score == pytest.approx(expected.get(hit.key, 0.0))


@PROPERTY
@given(st.lists(CORPORA, max_size=4), QUERIES, st.integers(1, 30))
def test_the_best_rows_are_the_first_of_the_whole_ranking(
    shards: list[list[list[str]]], query: list[str], limit: int
):
    """However many rows there are, though many tie for the last places and rows come twice, as they were and
    as they are."""
    terms = count_query_terms(query)
    hits = [hits_of(corpus) for corpus in shards]
    stats = merge_stats(stats_of(of_shard, query) for of_shard in hits)
    rows = [rows for of_shard in hits for rows in rows_of(of_shard, terms)]
    assert best_of(rows, terms, stats, limit) == rescore(rows, terms, stats)[:limit]


def test_thousands_of_ties_are_settled_by_the_key():
    """All rows score alike: the first by group and uuid come, and none is lost to a row that came twice."""
    terms, hits = {"ada": 1}, hits_of([["ada"]] * 3_000)
    stats = stats_of(hits, ["ada"])
    rows = [*rows_of(hits[::2], terms), *rows_of(hits, terms)]
    assert [row.key for row in best_of(rows, terms, stats, 40)] == sorted(hit.key for hit in hits)[:40]


def test_a_score_worked_out_by_hand():
    """Two rows of four tokens each, the token once in one of them: ln 2 / (1 + 1.2)."""
    stats = CorpusStats(rows=2, terms=8, document_frequency={"ada": 1})
    assert bm25_score({"ada": 1}, {"ada": 1}, 4, stats) == pytest.approx(0.693147 / 2.2, abs=1e-6)


@PROPERTY
@given(st.integers(0, 50), st.integers(0, 500), st.integers(0, 200), st.integers(1, 9), st.integers(1, 99))
def test_statistics_older_than_the_rows_never_give_a_match_no_score(
    rows: int, terms: int, frequency: int, tf: int, length: int
):
    """Rows and statistics are read at different moments: a match scores above 0, and more when denser."""
    stats = CorpusStats(rows, terms, {"ada": frequency})
    score = bm25_score({"ada": 1}, {"ada": tf}, length, stats)
    assert score > 0
    assert bm25_score({"ada": 1}, {"ada": tf + 1}, length, stats) > score
    assert bm25_score({"ada": 1}, {"ada": tf}, length + 1, stats) < score
    assert bm25_score({"ada": 2}, {"ada": tf}, length, stats) == pytest.approx(2 * score)


@PROPERTY
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99), st.dictionaries(TOKENS, st.integers(0, 9)))))
def test_statistics_add_up(parts: list[tuple[int, int, dict[str, int]]]):
    """The sum over shards is the statistics of the whole, also where a shard does not know a token."""
    merged = merge_stats(CorpusStats(*part) for part in parts)
    assert (merged.rows, merged.terms) == (sum(part[0] for part in parts), sum(part[1] for part in parts))
    for token in ["ada", "bob", "cat", "dog", "eel", "日本"]:
        assert merged.document_frequency.get(token, 0) == sum(part[2].get(token, 0) for part in parts)


def test_repeats_in_a_query_add_weight_and_distinct_tokens_are_bounded():
    """As in Lucene a repeated word counts twice; a huge query does not become a huge one for the shards."""
    assert count_query_terms(["ada", "bob", "ada"]) == {"ada": 2, "bob": 1}
    kept = count_query_terms([f"token{number % 100}" for number in range(200)])
    assert list(kept) == [f"token{number}" for number in range(QUERY_TERMS_MAX)]
    assert set(kept.values()) == {2}


@pytest.mark.parametrize(
    ("k1", "b"), [(-1, 0.5), (float("nan"), 0.5), (1.2, -0.1), (1.2, 1.1), (1.2, float("nan"))]
)
def test_parameters_out_of_range_are_refused(k1: float, b: float):
    """A parameter that would turn the ranking around is an error."""
    with pytest.raises(ValueError, match="out of range"):
        bm25_score({"ada": 1}, {"ada": 1}, 1, CorpusStats(1, 1, {"ada": 1}), k1=k1, b=b)


def test_negative_or_too_many_are_refused():
    """Broken statistics and unbounded queries are found where they come in."""
    with pytest.raises(ValueError, match="negative"):
        CorpusStats(1, 1, {"ada": -1})
    with pytest.raises(ValueError, match="more than 64"):
        rescore([], {f"token{number}": 1 for number in range(65)}, CorpusStats(0, 0, {}))

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.row_key import RowKey
from drivers.search_reads import ScoredRow
from shard_router.fusion import FusedHit, Method, merge_method, weighted_rrf

PROPERTY = settings(deadline=None, max_examples=200)
WEIGHTS = {Method.SEMANTIC: 0.4, Method.KEYWORD: 0.3, Method.GRAPH: 0.3}
K = 60.0

# Few distinct scores, some apart by less than the sixth decimal: ties are the rule and not the exception.
SCORES = st.sampled_from([0.9, 0.9 + 2e-8, 0.9 - 2e-8, 0.5, 0.500001, 0.0, -0.0, -0.3])
KEYS = st.builds(RowKey, st.sampled_from("ab"), st.sampled_from([f"uuid-{number}" for number in range(12)]))
SCORED_ROWS = st.dictionaries(KEYS, SCORES).map(
    lambda scores: [ScoredRow(key, score) for key, score in scores.items()]
)


@dataclass(frozen=True)
class Document:
    key: RowKey
    scores: Mapping[Method, float]


DOCUMENTS = st.dictionaries(KEYS, st.dictionaries(st.sampled_from(Method), SCORES)).map(
    lambda rows: [Document(key, scores) for key, scores in rows.items()]
)

type Shards = Sequence[Sequence[Document]]
type Search = Callable[[Shards, int], list[FusedHit]]


def split(documents: Sequence[Document], choices: Sequence[int]) -> Shards:
    shards: list[list[Document]] = [[] for _ in range(max(choices, default=0) + 1)]
    for document, choice in zip(documents, choices, strict=True):
        shards[choice].append(document)
    return shards


def candidates(shard: Sequence[Document], method: Method, window: int) -> list[ScoredRow]:
    """What a shard answers: its best rows by one method, in the one order."""
    rows = [ScoredRow(row.key, row.scores[method]) for row in shard if method in row.scores]
    return sorted(rows, key=lambda row: (-round(row.score, 6), row.key))[:window]


def merge_then_fuse(shards: Shards, window: int) -> list[FusedHit]:
    rankings = {
        method: [
            row.key for row in merge_method([candidates(shard, method, window) for shard in shards], window)
        ]
        for method in Method
    }
    return weighted_rrf(rankings, WEIGHTS, K)


def fuse_then_merge(shards: Shards, window: int) -> list[FusedHit]:
    """The wrong way: every shard fuses its own ranks, and the fused scores are merged."""
    hits = [hit for shard in shards for hit in merge_then_fuse([shard], window)]
    return sorted(hits, key=lambda hit: (-hit.score, hit.key))


def merge_shares_then_fuse(shards: Shards, window: int) -> list[FusedHit]:
    """Wrong as well: a shard is asked for its share of the window only."""
    rankings = {
        method: [
            row.key
            for row in merge_method(
                [candidates(shard, method, -(-window // len(shards))) for shard in shards], window
            )
        ]
        for method in Method
    }
    return weighted_rrf(rankings, WEIGHTS, K)


def check_sharded_equals_whole(search: Search, documents: Sequence[Document], shards: Shards, window: int):
    assert search(shards, window) == search([documents], window)


@PROPERTY
@given(DOCUMENTS, st.integers(1, 15), st.data())
def test_sharded_search_equals_unsharded_search(documents: list[Document], window: int, data: st.DataObject):
    """However the rows lie on shards, the fused list is that of one database."""
    choices = data.draw(st.lists(st.integers(0, 4), min_size=len(documents), max_size=len(documents)))
    check_sharded_equals_whole(merge_then_fuse, documents, split(documents, choices), window)


@pytest.mark.parametrize("wrong", [fuse_then_merge, merge_shares_then_fuse])
def test_wrong_merges_fail_the_same_check(wrong: Search):
    """The check above can fail: it does where all good rows lie on one of two shards."""
    documents = [
        Document(RowKey("a", f"uuid-{number}"), dict.fromkeys(Method, 1 - number / 100))
        for number in range(8)
    ]
    shards = split(documents, [0, 0, 0, 0, 0, 0, 1, 1])
    check_sharded_equals_whole(merge_then_fuse, documents, shards, 4)
    with pytest.raises(AssertionError):
        check_sharded_equals_whole(wrong, documents, shards, 4)


@PROPERTY
@given(st.lists(SCORED_ROWS, max_size=5), st.integers(1, 15), st.randoms(use_true_random=False))
def test_merged_rows_are_the_best_in_the_one_order(lists: list[list[ScoredRow]], limit: int, random: Random):
    """No row twice, best score of each, ordered by rounded score, group and uuid, in any order of shards."""
    merged = merge_method(lists, limit)
    best = {
        row.key: max(round(other.score, 6) for rows in lists for other in rows if other.key == row.key)
        for rows in lists
        for row in rows
    }
    expected = sorted(best, key=lambda key: (-best[key], key.group_id, key.uuid))[:limit]
    assert [row.key for row in merged] == expected
    assert [row.score for row in merged] == [best[key] for key in expected]
    assert merge_method(random.sample(lists, len(lists)), limit) == merged
    assert merge_method([merged], limit) == merged


def test_scores_equal_to_six_decimals_tie():
    """The last bits of an engine's arithmetic do not order rows."""
    rows = [
        ScoredRow(RowKey("b", "1"), 0.5 + 4e-7),
        ScoredRow(RowKey("a", "2"), 0.5),
        ScoredRow(RowKey("a", "1"), 0.5),
    ]
    assert [(row.key.group_id, row.key.uuid) for row in merge_method([rows], 3)] == [
        ("a", "1"),
        ("a", "2"),
        ("b", "1"),
    ]


@pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
def test_a_score_without_a_place_is_refused(score: float):
    """NaN would make the order depend on the sort."""
    with pytest.raises(ValueError, match="not finite"):
        merge_method([[ScoredRow(RowKey("a", "1"), score)]], 1)


def test_a_limit_below_one_is_refused():
    """A forgotten limit is an error, not an empty answer."""
    with pytest.raises(ValueError, match="limit 0"):
        merge_method([], 0)


RANKINGS = st.dictionaries(st.sampled_from(Method), st.lists(KEYS, unique=True, max_size=10))


@PROPERTY
@given(RANKINGS, st.integers(0, 100), st.dictionaries(st.sampled_from(Method), st.integers(0, 9)))
def test_fused_scores_follow_the_formula(
    rankings: dict[Method, list[RowKey]], k: int, tenths: dict[Method, int]
):
    """score = sum of weight / (k + rank), rank from 1, computed here in exact fractions."""
    weights = {method: tenths.get(method, 1) / 10 for method in Method}
    taking_part = {method: rows for method, rows in rankings.items() if weights[method]}
    hits = weighted_rrf(rankings, weights, k)
    assert {hit.key for hit in hits} == {key for rows in taking_part.values() for key in rows}
    for hit in hits:
        assert dict(hit.ranks) == {
            method: rows.index(hit.key) + 1 for method, rows in taking_part.items() if hit.key in rows
        }
        exact = sum(Fraction(weights[method]) / (k + rank) for method, rank in hit.ranks.items())
        assert hit.score == pytest.approx(float(exact), rel=0, abs=1e-12)
    assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.key))


@PROPERTY
@given(RANKINGS, st.permutations(list(Method)))
def test_order_of_methods_does_not_matter(rankings: dict[Method, list[RowKey]], order: list[Method]):
    """A sum taken in another order may not break a tie differently."""
    shuffled = {method: rankings[method] for method in order if method in rankings}
    assert weighted_rrf(shuffled, WEIGHTS, K) == weighted_rrf(rankings, WEIGHTS, K)


def test_sums_that_are_equal_tie():
    """1/21 + 1/70 is 1/30 + 1/35: the two fuse to one score, whatever floats make of the parts."""
    fillers = [[RowKey("b", f"{method}-{n:02}") for n in range(50)] for method in range(2)]
    uneven, even = RowKey("a", "2"), RowKey("a", "1")
    for ranking, of_uneven, of_even in zip(fillers, (1, 50), (10, 15), strict=True):
        ranking[of_uneven - 1], ranking[of_even - 1] = uneven, even
    hits = weighted_rrf(
        {Method.SEMANTIC: fillers[0], Method.KEYWORD: fillers[1]},
        {Method.SEMANTIC: 1.0, Method.KEYWORD: 1.0},
        20,
    )
    tied = [hit.key for hit in hits if hit.key.group_id == "a"]
    assert tied == [even, uneven]
    assert len({hit.score for hit in hits if hit.key in tied}) == 1


def test_mirrored_ranks_tie():
    """Rank 1 and 2 fuse to what rank 2 and 1 fuse to, and the smaller key comes first."""
    one, two = RowKey("a", "1"), RowKey("a", "2")
    first, second = weighted_rrf(
        {Method.SEMANTIC: [two, one], Method.KEYWORD: [one, two]}, {Method.SEMANTIC: 1, Method.KEYWORD: 1}
    )
    assert first.score == second.score == pytest.approx(1 / 61 + 1 / 62, abs=1e-12)
    assert (first.key, second.key) == (one, two)


@PROPERTY
@given(st.lists(st.integers(1, 50), min_size=3, max_size=3, unique=True))
def test_ranks_shifted_around_the_methods_tie(ranks: list[int]):
    """Sums of the same three parts in another order differ in their last bits unless summed exactly."""
    one, two = RowKey("a", "1"), RowKey("a", "2")
    rankings: dict[Method, list[RowKey]] = {}
    for position, method in enumerate(Method):
        rankings[method] = [RowKey("filler", f"{method}-{number}") for number in range(50)]
        rankings[method][ranks[position] - 1] = one
        rankings[method][ranks[position - 1] - 1] = two
    hits = weighted_rrf(rankings, dict.fromkeys(Method, 1 / 3), K)
    scores = {hit.key: hit.score for hit in hits}
    assert scores[one] == scores[two]


@pytest.mark.parametrize(
    ("weights", "k", "message"),
    [
        ({}, 60, "weight None"),
        ({Method.SEMANTIC: -1}, 60, "weight -1"),
        ({Method.SEMANTIC: float("nan")}, 60, "weight nan"),
        ({Method.SEMANTIC: 1}, -1, "k -1"),
        ({Method.SEMANTIC: 1}, float("inf"), "k inf"),
    ],
)
def test_parameters_without_a_meaning_are_refused(weights: dict[Method, float], k: float, message: str):
    """A missing weight is not taken as zero: a method would vanish silently."""
    with pytest.raises(ValueError, match=message):
        weighted_rrf({Method.SEMANTIC: [RowKey("a", "1")]}, weights, k)


def test_a_ranking_with_a_row_twice_is_refused():
    """Lists that were not merged first would count a row twice."""
    with pytest.raises(ValueError, match="twice"):
        weighted_rrf({Method.SEMANTIC: [RowKey("a", "1"), RowKey("a", "1")]}, WEIGHTS)

"""The figures that quality is reported in."""

import math

import pytest

from gateway.corpus.metrics import all_at, ndcg_at, overlap_at, percentile, recall_at

GOLD = {"a", "b", "c"}


def test_recall_is_the_share_of_the_gold_rows_within_k():
    """A gold row at rank k counts, one at rank k + 1 does not; short lists are no error."""
    ranking = ["a", "x", "b", "y", "c"]
    assert [recall_at(k, ranking, GOLD) for k in (1, 2, 3, 5, 10)] == pytest.approx(
        [1 / 3, 1 / 3, 2 / 3, 1, 1]
    )
    assert recall_at(10, [], GOLD) == 0


def test_all_needs_every_gold_row():
    """Most of the evidence is no answer to a multi-hop question."""
    ranking = ["a", "x", "b", "y", "c"]
    assert (all_at(4, ranking, GOLD), all_at(5, ranking, GOLD)) == (0, 1)


def test_ndcg_of_a_list_worked_out_by_hand():
    """Gold at ranks 1 and 3 of three gold rows: (1 + 1/2) / (1 + 1/log2 3 + 1/2)."""
    assert ndcg_at(10, ["a", "x", "b"], GOLD) == pytest.approx(1.5 / (1.5 + 1 / math.log2(3)))


def test_ndcg_gives_the_second_rank_less_than_the_first():
    """The older form of DCG gives both the same; figures of the two cannot be compared."""
    assert ndcg_at(10, ["a", "x"], {"a"}) == 1
    assert ndcg_at(10, ["x", "a"], {"a"}) == pytest.approx(1 / math.log2(3))


def test_the_best_possible_list_has_ndcg_1_even_if_k_is_small():
    """What cannot fit into k rows is not held against the list."""
    assert ndcg_at(2, ["a", "b"], GOLD) == pytest.approx(1)
    assert ndcg_at(10, ["c", "a", "b", "x"], GOLD) == pytest.approx(1)
    assert ndcg_at(2, ["x", "y", "a"], GOLD) == 0


def test_overlap_is_of_sets_within_k():
    """The order is compared elsewhere; what lies behind k does not count."""
    one, other = ["a", "b", "c"], ["b", "a", "x"]
    assert (overlap_at(2, one, other), overlap_at(3, one, other)) == (1, pytest.approx(2 / 3))


def test_overlap_of_short_lists():
    """What only one of the lists has counts as missing in the other; nothing on both sides is the same."""
    assert overlap_at(10, ["a", "b"], ["a", "b"]) == 1
    assert overlap_at(10, ["a"], ["a", "b"]) == overlap_at(10, ["a", "b"], ["a"]) == 0.5
    assert overlap_at(10, ["a"], []) == 0
    assert overlap_at(10, [], []) == 1


def test_percentiles_are_values_that_were_measured():
    """Nearest rank: p95 of 100 values is the 95th."""
    values = [float(value) for value in range(100, 0, -1)]
    assert (percentile(values, 50), percentile(values, 95), percentile(values, 100)) == (50, 95, 100)
    assert percentile([7.0], 50) == 7.0

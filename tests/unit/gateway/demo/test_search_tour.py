"""Comparisons of the demo."""

from gateway.demo.search_tour import LIMIT, Ranking, mean_overlap, share_equal


def _ranking(*numbers: int) -> Ranking:
    return tuple(("group", str(number)) for number in numbers)


FULL = _ranking(*range(LIMIT))


def test_the_same_rows_in_another_order_are_not_the_same_list():
    """sharded_equals_unsharded promises the list, not the set."""
    swapped = _ranking(1, 0, *range(2, LIMIT))
    assert share_equal([FULL, FULL], [FULL, swapped]) == 0.5
    assert mean_overlap([FULL], [swapped]) == 1.0


def test_a_row_of_another_group_is_another_row():
    """Groups may hold the same uuid."""
    other = (("other", "0"), *FULL[1:])
    assert share_equal([FULL], [other]) == 0.0
    assert mean_overlap([FULL], [other]) == (LIMIT - 1) / LIMIT


def test_short_lists_do_not_count_as_equal():
    """Two fleets that find nothing would agree on everything."""
    assert share_equal([()], [()]) == 0.0
    assert mean_overlap([()], [()]) == 0.0

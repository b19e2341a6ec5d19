"""Index terms of attributes: equality is membership, a range is a comparison of strings."""

from itertools import product

import pytest

from drivers.attribute_codec import INDEXED_TEXT_CHARS_MAX, index_term, index_terms, presence_term
from drivers.filter_parameters import filter_parameters
from drivers.filters import NO_FILTER, AttributeCondition, AttributeTest, RowFilter
from drivers.graph_model import AttributeScalar, Kind, Timestamp

LONG = "x" * INDEXED_TEXT_CHARS_MAX
STRINGS = (
    "",
    "a",
    "ab",
    "b",
    LONG,
    LONG + "a",
    LONG + "b",
    LONG[:-1] + "y",
    LONG + "\U0001f600",
    "\uffff",
    "y",
)
NUMBERS: dict[str, tuple[AttributeScalar, ...]] = {
    "int": (-(2**63), -1, 0, 1, 2**53, 2**53 + 1, 2**63 - 1),
    "float": (-1e300, -1.5, -5e-324, 0.0, 5e-324, 1.0, 1e300),
    "time": (Timestamp(-1), Timestamp(0), Timestamp(1)),
    "bool": (False, True),
}


def test_strings_of_any_length_are_told_apart() -> None:
    """Different strings have different terms, also those that begin with the same 256 characters."""
    assert len({index_term("n", value) for value in STRINGS}) == len(STRINGS)


def test_long_strings_sort_right_against_every_bound() -> None:
    """A term compares with that of a bound, which is never longer than the prefix, as the strings do."""
    for value, bound in product(STRINGS, STRINGS):
        if len(bound) <= INDEXED_TEXT_CHARS_MAX:
            assert (index_term("n", value) < index_term("n", bound)) == (value < bound)
            assert (index_term("n", value) <= index_term("n", bound)) == (value <= bound)


@pytest.mark.parametrize("values", NUMBERS.values(), ids=NUMBERS)
def test_numbers_sort_as_numbers(values: tuple[AttributeScalar, ...]) -> None:
    """Every type's terms are in the order of its values, its extremes included."""
    terms = [index_term("n", value) for value in values]
    assert terms == sorted(set(terms))


def test_every_attribute_leaves_a_trace() -> None:
    """An empty list is there too, so that EXISTS is true of it."""
    terms = index_terms({"none": (), "some": ("b", "a", "b")})
    assert terms == [presence_term("none"), index_term("some", "a"), index_term("some", "b")]


def test_repeated_values_are_looked_for_once() -> None:
    """The conditions of values carry distinct terms, those of ranges their bounds; both know which are
    negated."""
    conditions = (
        AttributeCondition("n", AttributeTest.NONE_OF, ("b", "a", "b", 1)),
        AttributeCondition("n", AttributeTest.ANY_OF, ("a",)),
        AttributeCondition("n", AttributeTest.RANGE, ("a", "b")),
        AttributeCondition("n", AttributeTest.ABSENT),
    )
    sent = filter_parameters(Kind.FACT, RowFilter(attributes=conditions))
    none_of = sorted(index_term("n", value) for value in ("a", "b", 1))
    assert sent["f_attribute_values"] == [
        {"negated": True, "terms": none_of},
        {"negated": False, "terms": [index_term("n", "a")]},
    ]
    assert sent["f_attribute_ranges"] == [
        {"negated": False, "low": index_term("n", "a"), "high": index_term("n", "b")},
        {"negated": True, "low": presence_term("n"), "high": "n "},
    ]


def test_kinds_without_attributes_are_decided_beforehand() -> None:
    """A community has no attributes: a condition holds for all of them or for none."""
    has = RowFilter(attributes=(AttributeCondition("n", AttributeTest.EXISTS),))
    has_not = RowFilter(attributes=(AttributeCondition("n", AttributeTest.ABSENT),))
    assert filter_parameters(Kind.COMMUNITY, has)["f_no_attributes"] is False
    assert filter_parameters(Kind.COMMUNITY, has_not)["f_no_attributes"] is True
    assert filter_parameters(Kind.ENTITY, has_not)["f_no_attributes"] is False


def test_no_filter_asks_for_nothing() -> None:
    """Every part of the empty filter says so."""
    flags = {k: v for k, v in filter_parameters(Kind.FACT, NO_FILTER).items() if k.startswith("f_no_")}
    assert len(flags) == 15
    assert all(flags.values())

"""A filter as the parameters of one constant condition, which both engines phrase in their own Cypher.

Every part has a flag that says that it asks for nothing, so that one query text serves all filters.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from drivers.attribute_codec import SEPARATOR, index_term, presence_term
from drivers.filters import (
    NO_FILTER,
    AttributeCondition,
    AttributeTest,
    RowFilter,
    TimeCondition,
    attributes_match,
)
from drivers.graph_model import INT64_MAX, Kind

type FilterValue = str | int | bool | Sequence[FilterValue] | Mapping[str, FilterValue]


class Narrowing(StrEnum):
    """What a query text has to test, so that what is asked most often costs least."""

    NOTHING = "NOTHING"
    HOLDING = "HOLDING"
    """Facts that hold at f_as_of, 0 or more: what a search asks that says nothing of time."""
    ANY = "ANY"
    """Whatever a filter can ask."""


def narrowing(kind: Kind, wanted: RowFilter) -> Narrowing:
    if wanted == NO_FILTER:
        return Narrowing.NOTHING
    as_of = wanted.as_of
    if kind is Kind.FACT and as_of is not None and as_of >= 0 and wanted == RowFilter(as_of=as_of):
        return Narrowing.HOLDING
    return Narrowing.ANY


def narrowing_parameters(kind: Kind, wanted: RowFilter) -> Mapping[str, FilterValue]:
    """Of the text for narrowing(kind, wanted)."""
    match narrowing(kind, wanted):
        case Narrowing.NOTHING:
            return {}
        case Narrowing.HOLDING:
            return {"f_as_of": wanted.as_of or 0}
        case Narrowing.ANY:
            return filter_parameters(kind, wanted)


ATTRIBUTE_KINDS = (Kind.ENTITY, Kind.EPISODE, Kind.FACT)

_AFTER_SEPARATOR = chr(ord(SEPARATOR) + 1)
_OF_VALUES = (AttributeTest.ANY_OF, AttributeTest.NONE_OF)


def filter_parameters(kind: Kind, wanted: RowFilter) -> dict[str, FilterValue]:
    """Names begin with f_, and f_no_<part> is true when the part is empty. Also
    f_times: alternatives of {field, is_open, low, high}, a time in [low, high);
    f_attribute_values: {negated, terms}: one of terms is among the row's index terms;
    f_attribute_ranges: {negated, low, high}: one of the row's index terms is in [low, high];
    f_no_attributes, of kinds without attributes: the conditions hold for all rows;
    f_as_of; f_known_at (the maximum when not given)."""
    lists: dict[str, Sequence[str]] = {
        "uuids": wanted.uuids,
        "labels_any": wanted.labels_any,
        "labels_all": wanted.labels_all,
        "labels_none": wanted.labels_none,
        "names": wanted.names,
        "sources": [str(source) for source in wanted.sources],
        "source_uuids": wanted.source_uuids,
        "target_uuids": wanted.target_uuids,
        "end_uuids": wanted.end_uuids,
    }
    parameters: dict[str, FilterValue] = {f"f_{name}": list(values) for name, values in lists.items()}
    parameters |= {f"f_no_{name}": not values for name, values in lists.items()}
    values = [_values(condition) for condition in wanted.attributes if condition.test in _OF_VALUES]
    ranges = [_range(condition) for condition in wanted.attributes if condition.test not in _OF_VALUES]
    decided = kind not in ATTRIBUTE_KINDS and attributes_match({}, wanted.attributes)
    return parameters | {
        "f_no_times": not wanted.times,
        "f_times": [[_time(one) for one in all_of] for all_of in wanted.times],
        "f_no_attributes": not wanted.attributes or decided,
        "f_no_attribute_values": not values,
        "f_attribute_values": values,
        "f_no_attribute_ranges": not ranges,
        "f_attribute_ranges": ranges,
        "f_no_as_of": wanted.as_of is None,
        "f_as_of": wanted.as_of or 0,
        "f_no_known_at": wanted.known_at is None,
        "f_known_at": INT64_MAX if wanted.known_at is None else wanted.known_at,
    }


def far_parameters(kind: Kind, wanted: RowFilter) -> dict[str, FilterValue]:
    """As filter_parameters, of the nodes that edges lead to: names begin with far_."""
    return {
        f"far_{name.removeprefix('f_')}": value for name, value in filter_parameters(kind, wanted).items()
    }


def _time(condition: TimeCondition) -> dict[str, FilterValue]:
    return {
        "field": condition.field.lower(),
        "is_open": condition.is_open,
        "low": condition.not_before,
        "high": condition.before,
    }


def _values(condition: AttributeCondition) -> dict[str, FilterValue]:
    terms = sorted({index_term(condition.name, value) for value in condition.values})
    return {"negated": condition.test is AttributeTest.NONE_OF, "terms": terms}


def _range(condition: AttributeCondition) -> dict[str, FilterValue]:
    if condition.test is AttributeTest.RANGE:
        low, high = (index_term(condition.name, value) for value in condition.values)
    else:
        low, high = presence_term(condition.name), condition.name + _AFTER_SEPARATOR
    return {"negated": condition.test is AttributeTest.ABSENT, "low": low, "high": high}

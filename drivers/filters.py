"""Which rows a search may find: the filter that both engines apply before they rank and cut.

`matches` says what a filter means; the engines' own conditions are compared with it. A row is filtered
before the limit of a ranking counts, so a narrow filter never leaves a list short.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from drivers.attribute_codec import INDEXED_TEXT_CHARS_MAX
from drivers.graph_model import (
    OPEN_END,
    OPEN_START,
    AnyRow,
    Attributes,
    AttributeScalar,
    Entity,
    Episode,
    EpisodeSource,
    Fact,
    Timestamp,
)

CONDITIONS_MAX = 64
"""Attribute conditions, alternatives of `times`, and conditions of one alternative: each at most so many."""
TIME_CONDITIONS_MAX = 128
"""Conditions of all alternatives of `times` together: each row that is looked at may be held against all."""
ATTRIBUTE_VALUES_MAX = 256
"""Values of all attribute conditions of a filter together: each row that is looked at may be held against
all."""
VALUES_MAX = 1_000
"""uuids, endpoints, labels or names of one list."""
RANGE_TEXT_CHARS_MAX = INDEXED_TEXT_CHARS_MAX
"""Characters of a string that bounds a range; the gateway refuses longer ones."""


class TimeField(StrEnum):
    CREATED_AT = "CREATED_AT"
    VALID_AT = "VALID_AT"
    """FACT."""
    INVALID_AT = "INVALID_AT"
    """FACT."""
    EXPIRED_AT = "EXPIRED_AT"
    """FACT."""
    REFERENCE_TIME = "REFERENCE_TIME"
    """EPISODE."""


@dataclass(frozen=True, slots=True)
class TimeCondition:
    """A time in [not_before, before), or one that is open: nobody has said when a fact began, ended or
    expired. An open time lies in no range."""

    field: TimeField
    not_before: int = OPEN_START
    before: int = OPEN_END
    is_open: bool = False
    """Then the range is not read."""


class AttributeTest(StrEnum):
    ANY_OF = "ANY_OF"
    """A value of the attribute equals one of `values`. Values of different types are never equal: 1 is
    neither 1.0 nor true."""
    NONE_OF = "NONE_OF"
    """No value of the attribute does; a row without the attribute passes."""
    RANGE = "RANGE"
    """A value lies in [values[0], values[1]], both of one type; strings by code point. A string that bounds
    has at most RANGE_TEXT_CHARS_MAX characters; stored ones may have more."""
    EXISTS = "EXISTS"
    ABSENT = "ABSENT"


@dataclass(frozen=True, slots=True)
class AttributeCondition:
    """Of a list, one element that passes is enough (for NONE_OF: one that equals is enough to fail)."""

    name: str
    test: AttributeTest
    values: tuple[AttributeScalar, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFilter:
    """All given parts must hold; an empty part asks for nothing. A part that a kind does not have (labels
    of facts, say) is refused by the gateway before it comes here."""

    uuids: tuple[str, ...] = ()
    labels_any: tuple[str, ...] = ()
    """ENTITY: at least one of them."""
    labels_all: tuple[str, ...] = ()
    labels_none: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """FACT: the fact's name is one of them."""
    sources: tuple[EpisodeSource, ...] = ()
    """EPISODE."""
    source_uuids: tuple[str, ...] = ()
    """FACT."""
    target_uuids: tuple[str, ...] = ()
    """FACT."""
    end_uuids: tuple[str, ...] = ()
    """FACT: source or target is one of them."""
    times: tuple[tuple[TimeCondition, ...], ...] = ()
    """One of the alternatives holds, each being conditions that all hold. INVALID_AT and EXPIRED_AT are those
    that were recorded at `known_at` if that is given."""
    attributes: tuple[AttributeCondition, ...] = ()
    """ENTITY, EPISODE, FACT: all hold."""
    as_of: int | None = None
    """FACT: valid_at <= as_of < its end; the end that was known at `known_at` if that is given."""
    known_at: int | None = None
    """The row was there: created_at <= known_at."""


NO_FILTER = RowFilter()


def matches(row: AnyRow, wanted: RowFilter) -> bool:
    """Whether the row passes."""
    checks: tuple[Callable[[AnyRow, RowFilter], bool], ...] = (
        _names_match,
        _labels_match,
        _ends_match,
        _times_match,
        _attributes_match,
        _holds,
    )
    return all(check(row, wanted) for check in checks)


def end_known_at(fact: Fact, known_at: int | None) -> int:
    """The fact's invalid_at as it was recorded at `known_at`; None: as it is now."""
    undone = _first_closure_after(fact, known_at)
    return fact.invalid_at if undone is None else fact.closures[undone].previous_end


def expiry_known_at(fact: Fact, known_at: int | None) -> int:
    """When the end that was recorded at `known_at` had been recorded, open if that end was; None: as now."""
    undone = _first_closure_after(fact, known_at)
    if undone is None:
        return fact.expired_at
    if fact.closures[undone].previous_end == OPEN_END:
        return OPEN_END
    return fact.closures[undone - 1].closed_at if undone else fact.created_at


def _first_closure_after(fact: Fact, known_at: int | None) -> int | None:
    """Position of the earliest change of the end that was not yet recorded then."""
    if known_at is None:
        return None
    return next((i for i, closure in enumerate(fact.closures) if closure.closed_at > known_at), None)


def _names_match(row: AnyRow, wanted: RowFilter) -> bool:
    if wanted.uuids and row.uuid not in wanted.uuids:
        return False
    if wanted.names and not (isinstance(row, Fact) and row.name in wanted.names):
        return False
    return not wanted.sources or (isinstance(row, Episode) and row.source in wanted.sources)


def _labels_match(row: AnyRow, wanted: RowFilter) -> bool:
    labels = set(row.labels) if isinstance(row, Entity) else set[str]()
    return (
        (not wanted.labels_any or not labels.isdisjoint(wanted.labels_any))
        and labels.issuperset(wanted.labels_all)
        and labels.isdisjoint(wanted.labels_none)
    )


def _ends_match(row: AnyRow, wanted: RowFilter) -> bool:
    source, target = (row.source_uuid, row.target_uuid) if isinstance(row, Fact) else ("", "")
    return (
        (not wanted.source_uuids or source in wanted.source_uuids)
        and (not wanted.target_uuids or target in wanted.target_uuids)
        and (not wanted.end_uuids or source in wanted.end_uuids or target in wanted.end_uuids)
    )


def _times_match(row: AnyRow, wanted: RowFilter) -> bool:
    return not wanted.times or any(
        all(_time_matches(row, condition, wanted.known_at) for condition in conditions)
        for conditions in wanted.times
    )


def _time_matches(row: AnyRow, condition: TimeCondition, known_at: int | None) -> bool:
    match condition.field:
        case TimeField.INVALID_AT if isinstance(row, Fact):
            value = end_known_at(row, known_at)
        case TimeField.EXPIRED_AT if isinstance(row, Fact):
            value = expiry_known_at(row, known_at)
        case field:
            value = cast("int | None", getattr(row, field.lower(), None))
    if value is None:
        return False
    is_open = value in (OPEN_START, OPEN_END)
    if condition.is_open or is_open:
        return condition.is_open and is_open
    return condition.not_before <= value < condition.before


def _attributes_match(row: AnyRow, wanted: RowFilter) -> bool:
    attributes = row.attributes if isinstance(row, Entity | Episode | Fact) else {}
    return attributes_match(attributes, wanted.attributes)


def attributes_match(attributes: Attributes, conditions: Iterable[AttributeCondition]) -> bool:
    """Whether all conditions hold."""
    return all(_attribute_matches(attributes, condition) for condition in conditions)


def _attribute_matches(attributes: Attributes, condition: AttributeCondition) -> bool:
    value = attributes.get(condition.name)
    stored = value if isinstance(value, tuple) else () if value is None else (value,)
    match condition.test:
        case AttributeTest.EXISTS:
            return value is not None
        case AttributeTest.ABSENT:
            return value is None
        case AttributeTest.ANY_OF:
            return any(_equal(one, other) for one in stored for other in condition.values)
        case AttributeTest.NONE_OF:
            return not any(_equal(one, other) for one in stored for other in condition.values)
        case AttributeTest.RANGE:
            low, high = condition.values
            return any(_between(low, one, high) for one in stored)


def _equal(one: AttributeScalar, other: AttributeScalar) -> bool:
    return type(one) is type(other) and one == other


def _between(low: AttributeScalar, value: AttributeScalar, high: AttributeScalar) -> bool:
    match low, value, high:
        case Timestamp(), Timestamp(), Timestamp():
            return low.epoch_us <= value.epoch_us <= high.epoch_us
        case (str(), str(), str()):
            return low <= value <= high
        case (bool(), bool(), bool()) | (int(), int(), int()) | (float(), float(), float()):
            return type(low) is type(value) is type(high) and low <= value <= high
        case _:
            return False


def _holds(row: AnyRow, wanted: RowFilter) -> bool:
    if wanted.known_at is not None and row.created_at > wanted.known_at:
        return False
    if wanted.as_of is None or not isinstance(row, Fact):
        return True
    return row.valid_at <= wanted.as_of < end_known_at(row, wanted.known_at)

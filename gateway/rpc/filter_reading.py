"""Filters of rows and the time of a reading, from their messages."""

import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from google.protobuf.timestamp_pb2 import Timestamp as TimestampMessage

from drivers.filters import (
    ATTRIBUTE_VALUES_MAX,
    CONDITIONS_MAX,
    RANGE_TEXT_CHARS_MAX,
    TIME_CONDITIONS_MAX,
    VALUES_MAX,
    AttributeCondition,
    AttributeTest,
    RowFilter,
    TimeCondition,
    TimeField,
)
from drivers.graph_model import OPEN_END, OPEN_START, AttributeScalar, EpisodeSource, Kind, Timestamp
from gateway.rpc.row_messages import EPISODE_SOURCE
from gateway.rpc.row_reading import attribute_scalar
from gateway.rpc.validation import ATTRIBUTE_NAME_CHARS_MAX, LABEL_CHARS_MAX, NAME_CHARS_MAX, Violations
from graphgate.v1 import filter_pb2 as pb
from graphgate.v1 import graph_pb2

_ANY = frozenset(Kind)
_PART_KINDS: Mapping[str, frozenset[Kind]] = {
    "labels_any": frozenset({Kind.ENTITY}),
    "labels_all": frozenset({Kind.ENTITY}),
    "labels_none": frozenset({Kind.ENTITY}),
    "names": frozenset({Kind.FACT}),
    "sources": frozenset({Kind.EPISODE}),
    "source_uuids": frozenset({Kind.FACT}),
    "target_uuids": frozenset({Kind.FACT}),
    "end_uuids": frozenset({Kind.FACT}),
    "attributes": frozenset({Kind.ENTITY, Kind.FACT, Kind.EPISODE}),
}
"""Kinds that have the part; parts that are not here belong to every kind."""
_TIME_KINDS: Mapping[TimeField, frozenset[Kind]] = {
    TimeField.CREATED_AT: _ANY,
    TimeField.VALID_AT: frozenset({Kind.FACT}),
    TimeField.INVALID_AT: frozenset({Kind.FACT}),
    TimeField.EXPIRED_AT: frozenset({Kind.FACT}),
    TimeField.REFERENCE_TIME: frozenset({Kind.EPISODE}),
}
_TIME_FIELD: Mapping[int, TimeField] = {
    int(pb.TimeField.Value(f"TIME_FIELD_{field}")): field for field in TimeField
}
_SOURCE: Mapping[int, EpisodeSource] = {int(number): source for source, number in EPISODE_SOURCE.items()}


class TimedRequest(Protocol):
    """The fields of every request that reads facts at a time."""

    @property
    def as_of(self) -> TimestampMessage: ...
    @property
    def known_at(self) -> TimestampMessage: ...
    @property
    def all_times(self) -> bool: ...
    def HasField(self, field_name: str, /) -> bool: ...


def held_facts(v: Violations, request: TimedRequest) -> RowFilter:
    """Facts that hold at the time of the request; by default those that hold now."""
    as_of = v.time("as_of", request.as_of) if request.HasField("as_of") else None
    known_at = v.time("known_at", request.known_at) if request.HasField("known_at") else None
    if request.all_times:
        if as_of is not None:
            v.add("all_times", "cannot be combined with as_of")
        return RowFilter(known_at=known_at)
    if as_of is None:
        as_of = time.time_ns() // 1_000 if known_at is None else known_at
    return RowFilter(as_of=as_of, known_at=known_at)


def row_filter(v: Violations, path: str, message: pb.RowFilter, kind: Kind, held: RowFilter) -> RowFilter:
    """The filter of rows of a kind at the time of the request (`held`). Parts that the kind does not have
    are violations."""
    for descriptor, _ in message.ListFields():
        if kind not in _PART_KINDS.get(descriptor.name, _ANY):
            v.add(f"{path}.{descriptor.name}", f"does not apply to {kind}")

    def uuids(name: str, values: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(v.uuids(f"{path}.{name}", values, at_most=VALUES_MAX)))

    def texts(name: str, values: Sequence[str], chars_max: int) -> tuple[str, ...]:
        v.count(f"{path}.{name}", len(values), VALUES_MAX)
        for i, value in enumerate(values[:VALUES_MAX]):
            v.text(f"{path}.{name}[{i}]", value, chars_max, required=True)
        return tuple(dict.fromkeys(values))

    return RowFilter(
        uuids=uuids("uuids", message.uuids),
        labels_any=texts("labels_any", message.labels_any, LABEL_CHARS_MAX),
        labels_all=texts("labels_all", message.labels_all, LABEL_CHARS_MAX),
        labels_none=texts("labels_none", message.labels_none, LABEL_CHARS_MAX),
        names=texts("names", message.names, NAME_CHARS_MAX),
        sources=_sources(v, f"{path}.sources", message.sources),
        source_uuids=uuids("source_uuids", message.source_uuids),
        target_uuids=uuids("target_uuids", message.target_uuids),
        end_uuids=uuids("end_uuids", message.end_uuids),
        times=_times(v, f"{path}.times", message.times, kind),
        attributes=_attributes(v, f"{path}.attributes", message.attributes),
        as_of=held.as_of if kind is Kind.FACT else None,
        known_at=held.known_at,
    )


def _sources(v: Violations, path: str, numbers: Sequence[int]) -> tuple[EpisodeSource, ...]:
    v.count(path, len(numbers), VALUES_MAX)
    sources: list[EpisodeSource] = []
    for i, number in enumerate(numbers[:VALUES_MAX]):
        source = _SOURCE.get(number)
        if source is None:
            v.add(f"{path}[{i}]", "must be TEXT, MESSAGE, JSON or FACT_TRIPLE")
        else:
            sources.append(source)
    return tuple(dict.fromkeys(sources))


def _times(
    v: Violations, path: str, alternatives: Sequence[pb.TimeConditions], kind: Kind
) -> tuple[tuple[TimeCondition, ...], ...]:
    v.count(path, len(alternatives), CONDITIONS_MAX)
    total = sum(len(alternative.conditions) for alternative in alternatives)
    if total > TIME_CONDITIONS_MAX:
        v.add(
            path,
            f"has {total} conditions in its alternatives together, at most {TIME_CONDITIONS_MAX} are allowed "
            "(time_conditions_max)",
        )
    found: list[tuple[TimeCondition, ...]] = []
    for i, alternative in enumerate(alternatives[:CONDITIONS_MAX]):
        at = f"{path}[{i}].conditions"
        v.count(at, len(alternative.conditions), CONDITIONS_MAX, at_least=1)
        conditions = (
            _time_condition(v, f"{at}[{j}]", condition, kind)
            for j, condition in enumerate(alternative.conditions[:CONDITIONS_MAX])
        )
        found.append(tuple(condition for condition in conditions if condition is not None))
    return tuple(found)


def _time_condition(v: Violations, path: str, message: pb.TimeCondition, kind: Kind) -> TimeCondition | None:
    field = _TIME_FIELD.get(message.field)
    if field is None:
        v.add(f"{path}.field", "must be CREATED_AT, VALID_AT, INVALID_AT, EXPIRED_AT or REFERENCE_TIME")
        return None
    if kind not in _TIME_KINDS[field]:
        v.add(f"{path}.field", f"{field} does not apply to {kind}")
    bounded = message.HasField("not_before") or message.HasField("before")
    if message.is_open:
        if bounded:
            v.add(f"{path}.is_open", "cannot be combined with not_before or before")
        if field in (TimeField.CREATED_AT, TimeField.REFERENCE_TIME):
            v.add(f"{path}.is_open", f"{field} is never open")
        return TimeCondition(field, is_open=True)
    if not bounded:
        v.add(path, "needs not_before, before or is_open")
    not_before = v.time(f"{path}.not_before", message.not_before) if message.HasField("not_before") else None
    before = v.time(f"{path}.before", message.before) if message.HasField("before") else None
    if not_before is not None and before is not None and before < not_before:
        v.add(f"{path}.before", "must not be earlier than not_before")
    return TimeCondition(
        field, OPEN_START if not_before is None else not_before, OPEN_END if before is None else before
    )


def _attributes(
    v: Violations, path: str, messages: Sequence[pb.AttributeCondition]
) -> tuple[AttributeCondition, ...]:
    v.count(path, len(messages), CONDITIONS_MAX)
    total = sum(len(message.any_of.values) + len(message.none_of.values) for message in messages)
    if total > ATTRIBUTE_VALUES_MAX:
        v.add(
            path,
            f"has {total} values of any_of and none_of in its conditions together, at most "
            f"{ATTRIBUTE_VALUES_MAX} are allowed (attribute_values_max)",
        )
    conditions = (
        _attribute(v, f"{path}[{i}]", message) for i, message in enumerate(messages[:CONDITIONS_MAX])
    )
    return tuple(condition for condition in conditions if condition is not None)


def _attribute(v: Violations, path: str, message: pb.AttributeCondition) -> AttributeCondition | None:
    name = v.text(f"{path}.name", message.name, ATTRIBUTE_NAME_CHARS_MAX, required=True)
    match message.WhichOneof("test"):
        case "any_of":
            return AttributeCondition(
                name, AttributeTest.ANY_OF, _values(v, f"{path}.any_of", message.any_of.values)
            )
        case "none_of":
            return AttributeCondition(
                name, AttributeTest.NONE_OF, _values(v, f"{path}.none_of", message.none_of.values)
            )
        case "range":
            bounds = _range(v, f"{path}.range", message.range)
            return None if bounds is None else AttributeCondition(name, AttributeTest.RANGE, bounds)
        case "exists":
            return AttributeCondition(name, AttributeTest.EXISTS if message.exists else AttributeTest.ABSENT)
        case _:
            v.add(path, "needs any_of, none_of, range or exists")
            return None


def _values(
    v: Violations, path: str, messages: Sequence[graph_pb2.AttributeScalar]
) -> tuple[AttributeScalar, ...]:
    v.count(path, len(messages), ATTRIBUTE_VALUES_MAX, at_least=1)
    scalars = [
        attribute_scalar(v, f"{path}[{i}]", message)
        for i, message in enumerate(messages[:ATTRIBUTE_VALUES_MAX])
    ]
    values = tuple(scalar for scalar in scalars if scalar is not None)
    if len({type(value) for value in values}) > 1:
        v.add(path, "mixes types")
    return values


def _range(
    v: Violations, path: str, message: pb.AttributeRange
) -> tuple[AttributeScalar, AttributeScalar] | None:
    low = attribute_scalar(v, f"{path}.low", message.low)
    high = attribute_scalar(v, f"{path}.high", message.high)
    if low is None or high is None:
        return None
    for name, bound in (("low", low), ("high", high)):
        if isinstance(bound, str) and len(bound) > RANGE_TEXT_CHARS_MAX:
            v.add(
                f"{path}.{name}", f"has {len(bound)} characters, at most {RANGE_TEXT_CHARS_MAX} are allowed"
            )
    if type(low) is not type(high):
        v.add(f"{path}.high", "must be of the type of low")
    elif _above(low, high):
        v.add(f"{path}.high", "must not be below low")
    return low, high


def _above(low: AttributeScalar, high: AttributeScalar) -> bool:
    """Of two values of one type."""
    match low, high:
        case Timestamp(), Timestamp():
            return low.epoch_us > high.epoch_us
        case str(), str():
            return low > high
        case (int() | float(), int() | float()):
            return low > high
        case _:
            return False

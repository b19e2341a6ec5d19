"""Filters from their messages: every part arrives, and what does not apply is refused, never ignored."""

from collections.abc import Mapping, Sequence

import pytest
from google.protobuf.timestamp_pb2 import Timestamp as TimestampMessage

from drivers.filters import (
    NO_FILTER,
    AttributeCondition,
    AttributeTest,
    RowFilter,
    TimeCondition,
    TimeField,
)
from drivers.graph_model import OPEN_END, OPEN_START, EpisodeSource, Kind, Timestamp
from gateway.rpc.filter_reading import held_facts, row_filter
from gateway.rpc.validation import InvalidRequest, Violations
from graphgate.v1 import filter_pb2 as pb
from graphgate.v1 import graph_pb2
from graphgate.v1 import search_service_pb2 as search_pb

UUID = "00000000-0000-4000-8000-000000000000"
AT = TimestampMessage(seconds=100, nanos=123_456_789)
AT_US = 100_123_456
TEXT = graph_pb2.AttributeScalar(string_value="x")

PARTS: Mapping[str, tuple[pb.RowFilter, frozenset[Kind]]] = {
    "uuids": (pb.RowFilter(uuids=[UUID]), frozenset(Kind)),
    "labels_any": (pb.RowFilter(labels_any=["x"]), frozenset({Kind.ENTITY})),
    "labels_all": (pb.RowFilter(labels_all=["x"]), frozenset({Kind.ENTITY})),
    "labels_none": (pb.RowFilter(labels_none=["x"]), frozenset({Kind.ENTITY})),
    "names": (pb.RowFilter(names=["x"]), frozenset({Kind.FACT})),
    "sources": (pb.RowFilter(sources=["EPISODE_SOURCE_JSON"]), frozenset({Kind.EPISODE})),
    "source_uuids": (pb.RowFilter(source_uuids=[UUID]), frozenset({Kind.FACT})),
    "target_uuids": (pb.RowFilter(target_uuids=[UUID]), frozenset({Kind.FACT})),
    "end_uuids": (pb.RowFilter(end_uuids=[UUID]), frozenset({Kind.FACT})),
    "attributes": (
        pb.RowFilter(attributes=[pb.AttributeCondition(name="a", exists=True)]),
        frozenset({Kind.ENTITY, Kind.FACT, Kind.EPISODE}),
    ),
}
TEXT_KINDS = (Kind.ENTITY, Kind.FACT, Kind.EPISODE, Kind.COMMUNITY)


def read(message: pb.RowFilter, kind: Kind, held: RowFilter = NO_FILTER) -> RowFilter:
    v = Violations()
    found = row_filter(v, "filter", message, kind, held)
    v.raise_if_any()
    return found


def refused_fields(message: pb.RowFilter, kind: Kind = Kind.FACT) -> list[str]:
    with pytest.raises(InvalidRequest) as caught:
        read(message, kind)
    return [field for field, _ in caught.value.violations]


def times(**given: object) -> pb.RowFilter:
    condition = pb.TimeCondition(**given)  # pyright: ignore[reportArgumentType]
    return pb.RowFilter(times=[pb.TimeConditions(conditions=[condition])])


def attribute(**given: object) -> pb.RowFilter:
    condition = pb.AttributeCondition(**{"name": "a", **given})  # pyright: ignore[reportArgumentType]
    return pb.RowFilter(attributes=[condition])


def scalars(*values: graph_pb2.AttributeScalar) -> graph_pb2.AttributeList:
    return graph_pb2.AttributeList(values=values)


@pytest.mark.parametrize("kind", TEXT_KINDS)
@pytest.mark.parametrize("part", PARTS)
def test_a_part_applies_to_the_kinds_that_have_it(part: str, kind: Kind) -> None:
    """Every part reaches the drivers for a kind that has it, and is an error for any other."""
    message, kinds = PARTS[part]
    if kind in kinds:
        assert getattr(read(message, kind), part)
    else:
        assert refused_fields(message, kind) == [f"filter.{part}"]


def test_no_part_of_the_message_is_forgotten() -> None:
    """A new field of the filter has to be read and belongs into the table of this test."""
    assert set(pb.RowFilter.DESCRIPTOR.fields_by_name) == {*PARTS, "times"}


def test_values_arrive_as_they_are() -> None:
    """Repeats are dropped, order stays."""
    found = read(pb.RowFilter(labels_any=["b", "a", "b"], uuids=[UUID, UUID]), Kind.ENTITY)
    assert found == RowFilter(labels_any=("b", "a"), uuids=(UUID,))
    found = read(pb.RowFilter(sources=["EPISODE_SOURCE_TEXT", "EPISODE_SOURCE_JSON"]), Kind.EPISODE)
    assert found.sources == (EpisodeSource.TEXT, EpisodeSource.JSON)


def test_time_conditions_have_their_bounds() -> None:
    """Microseconds, half-open ranges, open ends; alternatives stay apart."""
    message = pb.RowFilter(
        times=[
            pb.TimeConditions(
                conditions=[
                    pb.TimeCondition(field="TIME_FIELD_VALID_AT", not_before=AT),
                    pb.TimeCondition(field="TIME_FIELD_INVALID_AT", is_open=True),
                ]
            ),
            pb.TimeConditions(
                conditions=[pb.TimeCondition(field="TIME_FIELD_EXPIRED_AT", not_before=AT, before=AT)]
            ),
        ]
    )
    assert read(message, Kind.FACT).times == (
        (
            TimeCondition(TimeField.VALID_AT, AT_US, OPEN_END),
            TimeCondition(TimeField.INVALID_AT, OPEN_START, OPEN_END, is_open=True),
        ),
        (TimeCondition(TimeField.EXPIRED_AT, AT_US, AT_US),),
    )


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"not_before": AT}, ".field"),
        ({"field": "TIME_FIELD_VALID_AT"}, ""),
        ({"field": "TIME_FIELD_VALID_AT", "is_open": True, "before": AT}, ".is_open"),
        ({"field": "TIME_FIELD_CREATED_AT", "is_open": True}, ".is_open"),
        ({"field": "TIME_FIELD_REFERENCE_TIME", "before": AT}, ".field"),
        (
            {
                "field": "TIME_FIELD_VALID_AT",
                "not_before": AT,
                "before": TimestampMessage(seconds=100, nanos=123_455_999),
            },
            ".before",
        ),
        ({"field": "TIME_FIELD_VALID_AT", "before": TimestampMessage(nanos=-1)}, ".before"),
    ],
)
def test_a_time_condition_that_means_nothing_is_refused(given: dict[str, object], field: str) -> None:
    """No bound, a bound of an open time, an inverted range, a time that facts do not have."""
    assert refused_fields(times(**given)) == [f"filter.times[0].conditions[0]{field}"]


@pytest.mark.parametrize("alternatives", [(63, 1, 64), (1, 63, 63, 1), (2,) * 64])
def test_conditions_of_all_alternatives_are_bounded(alternatives: Sequence[int]) -> None:
    """128 pass, however they are shared out; one more is refused with the limit and the number given."""

    def conditions(counts: Sequence[int]) -> pb.RowFilter:
        one = pb.TimeCondition(field="TIME_FIELD_VALID_AT", before=AT)
        return pb.RowFilter(times=[pb.TimeConditions(conditions=[one] * count) for count in counts])

    assert sum(len(of_one) for of_one in read(conditions(alternatives), Kind.FACT).times) == 128
    with pytest.raises(InvalidRequest) as caught:
        read(conditions((*alternatives[1:], alternatives[0] + 1)), Kind.FACT)
    told = [text for field, text in caught.value.violations if field == "filter.times"]
    assert "has 129 conditions in its alternatives together, at most 128 are allowed" in told[-1]


@pytest.mark.parametrize("counts", [(256,), (1, 255), (4,) * 64])
def test_values_of_all_attribute_conditions_are_bounded(counts: Sequence[int]) -> None:
    """256 pass, however they are shared out among any_of and none_of; one more is refused with the limit and
    the number given."""

    def conditions(counts: Sequence[int]) -> pb.RowFilter:
        both = [attribute(any_of=scalars(*[TEXT] * count)) for count in counts[::2]]
        both += [attribute(none_of=scalars(*[TEXT] * count)) for count in counts[1::2]]
        return pb.RowFilter(attributes=[one for message in both for one in message.attributes])

    assert sum(len(one.values) for one in read(conditions(counts), Kind.FACT).attributes) == 256
    with pytest.raises(InvalidRequest) as caught:
        read(conditions((*counts[1:], counts[0] + 1)), Kind.FACT)
    told = [text for field, text in caught.value.violations if field == "filter.attributes"]
    assert "has 257 values of any_of and none_of in its conditions together, at most 256" in told[0]
    assert "(attribute_values_max)" in told[0]


def test_attribute_conditions_keep_types_apart() -> None:
    """Values of every type, lists and ranges arrive typed."""
    message = pb.RowFilter(
        attributes=[
            pb.AttributeCondition(name="a", any_of=scalars(graph_pb2.AttributeScalar(int64_value=1))),
            pb.AttributeCondition(name="b", none_of=scalars(TEXT)),
            pb.AttributeCondition(
                name="c",
                range=pb.AttributeRange(
                    low=graph_pb2.AttributeScalar(timestamp_value=AT),
                    high=graph_pb2.AttributeScalar(timestamp_value=AT),
                ),
            ),
            pb.AttributeCondition(name="d", exists=False),
        ]
    )
    assert read(message, Kind.ENTITY).attributes == (
        AttributeCondition("a", AttributeTest.ANY_OF, (1,)),
        AttributeCondition("b", AttributeTest.NONE_OF, ("x",)),
        AttributeCondition("c", AttributeTest.RANGE, (Timestamp(AT_US), Timestamp(AT_US))),
        AttributeCondition("d", AttributeTest.ABSENT),
    )


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "", "exists": True}, ".name"),
        ({}, ""),
        ({"any_of": scalars()}, ".any_of"),
        ({"any_of": scalars(TEXT, graph_pb2.AttributeScalar(int64_value=1))}, ".any_of"),
        ({"none_of": scalars(graph_pb2.AttributeScalar())}, ".none_of[0]"),
        ({"range": pb.AttributeRange(low=TEXT)}, ".range.high"),
        (
            {"range": pb.AttributeRange(low=TEXT, high=graph_pb2.AttributeScalar(int64_value=1))},
            ".range.high",
        ),
        (
            {"range": pb.AttributeRange(low=TEXT, high=graph_pb2.AttributeScalar(string_value="a"))},
            ".range.high",
        ),
    ],
)
def test_an_attribute_condition_that_means_nothing_is_refused(given: dict[str, object], field: str) -> None:
    """No name, no test, no values, mixed types, half a range, an inverted one."""
    assert refused_fields(attribute(**given)) == [f"filter.attributes[0]{field}"]


def test_facts_are_those_that_hold_unless_the_caller_widens() -> None:
    """Now by default; at known_at if only that is given; at any time with all_times."""
    now = held_facts(Violations(), search_pb.SearchRequest())
    assert now.as_of is not None
    assert now.known_at is None
    assert now.as_of <= (held_facts(Violations(), search_pb.SearchRequest()).as_of or 0)
    assert held_facts(Violations(), search_pb.SearchRequest(as_of=AT)) == RowFilter(as_of=AT_US)
    known = held_facts(Violations(), search_pb.SearchRequest(known_at=AT))
    assert known == RowFilter(as_of=AT_US, known_at=AT_US)
    assert held_facts(Violations(), search_pb.SearchRequest(all_times=True)) == NO_FILTER
    widened = held_facts(Violations(), search_pb.SearchRequest(all_times=True, known_at=AT))
    assert widened == RowFilter(known_at=AT_US)
    v = Violations()
    held_facts(v, search_pb.SearchRequest(all_times=True, as_of=AT))
    with pytest.raises(InvalidRequest):
        v.raise_if_any()


def test_only_facts_hold_at_a_time() -> None:
    """as_of is of facts; known_at is of every row."""
    held = RowFilter(as_of=5, known_at=6)
    for kind in TEXT_KINDS:
        found = read(pb.RowFilter(), kind, held)
        assert found == RowFilter(as_of=5 if kind is Kind.FACT else None, known_at=6)

"""The condition of a filter over the rows `n` of a kind. Parameters: drivers/filter_parameters.py.

A condition whose flag says that it asks for nothing costs nothing that can be measured; per row that is
looked at, alternatives of times cost about 3 us, attributes 2 us, all others below 0.2 us.

The engine compares two int64 by the sign of their difference, which overflows: 2**63 - 1 > -5 is false on
it. So times, whose open ends are the extremes, are compared as such only where they have the same sign.
"""

from functools import cache

from drivers.filter_parameters import ATTRIBUTE_KINDS, Narrowing
from drivers.graph_model import OPEN_END, OPEN_START, Kind


@cache
def condition(kind: Kind) -> str:
    """No predicate here is on an indexed property: see queries.py for what those do to a pattern."""
    parts = [
        "($f_no_uuids OR n.uuid IN $f_uuids)",
        f"($f_no_known_at OR NOT {less('$f_known_at', 'n.created_at')})",
        *_labels(kind),
        *_of_facts(kind),
        "($f_no_sources OR n.source IN $f_sources)" if kind is Kind.EPISODE else "$f_no_sources",
        f"($f_no_times OR {_times(kind)})",
        *(_ATTRIBUTES if kind in ATTRIBUTE_KINDS else ["$f_no_attributes"]),
    ]
    return "\nAND ".join(parts)


_HOLDING = "(n.valid_at <= 0 OR n.valid_at <= $f_as_of) AND n.invalid_at > 0 AND n.invalid_at > $f_as_of"
"""At an f_as_of of 0 or more. What is so far below it that the difference overflows is never compared."""


def narrowed(kind: Kind, narrowing: Narrowing) -> str:
    """A condition over the rows `n`; empty for Narrowing.NOTHING."""
    match narrowing:
        case Narrowing.NOTHING:
            return ""
        case Narrowing.HOLDING:
            return _HOLDING
        case Narrowing.ANY:
            return condition(kind)


def _labels(kind: Kind) -> list[str]:
    if kind is not Kind.ENTITY:
        return ["$f_no_labels_any", "$f_no_labels_all"]
    return [
        "($f_no_labels_any OR any(f_l IN n.labels WHERE f_l IN $f_labels_any))",
        "($f_no_labels_all OR all(f_l IN $f_labels_all WHERE f_l IN n.labels))",
        "($f_no_labels_none OR none(f_l IN n.labels WHERE f_l IN $f_labels_none))",
    ]


def _of_facts(kind: Kind) -> list[str]:
    if kind is not Kind.FACT:
        return ["$f_no_names", "$f_no_source_uuids", "$f_no_target_uuids", "$f_no_end_uuids"]
    end = (
        "coalesce(head([f_i IN range(0, size(n.closure_at) - 1) "
        f"WHERE {less('$f_known_at', 'n.closure_at[f_i]')} | n.closure_end[f_i]]), n.invalid_at)"
    )
    # Without known_at no closures are gone through. Not by CASE, which evaluates all of its branches.
    ends_later = (
        f"(($f_no_known_at AND {less('$f_as_of', 'n.invalid_at')}) "
        f"OR (NOT $f_no_known_at AND {less('$f_as_of', end)}))"
    )
    return [
        "($f_no_names OR n.name IN $f_names)",
        "($f_no_source_uuids OR n.source_uuid IN $f_source_uuids)",
        "($f_no_target_uuids OR n.target_uuid IN $f_target_uuids)",
        "($f_no_end_uuids OR n.source_uuid IN $f_end_uuids OR n.target_uuid IN $f_end_uuids)",
        f"($f_no_as_of OR (NOT {less('$f_as_of', 'n.valid_at')} AND {ends_later}))",
    ]


def less(one: str, other: str) -> str:
    """one < other for any int64."""
    return f"(CASE WHEN ({one} < 0) = ({other} < 0) THEN {one} < {other} ELSE {one} < 0 END)"


def _times(kind: Kind) -> str:
    if kind is not Kind.FACT:
        return _times_of("n")
    # f_c: the first change of the end that was not recorded yet at known_at, null for none.
    undone = (
        "head([f_j IN range(0, size(n.closure_at) - 1) "
        f"WHERE {less('$f_known_at', 'n.closure_at[f_j]')} | f_j])"
    )
    expiry = (
        f"CASE WHEN f_c IS NULL THEN n.expired_at WHEN n.closure_end[f_c] = {OPEN_END} THEN {OPEN_END} "
        "WHEN f_c = 0 THEN n.created_at ELSE n.closure_at[f_c - 1] END"
    )
    known = (
        "{created_at: n.created_at, valid_at: n.valid_at, "
        f"invalid_at: coalesce(n.closure_end[f_c], n.invalid_at), expired_at: {expiry}}}"
    )
    return (
        f"($f_no_known_at AND {_times_of('n')}) OR (NOT $f_no_known_at AND "
        f"any(f_c IN [{undone}] WHERE any(f_k IN [{known}] WHERE {_times_of('f_k')})))"
    )


def _times_of(times: str) -> str:
    """`times`: a row or a map with a row's times."""
    return f"any(f_all IN $f_times WHERE all(f_t IN f_all WHERE {_time(f'{times}[f_t.field]')}))"


def _time(value: str) -> str:
    is_open = f"({value} = {OPEN_START} OR {value} = {OPEN_END})"
    within = f"NOT {less(value, 'f_t.low')} AND {less(value, 'f_t.high')}"
    return f"(CASE WHEN f_t.is_open OR {is_open} THEN f_t.is_open AND {is_open} ELSE {within} END)"


_ATTRIBUTES = (
    # One value after the other, each looked for by the engine in the row's list: the other way round every
    # condition goes through all terms of the row, which takes some times as long.
    (
        "($f_no_attribute_values OR all(f_a IN $f_attribute_values WHERE "
        "f_a.negated <> any(f_x IN f_a.terms WHERE f_x IN n.attribute_index)))"
    ),
    (
        "($f_no_attribute_ranges OR all(f_a IN $f_attribute_ranges WHERE "
        "f_a.negated <> any(f_x IN n.attribute_index WHERE f_a.low <= f_x AND f_x <= f_a.high)))"
    ),
)

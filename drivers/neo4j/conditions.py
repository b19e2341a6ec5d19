"""The condition of a filter over the rows of a kind. Parameters: drivers/filter_parameters.py."""

from functools import cache

from drivers.filter_parameters import ATTRIBUTE_KINDS, Narrowing
from drivers.graph_model import OPEN_END, OPEN_START, Kind


@cache
def condition(kind: Kind, n: str = "n") -> str:
    """Every part is inside an OR with a parameter, so that the planner takes no index for it."""
    parts = [
        f"($p.f_no_uuids OR {n}.uuid IN $p.f_uuids)",
        f"($p.f_no_known_at OR {n}.created_at <= $p.f_known_at)",
        *_labels(kind, n),
        *_of_facts(kind, n),
        f"($p.f_no_sources OR {n}.source IN $p.f_sources)" if kind is Kind.EPISODE else "$p.f_no_sources",
        f"($p.f_no_times OR {_times(kind, n)})",
        *(_attributes(n) if kind in ATTRIBUTE_KINDS else ["$p.f_no_attributes"]),
    ]
    return "\n  AND ".join(parts)


def narrowed(kind: Kind, narrowing: Narrowing, n: str = "n") -> str:
    """Empty for Narrowing.NOTHING."""
    match narrowing:
        case Narrowing.NOTHING:
            return ""
        case Narrowing.HOLDING:
            return f"{n}.valid_at <= $p.f_as_of AND {n}.invalid_at > $p.f_as_of"
        case Narrowing.ANY:
            return condition(kind, n)


def _labels(kind: Kind, n: str) -> list[str]:
    if kind is not Kind.ENTITY:
        return ["$p.f_no_labels_any", "$p.f_no_labels_all"]
    return [
        f"($p.f_no_labels_any OR any(f_l IN {n}.labels WHERE f_l IN $p.f_labels_any))",
        f"($p.f_no_labels_all OR all(f_l IN $p.f_labels_all WHERE f_l IN {n}.labels))",
        f"($p.f_no_labels_none OR none(f_l IN {n}.labels WHERE f_l IN $p.f_labels_none))",
    ]


def _of_facts(kind: Kind, n: str) -> list[str]:
    if kind is not Kind.FACT:
        return ["$p.f_no_names", "$p.f_no_source_uuids", "$p.f_no_target_uuids", "$p.f_no_end_uuids"]
    # Without known_at no closures are gone through.
    end = (
        f"CASE WHEN $p.f_no_known_at THEN {n}.invalid_at "
        f"ELSE coalesce(head([f_i IN range(0, size({n}.closure_at) - 1) "
        f"WHERE {n}.closure_at[f_i] > $p.f_known_at | {n}.closure_end[f_i]]), {n}.invalid_at) END"
    )
    return [
        f"($p.f_no_names OR {n}.name IN $p.f_names)",
        f"($p.f_no_source_uuids OR {n}.source_uuid IN $p.f_source_uuids)",
        f"($p.f_no_target_uuids OR {n}.target_uuid IN $p.f_target_uuids)",
        f"($p.f_no_end_uuids OR {n}.source_uuid IN $p.f_end_uuids OR {n}.target_uuid IN $p.f_end_uuids)",
        f"($p.f_no_as_of OR ({n}.valid_at <= $p.f_as_of AND $p.f_as_of < {end}))",
    ]


def _times(kind: Kind, n: str) -> str:
    if kind is not Kind.FACT:
        return _times_of(n)
    # f_c: the first change of the end that was not recorded yet at known_at, null for none.
    undone = (
        f"head([f_j IN range(0, size({n}.closure_at) - 1) WHERE {n}.closure_at[f_j] > $p.f_known_at | f_j])"
    )
    expiry = (
        f"CASE WHEN f_c IS NULL THEN {n}.expired_at WHEN {n}.closure_end[f_c] = {OPEN_END} THEN {OPEN_END} "
        f"WHEN f_c = 0 THEN {n}.created_at ELSE {n}.closure_at[f_c - 1] END"
    )
    known = (
        f"{{created_at: {n}.created_at, valid_at: {n}.valid_at, "
        f"invalid_at: coalesce({n}.closure_end[f_c], {n}.invalid_at), expired_at: {expiry}}}"
    )
    return (
        f"($p.f_no_known_at AND {_times_of(n)}) OR (NOT $p.f_no_known_at AND "
        f"any(f_c IN [{undone}] WHERE any(f_k IN [{known}] WHERE {_times_of('f_k')})))"
    )


def _times_of(times: str) -> str:
    """`times`: a row or a map with a row's times."""
    return f"any(f_all IN $p.f_times WHERE all(f_t IN f_all WHERE {_time(f'{times}[f_t.field]')}))"


def _time(value: str) -> str:
    is_open = f"({value} = {OPEN_START} OR {value} = {OPEN_END})"
    within = f"f_t.low <= {value} AND {value} < f_t.high"
    return f"CASE WHEN f_t.is_open OR {is_open} THEN f_t.is_open AND {is_open} ELSE {within} END"


def _attributes(n: str) -> list[str]:
    """The row's list is read once for each condition; the engine keeps the terms of a condition as a set."""
    return [
        (
            "($p.f_no_attribute_values OR all(f_a IN $p.f_attribute_values WHERE "
            f"f_a.negated <> any(f_x IN {n}.attribute_index WHERE f_x IN f_a.terms)))"
        ),
        (
            "($p.f_no_attribute_ranges OR all(f_a IN $p.f_attribute_ranges WHERE "
            f"f_a.negated <> any(f_x IN {n}.attribute_index WHERE f_a.low <= f_x AND f_x <= f_a.high)))"
        ),
    ]

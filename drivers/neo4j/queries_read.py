"""Rows by uuid, in lists and by version. Rows are collected before the fence is looked for: it is read last.

pk = group_id + "/" + uuid, and no group_id holds a slash: so the index of the unique pk has every group's
rows together, in the order of their uuids, and serves lists and scans of a group as well as single rows.
"""

from collections.abc import Sequence
from functools import cache

from drivers.graph_model import Kind
from drivers.neo4j.queries import (
    FENCE_OR_NULL,
    OPERATION_COLUMNS,
    PREFIX,
    fence_of,
    pattern,
    row_by_pk,
    row_values,
    values,
)
from drivers.reads import ListOrder
from drivers.row_codec import LABEL

FIRST_PK_SUFFIX = "/"
END_PK_SUFFIX = "0"
"""The character after the slash: every pk of group g lies between g + "/" and g + "0"."""
VERSION_COLUMNS = ("uuid", "version")

_CLOSED = "($p.anchor_uuid IN n.closure_episode OR any(f IN n.closure_fact WHERE f IN $p.closed_by_facts))"


@cache
def rows_text(kind: Kind, with_vectors: bool) -> str:
    """Parameter: groups, maps of group_id and pks. One record per group: [group_id, rows, fence or null]."""
    return f"""{PREFIX}
UNWIND $p.groups AS g
CALL (g) {{
  UNWIND g.pks AS k {row_by_pk(kind, "k")}
  RETURN collect({row_values(kind, with_vectors)}) AS rows
}}
{fence_of("g.group_id")}
RETURN g.group_id, rows, {FENCE_OR_NULL}"""


@cache
def list_text(
    kind: Kind,
    order: ListOrder,
    anchor: Kind | None,
    with_vectors: bool,
    between: bool = False,
    closed: bool = False,
    bounded: bool = False,
    versions: bool = False,
) -> str:
    """Parameters: group_id, limit, and
    UUID: after_pk, end_pk; NEWEST: created_at, uuid (of the row before); with an anchor also anchor_pk and
    anchor_uuid; for facts `between` the anchor and another entity, other_uuid; for facts `closed` by the
    anchor, closed_by_facts; for `bounded` versions, up_to_version. With `versions` a row is its uuid and its
    version.
    One record: [rows, fence or null]."""
    label = LABEL[kind]
    hangs = anchor is not None and (kind, anchor) != (Kind.FACT, Kind.EPISODE)
    if hangs:
        assert anchor is not None
        rows = (
            f"MATCH (a:{LABEL[anchor]} {{pk: $p.anchor_pk}})-[n:{label}]-() "
            f"USING INDEX SEEK a:{LABEL[anchor]}(pk)"
        )
    elif order is ListOrder.UUID:
        rows = f"MATCH {pattern(kind)} USING INDEX SEEK n:{label}(pk)"
    else:
        rows = f"MATCH {pattern(kind)} USING INDEX SEEK n:{label}(group_id, created_at)"
    if order is ListOrder.UUID:
        where, by = "n.pk > $p.after_pk AND n.pk < $p.end_pk", "n.pk"
    else:
        # CASE and not OR, which the planner may answer by two seeks and then sorts the whole group.
        where = (
            "n.group_id = $p.group_id AND n.created_at <= $p.created_at "
            "AND CASE WHEN n.created_at = $p.created_at THEN n.uuid > $p.uuid ELSE true END"
        )
        by = "n.group_id DESC, n.created_at DESC, n.uuid"
    if between:
        where += " AND $p.other_uuid IN [n.source_uuid, n.target_uuid]"
        where += " AND ($p.other_uuid <> $p.anchor_uuid OR n.source_uuid = n.target_uuid)"
    if anchor is not None and not hangs:
        where += f" AND {_CLOSED if closed else '$p.anchor_uuid IN n.episodes'}"
    if bounded:
        where += " AND n.version <= $p.up_to_version"
    returned = values("n", VERSION_COLUMNS) if versions else row_values(kind, with_vectors)
    return f"""{PREFIX}
CALL () {{
  {rows}
  WHERE {where}
  WITH {"DISTINCT " if hangs else ""}n ORDER BY {by} LIMIT $p.limit
  RETURN collect({returned}) AS rows
}}
{fence_of("$p.group_id")}
RETURN rows, {FENCE_OR_NULL}"""


def _changes_text(versioned: Sequence[tuple[str, str, str]]) -> str:
    """`versioned`: what has versions, each by its pattern, its label and what to return of it."""
    versions = " UNION ALL ".join(
        f"""MATCH {match} USING INDEX SEEK n:{label}(group_id, version)
  WHERE n.group_id = $p.group_id AND n.version > $p.after AND n.version <= $p.bound
  WITH n ORDER BY n.group_id, n.version LIMIT $p.limit + 1
  RETURN n.version AS v"""
        for match, label, _ in versioned
    )
    parts = "\n".join(
        f"""CALL (cut) {{
  MATCH {match} USING INDEX SEEK n:{label}(group_id, version)
  WHERE n.group_id = $p.group_id AND n.version > $p.after AND n.version <= cut
  RETURN collect({what}) AS part_{number}
}}"""
        for number, (match, label, what) in enumerate(versioned)
    )
    return f"""{PREFIX}
CALL () {{
  {versions}
}}
WITH v ORDER BY v LIMIT $p.limit + 1
WITH collect(v) AS vs
WITH CASE
  WHEN size(vs) <= $p.limit THEN $p.bound
  WHEN vs[0] = vs[$p.limit] THEN vs[0]
  ELSE vs[$p.limit] - 1
END AS cut
{parts}
{fence_of("$p.group_id")}
RETURN cut, [{", ".join(f"part_{number}" for number in range(len(versioned)))}], {FENCE_OR_NULL}"""


_CHANGED = (
    *((pattern(kind), LABEL[kind], row_values(kind, with_vectors=True)) for kind in Kind),
    ("(n:_Tombstone)", "_Tombstone", "[n.kind, n.uuid, n.version]"),
)
_OPERATIONS = ("(n:_Op)", "_Op", values("n", OPERATION_COLUMNS))

CHANGES = _changes_text(_CHANGED)
"""Parameters: group_id, after, bound, limit. One record: [cut, parts, fence or null], where the parts are the
rows of each kind in Kind's order and then the tombstones, and cut is the version up to which they are whole:
the one before that in which the row number limit + 1 lies, or the first one if that alone has more rows."""

CHANGES_AND_OPERATIONS = _changes_text((*_CHANGED, _OPERATIONS))
"""As CHANGES, with the operation records as the last part; they count for the limit too."""

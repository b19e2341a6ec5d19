"""Statements of vector slots. The kind goes into the texts, and the label where rows are found by it; the
rest are parameters, `column` of them the property of rows that holds their vectors.

The nodes of a slot are (:_Vector:V... {pk, uuid, v}); (:_Slot {key, serial}) says what it holds and how far
it is.
"""

from functools import cache

from drivers.filter_parameters import Narrowing
from drivers.graph_model import Kind
from drivers.neo4j.conditions import narrowed
from drivers.neo4j.queries import FENCE_OR_NULL, PREFIX, fence_of, pattern, row_by_pk, values, values_or_null
from drivers.row_codec import LABEL

SLOT_COLUMNS = (
    "group_id",
    "space",
    "kind",
    "model",
    "dimension",
    "revision",
    "property",
    "version",
    "uuid",
    "caught_up",
    "serial",
    "rows_min",
)

_SLOT = values("x", SLOT_COLUMNS)
_FIND_SLOT = "MATCH (x:_Slot {key: $p.key}) USING INDEX x:_Slot(key) WHERE x.serial = $p.serial"
_LOCK_SLOT = f"""{_FIND_SLOT}
SET x += {{}}
WITH x WHERE x.dimension > 0"""
"""Not one that is being dropped."""

LIST_SLOTS = f"{PREFIX}\nMATCH (x:_Slot)\nRETURN {_SLOT}"

CREATE_SLOT = f"""{PREFIX}
MERGE (x:_Slot {{key: $p.key}}) ON CREATE SET x += $p.properties
RETURN {_SLOT}"""

MARK_DROPPED = f"""{PREFIX}
{_FIND_SLOT}
SET x.dimension = 0, x.caught_up = false"""

DROP_SLOT = f"{PREFIX}\n{_FIND_SLOT}\nDELETE x"

ADVANCE_SLOT = f"""{PREFIX}
{_LOCK_SLOT} AND x.version = $p.from_version AND x.uuid = $p.from_uuid
WITH x, (x.version < $p.version OR
  (x.version = $p.version AND x.uuid <> '' AND ($p.uuid = '' OR x.uuid < $p.uuid))) AS on
SET x.version = CASE WHEN on THEN $p.version ELSE x.version END,
  x.uuid = CASE WHEN on THEN $p.uuid ELSE x.uuid END,
  x.caught_up = x.caught_up OR $p.caught_up
RETURN {_SLOT}"""
"""Never backwards, only from where it was, and compared under the lock: two gateways may fill one slot."""

AWAIT_INDEX = f"{PREFIX}\nCALL db.awaitIndex($p.index, $p.seconds)"


def index_text(label: str, index: str, dimension: int) -> str:
    return (
        f"CREATE VECTOR INDEX {index} IF NOT EXISTS FOR (s:{label}) ON (s.v) OPTIONS {{indexConfig: "
        f"{{`vector.dimensions`: {dimension}, `vector.similarity_function`: 'cosine'}}}}"
    )


def drop_text(index: str) -> str:
    return f"DROP INDEX {index} IF EXISTS"


@cache
def empty_text(label: str) -> str:
    """Parameter: limit. Answers how many nodes are gone. With a parameter for the label the server would look
    at all nodes."""
    return f"{PREFIX}\nMATCH (s:{label}) WITH s LIMIT $p.limit DELETE s RETURN count(*)"


@cache
def backlog_text(kind: Kind) -> str:
    """Parameters: group_id, kind, version, uuid, bound, limit. Records: [version, uuid] of rows and
    tombstones after a place, in order."""
    # CASE and not OR, which the planner may answer by two seeks.
    later = (
        "n.version >= $p.version AND n.version <= $p.bound AND "
        "CASE WHEN n.version = $p.version THEN $p.uuid <> '' AND n.uuid > $p.uuid ELSE true END"
    )
    parts = " UNION ALL ".join(
        f"""MATCH {match} USING INDEX n:{label}(group_id, version)
  WHERE n.group_id = $p.group_id AND {later}{more}
  WITH n.version AS version, n.uuid AS uuid ORDER BY version, uuid LIMIT $p.limit
  RETURN version, uuid"""
        for match, label, more in (
            (pattern(kind), LABEL[kind], ""),
            ("(n:_Tombstone)", "_Tombstone", " AND n.kind = $p.kind"),
        )
    )
    return f"""{PREFIX}
CALL () {{
  {parts}
}}
RETURN version, uuid ORDER BY version, uuid LIMIT $p.limit"""


@cache
def fill_text(kind: Kind) -> str:
    """Parameters: group_id, key, serial, label, column, rows (maps of pk, slot_pk and uuid). Each row's
    vector as it is now; out with those that have none. Under the fence's lock, so that no write of the group
    is half visible, and under the slot's: nothing happens to one that is being dropped, nobody would empty it
    again. One text for all slots: the server would take a second to compile each."""
    return f"""{PREFIX}
MATCH (f:_Fence {{group_id: $p.group_id}}) USING INDEX f:_Fence(group_id)
SET f += {{}}
WITH f
{_LOCK_SLOT}
UNWIND $p.rows AS row
CALL (row) {{
  OPTIONAL {row_by_pk(kind, "row.pk")}
  RETURN n[$p.column] AS v
}}
CALL (row, v) {{
  WITH row, v WHERE v IS NOT NULL
  MERGE (s:_Vector {{pk: row.slot_pk}}) SET s:$($p.label), s.uuid = row.uuid
  WITH s, v CALL db.create.setNodeVectorProperty(s, 'v', v)
}}
CALL (row, v) {{
  WITH row, v WHERE v IS NULL
  MATCH (s:_Vector {{pk: row.slot_pk}}) USING INDEX s:_Vector(pk)
  DELETE s
}}
RETURN count(*)"""


@cache
def search_text(kind: Kind, narrowing: Narrowing) -> str:
    """Parameters: group_id, kind, key, serial, index, column, k, vector, dimension, since (version),
    tail_max; and those of a filter. One record: [found as [uuid, score in 0..1], how many the index found,
    tail as [uuid, score or null], uuids of tombstones, slot or null, fence or null].

    The index holds its vectors in one byte a number: what it finds is scored by the vectors themselves.
    """
    passes = narrowed(kind, narrowing)
    and_condition = passes and f" AND {passes}"
    fits = f"size(vector) = $p.dimension{and_condition}"
    keep = ""
    if passes:
        keep = f"\n  MATCH {_row_of(kind)} WHERE {passes}"
    return f"""{PREFIX}
CALL () {{
  CALL db.index.vector.queryNodes($p.index, $p.k, $p.vector) YIELD node
  RETURN collect(node) AS nodes
}}
CALL (nodes) {{
  UNWIND nodes AS s{keep}
  RETURN collect([s.uuid, vector.similarity.cosine(s.v, $p.vector)]) AS found
}}
CALL (found) {{
  MATCH {pattern(kind)} USING INDEX n:{LABEL[kind]}(group_id, version)
  WHERE n.group_id = $p.group_id AND n.version > $p.since
  WITH n, n[$p.column] AS vector LIMIT $p.tail_max
  RETURN collect([n.uuid, CASE WHEN {fits} THEN vector.similarity.cosine(vector, $p.vector) END]) AS tail
}}
CALL (tail) {{
  MATCH (t:_Tombstone) USING INDEX t:_Tombstone(group_id, version)
  WHERE t.group_id = $p.group_id AND t.version > $p.since AND t.kind = $p.kind
  WITH t LIMIT $p.tail_max
  RETURN collect(t.uuid) AS gone
}}
OPTIONAL {_FIND_SLOT}
{fence_of("$p.group_id")}
RETURN found, size(nodes), tail, gone, {values_or_null("x", SLOT_COLUMNS)}, {FENCE_OR_NULL}"""


def _row_of(kind: Kind) -> str:
    body = f"n:{LABEL[kind]} {{pk: $p.group_id + '/' + s.uuid}}"
    return f"({body})" if pattern(kind).startswith("(n") else f"()-[{body}]->()"

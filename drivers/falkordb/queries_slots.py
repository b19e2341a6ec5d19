"""Query texts of vector slots. The kind, the label and the `column` of rows that holds their vectors go into
the texts; the rest are parameters.

The nodes of a slot are (:V... {pk, uuid, v}); (:_Slot {key, serial}) says what it holds and how far it is.
"""

from functools import cache

from drivers.falkordb.conditions import narrowed
from drivers.falkordb.queries import FENCE_OF_GROUP, match_all, match_by, tagged, union
from drivers.filter_parameters import Narrowing
from drivers.graph_model import Kind

SLOT = "SLOT"
HIT = "HIT"
TAIL = "TAIL"
GONE = "GONE"
CHANGED = "CHANGED"

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

EF_CONSTRUCTION = 100
"""Candidates among which an insert chooses its neighbours. The server answers nobody during an insert: with
200 it takes 0.83 ms of CPU time at 10,000 vectors of 384 numbers and 1.27 at 50,000, with 100 0.43 and 0.83,
with 64 0.37 and 0.60. Of the best 10 of real text vectors a search finds .999, .996 and .985 at 50,000."""
EF_RUNTIME = 200
"""Candidates that a search of the index looks at; fixed when the index is made."""
NEIGHBOURS = 16

_CELLS = ", ".join(f"x.{column}" for column in SLOT_COLUMNS)

LIST_SLOTS = f"MATCH (x:_Slot) {tagged(SLOT, _CELLS)}"

CREATE_SLOT = f"""MERGE (x:_Slot {{key: $key}})
ON CREATE SET x += $properties
{tagged(SLOT, _CELLS)}"""

_THIS_SLOT = "MATCH (x:_Slot {key: $key}) WHERE x.serial = $serial"
_SERVING = "AND x.dimension > 0"

MARK_DROPPED = f"""{_THIS_SLOT}
SET x.dimension = 0, x.caught_up = false"""

DROP_SLOT = f"{_THIS_SLOT} DELETE x"

ADVANCE_SLOT = f"""{_THIS_SLOT} {_SERVING} AND x.version = $from_version AND x.uuid = $from_uuid
WITH x, (x.version < $version OR
(x.version = $version AND x.uuid <> '' AND ($uuid = '' OR x.uuid < $uuid))) AS further
SET x.version = CASE WHEN further THEN $version ELSE x.version END,
x.uuid = CASE WHEN further THEN $uuid ELSE x.uuid END,
x.caught_up = x.caught_up OR $caught_up
{tagged(SLOT, _CELLS)}"""
"""Never backwards, and only from where it was: two gateways may fill one slot."""


def index_texts(label: str, dimension: int) -> tuple[str, ...]:
    options = (
        f"dimension: {dimension}, similarityFunction: 'cosine', M: {NEIGHBOURS}, "
        f"efConstruction: {EF_CONSTRUCTION}, efRuntime: {EF_RUNTIME}"
    )
    return (
        f"CREATE INDEX FOR (s:{label}) ON (s.pk)",
        f"CREATE VECTOR INDEX FOR (s:{label}) ON (s.v) OPTIONS {{{options}}}",
    )


def drop_texts(label: str) -> tuple[str, ...]:
    return (f"DROP VECTOR INDEX FOR (s:{label}) ON (s.v)", f"DROP INDEX FOR (s:{label}) ON (s.pk)")


@cache
def empty_text(label: str) -> str:
    """Parameter: limit. Answers how many nodes are gone."""
    return f"MATCH (s:{label}) WITH s LIMIT $limit DELETE s RETURN count(s)"


@cache
def backlog_text(kind: Kind) -> str:
    """Parameters: group, kind, version, uuid, limit. Rows and tombstones after a place, each in order."""
    later = "n.version >= $version AND (n.version > $version OR ($uuid <> '' AND n.uuid + '' > $uuid))"
    rows = f"MATCH {match_all(kind)} WHERE n.group_id = $group AND {later}"
    gone = f"MATCH (n:_Tombstone) WHERE n.group_id = $group AND n.kind = $kind AND {later}"
    first = "WITH n.version AS version, n.uuid AS uuid ORDER BY version, uuid LIMIT $limit\n"
    return union(
        (
            *(f"{match}\n{first}{tagged(CHANGED, 'version, uuid')}" for match in (rows, gone)),
            FENCE_OF_GROUP,
        )
    )


@cache
def fill_text(kind: Kind, label: str, column: str) -> str:
    """Parameters: key, serial, rows (maps of pk and uuid). Each row's vector as it is now; out with those
    that have none. Nothing happens to a slot that is being dropped: nobody would empty it again."""
    return f"""{_THIS_SLOT} {_SERVING}
UNWIND $rows AS row
OPTIONAL MATCH {match_by(kind, "pk: row.pk")}
WITH row, n.{column} AS v
FOREACH (_ IN CASE WHEN v IS NULL THEN [] ELSE [1] END |
  MERGE (s:{label} {{pk: row.pk}}) SET s.uuid = row.uuid, s.v = v)
WITH row, v WHERE v IS NULL
MATCH (s:{label} {{pk: row.pk}})
DELETE s"""


@cache
def search_text(kind: Kind, column: str, narrowing: Narrowing) -> str:
    """Parameters: group, kind, key, serial, label, k, vector, since (version), tail_max; and those of a
    filter. While the index is being filled, as after a restart, the engine refuses the query.
    """
    passes = narrowed(kind, narrowing)
    and_condition = passes and f" AND {passes}"
    found = "CALL db.idx.vector.queryNodes($label, 'v', $k, vecf32($vector)) YIELD node, score"
    if passes:
        found += f"""
WITH node.pk AS p, score
MATCH {match_by(kind, "pk: p")}
{tagged(HIT, f"n.uuid, CASE WHEN {passes} THEN 1 - score ELSE null END")}"""
    else:
        found += f"\n{tagged(HIT, 'node.uuid, 1 - score')}"
    score = f"1 - vec.cosineDistance(n.{column}, vecf32($vector))"
    fits = f"n.{column} IS NOT NULL{and_condition}"
    return union(
        (
            found,
            f"""MATCH {match_all(kind)} WHERE n.group_id = $group AND n.version > $since
WITH n LIMIT $tail_max
{tagged(TAIL, f"n.uuid, CASE WHEN {fits} THEN {score} ELSE null END")}""",
            f"""MATCH (t:_Tombstone) WHERE t.group_id = $group AND t.version > $since AND t.kind = $kind
WITH t LIMIT $tail_max
{tagged(GONE, "t.uuid")}""",
            f"{_THIS_SLOT} {tagged(SLOT, _CELLS)}",
            FENCE_OF_GROUP,
        )
    )

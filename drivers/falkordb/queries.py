"""Parts that query texts are composed of, and the queries of fences and the marker.

Facts of FalkorDB 4.22 that the texts of this package rest on, each held by a test:

- One query is atomic and sees one state of its graph, all branches of a UNION ALL included.
- A string range over an indexed property is wrong (its bounds are compared without case), equality and
  IN are exact: `+ ''` keeps a range away from the index.
- An undirected pattern with a predicate on an indexed property of the relationship is answered by the
  index, in one direction only: rows are missing. Such patterns carry no predicate of that kind.
- `n.p = f.p` between two matched nodes becomes a hash join over the whole label; the value taken into a
  variable first (`WITH f.p AS p MATCH (n:L {p: p})`) is looked up in the index. So is `IN $parameter`;
  `IN variable` is not.
"""

from collections.abc import Iterable

from drivers.fence import FenceState
from drivers.fence_codec import FENCE_COLUMNS, MARKER_COLUMNS
from drivers.graph_model import EDGE_KINDS, Kind
from drivers.register_gate import RegisterGate
from drivers.row_codec import COLUMNS, LABEL

FENCE = "FENCE"
"""Tag of a result row that is a fence; rows of a kind carry the kind's name."""


def cells(variable: str, columns: Iterable[str]) -> str:
    return ", ".join(f"{variable}.{column}" for column in columns)


def tagged(tag: str, values: str) -> str:
    """The one shape of result rows in a UNION ALL: [tag, values]."""
    return f"RETURN '{tag}' AS tag, [{values}] AS row"


def union(branches: Iterable[str]) -> str:
    return "\nUNION ALL\n".join(branches)


def match_all(kind: Kind, variable: str = "n") -> str:
    """Never labels endpoints: with labels on them the lookup of an edge becomes a scan of the label."""
    if kind in EDGE_KINDS:
        return f"()-[{variable}:{LABEL[kind]}]->()"
    return f"({variable}:{LABEL[kind]})"


def match_by(kind: Kind, key: str, variable: str = "n") -> str:
    """As match_all, with `key` a map of properties."""
    if kind in EDGE_KINDS:
        return f"()-[{variable}:{LABEL[kind]} {{{key}}}]->()"
    return f"({variable}:{LABEL[kind]} {{{key}}})"


def row_cells(kind: Kind, variable: str = "n", slot: str | None = None) -> str:
    """COLUMNS[kind], and the vector last when a slot is given."""
    columns = COLUMNS[kind] if slot is None else (*COLUMNS[kind], slot)
    return cells(variable, columns)


OWNING = f"f.state IN ['{FenceState.OPEN}', '{FenceState.FROZEN}']"

FENCE_OF_GROUP = f"MATCH (f:_Fence {{group_id: $group}})\n{tagged(FENCE, cells('f', FENCE_COLUMNS))}"
FENCES_OF_GROUPS = f"MATCH (f:_Fence) WHERE f.group_id IN $groups\n{tagged(FENCE, cells('f', FENCE_COLUMNS))}"

LIST_FENCES = f"""MATCH (f:_Fence) WHERE {OWNING} AND f.group_id + '' > $after
WITH f ORDER BY f.group_id LIMIT $limit
{tagged(FENCE, cells("f", FENCE_COLUMNS))}"""

LIST_ALL_FENCES = f"""MATCH (f:_Fence) WHERE f.group_id + '' > $after
WITH f ORDER BY f.group_id LIMIT $limit
{tagged(FENCE, cells("f", FENCE_COLUMNS))}"""

GATE = "(g:_Gate {key: 'gate'})"
_GATE_ROOT = f"coalesce(g.root, {RegisterGate().root})"
_GATE_SEAL = f"coalesce(g.seal, {RegisterGate().seal})"

CREATE_FENCE = f"""OPTIONAL MATCH {GATE}
WITH {_GATE_SEAL} % 2 = 0 AND (size($roots) = 0 OR {_GATE_ROOT} IN $roots) AS lets
UNWIND CASE WHEN lets THEN [1] ELSE [] END AS once
MERGE (f:_Fence {{group_id: $group}})
ON CREATE SET f += $properties
{tagged(FENCE, cells("f", FENCE_COLUMNS))}"""
"""No row when the gate is closed. A graph without a gate has the one of a founding."""

READ_GATE = f"MATCH {GATE} RETURN g.root, g.seal"

RAISE_GATE = f"""MERGE {GATE}
ON CREATE SET g.root = $root, g.seal = $seal
ON MATCH SET g.root = CASE WHEN g.root < $root THEN $root ELSE g.root END,
             g.seal = CASE WHEN g.seal < $seal THEN $seal ELSE g.seal END
RETURN g.root, g.seal"""

READ_MARKER = f"MATCH (m:_Marker {{key: 'shard'}}) RETURN {cells('m', MARKER_COLUMNS)}"

INDEX_MARKER = "CREATE INDEX FOR (m:_Marker) ON (m.key)"

CREATE_MARKER = f"""MERGE (m:_Marker {{key: 'shard'}})
ON CREATE SET m += $properties
RETURN {cells("m", MARKER_COLUMNS)}"""

ADVANCE_BEAT = """MATCH (m:_Marker {key: 'shard'})
SET m.beat = CASE WHEN m.beat = $seen THEN $beat ELSE m.beat END
RETURN m.beat"""

CHANGE_MARKER = """MATCH (m:_Marker {key: 'shard'})
WHERE m.root_version = $seen.root_version AND m.root_ring = $seen.root_ring
  AND coalesce(m.pending_version, 0) = $seen.pending_version
  AND coalesce(m.pending_ring, '[]') = $seen.pending_ring
  AND coalesce(m.removed, 0) = $seen.removed
SET m += $after
RETURN m.root_version"""

PING = "RETURN 1"

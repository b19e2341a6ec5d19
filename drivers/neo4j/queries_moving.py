"""Statements of the move of a group. The rules of a fence's changes travel as parameters, and not as a text
for each: between FREEZE and COMMIT writers wait, and the server would need 0.1 s to compile a text that it
has not seen for a while.

Order in each, as in the fenced write: lock the fence (SET f += {}), then read and check it, then change.
"""

from collections.abc import Iterable
from functools import cache

from drivers.graph_model import EDGE_KINDS, ENDPOINT_KINDS, NODE_KINDS, TEXT_KINDS, Kind
from drivers.moving import Other, Section
from drivers.neo4j.queries import (
    FENCE,
    FENCE_OR_NULL,
    OPERATION_COLUMNS,
    PREFIX,
    fence_of,
    pattern,
    row_by_pk,
    values,
)
from drivers.neo4j.records import DEFAULT_SLOT
from drivers.row_codec import LABEL

NEW_STATE = ""
"""State of a fence between its making and its first change, which are one statement: nobody else sees it."""

_FIND_FENCE = "MATCH (f:_Fence {group_id: $p.group_id}) USING INDEX SEEK f:_Fence(group_id)"

LOCKED_FENCE = f"""{PREFIX}
{_FIND_FENCE}
SET f += {{}}
RETURN {FENCE}"""
"""Every commit up to its version is wholly visible to later reads; see queries_write.images_statement."""

_GUARDED = f"""SET f += {{}}
WITH f, (f.state = '{NEW_STATE}' OR (f.state IN $p.rule.states AND all(g IN $p.rule.guards WHERE
  CASE g.comparison
    WHEN '=' THEN coalesce(f[g.name], g.blank) = coalesce(g.value, coalesce(f[g.own], g.own_blank) + g.plus)
    WHEN '<' THEN coalesce(f[g.name], g.blank) < coalesce(g.value, coalesce(f[g.own], g.own_blank) + g.plus)
    WHEN '>=' THEN coalesce(f[g.name], g.blank) >= coalesce(g.value, coalesce(f[g.own], g.own_blank) + g.plus)
    ELSE false
  END))) AS ok,
  [s IN $p.rule.own | {{name: s.name, value: coalesce(f[s.own], s.blank) + s.plus}}] AS own,
  [s IN $p.rule.greater | {{name: s.name,
    value: CASE WHEN f[s.name] > s.value THEN f[s.name] ELSE s.value END}}] AS greater
CALL (f, ok, own, greater) {{
  WITH f, own, greater WHERE ok
  SET f += $p.rule.sets
  FOREACH (s IN own + greater | SET f[s.name] = s.value)
}}"""
"""A drivers.fence_changes.FenceChange as move_parameters.rule gives it: `ok` is its `allowed`, what is set is
its `after`. A fence from before moves lacks properties: `blank` is what they are read as."""

CHANGE_FENCE = f"{PREFIX}\n{_FIND_FENCE}\n{_GUARDED}\nRETURN ok, {FENCE}"
"""Parameters: group_id, rule. No record: there is no fence."""

CHANGE_OR_MAKE_FENCE = f"""{PREFIX}
MERGE (f:_Fence {{group_id: $p.group_id}}) ON CREATE SET f += $p.blank
{_GUARDED}
RETURN ok, {FENCE}"""
"""As CHANGE_FENCE for a rule that creates. `blank` is every property, empty or 0, with state NEW_STATE."""


def _take_in_text() -> str:
    lines = [PREFIX, _FIND_FENCE, _GUARDED]
    for kind in (*EDGE_KINDS, *NODE_KINDS):
        lines += [
            "CALL (ok) {",
            f"  WITH ok WHERE ok UNWIND $p.dead.{kind} AS r {row_by_pk(kind, 'r.pk')}",
            f"  WHERE n.version < r.version {'DETACH ' * (kind in NODE_KINDS)}DELETE n",
            "}",
        ]
    lines += [
        "CALL (ok) {",
        "  WITH ok WHERE ok UNWIND $p.tombstones AS r",
        "  MERGE (t:_Tombstone {pk: r.p.pk}) SET t += r.p,",
        "    t.version = CASE WHEN t.version > r.version THEN t.version ELSE r.version END",
        "}",
    ]
    for kind in NODE_KINDS:
        lines += _put_nodes(kind)
    for kind in EDGE_KINDS:
        lines += _put_edges(kind)
    lines += [
        "CALL (ok) {",
        "  WITH ok WHERE ok UNWIND $p.operations AS r MERGE (o:_Op {pk: r.pk}) ON CREATE SET o += r",
        "}",
        f"RETURN ok, {FENCE}, [{', '.join(f'homeless_{kind}' for kind in EDGE_KINDS)}]",
    ]
    return "\n".join(lines)


def _put_nodes(kind: Kind) -> Iterable[str]:
    yield "CALL (ok) {"
    yield from _newer(kind)
    yield f"  WITH r WHERE newer MERGE (n:{LABEL[kind]} {{pk: r.p.pk}}) SET n = r.p"
    yield from _vector(kind)
    yield "}"


def _put_edges(kind: Kind) -> Iterable[str]:
    """An edge that lies between other nodes now is not the same to the engine: the old one goes."""
    source, target = (LABEL[end] for end in ENDPOINT_KINDS[kind])
    yield "CALL (ok) {"
    yield from _newer(kind)
    yield "  WITH r, n AS old WHERE newer"
    yield f"  OPTIONAL MATCH (a:{source} {{pk: r.source}}) USING INDEX SEEK a:{source}(pk)"
    yield f"  OPTIONAL MATCH (b:{target} {{pk: r.target}}) USING INDEX SEEK b:{target}(pk)"
    yield "  CALL (r, old, a, b) {"
    yield "    WITH r, old, a, b WHERE a IS NOT NULL AND b IS NOT NULL"
    yield "    FOREACH (other IN CASE WHEN old.source_uuid <> r.p.source_uuid"
    yield "      OR old.target_uuid <> r.p.target_uuid THEN [old] ELSE [] END | DELETE other)"
    yield f"    MERGE (a)-[n:{LABEL[kind]} {{pk: r.p.pk}}]->(b) SET n = r.p"
    yield from _vector(kind)
    yield "  }"
    yield f"  RETURN collect(CASE WHEN a IS NULL OR b IS NULL THEN r.p.uuid END) AS homeless_{kind}"
    yield "}"


def _newer(kind: Kind) -> Iterable[str]:
    """`r` of the intake, the stored row `n` or null, whether `r` is `newer` than that and the tombstone."""
    yield f"  WITH ok WHERE ok UNWIND $p.put.{kind} AS r OPTIONAL {row_by_pk(kind, 'r.p.pk')}"
    yield "  OPTIONAL MATCH (t:_Tombstone {pk: r.tombstone_pk}) USING INDEX SEEK t:_Tombstone(pk)"
    yield "  WITH r, n, (r.p.version > coalesce(n.version, -1)"
    yield "    AND r.p.version > coalesce(t.version, -1)) AS newer"


def _vector(kind: Kind) -> Iterable[str]:
    """By the procedure, which stores float32 where SET would store float64."""
    if kind in TEXT_KINDS:
        procedure = "setNodeVectorProperty" if kind in NODE_KINDS else "setRelationshipVectorProperty"
        yield "  WITH n, r WHERE r.vector IS NOT NULL"
        yield f"  CALL db.create.{procedure}(n, '{DEFAULT_SLOT}', r.vector)"


TAKE_IN = _take_in_text()
"""Parameters as move_parameters.intake makes them. One record: [ok, fence, uuids of homeless edges of each of
EDGE_KINDS]; none: there is no fence. SET n = r.p takes away a vector that the newer row has not."""

_LABEL_OF_OTHER = {Other.TOMBSTONE: "_Tombstone", Other.OPERATION: "_Op"}
_COLUMNS_OF_OTHER = {Other.TOMBSTONE: ("kind", "uuid", "version"), Other.OPERATION: OPERATION_COLUMNS}


@cache
def others_text(other: Other) -> str:
    """A page of what is no row, in the order of its pk. Parameters: group_id, after_pk, end_pk, limit. One
    record: [found, fence or null]."""
    label = _LABEL_OF_OTHER[other]
    return f"""{PREFIX}
CALL () {{
  MATCH (n:{label}) USING INDEX SEEK n:{label}(pk)
  WHERE n.pk > $p.after_pk AND n.pk < $p.end_pk
  WITH n ORDER BY n.pk LIMIT $p.limit
  RETURN collect({values("n", _COLUMNS_OF_OTHER[other])}) AS found
}}
{fence_of("$p.group_id")}
RETURN found, {FENCE_OR_NULL}"""


@cache
def wipe_text(section: Section) -> str:
    """Parameters: group_id, token, move_id, first_pk, end_pk, rows_max. One record: [whether the fence is as
    it must be, how many are gone]; none: there is no fence."""
    if isinstance(section, Kind):
        label, found = LABEL[section], pattern(section)
    else:
        label = _LABEL_OF_OTHER[section]
        found = f"(n:{label})"
    return f"""{PREFIX}
{_FIND_FENCE}
SET f += {{}}
WITH (f.state = 'TOMB' OR
  (f.state = 'WIPING' AND f.token = $p.token AND f.move_id = $p.move_id)) AS ok
CALL (ok) {{
  WITH ok WHERE ok
  MATCH {found} USING INDEX SEEK n:{label}(pk) WHERE n.pk > $p.first_pk AND n.pk < $p.end_pk
  WITH n LIMIT $p.rows_max
  {"DETACH " * (section in NODE_KINDS)}DELETE n
  RETURN count(*) AS gone
}}
RETURN ok, gone"""

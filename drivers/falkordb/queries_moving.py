"""Query texts of moving a group: changes of its fence, what a target takes in, pages and wiping.

A rule of drivers/fence_changes.py becomes one conditional statement: its guards make `applied`, its settings
stand in a FOREACH that runs once or never. Fences from before moves have neither `applied` nor `cursor`: they
are read as what an untouched fence has.

What a target takes in is one query. Every step matches what the steps before it have left: tombstones, then
nodes, then edges. Which rows are passed over is found for the keys alone, so that rows with their vectors are
gone through once, by the FOREACH that stores them. A MERGE of an endpoint only ever finds one: an edge whose
endpoint is not there has been passed over.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from drivers.falkordb.queries import FENCE_OF_GROUP, cells, match_all, match_by, tagged, union
from drivers.falkordb.queries_read import OPERATION_ROW, TOMBSTONE, TOMBSTONE_COLUMNS
from drivers.falkordb.queries_write import merge
from drivers.fence import FenceState
from drivers.fence_changes import FenceChange, Greater, Guard, Own, Parameter, Source
from drivers.fence_codec import FENCE_COLUMNS
from drivers.graph_model import EDGE_KINDS, ENDPOINT_KINDS, NODE_KINDS, TEXT_KINDS, Kind
from drivers.moving import Other, Section
from drivers.row_codec import LABEL

_UNSET: Final[Mapping[str, str]] = {"applied": "0", "cursor": "''"}
_FENCE = "MATCH (f:_Fence {group_id: $group})"
_ONCE = "CASE WHEN applied THEN [1] ELSE [] END"


# --- the fence ------------------------------------------------------------------------------------


@cache
def change_text(change: FenceChange, *, settles: bool) -> str:
    """Parameters: group, given (the rule's), and as the case may be stats and made (the properties of a fence
    that is created, with another state than any fence has).

    Returns [whether it was applied, fence columns], no row where there is no fence.
    """
    guards = _guards(change)
    fence = _FENCE
    if change.creates:
        fence = "MERGE (f:_Fence {group_id: $group}) ON CREATE SET f += $made"
        guards = f"f.state = '{NO_STATE}' OR {guards}"
    return "\n".join(
        (
            fence,
            f"WITH f, ({guards}) AS applied",
            f"FOREACH (_ IN {_ONCE} | {_settings(change, settles=settles)})",
            f"RETURN applied, {cells('f', FENCE_COLUMNS)}",
        )
    )


NO_STATE = ""
"""Of a fence between its creation and the settings of the rule that creates it: nobody ever sees it."""


def _guards(change: FenceChange) -> str:
    states = ", ".join(f"'{state}'" for state in sorted(change.states))
    return " AND ".join((f"f.state IN [{states}]", *map(_guard, change.guards)))


def _guard(guard: Guard) -> str:
    return f"{_own(guard.name)} {guard.comparison} {_value(guard.value)}"


def _settings(change: FenceChange, *, settles: bool) -> str:
    settings = [f"f.{name} = {_value(source)}" for name, source in change.sets.items()]
    return "SET " + ", ".join((*settings, *(["f += $stats"] if settles else [])))


def _value(source: Source) -> str:
    match source:
        case Parameter(name):
            return f"$given.{name}"
        case Own(name, plus):
            return f"{_own(name)} + {plus}" if plus else _own(name)
        case Greater(name, parameter):
            own, given = _own(name), f"$given.{parameter}"
            return f"CASE WHEN {own} > {given} THEN {own} ELSE {given} END"
        case int():
            return str(source)
        case str():
            assert source.isidentifier() or not source, f"{source!r} is no constant of a rule"
            return f"'{source}'"


def _own(name: str) -> str:
    return f"coalesce(f.{name}, {_UNSET[name]})" if name in _UNSET else f"f.{name}"


# --- taking in ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IntakeShape:
    """Which sections a batch has; every tuple in the order of Kind."""

    change: FenceChange
    buried: tuple[Kind, ...]
    """Kinds with tombstones."""
    put: tuple[Kind, ...]
    operations: bool


@cache
def intake_text(shape: IntakeShape, slot: str) -> str:
    """`slot`: the property of vectors. Parameters: those of change_text, and see moving.py, which makes them.

    Returns [whether it was applied, [[kind, uuid] of edges that are left out], fence columns].
    """
    return "\n".join(_intake(shape, slot))


def _intake(shape: IntakeShape, slot: str) -> Iterator[str]:
    yield _FENCE
    yield f"WITH f, ({_guards(shape.change)}) AS applied"
    carried = ""
    for kind in shape.buried:
        yield _each_key(f"$buried_{kind}")
        yield f"OPTIONAL MATCH {match_by(kind, 'pk: k.pk')}"
        yield f"WITH f, applied{carried}, collect(CASE WHEN n.version < k.version THEN n END) AS gone_{kind}"
        carried += f", gone_{kind}"
    for kind in sorted(shape.buried, key=NODE_KINDS.__contains__):
        yield f"FOREACH (n IN gone_{kind} | DELETE n)"
    for kind in shape.buried:
        yield _for_each(
            f"$buried_{kind}",
            "MERGE (t:_Tombstone {pk: row.t}) SET t.group_id = $group, "
            f"t.kind = '{kind}', t.uuid = row.uuid, "
            "t.version = CASE WHEN t.version > row.version THEN t.version ELSE row.version END",
        )
    for kind in shape.put:
        if kind in NODE_KINDS:
            yield from _put_nodes(kind, slot)
    homeless: list[str] = []
    for kind in shape.put:
        if kind in EDGE_KINDS:
            yield from _put_edges(kind, slot, "".join(f", {name}" for name in homeless))
            homeless.append(f"homeless_{kind}")
    if shape.operations:
        yield _for_each("$operations", "MERGE (o:_Op {key: row.key, pk: row.p.pk}) ON CREATE SET o += row.p")
    yield f"FOREACH (_ IN {_ONCE} | {_settings(shape.change, settles=False)})"
    yield f"RETURN applied, {' + '.join(homeless) or '[]'}, {cells('f', FENCE_COLUMNS)}"


def _put_nodes(kind: Kind, slot: str) -> Iterable[str]:
    yield "WITH f, applied"
    yield _each_key(f"$keys_{kind}")
    yield f"OPTIONAL MATCH {match_by(kind, 'pk: k.pk')}"
    yield "OPTIONAL MATCH (t:_Tombstone {pk: k.t})"
    yield f"WITH f, applied, collect(CASE WHEN {_STALE} THEN k.pk END) AS passed"
    yield _for_each(f"[row IN $put_{kind} WHERE NOT row.p.pk IN passed]", f"{merge(kind)} {_set(kind, slot)}")


def _put_edges(kind: Kind, slot: str, carried: str) -> Iterable[str]:
    source, target = ENDPOINT_KINDS[kind]
    yield f"WITH f, applied{carried}"
    yield _each_key(f"$keys_{kind}")
    yield f"OPTIONAL MATCH {match_by(kind, 'pk: k.pk')}"
    yield "OPTIONAL MATCH (t:_Tombstone {pk: k.t})"
    yield f"OPTIONAL MATCH (a:{LABEL[source]} {{pk: k.a}})"
    yield f"OPTIONAL MATCH (b:{LABEL[target]} {{pk: k.b}})"
    yield f"WITH f, applied{carried}, k, n, a, b, coalesce({_STALE}, false) AS stale"
    yield (
        f"WITH f, applied{carried}, k, n, stale, "
        "NOT stale AND (a IS NULL OR b IS NULL) AND k IS NOT NULL AS homeless"
    )
    yield (
        f"WITH f, applied{carried}, collect(CASE WHEN stale OR homeless THEN k.pk END) AS passed, "
        f"collect(CASE WHEN homeless THEN ['{kind}', k.uuid] END) AS homeless_{kind}, "
        "collect(CASE WHEN NOT stale AND NOT homeless AND "
        "(n.source_uuid <> k.source OR n.target_uuid <> k.target) THEN n END) AS moved"
    )
    yield "FOREACH (n IN moved | DELETE n)"
    yield _for_each(f"[row IN $put_{kind} WHERE NOT row.p.pk IN passed]", f"{merge(kind)} {_set(kind, slot)}")


_STALE = "n.version >= k.version OR t.version >= k.version"
"""Null where there is neither a row nor a tombstone."""


def _each_key(keys: str) -> str:
    """Of a batch that is refused a single null: the rest of the query goes on with the fence."""
    return f"UNWIND CASE WHEN applied THEN {keys} ELSE [null] END AS k"


def _for_each(items: str, updates: str) -> str:
    return f"FOREACH (row IN CASE WHEN applied THEN {items} ELSE [] END |\n{updates})"


def _set(kind: Kind, slot: str) -> str:
    """A row without `v` loses its vector: vecf32(null) is null."""
    return "SET n += row.p" + (f", n.{slot} = vecf32(row.v)" if kind in TEXT_KINDS else "")


# --- pages ----------------------------------------------------------------------------------------

TOMBSTONE_PAGE = union(
    (
        f"""MATCH (n:_Tombstone) WHERE n.group_id = $group AND n.pk + '' > $after
WITH n ORDER BY n.pk LIMIT $limit
{tagged(TOMBSTONE, cells("n", TOMBSTONE_COLUMNS))}""",
        FENCE_OF_GROUP,
    )
)
"""`after`: the key of the last one."""

OP_ID = "OP_ID"

OPERATION_IDS = union(
    (
        f"""MATCH (n:_Op) WHERE n.group_id = $group AND n.op_id > $after
WITH n.op_id AS op_id ORDER BY op_id LIMIT $limit
{tagged(OP_ID, "op_id")}""",
        FENCE_OF_GROUP,
    )
)

OPERATIONS = union(
    (
        f"""UNWIND $operations AS wanted
MATCH (n:_Op {{key: wanted.operation_key}}) WHERE n.pk = wanted.operation
{OPERATION_ROW}""",
        FENCE_OF_GROUP,
    )
)
"""Parameter: operations (maps as operation_parameters makes them)."""

OPERATION_PAGE = union(
    (
        f"""MATCH (n:_Op) WHERE n.group_id = $group AND n.op_id > $after
WITH n ORDER BY n.op_id LIMIT $limit
{OPERATION_ROW}""",
        FENCE_OF_GROUP,
    )
)

# --- taking away ----------------------------------------------------------------------------------

_MAY_WIPE = (
    f"WHERE f.state = '{FenceState.TOMB}' "
    f"OR f.state = '{FenceState.WIPING}' AND f.token = $token AND f.move_id = $move_id"
)

WIPE_ORDER: Final[tuple[Section, ...]] = (*EDGE_KINDS, *NODE_KINDS, Other.TOMBSTONE, Other.OPERATION)
"""Edges before nodes: a node with many edges is not deleted with all of them at once."""

MAY_WIPE = f"{_FENCE} {_MAY_WIPE} RETURN 1"


@cache
def wipe_text(section: Section) -> str:
    """Parameters: group, token, move_id, limit. Returns how many are gone, no row if the fence is not so."""
    match section:
        case Kind():
            pattern = match_all(section)
        case Other.TOMBSTONE:
            pattern = "(n:_Tombstone)"
        case Other.OPERATION:
            pattern = "(n:_Op)"
    return f"""{_FENCE} {_MAY_WIPE}
OPTIONAL MATCH {pattern} WHERE n.group_id = $group
WITH n LIMIT $limit
WITH collect(n) AS gone
FOREACH (n IN gone | DELETE n)
RETURN size(gone)"""


WHAT_IS_LEFT = f"MATCH (n) WHERE NOT n:_Fence OR n.state <> '{FenceState.TOMB}' RETURN 1 LIMIT 1"
"""A row if a graph holds anything but TOMB fences."""

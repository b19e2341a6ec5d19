"""The fenced write as one query, composed of the sections that a plan needs; values are parameters.

The text depends only on which kinds a plan has, so that a graph's plan cache (CACHE_SIZE) holds them all.
Measured on 4.22 (384-d vectors, AOF everysec): 200 rows take as long as a bare UNWIND .. MERGE of the same
rows over the same indexes (0.8 to 1.1 of it); a single row takes 0.25 ms more (0.65 against 0.4), most of
which is cloning the cached plan.

What FOREACH does, held by tests: a later FOREACH sees what an earlier one created, deleted and set, the
fence's new version included; ON CREATE SET acts on new rows only; of repeated keys the first row wins
(plans have none). A MERGE of an endpoint only ever finds one, because the guards have counted it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from drivers.falkordb.queries import (
    FENCE_OF_GROUP,
    cells,
    match_all,
    row_cells,
    tagged,
    union,
)
from drivers.fence_codec import FENCE_COLUMNS, STATS_PROPERTIES
from drivers.graph_model import EDGE_KINDS, ENDPOINT_KINDS, NODE_KINDS, TEXT_KINDS, Kind
from drivers.row_codec import LABEL
from drivers.write_plan import WriteStatus

OPERATION = "OPERATION"
ENDPOINT = "ENDPOINT"
INCIDENT = "INCIDENT"

_OPERATION = "(o:_Op {key: $operation_key}) WHERE o.pk = $operation"
"""An operation id is a caller's text, and an indexed string is found without its outer blanks and by its
first 4,096 bytes: the index is on a digest of pk, pk itself is compared."""

OPERATION_COLUMNS = ("content_hash", "result", "version", "created_at")


@dataclass(frozen=True, slots=True)
class WriteShape:
    """Which sections a write has; every tuple in the order of Kind."""

    touched: tuple[Kind, ...]
    endpoints: tuple[Kind, ...]
    dropped: tuple[Kind, ...]
    put: tuple[tuple[Kind, str], ...]
    """With the property that holds the vector; empty for kinds without one."""
    closes_facts: bool
    tombstones: bool


@dataclass(frozen=True, slots=True)
class ImageShape:
    """Which rows are read before a plan is made."""

    rows: tuple[Kind, ...]
    endpoints: tuple[Kind, ...]
    cascades: tuple[Kind, ...]


# --- images ---------------------------------------------------------------------------------------


@cache
def images_text(shape: ImageShape) -> str:
    """Parameters: group, operation, operation_key, incident_max, and the keys rows_<KIND>, endpoints_<KIND>,
    cascades_<KIND>."""
    branches = [
        FENCE_OF_GROUP,
        f"MATCH {_OPERATION}\n{tagged(OPERATION, cells('o', OPERATION_COLUMNS))}",
    ]
    branches += [
        f"MATCH {match_all(kind)} WHERE n.pk IN $rows_{kind}\n{tagged(kind, row_cells(kind))}"
        for kind in shape.rows
    ]
    branches += [
        f"MATCH {match_all(kind)} WHERE n.pk IN $endpoints_{kind}\n{tagged(ENDPOINT, f"'{kind}', n.uuid")}"
        for kind in shape.endpoints
    ]
    branches += [
        f"MATCH {match_all(kind)} WHERE n.pk IN $cascades_{kind}\n"
        "MATCH (n)-[e]-() WITH DISTINCT e LIMIT $incident_max\n"
        + tagged(INCIDENT, "type(e), e.uuid, e.source_uuid, e.target_uuid, e.term_count")
        for kind in shape.cascades
    ]
    return union(branches)


# --- the write ------------------------------------------------------------------------------------


@cache
def write_text(shape: WriteShape) -> str:
    """Parameters: see write.py, which makes them all.

    Returns no row when there is no fence, else [verdict, fence columns, operation columns].
    """
    return "\n".join((*_guards(shape), *_changes(shape), _answer()))


def _guards(shape: WriteShape) -> Iterable[str]:
    """Reads the fence, the operation record and what the plan was computed from; ends in `verdict`."""
    yield "MATCH (f:_Fence {group_id: $group})"
    yield f"OPTIONAL MATCH {_OPERATION}"
    yield "WITH f, o, f.embeddings = $embeddings_seen AS fits"
    for kind in shape.touched:
        yield f"OPTIONAL MATCH {match_all(kind)} WHERE n.pk IN $touched_{kind}"
        yield "WITH f, o, fits, count(n) AS found, max(n.version) AS newest"
        yield f"WITH f, o, {_holds(f'$existing_{kind}')} AS fits"
    for kind in shape.endpoints:
        yield f"OPTIONAL MATCH {match_all(kind)} WHERE n.pk IN $endpoints_{kind}"
        yield f"WITH f, o, fits, count(n) = size($endpoints_{kind}) AS found"
        yield "WITH f, o, fits AND found AS fits"
    carried = ""
    for kind in shape.dropped:
        yield f"OPTIONAL MATCH {match_all(kind)} WHERE n.pk IN $dropped_{kind}"
        yield f"WITH f, o, fits{carried}, collect(n) AS drop_{kind}"
        carried += f", drop_{kind}"
    nodes = " + ".join(f"drop_{kind}" for kind in shape.dropped if kind in NODE_KINDS)
    if not nodes:
        yield f"WITH f, o{carried}, fits AND $incident = 0 AS fits"
    else:
        yield f"UNWIND CASE WHEN size({nodes}) = 0 THEN [null] ELSE {nodes} END AS n"
        yield "OPTIONAL MATCH (n)-[e]-()"
        yield f"WITH f, o, fits{carried}, count(DISTINCT e) AS found, max(e.version) AS newest"
        yield f"WITH f, o{carried}, {_holds('$incident')} AS fits"
    yield f"WITH f, o{carried}, CASE"
    yield f"WHEN f.state <> 'OPEN' OR f.epoch <> $epoch THEN '{WriteStatus.NOT_OWNED}'"
    yield f"WHEN o IS NOT NULL THEN '{WriteStatus.DUPLICATE}'"
    yield f"WHEN $if_version IS NOT NULL AND f.version <> $if_version THEN '{WriteStatus.VERSION_MISMATCH}'"
    yield f"WHEN fits THEN '{WriteStatus.APPLIED}' ELSE '{WriteStatus.CONFLICT}' END AS verdict"


def _holds(count: str) -> str:
    return f"fits AND found = {count} AND (newest IS NULL OR newest <= $seen_version)"


def _changes(shape: WriteShape) -> Iterable[str]:
    stats = ", ".join(f"f.{name} = f.{name} + $stats.{name}" for name in STATS_PROPERTIES)
    yield _for_each(
        "[1]",
        "SET f.version = f.version + 1, f.embeddings = $embeddings, f.last_created_at = "
        "CASE WHEN $now > f.last_created_at THEN $now ELSE f.last_created_at + 1 END, "
        f"{stats}\n"
        "CREATE (:_Op {key: $operation_key, pk: $operation, group_id: $group, op_id: $op_id, "
        "content_hash: $content_hash, result: $result, version: f.version, created_at: f.last_created_at})",
    )
    for kind in sorted(shape.dropped, key=NODE_KINDS.__contains__):
        yield _for_each(f"drop_{kind}", "DELETE row")
    if shape.tombstones:
        yield _for_each(
            "$tombstones",
            "MERGE (t:_Tombstone {pk: row.pk}) SET t.group_id = $group, t.kind = row.kind, "
            "t.uuid = row.uuid, t.version = f.version",
        )
    for kind, slot in shape.put:
        yield _for_each(f"$put_{kind}", f"{merge(kind)} {_set(kind, slot)}")
    if shape.closes_facts:
        slot = dict(shape.put)[Kind.FACT]
        yield _for_each(
            "$closed_FACT",
            f"{merge(Kind.FACT)} {_set(Kind.FACT, slot)}, "
            "n.closure_at = CASE WHEN row.by IS NULL THEN row.p.closure_at "
            "ELSE row.p.closure_at + [f.last_created_at] END, "
            "n.closure_end = CASE WHEN row.by IS NULL THEN row.p.closure_end "
            "ELSE row.p.closure_end + [row.end] END, "
            "n.closure_episode = CASE WHEN row.by IS NULL THEN row.p.closure_episode "
            "ELSE row.p.closure_episode + [row.by] END, "
            "n.closure_fact = CASE WHEN row.by IS NULL THEN row.p.closure_fact "
            "ELSE row.p.closure_fact + [''] END, "
            "n.expired_at = CASE WHEN row.expires THEN f.last_created_at ELSE row.p.expired_at END",
        )


def _for_each(items: str, updates: str) -> str:
    return (
        f"FOREACH (row IN CASE WHEN verdict = '{WriteStatus.APPLIED}' THEN {items} ELSE [] END |\n{updates})"
    )


def merge(kind: Kind) -> str:
    if kind not in EDGE_KINDS:
        return f"MERGE (n:{LABEL[kind]} {{pk: row.p.pk}})"
    source, target = ENDPOINT_KINDS[kind]
    return (
        f"MERGE (a:{LABEL[source]} {{pk: row.a}}) MERGE (b:{LABEL[target]} {{pk: row.b}}) "
        f"MERGE (a)-[n:{LABEL[kind]} {{pk: row.p.pk}}]->(b)"
    )


def _set(kind: Kind, slot: str) -> str:
    """A row without `v` and `keep` loses its vector: vecf32(null) is null."""
    text = "ON CREATE SET n.created_at = f.last_created_at SET n += row.p, n.version = f.version"
    if kind in TEXT_KINDS:
        text += f", n.{slot} = CASE WHEN row.keep THEN n.{slot} ELSE vecf32(row.v) END"
    return text


def _answer() -> str:
    return f"RETURN verdict, {cells('f', FENCE_COLUMNS)}, {cells('o', OPERATION_COLUMNS)}"

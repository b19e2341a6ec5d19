"""The fenced write: one constant statement for any number of groups, one plan each.

Order in the statement: lock the fence (SET f += {} takes the lock and writes nothing), then read and check,
then write. A check before the lock would let a write through that a concurrent FREEZE has overtaken. Plans
come sorted by group_id, which is the order of the locks; rows of different groups never meet.

A section whose list is empty costs nothing measurable, but the statement's compilation does: 0.4 s for
ROWS, 0.9 s for CORE, 1.6 s for FULL on a warm server, three to five times that just after its start. So
there are three statements instead of one per combination of sections, and three that read what they are
planned from; ROWS and CORE of both are compiled ahead.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from drivers.fence_codec import STATS_PROPERTIES
from drivers.graph_model import EDGE_KINDS, ENDPOINT_KINDS, NODE_KINDS, TEXT_KINDS, Kind
from drivers.neo4j.queries import (
    FENCE,
    FENCE_OR_NULL,
    OPERATION_COLUMNS,
    PREFIX,
    fence_of,
    row_by_pk,
    row_values,
    values_or_null,
)
from drivers.row_codec import LABEL

_OPERATION_OR_NULL = values_or_null("o", OPERATION_COLUMNS)


@dataclass(frozen=True, slots=True)
class WriteShape:
    """Which kinds a statement can touch and whether it can drop rows."""

    kinds: tuple[Kind, ...]
    drops: bool

    def covers(self, kinds: Iterable[Kind], drops: bool) -> bool:
        return self.drops >= drops and set(kinds) <= set(self.kinds)


ROWS = WriteShape((Kind.ENTITY, Kind.FACT), drops=False)
"""Direct writes."""
CORE = WriteShape((Kind.ENTITY, Kind.EPISODE, Kind.FACT, Kind.MENTION), drops=True)
"""Ingestion, and deletions from it."""
FULL = WriteShape(tuple(Kind), drops=True)

SHAPES = (ROWS, CORE, FULL)
"""Each can do what the one before can."""


def shape_for(kinds: Iterable[Kind], drops: bool) -> WriteShape:
    """The smallest that is enough."""
    needed = set(kinds)
    return next(shape for shape in SHAPES if shape.covers(needed, drops))


@cache
def write_statement(shape: WriteShape) -> str:
    """Parameter: writes, made by parameters.py. One record per plan whose fence exists:
    [group_id, owned, expected_version, applied, operation or null, fence, 1]."""
    nodes = node_kinds(shape)
    edges = [kind for kind in EDGE_KINDS if kind in shape.kinds]
    lines = [
        PREFIX,
        "UNWIND $p.writes AS w",
        "MATCH (f:_Fence {group_id: w.group_id}) USING INDEX SEEK f:_Fence(group_id)",
        "SET f += {}",
        "WITH w, f, (f.state = 'OPEN' AND f.epoch = w.epoch) AS owned",
        "OPTIONAL MATCH (o:_Op {pk: w.operation.pk}) USING INDEX SEEK o:_Op(pk)",
        "WITH w, f, o, owned, (w.if_version IS NULL OR w.if_version = f.version) AS expected",
        "WITH w, f, o, owned, expected,",
        "  (owned AND o IS NULL AND expected AND f.embeddings = w.embeddings_seen) AS go",
        *_guards(shape, nodes),
        "CALL (w, f, ok, version, ts) {",
        "  WITH w, f, version, ts WHERE ok",
        "  SET f.version = version, f.last_created_at = ts, f.embeddings = w.embeddings,",
        "    " + ", ".join(f"f.{name} = f.{name} + w.stats.{name}" for name in STATS_PROPERTIES),
        "  CREATE (new:_Op) SET new = w.operation, new.version = version, new.created_at = ts",
        "}",
    ]
    if shape.drops:
        for kind in (*edges, *nodes):
            lines += [
                "CALL (w, ok) {",
                f"  WITH w WHERE ok UNWIND w.dropped.{kind} AS k {row_by_pk(kind, 'k')} DELETE n",
                "}",
            ]
        lines += [
            "CALL (w, ok, version) {",
            "  WITH w, version WHERE ok UNWIND w.tombstones AS r",
            "  MERGE (t:_Tombstone {pk: r.pk}) SET t += r, t.version = version",
            "}",
        ]
    counts: list[str] = []
    for kind in nodes:
        lines += _put("put", kind, f"MERGE (n:{LABEL[kind]} {{pk: r.p.pk}})")
        counts.append(f"put_{kind}")
    for kind in edges:
        source, target = (LABEL[end] for end in ENDPOINT_KINDS[kind])
        lines += _put(
            "put",
            kind,
            f"MATCH (a:{source} {{pk: r.source}}) USING INDEX SEEK a:{source}(pk) "
            f"MATCH (b:{target} {{pk: r.target}}) USING INDEX SEEK b:{target}(pk) "
            f"MERGE (a)-[n:{LABEL[kind]} {{pk: r.p.pk}}]->(b)",
        )
        lines += _put("changed", kind, row_by_pk(kind, "r.p.pk"))
        counts += [f"put_{kind}", f"changed_{kind}"]
    if Kind.FACT in shape.kinds:
        lines += [
            "CALL (w, ok, ts) {",
            f"  WITH w, ts WHERE ok UNWIND w.closed AS r {row_by_pk(Kind.FACT, 'r.pk')}",
            "  SET n.closure_at = CASE WHEN r.closes THEN r.closure_at + ts ELSE r.closure_at END,",
            "    n.expired_at = CASE WHEN r.expires THEN ts ELSE r.expired_at END",
            "}",
        ]
    # A row that found no place (a fact whose endpoint is not there) would be left out without a word: the
    # division by zero rolls the whole statement back.
    written = " + ".join(counts)
    lines += [
        f"WITH w, f, o, owned, expected, ok, {written} AS written",
        f"RETURN w.group_id, owned, expected, ok, {_OPERATION_OR_NULL}, {FENCE},",
        "  1 / CASE WHEN ok AND written <> w.row_count THEN 0 ELSE 1 END",
    ]
    return "\n".join(lines)


def _guards(shape: WriteShape, nodes: Iterable[Kind]) -> Iterable[str]:
    """Counts what the plan was computed from; ends in `ok`, `version` and `ts`."""
    holds = ["go"]
    for kind in shape.kinds:
        yield "CALL (w, go) {"
        yield f"  WITH w WHERE go UNWIND w.touched.{kind} AS k {row_by_pk(kind, 'k')}"
        yield f"  RETURN count(n) AS found_{kind}, coalesce(max(n.version), 0) AS newest_{kind}"
        yield "}"
        holds += [
            f"found_{kind} = coalesce(w.existing.{kind}, 0)",
            f"newest_{kind} <= w.seen_version",
        ]
    for kind in nodes:
        yield "CALL (w, go) {"
        yield f"  WITH w WHERE go UNWIND w.endpoints.{kind} AS k {row_by_pk(kind, 'k')}"
        yield f"  RETURN count(n) AS ends_{kind}"
        yield "}"
    holds.append(" + ".join(f"ends_{kind}" for kind in nodes) + " = w.endpoint_count")
    if shape.drops:
        edges = " UNION ".join(f"UNWIND w.cascades.{kind} AS k {_edges_of(kind)} RETURN e" for kind in nodes)
        yield "CALL (w, go) {"
        yield f"  WITH w WHERE go CALL (w) {{ {edges} }}"
        yield "  RETURN count(e) AS incident, coalesce(max(e.version), 0) AS newest_incident"
        yield "}"
        holds += ["incident = w.incident_edges", "newest_incident <= w.seen_version"]
    yield f"WITH w, f, o, owned, expected, ({' AND '.join(holds)}) AS ok, f.version + 1 AS version,"
    yield "  CASE WHEN w.now > f.last_created_at THEN w.now ELSE f.last_created_at + 1 END AS ts"


def _edges_of(kind: Kind) -> str:
    return f"MATCH (n:{LABEL[kind]} {{pk: k}})-[e]-() USING INDEX SEEK n:{LABEL[kind]}(pk)"


def _put(section: str, kind: Kind, find_or_make: str) -> Iterable[str]:
    """A vector is set by the procedure, which stores float32 where SET would store float64. A key that is
    null in r.p removes the property."""
    yield "CALL (w, ok, version, ts) {"
    yield f"  WITH w, version, ts WHERE ok UNWIND w.{section}.{kind} AS r {find_or_make}"
    if section == "put":
        yield "  ON CREATE SET n.created_at = ts"
    yield "  SET n += r.p, n.version = version"
    if kind in TEXT_KINDS:
        procedure = "setNodeVectorProperty" if kind in NODE_KINDS else "setRelationshipVectorProperty"
        yield "  WITH n, r CALL (n, r) {"
        yield f"    WITH n, r WHERE r.vector IS NOT NULL CALL db.create.{procedure}(n, r.slot, r.vector)"
        yield "  }"
    yield f"  RETURN count(n) AS {section}_{kind}"
    yield "}"


def node_kinds(shape: WriteShape) -> tuple[Kind, ...]:
    return tuple(kind for kind in shape.kinds if kind in NODE_KINDS)


@cache
def images_statement(shape: WriteShape) -> str:
    """What `write_statement(shape)` is planned from. Parameters: group_id, operation_pk, incident_max and the
    maps rows, endpoints, cascades of pks by kind; cascades only if it can drop. One record: [fence or null,
    operation or null, incident edges, rows of each of its kinds, uuids of each of node_kinds(shape)].

    Takes the fence's lock first. Neo4j shows other transactions a commit while it is being applied: without
    the lock a reader saw the new version in the fence and then the old row (2 of 4,000 reads beside a writer
    of 300 rows), whose stale image would have passed the guards of the write. The lock costs nothing
    measurable."""
    nodes = node_kinds(shape)
    lines = [PREFIX, fence_of("$p.group_id"), "SET f += {}", f"WITH {FENCE_OR_NULL} AS fence"]
    for kind in shape.kinds:
        lines += [
            f"CALL (fence) {{ UNWIND $p.rows.{kind} AS k {row_by_pk(kind, 'k')}",
            f"  RETURN collect({row_values(kind, with_vectors=False)}) AS rows_{kind} }}",
        ]
    for kind in nodes:
        lines += [
            f"CALL (fence) {{ UNWIND $p.endpoints.{kind} AS k {row_by_pk(kind, 'k')}",
            f"  RETURN collect(n.uuid) AS ends_{kind} }}",
        ]
    if shape.drops:
        edges = " UNION ".join(f"UNWIND $p.cascades.{kind} AS k {_edges_of(kind)} RETURN e" for kind in nodes)
        lines += [
            f"CALL (fence) {{ CALL () {{ {edges} }} WITH e LIMIT $p.incident_max",
            "  RETURN collect([type(e), e.uuid, e.source_uuid, e.target_uuid, e.term_count]) AS incident }",
        ]
    lines += [
        "OPTIONAL MATCH (o:_Op {pk: $p.operation_pk}) USING INDEX SEEK o:_Op(pk)",
        f"RETURN fence, {_OPERATION_OR_NULL}, {'incident' if shape.drops else '[]'},",
        "  [" + ", ".join(f"rows_{kind}" for kind in shape.kinds) + "],",
        "  [" + ", ".join(f"ends_{kind}" for kind in nodes) + "]",
    ]
    return "\n".join(lines)


LOCKED_VERSION = "\n".join(
    (
        PREFIX,
        "MATCH (f:_Fence {group_id: $p.group_id}) USING INDEX SEEK f:_Fence(group_id)",
        "SET f += {}",
        "RETURN f.version",
    )
)
"""Every commit up to this version is wholly visible to later reads; see images_statement."""

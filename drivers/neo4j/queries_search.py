"""Candidates of searches over many groups, and one hop along edges. Fences are read last.

A `filtered` or narrowed text also takes the parameters of drivers/filter_parameters.py; one condition serves
all filters but the one that is asked most often, so that the server has few texts to compile.
"""

from functools import cache

from drivers.filter_parameters import Narrowing
from drivers.graph_model import NODE_KINDS, Kind
from drivers.neo4j.conditions import condition, narrowed
from drivers.neo4j.queries import (
    FENCE_OR_NULL,
    PREFIX,
    fence_of,
    fences_of_groups,
    pattern,
)
from drivers.row_codec import LABEL
from drivers.search_reads import far_kind


@cache
def semantic_text(kind: Kind, narrowing: Narrowing) -> str:
    """Parameters: groups (maps of group_id, prefix of its pks, slot), vector, dimension, limit, score_min.
    One record: [hits as [group_id, pk, score in 0..1], fences].

    Costs about 12 us per row, nearly all of it for reading the vector. The order needs no further property:
    pk comes with the index, and in one group it orders as uuid does. size() leaves out rows without a vector
    and those of another dimension, on which the function would fail.
    """
    return f"""{PREFIX}
CALL () {{
  UNWIND $p.groups AS g
  MATCH {pattern(kind)} USING INDEX SEEK n:{LABEL[kind]}(pk)
  WHERE n.pk STARTS WITH g.prefix{_and(narrowed(kind, narrowing))}
  WITH g, n.pk AS pk, n[g.slot] AS vector WHERE size(vector) = $p.dimension
  WITH g.group_id AS group_id, pk, vector.similarity.cosine(vector, $p.vector) AS score
  ORDER BY score DESC, group_id, pk LIMIT $p.limit
  RETURN collect([group_id, pk, score]) AS hits
}}
{fences_of_groups("hits")}
RETURN hits, fences"""


@cache
def nearest_text(kind: Kind) -> str:
    """Parameters: groups (one map of group_id), prefix, slot, vectors, dimension, limit, similarity_min (of
    the engine's score). One record: [hits as [position of the vector, [[pk, score]]], fences].

    Each row's vector is read once, which is most of what semantic_text costs.
    """
    return f"""{PREFIX}
CALL () {{
  MATCH {pattern(kind)} USING INDEX SEEK n:{LABEL[kind]}(pk)
  WHERE n.pk STARTS WITH $p.prefix
  WITH n.pk AS pk, n[$p.slot] AS vector WHERE size(vector) = $p.dimension
  UNWIND range(0, size($p.vectors) - 1) AS place
  WITH place, pk, vector.similarity.cosine(vector, $p.vectors[place]) AS score
  WHERE score >= $p.similarity_min
  WITH place, pk, score ORDER BY score DESC, pk
  WITH place, collect([pk, score])[0..$p.limit] AS best
  RETURN collect([place, best]) AS hits
}}
{fences_of_groups("hits")}
RETURN hits, fences"""


_FITTING = """WITH found, reduce(fit = [0, 0], hit IN found |
    CASE WHEN fit[1] = 0 OR fit[0] + coalesce(size(hit[2]), 0) <= $p.chars_max
    THEN [fit[0] + coalesce(size(hit[2]), 0), fit[1] + 1]
    ELSE [$p.chars_max + 1, fit[1]] END)[1] AS fitting"""
"""Hits whose terms have chars_max characters together; the first one always."""


@cache
def keyword_text(kind: Kind, *, filtered: bool) -> str:
    """Parameters: index, query, limit, chars_max, group_ids, terms (maps of term and its query), groups.
    One record: [hits as [group_id, uuid, terms, term_count, score], whether these are all that match, the
    row counts of the terms, fences].

    When fewer rows than the limit match, they are all there, and without a filter their terms tell the
    frequencies: then the engine does not count, and the list of counts is empty.
    """
    search, found = _search(kind), _found(kind)
    if filtered:
        # The procedure's own limit would cut before the filter.
        hits = f"""CALL {search}($p.index, $p.query) YIELD {found} AS n, score
  WITH n, score WHERE n.group_id IN $p.group_ids AND {condition(kind)}
  WITH n, score ORDER BY score DESC LIMIT $p.limit
  WITH collect([n.group_id, n.uuid, n.terms, n.term_count, score]) AS found
  {_FITTING}
  RETURN found[0..fitting] AS hits, size(found) < $p.limit AND size(found) = fitting AS complete"""
    else:
        hits = f"""CALL {search}($p.index, $p.query, {{limit: $p.limit}}) YIELD {found} AS n, score
  WITH collect([n.group_id, n.uuid, n.terms, n.term_count, score]) AS found
  {_FITTING}
  RETURN [hit IN found[0..fitting] WHERE hit[0] IN $p.group_ids] AS hits,
    size(found) < $p.limit AND size(found) = fitting AS complete"""
    count = "true" if filtered else "NOT complete"
    return f"""{PREFIX}
CALL () {{
  {hits}
}}
CALL (complete) {{
  WITH complete WHERE {count}
  UNWIND $p.terms AS t
  CALL (t) {{
    CALL {search}($p.index, t.query) YIELD {found} RETURN count(*) AS row_count
  }}
  RETURN collect(row_count) AS frequencies
}}
{fences_of_groups("frequencies")}
RETURN hits, complete, frequencies, fences"""


@cache
def matching_text(kind: Kind, narrowing: Narrowing, *, several: bool) -> str:
    """Parameters: index, query, rows_max, tokens_max, groups. One record: whether the bounds hold, rows as
    [uuid, term_count, terms, group_id if they are `several`, whether it passes if they are narrowed], fences.

    A row costs 1 us and each of its values 2.
    """
    values = ["n.uuid", "n.term_count", "n.terms"]
    if several:
        values.append("n.group_id")
    if passes := narrowed(kind, narrowing):
        values.append(f"CASE WHEN {passes} THEN true ELSE false END")
    return f"""{PREFIX}
CALL () {{
  CALL {_search(kind)}($p.index, $p.query, {{limit: $p.rows_max}}) YIELD {_found(kind)} AS n
  WITH collect([{", ".join(values)}]) AS rows, sum(n.term_count) AS tokens
  RETURN rows, size(rows) < $p.rows_max AND tokens <= $p.tokens_max AS fit
}}
{fences_of_groups("rows, fit")}
RETURN fit, CASE WHEN fit THEN rows ELSE [] END, fences"""


def _search(kind: Kind) -> str:
    return f"db.index.fulltext.{'queryNodes' if kind in NODE_KINDS else 'queryRelationships'}"


def _found(kind: Kind) -> str:
    return "node" if kind in NODE_KINDS else "relationship"


@cache
def expand_text(along: Kind, origin: Kind, narrowing: Narrowing, *, far_filtered: bool) -> str:
    """Parameters: groups (maps of group_id and pks of nodes), limit per node, rows_max per group;
    `far_filtered` also those of far_parameters.
    One record per group: [group_id, edges as [place of the node in pks, [uuid, source_uuid, target_uuid]],
    fence or null]. Work grows with the edges of the named nodes alone."""
    passes = narrowed(along, narrowing, "e")
    kept = [passes] if passes else []
    if far_filtered:
        kept.append(condition(far_kind(along, origin), "far").replace("$p.f_", "$p.far_"))
    keep = f"\n    WITH e, far WHERE {'\n  AND '.join(kept)}" if kept else ""
    return f"""{PREFIX}
UNWIND $p.groups AS g
CALL (g) {{
  UNWIND range(0, size(g.pks) - 1) AS place
  MATCH (n:{LABEL[origin]} {{pk: g.pks[place]}}) USING INDEX SEEK n:{LABEL[origin]}(pk)
  CALL (n) {{
    MATCH (n)-[e:{LABEL[along]}]-(far){keep}
    WITH DISTINCT e ORDER BY e.created_at DESC, e.uuid LIMIT $p.limit
    RETURN collect([e.uuid, e.source_uuid, e.target_uuid]) AS newest
  }}
  WITH place, newest ORDER BY place
  UNWIND newest AS edge
  WITH place, edge LIMIT $p.rows_max
  RETURN collect([place, edge]) AS edges
}}
{fence_of("g.group_id")}
RETURN g.group_id, edges, {FENCE_OR_NULL}"""


NEXT_VALIDITY_CHANGE = f"""{PREFIX}
CALL () {{
  UNWIND $p.groups AS g
  MATCH {pattern(Kind.FACT)} USING INDEX n:{LABEL[Kind.FACT]}(pk) WHERE n.pk STARTS WITH g.prefix
    AND (n.valid_at > $p.after OR (n.invalid_at > $p.after AND n.invalid_at < $p.never))
  WITH g, min(CASE WHEN n.valid_at > $p.after THEN n.valid_at ELSE n.invalid_at END) AS at
  RETURN collect([g.group_id, at]) AS changes
}}
{fences_of_groups("changes")}
RETURN changes, fences"""
"""Parameters: groups (maps of group_id and prefix of its pks), after, never (OPEN_END). A fact ends after it
begins, so a beginning that is still to come is its next change."""


def _and(condition: str) -> str:
    return condition and f" AND {condition}"

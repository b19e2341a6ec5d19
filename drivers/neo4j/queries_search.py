"""Candidates of searches over many groups, and one hop along edges. Fences are read last."""

from functools import cache

from drivers.graph_model import NODE_KINDS, Kind
from drivers.neo4j.queries import (
    FENCE_OR_NULL,
    PREFIX,
    fence_of,
    fences_of_groups,
    pattern,
    row_by_pk,
)
from drivers.row_codec import LABEL


@cache
def semantic_text(kind: Kind) -> str:
    """Parameters: groups (maps of group_id, prefix of its pks, slot), vector, dimension, limit.
    One record: [hits as [group_id, pk, score in 0..1], fences].

    Costs about 12 us per row, nearly all of it for reading the vector. The order needs no further property:
    pk comes with the index, and in one group it orders as uuid does. size() leaves out rows without a vector
    and those of another dimension, on which the function would fail.
    """
    return f"""{PREFIX}
CALL () {{
  UNWIND $p.groups AS g
  MATCH {pattern(kind)} USING INDEX n:{LABEL[kind]}(pk) WHERE n.pk STARTS WITH g.prefix
  WITH g, n.pk AS pk, n[g.slot] AS vector WHERE size(vector) = $p.dimension
  WITH g.group_id AS group_id, pk, vector.similarity.cosine(vector, $p.vector) AS score
  ORDER BY score DESC, group_id, pk LIMIT $p.limit
  RETURN collect([group_id, pk, score]) AS hits
}}
{fences_of_groups("hits")}
RETURN hits, fences"""


@cache
def keyword_text(kind: Kind) -> str:
    """Parameters: index, query, limit, group_ids, terms (maps of term and its query), groups.
    One record: [hits as [group_id, uuid, terms, term_count, score], whether these are all that match, else
    the row counts of the terms, fences].

    When fewer rows than the limit match, they are all there, and their terms tell the frequencies: then the
    engine need not count.
    """
    query = "queryNodes" if kind in NODE_KINDS else "queryRelationships"
    found = "node" if kind in NODE_KINDS else "relationship"
    return f"""{PREFIX}
CALL () {{
  CALL db.index.fulltext.{query}($p.index, $p.query, {{limit: $p.limit}}) YIELD {found} AS n, score
  WITH collect([n.group_id, n.uuid, n.terms, n.term_count, score]) AS found
  RETURN [hit IN found WHERE hit[0] IN $p.group_ids] AS hits, size(found) < $p.limit AS complete
}}
CALL (complete) {{
  WITH complete WHERE NOT complete
  UNWIND $p.terms AS t
  CALL (t) {{
    CALL db.index.fulltext.{query}($p.index, t.query) YIELD {found} RETURN count(*) AS row_count
  }}
  RETURN collect(row_count) AS frequencies
}}
{fences_of_groups("frequencies")}
RETURN hits, complete, frequencies, fences"""


@cache
def expand_text(along: Kind) -> str:
    """Parameters: groups (maps of group_id and pks of entities), limit per entity.
    One record per group: [group_id, edges as [uuid, source_uuid, target_uuid], fence or null]."""
    return f"""{PREFIX}
UNWIND $p.groups AS g
CALL (g) {{
  UNWIND g.pks AS k {row_by_pk(Kind.ENTITY, "k")}
  CALL (n) {{
    MATCH (n)-[e:{LABEL[along]}]-()
    WITH e ORDER BY e.created_at DESC, e.uuid LIMIT $p.limit
    RETURN e
  }}
  WITH DISTINCT e
  RETURN collect([e.uuid, e.source_uuid, e.target_uuid]) AS edges
}}
{fence_of("g.group_id")}
RETURN g.group_id, edges, {FENCE_OR_NULL}"""

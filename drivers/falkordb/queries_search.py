"""Query texts that search many groups of one graph at once; rows of a group that this shard does not own
stay out of the ranking, so that what a move left behind takes no place in it.

Measured on 4.22 for one graph with 500 groups of 60 rows (384-d vectors, texts of 12 words), p50 of the
whole call: semantic 0.34 / 0.9 / 9 ms for 1 / 10 / 100 groups; keyword with its document frequencies, five
terms of which two are in most rows, 0.45 / 1.1 / 8 ms.
"""

from functools import cache

from drivers.falkordb.queries import FENCES_OF_GROUPS, OWNING, match_by, tagged, union
from drivers.graph_model import EDGE_KINDS, Kind
from drivers.row_codec import LABEL

HIT = "HIT"
FREQUENCY = "FREQUENCY"
EDGE = "EDGE"
INDEX = "INDEX"


@cache
def semantic_text(kind: Kind, slot: str) -> str:
    """Parameters: groups, fits (see search.py), vector, limit, score_min.

    vec.cosineDistance is 1 - cosine in float32 (equal vectors give equal bits, 1.0000001 occurs), and an
    error for vectors of different dimensions: only groups whose fence has the query's are scanned.
    """
    hits = f"""MATCH (f:_Fence) WHERE f.group_id IN $groups AND {OWNING}
AND size(string.matchRegEx(f.embeddings, $fits)) > 0
WITH f.group_id AS g
MATCH {match_by(kind, "group_id: g")} WHERE n.{slot} IS NOT NULL
WITH g, n.uuid AS u, 1 - vec.cosineDistance(n.{slot}, vecf32($vector)) AS s WHERE s >= $score_min
WITH g, u, s ORDER BY s DESC, g, u LIMIT $limit
{tagged(HIT, "g, u, s")}"""
    return union((hits, FENCES_OF_GROUPS))


@cache
def keyword_text(kind: Kind) -> str:
    """Parameters: groups, chunks ({keys: clause, groups: [..]}), any_term, terms ({term, clause}), limit.

    The state of the index comes first: while it is missing or being filled, as after a restart, the engine
    finds fewer rows and says nothing. (Range indexes need no such care, the planner leaves them out then.)
    """
    state = f"""CALL db.indexes() YIELD label, types, status WHERE label = '{LABEL[kind]}'
{tagged(INDEX, "types.terms, types.group_key, status")}"""
    if kind in EDGE_KINDS:
        call = f"CALL db.idx.fulltext.queryRelationships('{LABEL[kind]}', {{}}) YIELD relationship AS n"
    else:
        call = f"CALL db.idx.fulltext.queryNodes('{LABEL[kind]}', {{}}) YIELD node AS n"
    owned = f"""UNWIND $chunks AS chunk
UNWIND chunk.groups AS g
MATCH (f:_Fence {{group_id: g}}) WHERE {OWNING}
WITH chunk, collect(g) AS owned"""
    hits = f"""{owned}
{call.format("chunk.keys + $any_term")}, score WHERE n.group_id IN owned
WITH n, score ORDER BY score DESC, n.group_id, n.uuid LIMIT $limit
{tagged(HIT, "n.group_id, n.uuid, n.terms, n.term_count, score")}"""
    frequencies = f"""{owned}
UNWIND $terms AS term
{call.format("chunk.keys + term.clause")} WHERE n.group_id IN owned
WITH term.term AS term, count(n) AS rows
{tagged(FREQUENCY, "term, rows")}"""
    return union((state, hits, frequencies, FENCES_OF_GROUPS))


@cache
def expand_text(along: Kind) -> str:
    """Parameters: groups, frontier ({group, keys, edges_max})."""
    edges = f"""UNWIND $frontier AS part
MATCH (f:_Fence {{group_id: part.group}}) WHERE {OWNING}
UNWIND part.keys AS key
MATCH (x:Entity {{pk: key}})-[n:{LABEL[along]}]-()
WITH part, x, n ORDER BY n.created_at DESC, n.uuid
WITH part, x, collect(DISTINCT n) AS newest
UNWIND newest[0..part.edges_max] AS n
WITH DISTINCT part.group AS g, n
{tagged(EDGE, "g, n.uuid, n.source_uuid, n.target_uuid")}"""
    return union((edges, FENCES_OF_GROUPS))

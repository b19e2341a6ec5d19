"""Query texts that search many groups of one graph at once; rows of a group that this shard does not own
stay out of the ranking, so that what a move left behind takes no place in it.

Measured on 4.22 for one graph with 500 groups of 60 rows (384-d vectors, texts of 12 words), p50 of the
whole call: semantic 0.34 / 0.9 / 9 ms for 1 / 10 / 100 groups; keyword with its document frequencies, five
terms of which two are in most rows, 0.45 / 1.1 / 8 ms.

A `filtered` or narrowed text also takes the parameters of drivers/filter_parameters.py; one condition serves
all filters but the one that is asked most often, so that the engine's plan cache has few texts to keep.
"""

from functools import cache

from drivers.falkordb.conditions import condition, less, narrowed
from drivers.falkordb.queries import FENCE_OF_GROUP, FENCES_OF_GROUPS, OWNING, match_by, tagged, union
from drivers.filter_parameters import Narrowing
from drivers.graph_model import EDGE_KINDS, Kind
from drivers.row_codec import LABEL
from drivers.search_reads import far_kind

HIT = "HIT"
CHANGE = "CHANGE"
FREQUENCY = "FREQUENCY"
EDGE = "EDGE"
INDEX = "INDEX"
MATCHING = "MATCHING"


@cache
def semantic_text(kind: Kind, slot: str, narrowing: Narrowing) -> str:
    """Parameters: groups, fits (see search.py), vector, limit, score_min.

    vec.cosineDistance is 1 - cosine in float32 (equal vectors give equal bits, 1.0000001 occurs), and an
    error for vectors of different dimensions: only groups whose fence has the query's are scanned.
    """
    hits = f"""MATCH (f:_Fence) WHERE f.group_id IN $groups AND {OWNING}
AND size(string.matchRegEx(f.embeddings, $fits)) > 0
WITH f.group_id AS g
MATCH {match_by(kind, "group_id: g")} WHERE n.{slot} IS NOT NULL{_and(narrowed(kind, narrowing))}
WITH g, n.uuid AS u, 1 - vec.cosineDistance(n.{slot}, vecf32($vector)) AS s WHERE s >= $score_min
WITH g, u, s ORDER BY s DESC, g, u LIMIT $limit
{tagged(HIT, "g, u, s")}"""
    return union((hits, FENCES_OF_GROUPS))


@cache
def nearest_text(kind: Kind, slot: str) -> str:
    """Parameters: group, fits, vectors, limit, score_min. A HIT for each vector that is near to a row: its
    position, and [uuid, score] of the rows."""
    hits = f"""MATCH (f:_Fence {{group_id: $group}}) WHERE {OWNING}
AND size(string.matchRegEx(f.embeddings, $fits)) > 0
UNWIND range(0, size($vectors) - 1) AS place
WITH place, vecf32($vectors[place]) AS vector
MATCH {match_by(kind, "group_id: $group")} WHERE n.{slot} IS NOT NULL
WITH place, n.uuid AS u, 1 - vec.cosineDistance(n.{slot}, vector) AS s WHERE s >= $score_min
WITH place, u, s ORDER BY s DESC, u
WITH place, collect([u, s])[0..$limit] AS best
{tagged(HIT, "place, best")}"""
    return union((hits, FENCE_OF_GROUP))


@cache
def keyword_text(kind: Kind, *, filtered: bool, counted: bool) -> str:
    """Parameters: groups, chunks ({keys: clause, groups: [..]}), wanted (clause), limit, chars_max, and, if
    document frequencies are `counted`, terms ({term, clause}). The last value of a hit tells whether
    chars_max left others out.

    The state of the index comes first: while it is missing or being filled, as after a restart, the engine
    finds fewer rows and says nothing. (Range indexes need no such care, the planner leaves them out then.)
    """
    owned = f"""UNWIND $chunks AS chunk
UNWIND chunk.groups AS g
MATCH (f:_Fence {{group_id: g}}) WHERE {OWNING}
WITH chunk, collect(g) AS owned"""
    passes = _and(condition(kind) if filtered else "")
    hits = f"""{owned}
{_fulltext(kind, "chunk.keys + $wanted")}, score WHERE n.group_id IN owned{passes}
WITH n, score ORDER BY score DESC, n.group_id, n.uuid LIMIT $limit
WITH collect(n) AS found, collect(score) AS scores
WITH found, scores, reduce(fit = [0, 0], n IN found |
  CASE WHEN fit[1] = 0 OR fit[0] + size(n.terms) <= $chars_max THEN [fit[0] + size(n.terms), fit[1] + 1]
  ELSE [$chars_max + 1, fit[1]] END)[1] AS fitting
UNWIND range(0, fitting - 1) AS place
WITH found[place] AS n, scores[place] AS score, fitting < size(found) AS cut
{tagged(HIT, "n.group_id, n.uuid, n.terms, n.term_count, score, cut")}"""
    frequencies = f"""{owned}
UNWIND $terms AS term
{_fulltext(kind, "chunk.keys + term.clause")} WHERE n.group_id IN owned
WITH term.term AS term, count(n) AS rows
{tagged(FREQUENCY, "term, rows")}"""
    return union((_index_state(kind), hits, *((frequencies,) if counted else ()), FENCES_OF_GROUPS))


@cache
def matching_text(kind: Kind, narrowing: Narrowing, *, several: bool) -> str:
    """Parameters: groups, chunks (lists of {group, key}), wanted (of
    matching_clause), rows_max, tokens_max. One MATCHING
    row: whether the bounds hold, and the rows as columns: uuids (joined), term_counts, terms (joined); the
    groups, if they are `several`; if they are narrowed, 1 for each that passes and 0.

    Costs 3 us a row and what carries its text, each column 0.4. Strings come joined: as an array each would
    be three objects for the reader to make.
    """
    columns = {"uuids": "n.uuid", "lengths": "n.term_count", "texts": "n.terms"}
    if several:
        columns["of_groups"] = "n.group_id"
    if passes := narrowed(kind, narrowing):
        columns["passing"] = f"CASE WHEN {passes} THEN 1 ELSE 0 END"
    told = [
        f"CASE WHEN fit THEN string.join({name}, '\\n') ELSE '' END"
        if name in ("uuids", "texts")
        else f"CASE WHEN fit THEN {name} ELSE [] END"
        for name in columns
    ]
    collected = ", ".join(f"collect({value}) AS {name}" for name, value in columns.items())
    rows = f"""UNWIND $chunks AS chunk
UNWIND chunk AS part
MATCH (f:_Fence {{group_id: part.group}}) WHERE {OWNING}
WITH chunk, collect(part.key) AS owned
{_fulltext(kind, "'@group_key:(' + string.join(owned, '|') + $wanted")}
WITH n LIMIT $rows_max
WITH {collected}, sum(n.term_count) AS tokens
WITH {", ".join(columns)}, size(uuids) < $rows_max AND tokens <= $tokens_max AS fit
{tagged(MATCHING, f"fit, {', '.join(told)}")}"""
    return union((_index_state(kind), rows, FENCES_OF_GROUPS))


@cache
def expand_text(along: Kind, origin: Kind, narrowing: Narrowing, *, far_filtered: bool) -> str:
    """Parameters: groups, frontier ({group, keys, edges_max, all_max}); `far_filtered` also those of
    far_parameters. The last value of an edge tells whether a bound left edges of its group out. Work grows
    with the edges of the named nodes alone."""
    hanging = f"MATCH (x:{LABEL[origin]} {{pk: key}})-[n:{LABEL[along]}]-()"
    if far_filtered:
        far = condition(far_kind(along, origin)).replace("$f_", "$far_")
        # The conditions of rows are written for `n`, so that node and edge have the name in turn.
        hanging = f"""MATCH (x:{LABEL[origin]} {{pk: key}})-[e:{LABEL[along]}]-(n)
WITH g, most, all_max, place, e, n WHERE {far}
WITH g, most, all_max, place, e AS n"""
    passes = narrowed(along, narrowing)
    keep = passes and f"\nWITH g, most, all_max, place, n WHERE {passes}"
    edges = f"""UNWIND $frontier AS part
MATCH (f:_Fence {{group_id: part.group}}) WHERE {OWNING}
UNWIND range(0, size(part.keys) - 1) AS place
WITH part.group AS g, part.edges_max AS most, part.all_max AS all_max, place, part.keys[place] AS key
{hanging}{keep}
WITH g, most, all_max, place, n ORDER BY n.created_at DESC, n.uuid
WITH g, most, all_max, place, collect(DISTINCT n) AS all ORDER BY place
WITH g, all_max, CASE WHEN size(all) > most THEN 1 ELSE 0 END AS over, all[0..most] AS newest
UNWIND newest AS n
WITH g, all_max, sum(over) AS over, collect(DISTINCT n) AS found
WITH g, over > 0 OR size(found) > all_max AS cut, found[0..all_max] AS found
UNWIND found AS n
{tagged(EDGE, "g, n.uuid, n.source_uuid, n.target_uuid, cut")}"""
    return union((edges, FENCES_OF_GROUPS))


_BEGINS = less("$after", "n.valid_at")
_CHANGES = f"""MATCH (f:_Fence) WHERE f.group_id IN $groups AND {OWNING}
WITH f.group_id AS g
MATCH {match_by(Kind.FACT, "group_id: g")}
WHERE {_BEGINS} OR (n.invalid_at <> $never AND {less("$after", "n.invalid_at")})
WITH g, min(CASE WHEN {_BEGINS} THEN n.valid_at ELSE n.invalid_at END) AS at
{tagged(CHANGE, "g, at")}"""
NEXT_VALIDITY_CHANGE = union((_CHANGES, FENCES_OF_GROUPS))
"""Parameters: groups, after, never (OPEN_END). A fact ends after it begins, so a beginning that is still to
come is its next change."""


def _fulltext(kind: Kind, query: str) -> str:
    """Calls the text index by a Cypher expression; the rows are `n`."""
    if kind in EDGE_KINDS:
        return f"CALL db.idx.fulltext.queryRelationships('{LABEL[kind]}', {query}) YIELD relationship AS n"
    return f"CALL db.idx.fulltext.queryNodes('{LABEL[kind]}', {query}) YIELD node AS n"


def _index_state(kind: Kind) -> str:
    return f"""CALL db.indexes() YIELD label, types, status WHERE label = '{LABEL[kind]}'
{tagged(INDEX, "types.terms, types.group_key, status")}"""


def _and(condition: str) -> str:
    return condition and f"\nAND {condition}"

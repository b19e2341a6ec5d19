"""Searches over many groups: one query per graph for all of its groups, merged by the contract's orders."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from heapq import merge
from itertools import batched, chain, islice
from typing import Any, NamedTuple

from drivers.deadline import Deadline
from drivers.errors import SchemaNotReady
from drivers.falkordb import queries_search as texts
from drivers.falkordb.client import GraphClient, Rows
from drivers.falkordb.fan_out import over_graphs
from drivers.falkordb.fences import fences, read_fences
from drivers.falkordb.graphs import by_graph, graph_of
from drivers.falkordb.parameters import Parameter
from drivers.falkordb.schema import INDEX_READY
from drivers.falkordb.write import DEFAULT_SLOT, slot_of
from drivers.fence import Fence, GroupRef
from drivers.filter_parameters import far_parameters, filter_parameters, narrowing, narrowing_parameters
from drivers.filters import NO_FILTER, RowFilter
from drivers.graph_model import OPEN_END, Kind
from drivers.group_key import group_key
from drivers.keyword_cut import cut_to_chars
from drivers.row_codec import pk
from drivers.row_key import RowKey
from drivers.search_reads import (
    EXPANDED_KINDS,
    NO_ROWS_MATCH,
    ExpandedEdge,
    ExpandQuery,
    ExpandRead,
    KeywordHit,
    KeywordQuery,
    KeywordRead,
    MatchingQuery,
    MatchingRead,
    MatchingRows,
    NearestQuery,
    NearestRead,
    ScoredRow,
    SemanticQuery,
    SemanticRead,
    TermClause,
    ValidityRead,
    far_kind,
)

GROUPS_PER_CLAUSE_MAX = 25
"""Groups that one fulltext query names. Each hit's group is looked up in this list, so that 500 groups
take 50 ms in parts of 25 and 77 ms in parts of 200."""

_UNWEIGHTED = "=>{$weight:0} "
"""Gives a clause no part in the score."""
ALTERNATIVES_MAX = 8
TERMS_MAX = 64

# --- semantic -------------------------------------------------------------------------------------


async def semantic(
    client: GraphClient,
    refs: Sequence[GroupRef],
    pool_graphs: int,
    query: SemanticQuery,
    deadline: Deadline,
) -> SemanticRead:
    async def of_graph(graph: str, group_ids: list[str]) -> tuple[list[ScoredRow], dict[str, Fence]]:
        return await _semantic_of_graph(client, graph, group_ids, query, deadline)

    answers = await over_graphs(client, by_graph(refs, pool_graphs), of_graph)
    ranked = merge(*(hits for hits, _ in answers), key=_rank)
    return SemanticRead(
        hits=tuple(islice(ranked, query.limit)),
        fences={group_id: fence for _, found in answers for group_id, fence in found.items()},
    )


def _rank(hit: ScoredRow) -> tuple[float, RowKey]:
    return -hit.score, hit.key


async def _semantic_of_graph(
    client: GraphClient, graph: str, group_ids: Sequence[str], query: SemanticQuery, deadline: Deadline
) -> tuple[list[ScoredRow], dict[str, Fence]]:
    """One query, and another for each further slot that the groups' fences name: a group has a slot of
    its own only when it is large, and then mostly a graph of its own."""

    async def in_slot(slot: str, group_ids: Sequence[str]) -> Rows:
        parameters: dict[str, Parameter] = {
            "groups": group_ids,
            "fits": fitting_spec(query.kind, query.vector.shape[0], slot),
            "vector": query.vector,
            "limit": query.limit,
            "score_min": query.score_min,
            **narrowing_parameters(query.kind, query.filter),
        }
        text = texts.semantic_text(query.kind, slot, narrowing(query.kind, query.filter))
        return await client.read(graph, text, parameters, deadline, "a semantic search")

    found = await in_slot(DEFAULT_SLOT, group_ids)
    hits, known = _scored(found), fences(found)
    others: dict[str, list[str]] = {}
    for group_id, fence in known.items():
        slot = slot_of(fence.embeddings, query.kind)
        if slot != DEFAULT_SLOT:
            others.setdefault(slot, []).append(group_id)
    for slot, slot_groups in others.items():
        found = await in_slot(slot, slot_groups)
        hits += _scored(found)
        known |= fences(found)
    return sorted(hits, key=_rank)[: query.limit], known


async def nearest(
    client: GraphClient, graph: str, group_id: str, query: NearestQuery, deadline: Deadline
) -> NearestRead:
    """A second query if the group's fence names another slot than the usual one."""

    async def in_slot(slot: str) -> Rows:
        parameters: dict[str, Parameter] = {
            "group": group_id,
            "fits": fitting_spec(query.kind, query.vectors[0].shape[0], slot),
            "vectors": query.vectors,
            "limit": query.limit,
            "score_min": query.score_min,
        }
        text = texts.nearest_text(query.kind, slot)
        return await client.read(graph, text, parameters, deadline, "searches by vectors")

    found = await in_slot(DEFAULT_SLOT)
    fence = fences(found).get(group_id)
    slot = DEFAULT_SLOT if fence is None else slot_of(fence.embeddings, query.kind)
    if slot != DEFAULT_SLOT:
        found = await in_slot(slot)
        fence = fences(found).get(group_id)
    hits: list[tuple[ScoredRow, ...]] = [()] * len(query.vectors)
    for tag, values in found:
        if tag == texts.HIT:
            hits[values[0]] = tuple(_scored_row(group_id, *hit) for hit in values[1])
    return NearestRead(tuple(hits), fence)


def fitting_spec(kind: Kind, dimension: int, slot: str) -> str:
    """A regular expression for the embeddings of a fence: the JSON that fence_codec writes, whose model
    and revision may be any string."""
    any_string = r'"(?:[^"\\]|\\.)*"'
    return rf'"{kind}":\[{any_string},{dimension},{any_string},"{re.escape(slot)}"\]'


def _filter(kind: Kind, wanted: RowFilter) -> Mapping[str, Parameter]:
    return {} if wanted == NO_FILTER else filter_parameters(kind, wanted)


def _scored(found: Rows) -> list[ScoredRow]:
    return [_scored_row(*values) for tag, values in found if tag == texts.HIT]


def _scored_row(group_id: str, uuid: str, score: float) -> ScoredRow:
    return ScoredRow(RowKey(group_id, uuid), max(-1.0, min(1.0, score)))


# --- keyword --------------------------------------------------------------------------------------


async def keyword(
    client: GraphClient,
    refs: Sequence[GroupRef],
    pool_graphs: int,
    query: KeywordQuery,
    deadline: Deadline,
) -> KeywordRead:
    """Hits of several graphs are ordered by the engine's score, though its TF-IDF counts rows per graph."""
    if not query.terms:
        return KeywordRead((), {}, await read_fences(client, refs, pool_graphs, deadline))
    assert len(query.terms) <= TERMS_MAX, f"a keyword search has {len(query.terms)} terms"
    terms: list[Parameter] = [{"term": term, "clause": terms_clause((term,))} for term in query.terms]
    wanted = any_clause(query.clauses) if query.clauses else terms_clause(query.terms)
    counted: dict[str, Parameter] = {} if query.clauses else {"terms": terms}

    async def of_graph(graph: str, group_ids: list[str]) -> Rows:
        parameters: dict[str, Parameter] = {
            "groups": group_ids,
            "chunks": [
                {"keys": groups_clause(chunk), "groups": chunk}
                for chunk in batched(group_ids, GROUPS_PER_CLAUSE_MAX)
            ],
            "wanted": wanted,
            "limit": query.limit,
            "chars_max": query.chars_max,
            **counted,
            **_filter(query.kind, query.filter),
        }
        text = texts.keyword_text(query.kind, filtered=query.filter != NO_FILTER, counted=bool(counted))
        return await _read_texts(client, graph, text, parameters, query.kind, deadline)

    found: Rows = []
    for answer in await over_graphs(client, by_graph(refs, pool_graphs), of_graph):
        found += answer
    frequency = dict.fromkeys(() if query.clauses else query.terms, 0)
    hits: list[tuple[float, KeywordHit]] = []
    complete = True
    for tag, values in found:
        if tag == texts.FREQUENCY:
            frequency[values[0]] += values[1]
        elif tag == texts.HIT:
            group_id, uuid, row_terms, term_count, score, is_cut = values
            hits.append((score, KeywordHit(RowKey(group_id, uuid), row_terms, term_count)))
            complete = complete and not is_cut
    hits.sort(key=lambda scored: (-scored[0], scored[1].key))
    best = cut_to_chars([hit for _, hit in hits[: query.limit]], query.chars_max)
    complete = complete and len(hits) < query.limit and len(best) == len(hits)
    return KeywordRead(best, frequency, fences(found), complete)


async def matching(
    client: GraphClient,
    refs: Sequence[GroupRef],
    pool_graphs: int,
    query: MatchingQuery,
    deadline: Deadline,
) -> MatchingRead:
    if not query.terms:
        return MatchingRead(NO_ROWS_MATCH, await read_fences(client, refs, pool_graphs, deadline))
    assert len(query.terms) <= TERMS_MAX, f"a keyword search has {len(query.terms)} terms"
    wanted = matching_clause(query.terms)
    filtered = query.filter != NO_FILTER

    async def of_graph(graph: str, group_ids: list[str]) -> tuple[_Columns | None, dict[str, Fence]]:
        several = len(group_ids) > 1
        parameters: dict[str, Parameter] = {
            "groups": group_ids,
            "chunks": [
                [{"group": group_id, "key": f'"{group_key(group_id)}"'} for group_id in chunk]
                for chunk in batched(group_ids, GROUPS_PER_CLAUSE_MAX)
            ],
            "wanted": wanted,
            "rows_max": query.rows_max + 1,
            "tokens_max": query.tokens_max,
            **narrowing_parameters(query.kind, query.filter),
        }
        text = texts.matching_text(query.kind, narrowing(query.kind, query.filter), several=several)
        answer = await _read_texts(client, graph, text, parameters, query.kind, deadline)
        columns = [values for tag, values in answer if tag == texts.MATCHING]
        return _columns(columns[0] if columns else _NO_COLUMNS, group_ids, filtered=filtered), fences(answer)

    answers = await over_graphs(client, by_graph(refs, pool_graphs), of_graph)
    known = {group_id: fence for _, found in answers for group_id, fence in found.items()}
    found = [columns for columns, _ in answers if columns is not None]
    if len(found) < len(answers):
        return MatchingRead(None, known)
    groups, uuids, term_counts, terms, passing = (
        list(chain.from_iterable(column)) for column in zip(*found, strict=True)
    )
    if len(uuids) > query.rows_max or sum(term_counts) > query.tokens_max:
        return MatchingRead(None, known)
    return MatchingRead(MatchingRows(groups, uuids, term_counts, terms, passing if filtered else None), known)


class _Columns(NamedTuple):
    groups: Sequence[str]
    uuids: Sequence[str]
    term_counts: Sequence[int]
    terms: Sequence[str]
    passing: Sequence[bool]


_NO_COLUMNS: Sequence[Any] = (True, "", [], "", [], [])


def _columns(values: Sequence[Any], group_ids: Sequence[str], *, filtered: bool) -> _Columns | None:
    """Of the one row of a matching_text; None when its bounds were passed."""
    fit, uuids, term_counts, terms, *others = values
    if not fit:
        return None
    count = len(term_counts)
    if not count:
        return _Columns((), (), (), (), ())
    groups = others[0] if len(group_ids) > 1 else [group_ids[0]] * count
    passing = [taken == 1 for taken in others[-1]] if filtered else ()
    return _Columns(groups, uuids.split("\n"), term_counts, terms.split("\n"), passing)


async def _read_texts(
    client: GraphClient,
    graph: str,
    text: str,
    parameters: Mapping[str, Parameter],
    kind: Kind,
    deadline: Deadline,
) -> Rows:
    """Raises SchemaNotReady while the text index would leave rows out."""
    answer = await client.read(graph, text, parameters, deadline, "a keyword search")
    if answer and not _is_text_index_ready(answer):
        raise SchemaNotReady(client.shard_id, f"the text index of {kind} rows")
    return answer


def _is_text_index_ready(answer: Rows) -> bool:
    """While a label's index is rebuilt it is there twice: the old one serves until the new one is whole."""
    return any(
        tag == texts.INDEX
        and values[2] == INDEX_READY
        and all("FULLTEXT" in (families or ()) for families in values[:2])
        for tag, values in answer
    )


def groups_clause(group_ids: Sequence[str]) -> str:
    """Narrows a fulltext query to the groups and gives them no part in the score: rare keys, which small
    groups have, would outweigh the words."""
    keys = "|".join(f'"{group_key(group_id)}"' for group_id in group_ids)
    return f"@group_key:({keys}){_UNWEIGHTED}"


def matching_clause(terms: Sequence[str]) -> str:
    """What follows the groups' keys in a matching_text. ValueError as of terms_clause."""
    return f"){_UNWEIGHTED}{terms_clause(terms)}"


def terms_clause(terms: Sequence[str]) -> str:
    """Rows with one of the terms, each a phrase: a bare word would find its English stem as well, though
    the index does not stem. ValueError for what is no token of the analyser: a sign of the engine's
    query language never gets into the text, whatever a caller sends."""
    for term in terms:
        if not is_token(term):
            raise ValueError(f"{term!r} is no token of the analyser; search for tokens only")
    return f"@terms:({'|'.join(f'"{term}"' for term in terms)})"


def any_clause(clauses: Sequence[TermClause]) -> str:
    """Rows that satisfy one of the clauses. ValueError as of terms_clause.

    The engine's parser takes about 20 alternatives that are more than a phrase, and is out of stack then:
    so they are nested.
    """
    alone = [clause.term for clause in clauses if not clause.others]
    parts = [
        f"({terms_clause((clause.term,))} {terms_clause(clause.others)})"
        for clause in clauses
        if clause.others
    ]
    if alone:
        parts.append(terms_clause(alone))
    while len(parts) > 1:
        parts = [f"({'|'.join(some)})" for some in batched(parts, ALTERNATIVES_MAX)]
    return parts[0]


def is_token(term: str) -> bool:
    """Letters, digits and marks of any script; of ASCII only letters and digits."""
    return bool(term) and (
        term.isalnum()
        or all(c.isalnum() if c.isascii() else unicodedata.category(c)[0] in _TOKEN_CATEGORIES for c in term)
    )


_TOKEN_CATEGORIES = frozenset("LMN")

# --- expand ---------------------------------------------------------------------------------------


async def expand(
    client: GraphClient, queries: Sequence[ExpandQuery], pool_graphs: int, deadline: Deadline
) -> ExpandRead:
    """One query for each graph, direction and filter."""
    by_place: dict[_ExpandPlace, list[ExpandQuery]] = {}
    for query in queries:
        assert query.along in EXPANDED_KINDS, f"{query.along} does not lead on"
        graph = graph_of(GroupRef(query.group_id, query.space), pool_graphs)
        place = _ExpandPlace(graph, query.along, query.origin, query.filter, query.far_filter)
        by_place.setdefault(place, []).append(query)

    async def of_place(place: _ExpandPlace, queries: list[ExpandQuery]) -> Rows:
        parameters: dict[str, Parameter] = {
            "groups": sorted({query.group_id for query in queries}),
            "frontier": [
                {
                    "group": query.group_id,
                    "keys": [pk(query.group_id, uuid) for uuid in dict.fromkeys(query.entities)],
                    "edges_max": query.edges_per_entity_max,
                    "all_max": query.edges_max,
                }
                for query in queries
            ],
            **narrowing_parameters(place.along, place.filter),
        }
        far_filtered = place.far_filter != NO_FILTER
        if far_filtered:
            parameters |= far_parameters(far_kind(place.along, place.origin), place.far_filter)
        text = texts.expand_text(
            place.along, place.origin, narrowing(place.along, place.filter), far_filtered=far_filtered
        )
        return await client.read(place.graph, text, parameters, deadline, "an expansion")

    edges: dict[str, dict[str, ExpandedEdge]] = {query.group_id: {} for query in queries}
    known: dict[str, Fence] = {}
    cut: set[str] = set()
    for answer in await over_graphs(client, by_place, of_place):
        for tag, values in answer:
            if tag == texts.EDGE:
                group_id, *edge, is_cut = values
                edges[group_id][edge[0]] = ExpandedEdge(*edge)
                if is_cut:
                    cut.add(group_id)
        known |= fences(answer)
    return ExpandRead(
        {group_id: tuple(found.values()) for group_id, found in edges.items()}, known, frozenset(cut)
    )


class _ExpandPlace(NamedTuple):
    graph: str
    along: Kind
    origin: Kind
    filter: RowFilter
    far_filter: RowFilter


# --- validity -------------------------------------------------------------------------------------


async def next_validity_change(
    client: GraphClient, refs: Sequence[GroupRef], pool_graphs: int, after_us: int, deadline: Deadline
) -> ValidityRead:
    async def of_graph(graph: str, group_ids: list[str]) -> Rows:
        parameters: dict[str, Parameter] = {"groups": group_ids, "after": after_us, "never": OPEN_END}
        return await client.read(
            graph, texts.NEXT_VALIDITY_CHANGE, parameters, deadline, "looking for the next change of validity"
        )

    answers = await over_graphs(client, by_graph(refs, pool_graphs), of_graph)
    found = [row for answer in answers for row in answer]
    return ValidityRead(
        next_change={values[0]: values[1] for tag, values in found if tag == texts.CHANGE},
        fences=fences(found),
    )

"""Semantic and keyword candidates over many groups, and one hop along edges."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import batched
from typing import Any, NamedTuple
from unicodedata import category

from drivers.deadline import Deadline
from drivers.errors import ShardImpaired
from drivers.fence import Fence, GroupRef
from drivers.filter_parameters import far_parameters, filter_parameters, narrowing, narrowing_parameters
from drivers.filters import NO_FILTER, RowFilter
from drivers.graph_model import OPEN_END, Kind
from drivers.group_key import group_key
from drivers.keyword_cut import cut_to_chars
from drivers.neo4j import records
from drivers.neo4j.client import Neo4jClient
from drivers.neo4j.fences import Fences
from drivers.neo4j.queries_read import FIRST_PK_SUFFIX
from drivers.neo4j.queries_search import (
    NEXT_VALIDITY_CHANGE,
    expand_text,
    keyword_text,
    matching_text,
    nearest_text,
    semantic_text,
)
from drivers.neo4j.schema_rules import FULLTEXT_NAME
from drivers.row_codec import pk
from drivers.row_key import RowKey
from drivers.search_reads import (
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
    ValidityRead,
    far_kind,
)

_CLAUSES_MAX = 1_024
"""Lucene refuses a query with more clauses; each group and each term is one."""
_SLOT_CHANGES_MAX = 3
_SIMILARITY_SLACK = 1e-6
"""Score and the cosine made of it are rounded apart: the bound of the query decides in the end."""


class Searches:
    def __init__(self, client: Neo4jClient, fences: Fences) -> None:
        self._client = client
        self._fences = fences

    async def semantic(
        self, refs: Sequence[GroupRef], query: SemanticQuery, deadline: Deadline
    ) -> SemanticRead:
        """Which property holds a group's vectors is written in its fence. All but large groups use the
        default one, so the scan starts with that and is repeated when a fence says otherwise."""
        slots = dict.fromkeys(sorted({ref.group_id for ref in refs}), records.DEFAULT_SLOT)
        vector = query.vector.tolist()
        for _ in range(_SLOT_CHANGES_MAX):
            ((hits, found),) = await self._client.read(
                semantic_text(query.kind, narrowing(query.kind, query.filter)),
                {
                    "groups": [
                        {"group_id": group_id, "prefix": group_id + FIRST_PK_SUFFIX, "slot": slot}
                        for group_id, slot in slots.items()
                    ],
                    "vector": vector,
                    "dimension": len(vector),
                    "limit": query.limit,
                    **narrowing_parameters(query.kind, query.filter),
                },
                "semantic",
                deadline,
            )
            fences = records.fences(found)
            told = {
                group_id: records.slot_of(fence.embeddings, query.kind) for group_id, fence in fences.items()
            }
            if all(slots[group_id] == slot for group_id, slot in told.items()):
                scored = (_scored(*hit) for hit in hits)
                return SemanticRead(tuple(hit for hit in scored if hit.score >= query.score_min), fences)
            slots |= told
        raise ShardImpaired(self._client.shard_id, "the vectors of a group are being replaced")

    async def nearest(self, ref: GroupRef, query: NearestQuery, deadline: Deadline) -> NearestRead:
        group_id, slot = ref.group_id, records.DEFAULT_SLOT
        for _ in range(_SLOT_CHANGES_MAX):
            ((found_hits, found),) = await self._client.read(
                nearest_text(query.kind),
                {
                    "groups": [{"group_id": group_id}],
                    "prefix": group_id + FIRST_PK_SUFFIX,
                    "slot": slot,
                    "vectors": [vector.tolist() for vector in query.vectors],
                    "dimension": query.vectors[0].shape[0],
                    "limit": query.limit,
                    "similarity_min": (1.0 + query.score_min) / 2 - _SIMILARITY_SLACK,
                },
                "nearest",
                deadline,
            )
            fence = records.fences(found).get(group_id)
            told = slot if fence is None else records.slot_of(fence.embeddings, query.kind)
            if told == slot:
                hits: list[tuple[ScoredRow, ...]] = [()] * len(query.vectors)
                for place, best in found_hits:
                    scored = (_scored(group_id, *hit) for hit in best)
                    hits[place] = tuple(hit for hit in scored if hit.score >= query.score_min)
                return NearestRead(tuple(hits), fence)
            slot = told
        raise ShardImpaired(self._client.shard_id, "the vectors of a group are being replaced")

    async def keyword(self, refs: Sequence[GroupRef], query: KeywordQuery, deadline: Deadline) -> KeywordRead:
        _check_terms(query.terms)
        if not refs or not query.terms:
            return KeywordRead(
                (), dict.fromkeys(query.terms, 0), await self._fences.read_fences(refs, deadline)
            )
        ranked: list[tuple[float, KeywordHit]] = []
        frequency = dict.fromkeys(() if query.clauses else query.terms, 0)
        fences: dict[str, Fence] = {}
        wanted, clauses = _wanted(query)
        terms = [] if query.clauses else [f'terms:"{term}"' for term in query.terms]
        filtered = query.filter != NO_FILTER
        complete = True
        for some in batched(sorted({ref.group_id for ref in refs}), _CLAUSES_MAX - clauses):
            scope = _scope(some)
            ((hits, all_there, counts, found),) = await self._client.read(
                keyword_text(query.kind, filtered=filtered),
                {
                    "index": FULLTEXT_NAME[query.kind],
                    "query": f"{scope} AND {wanted}",
                    "limit": query.limit,
                    "chars_max": query.chars_max,
                    "group_ids": some,
                    "terms": [{"query": f"{scope} AND {term}"} for term in terms],
                    "groups": [{"group_id": group_id} for group_id in some],
                    **_filter(query.kind, query.filter),
                },
                "keyword",
                deadline,
            )
            # A row that is being deleted may lack properties already.
            made = [
                (score, KeywordHit(RowKey(group_id, uuid), row_terms, term_count))
                for group_id, uuid, row_terms, term_count, score in hits
                if uuid is not None and row_terms is not None and term_count is not None
            ]
            ranked += made
            complete = complete and all_there
            if terms:
                if all_there and not filtered:
                    counts = _row_counts(query.terms, (hit for _, hit in made))
                for term, count in zip(query.terms, counts, strict=True):
                    frequency[term] += count
            fences |= records.fences(found)
        # Scores of one index are comparable, whichever groups a query names.
        ranked.sort(key=lambda scored: (-scored[0], scored[1].key))
        best = cut_to_chars([hit for _, hit in ranked[: query.limit]], query.chars_max)
        complete = complete and len(ranked) < query.limit and len(best) == len(ranked)
        return KeywordRead(best, frequency, fences, complete)

    async def matching(
        self, refs: Sequence[GroupRef], query: MatchingQuery, deadline: Deadline
    ) -> MatchingRead:
        _check_terms(query.terms)
        if not refs or not query.terms:
            return MatchingRead(NO_ROWS_MATCH, await self._fences.read_fences(refs, deadline))
        wanted = " OR ".join(f'terms:"{term}"' for term in query.terms)
        filtered = query.filter != NO_FILTER
        several = len({ref.group_id for ref in refs}) > 1
        fences: dict[str, Fence] = {}
        rows: list[Sequence[Any]] = []
        fits = True
        for some in batched(sorted({ref.group_id for ref in refs}), _CLAUSES_MAX - len(query.terms)):
            ((fit, found, found_fences),) = await self._client.read(
                matching_text(query.kind, narrowing(query.kind, query.filter), several=several),
                {
                    "index": FULLTEXT_NAME[query.kind],
                    "query": f"{_scope(some)} AND ({wanted})",
                    "rows_max": query.rows_max + 1,
                    "tokens_max": query.tokens_max,
                    "groups": [{"group_id": group_id} for group_id in some],
                    **narrowing_parameters(query.kind, query.filter),
                },
                "matching",
                deadline,
            )
            fences |= records.fences(found_fences)
            # A row that is being deleted may lack properties already.
            rows += (row for row in found if None not in row)
            fits = fits and fit
        if not fits or len(rows) > query.rows_max or sum(row[1] for row in rows) > query.tokens_max:
            return MatchingRead(None, fences)
        if not rows:
            return MatchingRead(NO_ROWS_MATCH, fences)
        uuids, term_counts, terms, *others = zip(*rows, strict=True)
        groups = others[0] if several else [refs[0].group_id] * len(rows)
        return MatchingRead(
            MatchingRows(groups, uuids, term_counts, terms, others[-1] if filtered else None), fences
        )

    async def expand(self, queries: Sequence[ExpandQuery], deadline: Deadline) -> ExpandRead:
        edges: dict[str, dict[str, ExpandedEdge]] = {}
        fences: dict[str, Fence] = {}
        cut: set[str] = set()
        # LIMIT takes no value of a row: one statement for what queries differ in, one in practice.
        alike: dict[_Alike, list[ExpandQuery]] = {}
        for query in queries:
            key = _Alike(
                query.along,
                query.origin,
                query.filter,
                query.far_filter,
                query.edges_per_entity_max,
                query.edges_max,
            )
            alike.setdefault(key, []).append(query)
        for shape, some in alike.items():
            nodes_max = max(len(query.entities) for query in some)
            far_filtered = shape.far_filter != NO_FILTER
            far = far_kind(shape.along, shape.origin)
            found = await self._client.read(
                expand_text(
                    shape.along,
                    shape.origin,
                    narrowing(shape.along, shape.filter),
                    far_filtered=far_filtered,
                ),
                {
                    "groups": [
                        {
                            "group_id": query.group_id,
                            "pks": [pk(query.group_id, uuid) for uuid in dict.fromkeys(query.entities)],
                        }
                        for query in some
                    ],
                    # One more tells that there are more; and an edge may come from both of its ends.
                    "limit": shape.per_node_max + 1,
                    "rows_max": 2 * (shape.edges_max + 1) + nodes_max,
                    **narrowing_parameters(shape.along, shape.filter),
                    **(far_parameters(far, shape.far_filter) if far_filtered else {}),
                },
                "expand",
                deadline,
            )
            for group_id, placed, fence_values in found:
                kept, is_cut = _kept(placed, shape)
                edges.setdefault(group_id, {}).update(kept)
                if is_cut:
                    cut.add(group_id)
                fence = records.fence(fence_values)
                if fence is not None:
                    fences[group_id] = fence
        return ExpandRead(
            {group_id: tuple(some.values()) for group_id, some in edges.items()}, fences, frozenset(cut)
        )

    async def next_validity_change(
        self, refs: Sequence[GroupRef], after_us: int, deadline: Deadline
    ) -> ValidityRead:
        group_ids = sorted({ref.group_id for ref in refs})
        ((changes, found),) = await self._client.read(
            NEXT_VALIDITY_CHANGE,
            {
                "groups": [
                    {"group_id": group_id, "prefix": group_id + FIRST_PK_SUFFIX} for group_id in group_ids
                ],
                "after": after_us,
                "never": OPEN_END,
            },
            "next_validity_change",
            deadline,
        )
        return ValidityRead(dict(changes), records.fences(found))


class _Alike(NamedTuple):
    along: Kind
    origin: Kind
    filter: RowFilter
    far_filter: RowFilter
    per_node_max: int
    edges_max: int


def _kept(placed: Iterable[Sequence[Any]], shape: _Alike) -> tuple[dict[str, ExpandedEdge], bool]:
    """The edges within both bounds, and whether there are others."""
    per_node: Counter[int] = Counter()
    edges: dict[str, ExpandedEdge] = {}
    is_cut = False
    for place, edge in placed:
        # A row that is being deleted may lack properties already.
        if None in edge or (edge[0] in edges and per_node[place] < shape.per_node_max):
            per_node[place] += None not in edge
            continue
        if per_node[place] >= shape.per_node_max or len(edges) >= shape.edges_max:
            is_cut = True
            continue
        per_node[place] += 1
        edges[edge[0]] = ExpandedEdge(*edge)
    return edges, is_cut


def _filter(kind: Kind, wanted: RowFilter) -> Mapping[str, Any]:
    return {} if wanted == NO_FILTER else filter_parameters(kind, wanted)


def _scope(group_ids: Iterable[str]) -> str:
    """^0 keeps the groups' clause out of the score."""
    return "(" + " OR ".join(f"group_key:{group_key(group_id)}" for group_id in group_ids) + ")^0"


def _wanted(query: KeywordQuery) -> tuple[str, int]:
    """The rows that are asked for, as Lucene reads it, and how many clauses that has."""
    if not query.clauses:
        return f"({' OR '.join(f'terms:"{term}"' for term in query.terms)})", len(query.terms)
    _check_terms(term for clause in query.clauses for term in (clause.term, *clause.others))
    each = [
        f'(terms:"{clause.term}" AND ({" OR ".join(f'terms:"{other}"' for other in clause.others)}))'
        if clause.others
        else f'terms:"{clause.term}"'
        for clause in query.clauses
    ]
    return f"({' OR '.join(each)})", sum(1 + len(clause.others) for clause in query.clauses)


def _scored(group_id: str, row_pk: str, score: float) -> ScoredRow:
    """The engine's score is (1 + cosine) / 2."""
    uuid = row_pk[len(group_id) + len(FIRST_PK_SUFFIX) :]
    return ScoredRow(RowKey(group_id, uuid), min(1.0, max(-1.0, 2.0 * score - 1.0)))


def _check_terms(terms: Iterable[str]) -> None:
    """Raises ValueError for what the analyser cannot have made: an operator must not reach Lucene."""
    for term in terms:
        if not term or any(category(char)[0] not in "LMN" for char in term):
            raise ValueError(f"{term!r} is no token of the analyser: letters, marks and digits only")


def _row_counts(terms: Sequence[str], hits: Iterable[KeywordHit]) -> list[int]:
    """How many of all matching rows have each term."""
    counts = dict.fromkeys(terms, 0)
    for hit in hits:
        for term in counts.keys() & set(hit.terms.split(" ")):
            counts[term] += 1
    return list(counts.values())

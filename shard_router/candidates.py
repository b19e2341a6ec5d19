"""What one shard contributes to a search: semantic candidates, and keyword candidates.

The best rows depend neither on an engine's ranking nor on which groups share a shard: a shard gives all rows
that match, as columns, and they are ranked here by one BM25. 2,000 rows are 160 KB and cost the engine some
6 ms, the gateway 3; on two cores that is less than the engine needs to count document frequencies and to rank
by itself.

Only where more match than MATCHING_ROWS_MAX or MATCHING_TOKENS_MAX it goes in steps. First the shard gives
document frequencies and a few candidates of its own ranking. Scored by the same BM25, they tell how much a
row must score at least; the shards that may have more rows than they gave are then asked for all rows that
can score that much (max_score.py). The tokens of a step are counted as soon as it has answered, and dropped
(keyword_counts.py). A write pays nothing for any of it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import Fence, GroupRef
from drivers.filters import NO_FILTER, RowFilter
from drivers.graph_model import Kind, Vector
from drivers.search_reads import (
    KEYWORD_CHARS_MAX,
    MATCHING_ROWS_MAX,
    KeywordQuery,
    MatchingQuery,
    ScoredRow,
    SemanticQuery,
)
from shard_router import bm25
from shard_router.fan_out import ShardCall
from shard_router.keyword_basis import KeywordBasis, keyword_basis
from shard_router.keyword_counts import CountedRead, CountedRows, counted, counted_matching
from shard_router.max_score import clauses_above
from shard_router.shard_reads import owned_throughout
from shard_router.slot_search import NoSlots, ShardSemantic, SlotDirectory
from shard_router.slot_search import semantic as semantic_of_shard
from shard_router.turns import Turns

TIE_SLACK = 16
"""Candidates asked of each shard beyond the window, so that disputed ties at its end are all there."""
FIRST_KEYWORD_ROWS_MIN = 100
"""Keyword candidates of the first step; groups where no more rows match need no second one."""
KEYWORD_ROWS_MAX = (2_000, 8_000)
"""Rows of one kind that one shard gives in the second step and, if that was not all, in a third, for which
the rows of the second have told better what must be scored at least. Past that the keyword ranking is not
exact, and says so."""


@dataclass(frozen=True, slots=True)
class CandidateQuery:
    """One method-independent question; vector or terms may be absent."""

    kind: Kind
    window: int
    """Rows that each method's merged ranking holds at most."""
    vector: Vector | None = None
    terms: Mapping[str, int] = field(default_factory=dict[str, int])
    """Query tokens with their repeats."""
    filter: RowFilter = NO_FILTER
    score_min: float = -1.0
    """Least cosine of the semantic ranking."""
    explain: bool = False
    """Tell what the keyword ranking was computed from: some 2 ms at a window of 400 rows."""
    exact: bool = False
    """Every vector is scanned, also those of groups that have a slot."""


@dataclass(frozen=True, slots=True)
class Candidates:
    semantic: tuple[ScoredRow, ...]
    """Cosine, rounded."""
    keyword: tuple[ScoredRow, ...]
    """BM25 with the statistics of the whole scope, rounded. A filter does not change the statistics."""
    by_index: frozenset[str] = frozenset()
    """Groups whose vectors were searched by an index and not scanned."""
    keyword_exact: bool = True
    """False: a shard had more rows that might be among the best than KEYWORD_ROWS_MAX or KEYWORD_CHARS_MAX
    allows, and gave those that its own ranking puts first."""
    keyword_basis: KeywordBasis | None = None
    """Of the rows of `keyword`; None unless explained and searched for terms."""


@dataclass(frozen=True, slots=True)
class ShardAnswer:
    """Of one shard."""

    shard_id: str
    refs: tuple[GroupRef, ...]
    semantic: Mapping[Kind, ShardSemantic]
    keyword: Mapping[Kind, CountedRead]
    fences: dict[str, Fence]
    """Of the groups that the shard owns by every read of the answer."""

    @property
    def group_ids(self) -> list[str]:
        return [ref.group_id for ref in self.refs]

    @property
    def place(self) -> tuple[str, tuple[GroupRef, ...]]:
        """The same in both steps."""
        return self.shard_id, self.refs

    @property
    def owned(self) -> bool:
        return self.fences.keys() >= set(self.group_ids)


async def first_step(
    shard_id: str,
    refs: tuple[GroupRef, ...],
    queries: Sequence[CandidateQuery],
    slots: SlotDirectory,
    deadline: Deadline,
    turns: Turns,
    driver: ShardDriver,
) -> ShardAnswer:
    scan_all = NoSlots()
    semantic = {
        query.kind: semantic_of_shard(
            driver,
            refs,
            _semantic_query(query, query.vector),
            scan_all if query.exact else slots,
            deadline,
        )
        for query in queries
        if query.vector is not None
    }
    keyword = {
        query.kind: _first_keyword(driver, refs, query, deadline, turns) for query in queries if query.terms
    }
    semantic_reads, keyword_reads, fences = await asyncio.gather(
        asyncio.gather(*semantic.values()),
        asyncio.gather(*keyword.values()),
        _fences_if_alone(driver, refs, deadline, alone=not semantic and not keyword),
    )
    reads = [read.fences for read in (*semantic_reads, *keyword_reads)] or [fences]
    return ShardAnswer(
        shard_id=shard_id,
        refs=refs,
        semantic=dict(zip(semantic, semantic_reads, strict=True)),
        keyword=dict(zip(keyword, keyword_reads, strict=True)),
        # A group counts only if every read of it found it owned: a later one may have seen it move.
        fences=_owned_by_all(refs, reads),
    )


async def _counted(
    driver: ShardDriver,
    refs: Sequence[GroupRef],
    query: KeywordQuery,
    terms: Mapping[str, int],
    deadline: Deadline,
    turns: Turns,
) -> CountedRead:
    return await turns.run(counted(await driver.keyword(refs, query, deadline), terms))


async def _first_keyword(
    driver: ShardDriver, refs: Sequence[GroupRef], query: CandidateQuery, deadline: Deadline, turns: Turns
) -> CountedRead:
    """All rows that match, or the step that a ranking of the best of them begins with."""
    asked = MatchingQuery(query.kind, tuple(query.terms), query.filter, rows_max=MATCHING_ROWS_MAX)
    read = await driver.matching(refs, asked, deadline)
    if read.rows is not None:
        return await turns.run(counted_matching(read.rows, read.fences, query.terms))
    return await _counted(driver, refs, _keyword_query(query), query.terms, deadline, turns)


async def _next_step_of(
    asked: Sequence[tuple[ShardAnswer, Mapping[Kind, KeywordQuery]]],
    terms: Mapping[Kind, Mapping[str, int]],
    deadline: Deadline,
    turns: Turns,
    driver: ShardDriver,
) -> list[ShardAnswer]:
    """A shard has two answers if groups moved to it between them."""
    answers: list[ShardAnswer] = []
    for answer, queries in asked:
        reads = await asyncio.gather(
            *(
                _counted(driver, answer.refs, query, terms[kind], deadline, turns)
                for kind, query in queries.items()
            )
        )
        found = {kind: _joined(answer.keyword[kind], read) for kind, read in zip(queries, reads, strict=True)}
        fences = _owned_by_all(answer.refs, [answer.fences, *(read.fences for read in reads)])
        answers.append(replace(answer, keyword={**answer.keyword, **found}, fences=fences))
    return answers


def _joined(first: CountedRead, second: CountedRead) -> CountedRead:
    """Where the step was cut, the engine's best of both; a row may be there twice."""
    rows = second.rows if second.complete else (*first.rows, *second.rows)
    return replace(second, rows=rows, document_frequency=first.document_frequency)


def keyword_calls(
    queries: Sequence[CandidateQuery],
    answers: Sequence[ShardAnswer],
    rows_max: int,
    deadline: Deadline,
    turns: Turns,
) -> tuple[list[ShardAnswer], dict[str, ShardCall[list[ShardAnswer]]]]:
    """The answers that are whole, and what to ask of the shards of the others."""
    kept: list[ShardAnswer] = []
    asked: dict[str, list[tuple[ShardAnswer, Mapping[Kind, KeywordQuery]]]] = defaultdict(list)
    needed = {
        query.kind: _all_that_count(query, answers, rows_max)
        for query in queries
        if any(query.kind in a.keyword and not a.keyword[query.kind].complete for a in answers)
    }
    for answer in answers:
        of_answer = {
            kind: query
            for kind, query in needed.items()
            if kind in answer.keyword and not answer.keyword[kind].complete
        }
        if of_answer:
            asked[answer.shard_id].append((answer, of_answer))
        else:
            kept.append(answer)
    terms = {query.kind: query.terms for query in queries}
    return kept, {
        shard: partial(_next_step_of, some, terms, deadline, turns) for shard, some in asked.items()
    }


def _all_that_count(query: CandidateQuery, answers: Sequence[ShardAnswer], rows_max: int) -> KeywordQuery:
    """All rows that can be among the best `window`."""
    groups = {group_id for answer in answers for group_id in answer.group_ids}
    ranked = ranked_keyword(query, answers, groups)
    threshold = ranked[query.window - 1].score if len(ranked) >= query.window else 0.0
    bounds = bm25.bounds(query.terms, _corpus(query.kind, answers))
    clauses = clauses_above(bounds, threshold)
    return replace(_keyword_query(query), limit=rows_max, clauses=clauses)


def ranked_keyword(
    query: CandidateQuery, answers: Sequence[ShardAnswer], group_ids: Container[str]
) -> list[ScoredRow]:
    """The best `window` keyword candidates of these groups, by the BM25 of the whole scope."""
    rows = [_of_groups(rows, group_ids) for rows in _keyword_rows(query, answers)]
    return bm25.best_of(rows, query.terms, _corpus(query.kind, answers), query.window)


def _of_groups(rows: CountedRows, group_ids: Container[str]) -> CountedRows:
    wanted = np.fromiter((group_id in group_ids for group_id in rows.groups), np.bool_, len(rows.groups))
    return rows if wanted.all() else rows.within(wanted[rows.group_of])


def explained_keyword(
    query: CandidateQuery, answers: Sequence[ShardAnswer], ranked: Sequence[ScoredRow]
) -> KeywordBasis | None:
    """What the scores of ranked_keyword were computed from, of these rows of it."""
    if not (query.explain and query.terms):
        return None
    keys = {row.key for row in ranked}
    return keyword_basis(query.terms, _corpus(query.kind, answers), _keyword_rows(query, answers), keys)


def _keyword_rows(query: CandidateQuery, answers: Sequence[ShardAnswer]) -> Iterator[CountedRows]:
    return (rows for a in answers if query.kind in a.keyword for rows in a.keyword[query.kind].rows)


def _corpus(kind: Kind, answers: Sequence[ShardAnswer]) -> bm25.CorpusStats:
    """N and lengths from the fences of the searched groups, document frequencies from the shards."""
    counts = [fence.stats[kind] for answer in answers for fence in answer.fences.values()]
    return bm25.merge_stats(
        [
            bm25.CorpusStats(sum(c.rows for c in counts), sum(c.terms for c in counts), {}),
            *(
                bm25.CorpusStats(0, 0, a.keyword[kind].document_frequency)
                for a in answers
                if kind in a.keyword
            ),
        ]
    )


def _semantic_query(query: CandidateQuery, vector: Vector) -> SemanticQuery:
    return SemanticQuery(query.kind, vector, query.window + TIE_SLACK, query.score_min, query.filter)


def _keyword_query(query: CandidateQuery) -> KeywordQuery:
    limit = max(query.window, FIRST_KEYWORD_ROWS_MIN)
    return KeywordQuery(query.kind, tuple(query.terms), limit, query.filter, chars_max=KEYWORD_CHARS_MAX)


async def _fences_if_alone(
    driver: ShardDriver, refs: Sequence[GroupRef], deadline: Deadline, *, alone: bool
) -> Mapping[str, Fence]:
    return await driver.read_fences(refs, deadline) if alone else {}


def _owned_by_all(refs: Sequence[GroupRef], reads: Sequence[Mapping[str, Fence]]) -> dict[str, Fence]:
    """The last fences of the groups that every read found owned."""
    return {
        ref.group_id: reads[-1][ref.group_id]
        for ref in refs
        if all(owned_throughout(ref, read.get(ref.group_id)) for read in reads)
    }

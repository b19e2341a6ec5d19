"""Runs candidate queries on every shard of a scope and merges each method over all shards.

A group that moved while it was read is found by its fence (which a read returns last) and asked again
where it is now; the answer never mixes two places of one group.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from drivers.deadline import Deadline
from drivers.fence import Fence
from drivers.filters import NO_FILTER, RowFilter
from drivers.graph_model import AnyRow, Kind, Vector
from drivers.reads import RowsRead
from drivers.row_key import RowKey
from drivers.search_reads import ExpandedEdge, ExpandQuery, ExpandRead, ScoredRow
from shard_router.candidates import (
    KEYWORD_ROWS_MAX,
    CandidateQuery,
    Candidates,
    ShardAnswer,
    explained_keyword,
    first_step,
    keyword_calls,
    ranked_keyword,
)
from shard_router.expansion import Expansion
from shard_router.fan_out import ShardCall
from shard_router.fusion import merge_method
from shard_router.near_ties import exact_cosine, near_ties, settled
from shard_router.router import Router
from shard_router.search_scope import SearchScope
from shard_router.shard_reads import ROUNDS_MAX, ShardReads, in_time, unsettled
from shard_router.slot_search import NoSlots, SlotDirectory
from shard_router.turns import Turns

__all__ = ["CandidateQuery", "Candidates", "Scatter", "SearchScope"]


class Scatter:
    def __init__(self, router: Router, slots: SlotDirectory | None = None) -> None:
        """`slots` None: everything is scanned."""
        self._reads = ShardReads(router)
        self._turns = Turns()
        self._slots = slots or NoSlots()

    async def candidates(
        self, scope: SearchScope, queries: Sequence[CandidateQuery], deadline: Deadline
    ) -> Mapping[Kind, Candidates]:
        """Every query on every shard, in parallel. Fills the scope's fences, shards and outcomes.

        Raises the first shard's error; with a policy CoverageTooLow if too few groups answered.
        """
        soon = in_time(scope, deadline)
        first: list[ShardAnswer] = []
        whole: list[ShardAnswer] = []
        left: list[tuple[str, str]] = []
        pending = scope.located.refs
        for _ in range(ROUNDS_MAX):
            calls = {
                s: partial(first_step, s, tuple(refs), queries, self._slots, soon, self._turns)
                for s, refs in pending.items()
            }
            asked = {shard: [ref.group_id for ref in refs] for shard, refs in pending.items()}
            first += (await self._reads.on_shards(scope, calls, asked, soon)).values()
            found = first
            if all(answer.owned for answer in first):
                found = await self._further_steps(scope, queries, first, soon)
            whole = [answer for answer in found if answer.owned]
            # Rows that a move left behind are in the frequencies of the whole answer: ask all of it anew.
            left = [(a.shard_id, g) for a in found if not a.owned for g in a.group_ids]
            kept = {answer.place for answer in whole}
            first = [answer for answer in first if answer.place in kept]
            if not left:
                break
            pending = await self._reads.moved_to(scope, left, soon)
        unsettled(scope, left)
        for answer in whole:
            scope.answered(answer.shard_id, answer.fences)
            self._slots.note(answer.shard_id, answer.fences.values())
        scope.settle()
        return await self._merge(scope, queries, whole, deadline)

    async def _further_steps(
        self,
        scope: SearchScope,
        queries: Sequence[CandidateQuery],
        first: Sequence[ShardAnswer],
        deadline: Deadline,
    ) -> Sequence[ShardAnswer]:
        """The answers with all keyword rows that can be among the best. Begun anew without a shard that
        fails meanwhile: its rows have told what must be scored at least."""
        answers = first
        steps = iter(KEYWORD_ROWS_MAX)
        while (rows_max := next(steps, None)) is not None:
            kept, calls = keyword_calls(queries, answers, rows_max, deadline, self._turns)
            asked = {s: [g for a in answers if a.shard_id == s for g in a.group_ids] for s in calls}
            read = await self._reads.on_shards(scope, calls, asked, deadline)
            if len(read) == len(calls):
                answers = kept + [answer for some in read.values() for answer in some]
            else:
                answers = first = [a for a in first if a.shard_id in read or a.shard_id not in calls]
                steps = iter(KEYWORD_ROWS_MAX)
        return answers

    async def expand(
        self,
        scope: SearchScope,
        entities: Mapping[str, Sequence[str]],
        along: Kind,
        per_entity_max: int,
        deadline: Deadline,
        filter: RowFilter = NO_FILTER,  # noqa: A002
        origin: Kind = Kind.ENTITY,
        far_filter: RowFilter = NO_FILTER,
    ) -> Expansion:
        """Edges of the given nodes (by group_id); those of groups that moved since, from where they are.
        `filter` is of the edges, `far_filter` of the nodes that they lead to."""
        soon = in_time(scope, deadline)

        def ask(group_ids: Sequence[str]) -> ShardCall[ExpandRead]:
            asked = [
                ExpandQuery(
                    group_id=group_id,
                    space=scope.ref(group_id).space,
                    entities=tuple(entities[group_id]),
                    along=along,
                    edges_per_entity_max=per_entity_max,
                    filter=filter,
                    origin=origin,
                    far_filter=far_filter,
                )
                for group_id in group_ids
            ]
            return lambda driver: driver.expand(asked, soon)

        found: dict[str, tuple[ExpandedEdge, ...]] = {}
        cut = False
        async for owned, read in self._reads.owned(scope, entities, ask, lambda read: read.fences, soon):
            found |= {group_id: read.edges.get(group_id, ()) for group_id in owned}
            cut |= not read.cut.isdisjoint(owned)
        return Expansion(found, cut)

    async def rows(
        self, scope: SearchScope, kind: Kind, keys: Iterable[RowKey], with_vectors: bool, deadline: Deadline
    ) -> Mapping[RowKey, AnyRow]:
        """The rows themselves; one that was deleted since is left out."""
        wanted: dict[str, list[str]] = defaultdict(list)
        for key in keys:
            wanted[key.group_id].append(key.uuid)
        soon = in_time(scope, deadline)

        def ask(group_ids: Sequence[str]) -> ShardCall[Mapping[str, RowsRead]]:
            refs = {scope.ref(group_id): wanted[group_id] for group_id in group_ids}
            return lambda driver: driver.fetch_rows(kind, refs, with_vectors, soon)

        def fences(read: Mapping[str, RowsRead]) -> Mapping[str, Fence | None]:
            return {group_id: rows_read.fence for group_id, rows_read in read.items()}

        found: dict[RowKey, AnyRow] = {}
        async for owned, read in self._reads.owned(scope, wanted, ask, fences, soon):
            found |= {RowKey(g, row.uuid): row for g in owned for row in read[g].rows}
        return found

    # --- parts ------------------------------------------------------------------------------------

    async def _merge(
        self,
        scope: SearchScope,
        queries: Sequence[CandidateQuery],
        answers: Sequence[ShardAnswer],
        deadline: Deadline,
    ) -> Mapping[Kind, Candidates]:
        merged: dict[Kind, Candidates] = {}
        for query in queries:
            reads = [answer.semantic[query.kind] for answer in answers if query.kind in answer.semantic]
            hits = [hit for read in reads for hit in read.hits]
            exact = await self._exact_scores(scope, query, hits, deadline)
            # Its shard may have been lost over the exact scores.
            there = [hit for hit in settled(hits, exact) if hit.key.group_id in scope.fences]
            keyword = ranked_keyword(query, answers, scope.fences)
            merged[query.kind] = Candidates(
                semantic=tuple(merge_method([there], query.window)) if there else (),
                by_index=frozenset(g for read in reads for g in read.by_index if g in scope.fences),
                keyword=tuple(keyword),
                keyword_exact=all(a.keyword[query.kind].complete for a in answers if query.kind in a.keyword),
                keyword_basis=explained_keyword(query, answers, keyword),
            )
        return merged

    async def _exact_scores(
        self, scope: SearchScope, query: CandidateQuery, hits: Sequence[ScoredRow], deadline: Deadline
    ) -> Mapping[RowKey, float]:
        disputed = near_ties(hits, query.window)
        if not disputed or query.vector is None:
            return {}
        rows = await self.rows(scope, query.kind, disputed, with_vectors=True, deadline=deadline)
        scores: dict[RowKey, float] = {}
        for key, row in rows.items():
            vector: Vector | None = getattr(row, "embedding", None)
            if vector is not None and vector.shape == query.vector.shape:
                scores[key] = exact_cosine(query.vector, vector)
        return scores

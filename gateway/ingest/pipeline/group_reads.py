"""What ingestion reads of one group: rows by name, by search and by endpoints, never the whole group.

Every read goes to the shard that owns the group at that moment. The version that begin() found bounds them:
a write that names it is refused if anything in the group has changed since.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.fence import Fence
from drivers.filters import RowFilter
from drivers.graph_model import AnyRow, Kind, Vector
from drivers.reads import ROWS_PER_READ_MAX, Anchor, ListCursor, ListOrder, ListQuery
from drivers.search_reads import (
    ExpandQuery,
    ExpandRead,
    KeywordHit,
    KeywordQuery,
    NearestQuery,
    TermClause,
)
from drivers.write_plan import ImageRequest, Images, OpRecord
from shard_router.candidates import CandidateQuery
from shard_router.errors import StalePlacement
from shard_router.placement import Placement
from shard_router.router import Router
from shard_router.scatter import Scatter
from shard_router.search_scope import SearchScope

NEAREST_ROWS_MAX = 4_000
"""Above, a group's vectors have an index of their own, and the engine asks that once for each vector."""
VECTORS_PER_READ_MAX = 16
"""A read of 4,000 rows by so many holds a thread of FalkorDB for about 40 ms."""
NEAR_AT_ONCE_MAX = 8
"""Searches of one unit by single vectors."""


@dataclass(frozen=True, slots=True)
class GroupView:
    """The group as it was before it was read. A group that does not exist has version 0 and nothing in it."""

    version: int = 0
    fence: Fence | None = None
    operation: OpRecord | None = None
    """Of the write that is to be made, if it was made before."""

    def rows(self, kind: Kind) -> int:
        stats = None if self.fence is None else self.fence.stats.get(kind)
        return 0 if stats is None else stats.rows

    def comparable(self, kind: Kind, model: str) -> bool:
        """Whether its vectors of the kind are of this model."""
        spec = None if self.fence is None else self.fence.embeddings.get(kind)
        return spec is not None and spec.model == model


@dataclass(frozen=True, slots=True)
class Expanded:
    edges: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """By uuid: its ends."""
    cut: bool = False
    """A bound left edges out."""


class GroupReads:
    def __init__(self, router: Router, scatter: Scatter, group_id: str, deadline: Deadline) -> None:
        self.group_id = group_id
        self._router = router
        self._scatter = scatter
        self._deadline = deadline

    async def begin(self, op_id: str) -> GroupView:
        placement = await self._router.find(self.group_id, self._deadline)
        if placement is None:
            return GroupView()
        request = ImageRequest(op_id, {}, {}, {})

        async def read(driver: ShardDriver, placement: Placement) -> Images:
            return await driver.read_images(placement.ref, request, self._deadline)

        images = await self._owned(read, lambda images: images.fence)
        return GroupView(images.fence.version if images.fence else 0, images.fence, images.operation)

    async def rows(
        self, kind: Kind, uuids: Iterable[str], *, with_vectors: bool = False
    ) -> Mapping[str, AnyRow]:
        """By uuid; those that exist."""
        wanted = list(dict.fromkeys(uuids))
        found: dict[str, AnyRow] = {}
        for start in range(0, len(wanted), ROWS_PER_READ_MAX):
            part = wanted[start : start + ROWS_PER_READ_MAX]
            read = await self._owned(
                lambda driver, placement, part=part: driver.get_rows(
                    placement.ref, kind, part, with_vectors, self._deadline
                ),
                lambda read: read.fence,
            )
            found |= {row.uuid: row for row in read.rows}
        return found

    async def newest(self, kind: Kind, limit: int, anchor: Anchor | None = None) -> Sequence[AnyRow]:
        query = ListQuery(kind, limit, ListOrder.NEWEST, anchor=anchor)
        read = await self._owned(
            lambda driver, placement: driver.list_rows(placement.ref, query, self._deadline),
            lambda read: read.fence,
        )
        return read.rows

    async def made_at(self, kind: Kind, created_at: int) -> Sequence[AnyRow]:
        """Rows of the write of that time, at most ROWS_PER_READ_MAX, by uuid."""
        # No uuid is as small as the empty one.
        query = ListQuery(kind, ROWS_PER_READ_MAX, ListOrder.NEWEST, after=ListCursor("", created_at))
        read = await self._owned(
            lambda driver, placement: driver.list_rows(placement.ref, query, self._deadline),
            lambda read: read.fence,
        )
        return [row for row in read.rows if row.created_at == created_at]

    async def all_of(
        self, kind: Kind, anchor: Anchor, rows_max: int, *, closed_by_facts: tuple[str, ...] | None = None
    ) -> Sequence[AnyRow]:
        """Every edge that hangs on the node, up to rows_max + 1. `closed_by_facts`: as of ListQuery."""
        found: list[AnyRow] = []
        after: ListCursor | None = None
        while len(found) <= rows_max:
            query = ListQuery(
                kind,
                min(ROWS_PER_READ_MAX, rows_max + 1),
                after=after,
                anchor=anchor,
                closed_by_facts=closed_by_facts,
            )
            read = await self._owned(
                lambda driver, placement, query=query: driver.list_rows(placement.ref, query, self._deadline),
                lambda read: read.fence,
            )
            found += read.rows
            if len(read.rows) < query.limit:
                break
            after = ListCursor(read.rows[-1].uuid)
        return found

    async def with_terms(self, kind: Kind, clauses: Sequence[TermClause], limit: int) -> Sequence[KeywordHit]:
        """Rows that satisfy one of the clauses, best by the engine's ranking."""
        terms = tuple(dict.fromkeys(term for one in clauses for term in (one.term, *one.others)))
        query = KeywordQuery(kind, terms, limit, clauses=tuple(clauses))
        read = await self._owned(
            lambda driver, placement: driver.keyword([placement.ref], query, self._deadline),
            lambda read: read.fences.get(self.group_id),
        )
        return read.hits

    async def near(
        self,
        view: GroupView,
        kind: Kind,
        vectors: Sequence[Vector],
        limit: int,
        score_min: float,
        filters: Sequence[RowFilter] | None = None,
    ) -> Sequence[str]:
        """uuids of the rows that are nearest to any of the vectors, `limit` for each; `filters`: one for each
        vector. A large group is asked through its own index if it has one; all rows of a small one are passed
        over in few calls, unless there are filters."""
        if filters is None and view.rows(kind) <= NEAREST_ROWS_MAX:
            return await self._over_all_rows(kind, vectors, limit, score_min)
        share = max(1, -(-len(vectors) // NEAR_AT_ONCE_MAX))
        asked = list(zip(vectors, filters or [RowFilter()] * len(vectors), strict=True))
        found = await asyncio.gather(
            *(self._one_by_one(kind, part, limit, score_min) for part in batched(asked, share))
        )
        return list(dict.fromkeys(uuid for part in found for uuid in part))

    async def _one_by_one(
        self, kind: Kind, asked: Iterable[tuple[Vector, RowFilter]], limit: int, score_min: float
    ) -> Sequence[str]:
        located = await self._router.locate([self.group_id], self._deadline)
        found: list[str] = []
        for vector, narrowed in asked:
            query = CandidateQuery(kind, limit, vector=vector, score_min=score_min, filter=narrowed)
            candidates = await self._scatter.candidates(SearchScope(located), [query], self._deadline)
            found += [hit.key.uuid for hit in candidates[kind].semantic]
        return found

    async def _over_all_rows(
        self, kind: Kind, vectors: Sequence[Vector], limit: int, score_min: float
    ) -> Sequence[str]:
        found: dict[str, None] = {}
        for part in batched(vectors, VECTORS_PER_READ_MAX):
            query = NearestQuery(kind, part, limit, score_min)
            read = await self._owned(
                lambda driver, placement, query=query: driver.nearest(placement.ref, query, self._deadline),
                lambda read: read.fence,
            )
            found |= dict.fromkeys(hit.key.uuid for hits in read.hits for hit in hits)
        return list(found)

    async def edges_of(self, uuids: Sequence[str], per_entity_max: int, edges_max: int) -> Expanded:
        """Facts of these entities, newest first."""
        if not uuids:
            return Expanded()

        async def read(driver: ShardDriver, placement: Placement) -> ExpandRead:
            query = ExpandQuery(
                self.group_id,
                placement.space,
                tuple(uuids),
                Kind.FACT,
                per_entity_max,
                edges_max=edges_max,
            )
            return await driver.expand([query], self._deadline)

        answer = await self._owned(read, lambda read: read.fences.get(self.group_id))
        edges = answer.edges.get(self.group_id, ())
        return Expanded(
            {one.uuid: (one.source_uuid, one.target_uuid) for one in edges}, self.group_id in answer.cut
        )

    async def _owned[T](
        self,
        call: Callable[[ShardDriver, Placement], Awaitable[T]],
        fence_of: Callable[[T], Fence | None],
    ) -> T:
        async def read(driver: ShardDriver, placement: Placement) -> T:
            answer = await call(driver, placement)
            fence = fence_of(answer)
            if fence is None or not fence.owns:
                raise StalePlacement(fence)
            return answer

        return await self._router.on_owner(self.group_id, self._deadline, read, create=False, writes=False)

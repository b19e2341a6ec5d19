"""The driver contract as plain dictionaries: the executable specification that real engines are held to.

Every method has exactly one point at which it waits, `step`, before it looks at or changes
anything; what follows is one uninterrupted block, so that each call is atomic by construction. A
test overrides `step` to interleave calls, to delay them or to raise a fault in them.

What the contract leaves to the engine is chosen here in the simplest way and not to be relied on:
the ranking of keyword candidates, and where `changes` cuts within its limit.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from unicodedata import category

from drivers.contract import SchemaItem, SchemaReport
from drivers.deadline import Deadline
from drivers.errors import RegisterClosed, RowLimitExceeded
from drivers.fence import POOLED, SCHEMA_VERSION, Engine, Fence, GroupRef, ShardMarker
from drivers.fence_changes import FenceChange, Value
from drivers.fence_codec import encode_root
from drivers.filters import NO_FILTER, matches
from drivers.graph_model import OPEN_END, AnyRow, Community, Entity, Episode, Fact, Kind
from drivers.keyword_cut import cut_to_chars
from drivers.moving import Changed, CopyCursor, GroupChanges, GroupPage, Intake, PageAhead, Settlement
from drivers.path_search import shortest_paths
from drivers.reads import Changes, ListOrder, ListQuery, RowsRead, Tombstone, VersionsRead
from drivers.register_gate import RegisterGate
from drivers.row_codec import kind_of, term_count_of
from drivers.row_key import RowKey
from drivers.search_reads import (
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
    PathQuery,
    PathsRead,
    ScoredRow,
    SemanticQuery,
    SemanticRead,
    TermClause,
    ValidityRead,
)
from drivers.vector_slots import SlotBacklog, SlotRead, VectorSlot
from drivers.write_plan import ROWS_PER_WRITE_MAX, ImageRequest, Images, IncidentEdge, WriteOutcome, WritePlan
from tests import model_moving as moving
from tests.model_group import (
    AnyEdge,
    GroupState,
    apply_plan,
    cosine,
    ends,
    every_kind,
    incident,
    read,
    vector_of,
)
from tests.model_slots import FILL_ROWS, ModelSlots

SCHEMA_ITEMS = tuple(f"range:{kind}(pk)" for kind in Kind)


class ModelDriver:
    """drivers.contract.ShardDriver in memory. `groups` is its whole state, by (space, group_id)."""

    def __init__(self, shard_id: str, engine: Engine = Engine.FALKORDB) -> None:
        self._shard_id = shard_id
        self._engine = engine
        self.groups: dict[tuple[str, str], GroupState] = {}
        self.marker: ShardMarker | None = None
        self.settings: ShardMarker | None = None
        """What use_marker was told."""
        self.gate = RegisterGate()
        self.clock_ahead_us = 0
        """Of the true time."""
        self.has_schema = False
        self.spaces: set[str] = set()
        """Made by ensure_space or with a fence."""
        self._slots = ModelSlots()

    async def step(self, name: str) -> None:
        """The one await point of the method `name`; a test overrides it."""

    # --- the shard --------------------------------------------------------------------------------

    @property
    def shard_id(self) -> str:
        return self._shard_id

    @property
    def engine(self) -> Engine:
        return self._engine

    @property
    def write_weight_max(self) -> int:
        return 0

    async def open(self) -> None:
        await self.step("open")

    async def close(self) -> None:
        await self.step("close")

    async def ping(self, deadline: Deadline) -> None:
        await self._begin("ping", deadline)

    async def read_marker(self, deadline: Deadline) -> ShardMarker | None:
        await self._begin("read_marker", deadline)
        return self.marker

    async def create_marker(self, marker: ShardMarker, deadline: Deadline) -> ShardMarker:
        await self._begin("create_marker", deadline)
        self.marker = self.marker or marker
        return self.marker

    async def advance_beat(self, seen: int, beat: int, deadline: Deadline) -> int:
        await self._begin("advance_beat", deadline)
        if self.marker is None:
            return 0
        if self.marker.beat == seen:
            self.marker = replace(self.marker, beat=beat)
        return self.marker.beat

    async def change_marker(
        self, seen: ShardMarker, after: ShardMarker, deadline: Deadline
    ) -> ShardMarker | None:
        await self._begin("change_marker", deadline)
        if self.marker is not None and encode_root(self.marker) == encode_root(seen):
            self.marker = replace(
                self.marker,
                root_version=after.root_version,
                root_ring=after.root_ring,
                pending_version=after.pending_version,
                pending_ring=after.pending_ring,
                removed=after.removed,
            )
        return self.marker

    async def clock_us(self, deadline: Deadline) -> int:
        await self._begin("clock_us", deadline)
        return time.time_ns() // 1_000 + self.clock_ahead_us

    def use_marker(self, marker: ShardMarker) -> None:
        self.settings = marker

    async def ensure_schema(self, deadline: Deadline) -> None:
        await self._begin("ensure_schema", deadline)
        self.has_schema = True

    async def describe_schema(self, deadline: Deadline) -> SchemaReport:
        await self._begin("describe_schema", deadline)
        state = "READY" if self.has_schema else "MISSING"
        items = tuple(SchemaItem(name, "", state) for name in SCHEMA_ITEMS)
        return SchemaReport(self._engine, f"model {SCHEMA_VERSION}", items)

    async def drop_schema(self, deadline: Deadline) -> None:
        await self._begin("drop_schema", deadline)
        self.has_schema = False

    # --- fences -----------------------------------------------------------------------------------

    async def read_gate(self, deadline: Deadline) -> RegisterGate:
        await self._begin("read_gate", deadline)
        return self.gate

    async def raise_gate(self, gate: RegisterGate, deadline: Deadline) -> None:
        await self._begin("raise_gate", deadline)
        self.gate = self.gate.raised(gate)

    async def create_fence(
        self, fence: Fence, deadline: Deadline, roots: Collection[int] = frozenset()
    ) -> Fence:
        await self._begin("create_fence", deadline)
        there = self._group(GroupRef(fence.group_id, fence.space)).fence
        if there is None and not self.gate.lets(roots):
            raise RegisterClosed(self._shard_id, fence.group_id)
        group = self._made(GroupRef(fence.group_id, fence.space))
        group.fence = group.fence or replace(fence, stats=every_kind(fence.stats))
        return group.fence

    async def read_fences(
        self, refs: Sequence[GroupRef], deadline: Deadline, *, settled: bool = False
    ) -> Mapping[str, Fence]:
        await self._begin("read_fences", deadline)
        return self._fences(refs)

    async def list_fences(self, after: str, limit: int, deadline: Deadline) -> Sequence[Fence]:
        await self._begin("list_fences", deadline)
        owning = [g.fence for g in self.groups.values() if g.fence is not None and g.fence.owns]
        return sorted((f for f in owning if f.group_id > after), key=lambda f: f.group_id)[:limit]

    async def list_all_fences(self, after: str, limit: int, deadline: Deadline) -> Sequence[Fence]:
        await self._begin("list_all_fences", deadline)
        every = [g.fence for g in self.groups.values() if g.fence is not None and g.fence.group_id > after]
        every.sort(key=lambda fence: (fence.group_id, fence.space))
        last = every[min(limit, len(every)) - 1].group_id if every else ""
        return [fence for fence in every if fence.group_id <= last]

    # --- writing ----------------------------------------------------------------------------------

    async def read_images(self, ref: GroupRef, request: ImageRequest, deadline: Deadline) -> Images:
        await self._begin("read_images", deadline)
        group = self._group(ref)
        cascade = [
            IncidentEdge(kind_of(edge), edge.uuid, edge.source_uuid, edge.target_uuid, term_count_of(edge))
            for edge in incident(
                group, {(kind, uuid) for kind, uuids in request.cascades.items() for uuid in uuids}
            )
        ]
        if len(cascade) > ROWS_PER_WRITE_MAX:
            raise RowLimitExceeded(self._shard_id, "the deletion with its edges", ROWS_PER_WRITE_MAX)
        return Images(
            fence=group.fence,
            operation=group.operations.get(request.op_id),
            rows={
                (kind, uuid): group.rows[kind, uuid]
                for kind, uuids in request.rows.items()
                for uuid in uuids
                if (kind, uuid) in group.rows
            },
            endpoints={
                kind: frozenset(uuid for uuid in uuids if (kind, uuid) in group.rows)
                for kind, uuids in request.endpoints.items()
            },
            incident=tuple(cascade),
        )

    async def apply(self, ref: GroupRef, plan: WritePlan, deadline: Deadline) -> WriteOutcome:
        await self._begin("apply", deadline)
        return apply_plan(self._group(ref), plan)

    # --- reading ----------------------------------------------------------------------------------

    async def get_rows(
        self, ref: GroupRef, kind: Kind, uuids: Sequence[str], with_vectors: bool, deadline: Deadline
    ) -> RowsRead:
        await self._begin("get_rows", deadline)
        return self._get(ref, kind, uuids, with_vectors)

    async def fetch_rows(
        self, kind: Kind, wanted: Mapping[GroupRef, Sequence[str]], with_vectors: bool, deadline: Deadline
    ) -> Mapping[str, RowsRead]:
        await self._begin("fetch_rows", deadline)
        return {ref.group_id: self._get(ref, kind, uuids, with_vectors) for ref, uuids in wanted.items()}

    async def list_rows(self, ref: GroupRef, query: ListQuery, deadline: Deadline) -> RowsRead:
        await self._begin("list_rows", deadline)
        group = self._group(ref)
        page = self._listed(group, query)
        return RowsRead(
            tuple(read(group, query.kind, row.uuid, query.with_vectors) for row in page), group.fence
        )

    async def list_versions(self, ref: GroupRef, query: ListQuery, deadline: Deadline) -> VersionsRead:
        await self._begin("list_versions", deadline)
        group = self._group(ref)
        return VersionsRead({row.uuid: row.version for row in self._listed(group, query)}, group.fence)

    def _listed(self, group: GroupState, query: ListQuery) -> Sequence[AnyRow]:
        if query.anchor is None:
            rows = [row for (kind, _), row in group.rows.items() if kind == query.kind]
        elif query.kind is Kind.FACT and query.anchor.kind is Kind.EPISODE:
            facts = (row for row in group.rows.values() if isinstance(row, Fact))
            rows = [fact for fact in facts if _told_or_closed(fact, query.anchor.uuid, query.closed_by_facts)]
        else:
            hanging = incident(group, {(query.anchor.kind, query.anchor.uuid)})
            ends = {query.anchor.uuid, query.other_uuid or query.anchor.uuid}
            rows = [
                edge
                for edge in hanging
                if kind_of(edge) == query.kind
                and (not query.other_uuid or {edge.source_uuid, edge.target_uuid} == ends)
            ]

        def place(uuid: str, created_at: int) -> tuple[int, str]:
            return (-created_at if query.order is ListOrder.NEWEST else 0, uuid)

        if query.after is not None:
            after = place(query.after.uuid, query.after.created_at)
            rows = [row for row in rows if place(row.uuid, row.created_at) > after]
        if query.up_to_version is not None:
            rows = [row for row in rows if row.version <= query.up_to_version]
        rows.sort(key=lambda row: place(row.uuid, row.created_at))
        return rows[: query.limit]

    async def changes(self, ref: GroupRef, after_version: int, limit: int, deadline: Deadline) -> Changes:
        await self._begin("changes", deadline)
        group = self._group(ref)
        if group.fence is None:
            return Changes((), (), after_version, None)
        rows = sorted((r.version, k, u) for (k, u), r in group.rows.items() if r.version > after_version)
        tombs = sorted((v, k, u) for (k, u), v in group.tombstones.items() if v > after_version)
        bound = moving.cut([version for version, _, _ in (*rows, *tombs)], limit, group.fence.version)
        return Changes(
            rows=tuple(read(group, kind, uuid, True) for v, kind, uuid in rows if v <= bound),
            tombstones=tuple(Tombstone(kind, uuid, v) for v, kind, uuid in tombs if v <= bound),
            bound=bound,
            fence=group.fence,
        )

    async def semantic(
        self, refs: Sequence[GroupRef], query: SemanticQuery, deadline: Deadline
    ) -> SemanticRead:
        await self._begin("semantic", deadline)
        hits: list[ScoredRow] = []
        for ref in dict.fromkeys(refs):
            group = self._group(ref)
            for kind, uuid in group.rows:
                vector = vector_of(group, kind, uuid)
                if kind != query.kind or vector is None or vector.shape != query.vector.shape:
                    continue
                if matches(group.rows[kind, uuid], query.filter):
                    hits.append(ScoredRow(RowKey(ref.group_id, uuid), cosine(vector, query.vector)))
        hits = sorted((h for h in hits if h.score >= query.score_min), key=lambda h: (-h.score, h.key))
        return SemanticRead(tuple(hits[: query.limit]), self._fences(refs))

    async def nearest(self, ref: GroupRef, query: NearestQuery, deadline: Deadline) -> NearestRead:
        reads = [await self.semantic([ref], one, deadline) for one in query.of_each()]
        return NearestRead(tuple(read.hits for read in reads), reads[0].fences.get(ref.group_id))

    async def keyword(self, refs: Sequence[GroupRef], query: KeywordQuery, deadline: Deadline) -> KeywordRead:
        await self._begin("keyword", deadline)
        clauses = query.clauses or tuple(map(TermClause, query.terms))
        _check_tokens([*query.terms, *(t for clause in clauses for t in (clause.term, *clause.others))])
        frequency = dict.fromkeys(() if query.clauses else query.terms, 0)
        hits: list[tuple[int, KeywordHit]] = []
        for ref in dict.fromkeys(refs):
            for (kind, uuid), row in self._group(ref).rows.items():
                if kind != query.kind or not isinstance(row, Entity | Episode | Community | Fact):
                    continue
                found = set(row.terms.split()) & set(query.terms)
                for term in found & frequency.keys():
                    frequency[term] += 1
                if any(satisfies(found, clause) for clause in clauses) and matches(row, query.filter):
                    hit = KeywordHit(RowKey(ref.group_id, uuid), row.terms, row.term_count)
                    hits.append((len(found), hit))
        hits.sort(key=lambda scored: (-scored[0], scored[1].key))
        best = cut_to_chars([hit for _, hit in hits[: query.limit]], query.chars_max)
        complete = len(hits) < query.limit and len(best) == len(hits)
        return KeywordRead(best, frequency, self._fences(refs), complete)

    async def matching(
        self, refs: Sequence[GroupRef], query: MatchingQuery, deadline: Deadline
    ) -> MatchingRead:
        await self._begin("matching", deadline)
        _check_tokens(query.terms)
        found = [
            (ref.group_id, uuid, row.term_count, row.terms, matches(row, query.filter))
            for ref in dict.fromkeys(refs)
            for (kind, uuid), row in self._group(ref).rows.items()
            if kind == query.kind and isinstance(row, Entity | Episode | Community | Fact)
            if not set(query.terms).isdisjoint(row.terms.split())
        ]
        if len(found) > query.rows_max or sum(row[2] for row in found) > query.tokens_max:
            return MatchingRead(None, self._fences(refs))
        groups, uuids, term_counts, terms, passing = zip(*found, strict=True) if found else ((),) * 5
        rows = MatchingRows(groups, uuids, term_counts, terms, passing if query.filter != NO_FILTER else None)
        return MatchingRead(rows, self._fences(refs))

    async def expand(self, queries: Sequence[ExpandQuery], deadline: Deadline) -> ExpandRead:
        await self._begin("expand", deadline)
        return self._expand(queries)

    async def paths(self, ref: GroupRef, query: PathQuery, deadline: Deadline) -> PathsRead:
        await self._begin("paths", deadline)

        async def hop(asked: ExpandQuery) -> ExpandRead:
            return self._expand([asked])

        return await shortest_paths(ref, query, hop)

    async def next_validity_change(
        self, refs: Sequence[GroupRef], after_us: int, deadline: Deadline
    ) -> ValidityRead:
        await self._begin("next_validity_change", deadline)
        changes: dict[str, int] = {}
        for ref in refs:
            facts = [row for row in self._group(ref).rows.values() if isinstance(row, Fact)]
            times = [at for fact in facts for at in (fact.valid_at, fact.invalid_at)]
            later = [at for at in times if after_us < at < OPEN_END]
            if later:
                changes[ref.group_id] = min(later)
        return ValidityRead(changes, self._fences(refs))

    def _expand(self, queries: Sequence[ExpandQuery]) -> ExpandRead:
        found: dict[str, dict[str, ExpandedEdge]] = {}
        cut: set[str] = set()
        for query in queries:
            group = self._group(GroupRef(query.group_id, query.space))
            edges = found.setdefault(query.group_id, {})
            for uuid in dict.fromkeys(query.entities):
                hanging = [
                    edge
                    for edge in incident(group, {(query.origin, uuid)})
                    if kind_of(edge) == query.along
                    and matches(edge, query.filter)
                    and matches(_far_node(group, edge, query.origin, uuid), query.far_filter)
                ]
                hanging.sort(key=lambda e: (-e.created_at, e.uuid))
                newest = hanging[: query.edges_per_entity_max]
                if len(newest) < len(hanging):
                    cut.add(query.group_id)
                for edge in newest:
                    if edge.uuid not in edges and len(edges) >= query.edges_max:
                        cut.add(query.group_id)
                        break
                    edges[edge.uuid] = ExpandedEdge(edge.uuid, edge.source_uuid, edge.target_uuid)
        return ExpandRead(
            {group_id: tuple(edges.values()) for group_id, edges in found.items()},
            self._fences([GroupRef(query.group_id, query.space) for query in queries]),
            frozenset(cut),
        )

    # --- vector slots -----------------------------------------------------------------------------

    @property
    def slot_fill_rows(self) -> int:
        return FILL_ROWS

    async def list_slots(self, deadline: Deadline) -> Sequence[VectorSlot]:
        await self._begin("list_slots", deadline)
        return self._slots.list()

    async def create_slot(self, slot: VectorSlot, deadline: Deadline) -> VectorSlot:
        await self._begin("create_slot", deadline)
        return self._slots.create(slot)

    async def slot_backlog(self, slot: VectorSlot, limit: int, deadline: Deadline) -> SlotBacklog:
        await self._begin("slot_backlog", deadline)
        return self._slots.backlog(self._group(slot.ref), slot, limit)

    async def fill_slot(self, slot: VectorSlot, uuids: Sequence[str], deadline: Deadline) -> None:
        await self._begin("fill_slot", deadline)
        self._slots.fill(self._group(slot.ref), slot, uuids)

    async def advance_slot(
        self, slot: VectorSlot, backlog: SlotBacklog, deadline: Deadline
    ) -> VectorSlot | None:
        await self._begin("advance_slot", deadline)
        return self._slots.advance(slot, backlog)

    async def drop_slot(self, slot: VectorSlot, deadline: Deadline) -> None:
        await self._begin("drop_slot", deadline)
        self._slots.drop(slot)

    async def semantic_in_slot(self, slot: VectorSlot, query: SemanticQuery, deadline: Deadline) -> SlotRead:
        await self._begin("semantic_in_slot", deadline)
        return self._slots.search(self._group(slot.ref), slot, query)

    # --- moving a group ---------------------------------------------------------------------------

    async def change_fence(
        self,
        ref: GroupRef,
        change: FenceChange,
        given: Mapping[str, Value],
        deadline: Deadline,
        settlement: Settlement | None = None,
    ) -> Changed:
        await self._begin("change_fence", deadline)
        group = self._made(ref) if change.creates else self._group(ref)
        return Changed(moving.changed(group, ref, change, given, settlement), group.fence)

    async def locked_fence(self, ref: GroupRef, deadline: Deadline) -> Fence | None:
        await self._begin("locked_fence", deadline)
        return self._group(ref).fence

    async def read_page(
        self,
        ref: GroupRef,
        cursor: CopyCursor,
        rows_max: int,
        deadline: Deadline,
        ahead: PageAhead | None = None,
    ) -> GroupPage:
        await self._begin("read_page", deadline)
        return moving.page(self._group(ref), cursor, rows_max, ahead)

    async def read_changes(
        self, ref: GroupRef, after_version: int, rows_max: int, deadline: Deadline, seen_version: int = 0
    ) -> GroupChanges:
        await self._begin("read_changes", deadline)
        return moving.changes(self._group(ref), after_version, rows_max)

    async def take_in(self, ref: GroupRef, intake: Intake, deadline: Deadline) -> Changed:
        await self._begin("take_in", deadline)
        return moving.take_in(self._group(ref), ref, intake, self._shard_id, self.write_weight_max)

    async def wipe(
        self, ref: GroupRef, token: int, move_id: str, rows_max: int, deadline: Deadline
    ) -> int | None:
        await self._begin("wipe", deadline)
        wiped = moving.wipe(self._group(ref), token, move_id, rows_max)
        if wiped is not None:
            self._slots.drop_all(ref)
        return wiped

    async def ensure_space(self, space: str, deadline: Deadline) -> None:
        await self._begin("ensure_space", deadline)
        if space != POOLED and self._engine is not Engine.NEO4J:
            self.spaces.add(space)

    async def drop_space(self, space: str, deadline: Deadline) -> bool:
        await self._begin("drop_space", deadline)
        inside = [address for address in self.groups if address[0] == space]
        if space not in self.spaces or not moving.is_left_over([self.groups[a] for a in inside]):
            return False
        self.spaces.remove(space)
        for address in inside:
            del self.groups[address]
        return True

    # --- parts ------------------------------------------------------------------------------------

    async def _begin(self, name: str, deadline: Deadline) -> None:
        deadline.check(name)
        await self.step(name)

    def _address(self, ref: GroupRef) -> tuple[str, str]:
        """Neo4j has one space, whatever a ref says."""
        return ("" if self._engine is Engine.NEO4J else ref.space, ref.group_id)

    def _made(self, ref: GroupRef) -> GroupState:
        """The group, and its space, made where they are not there."""
        space, _ = address = self._address(ref)
        if space != POOLED:
            self.spaces.add(space)
        return self.groups.setdefault(address, GroupState())

    def _group(self, ref: GroupRef) -> GroupState:
        """An unknown group reads as an empty one that is not kept."""
        return self.groups.get(self._address(ref)) or GroupState()

    def _get(self, ref: GroupRef, kind: Kind, uuids: Sequence[str], with_vectors: bool) -> RowsRead:
        group = self._group(ref)
        present = [uuid for uuid in dict.fromkeys(uuids) if (kind, uuid) in group.rows]
        return RowsRead(tuple(read(group, kind, uuid, with_vectors) for uuid in present), group.fence)

    def _fences(self, refs: Iterable[GroupRef]) -> dict[str, Fence]:
        found = ((ref.group_id, self._group(ref).fence) for ref in refs)
        return {group_id: fence for group_id, fence in found if fence is not None}


def _told_or_closed(fact: Fact, episode: str, closed_by_facts: tuple[str, ...] | None) -> bool:
    if closed_by_facts is None:
        return episode in fact.episodes
    return any(one.episode_uuid == episode or one.fact_uuid in closed_by_facts for one in fact.closures)


def satisfies(terms: set[str], clause: TermClause) -> bool:
    return clause.term in terms and (not clause.others or not terms.isdisjoint(clause.others))


def _far_node(group: GroupState, edge: AnyEdge, origin: Kind, uuid: str) -> AnyRow:
    """Where an edge of this node leads."""
    source, target = ends(edge)
    return group.rows[target if source == (origin, uuid) else source]


def _check_tokens(terms: Iterable[str]) -> None:
    for term in terms:
        if not term or any(category(char)[0] not in "LMN" for char in term):
            raise ValueError(f"{term!r} is no token of the analyser: letters, marks and digits only")

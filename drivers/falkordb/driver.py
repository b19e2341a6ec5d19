"""FalkorDBDriver: the contract, put together from this package's parts."""

from collections.abc import Collection, Mapping, Sequence

from drivers.contract import SchemaReport
from drivers.deadline import Deadline
from drivers.falkordb import fences, moving, queries, read, schema, search, slots, write
from drivers.falkordb.client import GraphClient
from drivers.falkordb.graphs import MARKER_GRAPH, graph_of, pooled_graphs
from drivers.falkordb.settings import FalkorDBSettings
from drivers.fence import POOLED, Engine, Fence, GroupRef, ShardMarker
from drivers.fence_changes import FenceChange, Value
from drivers.graph_model import Kind
from drivers.moving import Changed, CopyCursor, GroupChanges, GroupPage, Intake, PageAhead, Settlement
from drivers.path_search import shortest_paths
from drivers.reads import Changes, ListQuery, RowsRead, VersionsRead
from drivers.register_gate import RegisterGate
from drivers.search_reads import (
    ExpandQuery,
    ExpandRead,
    KeywordQuery,
    KeywordRead,
    MatchingQuery,
    MatchingRead,
    NearestQuery,
    NearestRead,
    PathQuery,
    PathsRead,
    SemanticQuery,
    SemanticRead,
    ValidityRead,
)
from drivers.vector_slots import SlotBacklog, SlotRead, VectorSlot
from drivers.write_plan import ImageRequest, Images, WriteOutcome, WritePlan


class FalkorDBDriver:
    """drivers.contract.ShardDriver. A pooled group lies in one of the marker's pool_graphs graphs, chosen by
    its name; every other space is a graph of its own, made with its indexes by create_fence, ensure_space and
    PREPARE."""

    def __init__(self, shard_id: str, settings: FalkorDBSettings) -> None:
        self._shard_id = shard_id
        self._client = GraphClient(shard_id, settings)
        self._marker: ShardMarker | None = None

    @property
    def shard_id(self) -> str:
        return self._shard_id

    @property
    def engine(self) -> Engine:
        return Engine.FALKORDB

    @property
    def write_weight_max(self) -> int:
        return write.WEIGHT_MAX

    async def open(self) -> None:
        """Nothing to do: connections are made when they are needed."""

    async def close(self) -> None:
        self._client.close()

    async def ping(self, deadline: Deadline) -> None:
        await self._client.read(MARKER_GRAPH, queries.PING, {}, deadline, "a ping")

    # --- the shard --------------------------------------------------------------------------------

    async def read_marker(self, deadline: Deadline) -> ShardMarker | None:
        return await fences.read_marker(self._client, deadline)

    async def create_marker(self, marker: ShardMarker, deadline: Deadline) -> ShardMarker:
        return await fences.create_marker(self._client, marker, deadline)

    async def advance_beat(self, seen: int, beat: int, deadline: Deadline) -> int:
        return await fences.advance_beat(self._client, seen, beat, deadline)

    async def change_marker(
        self, seen: ShardMarker, after: ShardMarker, deadline: Deadline
    ) -> ShardMarker | None:
        return await fences.change_marker(self._client, seen, after, deadline)

    async def clock_us(self, deadline: Deadline) -> int:
        return await fences.clock_us(self._client, deadline)

    def use_marker(self, marker: ShardMarker) -> None:
        self._marker = marker
        self._client.use_marker(marker)

    async def ensure_schema(self, deadline: Deadline) -> None:
        """Also in the spaces of single groups, which a newer gateway's schema has to reach too."""
        await schema.ensure(self._client, await self._graphs(deadline), deadline)

    async def describe_schema(self, deadline: Deadline) -> SchemaReport:
        return await schema.describe(self._client, await self._graphs(deadline), deadline)

    async def drop_schema(self, deadline: Deadline) -> None:
        await schema.drop(self._client, await self._graphs(deadline), deadline)

    # --- fences -----------------------------------------------------------------------------------

    async def read_gate(self, deadline: Deadline) -> RegisterGate:
        return await fences.read_gate(self._client, self._pool_graphs, deadline)

    async def raise_gate(self, gate: RegisterGate, deadline: Deadline) -> None:
        await fences.raise_gate(self._client, self._pool_graphs, gate, deadline)

    async def create_fence(
        self, fence: Fence, deadline: Deadline, roots: Collection[int] = frozenset()
    ) -> Fence:
        graph = self.graph_of(GroupRef(fence.group_id, fence.space))
        if fence.space != POOLED:
            await schema.ensure(self._client, (graph,), deadline)
        return await fences.create_fence(self._client, graph, fence, roots, deadline)

    async def read_fences(
        self, refs: Sequence[GroupRef], deadline: Deadline, *, settled: bool = False
    ) -> Mapping[str, Fence]:
        """A query sees whole commits: they are always settled."""
        return await fences.read_fences(self._client, refs, self._pool_graphs, deadline)

    async def list_fences(self, after: str, limit: int, deadline: Deadline) -> Sequence[Fence]:
        return await fences.list_fences(self._client, self._pool_graphs, after, limit, deadline)

    async def list_all_fences(self, after: str, limit: int, deadline: Deadline) -> Sequence[Fence]:
        return await fences.list_all_fences(self._client, self._pool_graphs, after, limit, deadline)

    # --- writing ----------------------------------------------------------------------------------

    async def read_images(self, ref: GroupRef, request: ImageRequest, deadline: Deadline) -> Images:
        return await write.read_images(self._client, self.graph_of(ref), ref, request, deadline)

    async def apply(self, ref: GroupRef, plan: WritePlan, deadline: Deadline) -> WriteOutcome:
        return await write.apply(self._client, self.graph_of(ref), ref, plan, deadline)

    # --- reading ----------------------------------------------------------------------------------

    async def get_rows(
        self, ref: GroupRef, kind: Kind, uuids: Sequence[str], with_vectors: bool, deadline: Deadline
    ) -> RowsRead:
        wanted = {ref: uuids}
        return (await self.fetch_rows(kind, wanted, with_vectors, deadline))[ref.group_id]

    async def fetch_rows(
        self, kind: Kind, wanted: Mapping[GroupRef, Sequence[str]], with_vectors: bool, deadline: Deadline
    ) -> Mapping[str, RowsRead]:
        return await read.fetch_rows(self._client, wanted, self._pool_graphs, kind, with_vectors, deadline)

    async def list_rows(self, ref: GroupRef, query: ListQuery, deadline: Deadline) -> RowsRead:
        return await read.list_rows(self._client, self.graph_of(ref), ref, query, deadline)

    async def list_versions(self, ref: GroupRef, query: ListQuery, deadline: Deadline) -> VersionsRead:
        return await read.list_versions(self._client, self.graph_of(ref), ref, query, deadline)

    async def changes(self, ref: GroupRef, after_version: int, limit: int, deadline: Deadline) -> Changes:
        return await read.changes(self._client, self.graph_of(ref), ref, after_version, limit, deadline)

    async def semantic(
        self, refs: Sequence[GroupRef], query: SemanticQuery, deadline: Deadline
    ) -> SemanticRead:
        return await search.semantic(self._client, refs, self._pool_graphs, query, deadline)

    async def nearest(self, ref: GroupRef, query: NearestQuery, deadline: Deadline) -> NearestRead:
        return await search.nearest(self._client, self.graph_of(ref), ref.group_id, query, deadline)

    async def keyword(self, refs: Sequence[GroupRef], query: KeywordQuery, deadline: Deadline) -> KeywordRead:
        return await search.keyword(self._client, refs, self._pool_graphs, query, deadline)

    async def matching(
        self, refs: Sequence[GroupRef], query: MatchingQuery, deadline: Deadline
    ) -> MatchingRead:
        return await search.matching(self._client, refs, self._pool_graphs, query, deadline)

    async def expand(self, queries: Sequence[ExpandQuery], deadline: Deadline) -> ExpandRead:
        return await search.expand(self._client, queries, self._pool_graphs, deadline)

    async def paths(self, ref: GroupRef, query: PathQuery, deadline: Deadline) -> PathsRead:
        return await shortest_paths(ref, query, lambda hop: self.expand([hop], deadline))

    async def next_validity_change(
        self, refs: Sequence[GroupRef], after_us: int, deadline: Deadline
    ) -> ValidityRead:
        return await search.next_validity_change(self._client, refs, self._pool_graphs, after_us, deadline)

    # --- vector slots -----------------------------------------------------------------------------

    @property
    def slot_fill_rows(self) -> int:
        return slots.FILL_ROWS

    async def list_slots(self, deadline: Deadline) -> Sequence[VectorSlot]:
        return await slots.list_slots(self._client, await self._graphs(deadline), deadline)

    async def create_slot(self, slot: VectorSlot, deadline: Deadline) -> VectorSlot:
        return await slots.create_slot(self._client, self.graph_of(slot.ref), slot, deadline)

    async def slot_backlog(self, slot: VectorSlot, limit: int, deadline: Deadline) -> SlotBacklog:
        return await slots.slot_backlog(self._client, self.graph_of(slot.ref), slot, limit, deadline)

    async def fill_slot(self, slot: VectorSlot, uuids: Sequence[str], deadline: Deadline) -> None:
        await slots.fill_slot(self._client, self.graph_of(slot.ref), slot, uuids, deadline)

    async def advance_slot(
        self, slot: VectorSlot, backlog: SlotBacklog, deadline: Deadline
    ) -> VectorSlot | None:
        return await slots.advance_slot(self._client, self.graph_of(slot.ref), slot, backlog, deadline)

    async def drop_slot(self, slot: VectorSlot, deadline: Deadline) -> None:
        await slots.drop_slot(self._client, self.graph_of(slot.ref), slot, deadline)

    async def semantic_in_slot(self, slot: VectorSlot, query: SemanticQuery, deadline: Deadline) -> SlotRead:
        return await slots.semantic_in_slot(self._client, self.graph_of(slot.ref), slot, query, deadline)

    # --- moving a group ---------------------------------------------------------------------------

    async def change_fence(
        self,
        ref: GroupRef,
        change: FenceChange,
        given: Mapping[str, Value],
        deadline: Deadline,
        settlement: Settlement | None = None,
    ) -> Changed:
        return await moving.change_fence(
            self._client, self.graph_of(ref), ref, change, given, deadline, settlement
        )

    async def locked_fence(self, ref: GroupRef, deadline: Deadline) -> Fence | None:
        return await moving.read_fence(self._client, self.graph_of(ref), ref, deadline)

    async def read_page(
        self,
        ref: GroupRef,
        cursor: CopyCursor,
        rows_max: int,
        deadline: Deadline,
        ahead: PageAhead | None = None,
    ) -> GroupPage:
        graph = self.graph_of(ref)
        return await moving.read_page(self._client, graph, ref, cursor, rows_max, deadline, ahead)

    async def read_changes(
        self, ref: GroupRef, after_version: int, rows_max: int, deadline: Deadline, seen_version: int = 0
    ) -> GroupChanges:
        graph = self.graph_of(ref)
        return await moving.read_changes(
            self._client, graph, ref, after_version, rows_max, deadline, seen_version
        )

    async def take_in(self, ref: GroupRef, intake: Intake, deadline: Deadline) -> Changed:
        return await moving.take_in(self._client, self.graph_of(ref), ref, intake, deadline)

    async def wipe(
        self, ref: GroupRef, token: int, move_id: str, rows_max: int, deadline: Deadline
    ) -> int | None:
        return await moving.wipe(self._client, self.graph_of(ref), ref, token, move_id, rows_max, deadline)

    async def ensure_space(self, space: str, deadline: Deadline) -> None:
        await moving.ensure_space(self._client, space, deadline)

    async def drop_space(self, space: str, deadline: Deadline) -> bool:
        return await moving.drop_space(self._client, space, deadline)

    # --- parts ------------------------------------------------------------------------------------

    @property
    def _pool_graphs(self) -> int:
        assert self._marker is not None, "use_marker comes before any call on a group"
        return self._marker.pool_graphs

    def graph_of(self, ref: GroupRef) -> str:
        """The Redis key of the graph that holds a group."""
        return graph_of(ref, self._pool_graphs)

    async def _graphs(self, deadline: Deadline) -> list[str]:
        return [*pooled_graphs(self._pool_graphs), *await fences.own_graphs(self._client, deadline)]

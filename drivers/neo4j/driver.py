"""drivers.contract.ShardDriver on one Neo4j server."""

from collections.abc import Collection, Mapping, Sequence

from drivers.contract import SchemaReport
from drivers.deadline import Deadline
from drivers.fence import Engine, Fence, GroupRef, ShardMarker
from drivers.fence_changes import FenceChange, Value
from drivers.graph_model import Kind
from drivers.marker_proof import proves
from drivers.moving import Changed, CopyCursor, GroupChanges, GroupPage, Intake, PageAhead, Settlement
from drivers.neo4j import slots
from drivers.neo4j.client import Neo4jClient
from drivers.neo4j.fences import Fences
from drivers.neo4j.moving import Moving
from drivers.neo4j.reads import Reads
from drivers.neo4j.schema import Schema
from drivers.neo4j.searches import Searches
from drivers.neo4j.settings import Neo4jSettings
from drivers.neo4j.write_lane import ROWS_MAX, WriteLane
from drivers.neo4j.writes import Writes
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


class Neo4jDriver:
    """The space of a group is of no meaning here: one database holds them all."""

    def __init__(self, shard_id: str, settings: Neo4jSettings) -> None:
        self._shard_id = shard_id
        self._client = Neo4jClient(shard_id, settings)
        self._fences = Fences(self._client)
        self._writes = Writes(self._client)
        self._lane = WriteLane(shard_id, self._writes, rows_max=ROWS_MAX if settings.write_lane else 0)
        self._reads = Reads(self._client)
        self._searches = Searches(self._client, self._fences)
        self._schema = Schema(self._client)
        self._slots = slots.Slots(self._client)
        self._moving = Moving(self._client, self._reads, self._slots)
        self._marker: ShardMarker | None = None

    @property
    def shard_id(self) -> str:
        return self._shard_id

    @property
    def engine(self) -> Engine:
        return Engine.NEO4J

    @property
    def write_weight_max(self) -> int:
        """A commit holds nobody up but writers of the same groups: the bounds of a message are enough."""
        return 0

    async def open(self) -> None:
        self._client.open()

    async def close(self) -> None:
        await self._lane.close()
        await self._client.close()

    async def ping(self, deadline: Deadline) -> None:
        await self._fences.ping(deadline)

    # --- the shard --------------------------------------------------------------------------------

    async def read_marker(self, deadline: Deadline) -> ShardMarker | None:
        """Connections to a server that shows another marker than the admitted one are not kept."""
        marker = await self._fences.read_marker(deadline)
        if not proves(marker, self._marker):
            await self._client.reopen()
        return marker

    async def create_marker(self, marker: ShardMarker, deadline: Deadline) -> ShardMarker:
        return await self._fences.create_marker(marker, deadline)

    async def advance_beat(self, seen: int, beat: int, deadline: Deadline) -> int:
        return await self._fences.advance_beat(seen, beat, deadline)

    async def change_marker(
        self, seen: ShardMarker, after: ShardMarker, deadline: Deadline
    ) -> ShardMarker | None:
        return await self._fences.change_marker(seen, after, deadline)

    async def clock_us(self, deadline: Deadline) -> int:
        return await self._fences.clock_us(deadline)

    def use_marker(self, marker: ShardMarker) -> None:
        """pool_graphs is of no meaning here."""
        self._marker = marker
        self._client.use_proof(self._is_admitted)

    async def _is_admitted(self, deadline: Deadline) -> bool:
        return proves(await self.read_marker(deadline), self._marker)

    async def ensure_schema(self, deadline: Deadline) -> None:
        await self._schema.ensure(deadline)

    async def describe_schema(self, deadline: Deadline) -> SchemaReport:
        return await self._schema.describe(deadline)

    async def drop_schema(self, deadline: Deadline) -> None:
        await self._schema.drop(deadline)

    # --- fences -----------------------------------------------------------------------------------

    async def read_gate(self, deadline: Deadline) -> RegisterGate:
        return await self._fences.read_gate(deadline)

    async def raise_gate(self, gate: RegisterGate, deadline: Deadline) -> None:
        await self._fences.raise_gate(gate, deadline)

    async def create_fence(
        self, fence: Fence, deadline: Deadline, roots: Collection[int] = frozenset()
    ) -> Fence:
        return await self._fences.create_fence(fence, roots, deadline)

    async def read_fences(
        self, refs: Sequence[GroupRef], deadline: Deadline, *, settled: bool = False
    ) -> Mapping[str, Fence]:
        return await self._fences.read_fences(refs, deadline, settled=settled)

    async def list_fences(self, after: str, limit: int, deadline: Deadline) -> Sequence[Fence]:
        return await self._fences.list_fences(after, limit, deadline)

    async def list_all_fences(self, after: str, limit: int, deadline: Deadline) -> Sequence[Fence]:
        return await self._fences.list_all_fences(after, limit, deadline)

    # --- writing ----------------------------------------------------------------------------------

    async def read_images(self, ref: GroupRef, request: ImageRequest, deadline: Deadline) -> Images:
        return await self._writes.read_images(ref, request, deadline)

    async def apply(self, ref: GroupRef, plan: WritePlan, deadline: Deadline) -> WriteOutcome:
        return await self._lane.apply(ref, plan, deadline)

    # --- reading ----------------------------------------------------------------------------------

    async def get_rows(
        self, ref: GroupRef, kind: Kind, uuids: Sequence[str], with_vectors: bool, deadline: Deadline
    ) -> RowsRead:
        return (await self._reads.fetch_rows(kind, {ref: uuids}, with_vectors, deadline))[ref.group_id]

    async def fetch_rows(
        self, kind: Kind, wanted: Mapping[GroupRef, Sequence[str]], with_vectors: bool, deadline: Deadline
    ) -> Mapping[str, RowsRead]:
        return await self._reads.fetch_rows(kind, wanted, with_vectors, deadline)

    async def list_rows(self, ref: GroupRef, query: ListQuery, deadline: Deadline) -> RowsRead:
        return await self._reads.list_rows(ref, query, deadline)

    async def list_versions(self, ref: GroupRef, query: ListQuery, deadline: Deadline) -> VersionsRead:
        return await self._reads.list_versions(ref, query, deadline)

    async def changes(self, ref: GroupRef, after_version: int, limit: int, deadline: Deadline) -> Changes:
        return await self._reads.changes(ref, after_version, limit, deadline)

    async def semantic(
        self, refs: Sequence[GroupRef], query: SemanticQuery, deadline: Deadline
    ) -> SemanticRead:
        return await self._searches.semantic(refs, query, deadline)

    async def nearest(self, ref: GroupRef, query: NearestQuery, deadline: Deadline) -> NearestRead:
        return await self._searches.nearest(ref, query, deadline)

    async def keyword(self, refs: Sequence[GroupRef], query: KeywordQuery, deadline: Deadline) -> KeywordRead:
        return await self._searches.keyword(refs, query, deadline)

    async def matching(
        self, refs: Sequence[GroupRef], query: MatchingQuery, deadline: Deadline
    ) -> MatchingRead:
        return await self._searches.matching(refs, query, deadline)

    async def expand(self, queries: Sequence[ExpandQuery], deadline: Deadline) -> ExpandRead:
        return await self._searches.expand(queries, deadline)

    async def paths(self, ref: GroupRef, query: PathQuery, deadline: Deadline) -> PathsRead:
        return await shortest_paths(ref, query, lambda hop: self.expand([hop], deadline))

    async def next_validity_change(
        self, refs: Sequence[GroupRef], after_us: int, deadline: Deadline
    ) -> ValidityRead:
        return await self._searches.next_validity_change(refs, after_us, deadline)

    # --- vector slots -----------------------------------------------------------------------------

    @property
    def slot_fill_rows(self) -> int:
        return slots.FILL_ROWS

    async def list_slots(self, deadline: Deadline) -> Sequence[VectorSlot]:
        return await self._slots.list(deadline)

    async def create_slot(self, slot: VectorSlot, deadline: Deadline) -> VectorSlot:
        return await self._slots.create(slot, deadline)

    async def slot_backlog(self, slot: VectorSlot, limit: int, deadline: Deadline) -> SlotBacklog:
        return await self._slots.backlog(slot, limit, deadline)

    async def fill_slot(self, slot: VectorSlot, uuids: Sequence[str], deadline: Deadline) -> None:
        await self._slots.fill(slot, uuids, deadline)

    async def advance_slot(
        self, slot: VectorSlot, backlog: SlotBacklog, deadline: Deadline
    ) -> VectorSlot | None:
        return await self._slots.advance(slot, backlog, deadline)

    async def drop_slot(self, slot: VectorSlot, deadline: Deadline) -> None:
        await self._slots.drop(slot, deadline)

    async def semantic_in_slot(self, slot: VectorSlot, query: SemanticQuery, deadline: Deadline) -> SlotRead:
        return await self._slots.semantic(slot, query, deadline)

    # --- moving -----------------------------------------------------------------------------------

    async def change_fence(
        self,
        ref: GroupRef,
        change: FenceChange,
        given: Mapping[str, Value],
        deadline: Deadline,
        settlement: Settlement | None = None,
    ) -> Changed:
        return await self._moving.change_fence(ref, change, given, deadline, settlement)

    async def locked_fence(self, ref: GroupRef, deadline: Deadline) -> Fence | None:
        return await self._moving.locked_fence(ref, deadline)

    async def read_page(
        self,
        ref: GroupRef,
        cursor: CopyCursor,
        rows_max: int,
        deadline: Deadline,
        ahead: PageAhead | None = None,
    ) -> GroupPage:
        return await self._moving.read_page(ref, cursor, rows_max, deadline)

    async def read_changes(
        self, ref: GroupRef, after_version: int, rows_max: int, deadline: Deadline, seen_version: int = 0
    ) -> GroupChanges:
        return await self._reads.changes_and_operations(ref, after_version, rows_max, deadline)

    async def take_in(self, ref: GroupRef, intake: Intake, deadline: Deadline) -> Changed:
        return await self._moving.take_in(ref, intake, deadline)

    async def wipe(
        self, ref: GroupRef, token: int, move_id: str, rows_max: int, deadline: Deadline
    ) -> int | None:
        return await self._moving.wipe(ref, token, move_id, rows_max, deadline)

    async def ensure_space(self, space: str, deadline: Deadline) -> None:
        """A group has no container of its own here."""

    async def drop_space(self, space: str, deadline: Deadline) -> bool:
        return False

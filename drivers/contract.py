"""What every engine can do for graphgate: one interface, whose meaning the contract tests hold.

Rules that both engines keep:

- A write is one atomic unit. Under the fence's lock it checks ownership (state OPEN and the named
  epoch), the operation record and that what the plan was computed from has not changed; then it
  advances the group's version and stamps it on every row. Otherwise it changes nothing.
- A read returns the fences of the groups that it read, read last. The caller discards the answer
  of a group whose fence does not own it.
- Reading never creates anything.
- Rows of a shard that its fence does not own (left behind by a move) are the caller's to discard.
- Every call ends by its deadline with a result or an error of drivers/errors.py.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from drivers.deadline import Deadline
from drivers.fence import (
    Engine,
    Fence,
    GroupRef,
    ShardMarker,
)
from drivers.graph_model import Kind
from drivers.moving import GroupMoves
from drivers.reads import (
    Changes,
    ListQuery,
    RowsRead,
    VersionsRead,
)
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
from drivers.write_plan import (
    ImageRequest,
    Images,
    WriteOutcome,
    WritePlan,
)


@dataclass(frozen=True, slots=True)
class SchemaItem:
    """An index or a constraint, named the same way on both engines, e.g. 'range:ENTITY(pk)'."""

    name: str
    space: str
    state: str
    """READY, BUILDING, FAILED, MISSING or EXTRA."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SchemaReport:
    engine: Engine
    engine_version: str
    items: tuple[SchemaItem, ...]

    @property
    def ready(self) -> bool:
        return all(item.state in ("READY", "EXTRA") for item in self.items)


class ShardDriver(GroupMoves, Protocol):
    """One shard. Safe for concurrent use; waits for a connection within the deadline."""

    @property
    def shard_id(self) -> str: ...

    @property
    def engine(self) -> Engine: ...

    @property
    def write_weight_max(self) -> int:
        """Bound of write_weight(plan) where an engine serves nobody while it applies a write, 0: none. A
        write of one row always passes."""
        ...

    async def open(self) -> None:
        """Makes the client; does not need the server to be there."""
        ...

    async def close(self) -> None: ...

    async def ping(self, deadline: Deadline) -> None:
        """Raises unless the engine runs queries."""
        ...

    async def read_marker(self, deadline: Deadline) -> ShardMarker | None: ...

    async def create_marker(self, marker: ShardMarker, deadline: Deadline) -> ShardMarker:
        """Create-if-absent; returns the marker that is there afterwards."""
        ...

    async def advance_beat(self, seen: int, beat: int, deadline: Deadline) -> int:
        """Sets the beat if it is still `seen`; returns the beat that is there afterwards."""
        ...

    async def change_marker(
        self, seen: ShardMarker, after: ShardMarker, deadline: Deadline
    ) -> ShardMarker | None:
        """Sets root ring, pending ring and `removed` to those of `after` if they are still those of `seen`;
        returns the marker that is there afterwards, None: there is none."""
        ...

    async def clock_us(self, deadline: Deadline) -> int:
        """The server's time, UTC, microseconds since the epoch."""
        ...

    def use_marker(self, marker: ShardMarker) -> None:
        """Tells the driver the shard's settings (pool_graphs). Called before any group call.

        A marker with a beat is one that was admitted: no call on a group then goes to a server that shows
        another incarnation or a lower beat behind a new connection, but raises ShardUnavailable.
        """
        ...

    async def ensure_schema(self, deadline: Deadline) -> None:
        """Creates what is missing in every pooled space and waits until it serves. Idempotent."""
        ...

    async def describe_schema(self, deadline: Deadline) -> SchemaReport: ...

    async def drop_schema(self, deadline: Deadline) -> None:
        """Drops graphgate's indexes and constraints; the rows stay."""
        ...

    async def read_gate(self, deadline: Deadline) -> RegisterGate:
        """The greatest numbers of all containers."""
        ...

    async def raise_gate(self, gate: RegisterGate, deadline: Deadline) -> None:
        """In every pooled container each number becomes the greater of what it is and of the given one. When
        this returns, create_fence knows of it everywhere, and each fence that an earlier one made is visible
        to list_all_fences. May be done twice."""
        ...

    async def create_fence(
        self, fence: Fence, deadline: Deadline, roots: Collection[int] = frozenset()
    ) -> Fence:
        """Create-if-absent, if the gate lets `roots`; returns the fence that is there afterwards. Raises
        RegisterClosed when there is none and none may be made."""
        ...

    async def read_fences(
        self, refs: Sequence[GroupRef], deadline: Deadline, *, settled: bool = False
    ) -> Mapping[str, Fence]:
        """By group_id; groups without a fence are left out. `settled`: every commit up to their versions is
        wholly visible to later reads, as of locked_fence."""
        ...

    async def list_fences(self, after: str, limit: int, deadline: Deadline) -> Sequence[Fence]:
        """Fences that own their group (OPEN, FROZEN), by group_id in code point order, after `after`."""
        ...

    async def list_all_fences(self, after: str, limit: int, deadline: Deadline) -> Sequence[Fence]:
        """As list_fences, in every state. The fences of one group, one per space, come together, in the order
        of spaces: `limit` may be passed for the last of them."""
        ...

    async def read_images(self, ref: GroupRef, request: ImageRequest, deadline: Deadline) -> Images:
        """RowLimitExceeded when the cascades have more than ROWS_PER_WRITE_MAX edges."""
        ...

    async def apply(self, ref: GroupRef, plan: WritePlan, deadline: Deadline) -> WriteOutcome:
        """OutcomeUnknown when the answer was lost after the write was sent."""
        ...

    async def get_rows(
        self, ref: GroupRef, kind: Kind, uuids: Sequence[str], with_vectors: bool, deadline: Deadline
    ) -> RowsRead: ...

    async def fetch_rows(
        self, kind: Kind, wanted: Mapping[GroupRef, Sequence[str]], with_vectors: bool, deadline: Deadline
    ) -> Mapping[str, RowsRead]:
        """get_rows for many groups at once, by group_id: one query per space, not per group."""
        ...

    async def list_rows(self, ref: GroupRef, query: ListQuery, deadline: Deadline) -> RowsRead: ...

    async def list_versions(self, ref: GroupRef, query: ListQuery, deadline: Deadline) -> VersionsRead:
        """What list_rows() lists, without what is in the rows: a page has the same size whatever is."""
        ...

    async def changes(self, ref: GroupRef, after_version: int, limit: int, deadline: Deadline) -> Changes:
        """In ascending version; at most about `limit` rows and tombstones, never cut inside a version."""
        ...

    async def semantic(
        self, refs: Sequence[GroupRef], query: SemanticQuery, deadline: Deadline
    ) -> SemanticRead: ...

    async def nearest(self, ref: GroupRef, query: NearestQuery, deadline: Deadline) -> NearestRead:
        """What semantic() finds for each of the vectors, in one call. Costs rows times vectors."""
        ...

    async def keyword(
        self, refs: Sequence[GroupRef], query: KeywordQuery, deadline: Deadline
    ) -> KeywordRead: ...

    async def matching(
        self, refs: Sequence[GroupRef], query: MatchingQuery, deadline: Deadline
    ) -> MatchingRead:
        """What keyword() ranks, whole and unranked, if it is not too much. Raises ValueError for what is no
        token of the analyser."""
        ...

    async def expand(self, queries: Sequence[ExpandQuery], deadline: Deadline) -> ExpandRead: ...

    async def paths(self, ref: GroupRef, query: PathQuery, deadline: Deadline) -> PathsRead: ...

    async def next_validity_change(
        self, refs: Sequence[GroupRef], after_us: int, deadline: Deadline
    ) -> ValidityRead:
        """When facts of these groups next begin or cease to hold in world time, after `after_us`. One pass
        over the groups' facts."""
        ...

    # --- vector slots -----------------------------------------------------------------------------

    @property
    def slot_fill_rows(self) -> int:
        """Rows of one fill_slot, usually: so many do not hold up the shard's other callers for long."""
        ...

    async def list_slots(self, deadline: Deadline) -> Sequence[VectorSlot]: ...

    async def create_slot(self, slot: VectorSlot, deadline: Deadline) -> VectorSlot:
        """The slot of that group and kind, which may be there already, of another spec too; a new one is
        empty."""
        ...

    async def slot_backlog(self, slot: VectorSlot, limit: int, deadline: Deadline) -> SlotBacklog:
        """The next changes after slot.progress, at most `limit` (1..BACKLOG_ROWS_MAX)."""
        ...

    async def fill_slot(self, slot: VectorSlot, uuids: Sequence[str], deadline: Deadline) -> None:
        """Copies the vectors that these rows have now, and takes out the rows that have none. At most
        FILL_GROWTH_MAX * slot_fill_rows. May be done twice, and by two callers at once."""
        ...

    async def advance_slot(
        self, slot: VectorSlot, backlog: SlotBacklog, deadline: Deadline
    ) -> VectorSlot | None:
        """From slot.progress on, after everything in the backlog has been filled in. Never goes back. None,
        and nothing is changed: there is no slot, or somebody else has advanced it."""
        ...

    async def drop_slot(self, slot: VectorSlot, deadline: Deadline) -> None:
        """May be done twice."""
        ...

    async def semantic_in_slot(self, slot: VectorSlot, query: SemanticQuery, deadline: Deadline) -> SlotRead:
        """The best rows that the slot's index finds, together with all that changed after slot.progress.
        query.kind is the slot's. `slot` may be older than what is stored."""
        ...

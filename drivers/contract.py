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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from drivers.deadline import Deadline
from drivers.filters import NO_FILTER, RowFilter
from drivers.graph_model import AnyRow, Fact, Kind, TextRow, Vector
from drivers.row_key import RowKey

SCHEMA_VERSION = 1
"""Raised with every change of the physical model that an older gateway would misread."""

POOLED = ""
"""The space of a group that shares its container: the group id decides which."""

ROWS_PER_WRITE_MAX = 2_000
"""Rows that one plan may put and drop, cascades included."""

ROWS_PER_READ_MAX = 1_000


class Engine(StrEnum):
    FALKORDB = "FALKORDB"
    NEO4J = "NEO4J"


# --- places and ownership -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GroupRef:
    """Where in a shard a group's rows are."""

    group_id: str
    space: str = POOLED


class FenceState(StrEnum):
    OPEN = "OPEN"
    FROZEN = "FROZEN"
    MOVED = "MOVED"
    TOMB = "TOMB"
    WIPING = "WIPING"
    INCOMING = "INCOMING"
    READY = "READY"


@dataclass(frozen=True, slots=True)
class KindStats:
    """Counts of one kind in one group; the corpus statistics of BM25."""

    rows: int = 0
    terms: int = 0
    """Sum of term_count; 0 for kinds without text."""

    def __add__(self, other: "KindStats") -> "KindStats":
        return KindStats(self.rows + other.rows, self.terms + other.terms)


@dataclass(frozen=True, slots=True)
class EmbeddingSpec:
    """Which model made a group's vectors of one kind. Fixed by the first vector that is written."""

    model: str
    dimension: int
    revision: str = ""
    slot: str = "vector"
    """Property that holds the vectors. Large groups get one of their own, with an index."""


@dataclass(frozen=True, slots=True)
class Fence:
    """The marker of a group inside a shard: who owns it, its version, its statistics."""

    group_id: str
    epoch: int
    state: FenceState
    version: int = 0
    space: str = POOLED
    """Where the group's rows are in this shard."""
    moved_to: str = ""
    """Shard that owns the group, when MOVED."""
    moved_space: str = POOLED
    moved_epoch: int = 0
    token: int = 0
    """Fencing token of the last move's coordinator; 0 when the group never moved."""
    move_id: str = ""
    last_created_at: int = 0
    prune_floor: int = 0
    """Tombstones at or below this version may be gone: a reader from before it starts anew."""
    stats: Mapping[Kind, KindStats] = field(default_factory=dict[Kind, KindStats])
    """Every kind is present, with zeros where there are no rows."""
    embeddings: Mapping[Kind, EmbeddingSpec] = field(default_factory=dict[Kind, EmbeddingSpec])
    created_at: int = 0

    @property
    def owns(self) -> bool:
        """Whether this shard answers for the group."""
        return self.state in (FenceState.OPEN, FenceState.FROZEN)


@dataclass(frozen=True, slots=True)
class RootMember:
    shard_id: str
    weight: float


@dataclass(frozen=True, slots=True)
class ShardMarker:
    """Identity of a shard, written once when it joins a fleet, checked on every connect."""

    fleet: str
    shard: str
    incarnation: str
    """uuid made when the marker was written: another one means other data."""
    schema_version: int
    root_version: int
    root_ring: tuple[RootMember, ...]
    """Sorted by shard_id. Chooses the root home of a group; fixed when the fleet is founded."""
    pool_graphs: int
    """Pooled containers of this shard (FalkorDB); 1 on Neo4j."""
    beat: int = 0
    """Advanced while gateways write here: a lower one than is known is an older copy of the disk."""


# --- writing --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpRecord:
    """Proof that a write was applied, with what its caller was told."""

    op_id: str
    content_hash: str
    result: str
    version: int = 0
    """0 in a plan: the shard gives it."""
    created_at: int = 0


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """What a write needs to know before it is planned."""

    op_id: str
    rows: Mapping[Kind, Sequence[str]]
    """uuids that will be put or dropped."""
    endpoints: Mapping[Kind, Sequence[str]]
    """uuids of nodes that must exist and are not in the batch."""
    cascades: Mapping[Kind, Sequence[str]]
    """uuids of nodes that will be dropped: their edges go with them."""


@dataclass(frozen=True, slots=True)
class IncidentEdge:
    kind: Kind
    uuid: str
    source_uuid: str
    target_uuid: str
    term_count: int


@dataclass(frozen=True, slots=True)
class Images:
    """The state that a plan is computed from. The fence is read before the rows."""

    fence: Fence | None
    operation: OpRecord | None
    rows: Mapping[tuple[Kind, str], AnyRow]
    """Without vectors."""
    endpoints: Mapping[Kind, frozenset[str]]
    """Those of the request that exist."""
    incident: tuple[IncidentEdge, ...]
    """Each edge of the cascades once."""


class VectorChange(StrEnum):
    SET = "SET"
    KEEP = "KEEP"
    REMOVE = "REMOVE"


@dataclass(frozen=True, slots=True)
class RowPut:
    """One row as it will be. The shard gives version, and created_at to a row that is new."""

    row: AnyRow
    existed: bool
    vector: VectorChange = VectorChange.KEEP
    """SET takes row.embedding."""
    closed_by: str | None = None
    """FACT only: not None when this put changes the end of an existing fact. The shard appends
    Closure(its time, previous_end, closed_by) to row.closures."""
    previous_end: int = 0
    expires: bool = False
    """FACT only: expired_at becomes the time of this write."""


@dataclass(frozen=True, slots=True)
class RowDrop:
    kind: Kind
    uuid: str
    source_uuid: str = ""
    """Edges only."""
    target_uuid: str = ""
    tombstone: bool = True
    """False when the same uuid is put again in this plan, at other endpoints, and when there was no such row:
    then only its absence is guarded."""


@dataclass(frozen=True, slots=True)
class WritePlan:
    """One atomic write. Drops are applied before puts, nodes before edges.

    The guards make the shard refuse (CONFLICT) when anything that the plan was computed from has
    changed since: a touched row, an endpoint, an edge of a dropped node.
    """

    epoch: int
    operation: OpRecord
    puts: tuple[RowPut, ...]
    drops: tuple[RowDrop, ...]
    seen_version: int
    """Version of the fence in the images: a touched row with a higher one has changed since."""
    existing: Mapping[Kind, int]
    """Of the touched rows (puts and drops) of each kind, how many existed."""
    endpoints: Mapping[Kind, Sequence[str]]
    """Nodes outside the batch that must exist, without repeats."""
    incident_edges: int
    """Edges that the dropped nodes had."""
    stats: Mapping[Kind, KindStats]
    """To be added to the fence's."""
    embeddings_seen: Mapping[Kind, EmbeddingSpec]
    embeddings: Mapping[Kind, EmbeddingSpec]
    """Replaces the fence's if that is still embeddings_seen."""
    now: int
    """The gateway's clock; the shard uses max(now, the group's last created_at + 1)."""
    if_version: int | None = None
    """Refused with VERSION_MISMATCH unless the group's version is this one."""


def write_weight(plan: WritePlan) -> int:
    """What a write costs an engine under its lock, in rows: each row, and each KiB of indexed terms, which
    takes about as long as a row."""
    terms = sum(len(put.row.terms) for put in plan.puts if isinstance(put.row, TextRow | Fact))
    return len(plan.puts) + len(plan.drops) + terms // 1024


class WriteStatus(StrEnum):
    APPLIED = "APPLIED"
    DUPLICATE = "DUPLICATE"
    """The operation record was there: nothing was done, the record is in the outcome."""
    CONFLICT = "CONFLICT"
    """A guard failed: read the images again and plan anew."""
    VERSION_MISMATCH = "VERSION_MISMATCH"
    NOT_OWNED = "NOT_OWNED"
    """State or epoch is not the expected one, or there is no fence (then fence is None)."""


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    status: WriteStatus
    fence: Fence | None
    """As it was after the write, or as it was found when the write was refused."""
    operation: OpRecord | None = None
    """APPLIED and DUPLICATE only: with version and created_at."""


# --- reading --------------------------------------------------------------------------------------


class ListOrder(StrEnum):
    UUID = "UUID"
    NEWEST = "NEWEST"
    """created_at descending, then uuid ascending."""


@dataclass(frozen=True, slots=True)
class ListCursor:
    """The last row of the page before. created_at is read only with NEWEST."""

    uuid: str
    created_at: int = 0


@dataclass(frozen=True, slots=True)
class Anchor:
    """Only edges that hang on this node: facts, mentions and memberships of an entity, mentions of an
    episode, memberships of a community, places in a saga. Facts of an EPISODE are those whose `episodes`
    name it; they are found by one pass over the group's facts."""

    kind: Kind
    uuid: str


@dataclass(frozen=True, slots=True)
class ListQuery:
    kind: Kind
    limit: int
    order: ListOrder = ListOrder.UUID
    after: ListCursor | None = None
    anchor: Anchor | None = None
    with_vectors: bool = False
    other_uuid: str = ""
    """With an ENTITY anchor of FACT rows: only facts between the anchor and this entity, in either direction.
    Found among the edges of the anchor: name the end that has fewer."""


@dataclass(frozen=True, slots=True)
class RowsRead:
    """Rows in the order asked for (get: the order of the uuids, missing ones left out)."""

    rows: tuple[AnyRow, ...]
    fence: Fence | None


@dataclass(frozen=True, slots=True)
class Tombstone:
    kind: Kind
    uuid: str
    version: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed in a group after a version: the latest state per row, not every step.

    Complete up to `bound`: everything with a version in (after_version, bound] is here. A row that
    was deleted and written again shows up as the row only if its version is the higher one.
    """

    rows: tuple[AnyRow, ...]
    tombstones: tuple[Tombstone, ...]
    bound: int
    """Read under the fence's lock before the scan; lowered when `limit` cut the answer."""
    fence: Fence | None
    """Read last. prune_floor > after_version means: start anew."""


@dataclass(frozen=True, slots=True)
class SemanticQuery:
    kind: Kind
    vector: Vector
    limit: int
    score_min: float = -1.0
    filter: RowFilter = NO_FILTER


@dataclass(frozen=True, slots=True)
class ScoredRow:
    key: RowKey
    score: float
    """Semantic: cosine in [-1, 1]."""


@dataclass(frozen=True, slots=True)
class SemanticRead:
    """The `limit` best rows of all groups together, by (score desc, group_id, uuid), by exact scan.
    Rows without a vector or with one of another dimension than the query's are left out."""

    hits: tuple[ScoredRow, ...]
    fences: Mapping[str, Fence]


@dataclass(frozen=True, slots=True)
class TermClause:
    """A row satisfies it that has `term` and, if `others` are given, one of them too."""

    term: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeywordQuery:
    kind: Kind
    terms: tuple[str, ...]
    """Tokens of the analyser, without repeats, at most 64; a row matches when it has one of them."""
    limit: int
    filter: RowFilter = NO_FILTER
    """Of the hits. Document frequencies are of all rows, as the other statistics of BM25."""
    clauses: tuple[TermClause, ...] = ()
    """If given, of terms in `terms`: a row matches when it satisfies one of them, and no frequencies are
    counted. At most CLAUSE_TERMS_MAX terms in all."""


CLAUSE_TERMS_MAX = 256


@dataclass(frozen=True, slots=True)
class KeywordHit:
    key: RowKey
    terms: str
    """The row's tokens, from which the gateway computes BM25."""
    term_count: int


@dataclass(frozen=True, slots=True)
class KeywordRead:
    """Candidates by the engine's own ranking, which is not comparable between shards."""

    hits: tuple[KeywordHit, ...]
    document_frequency: Mapping[str, int]
    """Per query term: rows of the searched groups that have it, summed over the groups."""
    fences: Mapping[str, Fence]
    complete: bool = True
    """False: the limit may have left out rows that match."""


EXPANDED_KINDS = (Kind.FACT, Kind.MENTION, Kind.MEMBERSHIP)


@dataclass(frozen=True, slots=True)
class ExpandQuery:
    """One hop from nodes along facts, mentions or memberships."""

    group_id: str
    space: str
    entities: tuple[str, ...]
    """uuids of nodes of the kind `origin`."""
    along: Kind
    """FACT, MENTION or MEMBERSHIP."""
    edges_per_entity_max: int
    """Newest first (created_at, then uuid)."""
    filter: RowFilter = NO_FILTER
    """Of the edges; only along FACT."""
    origin: Kind = Kind.ENTITY
    """Or EPISODE along MENTION, COMMUNITY along MEMBERSHIP."""
    edges_max: int = 20_000
    """In all. Nodes that are named earlier come first, each with its newest edges first."""


@dataclass(frozen=True, slots=True)
class ExpandedEdge:
    uuid: str
    source_uuid: str
    target_uuid: str
    """Of a mention: source is the episode, target the entity. Of a membership: community and entity."""


@dataclass(frozen=True, slots=True)
class ExpandRead:
    edges: Mapping[str, tuple[ExpandedEdge, ...]]
    """By group_id; each edge once."""
    fences: Mapping[str, Fence]
    cut: frozenset[str] = frozenset()
    """Groups of which one of the two bounds left edges out."""


PATH_HOPS_MAX = 5
PATHS_MAX = 100


@dataclass(frozen=True, slots=True)
class PathQuery:
    """Shortest paths between two entities of one group along facts, in either direction of each."""

    source_uuid: str
    target_uuid: str
    hops_max: int = PATH_HOPS_MAX
    """1..PATH_HOPS_MAX."""
    paths_max: int = 10
    """1..PATHS_MAX. Of more shortest paths, those come that are first by the uuids of their facts."""
    filter: RowFilter = NO_FILTER
    """Of the facts."""
    edges_max: int = 50_000
    """Facts that may be looked at."""


@dataclass(frozen=True, slots=True)
class GraphPath:
    entities: tuple[str, ...]
    """From source to target; one more than facts."""
    facts: tuple[ExpandedEdge, ...]


@dataclass(frozen=True, slots=True)
class PathsRead:
    paths: tuple[GraphPath, ...]
    """All of the same, least length. One without facts when source is target."""
    fence: Fence | None
    complete: bool = True
    """False: edges_max ended the search; there may be other paths, also shorter ones."""


# --- schema ---------------------------------------------------------------------------------------


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


# --- the interface --------------------------------------------------------------------------------


class ShardDriver(Protocol):
    """One shard. Safe for concurrent use; waits for a connection within the deadline."""

    @property
    def shard_id(self) -> str: ...

    @property
    def engine(self) -> Engine: ...

    @property
    def write_weight_max(self) -> int:
        """Bound of write_weight(plan) where an engine serves nobody while it applies a write. A write of
        one row always passes."""
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

    async def create_fence(self, fence: Fence, deadline: Deadline) -> Fence:
        """Create-if-absent; returns the fence that is there afterwards."""
        ...

    async def read_fences(self, refs: Sequence[GroupRef], deadline: Deadline) -> Mapping[str, Fence]:
        """By group_id; groups without a fence are left out."""
        ...

    async def list_fences(self, after: str, limit: int, deadline: Deadline) -> Sequence[Fence]:
        """Fences that own their group (OPEN, FROZEN), by group_id in code point order, after `after`."""
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

    async def changes(self, ref: GroupRef, after_version: int, limit: int, deadline: Deadline) -> Changes:
        """In ascending version; at most about `limit` rows and tombstones, never cut inside a version."""
        ...

    async def semantic(
        self, refs: Sequence[GroupRef], query: SemanticQuery, deadline: Deadline
    ) -> SemanticRead: ...

    async def keyword(
        self, refs: Sequence[GroupRef], query: KeywordQuery, deadline: Deadline
    ) -> KeywordRead: ...

    async def expand(self, queries: Sequence[ExpandQuery], deadline: Deadline) -> ExpandRead: ...

    async def paths(self, ref: GroupRef, query: PathQuery, deadline: Deadline) -> PathsRead: ...

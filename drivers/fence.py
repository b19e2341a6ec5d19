"""Whose data lies where: the identity of a shard, the place of a group, and the fence that owns it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from drivers.graph_model import Kind

SCHEMA_VERSION = 1
"""Raised with every change of the physical model that an older gateway would misread."""

POOLED = ""
"""The space of a group that shares its container: the group id decides which."""


class Engine(StrEnum):
    FALKORDB = "FALKORDB"
    NEO4J = "NEO4J"


@dataclass(frozen=True, slots=True)
class GroupRef:
    """Where in a shard a group's rows are."""

    group_id: str
    space: str = POOLED
    epoch: int = field(default=0, compare=False)
    """Of the owner's fence when the group was found there; 0: not known."""


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
    applied: int = 0
    """Of a target: everything of the source up to this version is here; 0 else."""
    cursor: str = ""
    """Of a target: how far the copy has come, as drivers.moving.CopyCursor.text; empty else."""
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

    def owned_throughout(self, ref: GroupRef) -> bool:
        """Whether this shard has owned the group ever since it was found there: a fence that is read after
        rows vouches for them. A shard to which the group came back in between showed old rows before."""
        began = ref.epoch + 1 if self.state is FenceState.FROZEN else ref.epoch
        return self.owns and (not ref.epoch or self.epoch in (ref.epoch, began))


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
    """Sorted by shard_id. Chooses the root home of a group; changed by the root change alone."""
    pool_graphs: int
    """Pooled containers of this shard (FalkorDB); 1 on Neo4j."""
    beat: int = 0
    """Advanced while gateways write here: a lower one than is known is an older copy of the disk."""
    pending_version: int = 0
    """Of the root ring that is about to take over; 0: none is."""
    pending_ring: tuple[RootMember, ...] = ()
    """Sorted by shard_id."""
    removed: bool = False
    """The shard has left its fleet for ever."""

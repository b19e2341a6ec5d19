"""What a write needs to know, what it is to do as one unit, and what became of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from drivers.errors import WriteTooHeavy
from drivers.fence import EmbeddingSpec, Fence, KindStats
from drivers.graph_model import AnyRow, Fact, Kind, TextRow
from drivers.row_size import row_size

ROWS_PER_WRITE_MAX = 2_000
"""Rows that one plan may put and drop, cascades included."""

TERM_CHARS_PER_WEIGHT = 512
"""Of text that is indexed, as if its words were distinct: repeated ones cost less."""
VALUES_PER_WEIGHT = 64
"""Of elements of lists and values of attributes."""
CHARS_PER_WEIGHT = 8 * 1_024
"""Of everything that is text, terms and attributes included."""
VECTOR_NUMBERS_PER_WEIGHT = 1_024
"""Of what each vector has beyond VECTOR_NUMBERS_INCLUDED."""
VECTOR_NUMBERS_INCLUDED = 384


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
    """What a write costs an engine under its lock, in rows: each row is 1, what is in them comes on top."""
    vectors = (put.row for put in plan.puts if put.vector is VectorChange.SET)
    return len(plan.puts) + len(plan.drops) + content_weight([put.row for put in plan.puts], vectors)


def content_weight(rows: Sequence[AnyRow], with_vectors: Iterable[AnyRow]) -> int:
    """1 for every so many of each amount (the constants above) in all `rows` together, and in the vectors of
    those that are stored with them."""
    sizes = [row_size(row) for row in rows]
    return (
        sum(size.term_chars for size in sizes) // TERM_CHARS_PER_WEIGHT
        + sum(size.values for size in sizes) // VALUES_PER_WEIGHT
        + sum(size.chars for size in sizes) // CHARS_PER_WEIGHT
        + sum(map(_vector_numbers, with_vectors)) // VECTOR_NUMBERS_PER_WEIGHT
    )


def _vector_numbers(row: AnyRow) -> int:
    """Those that add to the weight."""
    if not isinstance(row, TextRow | Fact) or row.embedding is None:
        return 0
    return max(0, row.embedding.size - VECTOR_NUMBERS_INCLUDED)


def check_weight(plan: WritePlan, shard_id: str, weight_max: int) -> None:
    """Raises WriteTooHeavy for what a shard with this bound (0: none) does not take at once. A write of one
    row always passes."""
    weight = write_weight(plan)
    if 0 < weight_max < weight and len(plan.puts) + len(plan.drops) > 1:
        raise WriteTooHeavy(shard_id, weight, weight_max, plan.incident_edges)


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

"""The vocabulary of all layers: the rows of a temporal knowledge graph, frozen and typed.

Times are int64 microseconds since the Unix epoch, UTC. An interval that has no start begins at
`OPEN_START`, one that has no end ends at `OPEN_END`; so a point-in-time filter is two comparisons
that an index answers, and never a test for null.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)

OPEN_END = INT64_MAX
OPEN_START = -INT64_MAX
"""One above the least int64: the least itself has no literal in FalkorDB's parser, where the sign
is an operator applied to a number that has overflowed already."""

type Vector = npt.NDArray[np.float32]
"""Shape (dimension,), finite, L2-normalised."""


class Kind(StrEnum):
    """What a row is. The value is stored in tombstones and tokens: never change one."""

    ENTITY = "ENTITY"
    EPISODE = "EPISODE"
    COMMUNITY = "COMMUNITY"
    SAGA = "SAGA"
    FACT = "FACT"
    MENTION = "MENTION"
    MEMBERSHIP = "MEMBERSHIP"
    SAGA_EPISODE = "SAGA_EPISODE"
    NEXT_EPISODE = "NEXT_EPISODE"


KINDS = tuple(Kind)
"""In the order of Kind. Walking the enumeration itself takes five times as long, and every write does it."""
NODE_KINDS = (Kind.ENTITY, Kind.EPISODE, Kind.COMMUNITY, Kind.SAGA)
EDGE_KINDS = (Kind.FACT, Kind.MENTION, Kind.MEMBERSHIP, Kind.SAGA_EPISODE, Kind.NEXT_EPISODE)
TEXT_KINDS = (Kind.ENTITY, Kind.FACT, Kind.EPISODE, Kind.COMMUNITY)
"""Kinds with terms for keyword search and a vector for semantic search."""

ENDPOINT_KINDS: Mapping[Kind, tuple[Kind, Kind]] = {
    Kind.FACT: (Kind.ENTITY, Kind.ENTITY),
    Kind.MENTION: (Kind.EPISODE, Kind.ENTITY),
    Kind.MEMBERSHIP: (Kind.COMMUNITY, Kind.ENTITY),
    Kind.SAGA_EPISODE: (Kind.SAGA, Kind.EPISODE),
    Kind.NEXT_EPISODE: (Kind.EPISODE, Kind.EPISODE),
}
"""Kind of the source and of the target node of each edge kind."""


class EpisodeSource(StrEnum):
    TEXT = "TEXT"
    MESSAGE = "MESSAGE"
    JSON = "JSON"
    FACT_TRIPLE = "FACT_TRIPLE"


@dataclass(frozen=True, slots=True)
class Timestamp:
    """An attribute value that is a point in time; plain int would be taken for a number."""

    epoch_us: int


type AttributeScalar = str | int | float | bool | Timestamp
type AttributeValue = AttributeScalar | tuple[AttributeScalar, ...]
"""A list holds values of one type only. int is an int64."""

type Attributes = Mapping[str, AttributeValue]

_NO_ATTRIBUTES: Attributes = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What every row has. `created_at` and `version` are given by the shard when it commits the write."""

    uuid: str
    """36 characters, canonical lower case; unique within (group, kind)."""
    created_at: int = 0
    version: int = 0
    """The group's version of the write that last touched this row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRow(Row):
    """A row of TEXT_KINDS."""

    terms: str = ""
    """What keyword search finds the row by: the analyser's tokens with repeats, joined by one space."""
    term_count: int = 0
    """Length for BM25: `terms` without what is only there to be found, the letters of bigrams."""
    embedding: Vector | None = None
    """None when the row has no vector or the reader did not ask for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity(TextRow):
    name: str
    summary: str = ""
    labels: tuple[str, ...] = ()
    attributes: Attributes = field(default_factory=lambda: _NO_ATTRIBUTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode(TextRow):
    """A piece of raw input."""

    name: str
    content: str
    source: EpisodeSource = EpisodeSource.TEXT
    source_description: str = ""
    reference_time: int = 0
    """When what the episode tells was so, in world time."""
    attributes: Attributes = field(default_factory=lambda: _NO_ATTRIBUTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Community(TextRow):
    name: str
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saga(Row):
    name: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Closure:
    """One change of a fact's end: with all of them, any earlier state of knowledge can be read again."""

    closed_at: int
    """System time of the change."""
    previous_end: int
    """The fact's `invalid_at` until then."""
    episode_uuid: str
    """The episode that caused the change; empty when a direct write did."""
    fact_uuid: str = ""
    """The fact that begins where this one ended or says that it was never so; empty when the episode told the
    end itself, and when a direct write made the change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge(Row):
    source_uuid: str
    target_uuid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact(Edge):
    """A directed edge between two entities, true from `valid_at` until before `invalid_at`.

    It has the fields of TextRow too: slotted classes cannot inherit from both.
    """

    name: str
    fact: str
    terms: str = ""
    term_count: int = 0
    embedding: Vector | None = None
    episodes: tuple[str, ...] = ()
    """uuids of the episodes that support the fact."""
    valid_at: int = OPEN_START
    invalid_at: int = OPEN_END
    expired_at: int = OPEN_END
    """System time at which the present `invalid_at` was recorded; OPEN_END while the fact is open."""
    closures: tuple[Closure, ...] = ()
    """Ascending by `closed_at`."""
    attributes: Attributes = field(default_factory=lambda: _NO_ATTRIBUTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention(Edge):
    """Episode -> entity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership(Edge):
    """Community -> entity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SagaEpisode(Edge):
    """Saga -> episode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextEpisode(Edge):
    """Episode -> the one that follows it in a saga."""

    saga_uuid: str


type AnyTextRow = Entity | Episode | Community | Fact
type AnyRow = Entity | Episode | Community | Saga | Fact | Mention | Membership | SagaEpisode | NextEpisode

ROW_TYPES: Mapping[Kind, type[Row]] = {
    Kind.ENTITY: Entity,
    Kind.EPISODE: Episode,
    Kind.COMMUNITY: Community,
    Kind.SAGA: Saga,
    Kind.FACT: Fact,
    Kind.MENTION: Mention,
    Kind.MEMBERSHIP: Membership,
    Kind.SAGA_EPISODE: SagaEpisode,
    Kind.NEXT_EPISODE: NextEpisode,
}

KIND_OF: Mapping[type[Row], Kind] = {row_type: kind for kind, row_type in ROW_TYPES.items()}

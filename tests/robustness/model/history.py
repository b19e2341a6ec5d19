"""What the clients sent and were told, and what the shards held in the end.

Times are seconds of the run's clock. A write has one operation id, under which it is sent until it is
answered; every row is an entity or a fact, whose two texts (name and summary, name and fact) carry the token
of the writes that set them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Effect(StrEnum):
    CREATE = "CREATE"
    """Rows that no other write names before this one is acknowledged; refused if they exist."""
    UPSERT = "UPSERT"
    """Sets both texts, whether or not the row exists."""
    PATCH = "PATCH"
    """Sets the second text; refused if the row does not exist."""
    DELETE = "DELETE"
    """Of a row that may be missing; the facts of an entity go with it."""


@dataclass(frozen=True, slots=True)
class Write:
    """What one operation id stands for."""

    op_id: str
    group_id: str
    effect: Effect
    uuids: tuple[str, ...]
    """One for PATCH and DELETE."""
    token: str
    """The text that it writes; no two writes have the same."""
    ends: tuple[str, str] | None = None
    """The rows are facts between these entities, always the same for a fact; CREATE and UPSERT are refused
    if one of them is not there. None: the rows are entities."""
    embeds: bool = False
    """What it puts carries a vector that follows from the token."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a write's caller was told."""

    version: int
    """Of the group."""
    counts: tuple[int, ...]
    """Per row 1 if it was created, else 0; of a deletion one number: the rows that it removed."""
    written_at_us: int = 0
    """0: not told."""


@dataclass(frozen=True, slots=True)
class WriteHistory:
    write: Write
    sent_s: float
    """The first time."""
    answers: tuple[Answer, ...]
    """Of every attempt that was answered with success, the first one first."""
    answered_s: float | None
    """When the first of them came."""
    doubtful: bool
    """An attempt ended without saying whether the write was applied."""
    refusals: tuple[str, ...] = ()
    """Reasons of the attempts that were refused for good."""

    @property
    def acknowledged(self) -> bool:
        return bool(self.answers)

    @property
    def unknown(self) -> bool:
        """It may have been applied or not."""
        return not self.answers and self.doubtful


@dataclass(frozen=True, slots=True)
class RowSeen:
    name: str
    summary: str
    """Of a fact its words."""
    version: int
    """Of the write that last touched the row."""


@dataclass(frozen=True, slots=True)
class Read:
    """A read of one row that was answered, by the row or by its absence."""

    group_id: str
    uuid: str
    min_version: int
    sent_s: float
    answered_s: float
    row: RowSeen | None
    group_version: int | None
    """None: the answer was that there is no such row."""
    too_old: bool = False
    """The gateway found the group older than min_version."""


@dataclass(frozen=True, slots=True)
class GroupSeen:
    """One group at the end, when nothing writes any more."""

    owners: tuple[str, ...]
    """Shards whose fence owns the group."""
    version: int = 0
    rows: Mapping[str, RowSeen] = field(default_factory=dict[str, RowSeen])
    """By uuid."""
    operations: Mapping[str, int] = field(default_factory=dict[str, int])
    """Version that an operation was recorded with, by operation id; those of the history only."""
    rows_counted: int = 0
    """By the fence's own statistics."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a reader of a change feed was told of one row."""

    uuid: str
    version: int
    row: RowSeen | None
    """None: it was deleted."""


@dataclass(frozen=True, slots=True)
class FeedPiece:
    """One answer of a feed."""

    stream: int
    """Number of the call that it came in; each begins at the position of the answer before."""
    after_version: int
    """The reader's position before."""
    position: int
    changes: tuple[Change, ...]
    at_s: float


@dataclass(frozen=True, slots=True)
class Feed:
    """Everything that one reader was sent of one group, to the group's last version."""

    reader: str
    group_id: str
    pieces: tuple[FeedPiece, ...]
    """In their order. A reader that was told to start anew begins again at position 0: its earlier pieces
    are not here."""
    anew: int = 0
    """Times that it was told to."""

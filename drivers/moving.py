"""What a driver does for the move of a group: reading it out, taking it in, changing its fences.

The rows themselves go through the gateway; a driver never talks to another shard. Every call is one atomic
unit on its shard, may be repeated, and is refused (applied False, nothing changed) when the fence is not as
its rule in drivers/fence_changes.py wants it.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from drivers.deadline import Deadline
from drivers.errors import WriteTooHeavy
from drivers.fence import EmbeddingSpec, Fence, GroupRef, KindStats
from drivers.fence_changes import FenceChange, Value
from drivers.graph_model import EDGE_KINDS, NODE_KINDS, AnyRow, Kind
from drivers.reads import Tombstone
from drivers.row_codec import kind_of
from drivers.write_plan import CHARS_PER_WEIGHT, OpRecord, content_weight

PAGE_ROWS_MAX: Final = 1_000
"""Rows of one page of a copy, and of one batch that a target takes in."""


class Other(StrEnum):
    """What a group has beside its rows."""

    TOMBSTONE = "TOMBSTONE"
    OPERATION = "OPERATION"


type Section = Kind | Other

SECTIONS: Final[tuple[Section, ...]] = (*NODE_KINDS, *EDGE_KINDS, Other.TOMBSTONE, Other.OPERATION)
"""The order of a copy: the endpoints of an edge come before it."""

CURSOR_END: Final = "END"
"""The cursor of a copy that is complete."""


@dataclass(frozen=True, slots=True)
class CopyCursor:
    """How far a copy has come: everything of the sections before this one, and of this one up to `after`."""

    section: Section
    after: str = ""
    """uuid of the last row; of a tombstone KIND/uuid; of an operation its op id. Empty: from the start."""

    @property
    def text(self) -> str:
        """As it is kept in the fence. Empty for the very start."""
        return "" if self == COPY_START else f"{self.section}/{self.after}"

    @staticmethod
    def of(text: str) -> "CopyCursor | None":
        """None for CURSOR_END. ValueError for what `text` does not make."""
        if text == CURSOR_END:
            return None
        if not text:
            return COPY_START
        section, _, after = text.partition("/")
        found = [known for known in SECTIONS if known == section]
        if not found:
            raise ValueError(f"{text!r} is no cursor of a copy: it begins with none of {', '.join(SECTIONS)}")
        return CopyCursor(found[0], after)


COPY_START: Final = CopyCursor(SECTIONS[0])


def sections_from(cursor: CopyCursor) -> tuple[CopyCursor, ...]:
    """Where a page may begin: at the cursor, or at the start of a section after it."""
    following = SECTIONS[SECTIONS.index(cursor.section) + 1 :]
    return (cursor, *map(CopyCursor, following))


def after_page(section: Section, keys: Sequence[str], rows_max: int) -> CopyCursor | None:
    """Where a copy goes on after a page with these keys; None: that was all."""
    if len(keys) == rows_max:
        return CopyCursor(section, keys[-1])
    following = SECTIONS[SECTIONS.index(section) + 1 :]
    return CopyCursor(following[0]) if following else None


def arriving_specs(embeddings: Mapping[Kind, EmbeddingSpec]) -> Mapping[Kind, EmbeddingSpec]:
    """The specs that READY gives to a target: take_in puts vectors where a group without specs has them."""
    return {
        kind: EmbeddingSpec(spec.model, spec.dimension, spec.revision) for kind, spec in embeddings.items()
    }


@dataclass(frozen=True, slots=True)
class GroupPage:
    """A piece of a group, vectors included."""

    rows: tuple[AnyRow, ...]
    tombstones: tuple[Tombstone, ...]
    operations: tuple[OpRecord, ...]
    next: CopyCursor | None
    """None: that was all."""
    fence: Fence | None
    """Read last."""


@dataclass(slots=True)
class PageAhead:
    """What one reader knows of the pages to come, from page to page of one copy and never longer: a row that
    is written meanwhile may be missing, for it comes with a round.

    For engines that have no order of keys to read from: there each page would pass over its whole section.
    """

    section: Section | None = None
    start: str = ""
    """The key behind which it knows them."""
    keys: Sequence[str] = ()
    """Ascending."""
    whole: bool = False
    """The section has none behind them."""

    def learn(self, section: Section, start: str, keys: Sequence[str], *, whole: bool) -> None:
        self.section, self.start, self.keys, self.whole = section, start, keys, whole

    def behind(self, section: Section, key: str, keys_max: int) -> Sequence[str] | None:
        """The next ones; None: not known."""
        if section != self.section or key < self.start:
            return None
        at = bisect_right(self.keys, key)
        found = self.keys[at : at + keys_max]
        return found if found or self.whole else None

    def ends_with(self, key: str) -> bool:
        """Whether the section has nothing behind this one."""
        return self.whole and (not self.keys or key >= self.keys[-1])


@dataclass(frozen=True, slots=True)
class GroupChanges:
    """All that changed in a group in (after_version, bound], as drivers.reads.Changes but with vectors always
    and with the operation records."""

    rows: tuple[AnyRow, ...]
    tombstones: tuple[Tombstone, ...]
    operations: tuple[OpRecord, ...]
    bound: int
    fence: Fence | None
    """Read last. prune_floor > after_version means: tombstones are missing, start anew."""


@dataclass(frozen=True, slots=True)
class Intake:
    """A batch for the target, in one unit with the change of its fence (LOAD or APPLY)."""

    change: FenceChange
    given: Mapping[str, Value]
    rows: tuple[AnyRow, ...] = ()
    """Vectors included; each is put, with its own version and created_at, if its version is greater than that
    of the row and of the tombstone that are there."""
    tombstones: tuple[Tombstone, ...] = ()
    """Each takes away the row if its version is greater (of a node also the edges that hang on it), and stays
    unless there is one of a greater version. They go before the rows."""
    operations: tuple[OpRecord, ...] = ()
    """Each is kept if there is none with its op id."""


def intake_weight(intake: Intake) -> int:
    """As drivers.write_plan.write_weight."""
    told = sum(len(record.content_hash) + len(record.result) for record in intake.operations)
    return (
        len(intake.rows)
        + len(intake.tombstones)
        + len(intake.operations)
        + content_weight(intake.rows, intake.rows)
        + told // CHARS_PER_WEIGHT
    )


def check_intake(intake: Intake, shard_id: str, weight_max: int) -> None:
    """Raises WriteTooHeavy for what a shard with this bound (0: none) does not take in at once. One row,
    tombstone or operation always passes."""
    count = len(intake.rows) + len(intake.tombstones) + len(intake.operations)
    assert count <= PAGE_ROWS_MAX, f"{count} rows in one batch, at most {PAGE_ROWS_MAX} are taken in at once"
    weight = intake_weight(intake)
    if 0 < weight_max < weight and count > 1:
        raise WriteTooHeavy(shard_id, weight, weight_max)


def newest_rows(rows: Iterable[AnyRow]) -> dict[Kind, dict[str, AnyRow]]:
    """By kind and uuid the one of each that has the greatest version."""
    found: dict[Kind, dict[str, AnyRow]] = {}
    for row in rows:
        of_kind = found.setdefault(kind_of(row), {})
        if row.uuid not in of_kind or of_kind[row.uuid].version < row.version:
            of_kind[row.uuid] = row
    return found


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of a conditional change."""

    applied: bool
    fence: Fence | None
    """As it is afterwards; None: there is none."""
    homeless: tuple[tuple[Kind, str], ...] = ()
    """Edges of an intake whose endpoint is not there: they were left out."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a target's fence gets beside READY."""

    stats: Mapping[Kind, KindStats] = field(default_factory=dict[Kind, KindStats])


class GroupMoves(Protocol):
    """Part of ShardDriver."""

    async def change_fence(
        self,
        ref: GroupRef,
        change: FenceChange,
        given: Mapping[str, Value],
        deadline: Deadline,
        settlement: Settlement | None = None,
    ) -> Changed:
        """Under the fence's lock. A change that is done already is refused like any other that does not fit:
        the caller looks at the fence that it gets. Reading a fence under its lock is `locked_fence`."""
        ...

    async def locked_fence(self, ref: GroupRef, deadline: Deadline) -> Fence | None:
        """Every commit up to its version is wholly visible to later reads."""
        ...

    async def read_page(
        self,
        ref: GroupRef,
        cursor: CopyCursor,
        rows_max: int,
        deadline: Deadline,
        ahead: PageAhead | None = None,
    ) -> GroupPage:
        """The next rows of one section at a time, in the order of their keys; sections without rows are
        passed over. `rows_max` at most PAGE_ROWS_MAX. Not a snapshot of the group: what changes meanwhile is
        for the rounds to bring. Who reads many pages gives the same `ahead` with each."""
        ...

    async def read_changes(
        self, ref: GroupRef, after_version: int, rows_max: int, deadline: Deadline, seen_version: int = 0
    ) -> GroupChanges:
        """In ascending version, never cut inside one; the bound is read under the lock before the scan.
        `seen_version`: of the group, as the caller last saw it; a hint of how much there is, 0: none."""
        ...

    async def take_in(self, ref: GroupRef, intake: Intake, deadline: Deadline) -> Changed:
        """Nodes before edges. `rows`, `tombstones` and `operations` together at most PAGE_ROWS_MAX, their
        intake_weight at most write_weight_max, else WriteTooHeavy: the caller splits. An edge that comes with
        other endpoints than the stored one has takes its place. The statistics of the fence stay as they are:
        READY brings them."""
        ...

    async def wipe(
        self, ref: GroupRef, token: int, move_id: str, rows_max: int, deadline: Deadline
    ) -> int | None:
        """Deletes up to `rows_max` rows, tombstones or operation records of a group whose fence is WIPING
        with that token and move_id, or TOMB (token and move_id are not looked at then); how many it deleted,
        fewer: none are left. None: the fence is not so. Vector slots of the group go with its first rows."""
        ...

    async def ensure_space(self, space: str, deadline: Deadline) -> None:
        """Makes the container of a group that gets its own, with its indexes, and waits for them. Idempotent.
        Does nothing for POOLED and on an engine without spaces."""
        ...

    async def drop_space(self, space: str, deadline: Deadline) -> bool:
        """Removes a container in which nothing is left but TOMB fences, and these; whether it did. Only
        after no pointer leads there any more. Never the pooled one; on an engine without spaces never."""
        ...

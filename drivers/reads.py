"""Rows by name, by page and by version: what is asked of a group, and what comes with its fence."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from drivers.fence import Fence
from drivers.graph_model import AnyRow, Kind

ROWS_PER_READ_MAX = 1_000


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
    closed_by_facts: tuple[str, ...] | None = None
    """With an EPISODE anchor of FACT rows, if given: not what the episode states, but the facts of which a
    closure names the episode or one of these facts. Found by one pass over the group's facts, too."""
    up_to_version: int | None = None
    """Not the rows that were written later."""


@dataclass(frozen=True, slots=True)
class RowsRead:
    """Rows in the order asked for (get: the order of the uuids, missing ones left out)."""

    rows: tuple[AnyRow, ...]
    fence: Fence | None


@dataclass(frozen=True, slots=True)
class VersionsRead:
    versions: Mapping[str, int]
    """By uuid, in the order asked for."""
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

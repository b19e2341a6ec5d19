"""What a caller wants written, free of transport and of how a shard does it."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from drivers.graph_model import AnyRow, Closure, Kind

_UUID_NAMESPACE = uuid.UUID("5c3d6f0e-5d0b-5a53-9d5e-6d2a3c1f7b11")


AT_WRITE = 0
"""Where a system time is to be that of the write itself: closed_at of given closures, expired_at beside
them."""


class WriteMode(StrEnum):
    CREATE = "CREATE"
    UPSERT = "UPSERT"
    PATCH = "PATCH"


@dataclass(frozen=True, slots=True)
class RowChange:
    row: AnyRow
    """As given: terms are made by the planner; embedding None means that none was given."""
    merge_episodes: bool = False
    """FACT only: the stored episodes are kept and the given ones join them."""
    closures: tuple[Closure, ...] | None = None
    """FACT only: all that are recorded of the fact from now on, in the place of what follows from a change of
    its end; row.expired_at counts then, too. For ingestion, which knows more than one cause at a time. None:
    the stored ones, and one more if the end changes."""


@dataclass(frozen=True, slots=True)
class RowCondition:
    kind: Kind
    uuid: str
    version: int
    """0: the row must not exist. The row is one of the intent's changes or deletions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteIntent:
    """One atomic write of one group. Each (kind, uuid) occurs at most once in changes and deletions."""

    group_id: str
    op_id: str
    content_hash: str
    mode: WriteMode = WriteMode.UPSERT
    changes: tuple[RowChange, ...] = ()
    deletions: tuple[tuple[Kind, str], ...] = ()
    masks: Mapping[Kind, frozenset[str]] = field(default_factory=dict[Kind, frozenset[str]])
    """PATCH only: the fields that change, by kind."""
    allow_missing: bool = False
    """Deletions of rows that do not exist are no error."""
    if_version: int | None = None
    conditions: tuple[RowCondition, ...] = ()
    cascade: Mapping[Kind, frozenset[str]] = field(default_factory=dict[Kind, frozenset[str]])
    """By kind the uuids of the edges that deleted nodes may take along; with another one of these kinds the
    write is refused as if a row condition did not hold. Of other kinds: whatever hangs on them."""
    embedding_model: str = ""
    """Model of the given embeddings; empty: the gateway's own."""
    episode_uuid: str = ""
    """The episode that causes the write, recorded with the closures of facts."""
    note: str = ""
    """Kept in the record of the write, for whoever finds it done."""
    validate_only: bool = False


def row_uuid(group_id: str, op_id: str, kind: Kind, position: int) -> str:
    """uuid of a row that came without one: a retry of the same operation gives the same."""
    return str(uuid.uuid5(_UUID_NAMESPACE, f"{group_id}/{op_id}/{kind}/{position}"))


def edge_uuid(kind: Kind, *ends: str) -> str:
    """uuid of an edge that its ends identify (mentions, memberships, places in sagas)."""
    return str(uuid.uuid5(_UUID_NAMESPACE, "/".join((str(kind), *ends))))

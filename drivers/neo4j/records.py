"""Values of result records as rows, vectors, fences and operation records."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from drivers.fence import EmbeddingSpec, Fence
from drivers.fence_codec import decode_fence
from drivers.graph_model import AnyRow, Kind, Vector
from drivers.reads import Tombstone
from drivers.row_codec import COLUMNS, LABEL, decode
from drivers.write_plan import OpRecord

KIND_OF_LABEL: Mapping[str, Kind] = {label: kind for kind, label in LABEL.items()}

_COLUMN_SETS = {kind: frozenset(columns) for kind, columns in COLUMNS.items()}
_NEEDED = frozenset(
    {
        "uuid",
        "created_at",
        "version",
        "source_uuid",
        "target_uuid",
        "source",
        "reference_time",
        "valid_at",
        "invalid_at",
        "expired_at",
        "saga_uuid",
    }
)
"""Columns for which decode has no empty value."""

DEFAULT_SLOT = EmbeddingSpec("", 0).slot


def slot_of(embeddings: Mapping[Kind, EmbeddingSpec] | None, kind: Kind) -> str:
    """The property that holds the vectors of a kind."""
    spec = embeddings.get(kind) if embeddings else None
    return DEFAULT_SLOT if spec is None else spec.slot


def fence(values: Sequence[Any] | None) -> Fence | None:
    return None if values is None else decode_fence(values)


def fences(found: Iterable[Sequence[Any]]) -> dict[str, Fence]:
    """By group_id."""
    return {decoded.group_id: decoded for decoded in map(decode_fence, found)}


def operation(values: Sequence[Any] | None) -> OpRecord | None:
    return None if values is None else OpRecord(*values)


def operations(found: Iterable[Sequence[Any]]) -> list[OpRecord]:
    """Those with a gap are being made (or deleted) and are left out."""
    return [OpRecord(*values) for values in found if None not in values]


def tombstones(found: Iterable[Sequence[Any]]) -> list[Tombstone]:
    """As `operations`."""
    return [
        Tombstone(Kind(kind), uuid, version)
        for kind, uuid, version in found
        if None not in (kind, uuid, version)
    ]


def has_gaps(kind: Kind, found: Iterable[Any]) -> bool:
    """Whether a row (see `rows`) lacks a property: it is being deleted, and was read half-way."""
    columns = _COLUMN_SETS[kind]
    return any(not _whole(row, columns) for row in found)


def rows(kind: Kind, found: Iterable[Any], of: Fence | None, with_vectors: bool) -> list[AnyRow]:
    """Rows from lists of COLUMNS[kind], or from whole property maps when they have vectors. Rows that lack
    what no row can be without are left out: they are being deleted."""
    columns = COLUMNS[kind]
    needed = [columns.index(column) for column in columns if column in _NEEDED]
    slot = slot_of(of.embeddings if of is not None else None, kind)
    decoded: list[AnyRow] = []
    for row in found:
        values = [row.get(column) for column in columns] if with_vectors else row
        if all(values[place] is not None for place in needed):
            decoded.append(decode(kind, values, vector(row.get(slot)) if with_vectors else None))
    return decoded


def _whole(row: Sequence[Any] | Mapping[str, Any], columns: frozenset[str]) -> bool:
    return row.keys() >= columns if isinstance(row, Mapping) else None not in row


def vector(values: Sequence[float] | None) -> Vector | None:
    return None if values is None else np.array(values, dtype=np.float32)

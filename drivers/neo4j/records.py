"""Values of result records as rows, vectors, fences and operation records."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from drivers.contract import EmbeddingSpec, Fence, OpRecord
from drivers.fence_codec import decode_fence
from drivers.graph_model import AnyRow, Kind, Vector
from drivers.row_codec import COLUMNS, LABEL, decode

KIND_OF_LABEL: Mapping[str, Kind] = {label: kind for kind, label in LABEL.items()}

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


def rows(kind: Kind, found: Iterable[Any], of: Fence | None, with_vectors: bool) -> list[AnyRow]:
    """Rows from lists of COLUMNS[kind], or from whole property maps when they have vectors."""
    if not with_vectors:
        return [decode(kind, values) for values in found]
    slot = slot_of(of.embeddings if of is not None else None, kind)
    return [
        decode(kind, [properties.get(column) for column in COLUMNS[kind]], vector(properties.get(slot)))
        for properties in found
    ]


def vector(values: Sequence[float] | None) -> Vector | None:
    return None if values is None else np.array(values, dtype=np.float32)

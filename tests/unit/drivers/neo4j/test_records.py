"""Rows as the engine returns them, also half-way through their deletion."""

from typing import Any

import numpy as np
import pytest

from drivers.fence import EmbeddingSpec, Fence, FenceState
from drivers.graph_model import OPEN_END, AnyRow, Entity, Fact, Kind, NextEpisode
from drivers.neo4j import records
from drivers.row_codec import COLUMNS, encode, kind_of

ROWS: list[AnyRow] = [
    Entity(uuid="e", name="", created_at=1, version=2),
    Fact(uuid="f", name="n", fact="t", source_uuid="a", target_uuid="b", created_at=1, version=2),
    NextEpisode(uuid="n", source_uuid="a", target_uuid="b", saga_uuid="s", created_at=1, version=2),
]
FENCE = Fence("g", 1, FenceState.OPEN, embeddings={Kind.ENTITY: EmbeddingSpec("m", 2, slot="own")})


def _properties(row: AnyRow) -> dict[str, Any]:
    return {**encode("g", row), "created_at": 1, "version": 2}


def _values(row: AnyRow) -> list[Any]:
    properties = _properties(row)
    return [properties[column] for column in COLUMNS[kind_of(row)]]


@pytest.mark.parametrize("row", ROWS, ids=kind_of)
def test_a_whole_row_comes_back(row: AnyRow) -> None:
    """Both forms decode to the row that was stored, and have no gaps, however empty the row is."""
    kind = kind_of(row)
    for with_vectors, found in ((False, _values(row)), (True, _properties(row))):
        assert not records.has_gaps(kind, [found])
        assert records.rows(kind, [found], None, with_vectors) == [row]


@pytest.mark.parametrize("row", ROWS, ids=kind_of)
def test_a_row_without_any_one_property_has_a_gap(row: AnyRow) -> None:
    """Whichever property is gone already, the read is known to be half-way."""
    kind = kind_of(row)
    for place, column in enumerate(COLUMNS[kind]):
        values = _values(row)
        values[place] = None
        properties = _properties(row)
        del properties[column]
        assert records.has_gaps(kind, [_values(row), values])
        assert records.has_gaps(kind, [_properties(row), properties])


def test_what_has_vanished_is_left_out() -> None:
    """A row of which nothing or too little is left is no row; one without a text keeps its empty value."""
    whole, gone = _values(ROWS[1]), [None] * len(COLUMNS[Kind.FACT])
    no_end, no_name = list(whole), list(whole)
    no_end[COLUMNS[Kind.FACT].index("invalid_at")] = None
    no_name[COLUMNS[Kind.FACT].index("name")] = None
    found = records.rows(Kind.FACT, [gone, whole, no_end, no_name], None, with_vectors=False)
    assert [(row.uuid, row.name, row.invalid_at) for row in found if isinstance(row, Fact)] == [
        ("f", "n", OPEN_END),
        ("f", "", OPEN_END),
    ]


def test_the_vector_is_in_the_slot_that_the_fence_names() -> None:
    """A group's own slot, or the default one without a fence or a spec."""
    found = _properties(ROWS[0]) | {"own": [1.0, 0.0], "vector": [0.0, 1.0]}
    for fence, expected in ((FENCE, [1.0, 0.0]), (None, [0.0, 1.0])):
        (row,) = records.rows(Kind.ENTITY, [found], fence, with_vectors=True)
        assert isinstance(row, Entity)
        assert row.embedding is not None
        assert row.embedding.dtype == np.float32
        assert row.embedding.tolist() == expected

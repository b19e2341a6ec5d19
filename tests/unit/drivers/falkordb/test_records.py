"""Replies in the compact format."""

from typing import Any

import numpy as np
import pytest

from drivers.falkordb.records import plain, records


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ([1, None], None),
        ([2, "text"], "text"),
        ([3, -5], -5),
        ([4, "true"], True),
        ([4, "false"], False),
        ([5, "1e-07"], 1e-7),
        ([5, 0.25], 0.25),
        ([6, []], []),
        ([6, [[2, "a"], [6, [[3, 1], [1, None]]]]], ["a", [1, None]]),
        ([10, ["k", [3, 1], "l", [6, [[2, "x"]]]]], {"k": 1, "l": ["x"]}),
    ],
)
def test_each_type_of_cell(cell: list[Any], value: object) -> None:
    """Types come back as Python's own."""
    assert plain(cell) == value
    assert type(plain(cell)) is type(value)


def test_a_vector_is_an_array_of_float32() -> None:
    """Vectors are read as they are stored, whether numbers come as doubles or as texts."""
    for values in ([0.5, -0.25], ["0.5", "-0.25"]):
        found = plain([12, values])
        assert found.dtype == np.float32
        assert found.tolist() == [0.5, -0.25]


def test_an_unknown_type_of_cell_is_refused() -> None:
    """Nodes, edges and paths are never asked for."""
    with pytest.raises(ValueError, match="type 8"):
        plain([8, []])


def test_rows_are_the_second_part_of_a_reply() -> None:
    """A reply is header, rows and statistics; one that has no rows has statistics alone."""
    assert records([[[1, "a"]], [[[3, 1]], [[3, 2]]], ["Cached execution: 1"]]) == [[1], [2]]
    assert records([[[1, "a"]], [], ["Cached execution: 1"]]) == []
    assert records([["Indices created: 1"]]) == []

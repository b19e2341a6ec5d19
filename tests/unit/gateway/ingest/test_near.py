"""How a group is asked for the rows nearest to vectors."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
import pytest

from drivers.deadline import Deadline
from drivers.filters import RowFilter
from drivers.graph_model import Kind, Vector
from gateway.ingest.pipeline.group_reads import (
    NEAR_AT_ONCE_MAX,
    NEAREST_ROWS_MAX,
    GroupReads,
    GroupView,
)

VECTORS = [np.array([at, 1], np.float32) for at in range(20)]
OF_ENDS = [RowFilter(end_uuids=(str(at),)) for at in range(20)]


class Reads(GroupReads):
    """Finds for each vector the row of its number, and one that all are near to."""

    def __init__(self) -> None:
        super().__init__(cast("Any", None), cast("Any", None), "g", Deadline.after(30))
        self.passes = 0
        self.parts: list[list[RowFilter]] = []

    async def _over_all_rows(
        self, kind: Kind, vectors: Sequence[Vector], limit: int, score_min: float
    ) -> Sequence[str]:
        self.passes += 1
        return ["hub", *(str(int(one[0])) for one in vectors)]

    async def _one_by_one(
        self, kind: Kind, asked: Iterable[tuple[Vector, RowFilter]], limit: int, score_min: float
    ) -> Sequence[str]:
        part = list(asked)
        self.parts.append([narrowed for _, narrowed in part])
        return [uuid for vector, _ in part for uuid in ("hub", str(int(vector[0])))]


@pytest.mark.parametrize(
    ("rows", "filters", "passes"),
    [
        (NEAREST_ROWS_MAX, None, 1),
        (NEAREST_ROWS_MAX + 1, None, 0),
        (NEAREST_ROWS_MAX, OF_ENDS, 0),
    ],
    ids=["small", "large", "filtered"],
)
async def test_a_small_group_is_passed_over_and_a_large_one_searched(
    monkeypatch: pytest.MonkeyPatch, rows: int, filters: Sequence[RowFilter] | None, passes: int
) -> None:
    """Either way every vector has its rows, each is named once, and few searches run at once."""
    monkeypatch.setattr(GroupView, "rows", lambda _view, _kind: rows)  # pyright: ignore[reportUnknownLambdaType]
    reads = Reads()
    found = await reads.near(GroupView(), Kind.FACT, VECTORS, 5, 0.6, filters)
    assert sorted(found) == sorted(["hub", *map(str, range(20))])
    assert reads.passes == passes
    assert len(reads.parts) <= NEAR_AT_ONCE_MAX
    asked = [one for part in reads.parts for one in part]
    assert asked == ([] if passes else list(filters or [RowFilter()] * 20))


async def test_no_vector_is_no_search() -> None:
    """Nor of a group that is not there."""
    reads = Reads()
    assert await reads.near(GroupView(), Kind.FACT, [], 5, 0.6, []) == []
    assert reads.parts == []

"""Pages of a copy that are read while others write: no row in them has parts of two writes."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from drivers.deadline import Deadline
from drivers.errors import ShardUnavailable
from drivers.fence import Fence, FenceState, GroupRef
from drivers.fence_codec import FENCE_COLUMNS, encode_fence
from drivers.graph_model import AnyRow, Entity, Kind
from drivers.moving import COPY_START
from drivers.neo4j.client import Neo4jClient
from drivers.neo4j.moving import Moving
from drivers.neo4j.reads import Reads
from drivers.neo4j.slots import Slots
from drivers.reads import ListQuery, RowsRead

REF = GroupRef("g")
LEFT, RIGHT = (f"{n}" * 36 for n in "ab")


class Writing:
    """Client and reads of a group. The first lock of its fence finds version 10; the page then has a row that
    is newer. `later` has what each further lock finds, and what the row is after it."""

    shard_id = "s"

    def __init__(self, state: FenceState, later: Sequence[tuple[int, AnyRow | None]]) -> None:
        self._state = state
        self._locked = [10, *(version for version, _ in later)]
        self._fetched = [row for _, row in later]
        self.fetched: list[Sequence[str]] = []

    async def repeatable(
        self, text: str, parameters: Mapping[str, Any], what: str, deadline: Deadline
    ) -> Any:
        properties = encode_fence(self._fence(self._locked.pop(0)))
        return [[[properties[name] for name in FENCE_COLUMNS]]]

    async def list_rows(self, ref: GroupRef, query: ListQuery, deadline: Deadline) -> RowsRead:
        rows = (_row(LEFT, 9, "whole"), _row(RIGHT, 11, "torn"))
        return RowsRead(rows[: query.limit], self._fence(11))

    async def fetch_rows(
        self, kind: Kind, wanted: Mapping[GroupRef, Sequence[str]], with_vectors: bool, deadline: Deadline
    ) -> Mapping[str, RowsRead]:
        self.fetched.append(wanted[REF])
        row = self._fetched.pop(0)
        return {REF.group_id: RowsRead(() if row is None else (row,), self._fence(99))}

    def _fence(self, version: int) -> Fence:
        return Fence(REF.group_id, 1, self._state, version)


def _row(uuid: str, version: int, name: str) -> Entity:
    return Entity(uuid=uuid, version=version, name=name)


async def _page(world: Writing) -> dict[str, str]:
    moving = Moving(cast("Neo4jClient", world), cast("Reads", world), cast("Slots", None))
    page = await moving.read_page(REF, COPY_START, 2, Deadline.after(30))
    return {row.uuid: cast("Entity", row).name for row in page.rows}


async def test_a_row_that_is_newer_than_the_locked_fence_is_read_anew() -> None:
    """Until it is of a version that the lock has seen: only that row, in its place."""
    world = Writing(FenceState.OPEN, [(11, _row(RIGHT, 12, "torn")), (12, _row(RIGHT, 12, "whole"))])
    assert await _page(world) == {LEFT: "whole", RIGHT: "whole"}
    assert world.fetched == [[RIGHT], [RIGHT]]


async def test_a_row_that_is_gone_meanwhile_is_left_out() -> None:
    world = Writing(FenceState.OPEN, [(12, None)])
    assert await _page(world) == {LEFT: "whole"}


@pytest.mark.parametrize(
    "state", [FenceState.FROZEN, FenceState.MOVED, FenceState.INCOMING, FenceState.READY]
)
async def test_where_nobody_writes_rows_may_be_newer_than_the_fence(state: FenceState) -> None:
    """A target's rows are newer than its fence until READY."""
    world = Writing(state, [])
    assert await _page(world) == {LEFT: "whole", RIGHT: "torn"}
    assert world.fetched == []


async def test_a_row_that_never_settles_ends_the_page() -> None:
    """With an error that may pass, not with a torn row and not never."""
    later = [(10 + n, _row(RIGHT, 11 + n, "torn")) for n in range(1, 60)]
    world = Writing(FenceState.OPEN, later)
    with pytest.raises(ShardUnavailable):
        await _page(world)
    assert 1 < len(world.fetched) < 60

"""The comparison of two copies: what counts as a difference, and that every difference is found."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from drivers.deadline import Deadline
from drivers.fence import POOLED, Fence, FenceState, GroupRef
from drivers.graph_model import AnyRow, Entity, Kind, Timestamp, Vector
from drivers.moving import CopyCursor, GroupPage, PageAhead
from drivers.row_codec import kind_of
from shard_router.errors import MoveRefused
from shard_router.moves import digest
from shard_router.moves.digest import GroupCopy, VerifyReport, VerifyRequest, item_digest, verify
from tests.contract.rows import entity, fact, random_vector
from tests.model_driver import ModelDriver
from tests.model_group import GroupState, every_kind
from tests.unit.shard_router.moves.move_world import World

ROWS = 60
GENERATOR = np.random.default_rng(5)


def group(rows: list[AnyRow]) -> GroupState:
    state = GroupState(Fence("g", 1, FenceState.OPEN, version=ROWS, stats=every_kind({})))
    for row in rows:
        vector = getattr(row, "embedding", None)
        if vector is not None:
            state.vectors[kind_of(row), row.uuid, "vector"] = vector
            row = replace(row, embedding=None)  # noqa: PLW2901
        state.rows[kind_of(row), row.uuid] = row
    return state


def rows_of(count: int) -> list[AnyRow]:
    nodes: list[AnyRow] = [
        entity(f"e{n}", embedding=random_vector(GENERATOR, 4), version=n, labels=("B", "A"))
        for n in range(count)
    ]
    return [*nodes, *(fact(a.uuid, b.uuid, "f") for a, b in pairwise(nodes))]


async def compared(
    left: GroupState, right: GroupState, *, as_copy: bool = False, most: int = 100
) -> VerifyReport:
    world = World(1)
    world.shards["A"].groups = {(POOLED, "g"): left}
    world.shards["B"].groups = {(POOLED, "g"): right}
    request = VerifyRequest(GroupCopy("A", "g"), GroupCopy("B", "g"), most, as_copy)
    task = world.spawn(verify(world, request, world.settings, Deadline.after(1_000)))
    await world.run_until(task.done)
    await world.close()
    return task.result()


def nudged(vector: Vector | None) -> Vector:
    assert vector is not None
    return np.nextafter(vector, np.float32(2))


ALIKE: dict[str, Callable[[Entity], Entity]] = {
    "labels in another order": lambda row: replace(row, labels=tuple(reversed(row.labels))),
    "attributes in another order": lambda row: replace(
        row, attributes=dict(list(row.attributes.items())[::-1])
    ),
    "another version": lambda row: replace(row, version=99, created_at=99),
}
UNLIKE: dict[str, Callable[[Entity], Entity]] = {
    "text": lambda row: replace(row, name="another"),
    "a number that is a float": lambda row: replace(row, attributes={**row.attributes, "n": 1.0}),
    "a time that is a number": lambda row: replace(row, attributes={**row.attributes, "t": 5}),
    "a truth value that is a number": lambda row: replace(row, attributes={**row.attributes, "b": 1}),
    "an attribute less": lambda row: replace(row, attributes={}),
    "a label more": lambda row: replace(row, labels=(*row.labels, "C")),
    "one bit of a vector": lambda row: replace(row, embedding=nudged(row.embedding)),
    "no vector": lambda row: replace(row, embedding=None),
}
ROW = entity(
    "name",
    embedding=random_vector(GENERATOR, 4),
    labels=("B", "A"),
    attributes={"n": 1, "t": Timestamp(5), "b": True, "l": ("x", "y")},
)


@pytest.mark.parametrize("name", ALIKE)
def test_rows_that_are_alike_have_one_digest(name: str) -> None:
    assert item_digest(ALIKE[name](ROW), as_copy=False) == item_digest(ROW, as_copy=False)


@pytest.mark.parametrize("name", UNLIKE)
def test_rows_that_differ_have_two_digests(name: str) -> None:
    assert item_digest(UNLIKE[name](ROW), as_copy=False) != item_digest(ROW, as_copy=False)


def test_a_copy_has_the_same_versions_too() -> None:
    assert item_digest(replace(ROW, version=7), as_copy=True) != item_digest(ROW, as_copy=True)


async def test_equal_groups_are_equal() -> None:
    rows = rows_of(ROWS)
    report = await compared(group(rows), group(rows), as_copy=True)
    assert report.equal
    assert report.left_rows == report.right_rows == len(rows)


async def test_every_difference_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when few keys fit into memory at once."""
    monkeypatch.setattr(digest, "KEYS_MAX", 10)
    rng = Random(3)
    rows = rows_of(ROWS)
    left, right = group(rows), group(rows)
    keys = rng.sample(sorted(left.rows), 30)
    for key in keys[:10]:
        del right.rows[key]
    for key in keys[10:20]:
        del left.rows[key]
    for key in keys[20:]:
        right.rows[key] = replace(right.rows[key], name="another")  # pyright: ignore[reportCallIssue]
    report = await compared(left, right)
    assert {(d.section, d.key) for d in report.missing} == set(keys[:10])
    assert {(d.section, d.key) for d in report.extra} == set(keys[10:20])
    assert {(d.section, d.key) for d in report.different} == set(keys[20:])
    assert report.differences == 30


async def test_all_are_counted_and_some_are_named() -> None:
    rows = rows_of(ROWS)
    report = await compared(group(rows), group([]), most=3)
    assert (len(report.missing), report.missing_total) == (3, len(rows))


async def test_tombstones_and_operations_are_compared_of_a_copy() -> None:
    left, right = group(rows_of(3)), group([])
    right.rows, right.vectors = dict(left.rows), dict(left.vectors)
    left.tombstones[Kind.FACT, "gone"] = 2
    assert (await compared(left, right)).equal
    report = await compared(left, right, as_copy=True)
    assert [d.key for d in report.missing] == ["FACT/gone"]


async def test_a_copy_that_is_not_there_is_refused() -> None:
    with pytest.raises(MoveRefused):
        await compared(group([]), GroupState())


async def test_a_driver_may_pass_over_empty_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page shows belongs to its own section, not to the one that was asked for."""
    read_page = ModelDriver.read_page

    async def eager(
        self: ModelDriver,
        ref: GroupRef,
        cursor: CopyCursor,
        rows_max: int,
        deadline: Deadline,
        ahead: PageAhead | None = None,
    ) -> GroupPage:
        page = await read_page(self, ref, cursor, rows_max, deadline, ahead)
        while not (page.rows or page.tombstones or page.operations) and page.next is not None:
            page = await read_page(self, ref, page.next, rows_max, deadline, ahead)
        return page

    monkeypatch.setattr(ModelDriver, "read_page", eager)
    rows = rows_of(ROWS)
    left, right = group(rows), group(rows)
    left.tombstones[Kind.SAGA, "gone"] = right.tombstones[Kind.SAGA, "gone"] = 2
    assert (await compared(left, right, as_copy=True)).equal
    last = next(key for key in right.rows if key[0] is Kind.FACT)
    right.rows.pop(last)
    report = await compared(left, right, as_copy=True)
    assert [(d.section, d.key) for d in report.missing] == [last]
    assert report.differences == 1

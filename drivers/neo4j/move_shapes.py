"""The part of query_shapes.py that is about moves."""

from collections.abc import Iterator, Mapping

from drivers.example_group import ExampleGroup
from drivers.fence_changes import LOAD, OPEN_UP, Value
from drivers.graph_model import Kind
from drivers.moving import SECTIONS, Intake, Other
from drivers.neo4j import move_parameters, queries_moving, queries_read
from drivers.neo4j.index_names import FENCE, OPERATION, TOMBSTONE, unique
from drivers.query_plan import QueryShape, shape_name
from drivers.reads import Tombstone

LIMIT = 100

IN_ORDER_OF_THE_TEXT = ("CartesianProduct",)
"""Never in a statement whose parts must run one after the other: fences first in images, else last."""


def move_shapes(example: ExampleGroup) -> Iterator[QueryShape]:
    """All for a move that the group has not: so nothing is changed."""
    group_id = example.ref.group_id
    no_move: Mapping[str, Value] = {"token": -1, "move_id": "explain", "epoch": -1}
    first_pk, end_pk = group_id + queries_read.FIRST_PK_SUFFIX, group_id + queries_read.END_PK_SUFFIX
    yield QueryShape(
        name="locked-fence",
        text=queries_moving.LOCKED_FENCE,
        parameters={"group_id": group_id},
        indexes=(FENCE,),
        writes=True,
    )
    for name, text in (
        ("change-fence", queries_moving.CHANGE_FENCE),
        ("change-or-make-fence", queries_moving.CHANGE_OR_MAKE_FENCE),
    ):
        yield QueryShape(
            name=name,
            text=text,
            parameters={
                "group_id": group_id,
                "rule": move_parameters.rule(OPEN_UP, no_move),
                "blank": move_parameters.BLANK,
            },
            indexes=(FENCE,),
            writes=True,
        )
    batch = Intake(
        LOAD,
        {**no_move, "cursor": "", "cursor_after": "", "owner_prune_floor": 0},
        rows=tuple(row for rows in example.rows.values() for row in rows),
        tombstones=tuple(Tombstone(kind, example.uuids(kind)[0], 0) for kind in Kind),
    )
    yield QueryShape(
        name="take-in",
        text=queries_moving.TAKE_IN,
        parameters=move_parameters.intake(group_id, batch),
        indexes=(FENCE, OPERATION, TOMBSTONE, *map(unique, Kind)),
        never=IN_ORDER_OF_THE_TEXT,
        writes=True,
    )
    for other, index in ((Other.TOMBSTONE, TOMBSTONE), (Other.OPERATION, OPERATION)):
        yield QueryShape(
            name=shape_name("page", other),
            text=queries_moving.others_text(other),
            parameters={"group_id": group_id, "after_pk": first_pk, "end_pk": end_pk, "limit": LIMIT},
            indexes=(index, FENCE),
            never=("Sort", "Top"),
        )
    for section in SECTIONS:
        match section:
            case Other.TOMBSTONE:
                index = TOMBSTONE
            case Other.OPERATION:
                index = OPERATION
            case kind:
                index = unique(kind)
        yield QueryShape(
            name=shape_name("wipe", section),
            text=queries_moving.wipe_text(section),
            parameters={
                "group_id": group_id,
                "token": -1,
                "move_id": "explain",
                "first_pk": first_pk,
                "end_pk": end_pk,
                "rows_max": LIMIT,
            },
            indexes=(FENCE, index),
            writes=True,
        )

"""The part of query_shapes.py that is about moves."""

from collections.abc import Iterator, Mapping

from drivers.example_group import ExampleGroup, new_rows
from drivers.falkordb import queries_moving
from drivers.falkordb.moving import compose_intake
from drivers.falkordb.parameters import Parameter
from drivers.falkordb.write import DEFAULT_SLOT, operation_parameters
from drivers.fence import Fence, FenceState
from drivers.fence_changes import FENCE_CHANGES, LOAD, FenceChange, Value
from drivers.fence_codec import encode_fence, encode_stats
from drivers.graph_model import Kind
from drivers.moving import Intake, Other
from drivers.query_plan import QueryShape, shape_name
from drivers.reads import Tombstone
from drivers.write_plan import OpRecord

FENCE = "range:_Fence(group_id)"
_LIMIT = 100
_NUMBERS = ("token", "epoch", "version", "applied", "last_created_at", "created_at")


def move_shapes(example: ExampleGroup) -> Iterator[QueryShape]:
    """All for a move that the group has not: what they change is nothing."""
    yield from _changes(example)
    yield from _intakes(example)
    yield from _pages(example)
    yield from _wipes(example)


def _no_move(change: FenceChange) -> Mapping[str, Value]:
    return {
        name: -1 if name in _NUMBERS or name.endswith(("_epoch", "_floor", "applied_after")) else "explain"
        for name in change.parameters
    }


def _changes(example: ExampleGroup) -> Iterator[QueryShape]:
    group_id = example.ref.group_id
    blank = encode_fence(Fence(group_id, 0, FenceState.WIPING))
    for change in FENCE_CHANGES:
        parameters: dict[str, Parameter] = {"group": group_id, "given": _no_move(change)}
        parameters |= {"stats": encode_stats({}), "made": {**blank, "state": queries_moving.NO_STATE}}
        for settles in (False, True):
            text = queries_moving.change_text(change, settles=settles)
            yield QueryShape(
                name=shape_name("change-fence", change.name, "settling" * settles),
                text=text,
                parameters=parameters,
                indexes=(FENCE,),
                writes=True,
            )


def _intakes(example: ExampleGroup) -> Iterator[QueryShape]:
    group_id = example.ref.group_id
    intake = Intake(
        LOAD,
        _no_move(LOAD),
        rows=tuple(new_rows()),
        tombstones=tuple(Tombstone(kind, example.uuids(kind)[0], 0) for kind in Kind),
        operations=(OpRecord("explain", "none", ""),),
    )
    shape, parameters = compose_intake(group_id, intake)
    yield QueryShape(
        name="take-in",
        text=queries_moving.intake_text(shape, DEFAULT_SLOT),
        parameters=parameters,
        indexes=(
            FENCE,
            "range:_Op(key)",
            "range:_Tombstone(pk)",
            *(f"range:{kind}(pk)" for kind in Kind),
        ),
        writes=True,
    )


def _pages(example: ExampleGroup) -> Iterator[QueryShape]:
    """Those of rows are in the lists of query_shapes.py."""
    group_id = example.ref.group_id
    yield QueryShape(
        name=shape_name("page", Other.OPERATION, "ids"),
        text=queries_moving.OPERATION_IDS,
        parameters={"group": group_id, "after": "", "limit": _LIMIT},
        indexes=("range:_Op(group_id)", FENCE),
    )
    yield QueryShape(
        name=shape_name("page", Other.OPERATION, "by-ids"),
        text=queries_moving.OPERATIONS,
        parameters={"group": group_id, "operations": [operation_parameters(group_id, "")]},
        indexes=("range:_Op(key)", FENCE),
    )
    for other, label, text in (
        (Other.TOMBSTONE, "_Tombstone", queries_moving.TOMBSTONE_PAGE),
        (Other.OPERATION, "_Op", queries_moving.OPERATION_PAGE),
    ):
        yield QueryShape(
            name=shape_name("page", other),
            text=text,
            parameters={"group": example.ref.group_id, "after": "", "limit": _LIMIT},
            indexes=(f"range:{label}(group_id)", FENCE),
        )


def _wipes(example: ExampleGroup) -> Iterator[QueryShape]:
    allowed: Mapping[str, Parameter] = {
        "group": example.ref.group_id,
        "token": -1,
        "move_id": "explain",
        "limit": _LIMIT,
    }
    yield QueryShape(name="may-wipe", text=queries_moving.MAY_WIPE, parameters=allowed, indexes=(FENCE,))
    owners = {Other.TOMBSTONE: "_Tombstone", Other.OPERATION: "_Op"}
    for section in queries_moving.WIPE_ORDER:
        owner = section if isinstance(section, Kind) else owners[section]
        yield QueryShape(
            name=shape_name("wipe", section),
            text=queries_moving.wipe_text(section),
            parameters=allowed,
            indexes=(FENCE, f"range:{owner}(group_id)"),
            writes=True,
        )

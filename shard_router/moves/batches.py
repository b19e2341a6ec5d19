"""What a target takes in at once: the contents of a group in order, cut to what its shard bears."""

from collections.abc import Iterator, Sequence

from drivers.fence_changes import FenceChange, FenceValues
from drivers.graph_model import EDGE_KINDS, AnyRow, Fact, Row, TextRow
from drivers.moving import PAGE_ROWS_MAX, CopyCursor, GroupChanges, Intake, Other, intake_weight
from drivers.reads import Tombstone
from drivers.row_codec import kind_of
from drivers.row_size import row_size
from drivers.write_plan import OpRecord

type Item = AnyRow | Tombstone | OpRecord

_BYTES_PER_NUMBER = 4


def cursor_after(item: Item) -> CopyCursor:
    """Where a copy goes on after this one."""
    match item:
        case Tombstone(kind, uuid):
            return CopyCursor(Other.TOMBSTONE, f"{kind}/{uuid}")
        case OpRecord(op_id):
            return CopyCursor(Other.OPERATION, op_id)
        case _:
            return CopyCursor(kind_of(item), item.uuid)


def in_order(changes: GroupChanges) -> list[Item]:
    """Of a round: a part of it leaves nothing behind that the next part needs gone, and each edge comes after
    its ends."""
    nodes = [row for row in changes.rows if kind_of(row) not in EDGE_KINDS]
    edges = [row for row in changes.rows if kind_of(row) in EDGE_KINDS]
    return [*changes.tombstones, *nodes, *edges, *changes.operations]


def intake(change: FenceChange, given: FenceValues, items: Sequence[Item]) -> Intake:
    return Intake(
        change,
        given,
        rows=tuple(item for item in items if isinstance(item, Row)),
        tombstones=tuple(item for item in items if isinstance(item, Tombstone)),
        operations=tuple(item for item in items if isinstance(item, OpRecord)),
    )


def parts(
    change: FenceChange, items: Sequence[Item], weight_max: int, bytes_max: int
) -> Iterator[Sequence[Item]]:
    """The items in order, in as few halvings as keep each part to PAGE_ROWS_MAX items, to about bytes_max and
    to the weight (0: no bound). One part, empty, of no items."""
    heavy = 0 < weight_max < intake_weight(intake(change, {}, items)) or bytes_of(items) > bytes_max
    if len(items) > 1 and (len(items) > PAGE_ROWS_MAX or heavy):
        middle = len(items) // 2
        yield from parts(change, items[:middle], weight_max, bytes_max)
        yield from parts(change, items[middle:], weight_max, bytes_max)
    else:
        yield items


def bytes_of(items: Sequence[Item]) -> int:
    """Of texts and vectors, about."""
    return sum(map(_bytes_of, items))


def _bytes_of(item: Item) -> int:
    match item:
        case Tombstone(_, uuid):
            return len(uuid)
        case OpRecord(op_id, content_hash, result):
            return len(op_id) + len(content_hash) + len(result)
        case _:
            vector = item.embedding if isinstance(item, TextRow | Fact) else None
            return row_size(item).chars + (0 if vector is None else _BYTES_PER_NUMBER * vector.size)

"""When a group is taken for settled."""

import pytest

from gateway.bench.peer.slots import outstanding
from graphgate.v1 import graph_pb2

ENTITY, FACT = graph_pb2.ROW_KIND_ENTITY, graph_pb2.ROW_KIND_FACT
VERSION = 9


def group(entities: int, facts: int, *slots: graph_pb2.VectorSlot) -> graph_pb2.Group:
    counts = [graph_pb2.RowCount(kind=kind, rows=rows) for kind, rows in ((ENTITY, entities), (FACT, facts))]
    return graph_pb2.Group(version=VERSION, counts=counts, vector_slots=slots)


def slot(version: int, *, serving: bool = True) -> graph_pb2.VectorSlot:
    return graph_pb2.VectorSlot(kind=FACT, complete_version=version, serving=serving)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (group(3, 5, slot(VERSION)), ""),
        (group(2, 5, slot(VERSION)), "2 of 3 rows of ROW_KIND_ENTITY"),
        (group(3, 0), "0 of 5 rows of ROW_KIND_FACT"),
        (graph_pb2.Group(), "0 of 3 rows of ROW_KIND_ENTITY"),
        (group(3, 5), "no vector index of ROW_KIND_FACT"),
        (group(3, 5, slot(8)), "the vector index of ROW_KIND_FACT is at version 8 of 9"),
        (group(3, 5, slot(VERSION, serving=False)), "the vector index of ROW_KIND_FACT is at version 9 of 9"),
    ],
)
def test_what_is_missing_is_waited_for(found: graph_pb2.Group, says: str) -> None:
    """Searches of a group that is not whole would be too quick, those of one without its index too slow.
    Kinds with fewer rows than have an index, here the three entities, are not waited for."""
    assert outstanding(found, 3, 5, rows_min=4) == says

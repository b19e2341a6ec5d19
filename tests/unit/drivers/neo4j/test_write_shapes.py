"""Which of the three sizes of statement a write and what it is planned from go by."""

import pytest

from drivers.graph_model import Kind
from drivers.neo4j.parameters import shape_of_images
from drivers.neo4j.queries_write import CORE, FULL, ROWS, WriteShape, images_statement, node_kinds
from drivers.write_plan import ImageRequest


@pytest.mark.parametrize(
    ("rows", "endpoints", "cascades", "shape"),
    [
        ((), (), (), ROWS),
        ((Kind.ENTITY,), (), (), ROWS),
        ((Kind.FACT,), (Kind.ENTITY,), (), ROWS),
        ((Kind.MENTION,), (Kind.EPISODE, Kind.ENTITY), (), CORE),
        ((Kind.ENTITY,), (), (Kind.ENTITY,), CORE),
        ((Kind.SAGA,), (), (), FULL),
        ((), (), (Kind.COMMUNITY,), FULL),
    ],
)
def test_images_are_read_by_the_smallest_statement_that_reads_them_all(
    rows: tuple[Kind, ...], endpoints: tuple[Kind, ...], cascades: tuple[Kind, ...], shape: WriteShape
) -> None:
    """A kind that its statement leaves out would be planned as if no such row were there."""
    every = dict.fromkeys(Kind, ())
    asked = [{**every, **dict.fromkeys(kinds, ("u",))} for kinds in (rows, endpoints, cascades)]
    assert shape_of_images(ImageRequest("op", *asked)) is shape


@pytest.mark.parametrize("shape", [ROWS, CORE, FULL])
def test_a_statement_of_images_reads_its_kinds_and_no_other(shape: WriteShape) -> None:
    text = images_statement(shape)
    for kind in Kind:
        assert (f"$p.rows.{kind} " in text) == (kind in shape.kinds)
        assert (f"$p.endpoints.{kind} " in text) == (kind in node_kinds(shape))
        assert (f"$p.cascades.{kind} " in text) == (shape.drops and kind in node_kinds(shape))

"""The composed write: its text depends on what kinds a plan has, its values are parameters."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from drivers.falkordb.parameters import statement
from drivers.falkordb.queries_write import write_text
from drivers.falkordb.write import compose, row_text
from drivers.fence import EmbeddingSpec
from drivers.graph_model import OPEN_END, Entity, Fact, Kind, Saga
from drivers.write_plan import OpRecord, RowDrop, RowPut, VectorChange, WritePlan


def _uuid(number: int) -> str:
    return f"{number:08d}-0000-4000-8000-000000000000"


def _entity(number: int, name: str = "a") -> Entity:
    return Entity(uuid=_uuid(number), name=name, embedding=np.array([1, 0], dtype=np.float32))


def _fact(number: int, source: int, target: int) -> Fact:
    return Fact(uuid=_uuid(number), source_uuid=_uuid(source), target_uuid=_uuid(target), name="n", fact="f")


def _plan(puts: Sequence[RowPut] = (), drops: Sequence[RowDrop] = ()) -> WritePlan:
    return WritePlan(
        epoch=1,
        operation=OpRecord("op", "hash", "result"),
        puts=tuple(puts),
        drops=tuple(drops),
        seen_version=0,
        existing={},
        endpoints={},
        incident_edges=0,
        stats={},
        embeddings_seen={},
        embeddings={},
        now=1,
    )


def test_values_are_no_part_of_the_text() -> None:
    """Plans of the same kinds share one text, whatever their rows, names and numbers are: the engine keeps
    one plan for it, and no value can change it."""
    hostile = '"}) MATCH (n) DETACH DELETE n //'
    one, other = (
        compose("g", _plan([RowPut(_entity(1), existed=False)])),
        compose(
            "h",
            replace(
                _plan([RowPut(_entity(n, hostile), existed=True) for n in (2, 3)]), if_version=7, epoch=9
            ),
        ),
    )
    assert write_text(one[0]) == write_text(other[0])
    assert "DETACH" not in write_text(other[0])


def test_every_parameter_of_the_text_is_given() -> None:
    """And no other, for a plan with all sections."""
    facts = [
        RowPut(_fact(7, 1, 2), existed=False, closed_by="", expires=True),
        RowPut(_fact(8, 2, 1), existed=False),
    ]
    puts = [RowPut(_entity(1), existed=False), RowPut(_entity(2), existed=False), *facts]
    drops = [RowDrop(Kind.SAGA, _uuid(3)), RowDrop(Kind.FACT, _uuid(8), _uuid(1), _uuid(1), tombstone=False)]
    plan = replace(_plan(puts, drops), endpoints={Kind.SAGA: (_uuid(9),)})
    shape, parameters = compose("g", plan)
    assert set(re.findall(r"\$(\w+)", write_text(shape))) == set(parameters)
    assert statement(write_text(shape), parameters)


def test_a_slot_is_checked_before_it_enters_a_text() -> None:
    """The name of a vector slot is the one value that a text contains."""
    plan = _plan([RowPut(_entity(1), existed=False)])
    shape, _ = compose("g", replace(plan, embeddings={Kind.ENTITY: EmbeddingSpec("m", 2, slot="vector_2")}))
    assert "n.vector_2 = " in write_text(shape)
    for slot in ("", "a b", "v = 1, n.x", "1v", "é", "x" * 65, "v\n"):
        with pytest.raises(AssertionError, match="vector slot"):
            compose("g", replace(plan, embeddings={Kind.ENTITY: EmbeddingSpec("m", 2, slot=slot)}))


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (_plan([RowPut(_entity(1), existed=False)] * 2), "puts a row twice"),
        (_plan(drops=[RowDrop(Kind.SAGA, _uuid(1))] * 2), "drops a row twice"),
        (
            _plan([RowPut(Saga(uuid=_uuid(1), name="s"), existed=True)], [RowDrop(Kind.SAGA, _uuid(1))]),
            "drops for good",
        ),
        (_plan([RowPut(_fact(1, 2, 3), existed=False)]), "nobody guards"),
        (_plan([RowPut(_entity(n), existed=False) for n in range(2_001)]), "too many rows"),
        (
            _plan([RowPut(replace(_entity(1), embedding=None), existed=False, vector=VectorChange.SET)]),
            "not given",
        ),
    ],
)
def test_a_plan_that_the_query_cannot_keep_is_refused(plan: WritePlan, why: str) -> None:
    """What no planner sends would be written wrongly: it is stopped before it is sent."""
    with pytest.raises(AssertionError, match=why):
        compose("g", plan)


def test_a_row_is_one_map() -> None:
    """Properties apart from what the shard does with the row."""
    put = RowPut(_fact(1, 2, 3), existed=True, closed_by="e", previous_end=OPEN_END, expires=True)
    text = row_text("g", put)
    assert text.startswith('{p:{pk:"g/00000001-0000-4000-8000-000000000000",')
    assert f',a:"g/{_uuid(2)}",b:"g/{_uuid(3)}",keep:true,by:"e",end:{OPEN_END},expires:true}}' in text
    assert ",v:[1.0,0.0]}" in row_text("g", RowPut(_entity(1), existed=False, vector=VectorChange.SET))
    assert row_text("g", RowPut(_entity(1), existed=True, vector=VectorChange.REMOVE)).endswith("}}")

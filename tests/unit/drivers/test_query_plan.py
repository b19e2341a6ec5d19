"""What is promised of a plan."""

from dataclasses import replace

import pytest

from drivers.contract import SchemaItem, SchemaReport
from drivers.falkordb.plans import parsed
from drivers.fence import Engine
from drivers.neo4j.plans import step
from drivers.query_plan import PlanStep, QueryShape, index_states, judge

SHAPE = QueryShape(name="fetch", text="", parameters={}, indexes=("range:ENTITY(pk)",))
BY_INDEX = parsed(["Results", "    Join", "        Node By Index Scan | (n:Entity)", "        Project"])
BY_SCAN = parsed(["Results", "    Filter", "        Node By Label Scan | (n:Entity)"])


def test_a_plan_by_the_index_holds() -> None:
    """FalkorDB names the label, which is enough while the schema has the index."""
    assert judge(SHAPE, BY_INDEX, {"range:ENTITY(pk)": "READY"}).holds


@pytest.mark.parametrize("state", ["MISSING", "BUILDING", "FAILED"])
def test_an_index_that_does_not_serve_is_lost(state: str) -> None:
    """Whatever the plan says: another index of the label may have taken its place."""
    verdict = judge(SHAPE, BY_INDEX, {"range:ENTITY(pk)": state})
    assert not verdict.holds
    assert verdict.faults == ()


def test_a_scan_is_named() -> None:
    """With its operator and label, and the index as not used."""
    verdict = judge(SHAPE, BY_SCAN, {})
    assert [use.used for use in verdict.indexes] == [False]
    assert verdict.faults == ("Node By Label Scan (n:Entity)",)


def test_a_scan_by_design_is_of_its_label_only() -> None:
    """What may pass over fences may not pass over entities."""
    shape = replace(SHAPE, indexes=(), scanned=("_Fence",))
    assert judge(shape, parsed(["Results", "    Node By Label Scan | (f:_Fence)"]), {}).holds
    assert not judge(shape, BY_SCAN, {}).holds


def test_operators_that_a_plan_must_and_must_not_have() -> None:
    """An order that is lost is a fault, like a scan."""
    shape = replace(SHAPE, needs=("PartialTop",), never=("Sort",))
    sorted_plan = PlanStep(operator="Sort", steps=(BY_INDEX,))
    assert judge(shape, sorted_plan, {}).faults == ("has Sort", "lacks PartialTop")
    assert judge(shape, PlanStep(operator="PartialTop", steps=(BY_INDEX,)), {}).holds


def test_a_full_text_index_is_used_by_a_call() -> None:
    """Neither engine names it in the plan."""
    shape = replace(SHAPE, indexes=("fulltext:FACT(terms,group_key)",))
    assert judge(shape, parsed(["Results", "    ProcedureCall"]), {}).holds
    assert not judge(shape, BY_INDEX, {}).holds


def test_the_worst_state_of_all_containers_counts() -> None:
    """An index that one graph lacks is lost for the groups of that graph; foreign indexes do not matter."""
    items = (
        SchemaItem("range:ENTITY(pk)", "graph 1", "READY"),
        SchemaItem("range:ENTITY(pk)", "graph 2", "MISSING"),
        SchemaItem("range:ENTITY(pk)", "graph 3", "BUILDING"),
        SchemaItem("range:FACT(pk)", "graph 1", "READY"),
        SchemaItem("range:Other(x)", "graph 1", "EXTRA"),
    )
    assert index_states(SchemaReport(Engine.FALKORDB, "4", items)) == {
        "range:ENTITY(pk)": "MISSING",
        "range:FACT(pk)": "READY",
    }


def test_the_lines_of_a_falkordb_profile_are_a_tree() -> None:
    """Depth by indentation; figures apart from the details, which may be missing."""
    plan = parsed(
        [
            "Results | Records produced: 2, Execution time: 0.500000 ms",
            "    Join | Records produced: 2, Execution time: 0.1 ms",
            "        Traverse | (x)-[n:RELATES_TO]->(y) | Records produced: 1, Execution time: 0.000010 ms",
            "            Node By Index Scan | (x:Entity) | Records produced: 1, Execution time: 0.02 ms",
            "        Project | Records produced: 1, Execution time: 0.03 ms",
        ]
    )
    (join,) = plan.steps
    traverse, project = join.steps
    assert (plan.rows, plan.ms) == (2, 0.5)
    assert (traverse.details, traverse.rows, traverse.ms) == ("(x)-[n:RELATES_TO]->(y)", 1, 0.00001)
    assert traverse.steps[0].index == "range:ENTITY"
    assert (project.steps, project.rows) == ((), 1)
    assert [depth for depth, _ in plan.walk()] == [0, 1, 2, 3, 2]


@pytest.mark.parametrize("lines", [[], ["Results", "        Project"]])
def test_what_is_no_falkordb_plan_is_refused(lines: list[str]) -> None:
    """Rather than read as another tree."""
    with pytest.raises(ValueError, match="line"):
        parsed(lines)


@pytest.mark.parametrize(
    ("details", "index"),
    [
        ("UNIQUE n:Entity(pk) WHERE pk = k", "unique:ENTITY(pk)"),
        (
            "RANGE INDEX (anon_0)-[n:RELATES_TO(group_id, created_at)]->(anon_1) WHERE group_id = $p.g",
            "range:FACT(group_id,created_at)",
        ),
        ("RANGE INDEX (anon_0)-[n:RELATES_TO(pk)]->(anon_1) WHERE pk = k", "unique:FACT(pk)"),
        ("RANGE INDEX n:Entity(colour) WHERE colour = k", "Entity(colour)"),
        ("n.pk AS UNIQUE", ""),
    ],
)
def test_neo4j_names_its_indexes(details: str, index: str) -> None:
    """Labels and properties become the name that schemas have; of a foreign index they stay."""
    assert step({"operatorType": "X@neo4j", "args": {"Details": details}}).index == index


def test_a_neo4j_profile_has_figures() -> None:
    """Of the step and those below it; details on one line."""
    plan = step(
        {
            "operatorType": "Filter@neo4j",
            "args": {"Details": "CASE\n  WHEN x", "EstimatedRows": 2.5},
            "rows": 3,
            "dbHits": 7,
            "children": [{"operatorType": "NodeByLabelScan@neo4j", "args": {"Details": "n:Entity"}}],
        }
    )
    assert plan == PlanStep(
        operator="Filter",
        details="CASE WHEN x",
        rows_estimated=2.5,
        rows=3,
        hits=7,
        steps=(PlanStep(operator="NodeByLabelScan", details="n:Entity", is_scan=True, scanned="Entity"),),
    )

"""No statement reads more than it must: each finds its rows by an index."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from neo4j import AsyncDriver

from drivers.errors import GraphgateError
from drivers.example_group import placeholder, read_example
from drivers.fence import GroupRef
from drivers.graph_model import TEXT_KINDS
from drivers.neo4j import Neo4jDriver, Neo4jSettings
from drivers.neo4j.plans import Neo4jPlans
from drivers.neo4j.query_shapes import query_shapes
from drivers.neo4j.schema_rules import RULES
from drivers.query_plan import READY, index_states, judge
from tests.contract.neo4j_specific.conftest import OpenGroup, ask
from tests.contract.rows import one_of_each, vector
from tests.contract.tenant import schema_time, soon
from tests.engines import Neo4jServer

ANY = GroupRef("any")
SHAPES = {shape.name: shape for shape in query_shapes(placeholder(ANY.group_id))}


PLANNED_FAST = [
    name for name in SHAPES if not name.startswith(("images-", "write-")) and "filtered" not in name
]
"""Without a compiled plan to fall back on, a large statement takes seconds to plan."""


@pytest.fixture(scope="module")
async def plans(neo4j_server: Neo4jServer) -> AsyncIterator[Neo4jPlans]:
    reader = Neo4jPlans("beside", Neo4jSettings(neo4j_server.url))
    await reader.open()
    yield reader
    await reader.close()


@pytest.fixture(scope="module")
async def states(neo4j: Neo4jDriver) -> dict[str, str]:
    return index_states(await neo4j.describe_schema(soon()))


@pytest.mark.parametrize("name", SHAPES)
async def test_a_statement_finds_its_rows_by_an_index(
    plans: Neo4jPlans, states: dict[str, str], name: str
) -> None:
    """On a small database, where the planner prefers scans, no plan has one that is not said to be there;
    pages in order of an index are cut before their rows are read, and parts that must run in the order of the
    text do."""
    plan = await plans.explain(ANY, SHAPES[name], soon(), profile=False)
    verdict = judge(SHAPES[name], plan, states)
    assert verdict.holds, verdict
    assert SHAPES[name].indexes or SHAPES[name].scanned
    assert {step.scanned for _, step in plan.walk() if step.is_scan} == set(SHAPES[name].scanned)


def test_what_is_passed_over_as_a_whole_is_small_or_goes() -> None:
    """The slots of a shard, which are few, in a list of them; the rows of a slot that is being emptied."""
    assert {name for name, shape in SHAPES.items() if shape.scanned} == {
        "list-slots",
        *(f"slot-empty-{str(kind).lower()}" for kind in TEXT_KINDS),
    }


async def test_changes_are_cut_where_their_index_is_read(plans: Neo4jPlans) -> None:
    """Each kind's versions come in the order of its index; one Top merges them."""
    plan = await plans.explain(ANY, SHAPES["changes"], soon(), profile=False)
    assert [step.operator for _, step in plan.walk()].count("Top") == 1


@pytest.mark.parametrize(
    "name", ["fetch-entity", "list-entity-uuid", "list-entity-newest", "semantic-entity"]
)
async def test_the_loss_of_an_index_is_seen(plans: Neo4jPlans, name: str) -> None:
    """The same statement about a label that has no index is told to scan: the hint alone does not hold it."""
    shape = SHAPES[name]
    without = replace(shape, text=shape.text.replace(":Entity", ":Unindexed"))
    verdict = judge(shape, await plans.explain(ANY, without, soon(), profile=False), {})
    assert [use.name for use in verdict.indexes if not use.holds] == [shape.indexes[0]]
    assert any("Scan" in fault for fault in verdict.faults)


@pytest.mark.timeout(300)
async def test_statements_fail_by_the_indexes_that_are_dropped(
    neo4j: Neo4jDriver, beside: AsyncDriver, plans: Neo4jPlans
) -> None:
    """With every second index dropped, of each statement exactly those that it lost fail, by a scan in its
    plan or, of a full-text index, by the schema's state, and statements that lost none hold: no other index
    takes the place of the one that is named."""
    lost_rules = RULES[1::2]
    dropped = {rule.name for rule in lost_rules}
    try:
        for rule in lost_rules:
            form = "CONSTRAINT" if rule.form == "unique" else "INDEX"
            await ask(beside, f"DROP {form} {rule.engine_name}")
        states = index_states(await neo4j.describe_schema(soon()))
        assert {name for name, state in states.items() if state != READY} == dropped
        found = {
            name: await plans.explain(ANY, SHAPES[name], schema_time(), profile=False)
            for name in PLANNED_FAST
        }
    finally:
        await neo4j.ensure_schema(schema_time())
    # A plan does not tell whether the full-text index is there that it calls for.
    of_text = {name: state for name, state in states.items() if name.startswith("fulltext:")}
    for name, plan in found.items():
        shape = SHAPES[name]
        verdict = judge(shape, plan, of_text)
        lost = dropped.intersection(shape.indexes)
        assert {use.name for use in verdict.indexes if not use.holds} == lost, name
        assert any("Scan" in fault for fault in verdict.faults) == bool(lost - of_text.keys()), verdict
        assert verdict.holds == (not lost), verdict


async def test_profiles_have_figures_and_leave_nothing(
    neo4j: Neo4jDriver, plans: Neo4jPlans, open_group: OpenGroup
) -> None:
    """Writes are applied, counted and rolled back."""
    tenant = await open_group()
    await tenant.write(*one_of_each(embedding=vector([1, 2, 3])).values())
    before = await tenant.snapshot()
    shapes = {
        shape.name: shape for shape in query_shapes(await read_example(neo4j, await tenant.fence(), soon()))
    }
    for name in ("write-rows", "locked-version", "keyword-fact", "expand-fact-from-entity"):
        plan = await plans.explain(tenant.ref, shapes[name], soon(), profile=True)
        steps = [step for _, step in plan.walk()]
        assert plan.rows == 1, name
        assert sum(step.hits or 0 for step in steps) > 0
        assert name != "write-rows" or [step.rows for step in steps if step.operator == "Create"] == [1]
    assert await tenant.snapshot() == before


async def test_what_is_said_to_read_cannot_write(plans: Neo4jPlans) -> None:
    """The server itself refuses: a shape that is wrongly marked changes nothing on a shard in use."""
    wrong = replace(SHAPES["create-fence"], writes=False)
    with pytest.raises(GraphgateError):
        await plans.explain(ANY, wrong, soon(), profile=True)

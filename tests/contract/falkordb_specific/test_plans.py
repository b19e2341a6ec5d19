"""Every query finds its rows by an index: read from the engine's own plans."""

import secrets
from collections.abc import AsyncIterator
from typing import cast

import pytest

from drivers.contract import SchemaReport
from drivers.example_group import placeholder, read_example
from drivers.falkordb import FalkorDBDriver, FalkorDBSettings
from drivers.falkordb.client import GraphClient
from drivers.falkordb.graphs import graph_of, own_graph
from drivers.falkordb.plans import FalkorDBPlans
from drivers.falkordb.query_shapes import query_shapes
from drivers.falkordb.schema import INDEXES
from drivers.fence import POOLED, GroupRef
from drivers.query_plan import Verdict, index_states, judge
from tests.contract.falkordb_specific.conftest import OpenGroup
from tests.contract.rows import one_of_each, vector
from tests.contract.subject import POOL_GRAPHS
from tests.contract.tenant import soon
from tests.engines import FalkorDBServer

ANY = GroupRef("any", POOLED)
SHAPES = {shape.name: shape for shape in query_shapes(placeholder(ANY.group_id))}
WIPING = ("wipe-", "may-wipe")
"""Of a group that is owned: they find nothing to do."""
UNMET = ("read-gate", "change-marker", "advance-slot", "mark-slot-dropped", "drop-slot")
"""A graph whose register was never closed has no gate, the marker is not as the change expects it, and the
group has no slot."""
WRITING = {"Create", "Merge", "MergeCreate", "Delete", "Update", "Foreach"}


@pytest.fixture(scope="module")
async def plans(falkordb_server: FalkorDBServer) -> AsyncIterator[FalkorDBPlans]:
    reader = FalkorDBPlans("beside", FalkorDBSettings(falkordb_server.url), POOL_GRAPHS)
    await reader.open()
    yield reader
    await reader.close()


@pytest.fixture(scope="module")
async def states(falkordb: FalkorDBDriver) -> dict[str, str]:
    return await _states(falkordb, graph_of(ANY, POOL_GRAPHS))


@pytest.mark.parametrize("name", SHAPES)
async def test_no_query_scans_a_whole_label(plans: FalkorDBPlans, states: dict[str, str], name: str) -> None:
    """No operation of the plan grows with the rows of other groups: every row is found by a range index, by
    the text index or along an edge. What is said to read has no operator that writes: it may be profiled."""
    shape = SHAPES[name]
    plan = await plans.explain(ANY, shape, soon(), profile=False)
    verdict = judge(shape, plan, states)
    assert verdict.holds, verdict
    assert shape.indexes or shape.scanned
    assert bool({step.operator for _, step in plan.walk()} & WRITING) == shape.writes


async def test_what_is_passed_over_as_a_whole_is_small_or_goes(plans: FalkorDBPlans) -> None:
    """Fences, in a list of them, because a range over an indexed string is wrong; the slots of a graph, which
    are few; the rows of a slot that is being emptied. Nothing else scans a label."""
    emptied = {name for name in SHAPES if name.startswith("slot-empty-")}
    by_label: dict[str, set[str]] = {}
    for name, shape in SHAPES.items():
        for label in shape.scanned:
            by_label.setdefault("emptied" if name in emptied else label, set()).add(name)
    assert by_label.keys() == {"_Fence", "_Slot", "emptied"}
    assert by_label["_Fence"] == {"list-fences", "list-all-fences"}
    assert by_label["emptied"] == emptied
    assert all("slot" in name for name in by_label["_Slot"])
    plan = await plans.explain(ANY, SHAPES["list-fences"], soon(), profile=False)
    scans = [(step.operator, step.details) for _, step in plan.walk() if "Scan" in step.operator]
    assert scans == [("Node By Label Scan", "(f:_Fence)")]


@pytest.mark.parametrize(
    ("index", "name"),
    [
        ("range:ENTITY(pk)", "fetch-entity"),
        ("range:FACT(pk)", "write-rows"),
        ("range:_Fence(group_id)", "semantic-fact"),
        ("range:FACT(version)", "changes"),
        ("fulltext:FACT(terms,group_key)", "keyword-fact"),
    ],
)
async def test_the_loss_of_an_index_is_seen(
    falkordb: FalkorDBDriver,
    client: GraphClient,
    plans: FalkorDBPlans,
    open_group: OpenGroup,
    index: str,
    name: str,
) -> None:
    """The same shape in the same graph, with all indexes and without one of them."""
    tenant = await open_group(space=f"plans-{secrets.token_hex(6)}")
    graph = own_graph(tenant.ref.space)

    async def verdict() -> Verdict:
        plan = await plans.explain(tenant.ref, SHAPES[name], soon(), profile=False)
        return judge(SHAPES[name], plan, await _states(falkordb, graph))

    try:
        assert (await verdict()).holds
        for text in next(one for one in INDEXES if one.name == index).drop_texts():
            await client.write(graph, text, {}, soon(), "dropping an index")
        without = await verdict()
        assert not without.holds
        assert [use.name for use in without.indexes if not use.holds] == [index]
    finally:
        await client.command(soon(), "dropping a graph", "GRAPH.DELETE", graph)


async def test_profiles_have_figures_and_leave_nothing(
    falkordb: FalkorDBDriver, client: GraphClient, plans: FalkorDBPlans, open_group: OpenGroup
) -> None:
    """Every shape that needs no vector slot runs with its parameters, writes included; the rows, the fence
    and the list of graphs are as before."""
    tenant = await open_group()
    await tenant.write(*one_of_each(embedding=vector([1, 2, 3])).values())
    example = await read_example(falkordb, await tenant.fence(), soon())
    marker = await falkordb.read_marker(soon())
    before = await tenant.snapshot(), await _graphs(client)
    for shape in query_shapes(example):
        if shape.of_slot:
            continue
        plan = await plans.explain(tenant.ref, shape, soon(), profile=True)
        steps = [step for _, step in plan.walk()]
        assert all(step.rows is not None and step.ms is not None for step in steps), shape.name
        refused = shape.name.startswith(WIPING) or shape.name in UNMET
        assert plan.rows or refused or "_Slot" in shape.scanned, shape.name
        if shape.name.startswith("write"):
            made = sum(step.rows or 0 for step in steps if step.operator == "MergeCreate")
            assert made >= len(shape.indexes) - 2, f"{shape.name} was not applied"
    assert (await tenant.snapshot(), await _graphs(client)) == before
    assert await falkordb.read_marker(soon()) == marker


async def _graphs(client: GraphClient) -> set[str]:
    return set(cast("list[str]", await client.command(soon(), "listing graphs", "GRAPH.LIST")))


async def _states(driver: FalkorDBDriver, graph: str) -> dict[str, str]:
    report = await driver.describe_schema(soon())
    items = tuple(item for item in report.items if item.space == graph)
    return index_states(SchemaReport(report.engine, report.engine_version, items))

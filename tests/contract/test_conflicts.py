"""A plan computed from a state that has changed since is refused as a whole."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from drivers.fence import EmbeddingSpec, KindStats
from drivers.graph_model import Entity, Kind
from drivers.reads import Anchor
from drivers.write_plan import WritePlan, WriteStatus
from tests.contract.probes import Probe
from tests.contract.refusals import busy, refused
from tests.contract.rows import entity, episode, fact, mention, new_uuid, one_of_each, vector
from tests.contract.tenant import Tenant, soon


async def test_conflict_when_a_touched_row_was_changed(tenant: Tenant, probe: Probe) -> None:
    """A plan computed from a row that was written since is refused."""
    nodes = await busy(tenant)
    plan = await tenant.plan(tenant.intent(replace(nodes[0], name="mine"), entity("extra")))
    await tenant.write(replace(nodes[0], name="theirs"))
    await refused(tenant, probe, plan, WriteStatus.CONFLICT)


async def test_conflict_when_a_touched_edge_was_changed(tenant: Tenant, probe: Probe) -> None:
    """Edges are guarded as nodes are."""
    a, b = entity("a"), entity("b")
    claim = fact(a.uuid, b.uuid, "first")
    await tenant.write(a, b, claim)
    plan = await tenant.plan(tenant.intent(replace(claim, fact="mine")))
    await tenant.write(replace(claim, fact="theirs"))
    await refused(tenant, probe, plan, WriteStatus.CONFLICT)


@pytest.mark.parametrize("kind", Kind)
async def test_conflict_when_a_row_to_create_was_created(tenant: Tenant, probe: Probe, kind: Kind) -> None:
    """A row of any kind that was thought new and is there by now is not overwritten."""
    rows = one_of_each()
    created = rows.pop(kind)
    await tenant.write(*(row for row in rows.values() if not hasattr(row, "source_uuid")))
    plan = await tenant.plan(tenant.intent(created))
    await tenant.write(created)
    await refused(tenant, probe, plan, WriteStatus.CONFLICT)


@pytest.mark.parametrize("kind", Kind)
async def test_conflict_when_a_row_to_change_was_deleted(tenant: Tenant, probe: Probe, kind: Kind) -> None:
    """A row of any kind that was thought there and is gone by now is not revived."""
    rows = one_of_each()
    await tenant.write(*rows.values())
    plan = await tenant.plan(tenant.intent(rows[kind]))
    await tenant.write(deletions=[(kind, rows[kind].uuid)])
    await refused(tenant, probe, plan, WriteStatus.CONFLICT)


async def test_conflict_when_a_row_to_drop_was_changed_or_dropped(tenant: Tenant, probe: Probe) -> None:
    """A deletion is refused as well when its row has changed or gone since it was planned."""
    nodes = [entity("a"), entity("b")]
    await tenant.write(*nodes)
    drops = [await tenant.plan(tenant.intent(deletions=[(Kind.ENTITY, node.uuid)])) for node in nodes]
    await tenant.write(replace(nodes[0], summary="new"), deletions=[(Kind.ENTITY, nodes[1].uuid)])
    for plan in drops:
        await refused(tenant, probe, plan, WriteStatus.CONFLICT)


@pytest.mark.parametrize("kind", Kind)
async def test_conflict_when_a_row_to_drop_was_created(tenant: Tenant, probe: Probe, kind: Kind) -> None:
    """The deletion of a row that may be missing, and was, does not pass by one that was made since: the row
    would outlive a deletion with a higher version. While it stays missing the deletion is applied."""
    rows = one_of_each()
    created = rows.pop(kind)
    await tenant.write(*(row for row in rows.values() if not hasattr(row, "source_uuid")))
    deletion = [(kind, created.uuid)]
    early, late = [await tenant.plan(tenant.intent(deletions=deletion)) for _ in range(2)]
    assert (await tenant.apply(early)).status is WriteStatus.APPLIED
    await tenant.write(created)
    await refused(tenant, probe, late, WriteStatus.CONFLICT)


async def test_conflict_when_one_row_went_and_another_came(tenant: Tenant, probe: Probe) -> None:
    """Equal counts do not deceive: a row created since has a version above the plan's."""
    there, absent = entity("there"), entity("absent")
    await tenant.write(there)
    plan = await tenant.plan(tenant.intent(there, absent))
    await tenant.write(absent, deletions=[(Kind.ENTITY, there.uuid)])
    await refused(tenant, probe, plan, WriteStatus.CONFLICT)


@pytest.mark.parametrize("end", [0, 1])
async def test_conflict_when_an_endpoint_was_deleted(tenant: Tenant, probe: Probe, end: int) -> None:
    """No fact is written to an entity that has gone since the plan was made, at either end."""
    nodes = [entity("a"), entity("b")]
    await tenant.write(*nodes)
    plan = await tenant.plan(tenant.intent(fact(nodes[0].uuid, nodes[1].uuid)))
    await tenant.write(deletions=[(Kind.ENTITY, nodes[end].uuid)])
    await refused(tenant, probe, plan, WriteStatus.CONFLICT)


async def test_conflict_when_an_endpoint_is_there_only_as_another_kind(tenant: Tenant, probe: Probe) -> None:
    """An endpoint is checked by its kind: an episode is no end of a fact."""
    shared, other = new_uuid(), entity("b")
    await tenant.write(entity("a", at=shared), episode("a", at=shared), other)
    plan = await tenant.plan(tenant.intent(fact(shared, other.uuid)))
    await tenant.write(deletions=[(Kind.ENTITY, shared)])
    await refused(tenant, probe, plan, WriteStatus.CONFLICT)


@pytest.mark.parametrize("kind", [Kind.FACT, Kind.MENTION])
async def test_conflict_when_a_node_to_drop_got_an_edge(tenant: Tenant, probe: Probe, kind: Kind) -> None:
    """A node's deletion is planned with its edges: one more edge since, and it is planned again."""
    nodes = await busy(tenant)
    what = episode("x")
    await tenant.write(what)
    plan = await tenant.plan(tenant.intent(deletions=[(Kind.ENTITY, nodes[1].uuid)]))
    edge = fact(nodes[1].uuid, nodes[0].uuid) if kind is Kind.FACT else mention(what.uuid, nodes[1].uuid)
    await tenant.write(edge)
    await refused(tenant, probe, plan, WriteStatus.CONFLICT)


async def test_conflict_when_an_edge_of_a_node_to_drop_went_or_changed(tenant: Tenant, probe: Probe) -> None:
    """The cascade is guarded by number and by version: neither a lost edge nor a swapped one passes."""
    nodes = await busy(tenant)
    deletion = tenant.intent(deletions=[(Kind.ENTITY, nodes[1].uuid)])
    facts = await tenant.listed(Kind.FACT)
    plan = await tenant.plan(deletion)
    await tenant.write(fact(nodes[1].uuid, nodes[1].uuid), deletions=[(Kind.FACT, facts[0].uuid)])
    await refused(tenant, probe, plan, WriteStatus.CONFLICT)
    plan = await tenant.plan(deletion)
    await tenant.write(deletions=[(Kind.FACT, facts[1].uuid)])
    await refused(tenant, probe, plan, WriteStatus.CONFLICT)


async def test_conflict_when_an_edge_that_the_plan_does_not_drop_changed(
    tenant: Tenant, probe: Probe
) -> None:
    """The version of every edge at a dropped node is guarded, whether the plan names the edge or not."""
    nodes = await busy(tenant)
    plan = await tenant.plan(tenant.intent(deletions=[(Kind.ENTITY, nodes[0].uuid)]))
    (claim,) = await tenant.listed(Kind.FACT, anchor=Anchor(Kind.ENTITY, nodes[0].uuid))
    await tenant.write(replace(claim, fact="changed"))  # pyright: ignore[reportCallIssue]
    drops = tuple(drop for drop in plan.drops if drop.kind is Kind.ENTITY)
    alone = replace(plan, drops=drops, existing={Kind.ENTITY: 1}, stats={Kind.ENTITY: KindStats(-1)})
    await refused(tenant, probe, alone, WriteStatus.CONFLICT)


async def test_a_self_loop_is_one_incident_edge(tenant: Tenant) -> None:
    """An edge from a node to itself, or between two dropped nodes, is counted once by the guard."""
    a, b = entity("a"), entity("b")
    await tenant.write(a, b, fact(a.uuid, a.uuid), fact(a.uuid, b.uuid), fact(b.uuid, a.uuid))
    deletion = tenant.intent(deletions=[(Kind.ENTITY, a.uuid), (Kind.ENTITY, b.uuid)])
    assert len((await tenant.images(deletion)).incident) == 3
    plan = await tenant.plan(deletion)
    assert plan.incident_edges == 3
    assert (await tenant.apply(plan)).status is WriteStatus.APPLIED
    assert {kind: stats.rows for kind, stats in (await tenant.fence()).stats.items()} == dict.fromkeys(
        Kind, 0
    )


async def test_conflict_when_the_embedding_specs_changed(tenant: Tenant, probe: Probe) -> None:
    """Two first vectors of different models cannot both become the group's: the second is planned again."""
    plan = await tenant.plan(tenant.intent(entity("mine", embedding=vector([1, 2, 3]))))
    await tenant.write(entity("theirs", embedding=vector([1, 2])))
    await refused(tenant, probe, plan, WriteStatus.CONFLICT)


CONTRADICTIONS: list[Callable[[WritePlan], WritePlan]] = [
    lambda plan: replace(plan, existing={Kind.ENTITY: 0}),
    lambda plan: replace(plan, existing={Kind.ENTITY: 2}),
    lambda plan: replace(plan, seen_version=0),
    lambda plan: replace(plan, endpoints={Kind.ENTITY: (new_uuid(),)}),
    lambda plan: replace(plan, endpoints={Kind.SAGA: (new_uuid(),)}),
    lambda plan: replace(plan, incident_edges=1),
    lambda plan: replace(plan, embeddings_seen={Kind.FACT: EmbeddingSpec("m", 2)}),
]


@pytest.mark.parametrize("contradict", CONTRADICTIONS)
async def test_each_guard_alone_refuses_the_write(
    tenant: Tenant, probe: Probe, contradict: Callable[[WritePlan], WritePlan]
) -> None:
    """Every guard counts by itself: with any single one failing nothing is written."""
    row = entity("a")
    await tenant.write(row)
    plan = await tenant.plan(tenant.intent(replace(row, name="b")))
    await refused(tenant, probe, contradict(plan), WriteStatus.CONFLICT)
    assert (await tenant.apply(plan)).status is WriteStatus.APPLIED


async def test_rows_that_the_plan_does_not_touch_are_no_conflict(tenant: Tenant) -> None:
    """Writers of different rows of one group do not make each other plan again."""
    nodes = await busy(tenant)
    plan = await tenant.plan(
        tenant.intent(replace(nodes[0], name="mine"), fact(nodes[0].uuid, nodes[1].uuid))
    )
    await tenant.write(replace(nodes[1], name="an endpoint may change"), replace(nodes[2], name="theirs"))
    assert (await tenant.apply(plan)).status is WriteStatus.APPLIED


async def test_read_modify_write_loses_no_update(tenant: Tenant) -> None:
    """Writers that plan from the row's present state and plan again on conflict lose no update."""
    counter = entity("counter", attributes={"count": 0})
    await tenant.write(counter)
    writers, rounds = 4, 5

    async def count_up() -> None:
        for _ in range(rounds):
            status = WriteStatus.CONFLICT
            while status is WriteStatus.CONFLICT:
                intent = tenant.intent(counter)
                images = await tenant.images(intent)
                row = images.rows[Kind.ENTITY, counter.uuid]
                assert isinstance(row, Entity)
                count = row.attributes["count"]
                assert isinstance(count, int)
                mine = tenant.intent(replace(counter, attributes={"count": count + 1}))
                status = (await tenant.apply(tenant.plan_from(mine, images))).status
            assert status is WriteStatus.APPLIED

    await asyncio.gather(*(count_up() for _ in range(writers)))
    row = await tenant.one(Kind.ENTITY, counter.uuid)
    assert isinstance(row, Entity)
    assert row.attributes == {"count": writers * rounds}
    assert row.version == (await tenant.fence()).version == 1 + writers * rounds


async def test_statistics_change_by_what_the_plan_says(tenant: Tenant) -> None:
    """The fence adds the plan's deltas in the write's own step, for every kind, negative ones too."""
    plan = await tenant.plan(tenant.intent())
    deltas = {kind: KindStats(3 + n, 0) for n, kind in enumerate(Kind)} | {Kind.FACT: KindStats(-2, -7)}
    outcome = await tenant.apply(replace(plan, stats=deltas))
    assert outcome.fence is not None
    assert outcome.fence.stats == deltas
    assert await tenant.driver.read_fences([tenant.ref], soon()) == {tenant.ref.group_id: outcome.fence}

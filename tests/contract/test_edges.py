"""Edges: their ends may change, and many may hang between the same nodes."""

from dataclasses import replace

import pytest

from drivers.fence import KindStats
from drivers.graph_model import (
    Edge,
    Fact,
    Kind,
)
from drivers.reads import Anchor
from drivers.write_plan import RowDrop, WriteStatus
from tests.contract.rows import (
    entity,
    episode,
    fact,
    mention,
    vector,
)
from tests.contract.tenant import Tenant


@pytest.mark.parametrize("turn", ["source", "target", "both", "around"])
async def test_a_fact_moves_to_other_endpoints(tenant: Tenant, turn: str) -> None:
    """A fact whose ends change is one fact at the new ends: gone from the old ones, without a tombstone."""
    a, b, c, d = (entity(name) for name in "abcd")
    claim = fact(a.uuid, b.uuid, "knows", embedding=vector([1, 1]))
    await tenant.write(a, b, c, d, claim)
    source, target = {
        "source": (c.uuid, b.uuid),
        "target": (a.uuid, c.uuid),
        "both": (c.uuid, d.uuid),
        "around": (b.uuid, a.uuid),
    }[turn]
    moved = replace(claim, source_uuid=source, target_uuid=target)
    await tenant.write(moved)
    (listed,) = await tenant.listed(Kind.FACT, with_vectors=True)
    assert isinstance(listed, Fact)
    assert (listed.source_uuid, listed.target_uuid, listed.version) == (source, target, 2)
    assert listed.embedding is not None
    for node in (a, b, c, d):
        hanging = await tenant.listed(Kind.FACT, anchor=Anchor(Kind.ENTITY, node.uuid))
        assert [row.uuid for row in hanging] == ([claim.uuid] if node.uuid in (source, target) else [])
    assert (await tenant.snapshot()).tombstones == frozenset()
    assert (await tenant.fence()).stats == await tenant.recount()


async def test_a_mention_moves_to_another_entity(tenant: Tenant) -> None:
    """Edges without text move between endpoints as facts do."""
    what, a, b = episode("x"), entity("a"), entity("b")
    link = mention(what.uuid, a.uuid)
    await tenant.write(what, a, b, link)
    await tenant.write(replace(link, target_uuid=b.uuid))
    (found,) = await tenant.listed(Kind.MENTION)
    assert isinstance(found, Edge)
    assert (found.uuid, found.source_uuid, found.target_uuid) == (link.uuid, what.uuid, b.uuid)
    assert (await tenant.listed(Kind.MENTION, anchor=Anchor(Kind.ENTITY, a.uuid))) == []


async def test_a_fact_moves_away_from_an_entity_that_the_same_write_deletes(tenant: Tenant) -> None:
    """Its drop without a tombstone frees the deleted node of it; the fact is there at its new end."""
    a, b, c = (entity(name) for name in "abc")
    claim = fact(a.uuid, b.uuid, "knows")
    await tenant.write(a, b, c, claim)
    plan = await tenant.plan(tenant.intent(replace(claim, target_uuid=c.uuid)))
    (dropped_fact,) = plan.drops
    plan = replace(
        plan,
        drops=(dropped_fact, RowDrop(Kind.ENTITY, b.uuid)),
        existing={Kind.FACT: 1, Kind.ENTITY: 1},
        incident_edges=1,
        stats={Kind.ENTITY: KindStats(-1, -1)},
    )
    assert (await tenant.apply(plan)).status is WriteStatus.APPLIED
    (found,) = await tenant.listed(Kind.FACT)
    assert isinstance(found, Fact)
    assert (found.uuid, found.target_uuid) == (claim.uuid, c.uuid)
    snapshot = await tenant.snapshot()
    assert snapshot.tombstones == {(Kind.ENTITY, b.uuid, 2)}
    assert (await tenant.fence()).stats == await tenant.recount()


async def test_facts_between_the_same_entities_are_kept_apart(tenant: Tenant) -> None:
    """Two entities may have many facts, in both directions, and an entity facts with itself."""
    a, b = entity("a"), entity("b")
    facts = [
        fact(a.uuid, b.uuid, "one"),
        fact(a.uuid, b.uuid, "two"),
        fact(b.uuid, a.uuid, "three"),
        fact(a.uuid, a.uuid, "four"),
    ]
    await tenant.write(a, b, *facts)
    await tenant.write(replace(facts[1], fact="changed"))
    found = {row.uuid: row for row in await tenant.listed(Kind.FACT) if isinstance(row, Fact)}
    assert {uuid: row.fact for uuid, row in found.items()} == {
        facts[0].uuid: "one",
        facts[1].uuid: "changed",
        facts[2].uuid: "three",
        facts[3].uuid: "four",
    }
    await tenant.write(deletions=[(Kind.FACT, facts[0].uuid)])
    assert len(await tenant.listed(Kind.FACT)) == 3

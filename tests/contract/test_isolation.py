"""Groups share spaces and never meet."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from drivers.fence import GroupRef
from drivers.graph_model import Kind
from drivers.reads import Anchor
from drivers.search_reads import ExpandQuery, KeywordQuery, SemanticQuery
from drivers.write_plan import ImageRequest
from tests.contract.conftest import OpenTenant
from tests.contract.rows import canonical, entity, fact, new_uuid, one_of_each, vector
from tests.contract.subject import POOL_GRAPHS
from tests.contract.tenant import Tenant, soon


async def _twins(open_tenant: OpenTenant, names: Sequence[str]) -> list[Tenant]:
    """Groups with the same uuids in every kind, each row naming its group."""
    rows = one_of_each(embedding=vector([1, 2]))
    tenants = [await open_tenant(name) for name in names]
    for n, tenant in enumerate(tenants):
        mine = [
            replace(row, name=f"{row.name} of {n}") if hasattr(row, "name") else row  # pyright: ignore
            for row in rows.values()
        ]
        await tenant.write(*mine)
    return tenants


async def test_the_same_uuids_in_many_groups_are_different_rows(open_tenant: OpenTenant) -> None:
    """More groups than pooled spaces, so that some share one: each reads, changes and deletes its own rows
    though all uuids are the same."""
    base = new_uuid()
    tenants = await _twins(open_tenant, [f"{base}-{n}" for n in range(POOL_GRAPHS * 2 + 1)])
    before = [await tenant.snapshot() for tenant in tenants]
    assert all(len(snapshot.rows) == 9 for snapshot in before)
    (who,) = await tenants[0].listed(Kind.ENTITY)
    await tenants[0].write(deletions=[(Kind.ENTITY, who.uuid)])
    await tenants[1].write(replace(who, summary="mine"))
    for tenant, then in list(zip(tenants, before, strict=True))[2:]:
        assert await tenant.snapshot() == then
    assert (await tenants[0].listed(Kind.ENTITY)) == []
    assert len((await tenants[1].snapshot()).rows) == 9


async def test_groups_that_differ_only_in_case_or_punctuation_are_different(open_tenant: OpenTenant) -> None:
    """group_id is compared exactly: no folding, no splitting at hyphens, no prefixes."""
    base = new_uuid()
    names = [f"{base}-{end}" for end in ("Ab", "AB", "ab", "a-b", "a_b", "a.b", "a:b", "ab-", "a", "a-b-c")]
    tenants = await _twins(open_tenant, names)
    for n, tenant in enumerate(tenants):
        snapshot = await tenant.snapshot()
        assert len(snapshot.rows) == 9
        assert snapshot.fence is not None
        assert (snapshot.fence.group_id, snapshot.fence.version) == (names[n], 1)
        found = await tenant.driver.keyword([tenant.ref], KeywordQuery(Kind.ENTITY, ("ada",), 10), soon())
        assert [(hit.key.group_id, hit.terms.split()[-1]) for hit in found.hits] == [(names[n], "program")]
        near = await tenant.driver.semantic(
            [tenant.ref], SemanticQuery(Kind.FACT, vector([1, 2]), 10), soon()
        )
        assert [hit.key.group_id for hit in near.hits] == [names[n]]


async def test_the_longest_group_id_works(open_tenant: OpenTenant) -> None:
    """128 characters of every permitted sort."""
    name = (new_uuid() + "AZaz09_-.:" * 13)[:128]
    tenant = await open_tenant(name)
    await tenant.write(*one_of_each().values())
    assert len((await tenant.snapshot()).rows) == 9
    assert (await tenant.fence()).group_id == name


async def test_edges_stay_within_their_group(open_tenant: OpenTenant) -> None:
    """With the same entities in two groups, a fact of one is not seen from the other, by any read."""
    base = new_uuid()
    tenants = [await open_tenant(f"{base}-{n}") for n in range(POOL_GRAPHS + 1)]
    a, b = entity("a"), entity("b")
    for tenant in tenants:
        await tenant.write(a, b)
    claim = fact(a.uuid, b.uuid, "only in the first")
    await tenants[0].write(claim)
    for n, tenant in enumerate(tenants):
        expected = [claim.uuid] if n == 0 else []
        anchored = await tenant.listed(Kind.FACT, anchor=Anchor(Kind.ENTITY, a.uuid))
        assert [row.uuid for row in anchored] == expected
        query = ExpandQuery(tenant.ref.group_id, "", (a.uuid,), Kind.FACT, 10)
        expanded = await tenant.driver.expand([query], soon())
        assert [edge.uuid for edge in expanded.edges.get(tenant.ref.group_id, ())] == expected
        images = await tenant.images(tenant.intent(deletions=[(Kind.ENTITY, a.uuid)]))
        assert [edge.uuid for edge in images.incident] == expected


async def test_one_call_reads_many_groups(open_tenant: OpenTenant) -> None:
    """fetch_rows answers each group with its own rows in the order asked and its own fence, also where
    groups share uuids; an unknown group has neither."""
    base = new_uuid()
    tenants = await _twins(open_tenant, [f"{base}-{n}" for n in range(POOL_GRAPHS + 2)])
    (who,) = await tenants[0].listed(Kind.ENTITY)
    extra = entity("extra", embedding=vector([3, 4]))
    await tenants[1].write(extra)
    stranger = GroupRef(f"{base}-unknown")
    asked = [extra.uuid, new_uuid(), who.uuid]
    driver = tenants[0].driver
    for with_vectors in (False, True):
        wanted = {tenant.ref: asked for tenant in tenants} | {stranger: asked}
        reads = await driver.fetch_rows(Kind.ENTITY, wanted, with_vectors, soon())
        for n, tenant in enumerate(tenants):
            read = reads[tenant.ref.group_id]
            alone = await tenant.get(Kind.ENTITY, *asked, with_vectors=with_vectors)
            assert [canonical(row) for row in read.rows] == [canonical(row) for row in alone.rows]
            assert [row.uuid for row in read.rows] == ([extra.uuid, who.uuid] if n == 1 else [who.uuid])
            assert read.fence == alone.fence
            assert read.fence is not None
        unknown = reads.get(stranger.group_id)
        assert unknown is None or (unknown.rows, unknown.fence) == ((), None)
    assert await driver.fetch_rows(Kind.FACT, {}, False, soon()) == {}


async def test_naming_something_twice_is_naming_it_once(open_tenant: OpenTenant) -> None:
    """Groups, rows and entities that a call names repeatedly come once in its answer."""
    tenant = await open_tenant()
    rows = one_of_each(embedding=vector([1, 2]))
    await tenant.write(*rows.values())
    who, claim, driver, ref = rows[Kind.ENTITY], rows[Kind.FACT], tenant.driver, tenant.ref
    twice = [who.uuid, who.uuid]
    assert [row.uuid for row in (await tenant.get(Kind.ENTITY, *twice)).rows] == [who.uuid]
    fetched = await driver.fetch_rows(Kind.ENTITY, {ref: twice}, False, soon())
    assert [row.uuid for row in fetched[ref.group_id].rows] == [who.uuid]
    near = await driver.semantic([ref, ref], SemanticQuery(Kind.ENTITY, vector([1, 2]), 10), soon())
    assert [hit.key.uuid for hit in near.hits] == [who.uuid]
    found = await driver.keyword([ref, ref], KeywordQuery(Kind.ENTITY, ("ada",), 10), soon())
    assert [hit.key.uuid for hit in found.hits] == [who.uuid]
    assert found.document_frequency == {"ada": 1}
    query = ExpandQuery(ref.group_id, "", (who.uuid, who.uuid), Kind.FACT, 10)
    expanded = await driver.expand([query, query], soon())
    assert [edge.uuid for edge in expanded.edges[ref.group_id]] == [claim.uuid]
    images = await driver.read_images(
        ref, ImageRequest("none", {Kind.ENTITY: twice}, {Kind.ENTITY: twice}, {Kind.ENTITY: twice}), soon()
    )
    assert len(images.rows) == len(images.endpoints[Kind.ENTITY]) == 1
    assert len(images.incident) == 3
    assert set(await driver.read_fences([ref, ref], soon())) == {ref.group_id}


async def test_writers_of_many_groups_at_once_do_not_hinder_each_other(open_tenant: OpenTenant) -> None:
    """One driver serves many callers: writes of many groups in shared spaces, and reads between them, all
    succeed the first time, for only writers of the same rows conflict."""
    base = new_uuid()
    tenants = [await open_tenant(f"{base}-{n}", space="" if n % 5 else f"own-{n}") for n in range(15)]
    rows = one_of_each(embedding=vector([1, 2]))

    async def use(tenant: Tenant) -> None:
        for n in range(4):
            await tenant.write(*rows.values(), fact(rows[Kind.ENTITY].uuid, rows[Kind.ENTITY].uuid, f"{n}"))
            assert len(await tenant.listed(Kind.FACT)) == n + 2
        await tenant.write(deletions=[(Kind.ENTITY, rows[Kind.ENTITY].uuid)])

    await asyncio.gather(*(use(tenant) for tenant in tenants))
    for tenant in tenants:
        fence = await tenant.fence()
        assert fence.version == 5
        assert fence.stats == await tenant.recount()


@pytest.mark.parametrize("kind", [Kind.ENTITY, Kind.FACT])
async def test_searches_see_only_the_groups_named(open_tenant: OpenTenant, kind: Kind) -> None:
    """Semantic and keyword search of some groups return nothing of the others beside them."""
    base = new_uuid()
    tenants = await _twins(open_tenant, [f"{base}-{n}" for n in range(POOL_GRAPHS * 2)])
    refs = [tenant.ref for tenant in tenants[::2]]
    named = {ref.group_id for ref in refs}
    driver = tenants[0].driver
    near = await driver.semantic(refs, SemanticQuery(kind, vector([1, 2]), 100), soon())
    assert {hit.key.group_id for hit in near.hits} == named
    assert len(near.hits) == len(refs)
    found = await driver.keyword(refs, KeywordQuery(kind, ("ada",), 100), soon())
    assert {hit.key.group_id for hit in found.hits} == named
    assert found.document_frequency == {"ada": len(refs)}
    assert set(near.fences) == set(found.fences) == named

"""One hop along the graph, bounded per entity."""

from dataclasses import replace

from drivers.filters import NO_FILTER, RowFilter
from drivers.graph_model import Community, EpisodeSource, Kind, Membership
from drivers.search_reads import ExpandedEdge, ExpandQuery, ExpandRead
from tests.contract.conftest import OpenTenant
from tests.contract.rows import entity, episode, fact, mention, new_uuid, uuids
from tests.contract.tenant import Tenant, soon


async def _expand(tenant: Tenant, *entities: str, along: Kind = Kind.FACT, most: int = 100) -> ExpandRead:
    query = ExpandQuery(tenant.ref.group_id, tenant.ref.space, entities, along, most)
    return await tenant.driver.expand([query], soon())


def _uuids(tenant: Tenant, read: ExpandRead) -> list[str]:
    return [edge.uuid for edge in read.edges.get(tenant.ref.group_id, ())]


async def test_facts_are_followed_both_ways(tenant: Tenant) -> None:
    """Facts from and to an entity, with their real direction; a fact of an entity with itself once."""
    a, b, c = (entity(name) for name in "abc")
    out, back, loop, other = (
        fact(a.uuid, b.uuid),
        fact(c.uuid, a.uuid),
        fact(a.uuid, a.uuid),
        fact(b.uuid, c.uuid),
    )
    await tenant.write(a, b, c, out, back, loop, other)
    read = await _expand(tenant, a.uuid)
    assert set(read.edges[tenant.ref.group_id]) == {
        ExpandedEdge(edge.uuid, edge.source_uuid, edge.target_uuid) for edge in (out, back, loop)
    }
    assert len(_uuids(tenant, read)) == 3
    assert read.fences == {tenant.ref.group_id: await tenant.fence()}


async def test_an_edge_between_two_asked_entities_comes_once(tenant: Tenant) -> None:
    """Each edge is in the answer once, however many of its ends were asked for."""
    a, b = entity("a"), entity("b")
    claims = [fact(a.uuid, b.uuid), fact(b.uuid, a.uuid)]
    await tenant.write(a, b, *claims)
    read = await _expand(tenant, a.uuid, b.uuid)
    assert sorted(_uuids(tenant, read)) == sorted(claim.uuid for claim in claims)


async def test_the_newest_edges_of_each_entity_are_taken(tenant: Tenant) -> None:
    """A hub gives its newest edges up to the bound, by created_at, then uuid; a bound for each entity."""
    hub, quiet, far = entity("hub"), entity("quiet"), entity("far")
    await tenant.write(hub, quiet, far)
    batches = [uuids(3) for _ in range(4)]
    for batch in batches:
        await tenant.write(*(fact(hub.uuid, far.uuid, at=at) for at in reversed(batch)))
    lone = fact(far.uuid, quiet.uuid)
    await tenant.write(lone)
    newest = [at for batch in reversed(batches) for at in batch]
    for most in (1, 3, 5, 12, 50):
        assert _uuids(tenant, await _expand(tenant, hub.uuid, most=most)) == newest[:most]
    both = await _expand(tenant, hub.uuid, quiet.uuid, most=4)
    assert set(_uuids(tenant, both)) == {*newest[:4], lone.uuid}


async def test_changing_a_fact_does_not_make_it_newer(tenant: Tenant) -> None:
    """The order is of creation, not of the last change."""
    a = entity("a")
    old, new = fact(a.uuid, a.uuid), fact(a.uuid, a.uuid)
    await tenant.write(a, old)
    await tenant.write(new)
    await tenant.write(fact(a.uuid, a.uuid, "changed", at=old.uuid))
    assert _uuids(tenant, await _expand(tenant, a.uuid, most=1)) == [new.uuid]


async def test_mentions_lead_to_episodes(tenant: Tenant) -> None:
    """Along mentions: source is the episode, target the entity; facts are not followed, nor mentions from
    facts' queries."""
    a, b = entity("a"), entity("b")
    one, two = episode("1"), episode("2")
    links = [mention(one.uuid, a.uuid), mention(two.uuid, a.uuid), mention(two.uuid, b.uuid)]
    await tenant.write(a, b, one, two, *links, fact(a.uuid, b.uuid))
    read = await _expand(tenant, a.uuid, along=Kind.MENTION)
    assert set(read.edges[tenant.ref.group_id]) == {
        ExpandedEdge(links[0].uuid, one.uuid, a.uuid),
        ExpandedEdge(links[1].uuid, two.uuid, a.uuid),
    }
    assert len(_uuids(tenant, await _expand(tenant, a.uuid, along=Kind.MENTION, most=1))) == 1


async def test_unknown_entities_and_groups_have_no_edges(tenant: Tenant) -> None:
    """What is not there is left out, without an error."""
    a = entity("a")
    await tenant.write(a, fact(a.uuid, a.uuid))
    assert len(_uuids(tenant, await _expand(tenant, new_uuid(), a.uuid))) == 1
    assert _uuids(tenant, await _expand(tenant, new_uuid())) == []
    assert _uuids(tenant, await _expand(tenant)) == []
    stranger = ExpandQuery(f"{tenant.ref.group_id}-x", "", (a.uuid,), Kind.FACT, 10)
    read = await tenant.driver.expand([stranger], soon())
    assert (list(read.edges.get(stranger.group_id, ())), dict(read.fences)) == ([], {})
    nothing = await tenant.driver.expand([], soon())
    assert (dict(nothing.edges), dict(nothing.fences)) == ({}, {})


async def test_many_groups_are_expanded_in_one_call(open_tenant: OpenTenant) -> None:
    """Each group along its own edges, facts in one and mentions in another, with every fence."""
    base = new_uuid()
    tenants = [await open_tenant(f"{base}-{n}") for n in range(5)]
    a, what = entity("a"), episode("x")
    expected: dict[str, set[str]] = {}
    queries: list[ExpandQuery] = []
    for n, tenant in enumerate(tenants):
        claims = [fact(a.uuid, a.uuid) for _ in range(n)]
        link = mention(what.uuid, a.uuid)
        await tenant.write(a, what, link, *claims)
        along = Kind.MENTION if n == 4 else Kind.FACT
        queries.append(ExpandQuery(tenant.ref.group_id, "", (a.uuid,), along, 2))
        expected[tenant.ref.group_id] = {link.uuid} if n == 4 else {c.uuid for c in claims}
    read = await tenants[0].driver.expand(queries, soon())
    for query in queries:
        found = [edge.uuid for edge in read.edges.get(query.group_id, ())]
        assert set(found) <= expected[query.group_id]
        assert len(found) == min(2, len(expected[query.group_id]))
    assert read.fences == {tenant.ref.group_id: await tenant.fence() for tenant in tenants}


async def test_mentions_and_memberships_lead_both_ways(tenant: Tenant) -> None:
    """From an episode to its entities, from a community to its members, from an entity to its communities."""
    a, b, what = entity("a"), entity("b"), episode("x")
    circle = Community(uuid=new_uuid(), name="c")
    links = [mention(what.uuid, a.uuid), mention(what.uuid, b.uuid)]
    members = [Membership(uuid=new_uuid(), source_uuid=circle.uuid, target_uuid=a.uuid)]
    await tenant.write(a, b, what, circle, *links, *members)

    async def found(origin: Kind, at: str, along: Kind) -> set[ExpandedEdge]:
        query = ExpandQuery(tenant.ref.group_id, "", (at,), along, 10, origin=origin)
        return set((await tenant.driver.expand([query], soon())).edges[tenant.ref.group_id])

    mentions = {ExpandedEdge(link.uuid, link.source_uuid, link.target_uuid) for link in links}
    member = ExpandedEdge(members[0].uuid, circle.uuid, a.uuid)
    assert await found(Kind.EPISODE, what.uuid, Kind.MENTION) == mentions
    assert await found(Kind.COMMUNITY, circle.uuid, Kind.MEMBERSHIP) == {member}
    assert await found(Kind.ENTITY, a.uuid, Kind.MEMBERSHIP) == {member}
    assert await found(Kind.ENTITY, b.uuid, Kind.MEMBERSHIP) == set()


async def test_a_call_is_bounded_in_all(tenant: Tenant) -> None:
    """edges_max keeps the edges of the entities named first; `cut` says when either bound left some out."""
    a, b, far = entity("a"), entity("b"), entity("far")
    await tenant.write(a, b, far)
    of_a, of_b = ([fact(one.uuid, far.uuid, at=at) for at in uuids(5)] for one in (a, b))
    await tenant.write(*of_b)
    await tenant.write(*of_a)

    async def found(most: int, edges_max: int) -> tuple[list[str], bool]:
        query = ExpandQuery(tenant.ref.group_id, "", (a.uuid, b.uuid), Kind.FACT, most, edges_max=edges_max)
        read = await tenant.driver.expand([query], soon())
        return _uuids(tenant, read), tenant.ref.group_id in read.cut

    ordered = [claim.uuid for claim in (*of_a, *of_b)]
    assert await found(5, 10) == (ordered, False)
    assert await found(5, 9) == (ordered[:9], True)
    assert await found(5, 3) == (ordered[:3], True)
    assert await found(4, 10) == (ordered[:4] + ordered[5:9], True)
    assert await found(4, 1) == (ordered[:1], True)


async def test_what_edges_lead_to_is_filtered_before_the_bound(tenant: Tenant) -> None:
    """Entities by label at the other ends of a hub's facts, episodes by source behind its mentions and the
    entities of an episode: as many as the bound, whatever newer edges lead elsewhere; with a filter of the
    edges beside it, both hold."""
    hub = replace(entity("hub"), labels=("Old",))
    old = [replace(entity("old"), labels=("Old",), uuid=at) for at in uuids(3)]
    new = [entity("new", at=at) for at in uuids(5)]
    written = [replace(episode("json"), source=EpisodeSource.JSON) for _ in range(2)]
    said = [episode("text") for _ in range(4)]
    loop = fact(hub.uuid, hub.uuid)
    await tenant.write(hub, *old, *new, *written, *said, loop)
    kept = [fact(hub.uuid, one.uuid, at=at) for one, at in zip(old, uuids(3), strict=True)]
    await tenant.write(*kept, *(mention(one.uuid, hub.uuid) for one in written))
    then = max(row.created_at for row in await tenant.listed(Kind.FACT))
    await tenant.write(fact(old[0].uuid, hub.uuid, "later"))
    others = [fact(one.uuid, hub.uuid) for one in new]
    await tenant.write(*others, *(mention(one.uuid, hub.uuid) for one in said))
    labelled = RowFilter(labels_any=("Old",))

    async def found(along: Kind, wanted: RowFilter, far: RowFilter, most: int, *at: str) -> tuple[int, bool]:
        origin = Kind.ENTITY if hub.uuid in at else Kind.EPISODE
        query = ExpandQuery(tenant.ref.group_id, "", at, along, most, wanted, origin, far_filter=far)
        read = await tenant.driver.expand([query], soon())
        return len(_uuids(tenant, read)), tenant.ref.group_id in read.cut

    assert await found(Kind.FACT, NO_FILTER, labelled, 5, hub.uuid) == (5, False)
    assert await found(Kind.FACT, NO_FILTER, labelled, 4, hub.uuid) == (4, True)
    assert await found(Kind.FACT, RowFilter(known_at=then), labelled, 4, hub.uuid) == (4, False)
    assert await found(Kind.FACT, NO_FILTER, RowFilter(uuids=(old[1].uuid,)), 1, hub.uuid) == (1, False)
    assert await found(Kind.FACT, NO_FILTER, RowFilter(labels_none=("Old",)), 9, hub.uuid) == (5, False)
    # An edge between two of the named ones comes if it leads to one that passes.
    assert await found(Kind.FACT, NO_FILTER, RowFilter(uuids=(old[1].uuid,)), 9, hub.uuid, old[1].uuid) == (
        1,
        False,
    )
    json = RowFilter(sources=(EpisodeSource.JSON,))
    assert await found(Kind.MENTION, NO_FILTER, json, 2, hub.uuid) == (2, False)
    assert await found(Kind.MENTION, RowFilter(known_at=then), json, 1, hub.uuid) == (1, True)
    assert await found(Kind.MENTION, RowFilter(known_at=then - 1), json, 1, hub.uuid) == (0, False)
    assert await found(Kind.MENTION, NO_FILTER, labelled, 2, said[0].uuid) == (1, False)
    assert await found(Kind.MENTION, NO_FILTER, RowFilter(names=("x",)), 2, said[0].uuid) == (0, False)

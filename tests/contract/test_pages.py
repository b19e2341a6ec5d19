"""Lists, their orders, pages and anchors."""

import asyncio
import random
from dataclasses import replace

import pytest

from drivers.graph_model import (
    EDGE_KINDS,
    ENDPOINT_KINDS,
    AnyRow,
    Closure,
    Community,
    Entity,
    Kind,
    Membership,
    NextEpisode,
    Saga,
    SagaEpisode,
)
from drivers.reads import ROWS_PER_READ_MAX, Anchor, ListCursor, ListOrder, ListQuery
from gateway.writes.intent import RowChange
from tests.contract.rows import entity, episode, fact, mention, new_uuid, one_of_each, uuids, vector
from tests.contract.tenant import Tenant, soon


def _newest_first(rows: list[AnyRow]) -> list[AnyRow]:
    return sorted(rows, key=lambda row: (-row.created_at, row.uuid))


async def _aged(tenant: Tenant, kind: Kind, batches: int = 4, size: int = 5) -> list[str]:
    """Rows of a kind (entities or facts) in a few writes, so that some share their created_at."""
    hub = new_uuid()
    await tenant.write(entity("hub", at=hub))
    made: list[str] = [hub] if kind is Kind.ENTITY else []
    for _ in range(batches):
        ids = uuids(size)
        random.Random(ids[0]).shuffle(ids)
        await tenant.write(
            *(entity("n", at=at) if kind is Kind.ENTITY else fact(hub, hub, "f", at=at) for at in ids)
        )
        made += ids
    return made


@pytest.mark.parametrize("kind", [Kind.ENTITY, Kind.FACT])
@pytest.mark.parametrize("order", ListOrder)
@pytest.mark.parametrize("page_size", [1, 3, 7, ROWS_PER_READ_MAX + 1])
async def test_pages_of_any_size_make_the_whole_list(
    tenant: Tenant, kind: Kind, order: ListOrder, page_size: int
) -> None:
    """Pages in either order have every row once, also where rows share their created_at. The largest is a
    full page and the row that tells whether another page follows."""
    made = await _aged(tenant, kind)
    rows = await tenant.listed(kind, page_size, order=order)
    assert sorted(row.uuid for row in rows) == sorted(made)
    expected = sorted(made) if order is ListOrder.UUID else [row.uuid for row in _newest_first(rows)]
    assert [row.uuid for row in rows] == expected


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("order", ListOrder)
async def test_every_kind_is_listed_in_either_order(tenant: Tenant, kind: Kind, order: ListOrder) -> None:
    """A list of a kind has its rows and no others."""
    rows = one_of_each(embedding=vector([1, 2]))
    await tenant.write(*rows.values())
    page = await tenant.page(kind, order=order)
    assert [row.uuid for row in page.rows] == [rows[kind].uuid]
    assert getattr(page.rows[0], "embedding", None) is None


async def test_a_cursor_need_not_exist(tenant: Tenant) -> None:
    """A page goes on after the place of a row that was deleted meanwhile."""
    ids = uuids(5)
    for at in ids:
        await tenant.write(entity("n", at=at))
    rows = {row.uuid: row for row in await tenant.listed(Kind.ENTITY)}
    await tenant.write(deletions=[(Kind.ENTITY, ids[2])])
    after = ListCursor(ids[2], rows[ids[2]].created_at)
    by_uuid = await tenant.page(Kind.ENTITY, after=after)
    assert [row.uuid for row in by_uuid.rows] == ids[3:]
    newest = await tenant.page(Kind.ENTITY, order=ListOrder.NEWEST, after=after)
    assert [row.uuid for row in newest.rows] == [ids[1], ids[0]]


async def test_an_empty_list_has_its_fence(tenant: Tenant) -> None:
    """A list without rows still tells who owns the group."""
    page = await tenant.page(Kind.COMMUNITY)
    assert (page.rows, page.fence) == ((), await tenant.fence())


@pytest.mark.parametrize("order", ListOrder)
async def test_pages_under_concurrent_writes_lose_and_repeat_nothing(
    tenant: Tenant, order: ListOrder
) -> None:
    """While rows are made, changed and deleted, every row that is there throughout is seen exactly once."""
    lasting = [entity(f"lasting {n}") for n in range(30)]
    passing = [entity(f"passing {n}") for n in range(10)]
    for n in range(10):
        await tenant.write(*lasting[n * 3 : n * 3 + 3], passing[n])
    done = asyncio.Event()

    async def disturb() -> None:
        rng = random.Random(1)
        for victim in passing:
            changed = replace(rng.choice(lasting), summary=f"changed {rng.random()}")
            intent = tenant.intent(changed, entity("new"), deletions=[(Kind.ENTITY, victim.uuid)])
            await tenant.write_contended(intent)
        done.set()

    async def read() -> list[str]:
        return [row.uuid for row in await tenant.listed(Kind.ENTITY, 4, order=order)]

    task = asyncio.create_task(disturb())
    lists: list[list[str]] = []
    while not done.is_set():
        lists.append(await read())
        await asyncio.sleep(0)
    await task
    lists.append(await read())
    assert len(lists) > 1
    for seen in lists:
        assert len(seen) == len(set(seen))
        assert {row.uuid for row in lasting} <= set(seen)
    assert not {row.uuid for row in passing} & set(lists[-1])


@pytest.mark.parametrize("kind", EDGE_KINDS)
@pytest.mark.parametrize("order", ListOrder)
async def test_an_anchor_lists_the_edges_of_one_node(tenant: Tenant, kind: Kind, order: ListOrder) -> None:
    """An anchored list has the edges at that node, whichever end it is, and pages like any list."""
    source_kind, target_kind = ENDPOINT_KINDS[kind]
    nodes = {node_kind: [_node(node_kind, n) for n in range(3)] for node_kind in {source_kind, target_kind}}
    await tenant.write(*(row for rows in nodes.values() for row in rows))
    ends = [(source.uuid, target.uuid) for source in nodes[source_kind] for target in nodes[target_kind]]
    edges = [_edge(kind, *pair) for pair in ends]
    for edge in edges:
        await tenant.write(edge)
    for node_kind in {source_kind, target_kind}:
        place = [0, 1] if source_kind is target_kind else [0 if node_kind is source_kind else 1]
        node = nodes[node_kind][1]
        expected = {
            edge.uuid for edge, pair in zip(edges, ends, strict=True) if node.uuid in [pair[p] for p in place]
        }
        for page_size in (1, 2, 100):
            rows = await tenant.listed(kind, page_size, order=order, anchor=Anchor(node_kind, node.uuid))
            ordered = rows if order is ListOrder.NEWEST else sorted(rows, key=lambda row: row.uuid)
            assert [row.uuid for row in rows] == [
                row.uuid for row in (_newest_first(ordered) if order is ListOrder.NEWEST else ordered)
            ]
            assert {row.uuid for row in rows} == expected
            assert len(rows) == len(expected)


async def test_an_anchor_that_is_not_there_lists_nothing(tenant: Tenant) -> None:
    """An unknown anchor is an empty list, and so is a node of another kind with the same uuid."""
    a, what = entity("a"), episode("x")
    await tenant.write(a, what, fact(a.uuid, a.uuid), mention(what.uuid, a.uuid))
    for anchor in (Anchor(Kind.ENTITY, new_uuid()), Anchor(Kind.EPISODE, a.uuid)):
        assert (await tenant.page(Kind.MENTION, anchor=anchor)).rows == ()
    assert len((await tenant.page(Kind.MENTION, anchor=Anchor(Kind.EPISODE, what.uuid))).rows) == 1


async def test_an_anchored_page_has_vectors_when_asked(tenant: Tenant) -> None:
    """with_vectors holds for every way to list."""
    a = entity("a", embedding=vector([0, 1]))
    claim = fact(a.uuid, a.uuid, embedding=vector([1, 0]))
    await tenant.write(a, claim)
    for order in ListOrder:
        anchor = Anchor(Kind.ENTITY, a.uuid)
        (row,) = (await tenant.page(Kind.FACT, order=order, anchor=anchor, with_vectors=True)).rows
        assert row.embedding is not None  # pyright: ignore[reportAttributeAccessIssue]
        (node,) = (await tenant.page(Kind.ENTITY, order=order, with_vectors=True)).rows
        assert isinstance(node, Entity)
        assert node.embedding is not None


def _node(kind: Kind, n: int) -> AnyRow:
    match kind:
        case Kind.ENTITY:
            return entity(f"e{n}")
        case Kind.EPISODE:
            return episode(f"p{n}")
        case Kind.COMMUNITY:
            return Community(uuid=new_uuid(), name=f"c{n}")
        case _:
            return Saga(uuid=new_uuid(), name=f"s{n}")


def _edge(kind: Kind, source: str, target: str) -> AnyRow:
    match kind:
        case Kind.FACT:
            return fact(source, target)
        case Kind.MENTION:
            return mention(source, target)
        case Kind.MEMBERSHIP:
            return Membership(uuid=new_uuid(), source_uuid=source, target_uuid=target)
        case Kind.SAGA_EPISODE:
            return SagaEpisode(uuid=new_uuid(), source_uuid=source, target_uuid=target)
        case _:
            return NextEpisode(uuid=new_uuid(), source_uuid=source, target_uuid=target, saga_uuid=new_uuid())


@pytest.mark.parametrize("order", ListOrder)
@pytest.mark.parametrize("page_size", [2, 100])
async def test_facts_of_an_episode_are_listed(tenant: Tenant, order: ListOrder, page_size: int) -> None:
    """Those whose `episodes` name it, whether or not it mentions their entities."""
    a = entity("a")
    one, other = new_uuid(), new_uuid()
    await tenant.write(a)
    ids = uuids(9)
    for n, at in enumerate(ids):
        told_by = ((one,), (other, one), (other,))[n % 3]
        await tenant.write(fact(a.uuid, a.uuid, at=at, episodes=told_by))
    listed = await tenant.listed(Kind.FACT, page_size, order=order, anchor=Anchor(Kind.EPISODE, one))
    expected = [at for n, at in enumerate(ids) if n % 3 < 2]
    assert [row.uuid for row in listed] == (expected if order is ListOrder.UUID else expected[::-1])
    assert await tenant.listed(Kind.FACT, anchor=Anchor(Kind.EPISODE, new_uuid())) == []


@pytest.mark.parametrize("order", ListOrder)
async def test_facts_that_an_episode_has_ended_are_listed(tenant: Tenant, order: ListOrder) -> None:
    """Those of which any closure names it or one of the given facts, page by page; not what it states."""
    a = entity("a")
    one, cause = new_uuid(), new_uuid()
    await tenant.write(a)
    ended = (
        (Closure(5, 9, one),),
        (Closure(5, 9, new_uuid(), cause), Closure(6, 8, new_uuid(), new_uuid())),
        (Closure(4, 9, new_uuid()), Closure(6, 8, one, cause)),
        (Closure(5, 9, new_uuid(), new_uuid()),),
        (),
    )
    expected: dict[tuple[str, ...], list[str]] = {(): [], (cause,): []}
    for number, at in enumerate(uuids(10)):
        closures = ended[number % len(ended)]
        row = fact(a.uuid, a.uuid, at=at, episodes=(one,))
        intent = replace(tenant.intent(row), changes=(RowChange(row, closures=closures),))
        await tenant.apply(await tenant.plan(intent))
        for causes, listed in expected.items():
            if any(each.episode_uuid == one or each.fact_uuid in causes for each in closures):
                listed.append(at)
    for causes, wanted in expected.items():
        found: list[AnyRow] = []
        while True:
            after = ListCursor(found[-1].uuid, found[-1].created_at) if found else None
            query = ListQuery(Kind.FACT, 3, order, after, Anchor(Kind.EPISODE, one), closed_by_facts=causes)
            page = (await tenant.driver.list_rows(tenant.ref, query, soon())).rows
            found += page
            if len(page) < query.limit:
                break
        assert [row.uuid for row in found] == (wanted if order is ListOrder.UUID else wanted[::-1])


@pytest.mark.parametrize("order", ListOrder)
async def test_facts_between_two_entities_are_listed(tenant: Tenant, order: ListOrder) -> None:
    """In either direction, from either end, page by page; facts of an entity with itself if asked for."""
    a, b, c = entity("a"), entity("b"), entity("c")
    await tenant.write(a, b, c)
    between: list[str] = []
    for n, at in enumerate(uuids(6)):
        ends = (a.uuid, b.uuid) if n % 2 else (b.uuid, a.uuid)
        await tenant.write(fact(*ends, at=at), fact(a.uuid, c.uuid), fact(a.uuid, a.uuid))
        between.append(at)
    expected = between if order is ListOrder.UUID else between[::-1]

    async def listed(one: str, other: str, page_size: int) -> list[str]:
        found: list[AnyRow] = []
        while True:
            after = ListCursor(found[-1].uuid, found[-1].created_at) if found else None
            query = ListQuery(Kind.FACT, page_size, order, after, Anchor(Kind.ENTITY, one), other_uuid=other)
            page = (await tenant.driver.list_rows(tenant.ref, query, soon())).rows
            found += page
            if len(page) < page_size:
                return [row.uuid for row in found]

    for page_size in (1, 4, 100):
        assert await listed(a.uuid, b.uuid, page_size) == expected
        assert await listed(b.uuid, a.uuid, page_size) == expected
    assert await listed(b.uuid, c.uuid, 10) == []
    assert len(await listed(a.uuid, a.uuid, 10)) == 6


@pytest.mark.parametrize("page_size", [1, 3, 100])
async def test_versions_are_listed_up_to_one(tenant: Tenant, page_size: int) -> None:
    """Of rows of every kind, page by page, without those that were written later."""
    for _ in range(2):
        await tenant.write(*one_of_each().values())
    bound = (await tenant.fence()).version
    await tenant.write(*one_of_each().values())
    for kind in Kind:
        everything = {row.uuid: row.version for row in await tenant.listed(kind)}
        found: dict[str, int] = {}
        while True:
            after = ListCursor(next(reversed(found))) if found else None
            query = ListQuery(kind, page_size, after=after, up_to_version=bound)
            page = await tenant.driver.list_versions(tenant.ref, query, soon())
            assert page.fence is not None
            assert len(page.versions) <= page_size
            found |= page.versions
            if len(page.versions) < page_size:
                break
        assert list(found.items()) == [pair for pair in everything.items() if pair[1] <= bound]
        assert 0 < len(found) < len(everything)


async def test_versions_of_the_edges_of_a_node(tenant: Tenant) -> None:
    """All that hang on it, whenever they were written, and no others."""
    a, b = entity("a"), entity("b")
    await tenant.write(a, b)
    edge, other = fact(a.uuid, b.uuid), fact(b.uuid, b.uuid)
    await tenant.write(edge, other)
    query = ListQuery(Kind.FACT, 10, anchor=Anchor(Kind.ENTITY, a.uuid))
    found = await tenant.driver.list_versions(tenant.ref, query, soon())
    assert list(found.versions) == [edge.uuid]

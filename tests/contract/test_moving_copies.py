"""A whole group, copied from every engine to every engine, also while it is written to."""

import random
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace

import numpy as np
import pytest

from drivers.contract import ShardDriver
from drivers.fence import POOLED, Engine, Fence, FenceState, GroupRef
from drivers.graph_model import INT64_MAX, OPEN_END, OPEN_START, AnyRow, Kind, Timestamp
from drivers.moving import COPY_START, CURSOR_END, SECTIONS, CopyCursor, GroupPage, Other, PageAhead
from drivers.row_codec import kind_of
from drivers.search_reads import ExpandQuery, KeywordQuery, SemanticQuery
from drivers.write_plan import OpRecord, WriteStatus
from tests.contract.conftest import ENGINES, OpenTenant
from tests.contract.moving_steps import Move, held, operations, pages
from tests.contract.rows import (
    canonical,
    canonical_set,
    entity,
    episode,
    fact,
    mention,
    new_uuid,
    one_of_each,
    random_vector,
    vector,
)
from tests.contract.subject import Subject
from tests.contract.tenant import FOUNDED_AT, Tenant, soon

DIMENSION = 12
CJK = "\u6771\u4eac\u306e\u56f3\u66f8\u9928 \U0001f4da"
ODD_OP_ID = " op/\"with' \\blanks\t "
EXTREMES = {"max": INT64_MAX, "min": -INT64_MAX - 1, "none": "", "when": Timestamp(OPEN_START), "f": -0.0}


@pytest.fixture(scope="session", params=ENGINES)
def other(request: pytest.FixtureRequest) -> Subject:
    """Where the copy goes."""
    return request.getfixturevalue(f"{request.param}_subject")


type OpenMove = Callable[[int], Awaitable[Move]]


@pytest.fixture
def open_move(open_tenant: OpenTenant, driver: ShardDriver, other: Subject) -> OpenMove:
    """From a pooled group to the other shard; on one shard into a space of its own or, where there is none,
    to another name: rows do not know the name of their group."""

    async def opened(rows_max: int) -> Move:
        source = await open_tenant()
        ref = source.ref
        if other.driver is driver:
            space = f"own-{secrets.token_hex(4)}"
            await driver.ensure_space(space, soon())
            alone = driver.engine is Engine.NEO4J
            ref = GroupRef(f"{ref.group_id}-copy") if alone else replace(ref, space=space)
        return Move(source, Tenant(other.driver, ref), rows_max)

    return opened


async def rich(tenant: Tenant) -> None:
    """All that a group can have: every kind, vectors, closures, attributes, deletions, rows written again at
    other ends, operation ids of any form, texts of any script and none."""
    rng = np.random.default_rng(5)
    rows = one_of_each(attributes=EXTREMES, embedding=random_vector(rng, DIMENSION))
    await tenant.write(*rows.values(), op_id=ODD_OP_ID)
    people = [entity(f"{CJK} {n}", summary="", embedding=random_vector(rng, DIMENSION)) for n in range(7)]
    await tenant.write(*people, entity("", labels=("", CJK)))
    claims = [
        fact(
            people[n].uuid,
            people[n + 1].uuid,
            f"marmalade {CJK}",
            embedding=random_vector(rng, DIMENSION),
            valid_at=OPEN_START if n % 2 else -n,
            invalid_at=OPEN_END if n % 3 else INT64_MAX - 1,
            attributes={"list": ("", "b"), "flags": (True, False), "x": n / 7},
        )
        for n in range(6)
    ]
    await tenant.write(*claims)
    for end in (FOUNDED_AT, FOUNDED_AT - 5):
        await tenant.write(replace(claims[0], invalid_at=end), episode_uuid=rows[Kind.EPISODE].uuid)
    await tenant.write(deletions=[(Kind.ENTITY, people[6].uuid)])
    await tenant.write(replace(claims[1], source_uuid=people[0].uuid, target_uuid=people[4].uuid))
    await tenant.write(deletions=[(Kind.FACT, claims[2].uuid)])
    await tenant.write(replace(claims[2], source_uuid=people[5].uuid, target_uuid=people[5].uuid))
    await tenant.write(mention(rows[Kind.EPISODE].uuid, people[3].uuid), episode(CJK))


@pytest.mark.parametrize("rows_max", [2, 1_000])
async def test_a_copy_is_the_same_group(open_move: OpenMove, rows_max: int) -> None:
    """Rows, vectors bit by bit, tombstones, operations, statistics, models and times are those of the source,
    whatever the size of the pages."""
    move = await open_move(rows_max)
    await rich(move.source)
    before = await held(move.source)
    await move.begin()
    await move.copy()
    await move.commit()
    assert await held(move.target) == before
    assert len(await operations(move.target.driver, move.target.ref)) == before["version"]
    fence = await move.target.fence()
    assert (fence.state, fence.epoch, fence.move_id, fence.cursor) == (FenceState.OPEN, 3, "", "")
    assert (await move.source.fence()).state is FenceState.MOVED


async def test_searches_find_the_same(open_move: OpenMove) -> None:
    """By meaning, by words and along edges: at the copy as at the source before."""
    move = await open_move(50)
    await rich(move.source)
    before = await _found(move.source)
    await move.begin()
    await move.copy()
    await move.commit()
    found, scores = await _found(move.target)
    assert (found, scores) == (before[0], pytest.approx(before[1], abs=1e-5))
    assert len(scores) > 10


async def _found(tenant: Tenant) -> tuple[list[object], list[float]]:
    """Which rows, and the scores: each engine computes them in its own way."""
    driver, ref = tenant.driver, tenant.ref
    asked = random_vector(np.random.default_rng(6), DIMENSION)
    told: list[object] = []
    scores: list[float] = []
    for kind in (Kind.ENTITY, Kind.FACT, Kind.EPISODE, Kind.COMMUNITY):
        near = await driver.semantic([ref], SemanticQuery(kind, asked, 50), soon())
        told.append([hit.key.uuid for hit in near.hits])
        scores += [hit.score for hit in near.hits]
        words = await driver.keyword([ref], KeywordQuery(kind, ("marmalade", "ada"), 50), soon())
        told.append((words.document_frequency, sorted(hit.key.uuid for hit in words.hits)))
    people = tuple(row.uuid for row in await tenant.listed(Kind.ENTITY))
    for along in (Kind.FACT, Kind.MENTION):
        query = ExpandQuery(ref.group_id, ref.space, people, along, 100)
        found = (await driver.expand([query], soon())).edges[ref.group_id]
        told.append(sorted((edge.uuid, edge.source_uuid, edge.target_uuid) for edge in found))
    return told, scores


async def test_writes_go_on_at_the_copy(open_move: OpenMove) -> None:
    """Versions and times go on; a retry of a write that the source applied gets the source's answer; a write
    that names the version sees it; the source takes none."""
    move = await open_move(50)
    await rich(move.source)
    retried = move.source.intent(entity("once"), op_id="once")
    first = await move.source.apply(await move.source.plan(retried))
    await move.begin()
    await move.copy()
    await move.commit()
    target = move.target
    again = await target.apply(await target.plan(retried))
    assert again.status is WriteStatus.DUPLICATE
    assert again.operation == first.operation
    version = (await target.fence()).version
    late = target.intent(entity("late"), if_version=version - 1)
    assert (await target.apply(await target.plan(late))).status is WriteStatus.VERSION_MISMATCH
    right = target.intent(entity("right", embedding=vector([1] * DIMENSION)), if_version=version)
    done = await target.apply(await target.plan(right))
    assert done.status is WriteStatus.APPLIED
    assert done.fence is not None
    assert done.fence.version == version + 1
    doomed = (await target.listed(Kind.FACT))[0]
    await target.write(deletions=[(Kind.FACT, doomed.uuid)])
    assert (await target.fence()).stats == await target.recount()
    refused = await move.source.apply(await move.source.plan(move.source.intent(entity("x"))))
    assert refused.status is WriteStatus.NOT_OWNED


@pytest.mark.parametrize("seed", [secrets.randbelow(10**6), 7])
async def test_a_group_that_is_written_to_while_it_is_copied(open_move: OpenMove, seed: int) -> None:
    """Creations, changes, deletions and edges at other ends between any two steps of the copy and its rounds:
    the copy is the group as it is when it freezes. Prints its seed."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    move = await open_move(rng.choice([2, 3, 5]))
    uuids = [new_uuid() for _ in range(8)]
    for _ in range(6):
        await _any_write(move.source, rng, uuids)
    await move.begin()
    while await move.load():
        for _ in range(rng.randrange(3)):
            await _any_write(move.source, rng, uuids)
    for _ in range(8):
        await move.round()
        await _any_write(move.source, rng, uuids)
    await move.commit()
    assert await held(move.target) == await held(move.source)
    await _any_write(move.target, rng, uuids)
    assert (await move.target.fence()).stats == await move.target.recount()


async def _any_write(tenant: Tenant, rng: random.Random, uuids: list[str]) -> None:
    """Some of few rows, so that they are deleted and written again often."""
    there = {row.uuid for row in await tenant.listed(Kind.ENTITY)}
    doomed = set(rng.sample(uuids, rng.randrange(3)))
    made = set(rng.sample(uuids, rng.randrange(1, 4))) - doomed
    ends = sorted((there | made) - doomed)
    rows: list[AnyRow] = [
        entity(str(rng.random()), at=uuid, embedding=vector([rng.random() + 0.1, 1])) for uuid in made
    ]
    deletions = [(Kind.ENTITY, uuid) for uuid in doomed & there]
    edges = rng.sample(uuids, 3)
    if ends:
        rows += [fact(rng.choice(ends), rng.choice(ends), "f", at=uuid) for uuid in edges[:2]]
    deletions += [(Kind.FACT, edges[2])]
    await tenant.write(*rows, deletions=deletions)


async def test_pages_are_in_order_and_whole(tenant: Tenant) -> None:
    """Each section in the order of its keys, none twice, none left out; the fence comes with every page."""
    await rich(tenant)
    whole = await pages(tenant.driver, tenant.ref, 1_000)
    small = await pages(tenant.driver, tenant.ref, 2)
    rows = [row for page in small for row in page.rows]
    assert [canonical(row) for row in rows] == [canonical(row) for page in whole for row in page.rows]
    kinds = [SECTIONS.index(kind_of(row)) for row in rows]
    assert kinds == sorted(kinds)
    for kind in Kind:
        uuids = [row.uuid for row in rows if kind_of(row) == kind]
        assert uuids == sorted(set(uuids))
    for found in (whole, small):
        stones = [(t.kind, t.uuid, t.version) for page in found for t in page.tombstones]
        assert len(stones) == len(set(stones)) == 3
        told = [record.op_id for page in found for record in page.operations]
        assert len(told) == len(set(told)) == (await tenant.fence()).version
        assert all(page.fence == found[-1].fence for page in found)
        assert all(len(page.rows) + len(page.tombstones) + len(page.operations) <= 1_000 for page in found)
        assert all(page.rows or page.tombstones or page.operations for page in found[:-1])
    assert all(len(page.rows) <= 2 for page in small)


@pytest.mark.parametrize("keys_ahead", [2, 3, 20_000])
async def test_pages_with_keys_read_ahead_are_the_same(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, keys_ahead: int
) -> None:
    """However many keys are known at once, also from the middle on; rows that are deleted after their keys
    were read are left out and stop nothing."""
    monkeypatch.setattr("drivers.falkordb.moving.KEYS_AHEAD", keys_ahead)
    rows = sorted((entity(f"{n}") for n in range(9)), key=lambda row: row.uuid)
    await tenant.write(*rows)
    await tenant.write(*(fact(rows[n].uuid, rows[n + 1].uuid, "f") for n in range(8)))
    for op_id in ("\U0001f4da", CJK, ODD_OP_ID, "~", "\uffff"):
        await tenant.write(op_id=op_id)

    async def read(cursor: CopyCursor | None, rows_max: int, ahead: PageAhead | None) -> list[GroupPage]:
        found: list[GroupPage] = []
        while cursor is not None:
            found.append(await tenant.driver.read_page(tenant.ref, cursor, rows_max, soon(), ahead))
            cursor = found[-1].next
        return found

    def uuids_of(found: list[GroupPage]) -> list[str]:
        return [row.uuid for page in found for row in page.rows]

    def operations_of(found: list[GroupPage]) -> list[OpRecord]:
        return [record for page in found for record in page.operations]

    for start in (COPY_START, CopyCursor(Kind.ENTITY, rows[4].uuid), CopyCursor(Kind.FACT, rows[8].uuid)):
        plain = await read(start, 2, None)
        by_keys = await read(start, 2, PageAhead())
        assert uuids_of(by_keys) == uuids_of(plain)
        assert operations_of(by_keys) == operations_of(plain)
        assert len(operations_of(by_keys)) == 7
        assert all(len(page.operations) <= 2 for page in by_keys)
        assert all(page.fence == plain[-1].fence for page in by_keys)
    ahead = PageAhead()
    first = await tenant.driver.read_page(tenant.ref, COPY_START, 2, soon(), ahead)
    assert first.next is not None
    second = await tenant.driver.read_page(tenant.ref, first.next, 1, soon(), ahead)
    await tenant.write(deletions=[(Kind.ENTITY, row.uuid) for row in rows[3:7]])
    left = await read(second.next, 2, ahead)
    assert uuids_of(left)[:2] == [row.uuid for row in rows[7:]]
    assert {kind_of(row) for page in left for row in page.rows} == {Kind.ENTITY, Kind.FACT}


async def test_a_page_goes_on_behind_any_key(tenant: Tenant) -> None:
    """The cursor as the fence keeps it leads to the same page; a key that is gone does not stop it."""
    rows = sorted((entity(f"{n}") for n in range(5)), key=lambda row: row.uuid)
    await tenant.write(*rows)
    first = await tenant.driver.read_page(tenant.ref, COPY_START, 2, soon())
    assert first.next is not None
    assert first.next == CopyCursor(Kind.ENTITY, rows[1].uuid)
    await tenant.write(deletions=[(Kind.ENTITY, rows[1].uuid)])
    cursor = CopyCursor.of(first.next.text)
    assert cursor is not None
    assert cursor == first.next
    second = await tenant.driver.read_page(tenant.ref, cursor, 100, soon())
    assert [row.uuid for row in second.rows] == [row.uuid for row in rows[2:]]
    assert second.next == CopyCursor(Kind.EPISODE)
    last = await tenant.driver.read_page(tenant.ref, CopyCursor(Other.OPERATION, "\U0010ffff"), 5, soon())
    assert (last.operations, last.next) == ((), None)
    assert CopyCursor.of(CURSOR_END) is None


@pytest.mark.parametrize("expected", [0, 1, 1_000])
async def test_changes_with_vectors_and_operations(tenant: Tenant, expected: int) -> None:
    """As the change feed has them, in whole versions of every size, and the operations of the same range,
    however much the caller expects."""
    await rich(tenant)
    bound = (await tenant.fence()).version
    feed = await tenant.changes()
    for rows_max in (1, 4, 1_000):
        rows: list[AnyRow] = []
        stones: list[tuple[str, int]] = []
        told: list[int] = []
        after = 0
        while after < bound:
            part = await tenant.driver.read_changes(tenant.ref, after, rows_max, soon(), after + expected)
            assert part.bound > after
            versions = [item.version for item in (*part.rows, *part.tombstones, *part.operations)]
            assert all(after < version <= part.bound for version in versions)
            for items in (part.rows, part.tombstones, part.operations):
                assert [item.version for item in items] == sorted(item.version for item in items)
            rows += part.rows
            stones += [(stone.uuid, stone.version) for stone in part.tombstones]
            told += [record.version for record in part.operations]
            after = part.bound
        assert canonical_set(rows) == canonical_set(feed.rows)
        assert len(rows) == len(feed.rows)
        assert sorted(stones) == sorted((t.uuid, t.version) for t in feed.tombstones)
        assert told == list(range(1, bound + 1))
    nothing = await tenant.driver.read_changes(tenant.ref, bound, 10, soon(), bound + expected)
    assert (nothing.rows, nothing.tombstones, nothing.operations, nothing.bound) == ((), (), (), bound)


async def test_an_unknown_group_is_an_empty_page(driver: ShardDriver) -> None:
    """Without fence, and the only one."""
    ref = GroupRef(f"unknown-{secrets.token_hex(4)}", POOLED)
    (page,) = await pages(driver, ref, 10)
    assert (page.rows, page.tombstones, page.operations, page.fence) == ((), (), (), None)
    changes = await driver.read_changes(ref, 3, 10, soon())
    assert await driver.read_changes(ref, 3, 10, soon(), 5) == changes
    assert (changes.rows, changes.tombstones, changes.operations, changes.fence) == ((), (), (), None)


async def test_the_floor_comes_with_every_page_and_change(driver: ShardDriver) -> None:
    """So that a copy knows which tombstones are missing."""
    made = await driver.create_fence(
        Fence(f"group-{new_uuid()}", 1, FenceState.OPEN, version=9, prune_floor=7), soon()
    )
    ref = GroupRef(made.group_id)
    page = await driver.read_page(ref, COPY_START, 5, soon())
    changes = await driver.read_changes(ref, 3, 5, soon())
    assert page.fence == changes.fence == made

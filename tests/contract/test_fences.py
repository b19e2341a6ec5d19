"""Fences: who owns a group, created once, listed in order."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from drivers.contract import ShardDriver
from drivers.fence import EmbeddingSpec, Fence, FenceState, GroupRef, KindStats
from drivers.graph_model import INT64_MAX, Entity, Kind
from tests.contract.conftest import OpenTenant
from tests.contract.rows import entity, new_uuid
from tests.contract.tenant import Tenant, soon

FULL = Fence(
    group_id="",
    epoch=2**40,
    state=FenceState.MOVED,
    version=INT64_MAX,
    moved_to="shard-9",
    moved_space="own",
    moved_epoch=2**41,
    token=12,
    move_id="move-1",
    last_created_at=-5,
    prune_floor=3,
    stats={kind: KindStats(n + 1, 0) for n, kind in enumerate(Kind)} | {Kind.FACT: KindStats(7, 2**50)},
    embeddings={
        Kind.FACT: EmbeddingSpec('m "o" del', 3, "r'1", "vector_7"),
        Kind.ENTITY: EmbeddingSpec("m", 1),
    },
    created_at=1_700_000_000_000_001,
)


async def _all(driver: ShardDriver, after: str, page_size: int, prefix: str) -> list[Fence]:
    """The fences whose names have the prefix, page by page."""
    fences: list[Fence] = []
    while True:
        page = await driver.list_fences(after, page_size, soon())
        fences += [fence for fence in page if fence.group_id.startswith(prefix)]
        if len(page) < page_size or not page[-1].group_id.startswith(prefix):
            return fences
        after = page[-1].group_id


async def test_every_field_of_a_fence_is_kept(driver: ShardDriver) -> None:
    """A fence is returned, read and read again exactly as it was created."""
    fence = replace(FULL, group_id=new_uuid())
    assert await driver.create_fence(fence, soon()) == fence
    assert await driver.read_fences([GroupRef(fence.group_id)], soon()) == {fence.group_id: fence}


async def test_a_fence_is_created_once(driver: ShardDriver) -> None:
    """Creating again returns what is there and changes nothing of it."""
    first = replace(FULL, group_id=new_uuid(), state=FenceState.OPEN)
    await driver.create_fence(first, soon())
    other = Fence(first.group_id, 99, FenceState.TOMB)
    assert await driver.create_fence(other, soon()) == first
    assert (await driver.read_fences([GroupRef(first.group_id)], soon()))[first.group_id] == first


async def test_of_many_creators_one_wins(driver: ShardDriver) -> None:
    """Two owners are impossible: all who create the same fence at once are answered with the same one."""
    for _ in range(3):
        group_id = new_uuid()
        offered = [Fence(group_id, epoch, FenceState.OPEN, created_at=epoch) for epoch in range(1, 13)]
        answers = await asyncio.gather(*(driver.create_fence(fence, soon()) for fence in offered))
        assert len({fence.epoch for fence in answers}) == 1
        read = await driver.read_fences([GroupRef(group_id)], soon())
        assert read == {group_id: answers[0]}
        assert answers[0].created_at == answers[0].epoch


async def test_many_fences_are_read_at_once(open_tenant: OpenTenant, driver: ShardDriver) -> None:
    """By group_id, over all spaces; groups without a fence are left out."""
    base = new_uuid()
    tenants = [await open_tenant(f"{base}-{n}", space="" if n % 4 else f"own-{n}") for n in range(9)]
    refs = [tenant.ref for tenant in tenants] + [GroupRef(f"{base}-x"), GroupRef(f"{base}-y", "own-y")]
    read = await driver.read_fences(refs, soon())
    assert {group_id: fence.space for group_id, fence in read.items()} == {
        tenant.ref.group_id: tenant.ref.space for tenant in tenants
    }
    assert await driver.read_fences([], soon()) == {}


async def test_owned_groups_are_listed_in_code_point_order(driver: ShardDriver) -> None:
    """From the fences the catalog is rebuilt: every OPEN or FROZEN one, by group_id in code point order,
    in pages of any size, and no other."""
    base = new_uuid()
    ends = ["", "-", ".", "0", "10", "2", "9", ":", "A", "AA", "Z", "_", "a", "aA", "aa", "b", "z"]
    lost = [state for state in FenceState if state not in (FenceState.OPEN, FenceState.FROZEN)]
    fences = (
        [
            Fence(f"{base}{end}", n + 1, FenceState.FROZEN if n % 3 else FenceState.OPEN, version=n)
            for n, end in enumerate(ends)
        ]
        + [Fence(f"{base}{end}l", 1, lost[n % len(lost)]) for n, end in enumerate(ends)]
        + [
            Fence(f"{base}{end}s", 1, FenceState.OPEN if n % 2 else FenceState.FROZEN, space=f"own-{n}")
            for n, end in enumerate(ends[:4])
        ]
    )
    for fence in fences:
        await driver.create_fence(fence, soon())
    owned = sorted(
        (f.group_id for f in fences if f.state in (FenceState.OPEN, FenceState.FROZEN)),
    )
    before = base[:-1] + chr(ord(base[-1]) - 1) + "~"
    for page_size in (1, 2, 5, 1_000):
        listed = await _all(driver, before, page_size, base)
        assert [fence.group_id for fence in listed] == owned
    by_id = {fence.group_id: fence for fence in fences}
    for fence in listed:
        given = by_id[fence.group_id]
        assert (fence.epoch, fence.state, fence.space) == (given.epoch, given.state, given.space)
    after_first = await _all(driver, owned[0], 1_000, base)
    assert [fence.group_id for fence in after_first] == owned[1:]
    assert await driver.list_fences("~", 10, soon()) == []


async def test_settled_fences_are_of_commits_that_are_wholly_there(tenant: Tenant) -> None:
    """Beside a writer of many rows: what is read after a settled fence has at least its version in every row,
    so that an answer may be kept for that version."""
    rows = [entity(f"{n}") for n in range(300)]
    await tenant.write(*rows)
    uuids = [row.uuid for row in rows]
    writing = asyncio.create_task(_write_again(tenant, rows, 8))
    looks = 0
    try:
        while not writing.done():
            fences = await tenant.driver.read_fences([tenant.ref], soon(), settled=True)
            read = await tenant.driver.get_rows(tenant.ref, Kind.ENTITY, uuids, False, soon())
            assert len(read.rows) == len(rows)
            assert min(row.version for row in read.rows) >= fences[tenant.ref.group_id].version
            looks += 1
    finally:
        await writing
    assert looks
    assert (await tenant.driver.read_fences([tenant.ref], soon(), settled=True)) == (
        await tenant.driver.read_fences([tenant.ref], soon())
    )


async def _write_again(tenant: Tenant, rows: Sequence[Entity], times: int) -> None:
    for number in range(times):
        await tenant.write(*(replace(row, summary=f"{number}") for row in rows))

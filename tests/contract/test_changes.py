"""The change feed: complete up to its bound, whatever else happens."""

import asyncio
import random
from dataclasses import replace

from drivers.contract import ShardDriver
from drivers.fence import Fence, FenceState, GroupRef
from drivers.graph_model import AnyRow, Kind
from drivers.reads import Changes
from drivers.row_codec import kind_of
from drivers.write_plan import WriteStatus
from tests.contract.conftest import OpenTenant
from tests.contract.rows import Canonical, canonical, entity, fact, new_uuid, one_of_each, vector
from tests.contract.tenant import Tenant, soon


def _ascending(changes: Changes) -> None:
    for versions in ([r.version for r in changes.rows], [t.version for t in changes.tombstones]):
        assert versions == sorted(versions)


async def test_everything_since_the_beginning(tenant: Tenant) -> None:
    """From version 0 the feed has every row of every kind with its vector, and every deletion."""
    rows, gone = one_of_each(embedding=vector([1, 2])), entity("gone")
    await tenant.write(*rows.values())
    await tenant.write(gone)
    await tenant.write(deletions=[(Kind.ENTITY, gone.uuid)])
    changes = await tenant.changes()
    _ascending(changes)
    assert {canonical(row) for row in changes.rows} == {
        canonical(await tenant.one(kind, row.uuid)) for kind, row in rows.items()
    }
    assert [(t.kind, t.uuid, t.version) for t in changes.tombstones] == [(Kind.ENTITY, gone.uuid, 3)]
    assert changes.bound == 3
    assert changes.fence == await tenant.fence()


async def test_only_what_changed_since(tenant: Tenant) -> None:
    """Above a version come the rows that were written since, once each in their latest state."""
    rows = [entity(f"{n}") for n in range(4)]
    await tenant.write(*rows)
    await tenant.write(replace(rows[0], summary="a"))
    await tenant.write(replace(rows[0], summary="b"), replace(rows[1], summary="c"))
    seen = {after: await tenant.changes(after) for after in range(5)}
    assert {after: sorted(row.uuid for row in c.rows) for after, c in seen.items()} == {
        0: sorted(row.uuid for row in rows),
        1: sorted(row.uuid for row in rows[:2]),
        2: sorted(row.uuid for row in rows[:2]),
        3: [],
        4: [],
    }
    assert [changes.bound for changes in seen.values()] == [3] * 5


async def test_a_row_deleted_and_written_again(tenant: Tenant) -> None:
    """The tombstone stays below the row's version: a consumer that compares versions keeps the row."""
    who = entity("a")
    await tenant.write(who)
    await tenant.write(deletions=[(Kind.ENTITY, who.uuid)])
    changes = await tenant.changes(1)
    assert (changes.rows, [(t.uuid, t.version) for t in changes.tombstones]) == ((), [(who.uuid, 2)])
    await tenant.write(who)
    changes = await tenant.changes(1)
    assert [(row.uuid, row.version) for row in changes.rows] == [(who.uuid, 3)]
    assert [(t.uuid, t.version) for t in changes.tombstones] == [(who.uuid, 2)]
    await tenant.write(deletions=[(Kind.ENTITY, who.uuid)])
    changes = await tenant.changes(1)
    assert (changes.rows, [(t.uuid, t.version) for t in changes.tombstones]) == ((), [(who.uuid, 4)])


async def test_a_limit_cuts_between_versions(tenant: Tenant) -> None:
    """Batches of any size read one after the other have everything once; no version is torn, and each batch
    goes on where the bound of the last one was."""
    rng = random.Random(3)
    for _ in range(12):
        rows = [entity("n") for _ in range(rng.randrange(1, 5))]
        await tenant.write(*rows)
        if rng.random() < 0.4:
            await tenant.write(deletions=[(Kind.ENTITY, rows[0].uuid)])
    whole = await tenant.changes()
    for limit in (1, 2, 3, 7, 1_000):
        rows, tombstones, after = list[AnyRow](), list[tuple[str, int]](), 0
        while after < whole.bound:
            batch = await tenant.changes(after, limit)
            _ascending(batch)
            versions = {row.version for row in batch.rows} | {t.version for t in batch.tombstones}
            assert all(after < version <= batch.bound for version in versions)
            assert batch.bound > after
            assert len(batch.rows) + len(batch.tombstones) <= limit + 5
            rows += batch.rows
            tombstones += [(t.uuid, t.version) for t in batch.tombstones]
            after = batch.bound
        assert list(map(canonical, sorted(rows, key=_place))) == list(
            map(canonical, sorted(whole.rows, key=_place))
        )
        assert sorted(tombstones) == sorted((t.uuid, t.version) for t in whole.tombstones)


async def test_one_write_above_the_limit_comes_whole(tenant: Tenant) -> None:
    """A single write of more rows than the limit is not torn."""
    await tenant.write(*(entity("n") for _ in range(25)))
    await tenant.write(entity("m"))
    changes = await tenant.changes(0, 10)
    assert len(changes.rows) >= 25
    assert changes.bound >= 1


async def test_the_floor_is_told(driver: ShardDriver) -> None:
    """The fence comes with the answer, so that a reader from before the pruning floor starts anew."""
    fence = Fence(f"group-{new_uuid()}", 1, FenceState.FROZEN, version=9, prune_floor=7, last_created_at=5)
    made = await driver.create_fence(fence, soon())
    tenant = Tenant(driver, GroupRef(made.group_id))
    changes = await tenant.changes(3)
    assert (changes.rows, changes.tombstones, changes.bound) == ((), (), 9)
    assert changes.fence is not None
    assert changes.fence.prune_floor == 7


async def test_an_unknown_group_has_no_changes(tenant: Tenant) -> None:
    """No fence, no rows, no error."""
    stranger = Tenant(tenant.driver, replace(tenant.ref, group_id=f"{tenant.ref.group_id}-x"))
    changes = await stranger.changes(2)
    assert (changes.rows, changes.tombstones, changes.fence) == ((), (), None)
    assert changes.bound <= 2


async def test_a_consumer_that_follows_ends_with_the_same_rows(open_tenant: OpenTenant) -> None:
    """While writers create, change and delete, a consumer that applies every batch by version, with small
    batches, holds exactly the group's rows in the end."""
    tenant = await open_tenant()
    pool = [new_uuid() for _ in range(8)]
    hub = entity("hub")
    await tenant.write(hub)
    writers = 3
    done = 0

    async def write(seed: int) -> None:
        nonlocal done
        rng = random.Random(seed)
        for n in range(10):
            at = rng.choice(pool)
            doomed = rng.choice([uuid for uuid in pool if uuid != at])
            row = entity(f"{seed} {n}", at=at) if rng.random() < 0.5 else fact(hub.uuid, hub.uuid, at=at)
            intent = tenant.intent(row, deletions=[(rng.choice([Kind.ENTITY, Kind.FACT]), doomed)])
            assert (await tenant.write_contended(intent)).status is WriteStatus.APPLIED
        done += 1

    state: dict[tuple[Kind, str], tuple[int, Canonical | None]] = {}
    after = 0

    async def follow() -> None:
        nonlocal after
        batch = await tenant.changes(after, 4)
        for row in batch.rows:
            _keep(state, kind_of(row), row.uuid, row.version, canonical(row))
        for tombstone in batch.tombstones:
            _keep(state, tombstone.kind, tombstone.uuid, tombstone.version, None)
        after = batch.bound

    tasks = [asyncio.create_task(write(seed)) for seed in range(writers)]
    while done < writers:
        await follow()
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    while after < (await tenant.fence()).version:
        await follow()
    held = {row for _, row in state.values() if row is not None}
    assert held == (await tenant.snapshot()).rows
    assert (await tenant.fence()).stats == await tenant.recount()


def _keep(
    state: dict[tuple[Kind, str], tuple[int, Canonical | None]],
    kind: Kind,
    uuid: str,
    version: int,
    row: Canonical | None,
) -> None:
    if version > state.get((kind, uuid), (-1, None))[0]:
        state[kind, uuid] = (version, row)


def _place(row: AnyRow) -> tuple[int, str]:
    return (row.version, row.uuid)

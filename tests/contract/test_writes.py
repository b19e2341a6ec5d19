"""What one write does to the rows that it names, and to no others."""

from dataclasses import replace

import pytest

from drivers.errors import WriteTooHeavy
from drivers.graph_model import (
    EDGE_KINDS,
    ENDPOINT_KINDS,
    Entity,
    Episode,
    EpisodeSource,
    Fact,
    Kind,
)
from drivers.row_codec import kind_of
from drivers.write_plan import ROWS_PER_WRITE_MAX
from gateway.writes.intent import WriteMode
from tests.contract.conftest import OpenTenant
from tests.contract.rows import (
    analysed,
    canonical,
    canonical_set,
    entity,
    episode,
    fact,
    mention,
    new_uuid,
    one_of_each,
    uuids,
    vector,
    without_stamps,
)
from tests.contract.tenant import Tenant


async def test_every_kind_is_read_back_as_it_was_written(tenant: Tenant) -> None:
    """A write of all nine kinds keeps every field, by get and by list, stamped with the write's version
    and time."""
    rows = one_of_each(embedding=vector([1, 2, 3]))
    outcome = await tenant.write(*rows.values())
    assert outcome.operation is not None
    for kind, given in rows.items():
        found = await tenant.one(kind, given.uuid)
        assert without_stamps(found) == without_stamps(analysed(given))
        assert (found.version, found.created_at) == (1, outcome.operation.created_at)
        (listed,) = await tenant.listed(kind, with_vectors=True)
        assert canonical(listed) == canonical(found)


async def test_version_counts_the_writes_and_stamps_only_the_rows_touched(tenant: Tenant) -> None:
    """Each applied write advances the group's version by one; rows that it does not touch keep theirs."""
    first, second = entity("first"), entity("second")
    assert (await tenant.write(first)).fence == await tenant.fence()
    await tenant.write(second)
    outcome = await tenant.write(replace(first, summary="again"))
    assert outcome.fence is not None
    assert outcome.operation is not None
    assert (outcome.fence.version, outcome.operation.version) == (3, 3)
    rows = (await tenant.get(Kind.ENTITY, first.uuid, second.uuid)).rows
    assert [row.version for row in rows] == [3, 2]


async def test_a_write_without_rows_advances_the_version(tenant: Tenant) -> None:
    """An operation that changes nothing is still recorded, so that its retry is recognised."""
    outcome = await tenant.write(deletions=[(Kind.ENTITY, new_uuid())])
    assert outcome.fence is not None
    assert outcome.fence.version == 1
    changes = await tenant.changes()
    assert (changes.rows, changes.tombstones, changes.bound) == ((), (), 1)


async def test_upsert_replaces_the_whole_row_and_keeps_created_at(tenant: Tenant) -> None:
    """UPSERT leaves nothing of the earlier row but its creation time, on nodes and on edges."""
    rows = one_of_each(embedding=vector([1, 2, 3]))
    await tenant.write(*rows.values())
    who, claim, what = rows[Kind.ENTITY], rows[Kind.FACT], rows[Kind.EPISODE]
    assert isinstance(claim, Fact)
    before = {kind: await tenant.one(kind, row.uuid) for kind, row in rows.items()}
    bare = [
        entity("Ada", at=who.uuid),
        fact(claim.source_uuid, claim.target_uuid, "bare", at=claim.uuid, name=""),
        episode("bare", at=what.uuid, name=""),
    ]
    await tenant.write(*bare)
    for row in bare:
        found = await tenant.one(kind_of(row), row.uuid)
        assert found.version == 2
        assert found.created_at == before[kind_of(row)].created_at
        assert without_stamps(found) == without_stamps(analysed(row))
    assert canonical(await tenant.one(Kind.SAGA, rows[Kind.SAGA].uuid)) == canonical(before[Kind.SAGA])


async def test_patch_changes_only_the_masked_fields(tenant: Tenant) -> None:
    """PATCH with a mask leaves every other field, the vector included, bit for bit."""
    rows = one_of_each(embedding=vector([3, 4, 5]))
    await tenant.write(*rows.values())
    who, what = rows[Kind.ENTITY], rows[Kind.EPISODE]
    before = [await tenant.one(Kind.ENTITY, who.uuid), await tenant.one(Kind.EPISODE, what.uuid)]
    await tenant.patch(Entity(uuid=who.uuid, name="", labels=("Countess",)), Kind.ENTITY, "labels")
    patched = Episode(uuid=what.uuid, name="", content="", source=EpisodeSource.JSON, reference_time=-5)
    await tenant.patch(patched, Kind.EPISODE, "source", "reference_time")
    assert isinstance(before[0], Entity)
    assert isinstance(before[1], Episode)
    assert canonical(await tenant.one(Kind.ENTITY, who.uuid)) == canonical(
        replace(before[0], labels=("Countess",), version=2)
    )
    assert canonical(await tenant.one(Kind.EPISODE, what.uuid)) == canonical(
        replace(before[1], source=EpisodeSource.JSON, reference_time=-5, version=3)
    )


@pytest.mark.parametrize("kind", [Kind.ENTITY, Kind.EPISODE, Kind.COMMUNITY, Kind.SAGA])
async def test_deleting_a_node_takes_its_edges_and_nothing_else(tenant: Tenant, kind: Kind) -> None:
    """A node's deletion drops every edge at it, of every kind, with a tombstone for each."""
    rows, others = one_of_each(embedding=vector([1, 0])), one_of_each(embedding=vector([0, 1]))
    await tenant.write(*rows.values(), *others.values())
    gone = {
        (edge_kind, rows[edge_kind].uuid) for edge_kind in EDGE_KINDS if kind in ENDPOINT_KINDS[edge_kind]
    } | {(kind, rows[kind].uuid)}
    left = canonical_set(
        [
            await tenant.one(kind_of(row), row.uuid)
            for row in (*rows.values(), *others.values())
            if (kind_of(row), row.uuid) not in gone
        ]
    )
    await tenant.write(deletions=[(kind, rows[kind].uuid)])
    snapshot = await tenant.snapshot()
    assert snapshot.rows == left
    assert snapshot.tombstones == {(gone_kind, uuid, 2) for gone_kind, uuid in gone}


@pytest.mark.parametrize("kind", EDGE_KINDS)
async def test_deleting_an_edge_leaves_its_nodes(tenant: Tenant, kind: Kind) -> None:
    """The deletion of an edge of any kind drops this edge alone."""
    rows = one_of_each()
    await tenant.write(*rows.values())
    await tenant.write(deletions=[(kind, rows[kind].uuid)])
    assert (await tenant.get(kind, rows[kind].uuid)).rows == ()
    fence = await tenant.fence()
    assert {k: s.rows for k, s in fence.stats.items()} == {k: 0 if k is kind else 1 for k in Kind}


async def test_a_row_written_again_after_its_deletion_is_a_new_one(tenant: Tenant) -> None:
    """Re-creation gives a new created_at and no field of the former life; the tombstone keeps its version."""
    rows = one_of_each(embedding=vector([1, 2]))
    first = await tenant.write(*rows.values())
    who, claim = rows[Kind.ENTITY], rows[Kind.FACT]
    await tenant.write(deletions=[(Kind.ENTITY, who.uuid)])
    again = await tenant.write(
        entity("Ada", at=who.uuid), fact(who.uuid, who.uuid, "again", at=claim.uuid, name="")
    )
    assert first.operation is not None
    assert again.operation is not None
    assert again.operation.created_at > first.operation.created_at
    for kind, row in ((Kind.ENTITY, who), (Kind.FACT, claim)):
        found = await tenant.one(kind, row.uuid)
        assert (found.created_at, found.version) == (again.operation.created_at, 3)
        assert isinstance(found, Entity | Fact)
        assert found.embedding is None
        assert found.attributes == {}
    snapshot = await tenant.snapshot()
    assert (Kind.ENTITY, who.uuid, 2) in snapshot.tombstones
    assert (Kind.FACT, claim.uuid, 2) in snapshot.tombstones


async def test_one_write_drops_creates_and_links_at_once(tenant: Tenant) -> None:
    """Drops, new nodes, changed nodes and edges between old and new nodes are one atomic step."""
    old, doomed = entity("old"), entity("doomed")
    at_doomed = fact(old.uuid, doomed.uuid, "goes with it")
    await tenant.write(old, doomed, at_doomed)
    new, what = entity("new"), episode("news")
    link, claim = mention(what.uuid, old.uuid), fact(new.uuid, old.uuid, "linked")
    await tenant.write(
        new, what, link, claim, replace(old, summary="older"), deletions=[(Kind.ENTITY, doomed.uuid)]
    )
    snapshot = await tenant.snapshot()
    assert {row[0] for row in snapshot.rows} == {"ENTITY", "EPISODE", "MENTION", "FACT"}
    assert len(snapshot.rows) == 5
    assert snapshot.rows == snapshot.changed
    assert snapshot.tombstones == {(Kind.ENTITY, doomed.uuid, 2), (Kind.FACT, at_doomed.uuid, 2)}


async def test_uuids_of_different_kinds_do_not_meet(tenant: Tenant) -> None:
    """Each kind has its own uuids: the same one names an entity, an episode, a fact and a mention."""
    shared = new_uuid()
    await tenant.write(
        entity("e", at=shared),
        episode("p", at=shared),
        fact(shared, shared, "f", at=shared),
        mention(shared, shared, at=shared),
    )
    await tenant.write(deletions=[(Kind.FACT, shared)])
    assert (await tenant.get(Kind.FACT, shared)).rows == ()
    for kind in (Kind.ENTITY, Kind.EPISODE, Kind.MENTION):
        assert len((await tenant.get(kind, shared)).rows) == 1
    await tenant.write(deletions=[(Kind.EPISODE, shared)])
    assert len((await tenant.get(Kind.ENTITY, shared)).rows) == 1
    assert (await tenant.snapshot()).tombstones == {
        (Kind.FACT, shared, 2),
        (Kind.EPISODE, shared, 3),
        (Kind.MENTION, shared, 3),
    }


async def test_get_answers_in_the_order_asked_and_leaves_out_what_is_missing(tenant: Tenant) -> None:
    """Rows come in the order of the uuids, missing ones left out, with the fence."""
    rows = [entity(str(n)) for n in range(5)]
    await tenant.write(*rows)
    asked = [rows[3].uuid, new_uuid(), rows[0].uuid, rows[4].uuid, new_uuid()]
    read = await tenant.get(Kind.ENTITY, *asked)
    assert [row.uuid for row in read.rows] == [rows[3].uuid, rows[0].uuid, rows[4].uuid]
    assert read.fence == await tenant.fence()
    assert (await tenant.get(Kind.ENTITY)).rows == ()


async def test_the_largest_write_is_one_atomic_write(tenant: Tenant) -> None:
    """As many rows as the contract and the shard allow are put, and dropped, by one version each."""
    weight_max = tenant.driver.write_weight_max
    ids = uuids(weight_max - 5 if weight_max else ROWS_PER_WRITE_MAX)
    outcome = await tenant.write(*(entity(f"n{n}", at=at) for n, at in enumerate(ids)))
    assert outcome.fence is not None
    assert outcome.fence.stats[Kind.ENTITY].rows == len(ids)
    assert [row.uuid for row in await tenant.listed(Kind.ENTITY)] == ids
    await tenant.write(deletions=[(Kind.ENTITY, at) for at in ids])
    changes = await tenant.changes()
    assert len(changes.tombstones) == len(ids)
    assert {tombstone.version for tombstone in changes.tombstones} == {2}
    assert changes.rows == ()


async def test_a_write_that_would_hold_the_shard_is_refused(tenant: Tenant) -> None:
    """By its weight, rows and what is in them, with nothing written; a single row of any size passes."""
    weight_max = tenant.driver.write_weight_max
    if not weight_max:
        pytest.skip("this engine serves others while it applies a write")
    rows = [entity(f"n{n}") for n in range(weight_max + 1)]
    with pytest.raises(WriteTooHeavy, match=str(weight_max)):
        await tenant.write(*rows)
    large = replace(entity("large"), summary=("w" * 60 + " ") * (20 * weight_max))
    with pytest.raises(WriteTooHeavy):
        await tenant.write(large, entity("small"))
    assert await tenant.listed(Kind.ENTITY) == []
    await tenant.write(large)
    assert [row.uuid for row in await tenant.listed(Kind.ENTITY)] == [large.uuid]


async def test_create_mode_refuses_nothing_that_is_new(tenant: Tenant) -> None:
    """CREATE of absent rows is the same write as UPSERT of them."""
    row = entity("fresh")
    outcome = await tenant.write(row, mode=WriteMode.CREATE)
    assert outcome.fence is not None
    assert (await tenant.one(Kind.ENTITY, row.uuid)).version == outcome.fence.version


async def test_a_group_in_a_space_of_its_own_is_written_and_read_there(open_tenant: OpenTenant) -> None:
    """A dedicated space serves the same calls as the pooled one."""
    own = await open_tenant(space="large-group")
    rows = one_of_each(embedding=vector([1, 2]))
    await own.write(*rows.values())
    await own.write(deletions=[(Kind.FACT, rows[Kind.FACT].uuid)])
    snapshot = await own.snapshot()
    assert snapshot.fence is not None
    assert snapshot.fence.space == "large-group"
    assert len(snapshot.rows) == 8
    assert snapshot.tombstones == {(Kind.FACT, rows[Kind.FACT].uuid, 2)}

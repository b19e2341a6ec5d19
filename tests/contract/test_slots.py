"""A vector slot finds what a scan finds, whatever it has taken in: derived data that never hides a write."""

import random
from dataclasses import replace

import numpy as np
import pytest

from drivers.contract import ShardDriver
from drivers.filters import NO_FILTER, RowFilter
from drivers.graph_model import Entity, Fact, Kind, Vector
from drivers.search_reads import SemanticQuery
from drivers.vector_slots import VectorSlot
from tests.contract.conftest import OpenTenant
from tests.contract.rows import entity, fact, new_uuid, random_vector, uuids
from tests.contract.tenant import Tenant, schema_time, soon

DIMENSION = 8
KINDS = (Kind.ENTITY, Kind.FACT)


async def _slot(tenant: Tenant, kind: Kind) -> VectorSlot:
    spec = (await tenant.fence()).embeddings[kind]
    return await tenant.driver.create_slot(VectorSlot(tenant.ref, kind, spec), schema_time())


async def _step(driver: ShardDriver, slot: VectorSlot, limit: int) -> VectorSlot:
    backlog = await driver.slot_backlog(slot, limit, soon())
    for part in backlog.parts(driver.slot_fill_rows):
        await driver.fill_slot(slot, part.uuids, soon())
        advanced = await driver.advance_slot(slot, part, soon())
        assert advanced is not None
        slot = advanced
    return slot


async def _filled(driver: ShardDriver, slot: VectorSlot, limit: int = 50) -> VectorSlot:
    while True:
        slot = await _step(driver, slot, limit)
        if slot.caught_up and slot.progress.version == (await _version(driver, slot)):
            return slot


async def _version(driver: ShardDriver, slot: VectorSlot) -> int:
    return (await driver.read_fences([slot.ref], soon()))[slot.ref.group_id].version


async def _agrees(tenant: Tenant, slot: VectorSlot, vector: Vector, wanted: RowFilter = NO_FILTER) -> None:
    """So few rows are all among what the index finds: the answer must be the scan's."""
    query = SemanticQuery(slot.kind, vector, 20, filter=wanted)
    scanned = await tenant.driver.semantic([tenant.ref], query, soon())
    found = await tenant.driver.semantic_in_slot(slot, query, soon())
    assert found.enough
    assert [hit.key for hit in found.hits] == [hit.key for hit in scanned.hits]
    assert [hit.score for hit in found.hits] == pytest.approx([hit.score for hit in scanned.hits], abs=1e-5)
    assert found.fence == scanned.fences[tenant.ref.group_id]


def _row(kind: Kind, at: str, hub: str, vector: Vector | None, label: str = "") -> Entity | Fact:
    if kind is Kind.FACT:
        return replace(fact(hub, hub, "f", at=at, embedding=vector), name=label or "f")
    return replace(entity("e", at=at, embedding=vector), labels=(label,) if label else ())


@pytest.mark.parametrize("kind", KINDS)
async def test_a_slot_agrees_with_the_scan_through_any_history(open_tenant: OpenTenant, kind: Kind) -> None:
    """Rows written, given another vector, losing it, deleted, written again, changed but for the vector: at
    every state of the slot, empty, filled in part, behind or complete, it gives the scan's answer."""
    seed = random.randrange(2**32)
    rng, vectors = random.Random(seed), np.random.default_rng(seed)
    print(f"seed {seed}")
    tenant = await open_tenant()
    hub, names = new_uuid(), uuids(30)
    await tenant.write(
        entity("hub", at=hub), *(_row(kind, at, hub, random_vector(vectors, DIMENSION)) for at in names)
    )
    slot = await _slot(tenant, kind)
    older = slot
    try:
        for _ in range(8):
            some = rng.sample(names, 6)
            match rng.randrange(4):
                case 0:
                    await tenant.write(
                        *(_row(kind, at, hub, random_vector(vectors, DIMENSION)) for at in some)
                    )
                case 1:
                    await tenant.write(deletions=[(kind, at) for at in some])
                case 2:
                    await tenant.write(*(_row(kind, at, hub, None) for at in some))
                case _:
                    await tenant.write(_row(kind, new_uuid(), hub, random_vector(vectors, DIMENSION)))
            if rng.random() < 0.6:
                older = slot
                slot = await _step(tenant.driver, slot, rng.choice((3, 10, 50)))
            vector = random_vector(vectors, DIMENSION)
            await _agrees(tenant, slot, vector)
            await _agrees(tenant, older, vector)
        slot = await _filled(tenant.driver, slot)
        await _agrees(tenant, slot, random_vector(vectors, DIMENSION))
        assert (await _slot(tenant, kind)).progress == slot.progress
    finally:
        await tenant.driver.drop_slot(slot, schema_time())


@pytest.mark.parametrize("kind", KINDS)
async def test_a_filter_holds_in_a_slot(open_tenant: OpenTenant, kind: Kind) -> None:
    """Rows of the index and of the tail that the filter refuses are left out."""
    rng = np.random.default_rng(3)
    tenant = await open_tenant()
    hub = new_uuid()
    rows = [_row(kind, at, hub, random_vector(rng, DIMENSION), f"L{n % 3}") for n, at in enumerate(uuids(24))]
    await tenant.write(entity("hub", at=hub), *rows)
    slot = await _filled(tenant.driver, await _slot(tenant, kind))
    try:
        await tenant.write(_row(kind, new_uuid(), hub, random_vector(rng, DIMENSION), "L1"))
        wanted = RowFilter(names=("L1",)) if kind is Kind.FACT else RowFilter(labels_any=("L1",))
        await _agrees(tenant, slot, random_vector(rng, DIMENSION), wanted)
    finally:
        await tenant.driver.drop_slot(slot, schema_time())


async def test_progress_is_advanced_from_where_it_was(open_tenant: OpenTenant) -> None:
    """Of two who fill one slot the slower one learns that the other is further, and undoes nothing."""
    rng = np.random.default_rng(4)
    tenant = await open_tenant()
    await tenant.write(*(entity("e", at=at, embedding=random_vector(rng, DIMENSION)) for at in uuids(9)))
    start = await _slot(tenant, Kind.ENTITY)
    try:
        slow = await tenant.driver.slot_backlog(start, 4, soon())
        done = await _filled(tenant.driver, start)
        assert await tenant.driver.advance_slot(start, slow, soon()) is None
        assert done in await tenant.driver.list_slots(soon())
    finally:
        await tenant.driver.drop_slot(start, schema_time())


async def test_a_dropped_slot_says_that_it_is_not_enough(open_tenant: OpenTenant) -> None:
    """A gateway that still knows a slot which another has dropped is told to scan; dropping twice is fine."""
    rng = np.random.default_rng(5)
    tenant = await open_tenant()
    await tenant.write(entity("e", embedding=random_vector(rng, DIMENSION)))
    slot = await _filled(tenant.driver, await _slot(tenant, Kind.ENTITY))
    assert slot in await tenant.driver.list_slots(soon())
    await tenant.driver.drop_slot(slot, schema_time())
    await tenant.driver.drop_slot(slot, schema_time())
    query = SemanticQuery(Kind.ENTITY, random_vector(rng, DIMENSION), 5)
    assert not (await tenant.driver.semantic_in_slot(slot, query, soon())).enough
    assert slot.key not in {other.key for other in await tenant.driver.list_slots(soon())}
    backlog = await tenant.driver.slot_backlog(slot, 5, soon())
    assert await tenant.driver.advance_slot(slot, backlog, soon()) is None


async def test_who_is_late_does_nothing_to_a_new_slot(open_tenant: OpenTenant) -> None:
    """A slot is dropped and made anew; who still knows the old one neither fills nor advances nor drops the
    new one, and is told to scan, though the new one has taken in nothing yet."""
    rng = np.random.default_rng(6)
    tenant = await open_tenant()
    await tenant.write(*(entity("e", at=at, embedding=random_vector(rng, DIMENSION)) for at in uuids(9)))
    driver, query = tenant.driver, SemanticQuery(Kind.ENTITY, random_vector(rng, DIMENSION), 5)
    first = await _slot(tenant, Kind.ENTITY)
    backlog = await driver.slot_backlog(first, 50, soon())
    old = await _filled(driver, first)
    await driver.drop_slot(old, schema_time())
    new = await _slot(tenant, Kind.ENTITY)
    try:
        assert not (await driver.semantic_in_slot(old, query, soon())).enough
        await driver.fill_slot(old, backlog.uuids[: driver.slot_fill_rows], soon())
        assert await driver.advance_slot(old, backlog, soon()) is None
        await driver.drop_slot(old, schema_time())
        assert new in await driver.list_slots(soon())
        new = await _filled(driver, new)
        await _agrees(tenant, new, query.vector)
    finally:
        await driver.drop_slot(new, schema_time())


async def test_a_slot_of_vectors_that_the_group_no_longer_has_is_not_enough(open_tenant: OpenTenant) -> None:
    """Another model of the same dimension: distances to its vectors mean nothing."""
    rng = np.random.default_rng(7)
    tenant = await open_tenant()
    await tenant.write(*(entity("e", at=at, embedding=random_vector(rng, DIMENSION)) for at in uuids(9)))
    slot = await _filled(tenant.driver, await _slot(tenant, Kind.ENTITY))
    query = SemanticQuery(Kind.ENTITY, random_vector(rng, DIMENSION), 5)
    try:
        older = replace(slot, spec=replace(slot.spec, revision="older"))
        assert not (await tenant.driver.semantic_in_slot(older, query, soon())).enough
    finally:
        await tenant.driver.drop_slot(slot, schema_time())

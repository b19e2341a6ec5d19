"""The index of a vector slot on its own label: found when it is filled, asked only when it is whole."""

import asyncio
import secrets
from pathlib import Path

import numpy as np
import pytest

from drivers.contract import ShardDriver
from drivers.falkordb import FalkorDBDriver, FalkorDBSettings
from drivers.falkordb import queries_slots as texts
from drivers.falkordb.client import GraphClient
from drivers.falkordb.parameters import statement
from drivers.falkordb.plans import parsed
from drivers.fence import EmbeddingSpec, Engine, GroupRef
from drivers.graph_model import TEXT_KINDS, Kind
from drivers.query_plan import PlanStep
from drivers.row_codec import pk
from drivers.search_reads import SemanticQuery
from drivers.vector_slots import BACKLOG_ROWS_MAX, VectorSlot
from gateway.embedded import FalkorDBProcess
from shard_router.slot_policy import SlotPolicy, SlotStep, next_step
from tests.contract.falkordb_specific.conftest import OpenGroup, open_on
from tests.contract.rows import entity, new_uuid, one_of_each, random_vector, uuids, vector
from tests.contract.subject import Subject
from tests.contract.tenant import Tenant, schema_time, soon
from tests.eventually import eventually

ROWS = 2_000
DIMENSION = 32


async def _made(tenant: Tenant, kind: Kind) -> VectorSlot:
    spec = (await tenant.fence()).embeddings[kind]
    return await tenant.driver.create_slot(VectorSlot(tenant.ref, kind, spec), schema_time())


async def _filled(driver: ShardDriver, slot: VectorSlot) -> VectorSlot:
    while not slot.caught_up:
        backlog = await driver.slot_backlog(slot, BACKLOG_ROWS_MAX, soon())
        for part in backlog.parts(driver.slot_fill_rows):
            await driver.fill_slot(slot, part.uuids, soon())
        advanced = await driver.advance_slot(slot, backlog, soon())
        assert advanced is not None
        slot = advanced
    return slot


@pytest.mark.parametrize("kind", TEXT_KINDS)
async def test_filling_finds_each_row_by_an_index(
    falkordb: FalkorDBDriver, client: GraphClient, open_group: OpenGroup, kind: Kind
) -> None:
    """The row by the index on pk of its kind, its place in the slot by the slot's own: filling takes as long
    in a slot of a million rows as in an empty one. No label is passed over."""
    tenant = await open_group()
    rows = one_of_each(embedding=vector([1, 2, 3]))
    await tenant.write(*rows.values())
    slot = await _made(tenant, kind)
    try:
        query = statement(
            texts.fill_text(kind, slot.label, slot.spec.slot),
            {
                "key": slot.key,
                "serial": slot.serial,
                "rows": [{"pk": pk(tenant.ref.group_id, rows[kind].uuid), "uuid": rows[kind].uuid}],
            },
        )

        async def indexed() -> list[PlanStep]:
            """Nothing before the index of the slot serves: a busy engine takes a moment for an empty one."""
            lines = await client.command(
                soon(), "a plan", "GRAPH.EXPLAIN", falkordb.graph_of(tenant.ref), query.decode()
            )
            assert isinstance(lines, list)
            steps = [step for _, step in parsed([str(line) for line in lines]).walk()]
            return [] if any(step.scanned == slot.label for step in steps) else steps

        steps = await eventually(indexed)
    finally:
        await tenant.driver.drop_slot(slot, schema_time())
    assert not [step.scanned for step in steps if step.is_scan], steps
    used = [step.index for step in steps if step.index]
    # Once for the MERGE, once for rows that have no vector any more.
    assert sorted(used) == sorted(["range:_Slot", f"range:{kind}", *[f"range:{slot.label}"] * 2]), steps


async def test_a_slot_that_was_dropped_in_part_serves_nobody_and_is_dropped_to_the_end(
    falkordb: FalkorDBDriver, client: GraphClient, open_group: OpenGroup
) -> None:
    """Whoever began to drop it is gone: it takes in nothing, is not searched, not made anew beside what is
    left of it, and the policy of every gateway is to drop it."""
    rng = np.random.default_rng(8)
    tenant = await open_group()
    names = uuids(9)
    await tenant.write(*(entity("e", at=at, embedding=random_vector(rng, DIMENSION)) for at in names))
    slot = await _filled(falkordb, await _made(tenant, Kind.ENTITY))
    graph = falkordb.graph_of(tenant.ref)
    this = {"key": slot.key, "serial": slot.serial}
    await client.write(graph, texts.MARK_DROPPED, this, soon(), "dropping in part")
    await client.write(graph, texts.empty_text(slot.label), {"limit": 100}, soon(), "dropping in part")

    (left,) = [other for other in await falkordb.list_slots(soon()) if other.key == slot.key]
    fence = await tenant.fence()
    policy = SlotPolicy(rows_min={Engine.FALKORDB: 1})
    assert next_step(fence, Kind.ENTITY, left, policy, Engine.FALKORDB) is SlotStep.DROP
    assert await _made(tenant, Kind.ENTITY) == left
    backlog = await falkordb.slot_backlog(slot, 100, soon())
    await falkordb.fill_slot(slot, names, soon())
    ((found,),) = await client.read(graph, f"MATCH (s:{slot.label}) RETURN count(s)", {}, soon(), "counting")
    assert found == 0
    assert await falkordb.advance_slot(slot, backlog, soon()) is None
    query = SemanticQuery(Kind.ENTITY, random_vector(rng, DIMENSION), 5)
    assert not (await falkordb.semantic_in_slot(slot, query, soon())).enough

    await falkordb.drop_slot(left, schema_time())
    assert slot.key not in {other.key for other in await falkordb.list_slots(soon())}
    indexes = await client.read(graph, "CALL db.indexes() YIELD label RETURN label", {}, soon(), "listing")
    assert [slot.label] not in indexes


async def test_a_slot_is_right_or_not_enough_while_the_server_comes_back(
    tmp_path: Path, falkordb_subject: Subject
) -> None:
    """A restarted server fills its indexes behind its callers: until the slot's is whole the caller is told
    to scan, then the slot gives what it gave before."""
    process = FalkorDBProcess(tmp_path)
    await process.start()
    driver = FalkorDBDriver("shard", FalkorDBSettings(f"redis://127.0.0.1:{process.port}"))
    driver.use_marker(await driver.create_marker(falkordb_subject.founding.answers[0], soon()))
    rng = np.random.default_rng(9)
    try:
        await driver.ensure_schema(schema_time())
        tenant = await open_on(driver)
        for start in range(0, ROWS, 200):
            await tenant.write(
                *(entity(f"{start + n}", embedding=random_vector(rng, DIMENSION)) for n in range(200))
            )
        slot = await _filled(driver, await _made(tenant, Kind.ENTITY))
        query = SemanticQuery(Kind.ENTITY, random_vector(rng, DIMENSION), 10)
        before = await driver.semantic_in_slot(slot, query, soon())
        assert before.enough
        await process.kill()
        await process.start()

        async def whole() -> bool:
            read = await driver.semantic_in_slot(slot, query, soon())
            assert not read.enough or read.hits == before.hits
            return read.enough

        await eventually(whole)
    finally:
        await driver.close()
        await process.stop()


async def test_of_many_who_make_the_first_slot_of_a_graph_one_does(falkordb: FalkorDBDriver) -> None:
    """Gateways see at the same moment that a group is large: two slots with one key would be two fillings, of
    which one is for nobody and is never dropped."""
    slot_spec = EmbeddingSpec("m", DIMENSION)
    for _ in range(10):
        ref = GroupRef(f"group-{new_uuid()}", f"own-{secrets.token_hex(4)}")
        await falkordb.ensure_space(ref.space, schema_time())
        wanted = VectorSlot(ref, Kind.ENTITY, slot_spec)
        made = await asyncio.gather(*(falkordb.create_slot(wanted, schema_time()) for _ in range(8)))
        assert len({slot.serial for slot in made}) == 1
        assert [slot for slot in await falkordb.list_slots(soon()) if slot.key == wanted.key] == made[:1]
        await falkordb.drop_slot(made[0], schema_time())

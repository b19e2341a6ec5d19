"""One commit for the writes of many groups: each has its own verdict."""

import asyncio
import random
from dataclasses import replace

import pytest

from drivers.errors import EngineRefused
from drivers.graph_model import Kind
from drivers.neo4j import Neo4jDriver
from drivers.write_plan import WriteStatus
from tests.contract.neo4j_specific.conftest import OpenGroup
from tests.contract.rows import entity, fact, new_uuid, one_of_each
from tests.contract.tenant import soon


async def test_every_group_has_its_own_verdict(neo4j: Neo4jDriver, open_group: OpenGroup) -> None:
    """Of plans sent together some are applied, others refused for their own reasons, in the order given."""
    groups = [await open_group() for _ in range(7)]
    applied, duplicate, stale, overtaken, mismatched, full, missing = groups
    repeated = await duplicate.plan(duplicate.intent(entity("once")))
    await duplicate.apply(repeated)
    row = entity("row")
    late = await overtaken.plan(overtaken.intent(row))
    await overtaken.write(row)
    plans = [
        (applied, await applied.plan(applied.intent(entity("a"), entity("b")))),
        (duplicate, repeated),
        (stale, replace(await stale.plan(stale.intent(entity("s"))), epoch=9)),
        (overtaken, late),
        (mismatched, await mismatched.plan(mismatched.intent(entity("m"), if_version=5))),
        (full, await full.plan(full.intent(*one_of_each().values()))),
    ]
    nowhere = replace(missing.ref, group_id=f"{missing.ref.group_id}-never")
    sent = [(group.ref, plan) for group, plan in plans]
    sent.append((nowhere, await missing.plan(missing.intent(entity("x")))))
    random.Random(1).shuffle(sent)
    outcomes = await neo4j._writes.apply_many(sent, soon())
    by_group = {ref.group_id: o for (ref, _), o in zip(sent, outcomes, strict=True)}
    assert {group.ref.group_id: by_group[group.ref.group_id].status for group, _ in plans} == {
        applied.ref.group_id: WriteStatus.APPLIED,
        duplicate.ref.group_id: WriteStatus.DUPLICATE,
        stale.ref.group_id: WriteStatus.NOT_OWNED,
        overtaken.ref.group_id: WriteStatus.CONFLICT,
        mismatched.ref.group_id: WriteStatus.VERSION_MISMATCH,
        full.ref.group_id: WriteStatus.APPLIED,
    }
    assert by_group[nowhere.group_id].fence is None
    for group, _ in plans:
        assert by_group[group.ref.group_id].fence == await group.fence()
        assert (await group.fence()).stats == await group.recount()
    assert len((await full.snapshot()).rows) == 9
    assert len(await stale.listed(Kind.ENTITY)) == len(await mismatched.listed(Kind.ENTITY)) == 0


async def test_writers_of_the_same_groups_do_not_deadlock(neo4j: Neo4jDriver, open_group: OpenGroup) -> None:
    """Plans for the same groups, sent at the same time in any order, all come through, each once."""
    groups = [await open_group() for _ in range(6)]
    rng = random.Random(2)

    async def write_all(n: int) -> None:
        pending = list(groups)
        rng.shuffle(pending)
        while pending:
            plans = [(g, await g.plan(g.intent(entity(f"{n}"), entity(f"{n} too")))) for g in pending]
            outcomes = await neo4j._writes.apply_many([(g.ref, p) for g, p in plans], soon())
            pending = [
                g for (g, _), o in zip(plans, outcomes, strict=True) if o.status is not WriteStatus.APPLIED
            ]

    await asyncio.gather(*(write_all(n) for n in range(8)))
    for group in groups:
        assert len(await group.listed(Kind.ENTITY)) == 16
        assert (await group.fence()).version == 8


async def test_a_row_that_finds_no_place_rolls_everything_back(
    neo4j: Neo4jDriver, open_group: OpenGroup
) -> None:
    """A fact whose endpoint is neither there nor counted by a guard is an error of the whole statement, and
    nothing of it is left, in no group."""
    good, bad = await open_group(), await open_group()
    a = entity("a")
    await bad.write(a)
    plan = await bad.plan(bad.intent(fact(a.uuid, a.uuid)))
    (put,) = plan.puts
    broken = replace(plan, puts=(replace(put, row=replace(put.row, target_uuid=new_uuid())),), endpoints={})
    with pytest.raises(EngineRefused):
        await neo4j._writes.apply_many(
            [(good.ref, await good.plan(good.intent(entity("g")))), (bad.ref, broken)], soon()
        )
    assert await good.listed(Kind.ENTITY) == []
    assert (await good.fence()).version == 0
    assert (await bad.fence()).version == 1


async def test_two_plans_of_one_group_are_refused(neo4j: Neo4jDriver, open_group: OpenGroup) -> None:
    """The second would be checked against the state before the first."""
    group = await open_group()
    plans = [(group.ref, await group.plan(group.intent(entity(name)))) for name in "ab"]
    with pytest.raises(ValueError, match="one group"):
        await neo4j._writes.apply_many(plans, soon())
    assert await group.listed(Kind.ENTITY) == []

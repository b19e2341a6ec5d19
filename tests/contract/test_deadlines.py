"""A call whose time is up does nothing."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from drivers.contract import ShardDriver
from drivers.deadline import Deadline
from drivers.errors import DeadlinePassed
from drivers.fence import Fence, FenceState, GroupRef, ShardMarker
from drivers.graph_model import Kind
from drivers.reads import ListQuery
from drivers.search_reads import ExpandQuery, KeywordQuery, NearestQuery, PathQuery, SemanticQuery
from drivers.write_plan import ImageRequest
from tests.contract.probes import Probe
from tests.contract.rows import entity, new_uuid, vector
from tests.contract.tenant import Tenant, soon

type Call = Callable[[ShardDriver, GroupRef, Deadline], Awaitable[object]]

CALLS: dict[str, Call] = {
    "ping": lambda d, r, t: d.ping(t),
    "read_marker": lambda d, r, t: d.read_marker(t),
    "create_marker": lambda d, r, t: d.create_marker(ShardMarker("f", "s", "i", 1, 1, (), 1), t),
    "advance_beat": lambda d, r, t: d.advance_beat(7, 8, t),
    "ensure_schema": lambda d, r, t: d.ensure_schema(t),
    "describe_schema": lambda d, r, t: d.describe_schema(t),
    "drop_schema": lambda d, r, t: d.drop_schema(t),
    "create_fence": lambda d, r, t: d.create_fence(Fence(f"{r.group_id}-new", 1, FenceState.OPEN), t),
    "read_fences": lambda d, r, t: d.read_fences([r], t),
    "list_fences": lambda d, r, t: d.list_fences("", 10, t),
    "read_images": lambda d, r, t: d.read_images(r, ImageRequest("op", {}, {}, {}), t),
    "get_rows": lambda d, r, t: d.get_rows(r, Kind.ENTITY, [new_uuid()], False, t),
    "fetch_rows": lambda d, r, t: d.fetch_rows(Kind.ENTITY, {r: [new_uuid()]}, False, t),
    "list_rows": lambda d, r, t: d.list_rows(r, ListQuery(Kind.ENTITY, 10), t),
    "list_versions": lambda d, r, t: d.list_versions(r, ListQuery(Kind.ENTITY, 10), t),
    "changes": lambda d, r, t: d.changes(r, 0, 10, t),
    "semantic": lambda d, r, t: d.semantic([r], SemanticQuery(Kind.ENTITY, vector([1, 2]), 10), t),
    "nearest": lambda d, r, t: d.nearest(r, NearestQuery(Kind.ENTITY, (vector([1, 2]),), 10, 0.0), t),
    "keyword": lambda d, r, t: d.keyword([r], KeywordQuery(Kind.ENTITY, ("x",), 10), t),
    "paths": lambda d, r, t: d.paths(r, PathQuery(new_uuid(), new_uuid()), t),
    "expand": lambda d, r, t: d.expand([ExpandQuery(r.group_id, r.space, (new_uuid(),), Kind.FACT, 10)], t),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_without_time_is_not_begun(tenant: Tenant, probe: Probe, name: str) -> None:
    """A deadline that has passed is DeadlinePassed from every method, and nothing has changed by it."""
    before = await probe.containers()
    with pytest.raises(DeadlinePassed):
        await CALLS[name](tenant.driver, tenant.ref, Deadline(time.monotonic() - 0.001))
    assert await probe.containers() == before


async def test_a_write_without_time_is_not_sent(tenant: Tenant, probe: Probe) -> None:
    """DeadlinePassed means that the write was not sent: neither row nor record is there, then or later."""
    plan = await tenant.plan(tenant.intent(entity("late")))
    before = await probe.group(tenant.ref.group_id)
    with pytest.raises(DeadlinePassed):
        await tenant.driver.apply(tenant.ref, plan, Deadline(time.monotonic() - 0.001))
    assert await probe.group(tenant.ref.group_id) == before
    assert (await tenant.images(tenant.intent(op_id=plan.operation.op_id))).operation is None


async def test_cancelled_calls_leave_the_driver_usable(tenant: Tenant) -> None:
    """A caller that goes away in the middle of a call does not spoil the next one's answer: every later read
    and write gets its own."""
    rows = [entity(f"n{n}") for n in range(20)]
    await tenant.write(*rows)
    for n in range(30):
        task = asyncio.create_task(
            tenant.listed(Kind.ENTITY) if n % 2 else tenant.images(tenant.intent(rows[n % 20]))
        )
        for _ in range(n % 7):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        row = rows[n % 20]
        assert [found.uuid for found in (await tenant.get(Kind.ENTITY, row.uuid)).rows] == [row.uuid]
        assert (await tenant.driver.read_fences([tenant.ref], soon()))[tenant.ref.group_id].version == 1


async def test_a_cancelled_write_is_applied_or_not_at_all(tenant: Tenant) -> None:
    """A write whose caller goes away may have been applied; its retry settles which, once and whole."""
    for n in range(10):
        plan = await tenant.plan(
            tenant.intent(entity(f"{n}"), entity(f"{n} too"), op_id=secrets.token_hex(4))
        )
        task = asyncio.create_task(tenant.apply(plan))
        for _ in range(n):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        retried = await tenant.apply(plan)
        assert retried.operation is not None
        assert replace(retried.operation, version=0, created_at=0) == plan.operation
        assert retried.operation.version == n + 1
    assert (await tenant.fence()).version == 10
    assert len(await tenant.listed(Kind.ENTITY)) == 20

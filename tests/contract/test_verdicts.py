"""When the shard refuses a write, in which order it judges, and that a refused write leaves no trace."""

import asyncio
from dataclasses import replace

import pytest

from drivers.fence import FenceState
from drivers.graph_model import Kind
from drivers.write_plan import WriteStatus
from tests.contract.conftest import OpenTenant
from tests.contract.probes import Probe
from tests.contract.refusals import busy, refused
from tests.contract.rows import entity
from tests.contract.tenant import Tenant

# --- ownership ------------------------------------------------------------------------------------


@pytest.mark.parametrize("epoch", [0, 2, 10])
async def test_a_write_with_another_epoch_changes_nothing(tenant: Tenant, probe: Probe, epoch: int) -> None:
    """Invariant 1: a gateway with a stale placement is told so by the shard, and writes nothing."""
    nodes = await busy(tenant)
    plan = await tenant.plan(tenant.intent(entity("late"), deletions=[(Kind.ENTITY, nodes[0].uuid)]))
    await refused(tenant, probe, replace(plan, epoch=epoch), WriteStatus.NOT_OWNED)
    assert (await tenant.apply(replace(plan, epoch=epoch))).fence == await tenant.fence()


@pytest.mark.parametrize("state", [state for state in FenceState if state is not FenceState.OPEN])
async def test_only_an_open_fence_lets_writes_in(
    open_tenant: OpenTenant, probe: Probe, state: FenceState
) -> None:
    """Frozen, moved, buried and incoming groups take no write, and the fence tells why."""
    tenant = await open_tenant(state=state)
    plan = await tenant.plan(tenant.intent(entity("late")))
    await refused(tenant, probe, plan, WriteStatus.NOT_OWNED)
    fence = (await tenant.apply(plan)).fence
    assert fence is not None
    assert (fence.state, fence.version) == (state, 0)


async def test_a_write_to_a_group_without_a_fence_changes_nothing(
    open_tenant: OpenTenant, probe: Probe
) -> None:
    """A group that the shard does not know is not made by a write: the verdict has no fence."""
    known = await open_tenant()
    plan = await known.plan(known.intent(entity("lost")))
    stranger = Tenant(known.driver, replace(known.ref, group_id=known.ref.group_id + "-unknown"))
    before = await probe.containers()
    outcome = await stranger.apply(plan)
    assert (outcome.status, outcome.fence, outcome.operation) == (WriteStatus.NOT_OWNED, None, None)
    assert await probe.containers() == before


async def test_ownership_is_judged_before_the_operation_record(tenant: Tenant, probe: Probe) -> None:
    """A retry that comes with a stale epoch is a stale placement: only the owner may answer for it."""
    await tenant.write(entity("once"), op_id="op-1")
    plan = await tenant.plan(tenant.intent(entity("once"), op_id="op-1"))
    await refused(tenant, probe, replace(plan, epoch=9), WriteStatus.NOT_OWNED)


# --- retries --------------------------------------------------------------------------------------


async def test_a_retry_gets_the_first_answer(tenant: Tenant, probe: Probe) -> None:
    """Invariant 2: the same operation id is applied once; its retry is given the first record."""
    plan = await tenant.plan(tenant.intent(entity("once")))
    first = await tenant.apply(plan)
    await refused(tenant, probe, plan, WriteStatus.DUPLICATE)
    again = await tenant.apply(plan)
    assert again.operation == first.operation
    assert again.operation is not None
    assert again.operation.result == plan.operation.result
    assert again.operation.content_hash == plan.operation.content_hash
    assert (again.operation.version, again.operation.created_at) == (1, plan.now)


async def test_a_retry_after_later_writes_overwrites_nothing(tenant: Tenant, probe: Probe) -> None:
    """A late retry neither overwrites a later write nor revives a row deleted meanwhile."""
    row, doomed = entity("first"), entity("doomed")
    plan = await tenant.plan(tenant.intent(row, doomed))
    first = await tenant.apply(plan)
    await tenant.write(replace(row, name="second"), deletions=[(Kind.ENTITY, doomed.uuid)])
    await refused(tenant, probe, plan, WriteStatus.DUPLICATE)
    assert (await tenant.apply(plan)).operation == first.operation


async def test_a_retried_deletion_does_not_delete_again(tenant: Tenant, probe: Probe) -> None:
    """The retry of a deletion leaves the row that was created again after it."""
    row = entity("cat")
    await tenant.write(row)
    plan = await tenant.plan(tenant.intent(deletions=[(Kind.ENTITY, row.uuid)]))
    first = await tenant.apply(plan)
    await tenant.write(row)
    await refused(tenant, probe, plan, WriteStatus.DUPLICATE)
    assert (await tenant.apply(plan)).operation == first.operation


async def test_the_operation_record_wins_over_the_other_guards(tenant: Tenant, probe: Probe) -> None:
    """A retry whose if_version and rows have gone stale, and whose content is another, is a duplicate."""
    row = entity("first")
    await tenant.write(row, op_id="op")
    await tenant.write(replace(row, name="second"))
    stale = await tenant.plan(tenant.intent(replace(row, name="third"), op_id="op", if_version=0))
    other = replace(stale, operation=replace(stale.operation, content_hash="another"), existing={})
    await refused(tenant, probe, other, WriteStatus.DUPLICATE)


async def test_concurrent_retries_are_applied_once(tenant: Tenant) -> None:
    """Of many copies of one operation at once, one is applied and all get its record."""
    plan = await tenant.plan(tenant.intent(entity("once")))
    outcomes = await asyncio.gather(*(tenant.apply(plan) for _ in range(8)))
    assert (
        sorted(outcome.status for outcome in outcomes) == [WriteStatus.APPLIED] + [WriteStatus.DUPLICATE] * 7
    )
    assert len({outcome.operation for outcome in outcomes}) == 1
    assert (await tenant.fence()).version == 1


async def test_the_images_show_an_operation_that_was_applied(tenant: Tenant) -> None:
    """A retry is recognised before it is planned: the images carry the record if there is one."""
    outcome = await tenant.write(entity("once"), op_id="op-a")
    assert (await tenant.images(tenant.intent(entity("x"), op_id="op-a"))).operation == outcome.operation
    assert (await tenant.images(tenant.intent(entity("x"), op_id="op-b"))).operation is None


async def test_two_groups_may_use_the_same_operation_id(open_tenant: OpenTenant) -> None:
    """Operation records belong to their group."""
    one, two = await open_tenant(), await open_tenant()
    await one.write(entity("a"), op_id="same")
    await two.write(entity("b"), op_id="same")
    assert (await two.fence()).version == 1


# --- conditions -----------------------------------------------------------------------------------


async def test_if_version_holds_only_at_that_version(tenant: Tenant, probe: Probe) -> None:
    """A write on condition of the group's version is applied at it and refused at any other."""
    await tenant.write(entity("a"))
    for version in (0, 2):
        plan = await tenant.plan(tenant.intent(entity("b"), if_version=version))
        await refused(tenant, probe, plan, WriteStatus.VERSION_MISMATCH)
    plan = await tenant.plan(tenant.intent(entity("b"), if_version=1))
    assert (await tenant.apply(plan)).status is WriteStatus.APPLIED


async def test_if_version_is_judged_before_conflicts(tenant: Tenant, probe: Probe) -> None:
    """A caller whose condition fails learns so, rather than being planned again."""
    row = entity("a")
    plan = await tenant.plan(tenant.intent(row, if_version=0))
    await tenant.write(row)
    await refused(tenant, probe, plan, WriteStatus.VERSION_MISMATCH)

"""What is decided on the fence is decided under its lock."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from neo4j import AsyncDriver

from drivers.deadline import Deadline
from drivers.errors import OutcomeUnknown
from drivers.fence import FenceState
from drivers.graph_model import Kind
from drivers.write_plan import WriteStatus
from tests.contract.neo4j_specific.conftest import OpenGroup, ask
from tests.contract.rows import entity
from tests.contract.tenant import Tenant
from tests.eventually import eventually


@asynccontextmanager
async def _holding(client: AsyncDriver, group: Tenant, change: str) -> AsyncGenerator[None]:
    """A transaction that has made `change` to the fence `f` and commits at the end of the block."""
    async with client.session(database="neo4j") as session:
        transaction = await session.begin_transaction()
        await transaction.run(
            f"MATCH (f:_Fence {{group_id: $g}}) SET {change} RETURN f.version",  # pyright: ignore[reportArgumentType]
            g=group.ref.group_id,
        )
        yield
        await transaction.commit()


async def _waiting(client: AsyncDriver, count: int) -> bool:
    """Whether so many transactions wait for a lock."""
    found = await ask(client, "SHOW TRANSACTIONS YIELD status WHERE status STARTS WITH 'Blocked' RETURN 1")
    return len(found) == count


async def test_a_write_that_waited_for_a_freeze_is_refused(
    open_group: OpenGroup, beside: AsyncDriver
) -> None:
    """A freeze that commits while a write waits for the lock is seen by that write."""
    group = await open_group()
    plan = await group.plan(group.intent(entity("late")))
    async with _holding(beside, group, "f.state = 'FROZEN'"):
        task = asyncio.create_task(group.apply(plan))
        await eventually(lambda: _waiting(beside, 1))
    outcome = await task
    assert outcome.status is WriteStatus.NOT_OWNED
    assert outcome.fence is not None
    assert outcome.fence.state is FenceState.FROZEN
    assert await group.listed(Kind.ENTITY) == []


async def test_images_wait_for_a_commit_under_way(open_group: OpenGroup, beside: AsyncDriver) -> None:
    """Neo4j shows a commit to others while it is being applied, fence first: so images take the lock, and
    never pair a new version with an old row."""
    group = await open_group()
    row = entity("old")
    await group.write(row)
    async with _holding(beside, group, "f.version = 7"):
        task = asyncio.create_task(group.images(group.intent(row)))
        await eventually(lambda: _waiting(beside, 1))
    images = await task
    assert images.fence is not None
    assert images.fence.version == 7


async def test_the_bound_of_changes_waits_too(open_group: OpenGroup, beside: AsyncDriver) -> None:
    """A version is told as complete only when its commit is."""
    group = await open_group()
    await group.write(entity("n"))
    async with _holding(beside, group, "f.version = 7"):
        task = asyncio.create_task(group.changes())
        await eventually(lambda: _waiting(beside, 1))
    assert (await task).bound == 7


async def test_reads_do_not_wait(open_group: OpenGroup, beside: AsyncDriver) -> None:
    """A writer that holds the lock for long stops no read."""
    group = await open_group()
    row = entity("n")
    await group.write(row)
    async with _holding(beside, group, "f.version = 7"):
        read = await group.get(Kind.ENTITY, row.uuid)
        assert [found.uuid for found in read.rows] == [row.uuid]
        assert read.fence is not None
        assert read.fence.version == 1


async def test_a_write_that_waits_past_its_deadline_is_unknown_and_settled_by_a_retry(
    open_group: OpenGroup, beside: AsyncDriver
) -> None:
    """The caller is told in time that the outcome is open; the same operation again settles it."""
    group = await open_group()
    plan = await group.plan(group.intent(entity("n"), op_id="the-op"))
    async with _holding(beside, group, "f += {}"):
        with pytest.raises(OutcomeUnknown) as caught:
            await group.driver.apply(group.ref, plan, Deadline.after(0.3))
        assert caught.value.op_id == "the-op"
    outcome = await group.apply(plan)
    assert outcome.status in (WriteStatus.APPLIED, WriteStatus.DUPLICATE)
    assert (await group.fence()).version == 1
    assert len(await group.listed(Kind.ENTITY)) == 1

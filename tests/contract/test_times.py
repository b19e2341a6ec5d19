"""Time within a group: it never runs backwards, and the shard gives it."""

import asyncio
from dataclasses import replace

import pytest

from drivers.graph_model import INT64_MAX, OPEN_END, OPEN_START, Closure, Episode, Fact, Kind
from drivers.reads import ListOrder
from tests.contract.rows import entity, episode, fact
from tests.contract.tenant import FOUNDED_AT, Tenant

LATE = FOUNDED_AT + 3_600_000_000


async def _fact(tenant: Tenant) -> Fact:
    a, b = entity("a"), entity("b")
    claim = fact(a.uuid, b.uuid, "knows")
    await tenant.write(a, b, claim)
    return claim


async def _read(tenant: Tenant, claim: Fact) -> Fact:
    found = await tenant.one(Kind.FACT, claim.uuid)
    assert isinstance(found, Fact)
    return found


async def test_created_at_grows_with_a_clock_that_runs_backwards(tenant: Tenant) -> None:
    """Invariant 8: created_at = max(now, the group's last + 1 microsecond)."""
    clock = [FOUNDED_AT, FOUNDED_AT - 5_000_000, 1, FOUNDED_AT + 10, FOUNDED_AT + 10, -7]
    times: list[int] = []
    rows = [entity(f"{n}") for n in range(len(clock))]
    for row, now in zip(rows, clock, strict=True):
        plan = await tenant.plan(tenant.intent(row))
        outcome = await tenant.apply(replace(plan, now=now))
        assert outcome.operation is not None
        assert outcome.fence is not None
        assert outcome.fence.last_created_at == outcome.operation.created_at
        times.append(outcome.operation.created_at)
    first = FOUNDED_AT
    assert times == [first, first + 1, first + 2, first + 10, first + 11, first + 12]
    assert [row.created_at for row in (await tenant.get(Kind.ENTITY, *(r.uuid for r in rows))).rows] == times
    newest = await tenant.listed(Kind.ENTITY, order=ListOrder.NEWEST)
    assert [row.uuid for row in newest] == [row.uuid for row in reversed(rows)]


async def test_concurrent_writes_get_times_in_the_order_of_their_versions(tenant: Tenant) -> None:
    """With many writers at the same instant the later version has the later time."""
    plans = [await tenant.plan(tenant.intent(entity(f"{n}"))) for n in range(10)]
    outcomes = await asyncio.gather(*(tenant.apply(replace(plan, now=FOUNDED_AT)) for plan in plans))
    stamps = sorted((o.operation.version, o.operation.created_at) for o in outcomes if o.operation)
    assert stamps == [(n + 1, FOUNDED_AT + n) for n in range(10)]


async def test_a_closure_is_stamped_with_the_time_of_the_write(tenant: Tenant) -> None:
    """A fact that gets an end keeps by which episode, when, and the end before; expired_at is that time."""
    claim = await _fact(tenant)
    outcome = await tenant.write(replace(claim, invalid_at=LATE), episode_uuid="the episode")
    assert outcome.operation is not None
    found = await _read(tenant, claim)
    closed_at = outcome.operation.created_at
    assert found.closures == (Closure(closed_at, OPEN_END, "the episode"),)
    assert (found.invalid_at, found.expired_at) == (LATE, closed_at)
    assert found.created_at < closed_at


async def test_every_change_of_the_end_is_kept_in_order(tenant: Tenant) -> None:
    """Closed, closed otherwise and opened again: each step stays, ascending, so any of them can be undone."""
    claim = await _fact(tenant)
    times: list[int] = []
    for end in (LATE, LATE - 5, OPEN_END, LATE + 5):
        outcome = await tenant.write(replace(claim, invalid_at=end))
        assert outcome.operation is not None
        times.append(outcome.operation.created_at)
    found = await _read(tenant, claim)
    assert found.closures == (
        Closure(times[0], OPEN_END, ""),
        Closure(times[1], LATE, ""),
        Closure(times[2], LATE - 5, ""),
        Closure(times[3], OPEN_END, ""),
    )
    assert (found.invalid_at, found.expired_at) == (LATE + 5, times[3])


async def test_a_fact_opened_again_has_not_expired(tenant: Tenant) -> None:
    """expired_at is open while the fact is."""
    claim = await _fact(tenant)
    await tenant.write(replace(claim, invalid_at=LATE))
    await tenant.write(claim)
    found = await _read(tenant, claim)
    assert (found.invalid_at, found.expired_at) == (OPEN_END, OPEN_END)
    assert len(found.closures) == 2


async def test_a_write_that_leaves_the_end_alone_closes_nothing(tenant: Tenant) -> None:
    """Closures and expired_at survive later writes of the same fact."""
    claim = await _fact(tenant)
    await tenant.write(replace(claim, invalid_at=LATE))
    closed = await _read(tenant, claim)
    await tenant.write(replace(claim, invalid_at=LATE, fact="told otherwise"))
    again = await _read(tenant, claim)
    assert (again.closures, again.expired_at) == (closed.closures, closed.expired_at)


async def test_one_write_closes_opens_moves_and_leaves(tenant: Tenant) -> None:
    """Facts that are closed, opened, closed at other ends, left alone and new in the same write each get
    their own closures."""
    a, b = entity("a"), entity("b")
    claims = [fact(a.uuid, b.uuid, f"{n}") for n in range(5)]
    closed, opened, moved, left, new = claims
    await tenant.write(a, b, closed, replace(opened, invalid_at=LATE), moved, replace(left, invalid_at=LATE))
    before = {claim.uuid: await _read(tenant, claim) for claim in claims[:4]}
    outcome = await tenant.write(
        replace(closed, invalid_at=LATE),
        opened,
        replace(moved, source_uuid=b.uuid, target_uuid=a.uuid, invalid_at=LATE),
        replace(left, fact="left", invalid_at=LATE),
        new,
        episode_uuid="cause",
    )
    assert outcome.operation is not None
    at = outcome.operation.created_at
    after = [await _read(tenant, claim) for claim in claims]
    assert [(claim.closures, claim.expired_at) for claim in after] == [
        ((Closure(at, OPEN_END, "cause"),), at),
        ((Closure(at, LATE, "cause"),), OPEN_END),
        ((Closure(at, OPEN_END, "cause"),), at),
        ((), before[left.uuid].expired_at),
        ((), OPEN_END),
    ]


async def test_a_fact_may_be_written_with_its_end(tenant: Tenant) -> None:
    """A fact that is over when it is first written expires by that write, and has no closure."""
    a = entity("a")
    claim = fact(a.uuid, a.uuid, "was", valid_at=1, invalid_at=2)
    outcome = await tenant.write(a, claim)
    assert outcome.operation is not None
    found = await _read(tenant, claim)
    assert (found.closures, found.expired_at) == ((), outcome.operation.created_at)


async def test_the_closure_uses_the_shards_time_not_the_gateways(tenant: Tenant) -> None:
    """With a gateway clock behind the group's time the closure gets the group's next microsecond."""
    claim = await _fact(tenant)
    last = (await tenant.fence()).last_created_at
    plan = await tenant.plan(tenant.intent(replace(claim, invalid_at=LATE)))
    await tenant.apply(replace(plan, now=5))
    found = await _read(tenant, claim)
    assert found.closures == (Closure(last + 1, OPEN_END, ""),)
    assert found.expired_at == last + 1


@pytest.mark.parametrize(
    ("valid_at", "invalid_at"),
    [
        (OPEN_START, OPEN_END),
        (OPEN_START, OPEN_START + 1),
        (INT64_MAX - 1, OPEN_END),
        (-1, 0),
        (0, 1),
        (-62_135_596_800_000_000, -62_135_596_799_999_999),
        (253_402_300_799_999_998, 253_402_300_799_999_999),
        (2**53 + 1, 2**53 + 3),
        (-(2**53) - 3, -(2**53) - 1),
    ],
)
async def test_times_are_exact_to_the_microsecond(tenant: Tenant, valid_at: int, invalid_at: int) -> None:
    """Open ends, dates before 1970 and beyond the doubles' range come back to the microsecond."""
    a = entity("a")
    claim = fact(a.uuid, a.uuid, "was", valid_at=valid_at, invalid_at=invalid_at)
    told = episode("x", reference_time=valid_at)
    await tenant.write(a, claim, told)
    found = await _read(tenant, claim)
    assert (found.valid_at, found.invalid_at) == (valid_at, invalid_at)
    read = await tenant.one(Kind.EPISODE, told.uuid)
    assert isinstance(read, Episode)
    assert read.reference_time == valid_at

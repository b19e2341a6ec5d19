"""When the facts that hold will next be others, with nothing written."""

import random
from dataclasses import replace

from drivers.fence import FenceState
from drivers.filters import RowFilter, matches
from drivers.graph_model import OPEN_END, OPEN_START, Fact
from drivers.search_reads import ValidityRead
from tests.contract.conftest import OpenTenant
from tests.contract.rows import entity, fact
from tests.contract.tenant import FOUNDED_AT, Tenant, soon

NOW = FOUNDED_AT


async def _read(*tenants: Tenant, after_us: int = NOW) -> ValidityRead:
    return await tenants[0].driver.next_validity_change([tenant.ref for tenant in tenants], after_us, soon())


async def _write(tenant: Tenant, *times: tuple[int, int]) -> list[Fact]:
    a = entity("a")
    facts = [fact(a.uuid, a.uuid, valid_at=start, invalid_at=end) for start, end in times]
    await tenant.write(a, *facts)
    return facts


async def test_a_group_whose_facts_stay_as_they_are_is_left_out(tenant: Tenant) -> None:
    """Open ends, and what has begun or ended by the asked time, that microsecond included, change nothing."""
    await _write(tenant, (OPEN_START, OPEN_END), (NOW - 9, NOW), (NOW, OPEN_END))
    read = await _read(tenant)
    assert read.next_change == {}
    assert read.fences == {tenant.ref.group_id: await tenant.fence()}


async def test_the_first_change_of_each_group_counts(open_tenant: OpenTenant) -> None:
    """A beginning or an end, whichever comes first, group by group; a group without facts has none."""
    begins, ends, empty = [await open_tenant() for _ in range(3)]
    await _write(begins, (NOW + 7, NOW + 8), (OPEN_START, NOW + 9))
    await _write(ends, (NOW + 50, OPEN_END), (NOW - 5, NOW + 1))
    read = await _read(begins, ends, empty)
    assert read.next_change == {begins.ref.group_id: NOW + 7, ends.ref.group_id: NOW + 1}
    assert read.fences.keys() == {begins.ref.group_id, ends.ref.group_id, empty.ref.group_id}


async def test_a_group_that_the_shard_does_not_own_tells_so(open_tenant: OpenTenant) -> None:
    """The fence has the last word: the caller discards the answer of a group that is being moved here."""
    incoming = await open_tenant(state=FenceState.INCOMING)
    read = await _read(incoming)
    assert not read.fences[incoming.ref.group_id].owns
    assert (await _read(replace(incoming, ref=replace(incoming.ref, group_id="nowhere")))).fences == {}


async def test_until_the_next_change_the_same_facts_hold(tenant: Tenant) -> None:
    """For generated facts: at every time before the change those of now hold, at the change others do."""
    rng = random.Random(20)
    times = sorted(rng.sample(range(10, 90), 12))
    known = await _write(
        tenant, *((NOW + first, NOW + last) for first, last in zip(times[::2], times[1::2], strict=True))
    )

    def holding(at: int) -> list[bool]:
        return [matches(row, RowFilter(as_of=at)) for row in known]

    at, changes = NOW, 0
    while (change := (await _read(tenant, after_us=at)).next_change.get(tenant.ref.group_id)) is not None:
        assert all(holding(time) == holding(at) for time in range(at, change))
        assert holding(change) != holding(at)
        at, changes = change, changes + 1
    assert changes == len(times)

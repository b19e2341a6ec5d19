"""A search over several shards of which some do not answer: all or nothing, or what the policy allows."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from drivers.deadline import Deadline
from drivers.errors import ShardTimeout, ShardUnavailable
from drivers.fence import FenceState
from drivers.graph_model import Kind
from drivers.row_key import RowKey
from shard_router import candidates
from shard_router.errors import CoverageTooLow
from shard_router.partial import PartialPolicy, ShardStatus, missing_groups
from shard_router.router import Router
from shard_router.routing import Located, route_to
from shard_router.scatter import CandidateQuery, Scatter, SearchScope
from tests.contract.rows import entity, fact, vector
from tests.contract.tenant import Tenant
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import founded, running, soon, unevenly

GROUPS = [f"group-{n}" for n in range(12)]
QUERY = CandidateQuery(Kind.ENTITY, 50, vector=vector([1, 0]), terms={"needle": 1})
ALL = PartialPolicy(1.0)
ANY = PartialPolicy(0.0)


@dataclass(frozen=True, slots=True)
class World:
    drivers: dict[str, FaultyDriver]
    router: Router
    scatter: Scatter
    shard_of: dict[str, str]

    async def scope(self, partial: PartialPolicy | None = None) -> SearchScope:
        return SearchScope(await self.router.locate(GROUPS, soon()), partial)

    def on(self, shard: str) -> list[str]:
        return sorted(group for group, at in self.shard_of.items() if at == shard)


@pytest.fixture
async def world() -> AsyncGenerator[World]:
    """Three shards with groups on each, every group with one entity that has a fact to itself."""
    drivers = {driver.shard_id: driver for driver in founded("a", "b", "c")}
    async with running(unevenly(list(drivers.values()))) as fleet:
        router = Router(fleet, None)
        shard_of: dict[str, str] = {}
        for group in GROUPS:
            placement = await router.place(group, soon())
            shard_of[group] = placement.shard_id
            row = entity("needle in hay", embedding=vector([1, 0.1]))
            tenant = Tenant(drivers[placement.shard_id], placement.ref, placement.epoch)
            await tenant.write(row, fact(row.uuid, row.uuid))
        assert set(shard_of.values()) == {"a", "b", "c"}
        yield World(drivers, router, Scatter(router), shard_of)
        await router.close()


def _groups(found: candidates.Candidates) -> tuple[list[str], list[str]]:
    return sorted(r.key.group_id for r in found.semantic), sorted(r.key.group_id for r in found.keyword)


async def test_without_a_policy_a_search_fails_with_its_shard(world: World) -> None:
    """All or nothing is the default: a missing shard is the search's own error."""
    world.drivers["b"].down = True
    with pytest.raises(ShardUnavailable):
        await world.scatter.candidates(await world.scope(), [QUERY], soon())


async def test_every_shard_that_answers_says_for_which_groups(world: World) -> None:
    """Outcomes name all shards that were asked, whole or partial."""
    for policy in (None, ANY, ALL):
        scope = await world.scope(policy)
        found = await world.scatter.candidates(scope, [QUERY], soon())
        assert _groups(found[Kind.ENTITY]) == (sorted(GROUPS), sorted(GROUPS))
        assert {s: o.status for s, o in scope.outcomes.items()} == dict.fromkeys("abc", ShardStatus.OK)
        assert {s: list(o.groups) for s, o in scope.outcomes.items()} == {s: world.on(s) for s in "abc"}
        assert all(outcome.latency_s > 0 and outcome.reason == "" for outcome in scope.outcomes.values())
        assert scope.coverage == 1.0


async def test_a_search_of_no_groups_finds_nothing(world: World) -> None:
    """As where no group's vectors can be compared with the query's: an empty list, nothing missing."""
    scope = SearchScope(Located(route_to({}), {}, (), {}, {}))
    found = (await world.scatter.candidates(scope, [QUERY], soon()))[Kind.ENTITY]
    assert (found.semantic, found.keyword, scope.coverage) == ((), (), 1.0)


async def test_what_answered_is_returned_and_what_did_not_is_named(world: World) -> None:
    """With a policy the other shards' rows come, and the missing groups with the reason."""
    world.drivers["b"].down = True
    scope = await world.scope(ANY)
    found = await world.scatter.candidates(scope, [QUERY], soon())
    there = sorted(set(GROUPS) - set(world.on("b")))
    assert _groups(found[Kind.ENTITY]) == (there, there)
    assert scope.outcomes["b"].status is ShardStatus.ERROR
    assert scope.outcomes["b"].reason == "SHARD_UNAVAILABLE"
    assert sorted(scope.outcomes["b"].groups) == world.on("b") == list(missing_groups(scope.outcomes))
    assert scope.outcomes["a"].status is ShardStatus.OK
    assert scope.coverage == pytest.approx(len(there) / len(GROUPS))
    assert sorted(scope.fences) == there


async def test_too_small_a_part_is_no_answer(world: World) -> None:
    """Below the least coverage the search fails and names coverage, minimum and the shards with what they
    failed with; at it, it does not."""
    world.drivers["c"].down = True
    share = 1 - len(world.on("c")) / len(GROUPS)
    await world.scatter.candidates(await world.scope(PartialPolicy(share)), [QUERY], soon())
    for least in (share + 0.001, 1.0):
        with pytest.raises(CoverageTooLow) as caught:
            await world.scatter.candidates(await world.scope(PartialPolicy(least)), [QUERY], soon())
        assert isinstance(caught.value.__cause__, ShardUnavailable)
        assert caught.value.metadata() == {
            "coverage": f"{share:.6g}",
            "min_coverage": f"{least:g}",
            "groups_missing": str(len(world.on("c"))),
            "missing_groups": ",".join(world.on("c")),
            "shards": "c=SHARD_UNAVAILABLE",
        }


@pytest.mark.parametrize("method", ["semantic", "matching"])
async def test_a_shard_that_is_late_does_not_hold_up_the_answer(world: World, method: str) -> None:
    """The others' rows are there while the caller still has time to use them."""
    world.drivers["a"].held[method] = asyncio.Event()
    scope, deadline = await world.scope(ANY), Deadline.after(1.0)
    found = await world.scatter.candidates(scope, [QUERY], deadline)
    keys = [row.key for row in found[Kind.ENTITY].semantic]
    rows = await world.scatter.rows(scope, Kind.ENTITY, keys, False, deadline)
    assert deadline.remaining_s() > 0
    assert set(rows) == set(keys)
    assert _groups(found[Kind.ENTITY])[0] == sorted(set(GROUPS) - set(world.on("a")))
    assert (scope.outcomes["a"].status, scope.outcomes["a"].reason) == (ShardStatus.TIMEOUT, "SHARD_TIMEOUT")
    assert scope.outcomes["a"].latency_s > 0


async def test_a_shard_lost_between_two_stages_is_named(world: World) -> None:
    """Rows and edges of a shard that goes away after the candidates are left out and said to be."""
    scope = await world.scope(ANY)
    found = await world.scatter.candidates(scope, [QUERY], soon())
    keys = [row.key for row in found[Kind.ENTITY].semantic]
    world.drivers["b"].faults["fetch_rows"] = ShardTimeout("b", "a read")
    rows = await world.scatter.rows(scope, Kind.ENTITY, keys, False, soon())
    assert {key.group_id for key in rows} == set(GROUPS) - set(world.on("b"))
    assert scope.outcomes["b"].status is ShardStatus.TIMEOUT
    entities = {key.group_id: [key.uuid] for key in keys}
    edges = await world.scatter.expand(scope, entities, Kind.FACT, 10, soon())
    assert set(edges.by_group) == {key.group_id for key in rows}
    whole = await world.scope()
    await world.scatter.candidates(whole, [QUERY], soon())
    with pytest.raises(ShardTimeout):
        await world.scatter.rows(whole, Kind.ENTITY, keys, False, soon())


async def test_the_second_keyword_step_survives_the_loss_of_a_shard(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shard that fails while all its keyword rows are asked for is left out of both methods; the others'
    lists are as they would be without it."""
    monkeypatch.setattr(candidates, "MATCHING_ROWS_MAX", 0)
    monkeypatch.setattr(candidates, "FIRST_KEYWORD_ROWS_MIN", 1)
    query = replace(QUERY, window=1)
    lost = world.drivers["c"]
    step = lost.step

    async def fails_later(name: str) -> None:
        await step(name)
        if name == "keyword" and lost.calls["keyword"] > 1:
            raise ShardUnavailable("c", "connection reset")

    monkeypatch.setattr(lost, "step", fails_later)
    scope = await world.scope(ANY)
    found = (await world.scatter.candidates(scope, [query], soon()))[Kind.ENTITY]
    assert scope.outcomes["c"].status is ShardStatus.ERROR
    best = min(set(GROUPS) - set(world.on("c")))
    assert [row.key.group_id for row in found.keyword] == [best]
    assert [row.key.group_id for row in found.semantic] == [best]
    assert found.keyword_exact


async def test_a_group_without_an_owner_is_stale(world: World) -> None:
    """A group whose fence never settles is missing with that reason; without a policy it fails the search."""
    group = world.on("b")[0]
    state = world.drivers["b"].groups["", group]
    assert state.fence is not None
    scope, whole = await world.scope(ANY), await world.scope()
    state.fence = replace(state.fence, state=FenceState.INCOMING)
    found = await world.scatter.candidates(scope, [QUERY], soon())
    assert set(scope.missing) == {group}
    assert scope.outcomes["b"].groups == (group,)
    assert scope.outcomes["b"].status in (ShardStatus.STALE, ShardStatus.ERROR)
    assert _groups(found[Kind.ENTITY])[0] == sorted(set(GROUPS) - {group})
    with pytest.raises(type(scope.missing[group])):
        await world.scatter.candidates(whole, [QUERY], soon())


async def test_rows_of_a_group_that_moved_come_from_where_it_is(world: World) -> None:
    """A move between two stages costs a look-up, not the rows."""
    group = world.on("b")[0]
    scope = await world.scope()
    found = await world.scatter.candidates(scope, [QUERY], soon())
    key = next(row.key for row in found[Kind.ENTITY].semantic if row.key.group_id == group)
    old = world.drivers["b"].groups["", group]
    assert old.fence is not None
    world.drivers["a"].groups["", group] = replace(old, fence=replace(old.fence, epoch=old.fence.epoch + 1))
    old.fence = replace(old.fence, state=FenceState.MOVED, moved_to="a", moved_epoch=old.fence.epoch + 1)
    rows = await world.scatter.rows(scope, Kind.ENTITY, [key], False, soon())
    assert set(rows) == {RowKey(group, key.uuid)}
    assert scope.shard_of[group] == "a"
    again = await world.scatter.candidates(await world.scope(), [QUERY], soon())
    assert _groups(again[Kind.ENTITY])[0] == sorted(GROUPS)


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
def test_a_coverage_is_a_share(share: float) -> None:
    """A policy that could never or always fail by mistake is refused."""
    with pytest.raises(ValueError, match="coverage_min"):
        PartialPolicy(share)

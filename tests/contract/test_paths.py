"""Shortest paths between two entities, and hubs, which neither paths nor expansions may stumble over."""

import random
import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import pytest

from drivers.filters import RowFilter
from drivers.graph_model import Fact, Kind
from drivers.search_reads import ExpandQuery, GraphPath, PathQuery, PathsRead
from tests.contract.conftest import OpenTenant
from tests.contract.rows import entity, fact, new_uuid, uuids
from tests.contract.tenant import Tenant, soon


async def _paths(tenant: Tenant, one: str, other: str, **more: int | RowFilter) -> PathsRead:
    query = PathQuery(one, other, **more)  # pyright: ignore[reportArgumentType]
    return await tenant.driver.paths(tenant.ref, query, soon())


def _facts(paths: Sequence[GraphPath]) -> list[tuple[str, ...]]:
    return [tuple(step.uuid for step in path.facts) for path in paths]


def _brute_force(facts: Sequence[Fact], source: str, target: str, hops_max: int) -> list[tuple[str, ...]]:
    """All shortest walks by trying every one, in the order of their facts."""
    steps: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for one in facts:
        for here, there in {(one.source_uuid, one.target_uuid), (one.target_uuid, one.source_uuid)}:
            steps[here].append((one.uuid, there))
    walks: list[tuple[tuple[str, ...], str]] = [((), source)]
    for _ in range(hops_max):
        walks = [((*walk, at), there) for walk, end in walks for at, there in steps[end]]
        found = sorted(walk for walk, end in walks if end == target)
        if found:
            return found
    return []


@pytest.mark.parametrize("seed", range(3))
async def test_the_shortest_paths_are_all_there(tenant: Tenant, seed: int) -> None:
    """On random graphs with double facts and loops: the paths, their order and their entities are those that
    trying everything finds, at any bound of hops and paths, with a filter and without."""
    rng = random.Random(seed)
    ids = uuids(9)
    await tenant.write(*(entity("n", at=at) for at in ids))
    facts = [
        fact(rng.choice(ids), rng.choice(ids), at=at, name=rng.choice(("KNOWS", "LIKES")))
        for at in uuids(11 + seed)
    ]
    await tenant.write(*facts)
    fence = await tenant.fence()
    for target in ids[1:]:
        for hops_max in (1, 2, 5):
            read = await _paths(tenant, ids[0], target, hops_max=hops_max, paths_max=100)
            expected = _brute_force(facts, ids[0], target, hops_max)
            assert _facts(read.paths) == expected[:100]
            assert read.complete
            assert read.fence == fence
            for path in read.paths:
                assert (path.entities[0], path.entities[-1]) == (ids[0], target)
                for step, here, there in zip(path.facts, path.entities, path.entities[1:], strict=False):
                    assert {step.source_uuid, step.target_uuid} == {here, there}
        few = await _paths(tenant, ids[0], target, paths_max=1)
        assert _facts(few.paths) == _brute_force(facts, ids[0], target, 5)[:1]
        liked = await _paths(tenant, ids[0], target, filter=RowFilter(names=("LIKES",)), paths_max=100)
        assert _facts(liked.paths) == _brute_force(
            [one for one in facts if one.name == "LIKES"], ids[0], target, 5
        )


async def test_a_chain_is_followed_to_the_fifth_hop(tenant: Tenant) -> None:
    """Five hops are found from both ends, six are not; an entity is its own path; unknown ones have none."""
    ids = uuids(7)
    await tenant.write(*(entity("n", at=at) for at in ids))
    claims = [fact(*ends) for ends in pairwise(ids)]
    await tenant.write(*claims)
    read = await _paths(tenant, ids[0], ids[5])
    assert _facts(read.paths) == [tuple(claim.uuid for claim in claims[:5])]
    assert read.paths[0].entities == tuple(ids[:6])
    assert (await _paths(tenant, ids[0], ids[6])).paths == ()
    assert (await _paths(tenant, ids[0], ids[0])).paths == (GraphPath((ids[0],), ()),)
    assert (await _paths(tenant, ids[0], new_uuid())).paths == ()


async def test_groups_do_not_lead_into_each_other(open_tenant: OpenTenant) -> None:
    """The same uuids in another group make no path."""
    base = new_uuid()
    one, other = await open_tenant(f"{base}-a"), await open_tenant(f"{base}-A")
    a, b, c = uuids(3)
    for tenant in (one, other):
        await tenant.write(*(entity("n", at=at) for at in (a, b, c)))
    await one.write(fact(a, b))
    await other.write(fact(b, c))
    assert (await _paths(one, a, c)).paths == ()
    assert len((await _paths(one, a, b)).paths) == 1


async def test_a_search_that_looks_at_too_much_says_so(tenant: Tenant) -> None:
    """Past edges_max the paths that were found come, and `complete` tells that there may be others."""
    a, hub, b = uuids(3)
    await tenant.write(*(entity("n", at=at) for at in (a, hub, b)))
    await tenant.write(fact(a, hub), *(fact(hub, b) for _ in range(20)))
    whole = await _paths(tenant, a, b, paths_max=100)
    assert (len(whole.paths), whole.complete) == (20, True)
    cut = await _paths(tenant, a, b, paths_max=100, edges_max=8)
    assert not cut.complete
    assert set(cut.paths) <= set(whole.paths)


HUB_FACTS = 10_000
BATCH = 350


async def _hub(tenant: Tenant, facts: int) -> tuple[str, list[str]]:
    hub, spokes = new_uuid(), uuids(100)
    await tenant.write(entity("hub", at=hub), *(entity("n", at=at) for at in spokes))
    for start in range(0, facts, BATCH):
        await tenant.write(
            *(fact(hub, spokes[n % len(spokes)]) for n in range(start, min(start + BATCH, facts)))
        )
    return hub, spokes


async def test_a_hub_costs_its_own_edges_once(open_tenant: OpenTenant) -> None:
    """A hub with 10,000 facts: what comes back is bounded per hop, and the work of a hop, of two hops and of
    a path through it grows as its number of facts and not faster: tenfold facts, at most fortyfold time."""
    small, large = await open_tenant(), await open_tenant()
    spent: dict[int, list[float]] = {}
    for tenant, facts in ((small, HUB_FACTS // 10), (large, HUB_FACTS)):
        hub, spokes = await _hub(tenant, facts)
        best: list[float] = []
        for _ in range(5):
            took: list[float] = []
            began = time.perf_counter()
            query = ExpandQuery(tenant.ref.group_id, "", (hub,), Kind.FACT, 50)
            first = await tenant.driver.expand([query], soon())
            took.append(time.perf_counter() - began)
            assert len(first.edges[tenant.ref.group_id]) == 50
            assert first.cut == {tenant.ref.group_id}
            began = time.perf_counter()
            frontier = tuple({edge.target_uuid for edge in first.edges[tenant.ref.group_id]} | {hub})
            again = ExpandQuery(tenant.ref.group_id, "", frontier, Kind.FACT, 50)
            second = await tenant.driver.expand([again], soon())
            took.append(time.perf_counter() - began)
            assert len(second.edges[tenant.ref.group_id]) <= 50 * len(frontier)
            began = time.perf_counter()
            read = await _paths(tenant, spokes[0], spokes[1], paths_max=5)
            took.append(time.perf_counter() - began)
            assert len(read.paths) == 5
            assert all(len(path.facts) == 2 for path in read.paths)
            best = [min(pair) for pair in zip(best, took, strict=True)] if best else took
        spent[facts] = best
    for few, many in zip(spent[HUB_FACTS // 10], spent[HUB_FACTS], strict=True):
        assert many <= 40 * few, spent

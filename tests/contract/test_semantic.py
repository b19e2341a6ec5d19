"""Semantic search is exact: the same list that numpy computes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from drivers.fence import GroupRef
from drivers.graph_model import TEXT_KINDS, AnyRow, Community, Kind, Vector
from drivers.row_key import RowKey
from drivers.search_reads import NearestQuery, NearestRead, SemanticQuery, SemanticRead
from tests.contract.conftest import OpenTenant
from tests.contract.rows import entity, episode, fact, new_uuid, random_vector, uuids, vector
from tests.contract.tenant import Tenant, soon

DIMENSION = 24
TEXT_KINDS_SORTED = sorted(TEXT_KINDS)


def _row(kind: Kind, at: str, hub: str, embedding: Vector | None) -> AnyRow:
    match kind:
        case Kind.FACT:
            return fact(hub, hub, "f", at=at, embedding=embedding)
        case Kind.EPISODE:
            return episode("p", at=at, embedding=embedding)
        case Kind.COMMUNITY:
            return Community(uuid=at, name="c", embedding=embedding)
        case _:
            return entity("e", at=at, embedding=embedding)


async def _search(
    tenant: Tenant,
    kind: Kind,
    query: Vector,
    limit: int,
    refs: Sequence[GroupRef] = (),
    score_min: float = -1.0,
) -> SemanticRead:
    return await tenant.driver.semantic(
        refs or [tenant.ref], SemanticQuery(kind, query, limit, score_min), soon()
    )


def _ranked(stored: dict[RowKey, Vector], query: Vector) -> list[tuple[RowKey, float]]:
    """What numpy says: float64 cosine, ties by group and uuid."""
    target = query.astype(np.float64)
    scores = {key: float(v.astype(np.float64) @ target) for key, v in stored.items()}
    return sorted(scores.items(), key=lambda item: (-round(item[1], 9), item[0]))


def _equal(read: SemanticRead, expected: Sequence[tuple[RowKey, float]]) -> None:
    assert [hit.key for hit in read.hits] == [key for key, _ in expected]
    assert [hit.score for hit in read.hits] == pytest.approx([score for _, score in expected], abs=1e-6)


@pytest.mark.parametrize("kind", TEXT_KINDS_SORTED)
async def test_the_ranking_is_that_of_numpy(open_tenant: OpenTenant, kind: Kind) -> None:
    """Over several groups together, the best rows in exact order with scores within 1e-6, at any limit."""
    rng = np.random.default_rng(7)
    base = new_uuid()
    tenants = [await open_tenant(f"{base}-{n}") for n in range(4)]
    stored: dict[RowKey, Vector] = {}
    for tenant in tenants:
        hub = new_uuid()
        made = {at: random_vector(rng, DIMENSION) for at in uuids(25)}
        await tenant.write(entity("hub", at=hub), *(_row(kind, at, hub, v) for at, v in made.items()))
        stored |= {RowKey(tenant.ref.group_id, at): v for at, v in made.items()}
    refs = [tenant.ref for tenant in tenants]
    for query in [random_vector(rng, DIMENSION) for _ in range(3)]:
        expected = _ranked(stored, query)
        for limit in (1, 10, 100, 1_000):
            _equal(await _search(tenants[0], kind, query, limit, refs), expected[:limit])
    read = await _search(tenants[0], kind, random_vector(rng, DIMENSION), 5, refs)
    assert read.fences == {tenant.ref.group_id: await tenant.fence() for tenant in tenants}


async def test_ties_are_ordered_by_group_and_uuid(open_tenant: OpenTenant) -> None:
    """Equal vectors give equal scores; their order, and the cut at the limit, is by group_id, then uuid."""
    base = new_uuid()
    tenants = [await open_tenant(f"{base}-{end}") for end in ("b", "B", "a")]
    same = random_vector(np.random.default_rng(1), DIMENSION)
    keys: list[RowKey] = []
    for tenant in tenants:
        ids = uuids(7)
        await tenant.write(*(entity("n", at=at, embedding=same) for at in reversed(ids)))
        keys += [RowKey(tenant.ref.group_id, at) for at in ids]
    refs = [tenant.ref for tenant in tenants]
    query = random_vector(np.random.default_rng(2), DIMENSION)
    for limit in (1, 5, 10, 21, 50):
        read = await _search(tenants[0], Kind.ENTITY, query, limit, refs)
        assert [hit.key for hit in read.hits] == sorted(keys)[:limit]
    assert len({hit.score for hit in read.hits}) == 1


async def test_scores_reach_from_one_to_minus_one(tenant: Tenant) -> None:
    """The score is the cosine: 1 for the same direction, 0 for a right angle, -1 for the opposite."""
    query = vector([3, 4])
    same, right, opposite = uuids(3)
    await tenant.write(
        entity("s", at=same, embedding=query),
        entity("r", at=right, embedding=vector([-4, 3])),
        entity("o", at=opposite, embedding=vector([-3, -4])),
    )
    read = await _search(tenant, Kind.ENTITY, query, 10)
    _equal(
        read,
        [(RowKey(tenant.ref.group_id, at), s) for at, s in ((same, 1.0), (right, 0.0), (opposite, -1.0))],
    )
    assert all(-1.0 <= hit.score <= 1.0 for hit in read.hits)


async def test_a_least_score_cuts_the_list(tenant: Tenant) -> None:
    """score_min leaves out what is below it and nothing else."""
    rng = np.random.default_rng(3)
    stored = {RowKey(tenant.ref.group_id, at): random_vector(rng, DIMENSION) for at in uuids(40)}
    await tenant.write(*(entity("n", at=key.uuid, embedding=v) for key, v in stored.items()))
    query = random_vector(rng, DIMENSION)
    expected = _ranked(stored, query)
    between = (expected[9][1] + expected[10][1]) / 2
    _equal(await _search(tenant, Kind.ENTITY, query, 100, score_min=between), expected[:10])
    assert (await _search(tenant, Kind.ENTITY, query, 100, score_min=1.0)).hits == ()


async def test_rows_without_a_vector_or_of_another_dimension_are_left_out(open_tenant: OpenTenant) -> None:
    """One search over groups of different dimensions, with rows that have no vector, finds those that fit and
    fails on none."""
    base = new_uuid()
    dimensions = [DIMENSION, 3, DIMENSION, 1]
    tenants = [await open_tenant(f"{base}-{n}") for n in range(len(dimensions))]
    rng = np.random.default_rng(4)
    stored: dict[RowKey, Vector] = {}
    for tenant, dimension in zip(tenants, dimensions, strict=True):
        made = {at: random_vector(rng, dimension) for at in uuids(6)}
        await tenant.write(*(entity("n", at=at, embedding=v) for at, v in made.items()), entity("bare"))
        stored |= {RowKey(tenant.ref.group_id, at): v for at, v in made.items()}
    refs = [tenant.ref for tenant in tenants]
    for dimension in (DIMENSION, 3, 1, 2):
        query = random_vector(rng, dimension)
        fitting = {key: v for key, v in stored.items() if len(v) == dimension}
        _equal(await _search(tenants[0], Kind.ENTITY, query, 100, refs), _ranked(fitting, query))


async def test_a_search_sees_the_last_write(tenant: Tenant) -> None:
    """A vector that was set, changed, removed or deleted is found so by the next search."""
    query = vector([1, 0])
    one, two = entity("1", embedding=vector([1, 1])), entity("2", embedding=vector([0, 1]))

    async def found() -> list[str]:
        return [hit.key.uuid for hit in (await _search(tenant, Kind.ENTITY, query, 10)).hits]

    await tenant.write(one, two)
    assert await found() == [one.uuid, two.uuid]
    await tenant.write(replace(two, embedding=vector([1, 0])))
    assert await found() == [two.uuid, one.uuid]
    await tenant.write(replace(two, embedding=None, name="other text"))
    assert await found() == [one.uuid]
    await tenant.write(deletions=[(Kind.ENTITY, one.uuid)])
    assert await found() == []


async def test_unknown_groups_are_left_out(tenant: Tenant) -> None:
    """A search that names groups that do not exist answers for the others."""
    await tenant.write(entity("n", embedding=vector([1, 0])))
    refs = [GroupRef(f"{tenant.ref.group_id}-x"), tenant.ref, GroupRef(f"{tenant.ref.group_id}-y", "own")]
    read = await _search(tenant, Kind.ENTITY, vector([1, 0]), 10, refs)
    assert len(read.hits) == 1
    assert set(read.fences) == {tenant.ref.group_id}
    nowhere = await _search(tenant, Kind.ENTITY, vector([1, 0]), 10, refs[:1])
    assert (nowhere.hits, dict(nowhere.fences)) == ((), {})


async def test_groups_of_different_spaces_are_one_ranking(open_tenant: OpenTenant) -> None:
    """The best of pooled and dedicated spaces together, not the best of each."""
    base = new_uuid()
    tenants = [await open_tenant(f"{base}-{n}", space="" if n < 2 else f"own-{n}") for n in range(4)]
    rng = np.random.default_rng(5)
    stored: dict[RowKey, Vector] = {}
    for tenant in tenants:
        made = {at: random_vector(rng, DIMENSION) for at in uuids(10)}
        await tenant.write(*(entity("n", at=at, embedding=v) for at, v in made.items()))
        stored |= {RowKey(tenant.ref.group_id, at): v for at, v in made.items()}
    query = random_vector(rng, DIMENSION)
    read = await _search(tenants[0], Kind.ENTITY, query, 12, [tenant.ref for tenant in tenants])
    _equal(read, _ranked(stored, query)[:12])
    assert len(read.fences) == 4


@pytest.mark.parametrize("kind", TEXT_KINDS_SORTED)
async def test_many_vectors_at_once_find_what_each_finds_alone(open_tenant: OpenTenant, kind: Kind) -> None:
    """In the order of the vectors, cut at the limit and the least score; rows without a vector or of another
    group stay out, and vectors of another size than the group's find nothing."""
    rng = np.random.default_rng(11)
    base = new_uuid()
    tenant, other = [await open_tenant(f"{base}-{n}") for n in range(2)]
    for each in (tenant, other):
        hub = new_uuid()
        made = [_row(kind, at, hub, random_vector(rng, DIMENSION)) for at in uuids(30)]
        await each.write(entity("hub", at=hub), *made, _row(kind, new_uuid(), hub, None))
    vectors = tuple(random_vector(rng, DIMENSION) for _ in range(9))
    for limit, score_min in ((1, -1.0), (4, -1.0), (100, 0.1), (100, 0.999)):
        query = NearestQuery(kind, vectors, limit, score_min)
        read = await tenant.driver.nearest(tenant.ref, query, soon())
        alone = [(await tenant.driver.semantic([tenant.ref], one, soon())).hits for one in query.of_each()]
        assert [[hit.key for hit in hits] for hits in read.hits] == [
            [hit.key for hit in hits] for hits in alone
        ]
        scores = [hit.score for hits in read.hits for hit in hits]
        assert scores == pytest.approx([hit.score for hits in alone for hit in hits], abs=1e-6)
        assert read.fence == await tenant.fence()
    longer = NearestQuery(kind, (random_vector(rng, DIMENSION + 1),), 5, -1.0)
    assert (await tenant.driver.nearest(tenant.ref, longer, soon())).hits == ((),)
    nowhere = GroupRef(f"{base}-none")
    read = await tenant.driver.nearest(nowhere, NearestQuery(kind, vectors, 5, -1.0), soon())
    assert read == NearestRead(((),) * len(vectors), None)

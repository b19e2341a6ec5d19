"""Vectors are stored as float32 and change only when a write says so."""

from dataclasses import replace

import numpy as np
import pytest

from drivers.fence import EmbeddingSpec
from drivers.graph_model import TEXT_KINDS, AnyRow, Kind, Vector
from drivers.row_codec import kind_of
from drivers.search_reads import SemanticQuery
from drivers.write_plan import VectorChange, WriteStatus
from tests.contract.rows import entity, fact, one_of_each, random_vector, vector
from tests.contract.tenant import MODEL, Tenant, soon

TEXT_KINDS_SORTED = sorted(TEXT_KINDS)


def _bits(given: Vector | None) -> bytes:
    assert given is not None
    assert given.dtype == np.float32
    return given.tobytes()


@pytest.mark.parametrize("dimension", [1, 2, 3, 384, 1536, 4096])
async def test_vectors_come_back_bit_for_bit(tenant: Tenant, dimension: int) -> None:
    """Every float32 of every kind's vector is exactly the one written, by get, list and changes."""
    rng = np.random.default_rng(dimension)
    rows = [
        replace(row, embedding=random_vector(rng, dimension))  # pyright: ignore[reportCallIssue]
        for kind, row in one_of_each().items()
        if kind in TEXT_KINDS
    ]
    await tenant.write(*rows)
    fed = {row.uuid: row for row in (await tenant.changes()).rows}
    for row in rows:
        given: Vector | None = row.embedding  # pyright: ignore[reportAttributeAccessIssue]
        (listed,) = await tenant.listed(kind_of(row), with_vectors=True)
        for found in (await tenant.one(kind_of(row), row.uuid), listed, fed[row.uuid]):
            assert _bits(found.embedding) == _bits(given)  # pyright: ignore[reportAttributeAccessIssue]


async def test_extreme_floats_are_exact(tenant: Tenant) -> None:
    """The neighbours of 1, the smallest normal and subnormal numbers and every power of two survive."""
    one = np.float32(1)
    values = np.array(
        [
            0.0,
            np.finfo(np.float32).tiny,
            np.finfo(np.float32).smallest_subnormal,
            -np.finfo(np.float32).smallest_subnormal,
            np.nextafter(one, np.float32(0)),
            np.float32(1) / np.float32(3),
            np.float32(0.1),
            -np.float32(0.1),
            *(2.0**-n for n in range(1, 149)),
        ],
        dtype=np.float32,
    )
    who = entity("a", embedding=values)
    claim = fact(who.uuid, who.uuid, embedding=values)
    await tenant.write(who, claim)
    assert _bits(await tenant.vector(Kind.ENTITY, who.uuid)) == values.tobytes()
    assert _bits(await tenant.vector(Kind.FACT, claim.uuid)) == values.tobytes()


async def test_negative_zero_keeps_its_sign(tenant: Tenant) -> None:
    """A digest over float bits must agree after a move between engines."""
    values = np.array([-0.0, 1.0, 0.0], dtype=np.float32)
    who = entity("a", embedding=values)
    await tenant.write(who)
    assert _bits(await tenant.vector(Kind.ENTITY, who.uuid)) == values.tobytes()


@pytest.mark.parametrize("kind", TEXT_KINDS_SORTED)
async def test_keep_set_and_remove(tenant: Tenant, kind: Kind) -> None:
    """SET replaces the vector, KEEP leaves it, REMOVE takes it away, each on every text kind."""
    first, second = vector([1, 2, 3]), vector([3, 2, 1])
    rows = one_of_each()
    await tenant.write(*rows.values())
    row = rows[kind]
    bare = await tenant.plan(tenant.intent(row))
    specs = {kind: EmbeddingSpec(MODEL.name, 3, MODEL.revision)}

    async def change(how: VectorChange, embedding: Vector | None, seen: bool) -> Vector | None:
        plan = await tenant.plan(tenant.intent(row))
        put = replace(plan.puts[0], vector=how, row=_with(plan.puts[0].row, embedding))
        plan = replace(plan, puts=(put,), embeddings=specs, embeddings_seen=specs if seen else {})
        assert (await tenant.apply(plan)).status is WriteStatus.APPLIED
        return await tenant.vector(kind, row.uuid)

    assert bare.puts[0].vector is VectorChange.KEEP
    assert await change(VectorChange.KEEP, None, False) is None
    assert _bits(await change(VectorChange.SET, first, True)) == first.tobytes()
    assert _bits(await change(VectorChange.KEEP, None, True)) == first.tobytes()
    assert _bits(await change(VectorChange.SET, second, True)) == second.tobytes()
    assert await change(VectorChange.REMOVE, None, True) is None
    assert await change(VectorChange.REMOVE, None, True) is None
    assert await change(VectorChange.KEEP, None, True) is None
    assert (await tenant.fence()).embeddings == specs


async def test_a_vector_goes_with_its_row(tenant: Tenant) -> None:
    """A row that is deleted and written again without a vector has none."""
    who = entity("a", embedding=vector([1, 2]))
    claim = fact(who.uuid, who.uuid, "f", embedding=vector([2, 1]))
    await tenant.write(who, claim)
    await tenant.write(deletions=[(Kind.ENTITY, who.uuid)])
    await tenant.write(replace(who, embedding=None), replace(claim, embedding=None))
    assert await tenant.vector(Kind.ENTITY, who.uuid) is None
    assert await tenant.vector(Kind.FACT, claim.uuid) is None


async def test_nothing_is_kept_of_a_row_that_was_deleted(tenant: Tenant) -> None:
    """KEEP of a row that is new keeps nothing, though a row with the same uuid had a vector before."""
    who = entity("a", embedding=vector([1, 2]))
    await tenant.write(who)
    await tenant.write(deletions=[(Kind.ENTITY, who.uuid)])
    plan = await tenant.plan(tenant.intent(replace(who, embedding=None)))
    put = replace(plan.puts[0], vector=VectorChange.KEEP)
    assert (await tenant.apply(replace(plan, puts=(put,)))).status is WriteStatus.APPLIED
    assert await tenant.vector(Kind.ENTITY, who.uuid) is None


@pytest.mark.parametrize("kind", TEXT_KINDS_SORTED)
async def test_a_group_may_have_a_slot_of_its_own(tenant: Tenant, kind: Kind) -> None:
    """The fence names the property that holds the vectors: every read and search goes there, and from the
    write on that changes it the ones in the former slot are not seen."""
    rows = one_of_each(embedding=vector([1, 2, 3]))
    await tenant.write(*rows.values())
    row = rows[kind]
    seen = (await tenant.fence()).embeddings
    specs = {**seen, kind: replace(seen[kind], dimension=2, slot="vector_7")}
    first, query = vector([3, 4]), SemanticQuery(kind, vector([3, 4]), 10)

    async def found() -> list[str]:
        hits = (await tenant.driver.semantic([tenant.ref], query, soon())).hits
        return [hit.key.uuid for hit in hits]

    async def write(how: VectorChange, embedding: Vector | None) -> Vector | None:
        plan = await tenant.plan(tenant.intent(_with(row, None)))
        put = replace(plan.puts[0], vector=how, row=_with(plan.puts[0].row, embedding))
        assert (
            await tenant.apply(replace(plan, puts=(put,), embeddings=specs))
        ).status is WriteStatus.APPLIED
        return await tenant.vector(kind, row.uuid)

    assert await write(VectorChange.KEEP, None) is None
    assert await found() == []
    assert _bits(await write(VectorChange.SET, first)) == first.tobytes()
    assert await found() == [row.uuid]
    (fed,) = [changed for changed in (await tenant.changes()).rows if changed.uuid == row.uuid]
    (listed,) = await tenant.listed(kind, with_vectors=True)
    assert _bits(fed.embedding) == _bits(listed.embedding) == first.tobytes()  # pyright: ignore
    other = next(kind_ for kind_ in TEXT_KINDS if kind_ is not kind)
    assert _bits(await tenant.vector(other, rows[other].uuid)) == vector([1, 2, 3]).tobytes()
    assert await write(VectorChange.REMOVE, None) is None
    assert await found() == []


async def test_one_write_sets_keeps_and_removes(tenant: Tenant) -> None:
    """The three changes do not disturb each other within one write, with rows of the same kind."""
    rows = [entity(f"{n}", embedding=vector([n + 1, 1])) for n in range(6)]
    await tenant.write(*rows)
    changed: list[AnyRow] = [
        replace(rows[0], embedding=vector([9, 1])),
        replace(rows[1], embedding=None, labels=("kept",)),
        replace(rows[2], embedding=None, name="text changed, so the vector goes"),
        entity("new, with", embedding=vector([7, 7])),
        entity("new, without"),
    ]
    await tenant.write(*changed)
    expected = [vector([9, 1]), vector([2, 1]), None, vector([7, 7]), None]
    for row, given in zip(changed, expected, strict=True):
        found = await tenant.vector(Kind.ENTITY, row.uuid)
        assert (found is None) is (given is None)
        if given is not None:
            assert _bits(found) == given.tobytes()
    assert _bits(await tenant.vector(Kind.ENTITY, rows[5].uuid)) == vector([6, 1]).tobytes()


async def test_vectors_are_returned_only_when_asked_for(tenant: Tenant) -> None:
    """Rows come without vectors by default, in images always."""
    who = entity("a", embedding=vector([1, 2]))
    await tenant.write(who)
    for row in (
        (await tenant.get(Kind.ENTITY, who.uuid)).rows[0],
        (await tenant.page(Kind.ENTITY)).rows[0],
        (await tenant.images(tenant.intent(who))).rows[Kind.ENTITY, who.uuid],
    ):
        assert row.embedding is None  # pyright: ignore[reportAttributeAccessIssue]


async def test_the_fence_names_the_model_of_each_kind(tenant: Tenant) -> None:
    """The first vector of a kind fixes model, dimension and revision, per kind."""
    who = entity("a", embedding=vector([1, 2]))
    await tenant.write(who)
    await tenant.write(fact(who.uuid, who.uuid, embedding=vector([1, 2, 3])), entity("b"))
    assert (await tenant.fence()).embeddings == {
        Kind.ENTITY: EmbeddingSpec(MODEL.name, 2, MODEL.revision),
        Kind.FACT: EmbeddingSpec(MODEL.name, 3, MODEL.revision),
    }


def _with(row: AnyRow, embedding: Vector | None) -> AnyRow:
    return replace(row, embedding=embedding)  # pyright: ignore[reportCallIssue]

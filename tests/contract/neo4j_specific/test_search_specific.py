"""What only this engine could get wrong in a search."""

from dataclasses import replace

import numpy as np
import pytest

from drivers.errors import RowLimitExceeded, SchemaNotReady, VectorDimensionMismatch
from drivers.graph_model import Kind, Vector
from drivers.neo4j import Neo4jDriver
from drivers.neo4j.schema_rules import RULES
from drivers.reads import ROWS_PER_READ_MAX
from drivers.search_reads import KeywordQuery, NearestQuery, SemanticQuery
from tests.contract.neo4j_specific.conftest import OpenGroup
from tests.contract.rows import entity, vector
from tests.contract.tenant import Tenant, soon


async def _in_slot(group: Tenant, slot: str, *embeddings: Vector) -> list[str]:
    """Writes rows whose vectors are in a property of their own."""
    rows = [entity(f"{n}", embedding=embedding) for n, embedding in enumerate(embeddings)]
    plan = await group.plan(group.intent(*rows))
    specs = {kind: replace(spec, slot=slot) for kind, spec in plan.embeddings.items()}
    await group.apply(replace(plan, embeddings=specs))
    return [row.uuid for row in rows]


async def test_groups_with_vectors_in_different_slots_rank_together(open_group: OpenGroup) -> None:
    """The fence says where a group's vectors are; rows of one slot do not crowd out those of another."""
    usual, own = await open_group(), await open_group()
    rows = [entity(f"{n}", embedding=vector([1, n / 100])) for n in range(5)]
    await usual.write(*rows)
    in_own = await _in_slot(own, "vector_own", vector([1, 0.005]), vector([1, 0.035]))
    read = await usual.driver.semantic(
        [usual.ref, own.ref], SemanticQuery(Kind.ENTITY, vector([1, 0]), 4), soon()
    )
    assert [hit.key.uuid for hit in read.hits] == [rows[0].uuid, in_own[0], rows[1].uuid, rows[2].uuid]
    assert set(read.fences) == {usual.ref.group_id, own.ref.group_id}
    assert await own.vector(Kind.ENTITY, in_own[1]) == pytest.approx(vector([1, 0.035]))
    near = await own.driver.nearest(own.ref, NearestQuery(Kind.ENTITY, (vector([1, 0]),), 4, -1.0), soon())
    assert [hit.key.uuid for hit in near.hits[0]] == in_own


@pytest.mark.parametrize(
    "bad", [np.zeros(2, np.float32), np.array([np.nan, 1], np.float32), np.array([np.inf, 1], np.float32)]
)
async def test_a_vector_that_would_poison_its_group_is_refused(open_group: OpenGroup, bad: Vector) -> None:
    """The engine stores a vector without a direction, and then fails every scan of the group."""
    group = await open_group()
    plan = await group.plan(group.intent(entity("n", embedding=vector([1, 2]))))
    (put,) = plan.puts
    poisoned = replace(plan, puts=(replace(put, row=replace(put.row, embedding=bad)),))
    with pytest.raises(VectorDimensionMismatch):
        await group.apply(poisoned)
    assert await group.listed(Kind.ENTITY) == []


async def test_a_vector_of_another_dimension_than_the_groups_is_refused(open_group: OpenGroup) -> None:
    """All vectors of a kind in a group are comparable."""
    group = await open_group()
    plan = await group.plan(group.intent(entity("n", embedding=vector([1, 2]))))
    (put,) = plan.puts
    longer = replace(plan, puts=(replace(put, row=replace(put.row, embedding=vector([1, 2, 3]))),))
    with pytest.raises(VectorDimensionMismatch):
        await group.apply(longer)


@pytest.mark.parametrize("word", ["AND", "OR", "NOT", "TO", "and", "or", "not", "to"])
async def test_lucenes_words_are_words(open_group: OpenGroup, word: str) -> None:
    """Operators of the query language are tokens like others."""
    group = await open_group()
    row, other = entity(word), entity("other")
    plan = await group.plan(group.intent(row, other))
    puts = tuple(
        replace(put, row=replace(put.row, terms=word, term_count=1)) if put.row.uuid == row.uuid else put
        for put in plan.puts
    )
    await group.apply(replace(plan, puts=puts))
    for terms in ((word,), (word, "nothing"), ("nothing", word)):
        read = await group.driver.keyword([group.ref], KeywordQuery(Kind.ENTITY, terms, 10), soon())
        assert [hit.key.uuid for hit in read.hits] == [row.uuid]
        assert read.document_frequency[word] == 1


async def test_a_search_without_its_index_says_so(neo4j: Neo4jDriver, open_group: OpenGroup) -> None:
    """A missing fulltext index is SCHEMA_NOT_READY, which is worth a retry, not a bug."""
    group = await open_group()
    (rule,) = [rule for rule in RULES if rule.name == "fulltext:COMMUNITY(terms,group_key)"]
    await neo4j._client.define(f"DROP INDEX {rule.engine_name}", soon())
    try:
        with pytest.raises(SchemaNotReady):
            await neo4j.keyword([group.ref], KeywordQuery(Kind.COMMUNITY, ("x",), 10), soon())
    finally:
        await neo4j.ensure_schema(soon())
    assert (await neo4j.keyword([group.ref], KeywordQuery(Kind.COMMUNITY, ("x",), 10), soon())).hits == ()


async def test_a_read_of_too_many_rows_is_refused(open_group: OpenGroup) -> None:
    """One read has a bound, however it is asked."""
    group = await open_group()
    with pytest.raises(RowLimitExceeded):
        await group.get(Kind.ENTITY, *(f"{n}" for n in range(ROWS_PER_READ_MAX + 2)))
    with pytest.raises(RowLimitExceeded):
        await group.page(Kind.ENTITY, ROWS_PER_READ_MAX + 2)

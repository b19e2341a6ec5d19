"""Where the engine answers wrongly if asked naively: the driver's answers stay right."""

import asyncio
import secrets
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from drivers.errors import SchemaNotReady
from drivers.falkordb import FalkorDBDriver
from drivers.falkordb.client import GraphClient
from drivers.falkordb.graphs import OWN_PREFIX
from drivers.fence import EmbeddingSpec
from drivers.filters import RowFilter
from drivers.graph_model import OPEN_END, OPEN_START, Entity, Fact, Kind
from drivers.reads import Anchor
from drivers.row_codec import kind_of
from drivers.search_reads import ExpandQuery, KeywordQuery, NearestQuery, SemanticQuery, TermClause
from drivers.write_plan import ImageRequest, RowPut, VectorChange, WritePlan, WriteStatus
from tests.contract.falkordb_specific.conftest import OpenGroup
from tests.contract.rows import entity, episode, fact, mention, new_uuid, vector
from tests.contract.tenant import Tenant, soon
from tests.eventually import eventually


async def test_fences_are_listed_after_a_name_of_any_case(
    open_group: OpenGroup, falkordb: FalkorDBDriver
) -> None:
    """A string range that an index answers ignores case; the list of fences goes by code points."""
    tag = secrets.token_hex(6)
    names = sorted(f"{tag}{tail}" for tail in ("A", "a", "B", "b", "Bob", "bob", "b-1", "b.1", "b:1", "b_1"))
    for name in names:
        await open_group(name)
    for at, name in enumerate(names):
        found = await falkordb.list_fences(name, len(names) - at - 1, soon())
        assert [fence.group_id for fence in found] == names[at + 1 :]


async def test_names_that_differ_in_case_are_different_groups(open_group: OpenGroup) -> None:
    """Equality over the index is exact: neither rows nor fences of one are another's."""
    tag = secrets.token_hex(6)
    lower, upper = await open_group(f"{tag}abc"), await open_group(f"{tag}ABC")
    row = entity("mine")
    await lower.write(row)
    assert (await upper.get(Kind.ENTITY, row.uuid)).rows == ()
    assert (await upper.fence()).version == 0


async def test_edges_are_found_from_their_target(group: Tenant) -> None:
    """Expansion, anchored lists and cascades follow edges against their direction too, where an index on the
    edge would find only one direction."""
    a, b, what = entity("a"), entity("b"), episode("x")
    claim, link = fact(a.uuid, b.uuid, "knows"), mention(what.uuid, b.uuid)
    await group.write(a, b, what, claim, link)
    for along, edge in ((Kind.FACT, claim), (Kind.MENTION, link)):
        query = ExpandQuery(group.ref.group_id, group.ref.space, (b.uuid,), along, 10)
        read = await group.driver.expand([query], soon())
        assert [found.uuid for found in read.edges[group.ref.group_id]] == [edge.uuid]
        listed = await group.listed(along, anchor=Anchor(Kind.ENTITY, b.uuid))
        assert [row.uuid for row in listed] == [edge.uuid]
    request = ImageRequest("op", {Kind.ENTITY: [b.uuid]}, {}, {Kind.ENTITY: [b.uuid]})
    images = await group.driver.read_images(group.ref, request, soon())
    assert {edge.uuid for edge in images.incident} == {claim.uuid, link.uuid}


@pytest.mark.parametrize("tail", [" ", "\t", "\n", "", "x" * 5_000])
async def test_operation_ids_that_an_index_confuses_are_different(group: Tenant, tail: str) -> None:
    """An indexed string is found without its outer blanks and by its first 4,096 bytes; operation ids that
    agree in these are different operations all the same."""
    base = "op" + "x" * 5_000
    for number, op_id in enumerate((f"{base}{tail}1", f"{base}{tail}", f"{base}{tail} ", f" {base}{tail}")):
        outcome = await group.write(entity("e"), op_id=op_id)
        assert outcome.fence is not None
        assert outcome.fence.version == number + 1


async def test_a_word_does_not_find_its_stem(group: Tenant) -> None:
    """The engine would ask for `run` as well where `running` is asked for."""
    # Written past the analyser, which has its own view of plurals.
    plan = await group.plan(group.intent(entity("a"), entity("b")))
    puts = [
        replace(put, row=replace(put.row, terms=term, term_count=1))
        for put, term in zip(plan.puts, ("run", "running"), strict=True)
        if isinstance(put.row, Entity)
    ]
    await group.apply(replace(plan, puts=tuple(puts)))
    for term in ("run", "running"):
        read = await group.driver.keyword([group.ref], KeywordQuery(Kind.ENTITY, (term,), 10), soon())
        assert [hit.terms for hit in read.hits] == [term]
        assert read.document_frequency == {term: 1}


async def test_no_word_is_a_stop_word(group: Tenant) -> None:
    """RediSearch's own stop words are indexed and found like any word."""
    words = (
        "a", "is", "the", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "it",
        "no", "not", "of", "on", "or", "such", "that", "their", "then", "there", "these", "they", "this",
        "to", "was", "will", "with",
    )  # fmt: skip
    plan = await group.plan(group.intent(entity("a")))
    (put,) = plan.puts
    assert isinstance(put.row, Entity)
    row = replace(put.row, terms=" ".join(words), term_count=len(words))
    await group.apply(replace(plan, puts=(replace(put, row=row),)))
    read = await group.driver.keyword([group.ref], KeywordQuery(Kind.ENTITY, words, 10), soon())
    assert read.document_frequency == dict.fromkeys(words, 1)


async def test_a_small_group_has_no_advantage_by_its_rare_key(open_group: OpenGroup) -> None:
    """The clause that names the groups has no part in the engine's score: rows rank by the words alone."""
    large, small = await open_group(), await open_group()
    while not _share_a_graph(large, small):
        small = await open_group()
    await large.write(*(entity("common needle") for _ in range(20)))
    await small.write(entity("common"))
    query = KeywordQuery(Kind.ENTITY, ("common", "needle"), 20)
    read = await large.driver.keyword([large.ref, small.ref], query, soon())
    assert {hit.key.group_id for hit in read.hits} == {large.ref.group_id}
    assert read.document_frequency == {"common": 21, "needle": 20}


def _share_a_graph(one: Tenant, other: Tenant) -> bool:
    assert isinstance(one.driver, FalkorDBDriver)
    return one.driver.graph_of(one.ref) == one.driver.graph_of(other.ref)


async def test_keyword_search_without_a_ready_index_is_an_error(
    open_group: OpenGroup, falkordb: FalkorDBDriver, client: GraphClient
) -> None:
    """While the text index is missing or being filled the engine finds fewer rows and says nothing; the
    driver finds all or says SCHEMA_NOT_READY."""
    space = f"space-{secrets.token_hex(6)}"
    own = await open_group(space=space)
    for _ in range(10):
        await own.write(*(entity(f"needle {n}") for n in range(200)))
    query = KeywordQuery(Kind.ENTITY, ("needle",), 3_000)
    answers: list[bool] = []

    async def search() -> bool:
        try:
            read = await falkordb.keyword([own.ref], query, soon())
        except SchemaNotReady:
            answers.append(False)
        else:
            assert (len(read.hits), read.document_frequency) == (2_000, {"needle": 2_000})
            answers.append(True)
        return answers[-1]

    async def refused() -> bool:
        return not await search()

    for name in ("terms", "group_key"):
        text = f"DROP FULLTEXT INDEX FOR (n:Entity) ON (n.{name})"
        await client.write(OWN_PREFIX + space, text, {}, soon(), "dropping")
    await eventually(refused)
    ensuring = asyncio.create_task(falkordb.ensure_schema(soon()))
    while not ensuring.done():
        await search()
    await ensuring
    assert await search()


async def test_one_answer_is_one_state(group: Tenant) -> None:
    """All branches of a read see the same state: no row has a higher version than the fence beside it."""
    row = entity("x")
    await group.write(row)
    done = False

    async def writes() -> None:
        nonlocal done
        for n in range(60):
            await group.write(replace(row, summary=str(n)))
        done = True

    async def reads() -> int:
        seen = 0
        while not done:
            read = await group.get(Kind.ENTITY, row.uuid)
            assert read.fence is not None
            assert read.rows[0].version == read.fence.version
            images = await group.driver.read_images(
                group.ref, ImageRequest("op", {Kind.ENTITY: [row.uuid]}, {}, {}), soon()
            )
            assert images.fence is not None
            assert images.rows[Kind.ENTITY, row.uuid].version == images.fence.version
            seen += 1
        return seen

    _, *seen = await asyncio.gather(writes(), reads(), reads())
    assert min(seen) > 0


async def _in_slot(group: Tenant, slot: str, *rows: Entity | Fact) -> None:
    """Writes rows whose vectors go into a slot of the group's own."""
    plan: WritePlan = await group.plan(group.intent(*rows))
    specs = {kind_of(row): EmbeddingSpec("m", 3, slot=slot) for row in rows}
    puts = tuple(RowPut(put.row, put.existed, VectorChange.SET) for put in plan.puts)
    outcome = await group.apply(replace(plan, puts=puts, embeddings=specs))
    assert outcome.status is WriteStatus.APPLIED


async def test_vectors_of_a_slot_are_read_and_searched(open_group: OpenGroup) -> None:
    """A group whose vectors are in a slot of its own answers like others, alone and beside one that uses the
    common slot, in every kind of read."""
    special, common = await open_group(), await open_group()
    while not _share_a_graph(special, common):
        common = await open_group()
    row, plain = entity("a", embedding=vector([1, 2, 3])), entity("b", embedding=vector([3, 2, 1]))
    claim = fact(row.uuid, row.uuid, "x", embedding=vector([0, 1, 0]))
    await _in_slot(special, "vector_large", row, claim)
    await common.write(plain)
    assert row.embedding is not None
    read = await special.driver.semantic(
        [special.ref, common.ref], SemanticQuery(Kind.ENTITY, row.embedding, 10), soon()
    )
    assert [hit.key.uuid for hit in read.hits] == [row.uuid, plain.uuid]
    assert set(read.fences) == {special.ref.group_id, common.ref.group_id}
    for tenant, given in ((special, row), (common, plain)):
        near = await tenant.driver.nearest(
            tenant.ref, NearestQuery(Kind.ENTITY, (row.embedding, row.embedding), 10, -1.0), soon()
        )
        assert [[hit.key.uuid for hit in hits] for hits in near.hits] == [[given.uuid]] * 2
    wanted = {special.ref: [row.uuid], common.ref: [plain.uuid]}
    fetched = await special.driver.fetch_rows(Kind.ENTITY, wanted, True, soon())
    for tenant, given in ((special, row), (common, plain)):
        (found,) = fetched[tenant.ref.group_id].rows
        assert isinstance(found, Entity)
        assert np.array_equal(found.embedding, given.embedding)  # type: ignore[arg-type]
    for rows in ((await special.listed(Kind.FACT, with_vectors=True)), (await special.changes()).rows):
        (found,) = (one for one in rows if isinstance(one, Fact))
        assert found.embedding is not None
        assert found.embedding.tolist() == [0.0, 1.0, 0.0]


async def test_rows_of_a_group_that_moved_away_take_no_place(
    open_group: OpenGroup, falkordb: FalkorDBDriver, client: GraphClient
) -> None:
    """What a move left behind is neither found nor counted, so that it cannot push owned rows out."""
    gone, here = await open_group(), await open_group()
    for tenant in (gone, here):
        await tenant.write(entity("needle", embedding=vector([1, 2, 3])), entity("other"))
    await client.write(
        falkordb.graph_of(gone.ref),
        "MATCH (f:_Fence {group_id: $group}) SET f.state = 'MOVED'",
        {"group": gone.ref.group_id},
        soon(),
        "moving",
    )
    refs = [gone.ref, here.ref]
    keyword = await falkordb.keyword(refs, KeywordQuery(Kind.ENTITY, ("needle",), 1), soon())
    assert [hit.key.group_id for hit in keyword.hits] == [here.ref.group_id]
    assert keyword.document_frequency == {"needle": 1}
    near = await falkordb.nearest(gone.ref, NearestQuery(Kind.ENTITY, (vector([1, 2, 3]),), 1, -1.0), soon())
    assert near.hits == ((),)
    semantic = await falkordb.semantic(refs, SemanticQuery(Kind.ENTITY, vector([1, 2, 3]), 1), soon())
    assert [hit.key.group_id for hit in semantic.hits] == [here.ref.group_id]
    assert set(semantic.fences) == set(keyword.fences) == {gone.ref.group_id, here.ref.group_id}


async def test_a_model_name_cannot_pass_for_another_dimension(group: Tenant, open_group: OpenGroup) -> None:
    """The fitting groups are told from the JSON of their specs, whatever a model is called."""
    query = SemanticQuery(Kind.ENTITY, vector([1, 2, 3]), 10)
    for name in ('m","ENTITY":["m",3,"","vector"],"x":["', 'a",3,"","vector"]', "[]{}\\", "m\n,3,"):
        tenant = await open_group()
        row = entity("a", embedding=vector([1, 2]))
        plan = await tenant.plan(tenant.intent(row, entity("b", at=new_uuid())))
        await tenant.apply(replace(plan, embeddings={Kind.ENTITY: EmbeddingSpec(name, 2)}))
        read = await tenant.driver.semantic([tenant.ref], query, soon())
        assert read.hits == ()
        flat = SemanticQuery(Kind.ENTITY, vector([1, 2]), 10)
        read = await tenant.driver.semantic([tenant.ref], flat, soon())
        assert [hit.key.uuid for hit in read.hits] == [row.uuid]


async def test_times_far_apart_are_compared_rightly(group: Tenant) -> None:
    """The engine tells the order of two integers by their difference, which overflows: an open end would lie
    before 1969, and a start that nobody knows after today."""
    a, query = entity("a"), vector([1, 0])
    always = fact(a.uuid, a.uuid, valid_at=OPEN_START, invalid_at=OPEN_END, embedding=query)
    since_1960 = fact(a.uuid, a.uuid, valid_at=-(10**13) * 31, invalid_at=OPEN_END, embedding=query)
    until_1960 = fact(a.uuid, a.uuid, valid_at=OPEN_START, invalid_at=-(10**13) * 31, embedding=query)
    await group.write(a, always, since_1960, until_1960)

    async def holding(as_of: int) -> set[str]:
        wanted = SemanticQuery(Kind.FACT, query, 10, filter=RowFilter(as_of=as_of))
        return {hit.key.uuid for hit in (await group.driver.semantic([group.ref], wanted, soon())).hits}

    for as_of in (-(10**13) * 31, -5, 0, 10**15):
        assert await holding(as_of) == {always.uuid, since_1960.uuid}
    assert await holding(-(10**13) * 31 - 1) == {always.uuid, until_1960.uuid}


async def test_many_clauses_are_one_query(group: Tenant) -> None:
    """The text query's parser has room for about twenty alternatives on one level."""
    words = tuple(f"w{n}" for n in range(60))
    rows = [entity(f"{one} {other}") for one, other in pairwise(words)]
    await group.write(*rows, *(entity(word) for word in words))
    clauses = tuple(TermClause(one, (other,)) for one, other in pairwise(words))
    for asked in (clauses, clauses[:1], (*clauses, TermClause("w0"))):
        query = KeywordQuery(Kind.ENTITY, words, 1_000, clauses=asked)
        read = await group.driver.keyword([group.ref], query, soon())
        found = {hit.terms for hit in read.hits}
        alone = {"w0"} if len(asked) > len(clauses) else set[str]()
        assert found == {f"{c.term} {c.others[0]}" for c in asked if c.others} | alone
        assert read.document_frequency == {}

"""Keyword search finds exactly the rows that have a term, and counts them."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from drivers.fence import GroupRef
from drivers.filters import NO_FILTER, RowFilter
from drivers.graph_model import TEXT_KINDS, AnyRow, Community, Kind
from drivers.row_key import RowKey
from drivers.search_reads import KeywordQuery, KeywordRead, MatchingQuery
from gateway.search.analyzer import TOKEN_BYTES_MAX, analyze, row_terms
from tests.contract.conftest import OpenTenant
from tests.contract.rows import analysed, entity, episode, fact, new_uuid
from tests.contract.tenant import Tenant, soon

TEXT_KINDS_SORTED = sorted(TEXT_KINDS)


async def _search(
    tenant: Tenant, *terms: str, kind: Kind = Kind.ENTITY, limit: int = 100, refs: Sequence[GroupRef] = ()
) -> KeywordRead:
    return await tenant.driver.keyword(refs or [tenant.ref], KeywordQuery(kind, terms, limit), soon())


def _found(read: KeywordRead) -> list[str]:
    return sorted(hit.key.uuid for hit in read.hits)


@pytest.mark.parametrize("kind", TEXT_KINDS_SORTED)
async def test_a_term_finds_its_rows_of_every_kind(tenant: Tenant, kind: Kind) -> None:
    """Each text kind is searched by itself; a hit brings its terms and their count."""
    hub = entity("hub")
    text = "a zebra crossed a zebra crossing"
    rows: dict[Kind, AnyRow] = {
        Kind.ENTITY: entity(text),
        Kind.EPISODE: episode(text, name=""),
        Kind.COMMUNITY: Community(uuid=new_uuid(), name=text),
        Kind.FACT: fact(hub.uuid, hub.uuid, text, name=""),
    }
    await tenant.write(hub, *rows.values())
    read = await _search(tenant, "zebra", "nothing", kind=kind)
    (hit,) = read.hits
    expected = analysed(rows[kind])
    assert hit.key.uuid == rows[kind].uuid
    assert (hit.terms, hit.term_count) == (expected.terms, expected.term_count)  # pyright: ignore[reportAttributeAccessIssue]
    assert read.document_frequency == {"zebra": 1, "nothing": 0}
    assert read.fences == {tenant.ref.group_id: await tenant.fence()}


async def test_terms_match_exactly(tenant: Tenant) -> None:
    """No stemming, prefix, fuzziness, folding or stop words of the engine: a token finds itself alone."""
    tokens = [
        "run", "running", "runner", "runs", "ran", "the", "a", "and", "or", "not", "to", "be", "is", "it",
        "house", "houses", "organ", "organization", "general", "generally", "universal", "university",
        "1", "10", "100", "001", "v1", "x", "ab", "abc", "abcd", "cafe", "café", "naïve", "ß", "ss", "straße",
        "日本", "本語", "日", "हिन्दी", "ไทย", "кошка", "кошки", "null", "true", "nan", "inf", "0x10",
    ]  # fmt: skip
    rows = {token: entity(token, terms=token, term_count=1) for token in tokens}
    plan = await tenant.plan(tenant.intent(*rows.values()))
    puts = tuple(
        replace(put, row=rows[put.row.name])  # pyright: ignore[reportAttributeAccessIssue]
        for put in plan.puts
    )
    await tenant.apply(replace(plan, puts=puts))
    for token in tokens:
        read = await _search(tenant, token)
        assert _found(read) == [rows[token].uuid], token
        assert read.document_frequency == {token: 1}
    every = await _search(tenant, *tokens)
    assert _found(every) == sorted(row.uuid for row in rows.values())
    assert every.document_frequency == dict.fromkeys(tokens, 1)


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown foxes' 2,018 jumps cost 3.14",
        "東京タワーに行きました",
        "서울특별시 강남구",
        "ภาษาไทยไม่มีช่องว่าง",
        "हिन्दी में खोज",
        "Привет, как дела?",
        "שלום עולם",
        "مرحبا بالعالم",
        "Ελληνικά γράμματα",
        "Crème Brûlée à la façon d'été",
        "မြန်မာဘာသာ",
        "\U0001d518\U0001d52b\U0001d526\U0001d520\U0001d52c\U0001d521\U0001d522 \uff12\uff10\uff12\uff14",
    ],
)
async def test_every_token_of_a_text_finds_it(tenant: Tenant, text: str) -> None:
    """Whatever the script, each token that the analyser makes of a text finds the text, and so does each
    single letter of a text without spaces."""
    row = entity(text)
    await tenant.write(row, entity("beside"))
    stored = row_terms(text).text.split(" ")
    assert set(analyze(text)) <= set(stored)
    for token in set(stored):
        assert _found(await _search(tenant, token)) == [row.uuid], token


async def test_the_longest_tokens_are_kept_apart(tenant: Tenant) -> None:
    """Tokens as long as the analyser makes them differ in their last character."""
    stem = "q" * 63
    wide = "京" * (TOKEN_BYTES_MAX // 3 - 1)
    rows = [
        entity(token, terms=token, term_count=1)
        for token in (stem + "1", stem + "2", wide + "都", wide + "市")
    ]
    plan = await tenant.plan(tenant.intent(*rows))
    puts = tuple(replace(put, row=row) for put, row in zip(plan.puts, rows, strict=True))
    await tenant.apply(replace(plan, puts=puts))
    for row in rows:
        assert _found(await _search(tenant, row.terms)) == [row.uuid]


async def test_frequencies_count_rows_over_all_groups_named(open_tenant: OpenTenant) -> None:
    """Document frequency is of rows, not of occurrences, and is not cut by the limit."""
    base = new_uuid()
    tenants = [await open_tenant(f"{base}-{n}") for n in range(4)]
    for n, tenant in enumerate(tenants):
        await tenant.write(
            entity("apple apple apple"), *(entity("banana apple") for _ in range(n)), entity("cherry")
        )
    refs = [tenant.ref for tenant in tenants[1:]]
    read = await _search(tenants[0], "apple", "banana", "date", refs=refs, limit=2)
    assert read.document_frequency == {"apple": 9, "banana": 6, "date": 0}
    assert len(read.hits) == 2
    assert {hit.key.group_id for hit in read.hits} <= {ref.group_id for ref in refs}
    assert set(read.fences) == {ref.group_id for ref in refs}


async def test_a_row_with_more_of_the_terms_is_among_the_candidates(tenant: Tenant) -> None:
    """Any engine's ranking puts a short row with all terms before long rows with one."""
    best = entity("rare wording found")
    filler = " ".join(f"filler{n}" for n in range(50))
    await tenant.write(best, *(entity(f"found {filler} {n}") for n in range(30)))
    read = await _search(tenant, "rare", "wording", "found", limit=1)
    assert _found(read) == [best.uuid]


@pytest.mark.parametrize("filtered", [False, True])
async def test_rows_whose_text_is_too_much_are_left_out_and_said_to_be(
    tenant: Tenant, filtered: bool
) -> None:
    """Hits come until their text together is as long as it may be, one at least; what was left out is told
    and is counted all the same."""
    rows = [entity(f"zebra {'stripe ' * 40}", labels=("Animal",)) for _ in range(3)]
    await tenant.write(*rows)
    wanted = RowFilter(labels_any=("Animal",)) if filtered else NO_FILTER
    length = len(analysed(rows[0]).terms)  # pyright: ignore[reportAttributeAccessIssue]
    for chars_max, found in ((1, 1), (length, 1), (3 * length - 1, 2), (3 * length, 3)):
        query = KeywordQuery(Kind.ENTITY, ("zebra",), 100, wanted, chars_max=chars_max)
        read = await tenant.driver.keyword([tenant.ref], query, soon())
        assert (len(read.hits), read.complete) == (found, found == 3)
        assert set(_found(read)) <= {row.uuid for row in rows}
        assert read.document_frequency == {"zebra": 3}


async def test_sixty_four_terms(tenant: Tenant) -> None:
    """The most terms that a query may have are all looked up and counted."""
    terms = [f"term{n}" for n in range(64)]
    rows = [entity(" ".join(terms[n : n + 2])) for n in range(0, 64, 2)]
    await tenant.write(*rows)
    read = await _search(tenant, *terms)
    assert _found(read) == sorted(row.uuid for row in rows)
    assert read.document_frequency == dict.fromkeys(terms, 1)


async def test_more_groups_than_fit_one_engine_query(open_tenant: OpenTenant) -> None:
    """1,100 groups in one call, past Lucene's clauses: those that exist are found, each once, and counted."""
    base = new_uuid()
    names = [f"{base}-{n}" for n in range(1_100)]
    known = [await open_tenant(names[n]) for n in (0, 400, 1_030, 1_099)]
    for tenant in known:
        await tenant.write(entity("needle"), entity("needle haystack"), entity("hay"))
    refs = [GroupRef(name) for name in names]
    read = await _search(known[0], "needle", "haystack", refs=refs)
    assert len(read.hits) == len({hit.key for hit in read.hits}) == 8
    assert read.document_frequency == {"needle": 8, "haystack": 4}
    assert set(read.fences) == {tenant.ref.group_id for tenant in known}
    limited = await _search(known[0], "needle", refs=refs, limit=3)
    assert len(limited.hits) == 3
    assert limited.document_frequency == {"needle": 8}


@pytest.mark.parametrize(
    "token",
    [
        "", " ", "a b", "*", "te*", "*st", "-text", "~text", "text~", "te|xt", "(text", "text)", '"text"',
        "%text%", "@group_key:text", "group_key:x", "[a TO b]", "{text}", "text^2", "te\\xt", "te/xt", "a:b",
        "a&&b", "!text", "te?t", "$text", "te;xt", "te'xt", "te\x00xt", "a-b", "a.b", "+text", "=>", "te\nxt",
    ],
)  # fmt: skip
async def test_a_token_with_an_operator_is_refused(tenant: Tenant, token: str) -> None:
    """What the analyser cannot have made is refused before it reaches the engine, so that no operator of a
    query language can be smuggled in."""
    await tenant.write(entity("text"))
    with pytest.raises(ValueError, match="token"):
        await _search(tenant, token)
    with pytest.raises(ValueError, match="token"):
        await _search(tenant, "text", token)


async def test_a_search_sees_the_last_write(tenant: Tenant) -> None:
    """A row written, changed, deleted or moved is found by its present terms alone, by the next search."""
    a, b = entity("first"), entity("hub")
    claim = fact(a.uuid, a.uuid, "early")
    await tenant.write(a, b, claim)
    assert _found(await _search(tenant, "first")) == [a.uuid]
    await tenant.write(replace(a, name="second"), fact(a.uuid, b.uuid, "later", at=claim.uuid))
    assert _found(await _search(tenant, "first")) == []
    assert _found(await _search(tenant, "second")) == [a.uuid]
    assert _found(await _search(tenant, "early", kind=Kind.FACT)) == []
    assert _found(await _search(tenant, "later", kind=Kind.FACT)) == [claim.uuid]
    await tenant.write(deletions=[(Kind.ENTITY, a.uuid)])
    read = await _search(tenant, "second")
    assert (_found(read), read.document_frequency) == ([], {"second": 0})
    assert _found(await _search(tenant, "later", kind=Kind.FACT)) == []


async def test_rows_without_text_are_never_found(tenant: Tenant) -> None:
    """A row with no terms matches nothing."""
    await tenant.write(entity(""), entity("... !?"))
    read = await _search(tenant, "x")
    assert (read.hits, read.document_frequency) == ((), {"x": 0})


async def test_searching_nothing_finds_nothing(tenant: Tenant) -> None:
    """No groups, or no terms, give no rows."""
    await tenant.write(entity("text"))
    read = await tenant.driver.keyword([], KeywordQuery(Kind.ENTITY, ("text",), 10), soon())
    assert (read.hits, dict(read.fences)) == ((), {})
    empty = await tenant.driver.keyword([tenant.ref], KeywordQuery(Kind.ENTITY, (), 10), soon())
    assert (empty.hits, dict(empty.document_frequency)) == ((), {})


async def test_all_rows_that_match_come_as_columns(open_tenant: OpenTenant) -> None:
    """Over groups and whatever the filter, each row once with its terms; the filter marks those that pass.
    A bound that is passed gives nothing, and says so."""
    base = new_uuid()
    tenants = [await open_tenant(f"{base}-{n}") for n in range(3)]
    rows = {
        RowKey(tenant.ref.group_id, row.uuid): row
        for tenant in tenants
        for row in (
            entity("apple pie", labels=("Sweet",)),
            entity("apple apple 東京"),
            entity("cherry"),
            entity(""),
        )
    }
    for tenant in tenants:
        await tenant.write(*(row for key, row in rows.items() if key.group_id == tenant.ref.group_id))
    asked = [tenant.ref for tenant in tenants[1:]]
    expected = {
        (key.group_id, key.uuid, known.term_count, known.terms, "Sweet" in row.labels)  # pyright: ignore[reportAttributeAccessIssue]
        for key, row in rows.items()
        if key.group_id != tenants[0].ref.group_id and "apple" in row.name
        for known in (analysed(row),)
    }
    driver, fences = tenants[0].driver, {t.ref.group_id: await t.fence() for t in tenants[1:]}
    sweet = RowFilter(labels_any=("Sweet",))
    for wanted in (NO_FILTER, sweet):
        query = MatchingQuery(Kind.ENTITY, ("apple", "nothing"), wanted, rows_max=4, tokens_max=16)
        read = await driver.matching(asked, query, soon())
        found = read.rows
        assert found is not None
        assert (found.passing is None) == (wanted == NO_FILTER)
        passing = found.passing or [row[4] for row in sorted(expected)]
        columns = (found.group_ids, found.uuids, found.term_counts, found.terms)
        whole = sorted(zip(*columns, strict=True))
        assert whole == sorted(row[:4] for row in expected)
        assert found.passing is None or {*zip(*columns, passing, strict=True)} == expected
        assert read.fences == fences
        tokens = sum(found.term_counts)
        for bound in ({"rows_max": 3}, {"tokens_max": tokens - 1}):
            assert (await driver.matching(asked, replace(query, **bound), soon())).rows is None
        assert (await driver.matching(asked, replace(query, tokens_max=tokens), soon())).rows is not None
    none = await driver.matching(asked, MatchingQuery(Kind.FACT, ("apple",)), soon())
    assert none.rows is not None
    assert not none.rows.uuids
    with pytest.raises(ValueError, match="token"):
        await driver.matching(asked, MatchingQuery(Kind.ENTITY, ("a OR b",)), soon())

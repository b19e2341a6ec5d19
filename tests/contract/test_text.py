"""Text comes back as it was given, whatever it holds."""

from dataclasses import replace

import pytest

from drivers.fence import FenceState
from drivers.graph_model import AnyRow, Community, Fact, Kind, Saga
from drivers.row_codec import kind_of
from drivers.write_plan import ImageRequest, OpRecord
from tests.contract.conftest import OpenTenant
from tests.contract.rows import analysed, entity, episode, fact, new_uuid, without_stamps
from tests.contract.tenant import Tenant, soon

HOSTILE = {
    "empty": "",
    "blank": " ",
    "blanks around": "  \t a \n ",
    "single quote": "O'Brien' OR '1'='1",
    "double quote": 'say "hi"',
    "backslash": "C:\\new\\table\\",
    "backslash at the end": "trailing\\",
    "escaped quotes": "\\' \\\" \\\\' \\\\\"",
    "back-quote": "`a`) DETACH DELETE n //",
    "cypher": "'}) MATCH (n) DETACH DELETE n RETURN ({x:'",
    "cypher comment": "a // b /* c */ d",
    "parameter": "$row $props {p} CYPHER x=1",
    "lucene": '+a -b && c || !d (e) {f} [g TO h] ^2 "i"~3 *j? k: \\/ AND OR NOT',
    "redisearch": '@group_id:{x} -a ~b|c %d% "e" (f)=>{$weight:2} *g [0 (1] $h;i',
    "json": '{"a": [null, 1e999, "\\u0000"]}',
    "control characters": "\x01\x02\x1b[31m\x7f\x85",
    "line ends": "a\rb\nc\r\nd\u2028e\u2029f\x0bg\x0c",
    "unit separator": "name\x1fs\x1fvalue",
    "accents": "Crème Brûlée İstanbul ß ﬁ Å",
    "decomposed": "e\u0301 n\u0303 \u1100\u1161",
    "astral": "\U0001d518\U0001d52b \U0001f600\U0001f469\u200d\U0001f467\U0001f3f3\ufe0f \U0010fffd",
    "scripts": "日本語 한국어 中文 ไทย हिन्दी עברית العربية Ελληνικά Кириллица",
    "direction marks": "\u202eabc\u202c \u200b\u200d\ufeff",
    "replacement": "\ufffd\ufffe\uffff",
    "number": "007",
    "null word": "null",
    "true word": "true",
    "format": "%s %d {0} {{}} %",
    "long word": "x" * 5000,
    "4096 bytes": "y" * 4096,
}


def _rows_saying(text: str) -> list[AnyRow]:
    """Every text field of every kind holds it."""
    who = entity(
        text,
        summary=text,
        labels=(text, f"{text}2"),
        attributes={"plain": text, f"name {text}": "value", "list": (text, "b", text)},
    )
    return [
        who,
        episode(text, name=text, source_description=text, attributes={"plain": text}),
        Community(uuid=new_uuid(), name=text, summary=text),
        Saga(uuid=new_uuid(), name=text, summary=text),
        fact(who.uuid, who.uuid, text, name=text, episodes=(text, text), attributes={"plain": text}),
    ]


@pytest.mark.parametrize("name", HOSTILE)
async def test_any_text_in_any_field_comes_back_exactly(tenant: Tenant, name: str) -> None:
    """No quote, operator, blank or character of any script is changed, lost or executed, when written and
    when written over."""
    rows = _rows_saying(HOSTILE[name])
    await tenant.write(*rows, entity("witness"))
    for _ in range(2):
        for row in rows:
            found = await tenant.one(kind_of(row), row.uuid)
            assert without_stamps(found) == without_stamps(analysed(row))
        await tenant.write(*rows)
    assert (await tenant.fence()).stats[Kind.ENTITY].rows == 2


@pytest.mark.parametrize("name", HOSTILE)
async def test_any_text_in_an_operation_record_and_a_closure(tenant: Tenant, name: str) -> None:
    """Operation ids (up to 64 characters, no blank at either end), hashes, results and the closing episode
    are a caller's text as well."""
    text = HOSTILE[name]
    op_id = f"<{text[:62]}>"
    a = entity("a")
    claim = fact(a.uuid, a.uuid)
    await tenant.write(a, claim)
    plan = await tenant.plan(tenant.intent(replace(claim, invalid_at=5), op_id=op_id, episode_uuid=text))
    plan = replace(plan, operation=OpRecord(op_id, text, text))
    outcome = await tenant.apply(plan)
    record = OpRecord(op_id, text, text, version=2, created_at=plan.now)
    assert outcome.operation == record
    assert (await tenant.apply(plan)).operation == record
    images = await tenant.driver.read_images(tenant.ref, ImageRequest(op_id, {}, {}, {}), soon())
    assert images.operation == record
    found = await tenant.one(Kind.FACT, claim.uuid)
    assert isinstance(found, Fact)
    assert found.closures[0].episode_uuid == text


async def test_a_megabyte_of_content(tenant: Tenant) -> None:
    """An episode of 1 MB, with quotes and characters of several bytes, is read back whole."""
    content = ('He said "it\'s 5\\6", naïve 日本語 😀.\n' * 30_000)[:900_000]
    assert 1_000_000 < len(content.encode()) < 2_000_000
    told = episode(content)
    await tenant.write(told)
    found = await tenant.one(Kind.EPISODE, told.uuid)
    assert without_stamps(found) == without_stamps(analysed(told))
    (listed,) = await tenant.listed(Kind.EPISODE)
    assert without_stamps(listed) == without_stamps(found)


async def test_many_labels_and_episodes(tenant: Tenant) -> None:
    """Lists keep their order, their repeats and their length."""
    labels = tuple(f"Label{n % 90}" for n in range(1_000))
    sources = tuple(new_uuid() for _ in range(1_000))
    a = entity("a", labels=labels)
    claim = fact(a.uuid, a.uuid, episodes=sources)
    await tenant.write(a, claim)
    assert without_stamps(await tenant.one(Kind.ENTITY, a.uuid)) == without_stamps(analysed(a))
    assert without_stamps(await tenant.one(Kind.FACT, claim.uuid)) == without_stamps(analysed(claim))


async def test_any_text_in_a_fence(open_tenant: OpenTenant) -> None:
    """Names in a fence (move ids, shards) are parameters, never part of a statement."""
    tenant = await open_tenant(state=FenceState.FROZEN)
    fence = await tenant.fence()
    for name, text in HOSTILE.items():
        made = replace(
            fence, group_id=f"{tenant.ref.group_id}-{name.replace(' ', '_')}", moved_to=text, move_id=text
        )
        assert await tenant.driver.create_fence(made, soon()) == made

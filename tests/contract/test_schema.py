"""Indexes and constraints can be made, seen and dropped at any time; the rows do not depend on them."""

import asyncio

from drivers.contract import ShardDriver
from drivers.graph_model import Kind
from drivers.search_reads import KeywordQuery
from tests.contract.conftest import OpenTenant
from tests.contract.rows import entity, fact, one_of_each, vector
from tests.contract.tenant import schema_time, soon


async def test_ensuring_twice_and_at_once_is_harmless(driver: ShardDriver) -> None:
    """ensure_schema is idempotent, also when several gateways start together."""
    await driver.ensure_schema(schema_time())
    before = await driver.describe_schema(soon())
    await asyncio.gather(*(driver.ensure_schema(schema_time()) for _ in range(3)))
    after = await driver.describe_schema(soon())
    assert before.ready
    assert after == before
    assert after.engine is driver.engine
    assert after.engine_version
    assert len({(item.name, item.space) for item in after.items}) == len(after.items) > 0


async def test_dropping_keeps_the_rows_and_ensuring_brings_back_the_indexes(
    open_tenant: OpenTenant, driver: ShardDriver
) -> None:
    """After drop_schema everything is MISSING and the rows are there; ensure_schema, by several
    gateways at once, makes it whole again, and rows written before and after are found by keyword."""
    tenant = await open_tenant()
    await tenant.write(*one_of_each(embedding=vector([1, 2])).values(), entity("before marmalade"))
    rows = (await tenant.snapshot()).rows
    full = await driver.describe_schema(soon())
    try:
        await driver.drop_schema(soon())
        dropped = await driver.describe_schema(soon())
        assert not dropped.ready
        assert {item.name for item in dropped.items if item.state == "MISSING"} == {
            item.name for item in full.items
        }
        assert (await tenant.snapshot()).rows == rows
    finally:
        await asyncio.gather(*(driver.ensure_schema(schema_time()) for _ in range(3)))
    assert await driver.describe_schema(soon()) == full
    after = entity("after marmalade")
    await tenant.write(after, fact(after.uuid, after.uuid, "marmalade"))
    for kind, count in ((Kind.ENTITY, 2), (Kind.FACT, 1)):
        read = await driver.keyword([tenant.ref], KeywordQuery(kind, ("marmalade",), 10), soon())
        assert (len(read.hits), read.document_frequency) == (count, {"marmalade": count})
    assert (await tenant.fence()).stats == await tenant.recount()

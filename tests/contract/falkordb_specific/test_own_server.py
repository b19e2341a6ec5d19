"""Tests that need a server of their own: one that asks for a password, one that is killed."""

import asyncio
import secrets
from pathlib import Path

import pytest

from drivers.errors import OutcomeUnknown, ShardUnavailable
from drivers.falkordb import FalkorDBDriver, FalkorDBSettings
from drivers.falkordb.client import GraphClient
from drivers.graph_model import Kind
from drivers.search_reads import KeywordQuery
from drivers.write_plan import WriteStatus
from gateway.embedded import FalkorDBProcess
from tests.contract.falkordb_specific.conftest import open_on
from tests.contract.rows import entity
from tests.contract.subject import Subject
from tests.contract.tenant import soon
from tests.eventually import eventually


async def test_signing_in(tmp_path: Path) -> None:
    """A password is used for the default user or a named one; a wrong or missing one is ShardUnavailable,
    which names neither."""
    password = f"pw {secrets.token_hex(8)}"
    process = FalkorDBProcess(tmp_path, password=password)
    await process.start()
    try:
        url = f"redis://127.0.0.1:{process.port}"
        for user in ("", "default"):
            client = GraphClient("shard", FalkorDBSettings(url, user=user, password=password))
            await client.write("graphgate", "RETURN 1", {}, soon(), "a write")
            client.close()
        assert password not in repr(FalkorDBSettings(url, password=password))
        for wrong in ("", "wrong"):
            client = GraphClient("shard", FalkorDBSettings(url, password=wrong))
            with pytest.raises(ShardUnavailable, match="credentials") as refused:
                await client.read("graphgate", "RETURN 1", {}, soon(), "a read")
            assert "wrong" not in str(refused.value)
    finally:
        await process.stop()


async def test_nothing_acknowledged_is_lost_when_the_server_is_killed(
    tmp_path: Path, falkordb_subject: Subject
) -> None:
    """SIGKILL amid writes: every acknowledged write is there after the restart, every unknown one is told by
    its record, and searches are right or say that they are not ready."""
    process = FalkorDBProcess(tmp_path)
    await process.start()
    driver = FalkorDBDriver("shard", FalkorDBSettings(f"redis://127.0.0.1:{process.port}"))
    driver.use_marker(await driver.create_marker(falkordb_subject.founding.answers[0], soon()))
    try:
        await driver.ensure_schema(soon())
        tenant = await open_on(driver)
        acknowledged: list[str] = []
        unknown: list[str] = []

        async def write() -> None:
            for n in range(10_000):
                row = entity(f"needle {n}")
                plan = await tenant.plan(tenant.intent(row))
                try:
                    outcome = await tenant.apply(plan)
                except OutcomeUnknown:
                    unknown.append(row.uuid)
                    raise
                assert outcome.status is WriteStatus.APPLIED
                acknowledged.append(row.uuid)

        writing = asyncio.create_task(write())
        await eventually(lambda: len(acknowledged) >= 50)
        await process.kill()
        with pytest.raises((OutcomeUnknown, ShardUnavailable)):
            await writing
        await process.start()
        await driver.ensure_schema(soon())
        found = {row.uuid for row in await tenant.listed(Kind.ENTITY)}
        assert set(acknowledged) <= found <= {*acknowledged, *unknown}
        read = await driver.keyword([tenant.ref], KeywordQuery(Kind.ENTITY, ("needle",), 100_000), soon())
        assert {hit.key.uuid for hit in read.hits} == found
        fence = await tenant.fence()
        assert (fence.version, fence.stats) == (len(found), await tenant.recount())
        await tenant.write(entity("afterwards"))
    finally:
        await driver.close()
        await process.stop()

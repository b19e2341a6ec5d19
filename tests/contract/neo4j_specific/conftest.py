"""Groups on the Neo4j driver alone, and a client beside it."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, LiteralString, cast

import pytest
from neo4j import AsyncDriver, AsyncGraphDatabase

from drivers.fence import Fence, FenceState, GroupRef
from drivers.neo4j import Neo4jDriver
from tests.contract.subject import Subject
from tests.contract.tenant import Tenant, soon
from tests.engines import Neo4jServer

type OpenGroup = Callable[[], Awaitable[Tenant]]


@pytest.fixture(scope="session")
def neo4j(neo4j_subject: Subject) -> Neo4jDriver:
    assert isinstance(neo4j_subject.driver, Neo4jDriver)
    return neo4j_subject.driver


@pytest.fixture(scope="session")
def open_group(neo4j: Neo4jDriver) -> OpenGroup:
    async def opened() -> Tenant:
        return await open_on(neo4j)

    return opened


@pytest.fixture(scope="session")
async def beside(neo4j_server: Neo4jServer) -> AsyncIterator[AsyncDriver]:
    """Another client of the same server."""
    client = AsyncGraphDatabase.driver(neo4j_server.url, notifications_min_severity="OFF")
    yield client
    await client.close()


async def open_on(driver: Neo4jDriver) -> Tenant:
    group_id = f"group-{secrets.token_hex(6)}"
    await driver.create_fence(Fence(group_id, 1, FenceState.OPEN), soon())
    return Tenant(driver, GroupRef(group_id))


async def ask(client: AsyncDriver, text: str, **parameters: Any) -> list[list[Any]]:
    async with client.session(database="neo4j") as session:
        result = await session.run(cast("LiteralString", text), parameters)
        return await result.values()

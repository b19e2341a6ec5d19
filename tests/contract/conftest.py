"""One suite, every driver: each test here runs on FalkorDB, on Neo4j and on the model of the contract.

Tests share one server per engine and keep apart by groups with random names.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from drivers.contract import ShardDriver
from drivers.falkordb import FalkorDBDriver, FalkorDBSettings
from drivers.fence import POOLED, Fence, FenceState, GroupRef
from drivers.neo4j import Neo4jDriver, Neo4jSettings
from tests.contract.probes import FalkorDBProbe, ModelProbe, Neo4jProbe, Probe
from tests.contract.subject import SHARD_ID, InterleavedModel, Subject, found
from tests.contract.tenant import Tenant, soon
from tests.engines import FalkorDBServer, Neo4jServer

type OpenTenant = Callable[..., Awaitable[Tenant]]

ENGINES = ("model", "falkordb", "neo4j")


@pytest.fixture(scope="session")
async def model_subject() -> AsyncIterator[Subject]:
    driver = InterleavedModel(SHARD_ID)
    yield await found(driver, ModelProbe(driver))
    await driver.close()


@pytest.fixture(scope="session")
async def falkordb_subject(falkordb_server: FalkorDBServer) -> AsyncIterator[Subject]:
    driver = FalkorDBDriver(SHARD_ID, FalkorDBSettings(falkordb_server.url))
    probe = FalkorDBProbe(falkordb_server.url)
    try:
        yield await found(driver, probe)
    finally:
        await driver.close()
        await probe.close()


@pytest.fixture(scope="session")
async def neo4j_subject(neo4j_server: Neo4jServer) -> AsyncIterator[Subject]:
    driver = Neo4jDriver(SHARD_ID, Neo4jSettings(neo4j_server.url))
    probe = Neo4jProbe(neo4j_server.url)
    try:
        yield await found(driver, probe)
    finally:
        await driver.close()
        await probe.close()


@pytest.fixture(scope="session", params=ENGINES)
def subject(request: pytest.FixtureRequest) -> Subject:
    return request.getfixturevalue(f"{request.param}_subject")


@pytest.fixture(scope="session")
def driver(subject: Subject) -> ShardDriver:
    return subject.driver


@pytest.fixture(scope="session")
def probe(subject: Subject) -> Probe:
    return subject.probe


@pytest.fixture(scope="session")
def open_tenant(driver: ShardDriver) -> OpenTenant:
    """Makes a group with a fence; its name is random unless given."""

    async def opened(
        group_id: str = "", space: str = POOLED, state: FenceState = FenceState.OPEN, epoch: int = 1
    ) -> Tenant:
        group_id = group_id or f"group-{secrets.token_hex(6)}"
        await driver.create_fence(Fence(group_id, epoch, state, space=space), soon())
        return Tenant(driver, GroupRef(group_id, space), epoch)

    return opened


@pytest.fixture
async def tenant(open_tenant: OpenTenant) -> Tenant:
    return await open_tenant()

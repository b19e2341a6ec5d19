"""Groups on the FalkorDB driver alone, and a client of this package beside it."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from drivers.falkordb import FalkorDBDriver, FalkorDBSettings
from drivers.falkordb.client import GraphClient
from drivers.fence import POOLED, Fence, FenceState, GroupRef
from tests.contract.subject import Subject
from tests.contract.tenant import Tenant, soon
from tests.engines import FalkorDBServer

type OpenGroup = Callable[..., Awaitable[Tenant]]


@pytest.fixture(scope="session")
def falkordb(falkordb_subject: Subject) -> FalkorDBDriver:
    assert isinstance(falkordb_subject.driver, FalkorDBDriver)
    return falkordb_subject.driver


@pytest.fixture(scope="session")
async def client(falkordb_server: FalkorDBServer) -> AsyncIterator[GraphClient]:
    """For queries that the driver does not make."""
    client = GraphClient("beside", FalkorDBSettings(falkordb_server.url))
    yield client
    client.close()


@pytest.fixture
async def scratch(client: GraphClient) -> AsyncIterator[str]:
    """Name of a graph that no driver knows."""
    graph = f"scratch-{secrets.token_hex(6)}"
    await client.write(graph, "RETURN 1", {}, soon(), "making a graph")
    yield graph
    await client.command(soon(), "dropping a graph", "GRAPH.DELETE", graph)


@pytest.fixture(scope="session")
def open_group(falkordb: FalkorDBDriver) -> OpenGroup:
    async def opened(group_id: str = "", space: str = POOLED) -> Tenant:
        return await open_on(falkordb, group_id, space)

    return opened


@pytest.fixture
async def group(open_group: OpenGroup) -> Tenant:
    return await open_group()


async def open_on(driver: FalkorDBDriver, group_id: str = "", space: str = POOLED) -> Tenant:
    group_id = group_id or f"group-{secrets.token_hex(6)}"
    await driver.create_fence(Fence(group_id, 1, FenceState.OPEN, space=space), soon())
    return Tenant(driver, GroupRef(group_id, space))

"""One fleet and one gateway for all tests of this folder. Every test leaves everything healthy, which a
fixture waits for: recovery needs no restart of the gateway."""

from collections.abc import AsyncIterator

import pytest

from gateway.embedded.errors import EngineNotInstalledError
from tests.engines import engine_absent
from tests.eventually import eventually
from tests.integration.faults.world import Fleet, HeldEmbedder, World, client_of, gateway_over


@pytest.fixture(scope="package")
async def fault_fleet(
    tmp_path_factory: pytest.TempPathFactory, neo4j_installed: None
) -> AsyncIterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("faults"))
    try:
        try:
            await fleet.start()
        except EngineNotInstalledError as error:
            engine_absent("FalkorDB", error.missing)
        yield fleet
    finally:
        await fleet.stop()


@pytest.fixture(scope="package")
async def fault_world(fault_fleet: Fleet) -> AsyncIterator[World]:
    embedder = HeldEmbedder()
    async with gateway_over(fault_fleet.settings(), embedder) as gateway, client_of(gateway) as client:
        yield World(fault_fleet, gateway, client, embedder)


@pytest.fixture
async def world(fault_world: World) -> AsyncIterator[World]:
    """Healthy before and after the test."""
    await eventually(fault_world.all_well, 60.0)
    yield fault_world
    fault_world.embedder.released.set()
    for proxy in fault_world.fleet.proxies.values():
        await proxy.heal()
    await eventually(fault_world.all_well, 60.0)

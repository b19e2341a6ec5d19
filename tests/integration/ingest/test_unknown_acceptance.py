"""A caller without a request_id whose episode may have been accepted learns under which it is tried again."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from gateway.bench.model_server.server import ModelServer
from gateway.embedded.fleet import EmbeddedFleet
from gateway.settings.fleet import CatalogSettings
from graphgate.v1 import ingest_service_pb2 as pb
from tests.fault_proxy import FaultProxy, Strike, proxy_to
from tests.integration.gateway.calls import refused
from tests.integration.ingest.conftest import ingest_settings, world_of
from tests.integration.ingest.world import PATIENCE_S, World


@pytest.fixture
async def proxy(ingest_fleet: EmbeddedFleet) -> AsyncIterator[FaultProxy]:
    async with proxy_to(ingest_fleet.catalog_url) as made:
        yield made


@pytest.fixture
async def world(ingest_fleet: EmbeddedFleet, proxy: FaultProxy, tmp_path: Path) -> AsyncIterator[World]:
    server = ModelServer()
    await server.start()
    settings = ingest_settings(ingest_fleet, server, tmp_path)
    settings = settings.model_copy(update={"catalog": CatalogSettings(url=proxy.url)})
    async with world_of(settings, server) as made:
        yield made
    await server.stop()


@pytest.mark.parametrize("many", [False, True])
async def test_the_same_request_with_the_named_id_is_a_retry(
    world: World, proxy: FaultProxy, group: str, many: bool
) -> None:
    request = world.request(group, f"Marked words of {group}.", wait=False)
    trap = proxy.trap(f"Marked words of {group}.", Strike.LOSE_ANSWER)
    if many:
        asked = pb.AddEpisodesRequest(requests=[request])
        (result,) = (await world.ingest.AddEpisodes(asked, timeout=PATIENCE_S)).results
        assert (result.error.reason, result.error.retryable) == ("INGEST_QUEUE_UNAVAILABLE", True)
        request.request_id = result.error.request_id
    else:
        refusal = await refused(world.ingest.AddEpisode(request, timeout=PATIENCE_S))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "INGEST_QUEUE_UNAVAILABLE")
        assert refusal.metadata["outcome_unknown"] == "true"
        request.request_id = refusal.metadata["op_id"]
    assert request.request_id
    trap.cut()
    asked = pb.GetEpisodeStatusRequest(group_id=group, request_id=request.request_id)
    stored = (await world.ingest.GetEpisodeStatus(asked, timeout=PATIENCE_S)).status
    request.wait = True
    again = await world.ingest.AddEpisode(request, timeout=PATIENCE_S)
    assert (again.episode_uuid, again.state) == (stored.episode_uuid, pb.EPISODE_STATE_APPLIED)

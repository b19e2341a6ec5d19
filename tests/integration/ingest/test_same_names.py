"""Episodes that share a uuid, and request_ids that stand for another write, while they wait in the queue."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.bench.model_server.knowledge import KnownFact
from gateway.bench.model_server.server import ModelServer
from gateway.embedded.fleet import EmbeddedFleet
from gateway.settings.service import IngestSection
from gateway.worker_process import WorkerProcess
from graphgate.v1 import graph_pb2, graph_service_pb2
from graphgate.v1 import ingest_service_pb2 as pb
from tests.eventually import eventually
from tests.fakes.hashing_embedder import HashingEmbedder
from tests.integration.gateway.calls import new_uuid
from tests.integration.ingest.conftest import ingest_settings, world_of
from tests.integration.ingest.world import PATIENCE_S, World, known, time_message

IDLE = IngestSection(worker=False, lease_s=1.0, pause_s_max=0.5)


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    made = ModelServer()
    await made.start()
    yield made
    await made.stop()


async def ended(world: World, group: str, *request_ids: str) -> list[pb.EpisodeStatus]:
    """Their statuses once all have ended; before, none."""
    asked = [pb.GetEpisodeStatusRequest(group_id=group, request_id=one) for one in request_ids]
    found = [(await world.ingest.GetEpisodeStatus(one)).status for one in asked]
    over = (pb.EPISODE_STATE_APPLIED, pb.EPISODE_STATE_FAILED)
    return found if all(one.state in over for one in found) else []


async def test_the_last_text_of_an_episode_stays_and_no_foreign_write_is_its_result(
    tmp_path: Path, server: ModelServer, new_group: Callable[[], str]
) -> None:
    """Three texts of one episode wait with another episode between them: one worker takes them all, and each
    is applied in its turn. An episode under the request_id of a write that was made is a listed failure."""
    edited, reused = new_group(), new_group()
    texts = [f"Text {number} of {edited}." for number in range(4)]
    for text in texts:
        server.knowledge.learn(text, known(KnownFact("Ada", "Bob", "SAYS", f"Ada says {text}")))
    own, other = new_uuid(), new_uuid()
    async with EmbeddedFleet(tmp_path / "fleet", falkordb_shards=1) as fleet:
        settings = ingest_settings(fleet, server, tmp_path, IDLE)
        async with world_of(settings, server) as world:
            for number, (uuid, text) in enumerate(zip((own, other, own, own), texts, strict=True)):
                request = world.request(edited, text, request_id=f"n-{number}", wait=False)
                request.episode.uuid = uuid
                await world.ingest.AddEpisode(request)
            provided = pb.AddEpisodeRequest(
                group_id=reused,
                request_id="taken",
                episode=graph_pb2.Episode(
                    content="Written at once.", reference_time=time_message("2024-01-01T00:00:00")
                ),
            )
            first = await world.ingest.AddEpisode(provided)
            await world.ingest.AddEpisode(world.request(reused, "Lost?", request_id="taken", wait=False))
            worker = WorkerProcess(settings, HashingEmbedder())
            await worker.start()
            try:
                statuses = await eventually(
                    lambda: ended(world, edited, *(f"n-{number}" for number in range(4))), PATIENCE_S
                )
                (failed,) = await eventually(lambda: ended(world, reused, "taken"), PATIENCE_S)
            finally:
                await worker.stop(0)
            assert [one.state for one in statuses] == [pb.EPISODE_STATE_APPLIED] * 4
            assert [one.version for one in statuses] == [1, 1, 2, 3]
            listing = graph_service_pb2.ListEpisodesRequest(group_id=edited, page_size=10)
            stored = {one.uuid: one.content for one in (await world.graph.ListEpisodes(listing)).episodes}
            assert stored == {own: texts[3], other: texts[1]}
            described = await world.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=edited))
            counts = {one.kind: one.rows for one in described.group.counts}
            assert counts[graph_pb2.ROW_KIND_EPISODE] == len(stored)
            assert (failed.state, failed.error.reason) == (pb.EPISODE_STATE_FAILED, "REQUEST_ID_REUSED")
            listed = await world.ingest.ListFailures(pb.ListFailuresRequest(group_id=reused))
            assert [one.request_id for one in listed.failures] == ["taken"]
            described = await world.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=reused))
            assert described.group.version == first.version

"""A gateway that is killed again and again while it ingests: SIGKILL, and the catalog's Redis too."""

import asyncio
import random
import secrets
from pathlib import Path

import grpc

from gateway.bench.model_server.server import ModelServer, ServerOptions
from gateway.embedded.fleet import CATALOG_ID, EmbeddedFleet
from gateway.loopback.gateway_process import GatewayProcess
from graphgate.v1 import graph_pb2, graph_service_pb2, graph_service_pb2_grpc, ingest_service_pb2_grpc
from graphgate.v1 import ingest_service_pb2 as pb
from tests.eventually import eventually

GROUPS = 6
EPISODES = 10
KILLS = 4
PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)


async def test_every_accepted_episode_is_applied_once_and_in_order(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    server = ModelServer(ServerOptions(latency_s=0.02))
    await server.start()
    settings = {
        "GRAPHGATE_LLM__MODEL": "fake-small",
        "GRAPHGATE_LLM__BASE_URL": server.base_url,
        "GRAPHGATE_LLM__CACHE_BYTES_MAX": "0",
        "GRAPHGATE_INGEST__LEASE_S": "1.5",
        "GRAPHGATE_INGEST__PAUSE_S_MAX": "1",
        "GRAPHGATE_INGEST__BATCH_MAX": "3",
    }
    async with (
        EmbeddedFleet(tmp_path / "fleet", falkordb_shards=1) as fleet,
        GatewayProcess(
            tmp_path / "gateway.log",
            fleet,
            embedder="none",
            cache_dir=tmp_path,
            pool_graphs=2,
            settings=settings,
        ) as gateway,
    ):
        groups = [f"kills-{number}" for number in range(GROUPS)]
        adding = asyncio.create_task(_add_all(gateway.address, groups))
        for number in range(KILLS):
            await asyncio.sleep(rng.uniform(0.3, 1.2))
            if number % 2:
                await fleet.kill(CATALOG_ID)
                await fleet.restart(CATALOG_ID)
            else:
                await gateway.kill()
                await gateway.start()
        await adding
        async with grpc.aio.insecure_channel(gateway.address) as channel:
            ingest: ingest_service_pb2_grpc.IngestServiceAsyncStub
            ingest = ingest_service_pb2_grpc.IngestServiceStub(channel)
            for group in groups:
                versions = [
                    await eventually(lambda g=group, n=number: _version(ingest, g, n), 90.0)
                    for number in range(EPISODES)
                ]
                assert versions == sorted(versions), f"seed {seed}: {group} {versions}"
                await _check_graph(channel, group, seed)
            failures = await ingest.ListFailures(pb.ListFailuresRequest())
            assert list(failures.failures) == []
    await server.stop()


async def _add_all(address: str, groups: list[str]) -> None:
    """Each episode until it is accepted, in order within its group."""

    async def add(group: str) -> None:
        for number in range(EPISODES):
            request = pb.AddEpisodeRequest(
                group_id=group,
                request_id=f"n-{number}",
                mode=pb.EXTRACTION_MODE_LLM,
                episode=graph_pb2.Episode(content=f"Ada met Person{number} in Town{number}."),
            )
            while True:
                try:
                    async with grpc.aio.insecure_channel(address) as channel:
                        ingest = ingest_service_pb2_grpc.IngestServiceStub(channel)
                        await ingest.AddEpisode(request, timeout=5)
                    break
                except grpc.aio.AioRpcError as error:
                    if error.code() not in PASSING:
                        raise
                    await asyncio.sleep(0.1)

    await asyncio.gather(*(add(group) for group in groups))


async def _version(ingest: "ingest_service_pb2_grpc.IngestServiceAsyncStub", group: str, number: int) -> int:
    """0 until it is applied."""
    try:
        answer = await ingest.GetEpisodeStatus(
            pb.GetEpisodeStatusRequest(group_id=group, request_id=f"n-{number}"), timeout=5
        )
    except grpc.aio.AioRpcError:
        return 0
    status = answer.status
    assert status.state != pb.EPISODE_STATE_FAILED, status
    return status.version if status.state == pb.EPISODE_STATE_APPLIED else 0


async def _check_graph(channel: grpc.aio.Channel, group: str, seed: int) -> None:
    graph = graph_service_pb2_grpc.GraphServiceStub(channel)
    episodes = await graph.ListEpisodes(
        graph_service_pb2.ListEpisodesRequest(group_id=group, page_size=1_000)
    )
    assert len(episodes.episodes) == EPISODES, f"seed {seed}"
    facts = await graph.ListFacts(graph_service_pb2.ListFactsRequest(group_id=group, page_size=1_000))
    texts = [(one.source_uuid, one.target_uuid, one.fact) for one in facts.facts]
    assert len(texts) == 2 * EPISODES
    assert len(texts) == len(set(texts)), f"seed {seed}: {sorted(texts)}"
    entities = await graph.ListEntities(
        graph_service_pb2.ListEntitiesRequest(group_id=group, page_size=1_000)
    )
    names = [one.name for one in entities.entities]
    assert len(names) == len(set(names)), f"seed {seed}: {sorted(names)}"

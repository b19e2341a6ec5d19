"""`graphgate worker` beside a gateway that does not work on its queue, both as processes."""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import grpc
import pytest

from gateway.bench.model_server.replies import Late
from gateway.bench.model_server.server import ModelServer, ServerOptions
from gateway.embedded.fleet import EmbeddedFleet
from gateway.loopback.client import GatewayClient
from gateway.loopback.gateway_process import GatewayProcess
from gateway.loopback.service_process import fleet_settings
from gateway.loopback.worker_process import WorkerProcess
from graphgate.v1 import graph_pb2, graph_service_pb2
from graphgate.v1 import ingest_service_pb2 as pb
from tests.eventually import eventually
from tests.integration.gateway.calls import new_uuid
from tests.robustness.traffic.caller import reason_of
from tests.unit.gateway.cli.command import clean_environment, graphgate, start_graphgate

type _Stream = grpc.aio.StreamStreamCall[pb.StreamEpisodesRequest, pb.StreamEpisodesResponse]
type _Watch = grpc.aio.UnaryStreamCall[pb.WatchEpisodeRequest, pb.WatchEpisodeResponse]

PATIENCE_S = 60.0
LATENCY_S = 1.0
EPISODES = 3


@pytest.fixture(scope="module")
async def model() -> AsyncIterator[ModelServer]:
    server = ModelServer(ServerOptions(latency_s=LATENCY_S))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(scope="module")
async def fleet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedFleet]:
    async with EmbeddedFleet(tmp_path_factory.mktemp("fleet"), falkordb_shards=1) as fleet:
        yield fleet


def settings(model: ModelServer) -> dict[str, str]:
    """A lease that no test can wait for."""
    return {
        "GRAPHGATE_LLM__MODEL": "fake-small",
        "GRAPHGATE_LLM__BASE_URL": model.base_url,
        "GRAPHGATE_LLM__CACHE_BYTES_MAX": "0",
        "GRAPHGATE_INGEST__WORKER": "false",
        "GRAPHGATE_INGEST__LEASE_S": "600",
        "GRAPHGATE_METRICS__ENABLED": "true",
        "GRAPHGATE_METRICS__PORT": "0",
        "GRAPHGATE_LOGGING__LEVEL": "info",
    }


def worker(fleet: EmbeddedFleet, model: ModelServer, directory: Path, name: str = "worker") -> WorkerProcess:
    return WorkerProcess(
        directory / f"{name}.log",
        fleet,
        embedder="none",
        cache_dir=directory,
        pool_graphs=2,
        settings=settings(model),
    )


@asynccontextmanager
async def gateway(
    fleet: EmbeddedFleet, model: ModelServer, directory: Path
) -> AsyncGenerator[tuple[GatewayProcess, GatewayClient]]:
    process = GatewayProcess(
        directory / "gateway.log",
        fleet,
        embedder="none",
        cache_dir=directory,
        pool_graphs=2,
        settings=settings(model),
    )
    async with process, GatewayClient(process.address) as client:
        yield process, client


def request(group: str, number: int) -> pb.AddEpisodeRequest:
    return pb.AddEpisodeRequest(
        group_id=group,
        request_id=f"n-{number}",
        mode=pb.EXTRACTION_MODE_LLM,
        episode=graph_pb2.Episode(content=f"Ada met Person{number} in Town{number}."),
    )


async def states(client: GatewayClient, group: str, count: int = EPISODES) -> list[int]:
    found: list[int] = []
    for number in range(count):
        asked = pb.GetEpisodeStatusRequest(group_id=group, request_id=f"n-{number}")
        found.append((await client.ingest.GetEpisodeStatus(asked)).status.state)
    return found


async def applied(client: GatewayClient, group: str) -> bool:
    return set(await states(client, group)) == {pb.EPISODE_STATE_APPLIED}


async def metrics(address: str) -> dict[str, float]:
    """Samples by name and labels."""
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    samples = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


async def test_episodes_wait_for_a_worker_which_drains(
    fleet: EmbeddedFleet, model: ModelServer, tmp_path: Path
) -> None:
    """The gateway accepts and leaves them; SIGTERM lets the worker end what it works on and gives back what
    it does not, so that the next worker need not wait for the lease; code 0."""
    groups = [f"drained-{number}" for number in range(6)]
    async with gateway(fleet, model, tmp_path) as (_, client):
        for group in groups:
            added = await client.ingest.AddEpisodes(
                pb.AddEpisodesRequest(requests=[request(group, number) for number in range(EPISODES)])
            )
            assert all(one.response.state == pb.EPISODE_STATE_ACCEPTED for one in added.results)
        first = worker(fleet, model, tmp_path)
        await first.start()
        address = first.metrics_address
        await eventually(lambda: _some_extracted(client, groups), PATIENCE_S)
        seen = await metrics(address)
        assert seen["graphgate_ingest_units_running"] >= 1
        assert await first.stop() == 0
        begun = [set(await states(client, group)) for group in groups]
        assert all(one <= {pb.EPISODE_STATE_APPLIED, pb.EPISODE_STATE_ACCEPTED} for one in begun)
        assert {pb.EPISODE_STATE_APPLIED} in begun
        async with worker(fleet, model, tmp_path, "second") as second:
            for group in groups:
                await eventually(lambda group=group: applied(client, group), PATIENCE_S)
                listed = await client.graph.ListEpisodes(
                    graph_service_pb2.ListEpisodesRequest(group_id=group, page_size=100)
                )
                assert len(listed.episodes) == EPISODES

            async def told() -> bool:
                counts = await metrics(second.metrics_address)
                return counts["graphgate_ingest_waiting_episodes"] == 0

            await eventually(told, PATIENCE_S)


async def _some_extracted(client: GatewayClient, groups: list[str], count: int = EPISODES) -> bool:
    return any([pb.EPISODE_STATE_EXTRACTING in await states(client, group, count) for group in groups])


async def test_streams_are_told_that_the_gateway_stops_and_go_on_elsewhere(
    fleet: EmbeddedFleet, model: ModelServer, tmp_path: Path
) -> None:
    """A stream that waits for more items and a watch end with GATEWAY_STOPS at once, and a stream goes on at
    another gateway after what has had its ack. Both are in the metrics."""
    group, stream_id = new_uuid(), new_uuid()
    async with gateway(fleet, model, tmp_path) as (process, client):
        stream = client.ingest.StreamEpisodes()
        await stream.write(
            pb.StreamEpisodesRequest(start=pb.StreamEpisodesRequest.Start(stream_id=stream_id))
        )
        for offset in (1, 2):
            item = pb.StreamEpisodesRequest.Item(offset=offset, request=request(group, offset - 1))
            await stream.write(pb.StreamEpisodesRequest(item=item))
        heard = [await stream.read() for _ in range(3)]
        assert [one.ack.offset for one in heard[1:] if isinstance(one, pb.StreamEpisodesResponse)] == [1, 2]
        watch = client.ingest.WatchEpisode(pb.WatchEpisodeRequest(group_id=group, request_id="n-0"))
        first = await watch.read()
        assert isinstance(first, pb.WatchEpisodeResponse)
        assert first.status.state == pb.EPISODE_STATE_ACCEPTED
        at = _metrics_address(tmp_path / "gateway.log")
        counts = await metrics(at)
        for name, kind in (("StreamEpisodes", "bidi_stream"), ("WatchEpisode", "server_stream")):
            (started,) = [
                value
                for sample, value in counts.items()
                if sample.startswith("grpc_server_started_total") and f'"{name}"' in sample and kind in sample
            ]
            assert started == 1, name
        ends = asyncio.gather(_end(stream), _end(watch))
        assert await process.stop() == 0
        assert await ends == [(grpc.StatusCode.UNAVAILABLE, "GATEWAY_STOPS")] * 2
    async with gateway(fleet, model, tmp_path) as (_, client), worker(fleet, model, tmp_path):
        again = client.ingest.StreamEpisodes()
        await again.write(pb.StreamEpisodesRequest(start=pb.StreamEpisodesRequest.Start(stream_id=stream_id)))
        started = await again.read()
        assert isinstance(started, pb.StreamEpisodesResponse)
        assert started.started.resume_offset == 2
        item = pb.StreamEpisodesRequest.Item(offset=3, request=request(group, 2))
        await again.write(pb.StreamEpisodesRequest(item=item))
        await again.done_writing()
        ack = await again.read()
        assert isinstance(ack, pb.StreamEpisodesResponse)
        assert (ack.ack.offset, await again.read()) == (3, grpc.aio.EOF)
        await eventually(lambda: applied(client, group), PATIENCE_S)


async def _end(call: _Stream | _Watch) -> tuple[grpc.StatusCode, str]:
    try:
        await call.read()
    except grpc.aio.AioRpcError as error:
        return error.code(), reason_of(error)
    raise AssertionError("it did not end")


def _metrics_address(log: Path) -> str:
    """As the gateway tells it to people."""
    text = log.read_text()
    return text.rpartition("/metrics")[0].rpartition("http://")[2]


async def test_a_second_signal_stops_at_once(
    fleet: EmbeddedFleet, model: ModelServer, tmp_path: Path
) -> None:
    """With code 128 and the signal's number, though a model has not answered yet."""
    group = new_uuid()
    model.chooses = lambda _: Late(20.0)
    async with gateway(fleet, model, tmp_path) as (_, client):
        process = await start_graphgate(
            "worker", "--json", env=clean_environment(tmp_path, _environment(fleet, model, tmp_path))
        )
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            ready = json.loads(await process.stdout.readline())
            assert (ready["event"], ready["pid"]) == ("ready", process.pid)
            await client.ingest.AddEpisode(request(group, 0))
            await eventually(lambda: _some_extracted(client, [group], 1), PATIENCE_S)
            process.send_signal(signal.SIGTERM)
            while b"draining" not in (line := await process.stderr.readline()):
                assert line, "it ended without draining"
            process.send_signal(signal.SIGINT)
            out, _ = await process.communicate()
            assert process.returncode == 128 + signal.SIGINT
            assert json.loads(out.splitlines()[-1])["event"] == "stopped"
        finally:
            model.chooses = None
            with contextlib.suppress(ProcessLookupError):
                process.kill()


def _environment(fleet: EmbeddedFleet, model: ModelServer, directory: Path) -> dict[str, str]:
    return (
        fleet_settings(fleet)
        | settings(model)
        | {"GRAPHGATE_EMBEDDER__KIND": "none", "GRAPHGATE_CACHE": str(directory)}
    )


async def test_a_worker_needs_a_fleet_and_a_model(
    fleet: EmbeddedFleet, model: ModelServer, tmp_path: Path
) -> None:
    """Code 2 and what to do."""
    alone = await graphgate("worker", "--json", home=tmp_path)
    assert alone.code == 2
    assert "give its shards and catalog.url" in alone.err
    unreadable = await graphgate("worker", "--set", "ingest.strategy=brave", home=tmp_path)
    assert unreadable.code == 2
    assert "ingest.strategy" in unreadable.err

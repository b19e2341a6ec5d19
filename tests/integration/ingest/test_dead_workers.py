"""Workers that end in the middle of a unit, at every stage: another one takes it up, and it is applied
once."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.deadline import Deadline
from gateway.bench.model_server.knowledge import KnownFact
from gateway.bench.model_server.server import ModelServer
from gateway.embedded.fleet import EmbeddedFleet
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline.unit_result import UnitResult
from gateway.ingest.pipeline.unit_run import Told
from gateway.ingest.queue.status import EpisodeState
from gateway.ingest.work.worker import Worker
from gateway.settings.service import IngestSection
from gateway.worker_process import WorkerProcess
from graphgate.v1 import graph_service_pb2
from graphgate.v1 import ingest_service_pb2 as pb
from tests.eventually import eventually
from tests.fakes.hashing_embedder import HashingEmbedder
from tests.integration.ingest.conftest import ingest_settings, world_of
from tests.integration.ingest.world import PATIENCE_S, World, known

AFTER_THE_WRITE = "AFTER_THE_WRITE"
STAGES = [EpisodeState.EXTRACTING, EpisodeState.RESOLVING, EpisodeState.WRITING, AFTER_THE_WRITE]
SETTINGS = IngestSection(worker=False, lease_s=1.0, pause_s_max=0.5, partitions=3)


@pytest.fixture(scope="module")
async def idle(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncGenerator[tuple[World, EmbeddedFleet, ModelServer, Path]]:
    """A gateway that does not work on its queue, over a fleet of its own."""
    server = ModelServer()
    await server.start()
    cache = tmp_path_factory.mktemp("cache")
    async with (
        EmbeddedFleet(tmp_path_factory.mktemp("idle"), falkordb_shards=1) as fleet,
        world_of(ingest_settings(fleet, server, cache, SETTINGS), server) as world,
    ):
        yield world, fleet, server, cache
    await server.stop()


@asynccontextmanager
async def working(
    fleet: EmbeddedFleet, server: ModelServer, cache: Path, *, strategy: str = SETTINGS.strategy
) -> AsyncGenerator[WorkerProcess]:
    section = SETTINGS.model_copy(update={"strategy": strategy})
    process = WorkerProcess(ingest_settings(fleet, server, cache, section), HashingEmbedder())
    try:
        await process.start()
        yield process
    finally:
        await process.stop(0)


def worker_of(process: WorkerProcess) -> Worker:
    worker = process._ingestion._worker
    assert worker is not None
    return worker


def stops_at(worker: Worker, stage: str, reached: asyncio.Event) -> None:
    """It gets no further than to this stage."""
    run = worker._attempts._units.run

    async def stopping(
        jobs: Sequence[EpisodeJob], op_id: str, content_hash: str, told: Told, deadline: Deadline
    ) -> UnitResult:
        def heard(state: EpisodeState, episodes: int) -> None:
            told(state, episodes)
            if state == stage:
                reached.set()
                raise _Dead

        try:
            result = await run(jobs, op_id, content_hash, heard, deadline)
        except _Dead:
            await asyncio.Event().wait()
            raise
        if stage == AFTER_THE_WRITE:
            reached.set()
            await asyncio.Event().wait()
        return result

    worker._attempts._units.run = stopping


class _Dead(Exception):
    pass


async def dies(worker: Worker) -> None:
    """As a killed process: nothing is recorded, nothing is given back."""

    async def nothing() -> None:
        pass

    worker._leases.give_back = nothing
    await worker.stop(0)


@pytest.mark.parametrize("stage", STAGES, ids=str)
async def test_a_unit_of_a_dead_worker_is_applied_once(
    idle: tuple[World, EmbeddedFleet, ModelServer, Path], new_group: Callable[[], str], stage: str
) -> None:
    """Five episodes of one group: in order, each once, whatever the first worker had done of them."""
    world, fleet, server, cache = idle
    group = new_group()
    requests: list[pb.AddEpisodeRequest] = []
    for number in range(5):
        content = f"Number {number} of {group}."
        fact = KnownFact("Ada", f"City {number}", "VISITED", f"Ada visited city {number}, {group}")
        server.knowledge.learn(content, known(fact))
        requests.append(world.request(group, content, request_id=f"n-{number}", wait=False))
    await world.ingest.AddEpisodes(pb.AddEpisodesRequest(requests=requests))
    reached = asyncio.Event()
    async with working(fleet, server, cache) as first:
        stops_at(worker_of(first), stage, reached)
        async with asyncio.timeout(PATIENCE_S):
            await reached.wait()
        await dies(worker_of(first))
    async with working(fleet, server, cache):
        await eventually(lambda: _all_applied(world, group), PATIENCE_S)
    facts = await world.facts(group)
    assert len(facts) == 5
    assert all(len(one.episode_uuids) == 1 for one in facts.values())
    listed = await world.graph.ListEpisodes(
        graph_service_pb2.ListEpisodesRequest(group_id=group, page_size=100)
    )
    assert len(listed.episodes) == 5
    assert {one.fact for one in facts.values()} == {f"Ada visited city {n}, {group}" for n in range(5)}


async def _all_applied(world: World, group: str) -> bool:
    states: set[int] = set()
    for number in range(5):
        asked = pb.GetEpisodeStatusRequest(group_id=group, request_id=f"n-{number}")
        states.add((await world.ingest.GetEpisodeStatus(asked)).status.state)
    return states == {pb.EPISODE_STATE_APPLIED}


async def test_a_unit_that_was_written_is_not_split_up(
    idle: tuple[World, EmbeddedFleet, ModelServer, Path], new_group: Callable[[], str]
) -> None:
    """A worker that would give it up, for it had ended too many workers, finds that it has been written."""
    world, fleet, server, cache = idle
    group = new_group()
    requests = [
        world.request(group, f"Ada met Person{number} in Town{number}.", request_id=f"n-{number}", wait=False)
        for number in range(5)
    ]
    await world.ingest.AddEpisodes(pb.AddEpisodesRequest(requests=requests))
    reached = asyncio.Event()
    async with working(fleet, server, cache) as first:
        stops_at(worker_of(first), AFTER_THE_WRITE, reached)
        async with asyncio.timeout(PATIENCE_S):
            await reached.wait()
        await dies(worker_of(first))
    async with working(fleet, server, cache) as second:
        worker = worker_of(second)
        worker._attempts._settings = replace(worker._attempts._settings, tries_max=0)
        await eventually(lambda: _all_applied(world, group), PATIENCE_S)
        assert worker.counts.split == 0
    found = await world.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group))
    assert found.group.version == 1


async def test_a_worker_that_stops_gives_turns_back_that_it_has_not_begun(
    idle: tuple[World, EmbeddedFleet, ModelServer, Path], new_group: Callable[[], str]
) -> None:
    """Several groups, of which it works on one at a time."""
    world, fleet, server, cache = idle
    groups = {new_group() for _ in range(8)}
    for group in groups:
        await world.ingest.AddEpisode(world.request(group, f"Waits. {group}", wait=False))
    reached = asyncio.Event()
    async with working(fleet, server, cache, strategy="sequential") as first:
        worker = worker_of(first)
        stops_at(worker, EpisodeState.RESOLVING, reached)
        async with asyncio.timeout(PATIENCE_S):
            await reached.wait()
        assert worker._backlog
        await worker.stop(0)
        taken: set[str] = set()
        while turns := await worker._queue.turns("other", 0.05):
            taken |= {one.group_id for one in turns}
        assert taken >= groups


async def test_a_worker_that_stops_gives_its_units_back(
    idle: tuple[World, EmbeddedFleet, ModelServer, Path], new_group: Callable[[], str]
) -> None:
    """The next one need not wait for the lease."""
    world, fleet, server, cache = idle
    group = new_group()
    await world.ingest.AddEpisode(world.request(group, f"Given back. {group}", request_id="n-0", wait=False))
    reached = asyncio.Event()
    async with working(fleet, server, cache) as first:
        stops_at(worker_of(first), EpisodeState.RESOLVING, reached)
        async with asyncio.timeout(PATIENCE_S):
            await reached.wait()
        await worker_of(first).stop(0)
        taken = await worker_of(first)._queue.turns("other", 5.0)
        assert [one.group_id for one in taken] == [group]

"""ClearGroup and the queue: what waits refuses it or is discarded, what a worker has is waited for."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import grpc
import pytest

from gateway.bench.model_server.server import ModelServer
from gateway.embedded.fleet import EmbeddedFleet
from gateway.ingest.queue import withdrawal
from graphgate.v1 import graph_service_pb2
from graphgate.v1 import ingest_service_pb2 as pb
from tests.eventually import eventually
from tests.integration.gateway.calls import refused
from tests.integration.ingest.conftest import ingest_settings, world_of
from tests.integration.ingest.test_dead_workers import (
    AFTER_THE_WRITE,
    SETTINGS,
    dies,
    stops_at,
    worker_of,
    working,
)
from tests.integration.ingest.world import PATIENCE_S, World

Code = grpc.StatusCode
type Idle = tuple[World, EmbeddedFleet, ModelServer, Path]
EPISODES = 5


@pytest.fixture(scope="module")
async def idle(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Idle]:
    """A gateway that does not work on its queue, over a fleet of its own."""
    server = ModelServer()
    await server.start()
    cache = tmp_path_factory.mktemp("cache")
    async with (
        EmbeddedFleet(tmp_path_factory.mktemp("clear"), falkordb_shards=1) as fleet,
        world_of(ingest_settings(fleet, server, cache, SETTINGS), server) as world,
    ):
        yield world, fleet, server, cache
    await server.stop()


async def add(world: World, group: str, *numbers: int) -> None:
    requests = [
        world.request(group, f"Ada met Person{number} in Town{number}.", request_id=f"n-{number}", wait=False)
        for number in numbers
    ]
    answer = await world.ingest.AddEpisodes(pb.AddEpisodesRequest(requests=requests))
    assert all(one.WhichOneof("result") == "response" for one in answer.results)


async def clear(
    world: World, group: str, *, discard: bool = False, timeout_s: float = PATIENCE_S, up_to: int = 0
) -> pb.ClearGroupResponse:
    request = pb.ClearGroupRequest(group_id=group, discard_waiting=discard, up_to_version=up_to)
    return await world.ingest.ClearGroup(request, timeout=timeout_s)


async def states(world: World, group: str, *numbers: int) -> set[int]:
    found: set[int] = set()
    for number in numbers:
        asked = pb.GetEpisodeStatusRequest(group_id=group, request_id=f"n-{number}")
        found.add((await world.ingest.GetEpisodeStatus(asked)).status.state)
    return found


async def applied(world: World, group: str, *numbers: int) -> bool:
    return await states(world, group, *numbers) == {pb.EPISODE_STATE_APPLIED}


async def rows(world: World, group: str) -> int:
    described = await world.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group))
    return sum(one.rows for one in described.group.counts)


async def test_waiting_episodes_refuse_it_or_become_failures_that_can_be_replayed(
    idle: Idle, new_group: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is deleted by the refusal; another group's episodes wait on; what is added later is applied."""
    monkeypatch.setattr(withdrawal, "WITHDRAWN_AT_ONCE_MAX", 2)
    world, fleet, server, cache = idle
    group, other = new_group(), new_group()
    await add(world, group, 100)
    async with working(fleet, server, cache):
        await eventually(lambda: applied(world, group, 100), PATIENCE_S)
    await add(world, group, *range(EPISODES))
    await add(world, other, 0)
    before = await rows(world, group)
    refusal = await refused(clear(world, group))
    assert (refusal.code, refusal.reason) == (Code.FAILED_PRECONDITION, "EPISODES_WAITING")
    assert refusal.metadata["episodes"] == str(EPISODES)
    assert await rows(world, group) == before > 0
    cleared = await clear(world, group, discard=True)
    assert (cleared.done, cleared.episodes_discarded, await rows(world, group)) == (True, EPISODES, 0)
    listed = (await world.ingest.ListFailures(pb.ListFailuresRequest(group_id=group))).failures
    assert {one.error.reason for one in listed} == {"EPISODE_CLEARED"}
    assert [one.request_id for one in listed] == [f"n-{number}" for number in range(EPISODES)]
    assert await states(world, other, 0) == {pb.EPISODE_STATE_ACCEPTED}
    await world.ingest.ReplayFailures(pb.ReplayFailuresRequest(group_id=group, request_ids=["n-1"]))
    await add(world, group, 200)
    async with working(fleet, server, cache):
        await eventually(lambda: applied(world, group, 1, 200), PATIENCE_S)
        await eventually(lambda: applied(world, other, 0), PATIENCE_S)
    assert {"Person1", "Person200"} <= set(await world.entities(group))
    assert "Person2" not in await world.entities(group)
    assert await states(world, group, 0, 2, 3, 4) == {pb.EPISODE_STATE_FAILED}


async def test_a_group_of_which_everything_waits_is_cleared(idle: Idle, new_group: Callable[[], str]) -> None:
    """It does not exist yet, and nothing makes it afterwards."""
    world, fleet, server, cache = idle
    group = new_group()
    await add(world, group, 0, 1)
    assert (await refused(clear(world, group))).reason == "EPISODES_WAITING"
    cleared = await clear(world, group, discard=True)
    assert (cleared.done, cleared.episodes_discarded, cleared.version) == (True, 2, 0)
    marker = new_group()
    await add(world, marker, 0)
    async with working(fleet, server, cache):
        await eventually(lambda: applied(world, marker, 0), PATIENCE_S)
    described = world.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group))
    assert (await refused(described)).code is Code.NOT_FOUND
    assert (await refused(clear(world, group))).reason == "GROUP_NOT_FOUND"


async def test_what_a_worker_has_is_waited_for_and_goes_too(idle: Idle, new_group: Callable[[], str]) -> None:
    """Also when that worker dies after its write; what is behind is discarded meanwhile."""
    world, fleet, server, cache = idle
    group = new_group()
    await add(world, group, *range(EPISODES))
    reached = asyncio.Event()
    async with working(fleet, server, cache) as first:
        stops_at(worker_of(first), AFTER_THE_WRITE, reached)
        async with asyncio.timeout(PATIENCE_S):
            await reached.wait()
        await add(world, group, 10, 11)
        held = await clear(world, group, discard=True, timeout_s=3.0)
        assert (held.done, held.up_to_version, held.episodes_discarded) == (False, 0, 2)
        assert held.episodes_running >= 1
        assert not held.deleted
        await dies(worker_of(first))
    async with working(fleet, server, cache):
        cleared = await clear(world, group, discard=True)
        assert (cleared.done, await rows(world, group)) == (True, 0)
        assert await states(world, group, *range(held.episodes_running)) == {pb.EPISODE_STATE_APPLIED}
        await add(world, group, 20)
        await eventually(lambda: applied(world, group, 20), PATIENCE_S)
    assert set(await world.entities(group)) == {"Ada", "Person20", "Town20"}


@pytest.mark.parametrize("is_written", [True, False])
async def test_a_unit_that_was_given_back_is_ended_as_it_is(
    idle: Idle, new_group: Callable[[], str], is_written: bool
) -> None:
    """Written and not recorded: applied, for a replay would bring nothing. Not written: a failure that a
    replay brings back."""
    world, fleet, server, cache = idle
    group = new_group()
    await add(world, group, 50)
    async with working(fleet, server, cache):
        await eventually(lambda: applied(world, group, 50), PATIENCE_S)
    await add(world, group, *range(EPISODES))
    reached = asyncio.Event()
    async with working(fleet, server, cache) as worker:
        stage = AFTER_THE_WRITE if is_written else "EXTRACTING"
        stops_at(worker_of(worker), stage, reached)
        async with asyncio.timeout(PATIENCE_S):
            await reached.wait()
    # The worker has given back what it had.
    cleared = await clear(world, group, discard=True)
    assert (cleared.done, await rows(world, group)) == (True, 0)
    ended = await states(world, group, *range(EPISODES))
    if not is_written:
        assert (ended, cleared.episodes_discarded) == ({pb.EPISODE_STATE_FAILED}, EPISODES)
    else:
        assert pb.EPISODE_STATE_APPLIED in ended
    listed = (await world.ingest.ListFailures(pb.ListFailuresRequest(group_id=group))).failures
    assert len(listed) == cleared.episodes_discarded
    await world.ingest.ReplayFailures(pb.ReplayFailuresRequest(group_id=group))
    async with working(fleet, server, cache):
        await eventually(lambda: applied(world, group, *range(EPISODES)), PATIENCE_S)
    brought = {one for one in await world.entities(group) if one.startswith("Person")}
    assert len(brought) == cleared.episodes_discarded


async def test_with_a_version_the_queue_is_not_looked_at(idle: Idle, new_group: Callable[[], str]) -> None:
    """So that a repeat is not refused, and discards nothing, because of what was added since."""
    world, fleet, server, cache = idle
    group = new_group()
    await add(world, group, 0)
    async with working(fleet, server, cache):
        await eventually(lambda: applied(world, group, 0), PATIENCE_S)
    await add(world, group, 1)
    cleared = await clear(world, group, discard=True, up_to=1)
    assert (cleared.done, cleared.episodes_discarded, await rows(world, group)) == (True, 0, 0)
    async with working(fleet, server, cache):
        await eventually(lambda: applied(world, group, 1), PATIENCE_S)
    assert "Person1" in await world.entities(group)

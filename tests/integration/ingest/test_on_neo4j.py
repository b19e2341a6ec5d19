"""Ingestion into a Neo4j shard: what holds when, what a removal leaves, and a worker that dies."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from gateway.bench.model_server.server import ModelServer
from gateway.embedded.fleet import EmbeddedFleet
from graphgate.v1 import ingest_service_pb2 as pb
from tests.eventually import eventually
from tests.integration.ingest.conftest import ingest_settings, world_of
from tests.integration.ingest.conversation import Conversation, check, remove, tell
from tests.integration.ingest.test_conversations import CONVERSATIONS
from tests.integration.ingest.test_dead_workers import (
    AFTER_THE_WRITE,
    SETTINGS,
    dies,
    stops_at,
    worker_of,
    working,
)
from tests.integration.ingest.test_late_and_corrected import CORRECTED
from tests.integration.ingest.test_removed_episodes import CHAINS, SUPPORTED
from tests.integration.ingest.world import PATIENCE_S, World

NAMES = {
    "moved twice",
    "middle fact arrives last",
    "corrected: it was never so",
    "one episode ends two facts",
    "later than was told",
    "the wrong date and its correction are removed",
    "of a chain, the middle one and the last",
    "the nearer of two that had ended a late one",
    "the first to tell what another tells too",
    "the first of two who told a start each",
}
CHOSEN = [one for one in (*CONVERSATIONS, *CORRECTED, *CHAINS, *SUPPORTED) if one.name in NAMES]


@pytest.fixture(scope="module")
async def idle(
    tmp_path_factory: pytest.TempPathFactory, neo4j_installed: None
) -> AsyncGenerator[tuple[World, EmbeddedFleet, ModelServer, Path]]:
    """A gateway that does not work on its queue, over a fleet with one Neo4j shard."""
    server = ModelServer()
    await server.start()
    cache = tmp_path_factory.mktemp("cache")
    directory = tmp_path_factory.mktemp("neo4j-fleet")
    async with (
        EmbeddedFleet(directory, falkordb_shards=0, neo4j_shards=1, neo4j_short_lived=True) as fleet,
        world_of(ingest_settings(fleet, server, cache, SETTINGS), server) as world,
    ):
        yield world, fleet, server, cache
    await server.stop()


async def test_what_holds_and_what_a_removal_leaves(
    idle: tuple[World, EmbeddedFleet, ModelServer, Path], new_group: Callable[[], str]
) -> None:
    """Conversations in groups of their own, side by side; every other one as one unit."""
    world, fleet, server, cache = idle
    assert {one.name for one in CHOSEN} == NAMES

    async def runs(conversation: Conversation, *, together: bool) -> None:
        group = new_group()
        statuses = await tell(world, group, conversation, together=together)
        await remove(world, group, conversation, statuses)
        await check(world, group, conversation)

    async with working(fleet, server, cache):
        await asyncio.gather(*(runs(one, together=bool(at % 2)) for at, one in enumerate(CHOSEN)))


async def test_a_unit_of_a_dead_worker_is_applied_once(
    idle: tuple[World, EmbeddedFleet, ModelServer, Path], new_group: Callable[[], str]
) -> None:
    """It had written it and told nobody; the next one finds that, and goes on."""
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
    before = set(await world.facts(group))
    assert before
    async with working(fleet, server, cache):
        await eventually(lambda: _all_applied(world, group, len(requests)), PATIENCE_S)
    facts = await world.facts(group)
    assert before <= facts.keys()
    assert all(len(one.episode_uuids) == 1 for one in facts.values())


async def _all_applied(world: World, group: str, episodes: int) -> bool:
    states: set[int] = set()
    for number in range(episodes):
        asked = pb.GetEpisodeStatusRequest(group_id=group, request_id=f"n-{number}")
        states.add((await world.ingest.GetEpisodeStatus(asked)).status.state)
    return states == {pb.EPISODE_STATE_APPLIED}

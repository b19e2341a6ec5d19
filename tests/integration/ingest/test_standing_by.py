"""Gateways without a language model, beside those that have one and alone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.bench.model_server.server import ModelServer
from gateway.embedded.fleet import EmbeddedFleet
from gateway.settings.service import LanguageModelSection
from gateway.settings.tree import Settings
from graphgate.v1 import graph_pb2, ingest_service_pb2
from tests.integration.ingest.conftest import ingest_settings, world_of
from tests.integration.ingest.world import PATIENCE_S, World

GROUPS = 40


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    server = ModelServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def settings(server: ModelServer, tmp_path: Path) -> AsyncIterator[Settings]:
    """Of a fleet of its own: no other worker is there."""
    async with EmbeddedFleet(tmp_path / "fleet", falkordb_shards=1) as fleet:
        yield ingest_settings(fleet, server, tmp_path / "cache")


def without_model(settings: Settings) -> Settings:
    return settings.model_copy(update={"llm": LanguageModelSection()})


async def applied_triple(world: World, group: str) -> None:
    request = world.request(group, "Ada | lives in | London")
    request.episode.source = graph_pb2.EPISODE_SOURCE_FACT_TRIPLE
    answer = await world.ingest.AddEpisode(request, timeout=PATIENCE_S)
    assert answer.state == ingest_service_pb2.EPISODE_STATE_APPLIED, answer


async def test_a_gateway_without_a_model_leaves_episodes_to_those_that_have_one(
    settings: Settings, server: ModelServer, new_group: Callable[[], str]
) -> None:
    """Each is tried once, by a worker that can do it: none waits for a pause that the other one made. Triples
    that the one without a model accepts are the others' too; once these are gone they are its own."""
    async with AsyncExitStack() as all_of_them, AsyncExitStack() as others:
        world = await others.enter_async_context(world_of(settings, server))
        # Now its worker is known to whoever looks.
        await world.tell(new_group(), "Ada met Bob.")
        without = await all_of_them.enter_async_context(world_of(without_model(settings), server))
        told = await asyncio.gather(
            *(world.tell(new_group(), f"Ada met Bob in Town{at}.") for at in range(GROUPS))
        )
        assert {one.state for one in told} == {ingest_service_pb2.EPISODE_STATE_APPLIED}
        assert [one.attempts for one in told] == [1] * GROUPS
        await applied_triple(without, new_group())
        await others.aclose()
        await applied_triple(without, new_group())

"""Parts that are away while episodes wait: a shard, the model, the queue's Redis, and records in it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from redis.asyncio import Redis

from gateway.bench.model_server.knowledge import KnownFact
from gateway.bench.model_server.replies import Late
from gateway.bench.model_server.server import ModelServer, ServerOptions
from gateway.embedded.fleet import CATALOG_ID, EmbeddedFleet
from gateway.settings.service import IngestSection
from gateway.worker_process import WorkerProcess
from graphgate.v1 import graph_pb2, graph_service_pb2, search_service_pb2
from graphgate.v1 import ingest_service_pb2 as pb
from tests.eventually import eventually
from tests.fakes.hashing_embedder import HashingEmbedder
from tests.integration.gateway.calls import refused
from tests.integration.ingest.conftest import ingest_settings, world_of
from tests.integration.ingest.test_faults import whenever
from tests.integration.ingest.world import PATIENCE_S, World, known

QUICK = IngestSection(lease_s=1.0, pause_s_max=0.2)
ATTEMPTS = 3
"""Of an episode while the model is away, each with the tries and pauses of the client."""


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    made = ModelServer()
    await made.start()
    yield made
    await made.stop()


def learn(server: ModelServer, text: str) -> None:
    server.knowledge.learn(text, known(KnownFact("Ada", "London", "LIVES_IN", f"Ada lives there: {text}")))


async def waiting(world: World, group: str, count: int, *, first: int = 0) -> None:
    """So many episodes, accepted one after the other."""
    for number in range(first, first + count):
        text = f"Episode {number} of {group}."
        learn(world.server, text)
        request = world.request(group, text, request_id=f"n-{number}", wait=False)
        answer = await world.ingest.AddEpisode(request, timeout=PATIENCE_S)
        assert answer.state in (pb.EPISODE_STATE_ACCEPTED, pb.EPISODE_STATE_APPLIED)


async def status(world: World, group: str, number: int) -> pb.EpisodeStatus:
    asked = pb.GetEpisodeStatusRequest(group_id=group, request_id=f"n-{number}")
    return (await world.ingest.GetEpisodeStatus(asked)).status


async def failing(world: World, group: str, number: int, attempts: int = 1) -> list[pb.EpisodeStatus]:
    """Its status once it waits after so many attempts and tells why; before, none."""
    found = await status(world, group, number)
    return [found] if found.attempts >= attempts and found.error.reason else []


async def all_applied(world: World, group: str, count: int) -> list[int]:
    """Their versions; empty before."""
    found = [await status(world, group, number) for number in range(count)]
    assert not any(one.state == pb.EPISODE_STATE_FAILED for one in found), found
    if any(one.state != pb.EPISODE_STATE_APPLIED for one in found):
        return []
    return [one.version for one in found]


async def check_applied(world: World, group: str, count: int) -> None:
    """Each once, in their order, none a failure."""
    versions = await eventually(lambda: all_applied(world, group, count), PATIENCE_S)
    assert versions == sorted(versions)
    facts = await world.facts(group)
    assert len(facts) == count
    assert all(len(one.episode_uuids) == 1 for one in facts.values())
    listed = await world.ingest.ListFailures(pb.ListFailuresRequest(group_id=group))
    assert list(listed.failures) == []


async def shard_of(world: World, group: str) -> str:
    asked = graph_service_pb2.GetGroupRequest(group_id=group)
    return (await world.graph.GetGroup(asked)).group.shard


async def test_a_shard_that_is_down_holds_up_its_own_groups_only(tmp_path: Path, server: ModelServer) -> None:
    """Their episodes are accepted, wait and are told why; the others' are applied meanwhile."""
    async with EmbeddedFleet(tmp_path / "fleet", falkordb_shards=2) as fleet:
        settings = ingest_settings(fleet, server, tmp_path, QUICK)
        async with world_of(settings, server) as world:
            groups: dict[str, str] = {}
            for number in range(40):
                await waiting(world, f"group-{number}", 1)
                await check_applied(world, f"group-{number}", 1)
                groups.setdefault(await shard_of(world, f"group-{number}"), f"group-{number}")
                if len(groups) == 2:
                    break
            (down, held_up), (_, others) = sorted(groups.items())
            await fleet.kill(down)
            await waiting(world, held_up, 5, first=1)
            await waiting(world, others, 5, first=1)
            await check_applied(world, others, 6)
            (held,) = await eventually(lambda: failing(world, held_up, 1), PATIENCE_S)
            assert held.state != pb.EPISODE_STATE_FAILED
            assert held.error.retryable
            await fleet.restart(down)
            await check_applied(world, held_up, 6)


async def test_a_model_that_is_down_for_long_loses_nothing(tmp_path: Path) -> None:
    """Its server is gone, for many pauses and tries. The gateway answers all other calls, takes further
    episodes, and applies all of them once the model is back."""
    server = ModelServer()
    await server.start()
    async with EmbeddedFleet(tmp_path / "fleet", falkordb_shards=1) as fleet:
        settings = ingest_settings(fleet, server, tmp_path, QUICK)
        async with world_of(settings, server) as world:
            port = server.port
            await server.stop()
            groups = [f"away-{number}" for number in range(5)]
            for group in groups:
                await waiting(world, group, 3)
            for group in groups:
                (found,) = await eventually(lambda g=group: failing(world, g, 0, ATTEMPTS), PATIENCE_S)
                assert found.error.reason.startswith("MODEL_")
                assert found.error.retryable
            direct = pb.AddEpisodeRequest(group_id="direct", episode=graph_pb2.Episode(content="Ada is here"))
            answer = await world.ingest.AddEpisode(direct, timeout=5)
            assert answer.state == pb.EPISODE_STATE_APPLIED
            wanted = search_service_pb2.SearchRequest(group_id="direct", query="Ada")
            await world.search.Search(wanted, timeout=5)
            await asyncio.gather(*(waiting(world, group, 1, first=3) for group in groups))
            back = ModelServer(ServerOptions(port=port))
            back.knowledge = server.knowledge
            await back.start()
            for group in groups:
                await check_applied(world, group, 4)
            await back.stop()


async def test_an_answer_after_the_deadline_counts_for_nothing(tmp_path: Path, server: ModelServer) -> None:
    """The episode waits, others go on, and what comes late is thrown away."""
    async with EmbeddedFleet(tmp_path / "fleet", falkordb_shards=1) as fleet:
        settings = ingest_settings(fleet, server, tmp_path, QUICK)
        settings = settings.model_copy(
            update={"llm": settings.llm.model_copy(update={"timeout_s": 0.5, "fallback_after_s": 0.5})}
        )
        async with world_of(settings, server) as world:
            server.chooses = whenever("Episode 0 of late", Late(2.0))
            await waiting(world, "late", 2)
            await waiting(world, "others", 2)
            await check_applied(world, "others", 2)
            (found,) = await eventually(lambda: failing(world, "late", 0), PATIENCE_S)
            assert (found.error.reason, found.error.retryable) == ("MODEL_TIMEOUT", True)
            assert (await refused(world.facts("late"))).code is grpc.StatusCode.NOT_FOUND
            server.chooses = None
            await check_applied(world, "late", 2)


async def test_a_redis_that_is_restarted_keeps_what_was_accepted(tmp_path: Path, server: ModelServer) -> None:
    """Killed while episodes wait: calls fail typed and can be retried, then all are applied in order."""
    async with EmbeddedFleet(tmp_path / "fleet", falkordb_shards=1) as fleet:
        idle = QUICK.model_copy(update={"worker": False})
        async with world_of(ingest_settings(fleet, server, tmp_path, idle), server) as world:
            groups = [f"kept-{number}" for number in range(5)]
            for group in groups:
                await waiting(world, group, 3)
            worker = WorkerProcess(ingest_settings(fleet, server, tmp_path, QUICK), HashingEmbedder())
            await worker.start()
            try:
                await fleet.kill(CATALOG_ID)
                request = world.request(groups[0], "Not now.", request_id="n-3", wait=False)
                refusal = await refused(world.ingest.AddEpisode(request))
                assert (refusal.code, refusal.reason) == (
                    grpc.StatusCode.UNAVAILABLE,
                    "INGEST_QUEUE_UNAVAILABLE",
                )
                assert refusal.retry_delay_s is not None
                await fleet.restart(CATALOG_ID)
                for group in groups:
                    await check_applied(world, group, 3)
            finally:
                await worker.stop(0)


@pytest.mark.parametrize("lost", ["payload", "record"])
async def test_an_episode_that_the_queue_has_lost_is_a_failure_with_a_reason(
    tmp_path: Path, server: ModelServer, lost: str
) -> None:
    """Redis may evict what it should not: the others of the group go on, and the episode can be told anew."""
    async with EmbeddedFleet(tmp_path / "fleet", falkordb_shards=1) as fleet:
        idle = QUICK.model_copy(update={"worker": False})
        async with world_of(ingest_settings(fleet, server, tmp_path, idle), server) as world:
            await waiting(world, "lossy", 3)
            async with Redis.from_url(fleet.catalog_url, decode_responses=True) as redis:
                (key,) = [one async for one in redis.scan_iter("*op:lossy/n-1")]
                if lost == "payload":
                    await redis.hdel(key, "payload")
                else:
                    await redis.delete(key)
            worker = WorkerProcess(ingest_settings(fleet, server, tmp_path, QUICK), HashingEmbedder())
            await worker.start()
            try:

                async def others_applied() -> bool:
                    found = [await status(world, "lossy", number) for number in (0, 2)]
                    return all(one.state == pb.EPISODE_STATE_APPLIED for one in found)

                await eventually(others_applied, PATIENCE_S)
                listed = await world.ingest.ListFailures(pb.ListFailuresRequest(group_id="lossy"))
                (failure,) = listed.failures
                assert (failure.request_id, failure.error.reason) == ("n-1", "EPISODE_LOST")
                assert "add the episode anew" in failure.error.message
                replayed = await world.ingest.ReplayFailures(pb.ReplayFailuresRequest(group_id="lossy"))
                assert list(replayed.replayed) == []
                anew = await world.tell("lossy", "Episode 1 of lossy.", request_id="anew")
                assert anew.state == pb.EPISODE_STATE_APPLIED, anew
                assert len(await world.facts("lossy")) == 3
            finally:
                await worker.stop(0)

"""One group with very many episodes next to very many groups with one each: nobody starves."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterable
from itertools import batched
from pathlib import Path

import pytest

from gateway.bench.model_server.knowledge import KnownText
from gateway.bench.model_server.server import ModelServer, ServerOptions
from gateway.embedded.fleet import EmbeddedFleet
from gateway.ingest.queue.store import partition_of
from gateway.settings.service import IngestSection
from gateway.worker_process import WorkerProcess
from graphgate.v1 import ingest_service_pb2 as pb
from tests.eventually import eventually
from tests.fakes.hashing_embedder import HashingEmbedder
from tests.integration.ingest.conftest import ingest_settings, world_of
from tests.integration.ingest.world import World

BUSY_EPISODES = int(os.environ.get("GRAPHGATE_CROWD_EPISODES", "400"))
"""Of the one group; the full size is 10,000."""
QUIET_GROUPS = BUSY_EPISODES // 10
BATCH_MAX = 4
"""Episodes of one unit: the busy group has at least a hundred turns ahead."""
TURNS_MORE_MAX = 3
"""Of the busy group: its first one, and those that are under way when others end."""
SECONDS_PER_EPISODE_MAX = 0.1
"""What is waited for, not what is judged."""
PATIENCE_S = 60 + SECONDS_PER_EPISODE_MAX * (BUSY_EPISODES + QUIET_GROUPS)
AT_ONCE = 500


@pytest.mark.timeout(PATIENCE_S + 120)
async def test_many_episodes_of_one_group_starve_no_other(tmp_path: Path) -> None:
    """Judged by the order in which they end, though all of the busy group's episodes came first. A group has
    one turn in each round of its partition, and partitions take turns: the busy one gets one more for each
    quiet group by which the longest partition is longer than its own."""
    server = ModelServer(ServerOptions(keeps_requests=False))
    await server.start()
    working = IngestSection(lease_s=30.0, first_batch=BATCH_MAX, batch_max=BATCH_MAX)
    idle = working.model_copy(update={"worker": False})
    quiet = [f"quiet-{number}" for number in range(QUIET_GROUPS)]
    async with (
        EmbeddedFleet(tmp_path / "fleet", falkordb_shards=1) as fleet,
        world_of(ingest_settings(fleet, server, tmp_path, idle), server) as world,
    ):
        await _accepted(world, ["busy"] * BUSY_EPISODES)
        await _accepted(world, quiet)
        worker = WorkerProcess(ingest_settings(fleet, server, tmp_path, working), HashingEmbedder())
        await worker.start()
        try:
            last = ("busy", f"n-{BUSY_EPISODES - 1}")
            await eventually(lambda: _applied(world, [last]), PATIENCE_S)
            others = [(group, "n-0") for group in quiet]
            await eventually(lambda: _applied(world, others), PATIENCE_S)
        finally:
            await worker.stop(0)
        busy = await _ended(world, [("busy", f"n-{number}") for number in range(BUSY_EPISODES)])
        last_quiet = max(at for at, _ in await _ended(world, others))
        before = sum(at <= last_quiet for at, _ in busy)
        lengths = Counter(partition_of(group, working.partitions) for group in quiet)
        turns = max(lengths.values()) - lengths[partition_of("busy", working.partitions)] + TURNS_MORE_MAX
        assert before <= turns * BATCH_MAX, f"{before} of {BUSY_EPISODES} before the last quiet group"
        assert busy == sorted(busy)
    await server.stop()


async def _accepted(world: World, groups: Iterable[str]) -> None:
    requests: list[pb.AddEpisodeRequest] = []
    seen: dict[str, int] = {}
    for group in groups:
        number = seen[group] = seen.get(group, -1) + 1
        content = f"Number {number} of {group}."
        # Nothing to find: what is measured is whose turn it is.
        world.server.knowledge.learn(content, KnownText(()))
        requests.append(world.request(group, content, request_id=f"n-{number}", wait=False))
    for part in batched(requests, AT_ONCE):
        answer = await world.ingest.AddEpisodes(pb.AddEpisodesRequest(requests=part), timeout=120)
        assert all(one.WhichOneof("result") == "response" for one in answer.results), answer.results[0]


async def _applied(world: World, episodes: Iterable[tuple[str, str]]) -> bool:
    return all(found for found in await asyncio.gather(*(_one(world, *one) for one in episodes)))


async def _one(world: World, group: str, request_id: str) -> pb.EpisodeStatus | None:
    asked = pb.GetEpisodeStatusRequest(group_id=group, request_id=request_id)
    found = (await world.ingest.GetEpisodeStatus(asked, timeout=60)).status
    assert found.state != pb.EPISODE_STATE_FAILED, found
    return found if found.state == pb.EPISODE_STATE_APPLIED else None


async def _ended(world: World, episodes: Iterable[tuple[str, str]]) -> list[tuple[int, int]]:
    """(when each ended in microseconds, its group's version then), in the order given."""
    ended: list[tuple[int, int]] = []
    for part in batched(episodes, AT_ONCE):
        for found in await asyncio.gather(*(_one(world, *one) for one in part)):
            assert found is not None
            ended.append((found.updated_at.ToMicroseconds(), found.version))
    return ended

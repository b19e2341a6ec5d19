"""How soon an accepted episode is found: polled by searching, as a caller would."""

import asyncio
import time
from collections.abc import Sequence

from gateway.bench.ingest.episodes import BenchEpisode
from gateway.bench.ingest.errors import EpisodeNotVisible
from gateway.loopback.client import GatewayClient
from graphgate.v1 import graph_pb2
from graphgate.v1 import search_service_pb2 as search_pb

MEASURED_OF = 2
"""Of every second episode: searches must not be the load that is measured."""
WORDS = 12
"""Of an episode's beginning, by which it is searched."""
HITS = 10
VISIBLE_S_MAX = 120.0
CALL_S_MAX = 30.0
_POLL_S_MIN = 0.02
_POLL_SHARE = 0.05
"""Of the time that has passed: the next poll comes so much later, and that is the error of the figure."""


async def visible_ms(
    client: GatewayClient, episodes: Sequence[tuple[str, BenchEpisode]], per_s: float
) -> list[float]:
    """Adds the episodes at that rate, each with its group, whether or not those before are found yet: from
    the answer of AddEpisode, which is the acceptance, to the first search that finds the episode. The groups
    exist.

    Raises AioRpcError and EpisodeNotVisible, in an ExceptionGroup.
    """
    started = time.perf_counter()
    waits: list[asyncio.Task[float]] = []
    async with asyncio.TaskGroup() as tasks:
        for number, (group_id, one) in enumerate(episodes):
            await asyncio.sleep(max(0.0, started + number / per_s - time.perf_counter()))
            answer = await client.ingest.AddEpisode(one.request(group_id), timeout=CALL_S_MAX)
            if number % MEASURED_OF == 0:
                waits.append(tasks.create_task(_found_after_ms(client, group_id, one, answer.episode_uuid)))
    return [wait.result() for wait in waits]


async def _found_after_ms(
    client: GatewayClient, group_id: str, episode: BenchEpisode, episode_uuid: str
) -> float:
    accepted = time.perf_counter()
    spec = search_pb.ResultSpec(kind=graph_pb2.ROW_KIND_EPISODE, limit=HITS)
    spec.methods.append(search_pb.MethodWeight(method=search_pb.SEARCH_METHOD_KEYWORD, weight=1.0))
    request = search_pb.SearchRequest(
        group_id=group_id,
        results=[spec],
        query=" ".join(episode.content.split()[:WORDS]),
        cache=search_pb.SEARCH_CACHE_USE_BYPASS,
    )
    while True:
        answer = await client.search.Search(request, timeout=CALL_S_MAX)
        passed_s = time.perf_counter() - accepted
        if any(hit.episode.uuid == episode_uuid for result in answer.results for hit in result.hits):
            return passed_s * 1e3
        if passed_s > VISIBLE_S_MAX:
            raise EpisodeNotVisible(group_id, episode_uuid, VISIBLE_S_MAX)
        await asyncio.sleep(max(_POLL_S_MIN, _POLL_SHARE * passed_s))

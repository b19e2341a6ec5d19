"""The passages as episodes in mode LLM: sent, followed until all have ended, and what became of them."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched

import grpc

from gateway.bench.model_server.process import ModelServerStats
from gateway.corpus.graph_rows import GroupGraph
from gateway.loopback.client import GatewayClient
from gateway.loopback.errors import RetriesExhausted
from gateway.loopback.retry import PASSING_CODES, RETRY_LIMIT_S, until_acknowledged
from graphgate.v1 import graph_pb2, ingest_service_pb2

EPISODES_PER_CALL_MAX = 100
CALLS_RUNNING_MAX = 8
WATCHES_MAX = 64
CALL_TIMEOUT_S = 30.0
WATCH_S_MAX = 120.0
INGEST_S_MAX = 3_600.0
"""Until the next episode of a group has ended."""
RETRY_PAUSE_S = 0.5
"""Before what the queue had no room for is sent again, unless the gateway names a longer one."""
FAILURES_TOLD_MAX = 10

_ENDED = (ingest_service_pb2.EPISODE_STATE_APPLIED, ingest_service_pb2.EPISODE_STATE_FAILED)


@dataclass(frozen=True, slots=True)
class IngestFigures:
    """Sums over all episodes of a layout."""

    episodes: int
    failures: tuple[str, ...] = ()
    """At most FAILURES_TOLD_MAX, for people."""
    failed: int = 0
    entities_created: int = 0
    entities_joined: int = 0
    """Mentions of entities that an episode before has brought: the duplicates that were resolved."""
    facts_created: int = 0
    facts_repeated: int = 0
    facts_closed: int = 0
    problems: Mapping[str, int] = field(default_factory=dict[str, int])
    """Parts of answers that were not taken as they came, by kind; those that are listed."""
    models: ModelServerStats = field(default_factory=ModelServerStats)
    seconds: float = 0.0
    """From the first call to the last episode's end."""

    def as_json(self) -> dict[str, object]:
        calls = self.models.chat_requests
        tokens = self.models.input_tokens + self.models.output_tokens
        return {
            "episodes": self.episodes,
            "failed": self.failed,
            "failures": list(self.failures),
            "entities_created": self.entities_created,
            "entities_joined": self.entities_joined,
            "facts_created": self.facts_created,
            "facts_repeated": self.facts_repeated,
            "facts_closed": self.facts_closed,
            "problems": dict(self.problems),
            "model_calls": calls,
            "model_calls_by_task": {
                task: count for task, count in self.models.requests.items() if not task.startswith("/")
            },
            "model_calls_per_episode": round(calls / self.episodes, 3),
            "tokens_per_episode": round(tokens / self.episodes, 1),
            "seconds": round(self.seconds, 1),
        }


def model_settings(base_url: str) -> Mapping[str, str]:
    """Environment variables of a gateway whose language model is the fake model server at `base_url`."""
    return {
        "GRAPHGATE_LLM__MODEL": "fake-small",
        "GRAPHGATE_LLM__BASE_URL": base_url,
        "GRAPHGATE_LLM__REQUESTS_PER_S": "100000",
        # What the fake says must not be taken for a model's answers later.
        "GRAPHGATE_LLM__CACHE_BYTES_MAX": "0",
    }


async def ingest(
    client: GatewayClient, groups: Sequence[GroupGraph], on_ended: Callable[[], None]
) -> IngestFigures:
    """Every passage, groups side by side, each group's in order; the figures are without `models`. `on_ended`
    is told of every episode that is applied or has failed.

    Raises RetriesExhausted and AioRpcError.
    """
    started = time.monotonic()
    calls, watches = asyncio.Semaphore(CALLS_RUNNING_MAX), asyncio.Semaphore(WATCHES_MAX)
    statuses: list[ingest_service_pb2.EpisodeStatus] = []

    async def work(group: GroupGraph) -> None:
        async with calls:
            await _accepted(client, group)
        async with watches:
            for passage in group.passages:
                statuses.append(await _ended(client, group.group_id, passage.episode.uuid))
                on_ended()

    async with asyncio.TaskGroup() as tasks:
        for group in groups:
            tasks.create_task(work(group))
    return _figures(statuses, time.monotonic() - started)


async def _accepted(client: GatewayClient, group: GroupGraph) -> None:
    for passages in batched(group.passages, EPISODES_PER_CALL_MAX):
        requests = [
            ingest_service_pb2.AddEpisodeRequest(
                group_id=group.group_id,
                episode=graph_pb2.Episode(
                    uuid=one.episode.uuid, name=one.episode.name, content=one.episode.content
                ),
                mode=ingest_service_pb2.EXTRACTION_MODE_LLM,
                request_id=one.episode.uuid,
            )
            for one in passages
        ]
        await _all_accepted(client, requests)


async def _all_accepted(
    client: GatewayClient, requests: Sequence[ingest_service_pb2.AddEpisodeRequest]
) -> None:
    """In order: from the first one that was refused for now on, they are sent again."""
    started = time.monotonic()
    left = requests
    while left:
        added = await until_acknowledged(
            lambda left=left: client.ingest.AddEpisodes(
                ingest_service_pb2.AddEpisodesRequest(requests=left), timeout=CALL_TIMEOUT_S
            ),
            left[0].request_id,
            lambda _: None,
        )
        refused = [at for at, one in enumerate(added.results) if one.HasField("error")]
        if not refused:
            return
        error = added.results[refused[0]].error
        if not error.retryable or time.monotonic() - started > RETRY_LIMIT_S:
            last = f"{error.reason}: {error.message}"
            raise RetriesExhausted(left[refused[0]].request_id, time.monotonic() - started, last)
        left = left[refused[0] :]
        await asyncio.sleep(max(RETRY_PAUSE_S, error.retry_delay.ToNanoseconds() / 1e9))


async def _ended(client: GatewayClient, group_id: str, episode_uuid: str) -> ingest_service_pb2.EpisodeStatus:
    """Its last status. Raises AioRpcError, at last for an episode that has not ended after INGEST_S_MAX."""
    request = ingest_service_pb2.WatchEpisodeRequest(group_id=group_id, episode_uuid=episode_uuid)
    deadline = time.monotonic() + INGEST_S_MAX
    while True:
        try:
            async for one in client.ingest.WatchEpisode(request, timeout=WATCH_S_MAX):
                if one.status.state in _ENDED:
                    return one.status
        except grpc.aio.AioRpcError as error:
            if error.code() not in PASSING_CODES or time.monotonic() > deadline:
                raise


def _figures(statuses: Sequence[ingest_service_pb2.EpisodeStatus], seconds: float) -> IngestFigures:
    failed = [one for one in statuses if one.state != ingest_service_pb2.EPISODE_STATE_APPLIED]
    counts = [one.counts for one in statuses]
    return IngestFigures(
        episodes=len(statuses),
        failed=len(failed),
        failures=tuple(
            f"{one.group_id}/{one.episode_uuid}: {one.error.reason}, {one.error.message}"
            for one in failed[:FAILURES_TOLD_MAX]
        ),
        entities_created=sum(one.entities_created for one in counts),
        entities_joined=sum(one.entities_joined for one in counts),
        facts_created=sum(one.facts_created for one in counts),
        facts_repeated=sum(one.facts_repeated for one in counts),
        facts_closed=sum(one.facts_closed for one in counts),
        problems=dict(Counter(problem.kind for one in statuses for problem in one.problems)),
        seconds=seconds,
    )

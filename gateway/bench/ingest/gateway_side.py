"""graphgate's side: gateways that are tuned in different ways, and what they do with episodes."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import batched
from pathlib import Path

from gateway.bench.ingest.episodes import BenchEpisode
from gateway.bench.ingest.errors import EpisodesNotApplied
from gateway.bench.ingest.model import CountedModel, ModelUse
from gateway.bench.ingest.options import Tuning
from gateway.bench.rig import POOL_GRAPHS, START_TIMEOUT_S
from gateway.embedded import EmbeddedFleet
from gateway.loopback.client import GatewayClient
from gateway.loopback.gateway_process import GatewayProcess
from gateway.loopback.process_stat import cpu_s, resident_bytes
from graphgate.v1 import graph_pb2, graph_service_pb2
from graphgate.v1 import ingest_service_pb2 as pb

CALL_S_MAX = 60.0
LOAD_S_MAX = 1_800.0
REQUESTS_PER_CALL = 500
_NO_RATE_LIMIT = "100000"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Episodes that became a graph, from the first request until the last one was applied."""

    episodes: int
    seconds: float
    use: ModelUse
    gateway_cpu_s: float
    memory_mb: float
    """Of the gateway's process, at the end."""

    @property
    def per_s(self) -> float:
        return self.episodes / self.seconds


@dataclass(frozen=True, slots=True)
class RowCounts:
    entities: int
    facts: int


class GraphgateSide:
    def __init__(self, process: GatewayProcess, client: GatewayClient, model: CountedModel) -> None:
        self.client = client
        self._pid = process.pid
        self._model = model

    async def load(self, episodes: Sequence[tuple[str, BenchEpisode]]) -> Loaded:
        """Adds them as fast as the gateway accepts them, with their groups. Raises AioRpcError,
        EpisodesNotApplied and ModelServerFailed."""
        requests = [one.request(group_id) for group_id, one in episodes]
        await self._model.begin()
        cpu_before_s, started = cpu_s(self._pid), time.perf_counter()
        last: dict[str, str] = {}
        for some in batched(requests, REQUESTS_PER_CALL):
            call = pb.AddEpisodesRequest(requests=some)
            answer = await self.client.ingest.AddEpisodes(call, timeout=CALL_S_MAX)
            for request, result in zip(some, answer.results, strict=True):
                if result.HasField("error"):
                    raise EpisodesNotApplied(request.group_id, 1, result.error.message)
                last[request.group_id] = result.response.request_id
        # The episodes of a group end in their order.
        await asyncio.gather(*(self._until_ended(*one) for one in last.items()))
        seconds = time.perf_counter() - started
        for group_id in last:
            await self._check(group_id)
        return Loaded(
            episodes=len(episodes),
            seconds=seconds,
            use=await self._model.use(),
            gateway_cpu_s=cpu_s(self._pid) - cpu_before_s,
            memory_mb=resident_bytes(self._pid) / 1e6,
        )

    async def load_singly(self, episodes: Sequence[tuple[str, BenchEpisode]]) -> Loaded:
        """Each once the one before is in the graph. Raises as load()."""
        await self._model.begin()
        cpu_before_s, started = cpu_s(self._pid), time.perf_counter()
        for group_id, one in episodes:
            request = one.request(group_id)
            request.wait = True
            answer = await self.client.ingest.AddEpisode(request, timeout=CALL_S_MAX)
            if answer.state != pb.EPISODE_STATE_APPLIED:
                raise EpisodesNotApplied(group_id, 1, answer.status.error.message)
        return Loaded(
            episodes=len(episodes),
            seconds=time.perf_counter() - started,
            use=await self._model.use(),
            gateway_cpu_s=cpu_s(self._pid) - cpu_before_s,
            memory_mb=resident_bytes(self._pid) / 1e6,
        )

    async def rows(self, group_id: str) -> RowCounts:
        """Raises AioRpcError."""
        request = graph_service_pb2.GetGroupRequest(group_id=group_id)
        group = (await self.client.graph.GetGroup(request, timeout=CALL_S_MAX)).group
        counts = {count.kind: count.rows for count in group.counts}
        return RowCounts(counts.get(graph_pb2.ROW_KIND_ENTITY, 0), counts.get(graph_pb2.ROW_KIND_FACT, 0))

    async def _until_ended(self, group_id: str, request_id: str) -> None:
        request = pb.WatchEpisodeRequest(group_id=group_id, request_id=request_id)
        async for _ in self.client.ingest.WatchEpisode(request, timeout=LOAD_S_MAX):
            pass

    async def _check(self, group_id: str) -> None:
        request = pb.ListFailuresRequest(group_id=group_id, page_size=1_000)
        failures = (await self.client.ingest.ListFailures(request, timeout=CALL_S_MAX)).failures
        if failures:
            raise EpisodesNotApplied(group_id, len(failures), failures[0].error.message)


@asynccontextmanager
async def graphgate_side(
    fleet: EmbeddedFleet, directory: Path, cache_dir: Path, model: CountedModel, tuning: Tuning
) -> AsyncGenerator[GraphgateSide]:
    """A gateway of its own in front of `fleet`. Its answers of the model are not cached. Raises
    GatewayProcessError and ShardsAway."""
    process = GatewayProcess(
        directory / "gateway.log",
        fleet,
        embedder="none",
        cache_dir=cache_dir,
        pool_graphs=POOL_GRAPHS,
        settings={
            "GRAPHGATE_EMBEDDER__KIND": "openai",
            "GRAPHGATE_EMBEDDER__MODEL": "fake-embedding",
            "GRAPHGATE_EMBEDDER__BASE_URL": model.base_url,
            "GRAPHGATE_LLM__MODEL": "fake-small",
            "GRAPHGATE_LLM__BASE_URL": model.base_url,
            "GRAPHGATE_LLM__REQUESTS_PER_S": _NO_RATE_LIMIT,
            "GRAPHGATE_LLM__REQUESTS_RUNNING_MAX": str(tuning.connections),
            "GRAPHGATE_LLM__CACHE_BYTES_MAX": "0",
            "GRAPHGATE_INGEST__STRATEGY": tuning.strategy,
            "GRAPHGATE_INGEST__FIRST_BATCH": str(tuning.first_batch),
            "GRAPHGATE_INGEST__BATCH_MAX": str(tuning.batch_max),
        },
    )
    async with process, GatewayClient(process.address) as client:
        await client.until_all_shards_answer(timeout_s=START_TIMEOUT_S)
        yield GraphgateSide(process, client, model)


def new_groups(count: int) -> Sequence[str]:
    """Names that no group of the fleet has."""
    own = secrets.token_hex(4)
    return [f"ingest-{own}-{number}" for number in range(count)]

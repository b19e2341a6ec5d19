"""Part `mixed`: clients side by side, each one call after the other, searches and writes in a fixed mixture.

As in `graphgate serve` a fleet of three shards, with GROUPS groups of GROUP_FACTS facts. All vectors are
given, so no operation has the time of an embedder in it; the reranker is MMR, which reads the vectors of the
20 best rows, for there is no cross-encoder here.
"""

import asyncio
import random
import time
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from gateway.bench.peer.comparison import Watch
from gateway.bench.random_rows import RowSource
from gateway.bench.search.figures import Latency, latency
from gateway.bench.search.fleet import bench_fleet, write_groups
from gateway.bench.search.measuring import SEARCH_TIMEOUT_S
from gateway.bench.search.options import SearchOptions
from gateway.bench.search.requests import search_request
from gateway.bench.search.rows import GroupRows, Question, RowSet
from gateway.bench.variants import WRITE_TIMEOUT_S
from gateway.corpus.graph_rows import EntityRow
from gateway.embedding.local_model import MODEL_NAME
from gateway.loopback.client import GatewayClient
from gateway.loopback.process_stat import cpu_s
from graphgate.v1 import graph_pb2, graph_service_pb2
from graphgate.v1 import search_service_pb2 as pb

CLIENTS = 8
SHARDS = 3
GROUPS = 12
GROUP_FACTS = 1_000
TRAVERSAL_HOPS = 2
WARM_UP_S = 2.0

MIXTURE: Mapping[str, int] = {
    "hybrid": 6,
    "hybrid_all_groups": 1,
    "semantic": 3,
    "traversal": 3,
    "reranked": 1,
    "entity_write": 3,
    "fact_write": 3,
}
"""Of every 20 calls."""

BASELINES: Mapping[str, Latency] = {
    "hybrid": Latency(150, 300, 500),
    "hybrid_all_groups": Latency(150, 300, 500),
    "semantic": Latency(100, 200, 350),
    "traversal": Latency(50, 150, 300),
    "reranked": Latency(300, 600, 1_000),
    "entity_write": Latency(10, 30, 50),
    "fact_write": Latency(15, 40, 70),
}
"""To stay under: for the operation wherever it is measured, not for this machine or this load."""


@dataclass(frozen=True, slots=True)
class Mixed:
    operations: Mapping[str, Latency]
    calls: Mapping[str, int]
    first_ms_max: Mapping[str, float]
    """Before the load, the slowest of the first calls, one by one to every group: engines make their plans
    then, FalkorDB for every graph."""
    calls_per_s: float
    gateway_cpu_ms: float
    """Per call, over all of them."""


async def run_mixed(
    options: SearchOptions, rows: RowSet, questions: Sequence[Question], directory: Path, watch: Watch
) -> Mixed:
    """Raises AioRpcError: no call may fail."""
    groups = {f"mixed-{number:02}": rows.group(GROUP_FACTS, number) for number in range(GROUPS)}
    watch.begin("mixed load: start")
    async with (
        bench_fleet(directory / "mixed", options.engine, SHARDS, options.cache_dir) as fleet,
        AsyncExitStack() as stack,
    ):
        watch.begin("mixed load: rows", sum(len(g.entities) + len(g.facts) for g in groups.values()))
        await write_groups(fleet, rows, groups, watch)
        address = fleet.running.gateway.address
        clients = [
            _Client(await stack.enter_async_context(GatewayClient(address)), groups, questions, seed)
            for seed in range(CLIENTS)
        ]
        watch.begin("mixed load: calls")
        await clients[0].every_call()
        first_ms_max = {operation: max(some) * 1e3 for operation, some in clients[0].seconds.items()}
        await asyncio.gather(*(client.work(WARM_UP_S) for client in clients))
        for client in clients:
            client.seconds.clear()
        pid = fleet.running.gateway.pid
        before_s, began = cpu_s(pid), time.perf_counter()
        await asyncio.gather(*(client.work(options.mixed_s) for client in clients))
        whole_s, spent_s = time.perf_counter() - began, cpu_s(pid) - before_s
    seconds = {operation: [s for c in clients for s in c.seconds[operation]] for operation in MIXTURE}
    calls = {operation: len(some) for operation, some in seconds.items()}
    total = sum(calls.values())
    return Mixed(
        operations={operation: latency(some) for operation, some in seconds.items() if some},
        calls=calls,
        first_ms_max=first_ms_max,
        calls_per_s=total / whole_s,
        gateway_cpu_ms=spent_s / total * 1e3,
    )


class _Client:
    """Its calls are drawn from a seed; their order is a shuffle of MIXTURE, again and again."""

    def __init__(
        self,
        client: GatewayClient,
        groups: Mapping[str, GroupRows],
        questions: Sequence[Question],
        seed: int,
    ) -> None:
        self._client = client
        self._groups = groups
        self._names = list(groups)
        self._questions = questions
        self._random = random.Random(seed)  # noqa: S311 - the choice of a benchmark's calls
        self._source = RowSource(seed)
        self._calls: Mapping[str, Callable[[str, Question], Awaitable[object]]] = {
            "hybrid": lambda group, question: self._search("hybrid", [group], question),
            "hybrid_all_groups": lambda _, question: self._search("hybrid", self._names, question),
            "semantic": lambda group, question: self._search("semantic", [group], question),
            "traversal": self._expand,
            "reranked": lambda group, question: self._search("reranked", [group], question),
            "entity_write": self._write_entity,
            "fact_write": self._write_fact,
        }
        self.seconds: dict[str, list[float]] = defaultdict(list)

    async def every_call(self) -> None:
        """Every operation once on every group, one after the other."""
        for group in self._names:
            for operation in MIXTURE:
                await self._timed(operation, group)

    async def work(self, seconds: float) -> None:
        ends = time.perf_counter() + seconds
        turns = [operation for operation, times in MIXTURE.items() for _ in range(times)]
        while True:
            self._random.shuffle(turns)
            for operation in turns:
                if time.perf_counter() > ends:
                    return
                await self._timed(operation, self._random.choice(self._names))

    async def _timed(self, operation: str, group: str) -> None:
        question = self._random.choice(self._questions)
        started = time.perf_counter()
        await self._calls[operation](group, question)
        self.seconds[operation].append(time.perf_counter() - started)

    async def _search(self, how: str, group_ids: Sequence[str], question: Question) -> None:
        method = "semantic_automatic" if how == "semantic" else "hybrid"
        request = search_request(method, graph_pb2.ROW_KIND_FACT, group_ids, question)
        if how == "reranked":
            request.results[0].reranker.CopyFrom(pb.Reranker(mmr=pb.MmrReranker()))
        await self._client.search.Search(request, timeout=SEARCH_TIMEOUT_S)

    async def _expand(self, group: str, _: Question) -> None:
        request = graph_service_pb2.ExpandRequest(
            group_id=group, entity_uuids=[self._entity(group).uuid], hops=TRAVERSAL_HOPS
        )
        await self._client.graph.Expand(request, timeout=SEARCH_TIMEOUT_S)

    async def _write_entity(self, group: str, _: Question) -> None:
        row = self._source.entity()
        assert row.embedding is not None, row.uuid
        request = graph_service_pb2.WriteGraphRequest(
            group_id=group,
            request_id=str(uuid.uuid4()),
            embedding_model=MODEL_NAME,
            entities=[
                graph_pb2.Entity(
                    uuid=row.uuid, name=row.name, summary=row.summary, embedding=row.embedding.tolist()
                )
            ],
        )
        await self._client.graph.WriteGraph(request, timeout=WRITE_TIMEOUT_S)

    async def _write_fact(self, group: str, question: Question) -> None:
        source, target = self._entity(group), self._entity(group)
        request = graph_service_pb2.WriteGraphRequest(
            group_id=group,
            request_id=str(uuid.uuid4()),
            embedding_model=MODEL_NAME,
            facts=[
                graph_pb2.Fact(
                    uuid=str(uuid.uuid4()),
                    source_uuid=source.uuid,
                    target_uuid=target.uuid,
                    name="SEEN_WITH",
                    fact=f"{source.name} was seen with {target.name}",
                    embedding=question.vector,
                )
            ],
        )
        await self._client.graph.WriteGraph(request, timeout=WRITE_TIMEOUT_S)

    def _entity(self, group: str) -> EntityRow:
        return self._random.choice(self._groups[group].entities)

"""A fleet of its own with a gateway in front of it, and groups written into it."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from drivers.falkordb.graphs import pooled_graph
from gateway.bench.peer.comparison import Watch
from gateway.bench.rig import EngineName
from gateway.bench.search.direct import Direct
from gateway.bench.search.measuring import SEARCH_TIMEOUT_S, Searched
from gateway.bench.search.requests import MethodName, search_request
from gateway.bench.search.rows import GroupRows, Question, RowSet
from gateway.bench.variants import ThroughGateway
from gateway.corpus.running_fleet import POOL_GRAPHS, RunningFleet, running_fleet
from gateway.embedding.local_model import MODEL_NAME
from graphgate.v1 import graph_pb2

WRITERS = 8
PLANNERS = 2
_PLANNED: tuple[MethodName, ...] = ("semantic_exact", "keyword", "hybrid")


@dataclass(frozen=True, slots=True)
class BenchFleet:
    running: RunningFleet
    searched: Searched


@asynccontextmanager
async def bench_fleet(
    directory: Path, engine: EngineName, shards: int, cache_dir: Path
) -> AsyncGenerator[BenchFleet]:
    """Stops everything at its end. Raises EmbeddedError, GatewayProcessError, ShardsAway, GraphgateError."""
    falkordb = shards if engine == "falkordb" else 0
    async with (
        running_fleet(
            directory,
            falkordb_shards=falkordb,
            neo4j_shards=shards - falkordb,
            cache_dir=cache_dir,
            embedder="none",
        ) as running,
        Direct(running.fleet) as direct,
    ):
        yield BenchFleet(running, Searched(running.client, running.gateway.pid, direct))


async def write_groups(
    fleet: BenchFleet, rows: RowSet, groups: Mapping[str, GroupRows], watch: Watch
) -> None:
    """Groups side by side, the batches of one after each other. Raises AioRpcError."""
    through = ThroughGateway(fleet.running.client, MODEL_NAME)
    waiting = iter(groups.items())

    async def work() -> None:
        for group_id, group in waiting:
            for batch in rows.batches(group):
                await through.prepare(group_id, batch)()
                watch.advance(len(batch))

    async with asyncio.TaskGroup() as writers:
        for _ in range(min(WRITERS, len(groups))):
            writers.create_task(work())


async def make_plans(
    fleet: BenchFleet, group_ids: Iterable[str], kind: graph_pb2.RowKind, question: Question
) -> None:
    """Searches one of the groups in every graph, a few at a time. FalkorDB plans each query anew for every
    graph, which holds one of its threads for tenths of a second where a filter is long: the first search over
    hundreds of groups could keep all threads of all shards so busy that they answer no ping."""
    of_space: dict[tuple[str, str], str] = {}
    for group_id in group_ids:
        shard = await fleet.searched.direct.home_of(group_id)
        of_space.setdefault((pooled_graph(group_id, POOL_GRAPHS), shard), group_id)
    # By graph, then by shard: those that are planned side by side are on different shards.
    waiting = iter([of_space[space] for space in sorted(of_space)])

    async def work() -> None:
        for group_id in waiting:
            for method in _PLANNED:
                request = search_request(method, kind, [group_id], question)
                await fleet.running.client.search.Search(request, timeout=SEARCH_TIMEOUT_S)

    async with asyncio.TaskGroup() as planners:
        for _ in range(PLANNERS):
            planners.create_task(work())

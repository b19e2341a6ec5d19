"""All parts of one run."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from gateway.bench.ingest.episodes import bench_episodes, spread
from gateway.bench.ingest.figures import IngestBenchResult, Latency, Row
from gateway.bench.ingest.gateway_side import GraphgateSide, Loaded, graphgate_side, new_groups
from gateway.bench.ingest.model import CountedModel
from gateway.bench.ingest.options import HEADLINE_MS, IngestBenchOptions, Tuning
from gateway.bench.ingest.peer import compare
from gateway.bench.ingest.visible import visible_ms
from gateway.bench.peer.comparison import Watch
from gateway.bench.peer.environment import peer_python
from gateway.corpus.dataset import Dataset
from gateway.embedded import EmbeddedFleet

WARM_UP_EPISODES = 20
"""Before a measurement: plans of statements, connections, the size of units."""


def table_rows(limit: int) -> Sequence[tuple[Tuning, bool]]:
    """Strategies and connections over many groups (True), episodes of a unit in one group."""
    return [
        *((Tuning(name, limit), True) for name in ("sequential", "conservative", "balanced", "aggressive")),
        *((Tuning("aggressive", connections), True) for connections in (5, 2 * limit)),
        *((Tuning("aggressive", limit, size, size), False) for size in (1, 10, 100, 500)),
        (Tuning("aggressive", limit), False),
    ]


async def run_ingest(
    options: IngestBenchOptions, dataset: Dataset, directory: Path, watch: Watch
) -> IngestBenchResult:
    """Starts fleets in `directory`, one after the other, measures, and stops them.

    Raises PeerNotInstalled, PeerFailed, EpisodesNotApplied, EpisodeNotVisible, ModelServerFailed,
    EmbeddedError, GatewayProcessError, ShardsAway and AioRpcError; some come as an ExceptionGroup.
    """
    python: Path | None = None
    if options.peer:
        watch.begin("graphiti-core's environment")
        python = await peer_python(options.cache_dir)
    loaded: dict[int, Loaded] = {}
    visible: dict[int, Latency] = {}
    table: list[Row] = []
    falkordb, neo4j = int(options.engine == "falkordb"), int(options.engine == "neo4j")
    async with AsyncExitStack() as stack:
        watch.begin("engines")
        fleet = await stack.enter_async_context(
            EmbeddedFleet(directory / "fleet", falkordb_shards=falkordb, neo4j_shards=neo4j)
        )
        for latency_ms in options.latencies_ms:
            watch.begin(f"model of {latency_ms} ms", options.episodes + options.visible_episodes)
            async with (
                CountedModel(latency_ms) as model,
                graphgate_side(fleet, directory, options.cache_dir, model, options.tuning) as side,
            ):
                await _warm_up(side, dataset, options.groups)
                episodes = bench_episodes(dataset, options.episodes)
                loaded[latency_ms] = await side.load(spread(episodes, new_groups(options.groups)))
                watch.advance(options.episodes)
                group_ids = new_groups(options.groups)
                first = bench_episodes(dataset, options.groups, options.episodes)
                await side.load(spread(first, group_ids))
                more = bench_episodes(dataset, options.visible_episodes, options.episodes + options.groups)
                samples_ms = await visible_ms(side.client, spread(more, group_ids), options.visible_per_s)
                visible[latency_ms] = Latency.of(samples_ms)
                watch.advance(options.visible_episodes)
        if options.table_episodes:
            rows = table_rows(options.limit)
            watch.begin("table", len(rows))
            async with CountedModel(HEADLINE_MS) as model:
                for tuning, many in rows:
                    groups = options.groups if many else 1
                    async with graphgate_side(fleet, directory, options.cache_dir, model, tuning) as side:
                        await _warm_up(side, dataset, groups)
                        episodes = bench_episodes(dataset, options.table_episodes)
                        found = await side.load(spread(episodes, new_groups(groups)))
                    table.append(Row(tuning, groups, found))
                    watch.advance(1)
    peer = None
    if python is not None:
        rounds = options.peer_rounds * options.round_episodes
        watch.begin("beside graphiti-core", options.peer_single_episodes + rounds)
        episodes = bench_episodes(dataset, max(rounds, options.peer_single_episodes))
        peer = await compare(options, python, episodes, directory / "peer", watch.advance)
    return IngestBenchResult(loaded, visible, table, peer)


async def _warm_up(side: GraphgateSide, dataset: Dataset, groups: int) -> None:
    """With passages from the end, in groups of their own."""
    first = len(dataset.passages) - WARM_UP_EPISODES
    await side.load(spread(bench_episodes(dataset, WARM_UP_EPISODES, first), new_groups(min(2, groups))))

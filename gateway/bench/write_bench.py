"""How fast rows are written: through the gateway, by the driver alone, and by a bare loop as the floor."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from drivers.contract import Engine
from drivers.deadline import Deadline
from drivers.falkordb.graphs import pooled_graph, pooled_graphs
from gateway.assembly import make_driver
from gateway.bench.random_rows import RowSource
from gateway.bench.variants import BareLoop, Send, ThroughBareLoop, ThroughDriver, ThroughGateway, Variant
from gateway.embedded import EmbeddedFleet
from gateway.loopback.client import GatewayClient
from gateway.loopback.gateway_process import GatewayProcess
from gateway.loopback.process_stat import cpu_s, resident_bytes
from gateway.settings.fleet import ShardSettings

POOL_GRAPHS = 4
_START_TIMEOUT_S = 120.0

type VariantName = Literal["gateway", "driver", "floor"]
type KindName = Literal["entities", "facts"]

VARIANTS: tuple[VariantName, ...] = ("gateway", "driver", "floor")


@dataclass(frozen=True, slots=True)
class WriteBenchOptions:
    engine: Literal["falkordb", "neo4j"]
    cache_dir: Path
    rows: int = 4_000
    """Entities, and as many facts, that every variant writes in one round."""
    batch_rows: int = 200
    rounds: int = 6
    """That count; one more warms up."""
    writers: int = 4
    """Batches that are written side by side, each to a group of its own."""
    single_rows: int = 200
    """Writes of one entity, one after the other, for the latency."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Rate:
    """Rows per second: median of the rounds, and the slowest and fastest of them."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class WriteBenchResult:
    engine_version: str
    rates: Mapping[tuple[VariantName, KindName], Rate]
    of_floor: Mapping[KindName, float]
    """Gateway's rate over the floor's of the same round, median."""
    gateway_cpu_us_per_row: Mapping[KindName, float]
    """User and system time of the gateway process, without the engine's and the client's."""
    engine_cpu_us_per_row: Mapping[tuple[VariantName, KindName], float]
    """User and system time of the engine's process."""
    gateway_rest_memory_mb: float
    """Before the first write, without an embedder."""
    single_row_p50_ms: float
    floor_single_row_p50_ms: float


@dataclass(frozen=True, slots=True)
class _Bench:
    options: WriteBenchOptions
    gateway_pid: int
    engine_pid: int
    variants: Mapping[VariantName, Variant]
    groups: Mapping[VariantName, Sequence[str]]
    engine_version: str
    gateway_rest_memory_mb: float


@dataclass(frozen=True, slots=True)
class _Timing:
    rows: int
    wall_s: float
    gateway_cpu_s: float
    engine_cpu_s: float


async def run_write_bench(
    options: WriteBenchOptions, directory: Path, on_round: Callable[[], None] = lambda: None
) -> WriteBenchResult:
    """Starts one shard and a gateway in `directory`, measures, and stops them.

    The variants take turns within every round, so that they meet the same machine, in an order that changes
    from round to round: an engine still merges the indexes of one variant's rows while the next one writes.
    The first round warms up and does not count. All share the shard and its indexes. `on_round` is called
    after each of the rounds, of which there is one more than `options.rounds`. Raises EmbeddedError,
    GatewayProcessError, ShardsAway, GraphgateError and AioRpcError; those that several tasks met come as an
    ExceptionGroup.
    """
    source = RowSource(options.seed)
    timings: dict[tuple[VariantName, KindName], list[_Timing]] = {}
    async with AsyncExitStack() as stack:
        bench = await _start(stack, options, directory)
        for number in range(options.rounds + 1):
            for name in _turns(number):
                for kind, timing in (await _round(bench, name, source)).items():
                    if number:
                        timings.setdefault((name, kind), []).append(timing)
            on_round()
        single_ms = await _single_row_p50_ms(bench, "gateway", source)
        floor_single_ms = await _single_row_p50_ms(bench, "floor", source)
    rates = {key: [timing.rows / timing.wall_s for timing in some] for key, some in timings.items()}
    kinds: tuple[KindName, ...] = ("entities", "facts")
    return WriteBenchResult(
        engine_version=bench.engine_version,
        rates={key: Rate(statistics.median(some), min(some), max(some)) for key, some in rates.items()},
        of_floor={
            kind: statistics.median(
                mine / floor for mine, floor in zip(rates["gateway", kind], rates["floor", kind], strict=True)
            )
            for kind in kinds
        },
        gateway_cpu_us_per_row={
            kind: statistics.median(t.gateway_cpu_s / t.rows * 1e6 for t in timings["gateway", kind])
            for kind in kinds
        },
        engine_cpu_us_per_row={
            key: statistics.median(t.engine_cpu_s / t.rows * 1e6 for t in some)
            for key, some in timings.items()
        },
        gateway_rest_memory_mb=bench.gateway_rest_memory_mb,
        single_row_p50_ms=single_ms,
        floor_single_row_p50_ms=floor_single_ms,
    )


async def _start(stack: AsyncExitStack, options: WriteBenchOptions, directory: Path) -> _Bench:
    """One shard, the gateway that founds it, a driver and a bare loop on the same shard."""
    falkordb = options.engine == "falkordb"
    fleet = await stack.enter_async_context(
        EmbeddedFleet(directory, falkordb_shards=int(falkordb), neo4j_shards=int(not falkordb))
    )
    gateway = GatewayProcess(
        directory / "gateway.log",
        fleet,
        embedder="none",
        cache_dir=options.cache_dir,
        pool_graphs=POOL_GRAPHS,
    )
    await stack.enter_async_context(gateway)
    rest_memory_mb = resident_bytes(gateway.pid) / 1e6
    client = await stack.enter_async_context(GatewayClient(gateway.address))
    await client.until_all_shards_answer(timeout_s=_START_TIMEOUT_S)
    (shard,) = fleet.shards
    assert shard.pid is not None, "the engine has ended"
    settings = ShardSettings.model_validate({"id": shard.id, "engine": shard.engine, "url": shard.url})
    driver = make_driver(Engine(shard.engine.upper()), settings)
    stack.push_async_callback(driver.close)
    await driver.open()
    deadline = Deadline.after(_START_TIMEOUT_S)
    marker = await driver.read_marker(deadline)
    assert marker is not None, "the gateway has not founded its fleet"
    driver.use_marker(marker)
    loop = _bare_loop(options.engine, shard.id, shard.url)
    stack.push_async_callback(loop.close)
    await loop.open()
    through_driver = ThroughDriver(driver)
    groups = _group_names(options.writers)
    await through_driver.create_groups(groups["driver"])
    return _Bench(
        options=options,
        gateway_pid=gateway.pid,
        engine_pid=shard.pid,
        variants={
            "gateway": ThroughGateway(client),
            "driver": through_driver,
            "floor": ThroughBareLoop(loop),
        },
        groups=groups,
        engine_version=(await driver.describe_schema(deadline)).engine_version,
        gateway_rest_memory_mb=rest_memory_mb,
    )


def _bare_loop(engine: str, shard_id: str, url: str) -> BareLoop:
    if engine == "falkordb":
        from drivers.falkordb.bare_loop import FalkorDBBareLoop  # noqa: PLC0415 - one engine's client only
        from drivers.falkordb.settings import FalkorDBSettings  # noqa: PLC0415

        return FalkorDBBareLoop(shard_id, FalkorDBSettings(url), POOL_GRAPHS)
    from drivers.neo4j.bare_loop import Neo4jBareLoop  # noqa: PLC0415
    from drivers.neo4j.settings import Neo4jSettings  # noqa: PLC0415

    return Neo4jBareLoop(shard_id, Neo4jSettings(url))


def _group_names(writers: int) -> Mapping[VariantName, Sequence[str]]:
    """On FalkorDB the groups of a variant lie in the same pooled graphs as those of the others, for writers
    of one graph wait for each other."""
    names: dict[VariantName, Sequence[str]] = {}
    for variant in VARIANTS:
        candidates = (f"bench-{variant}-{number}" for number in itertools.count())
        chosen: list[str] = []
        while len(chosen) < writers:
            name = next(candidates)
            if pooled_graph(name, POOL_GRAPHS) == pooled_graphs(POOL_GRAPHS)[len(chosen) % POOL_GRAPHS]:
                chosen.append(name)
        names[variant] = chosen
    return names


async def _round(bench: _Bench, name: VariantName, source: RowSource) -> Mapping[KindName, _Timing]:
    """Entities, then facts between them, by all writers side by side."""
    options, variant = bench.options, bench.variants[name]
    made = source.round(bench.groups[name], options.rows, options.batch_rows)
    timings: dict[KindName, _Timing] = {}
    for kind in ("entities", "facts"):
        batches = {
            group_id: batches.entities if kind == "entities" else batches.facts
            for group_id, batches in made.items()
        }
        sends = [
            [variant.prepare(group_id, batch) for batch in of_group] for group_id, of_group in batches.items()
        ]
        rows = sum(len(batch) for of_group in batches.values() for batch in of_group)
        pids = (bench.gateway_pid, bench.engine_pid)
        before, started = [cpu_s(pid) for pid in pids], time.perf_counter()
        async with asyncio.TaskGroup() as writers:
            for of_group in sends:
                writers.create_task(_one_after_the_other(of_group))
        wall_s = time.perf_counter() - started
        spent = (cpu_s(pid) - earlier for pid, earlier in zip(pids, before, strict=True))
        timings[kind] = _Timing(rows, wall_s, *spent)
    return timings


def _turns(number: int) -> Sequence[VariantName]:
    """Every variant follows every other equally often in six rounds."""
    orders = tuple(itertools.permutations(VARIANTS))
    return orders[number % len(orders)]


async def _one_after_the_other(sends: Sequence[Send]) -> None:
    for send in sends:
        await send()


async def _single_row_p50_ms(bench: _Bench, name: VariantName, source: RowSource) -> float:
    latencies: list[float] = []
    for _ in range(bench.options.single_rows):
        send = bench.variants[name].prepare(bench.groups[name][0], (source.entity(),))
        started = time.perf_counter()
        await send()
        latencies.append((time.perf_counter() - started) * 1_000)
    return statistics.median(latencies)

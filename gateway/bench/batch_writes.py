"""How fast rows are written: through the gateway, by the driver alone, and by a bare loop as the floor."""

import asyncio
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.bench.random_rows import RowSource
from gateway.bench.rig import EngineName, group_names, start_rig, turns
from gateway.bench.variants import Send, ThroughBareLoop, ThroughDriver, ThroughGateway, Variant
from gateway.loopback.process_stat import cpu_s

type VariantName = Literal["gateway", "driver", "floor"]
type KindName = Literal["entities", "facts"]

VARIANTS: tuple[VariantName, ...] = ("gateway", "driver", "floor")


@dataclass(frozen=True, slots=True)
class BatchWriteOptions:
    engine: EngineName
    cache_dir: Path
    rows: int = 4_000
    """Entities, and as many facts, that every variant writes in one round."""
    batch_rows: int = 200
    rounds: int = 6
    """That count; one more warms up."""
    writers: int = 4
    """Batches that are written side by side, each to a group of its own."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Rate:
    """Rows per second: median of the rounds, and the slowest and fastest of them."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class BatchWriteResult:
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


@dataclass(frozen=True, slots=True)
class _Bench:
    options: BatchWriteOptions
    gateway_pid: int
    engine_pid: int
    variants: Mapping[VariantName, Variant]
    groups: Mapping[str, Sequence[str]]
    engine_version: str
    gateway_rest_memory_mb: float


@dataclass(frozen=True, slots=True)
class _Timing:
    rows: int
    wall_s: float
    gateway_cpu_s: float
    engine_cpu_s: float


async def run_batch_writes(
    options: BatchWriteOptions, directory: Path, on_round: Callable[[], None] = lambda: None
) -> BatchWriteResult:
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
            for name in turns(VARIANTS, number):
                for kind, timing in (await _round(bench, name, source)).items():
                    if number:
                        timings.setdefault((name, kind), []).append(timing)
            on_round()
    rates = {key: [timing.rows / timing.wall_s for timing in some] for key, some in timings.items()}
    kinds: tuple[KindName, ...] = ("entities", "facts")
    return BatchWriteResult(
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
    )


async def _start(stack: AsyncExitStack, options: BatchWriteOptions, directory: Path) -> _Bench:
    """One shard, the gateway that founds it, a driver and a bare loop on the same shard."""
    rig = await start_rig(stack, options.engine, directory, options.cache_dir, {"gateway": {}})
    through_driver = ThroughDriver(rig.driver)
    groups = group_names(VARIANTS, options.writers)
    await through_driver.create_groups(groups["driver"])
    gateway = rig.gateways["gateway"]
    return _Bench(
        options=options,
        gateway_pid=gateway.pid,
        engine_pid=rig.engine_pid,
        variants={
            "gateway": ThroughGateway(gateway.client),
            "driver": through_driver,
            "floor": ThroughBareLoop(rig.loop),
        },
        groups=groups,
        engine_version=rig.engine_version,
        gateway_rest_memory_mb=gateway.rest_memory_mb,
    )


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


async def _one_after_the_other(sends: Sequence[Send]) -> None:
    for send in sends:
        await send()

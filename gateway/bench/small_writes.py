"""How long a small write takes and how many there are per second, from many clients side by side.

On Neo4j through two gateways, one whose small writes share commits and one whose do not; on FalkorDB through
one. Beside them a bare loop of the same writes, and an empty call of the same gateway (a health check), which
is the least that gRPC and the event loops of both processes take on this machine.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gateway.bench.random_rows import RowSource
from gateway.bench.rig import EngineName, RunningGateway, group_names, start_rig, turns
from gateway.bench.variants import Send, ThroughBareLoop, ThroughGateway, Variant
from gateway.loopback.process_stat import cpu_s

type Call = Literal["entities", "facts", "echo"]

FLOOR = "floor"
_WITHOUT_LANE = {"GRAPHGATE_SHARD_DEFAULTS__WRITE_LANE": "false"}
_ECHO_TIMEOUT_S = 10.0
WARM_UP_ROUNDS = 4
"""Neo4j's statements run at a third of their speed until the JVM has compiled them."""


@dataclass(frozen=True, slots=True)
class SmallWriteOptions:
    engine: EngineName
    cache_dir: Path
    rows: int = 1
    """In one write."""
    writes: int = 400
    """Of entities, and as many of facts, by all writers together, per variant and round."""
    rounds: int = 6
    """That count; WARM_UP_ROUNDS more come before them."""
    writers: int = 8
    groups: int = 8
    """The writers go through them in turn."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Figures:
    per_s: float
    """Median of the rounds."""
    per_s_low: float
    per_s_high: float
    p50_ms: float
    """Of all calls of all rounds, as the three below."""
    p95_ms: float
    p99_ms: float
    gateway_cpu_us: float
    """User and system time of the gateway per call, median of the rounds; 0 for the bare loop."""


@dataclass(frozen=True, slots=True)
class SmallWriteResult:
    engine_version: str
    figures: Mapping[tuple[str, Call], Figures]
    """By variant and call: with_lane and without_lane, or gateway; and FLOOR, which has no echo."""

    @property
    def variants(self) -> Sequence[str]:
        return list(dict.fromkeys(variant for variant, _ in self.figures))


@dataclass(slots=True)
class _Samples:
    latencies_s: list[float] = field(default_factory=list[float])
    rates: list[float] = field(default_factory=list[float])
    cpu_us: list[float] = field(default_factory=list[float])

    def figures(self) -> Figures:
        cuts = statistics.quantiles(self.latencies_s, n=100, method="inclusive")
        return Figures(
            per_s=statistics.median(self.rates),
            per_s_low=min(self.rates),
            per_s_high=max(self.rates),
            p50_ms=cuts[49] * 1e3,
            p95_ms=cuts[94] * 1e3,
            p99_ms=cuts[98] * 1e3,
            gateway_cpu_us=statistics.median(self.cpu_us),
        )


@dataclass(frozen=True, slots=True)
class _Way:
    """One of the ways to write that are compared."""

    name: str
    variant: Variant
    groups: Sequence[str]
    gateway: RunningGateway | None


async def run_small_writes(
    options: SmallWriteOptions, directory: Path, on_round: Callable[[], None] = lambda: None
) -> SmallWriteResult:
    """As run_batch_writes: one shard of its own, variants in turn.

    Writers work in a closed loop: each sends its next write when it has the answer to the last.
    """
    source = RowSource(options.seed)
    samples: dict[tuple[str, Call], _Samples] = {}
    async with AsyncExitStack() as stack:
        gateways = {"with_lane": {}, "without_lane": _WITHOUT_LANE}
        if options.engine == "falkordb":
            gateways = {"gateway": dict[str, str]()}
        rig = await start_rig(stack, options.engine, directory, options.cache_dir, gateways)
        names = group_names((*gateways, FLOOR), options.groups)
        ways = [
            _Way(name, ThroughGateway(gateway.client), names[name], gateway)
            for name, gateway in rig.gateways.items()
        ]
        ways.append(_Way(FLOOR, ThroughBareLoop(rig.loop), names[FLOOR], None))
        for number in range(-WARM_UP_ROUNDS, options.rounds):
            for way in turns(ways, number):
                for call, sends in _calls(way, options, source).items():
                    into = samples.setdefault((way.name, call), _Samples()) if number >= 0 else _Samples()
                    await _measure(sends, way.gateway, into)
            on_round()
    return SmallWriteResult(rig.engine_version, {key: some.figures() for key, some in samples.items()})


def _calls(
    way: _Way, options: SmallWriteOptions, source: RowSource
) -> Mapping[Call, Sequence[Sequence[Send]]]:
    """Per call one list for each writer. Facts lie between entities that the same round wrote before."""
    writes_each = max(1, options.writes // options.writers)
    writes = writes_each * options.writers
    entities: list[list[Send]] = [[] for _ in range(options.writers)]
    facts: list[list[Send]] = [[] for _ in range(options.writers)]
    for place, group in enumerate(way.groups):
        numbers = range(place, writes, len(way.groups))
        batches = source.batches(len(numbers), options.rows)
        for number, new_entities, new_facts in zip(numbers, batches.entities, batches.facts, strict=True):
            entities[number % options.writers].append(way.variant.prepare(group, new_entities))
            facts[number % options.writers].append(way.variant.prepare(group, new_facts))
    calls: dict[Call, Sequence[Sequence[Send]]] = {"entities": entities, "facts": facts}
    if way.gateway is not None:
        client = way.gateway.client

        async def echo() -> None:
            await client.serves(timeout_s=_ECHO_TIMEOUT_S)

        calls["echo"] = [[echo] * writes_each for _ in range(options.writers)]
    return calls


async def _measure(sends: Sequence[Sequence[Send]], gateway: RunningGateway | None, into: _Samples) -> None:
    async def one_after_the_other(mine: Sequence[Send]) -> None:
        for send in mine:
            sent = time.perf_counter()
            await send()
            into.latencies_s.append(time.perf_counter() - sent)

    calls = sum(map(len, sends))
    spent_s = cpu_s(gateway.pid) if gateway else 0.0
    started = time.perf_counter()
    async with asyncio.TaskGroup() as writers:
        for mine in sends:
            writers.create_task(one_after_the_other(mine))
    into.rates.append(calls / (time.perf_counter() - started))
    into.cpu_us.append((cpu_s(gateway.pid) - spent_s) / calls * 1e6 if gateway else 0.0)

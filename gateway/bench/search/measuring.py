"""One cell: every request goes to the gateway and, as its bare engine calls, to the shards, in turn."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.bench.search.direct import Direct, Recorded
from gateway.bench.search.figures import CellFigures, latency
from gateway.bench.stages import Stages
from gateway.loopback.client import GatewayClient
from gateway.loopback.process_stat import cpu_s
from graphgate.v1 import search_service_pb2 as pb

SEARCH_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Rounds:
    count: int
    """Times that every request of a cell is made, after one that warms up and records."""
    seconds_max: float
    """No further round of a cell begins after this; the first one always counts."""


@dataclass(frozen=True, slots=True)
class Searched:
    """A gateway and its shards."""

    client: GatewayClient
    gateway_pid: int
    direct: Direct


@dataclass(slots=True)
class _Samples:
    at: Searched
    recorded: Sequence[Recorded]
    same_hits: float
    gateway_s: list[float] = field(default_factory=list[float])
    floor_s: list[float] = field(default_factory=list[float])
    gateway_cpu_s: float = 0.0
    floor_cpu_s: float = 0.0
    stages: Stages = field(default_factory=Stages)


async def measure(at: Searched, requests: Sequence[pb.SearchRequest], rounds: Rounds) -> CellFigures:
    """One request at a time. Raises AioRpcError and what drivers raise."""
    (figures,) = await measure_in_turn([at], requests, rounds)
    return figures


async def measure_in_turn(
    ats: Sequence[Searched], requests: Sequence[pb.SearchRequest], rounds: Rounds
) -> Sequence[CellFigures]:
    """As measure, the same requests to several fleets, one after the other."""
    samples = [await _warm(at, requests) for at in ats]
    began = time.monotonic()
    before_s = [cpu_s(at.gateway_pid) for at in ats]
    for number in range(rounds.count):
        if number and time.monotonic() - began > rounds.seconds_max:
            break
        for place, request in enumerate(requests):
            floor_first = (place + number) % 2 == 1
            for some in samples if floor_first else reversed(samples):
                if floor_first:
                    await _floor(some, place)
                await _gateway(some, request)
                if not floor_first:
                    await _floor(some, place)
    # The gateway has nothing to do while others are measured; its keepers' looks at shards stay in.
    for some, earlier_s in zip(samples, before_s, strict=True):
        some.gateway_cpu_s = cpu_s(some.at.gateway_pid) - earlier_s
    return [_figures(some) for some in samples]


async def _warm(at: Searched, requests: Sequence[pb.SearchRequest]) -> _Samples:
    """Every request once, and what it calls."""
    recorded: list[Recorded] = []
    same: list[bool] = []
    for request in requests:
        found = await at.direct.record(request)
        answer = await at.client.search.Search(request, timeout=SEARCH_TIMEOUT_S)
        same.append(_hits(answer) == [(key.group_id, key.uuid) for key in found.hits])
        await found.calls.send()
        recorded.append(found)
    return _Samples(at, recorded, statistics.fmean(same))


async def _gateway(samples: _Samples, request: pb.SearchRequest) -> None:
    started = time.perf_counter()
    answer = await samples.at.client.search.Search(request, timeout=SEARCH_TIMEOUT_S)
    whole_s = time.perf_counter() - started
    samples.gateway_s.append(whole_s)
    samples.stages.add(answer, whole_s)


async def _floor(samples: _Samples, place: int) -> None:
    """Of the request at that place."""
    calls = samples.recorded[place].calls
    cpu_before_s, started = time.process_time(), time.perf_counter()
    await calls.send()
    samples.floor_s.append(time.perf_counter() - started)
    samples.floor_cpu_s += time.process_time() - cpu_before_s


def _hits(answer: pb.SearchResponse) -> list[tuple[str, str]]:
    return [
        (hit.group_id, hit.fact.uuid or hit.entity.uuid) for result in answer.results for hit in result.hits
    ]


def _figures(samples: _Samples) -> CellFigures:
    gateway, floor = latency(samples.gateway_s), latency(samples.floor_s)
    requests, recorded = len(samples.gateway_s), samples.recorded
    return CellFigures(
        requests=requests,
        gateway=gateway,
        floor=floor,
        overhead_ms=statistics.median(
            mine - bare for mine, bare in zip(samples.gateway_s, samples.floor_s, strict=True)
        )
        * 1e3,
        floor_times=gateway.p50_ms / floor.p50_ms,
        gateway_cpu_ms=samples.gateway_cpu_s / requests * 1e3,
        floor_cpu_ms=samples.floor_cpu_s / requests * 1e3,
        engine_calls=statistics.fmean(len(found.calls.names) for found in recorded),
        engine_steps=statistics.fmean(len(found.calls.steps) for found in recorded),
        calls=sorted({name for found in recorded for name in found.calls.names}),
        stages_ms={stage: statistics.median(some) * 1e3 for stage, some in samples.stages.seconds.items()},
        vectors=sorted(samples.stages.vectors),
        same_hits=samples.same_hits,
    )

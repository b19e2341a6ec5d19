"""Part `neighbours`: a group of 1,000 entities among few and among many groups of ten, and what a gateway
keeps in memory of so many groups.

A fleet of one shard for each number of others, so that they are asked in turn and meet the same machine.
Memory is that of a new gateway in front of the fleet with the most groups as it grows, before its first call
and after MEMORY_REQUESTS searches that have reached every group: as many requests of as many groups each,
however many groups there are, so that only their number differs.
"""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from gateway.bench.peer.comparison import Watch
from gateway.bench.search.figures import Cell, CellFigures
from gateway.bench.search.fleet import BenchFleet, bench_fleet, make_plans, write_groups
from gateway.bench.search.measuring import SEARCH_TIMEOUT_S, Searched, measure_in_turn
from gateway.bench.search.options import SearchOptions
from gateway.bench.search.requests import METHODS, ORIGINS, search_request
from gateway.bench.search.rows import Question, RowSet
from gateway.corpus.running_fleet import POOL_GRAPHS, SHARDS_TIMEOUT_S
from gateway.loopback.client import GatewayClient
from gateway.loopback.gateway_process import GatewayProcess
from gateway.loopback.process_stat import resident_bytes
from graphgate.v1 import graph_pb2

GROUP = "thousand"
GROUP_ENTITIES = 1_000
GROUP_FACTS = 1_000
OTHER_ENTITIES = 10
MEMORY_GROUPS = (100, 1_000, 10_000)
MEMORY_REQUESTS = 100
MEMORY_REQUEST_GROUPS = 100


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of a gateway process, in 10^6 bytes."""

    rest_mb: float
    """Before its first call."""
    served_mb: float


@dataclass(frozen=True, slots=True)
class Neighbours:
    cells: Mapping[Cell, CellFigures]
    memory: Mapping[int, Memory]
    """By the number of groups in the fleet, beside the one of 1,000 entities."""


async def run_neighbours(
    options: SearchOptions, rows: RowSet, questions: Sequence[Question], directory: Path, watch: Watch
) -> Neighbours:
    group = rows.with_entities(GROUP_ENTITIES, GROUP_FACTS)
    most = max(options.neighbours)
    memory: dict[int, Memory] = {}
    async with AsyncExitStack() as stack:
        fleets: dict[int, Searched] = {}
        for others in sorted(options.neighbours):
            watch.begin(f"{others:,} other groups: start")
            fleet = await stack.enter_async_context(
                bench_fleet(directory / f"others-{others}", options.engine, 1, options.cache_dir)
            )
            await write_groups(fleet, rows, {GROUP: group}, _Silent())
            counts = [count for count in MEMORY_GROUPS if count < others] if others == most else []
            watch.begin(f"{others:,} other groups: rows", others * OTHER_ENTITIES)
            first = 0
            for count in [*counts, others]:
                new = {_name(number): rows.entities(OTHER_ENTITIES, number) for number in range(first, count)}
                await write_groups(fleet, rows, new, watch)
                if not first:
                    await make_plans(fleet, [GROUP, *new], graph_pb2.ROW_KIND_ENTITY, questions[0])
                first = count
                if others == most:
                    memory[count] = await _memory(options, fleet, questions, count, directory)
            fleets[others] = fleet.searched
        return Neighbours(await _cells(options, questions, rows, fleets, watch), memory)


async def _cells(
    options: SearchOptions,
    questions: Sequence[Question],
    rows: RowSet,
    fleets: Mapping[int, Searched],
    watch: Watch,
) -> Mapping[Cell, CellFigures]:
    """Entities are searched, for these are what the other groups have."""
    entities = rows.with_entities(GROUP_ENTITIES, GROUP_FACTS).entities
    found: dict[Cell, CellFigures] = {}
    watch.begin("other groups: methods", len(METHODS) * len(fleets))
    for method in METHODS:
        requests = [
            search_request(
                method,
                graph_pb2.ROW_KIND_ENTITY,
                [GROUP],
                question,
                [(GROUP, entities[(place * ORIGINS + k) % len(entities)]) for k in range(ORIGINS)],
            )
            for place, question in enumerate(questions)
        ]
        measured = await measure_in_turn(list(fleets.values()), requests, options.rounds)
        for others, figures in zip(fleets, measured, strict=True):
            found[Cell("neighbours", method, 1, 1, GROUP_FACTS, others)] = figures
            watch.advance(1)
    return found


async def _memory(
    options: SearchOptions, fleet: BenchFleet, questions: Sequence[Question], groups: int, directory: Path
) -> Memory:
    gateway = GatewayProcess(
        directory / f"memory-{groups}.log",
        fleet.running.fleet,
        embedder="none",
        cache_dir=options.cache_dir,
        pool_graphs=POOL_GRAPHS,
    )
    async with gateway, GatewayClient(gateway.address) as client:
        await client.until_all_shards_answer(timeout_s=SHARDS_TIMEOUT_S)
        rest_mb = resident_bytes(gateway.pid) / 1e6
        size = min(MEMORY_REQUEST_GROUPS, groups)
        for number in range(max(MEMORY_REQUESTS, groups // size)):
            scope = [_name((number * size + place) % groups) for place in range(size)]
            question = questions[number % len(questions)]
            request = search_request("hybrid", graph_pb2.ROW_KIND_ENTITY, scope, question)
            await client.search.Search(request, timeout=SEARCH_TIMEOUT_S)
        return Memory(rest_mb, resident_bytes(gateway.pid) / 1e6)


def _name(number: int) -> str:
    return f"other-{number:06}"


class _Silent:
    """For rows that are too few to be told of."""

    def begin(self, what: str, total: int | None = None) -> None:
        return

    def advance(self, count: int) -> None:
        return

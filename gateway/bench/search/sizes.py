"""Part `sizes`: one group of each size on one shard, one after the other."""

import time
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

from drivers.falkordb.graphs import pooled_graph, pooled_graphs
from gateway.bench.peer.comparison import Watch
from gateway.bench.peer.slots import READY_TIMEOUT_S, until_settled
from gateway.bench.search.budget import Budget
from gateway.bench.search.figures import Cell, CellFigures
from gateway.bench.search.fleet import bench_fleet, write_groups
from gateway.bench.search.measuring import measure
from gateway.bench.search.options import SearchOptions
from gateway.bench.search.requests import METHODS, ORIGINS, search_request
from gateway.bench.search.rows import Question, RowSet
from gateway.corpus.running_fleet import POOL_GRAPHS
from graphgate.v1 import graph_pb2

SETTLE_S_PER_ROW_MAX = 0.02


async def run_sizes(
    options: SearchOptions,
    rows: RowSet,
    questions: Sequence[Question],
    directory: Path,
    budget: Budget,
    watch: Watch,
) -> Mapping[Cell, CellFigures]:
    """From the smallest on, as long as there is time for the next by what the last one took. On FalkorDB
    every group has a graph of its own among the first POOL_GRAPHS."""
    found: dict[Cell, CellFigures] = {}
    s_per_fact = 0.0
    async with bench_fleet(directory, options.engine, 1, options.cache_dir) as fleet:
        for number, size in enumerate(sorted(options.sizes)):
            if not budget.allows(f"sizes: {size:,} facts", s_per_fact * size):
                continue
            began = time.monotonic()
            group_id, group = _name(size, number), rows.group(size)
            watch.begin(f"{size:,} facts: rows", len(group.entities) + size)
            await write_groups(fleet, rows, {group_id: group}, watch)
            watch.begin(f"{size:,} facts: indexes")
            written = len(group.entities) + size
            await until_settled(
                fleet.running.client,
                group_id,
                options.engine,
                len(group.entities),
                size,
                max(READY_TIMEOUT_S, written * SETTLE_S_PER_ROW_MAX),
            )
            await fleet.searched.direct.look_at_slots()
            watch.begin(f"{size:,} facts: methods", len(METHODS))
            for method in METHODS:
                origins = [(group_id, entity) for entity in group.entities]
                requests = [
                    search_request(
                        method,
                        graph_pb2.ROW_KIND_FACT,
                        [group_id],
                        question,
                        [origins[(place * ORIGINS + k) % len(origins)] for k in range(ORIGINS)],
                    )
                    for place, question in enumerate(questions)
                ]
                cell = Cell("sizes", method, 1, 1, size, number)
                found[cell] = await measure(fleet.searched, requests, options.rounds)
                watch.advance(1)
            s_per_fact = (time.monotonic() - began) / size
    return found


def _name(size: int, number: int) -> str:
    wanted = pooled_graphs(POOL_GRAPHS)[number % POOL_GRAPHS]
    names = (f"size-{size}-{attempt}" for attempt in count())
    return next(name for name in names if pooled_graph(name, POOL_GRAPHS) == wanted)

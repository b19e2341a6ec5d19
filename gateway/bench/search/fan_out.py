"""Part `fan_out`: requests over more and more small groups, and over one larger group on every shard, in
fleets of more and more shards."""

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

from gateway.bench.peer.comparison import Watch
from gateway.bench.peer.slots import until_settled
from gateway.bench.search.budget import Budget
from gateway.bench.search.figures import Cell, CellFigures
from gateway.bench.search.fleet import BenchFleet, bench_fleet, make_plans, write_groups
from gateway.bench.search.measuring import measure
from gateway.bench.search.options import SearchOptions
from gateway.bench.search.requests import METHODS, ORIGINS, MethodName, search_request
from gateway.bench.search.rows import GroupRows, Question, RowSet
from graphgate.v1 import graph_pb2
from graphgate.v1 import search_service_pb2 as pb

SMALL_FACTS = 10
"""Facts of each of the small groups."""


async def run_fan_out(
    options: SearchOptions,
    rows: RowSet,
    questions: Sequence[Question],
    directory: Path,
    budget: Budget,
    watch: Watch,
) -> Mapping[Cell, CellFigures]:
    found: dict[Cell, CellFigures] = {}
    last_s = 0.0
    for shards in sorted(options.shards):
        if not budget.allows(f"fan_out: {shards} shards", last_s):
            continue
        before_s = budget.spent_s
        watch.begin(f"{shards} shards: start")
        async with bench_fleet(
            directory / f"shards-{shards}", options.engine, shards, options.cache_dir
        ) as fleet:
            found |= await _of_fleet(options, rows, questions, shards, fleet, watch)
        last_s = budget.spent_s - before_s
    return found


async def _of_fleet(
    options: SearchOptions,
    rows: RowSet,
    questions: Sequence[Question],
    shards: int,
    fleet: BenchFleet,
    watch: Watch,
) -> Mapping[Cell, CellFigures]:
    small = {f"small-{number:04}": rows.group(SMALL_FACTS, number) for number in range(max(options.groups))}
    wide = await _one_on_each(options, rows, shards, fleet)
    whole = {**small, **wide}
    watch.begin(
        f"{shards} shards: rows", sum(len(group.entities) + len(group.facts) for group in whole.values())
    )
    await write_groups(fleet, rows, whole, watch)
    for group_id, group in wide.items():
        counts = len(group.entities), len(group.facts)
        await until_settled(fleet.running.client, group_id, options.engine, *counts)
    await fleet.searched.direct.look_at_slots()
    watch.begin(f"{shards} shards: plans")
    await make_plans(fleet, whole, graph_pb2.ROW_KIND_FACT, questions[0])
    scopes: list[tuple[Mapping[str, GroupRows], int, int]] = [
        (small, groups, SMALL_FACTS) for groups in sorted(options.groups)
    ]
    if wide:
        scopes.append((wide, len(wide), options.wide_facts))
    watch.begin(f"{shards} shards: methods", len(scopes) * len(METHODS))
    found: dict[Cell, CellFigures] = {}
    for of, groups, facts in scopes:
        for method in METHODS:
            requests = _requests(method, of, groups, questions)
            cell = Cell("fan_out", method, shards, groups, facts, len(whole) - groups)
            found[cell] = await measure(fleet.searched, requests, options.rounds)
            watch.advance(1)
    return found


async def _one_on_each(
    options: SearchOptions, rows: RowSet, shards: int, fleet: BenchFleet
) -> Mapping[str, GroupRows]:
    """Names are tried until every shard has one group."""
    if not options.wide_facts:
        return {}
    placed: dict[str, str] = {}
    for number in count():
        if len(placed) == shards:
            break
        name = f"wide-{number}"
        placed.setdefault(await fleet.searched.direct.home_of(name), name)
    return {name: rows.group(options.wide_facts, number) for number, name in enumerate(placed.values())}


def _requests(
    method: MethodName, of: Mapping[str, GroupRows], groups: int, questions: Sequence[Question]
) -> Sequence[pb.SearchRequest]:
    """Each over the groups that follow those of the one before, so that no shard is asked more often."""
    names = list(of)
    requests: list[pb.SearchRequest] = []
    for place, question in enumerate(questions):
        chosen = [names[(place * groups + k) % len(names)] for k in range(groups)]
        origins = [
            (name, of[name].entities[k // len(chosen)])
            for k, name in ((k, chosen[k % len(chosen)]) for k in range(ORIGINS))
        ]
        requests.append(search_request(method, graph_pb2.ROW_KIND_FACT, chosen, question, origins))
    return requests

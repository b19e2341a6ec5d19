"""One run from the start of the fleet to the verdict."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from gateway.embedded import CATALOG_ID
from tests.robustness.cluster import running_cluster
from tests.robustness.faults.injector import Injector
from tests.robustness.faults.plan import Fault, fault_plan
from tests.robustness.model.history import Read, WriteHistory
from tests.robustness.model.judge import Finding, judge
from tests.robustness.observation import Observation, observe
from tests.robustness.report.availability import Availability, availability
from tests.robustness.timeline import Clock, Outage, by_part
from tests.robustness.traffic.board import Board
from tests.robustness.traffic.caller import CallLog
from tests.robustness.traffic.client import make_clients

SETTLED = 0.5
"""Share of the writes of unknown outcome that are asked for again when everything runs."""


@dataclass(frozen=True, slots=True)
class CrashOptions:
    seconds: float
    """Of traffic; start, end and check come on top."""
    seed: int


@dataclass(frozen=True, slots=True)
class CrashResult:
    options: CrashOptions
    plan: tuple[Fault, ...]
    outages: tuple[Outage, ...]
    writes: tuple[WriteHistory, ...]
    reads: tuple[Read, ...]
    log: CallLog
    observation: Observation
    availability: Availability
    findings: tuple[Finding, ...]


async def crash_run(
    options: CrashOptions, directory: Path, on_outage: Callable[[Outage], None]
) -> CrashResult:
    """Data and logs are in `directory`. `on_outage` is called when a part works again.

    Raises what the start of the parts raises, and what `observe` raises.
    """
    async with running_cluster(directory) as cluster:
        clock, board, log = Clock(), Board(options.seed), CallLog()
        plan = fault_plan(options.seed, options.seconds, cluster.parts, CATALOG_ID)
        clients = make_clients(board, cluster.clients, clock, log, options.seed)
        injector = Injector(cluster, clock, directory, on_outage)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(injector.run(plan, options.seconds))
            for client in clients:
                tasks.create_task(client.run(options.seconds))
        await cluster.until_whole()
        calls = tuple(log.calls)
        rng = Random(f"settle {options.seed}")
        async with asyncio.TaskGroup() as tasks:
            for number, book in enumerate(tuple(board.unsettled)):
                if rng.random() < SETTLED:
                    tasks.create_task(clients[number % len(clients)].settle(book))
        writes = tuple(book.history() for book in board.writes)
        observation = await observe(cluster.fleet, cluster.clients, writes)
    return CrashResult(
        options=options,
        plan=plan,
        outages=tuple(injector.outages),
        writes=writes,
        reads=tuple(board.reads),
        log=log,
        observation=observation,
        availability=availability(
            calls, by_part(injector.outages), observation.shards, observation.homes, CATALOG_ID
        ),
        findings=judge(writes, board.reads, observation.groups),
    )

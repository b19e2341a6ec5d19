"""One run from the start of the fleet to the verdict."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from gateway.embedded import CATALOG_ID
from tests.robustness.cluster import Cluster, running_cluster
from tests.robustness.faults.injector import Injector
from tests.robustness.faults.plan import Fault, fault_plan
from tests.robustness.feeds import FeedReader, until_read
from tests.robustness.model.findings import Finding
from tests.robustness.model.history import Feed, Read, WriteHistory
from tests.robustness.model.judge import judge
from tests.robustness.model.moves import CopySeen, MoveSeen, judge_moves
from tests.robustness.moves.calls import FINAL, MoveCalls
from tests.robustness.moves.copies import observe_copies
from tests.robustness.moves.desk import MoveDesk
from tests.robustness.moves.mover import Mover
from tests.robustness.moves.settling import settle_moves
from tests.robustness.observation import Observation, observe
from tests.robustness.report.availability import Availability, availability
from tests.robustness.scenario import Scenario
from tests.robustness.timeline import AimedKill, Clock, Outage, Stay, by_part
from tests.robustness.traffic.board import Board
from tests.robustness.traffic.bulk import write_bulk
from tests.robustness.traffic.caller import Caller, CallLog
from tests.robustness.traffic.client import TrafficClient, make_clients

SETTLED = 0.5
"""Share of the writes of unknown outcome that are asked for again when everything runs."""
_COMMIT_SLACK_S = 1.0
"""How long before and after a commit a call may have met either shard."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    scenario: Scenario
    seconds: float
    """Of traffic; start, end and check come on top."""
    seed: int


@dataclass(frozen=True, slots=True)
class MovesResult:
    moves: tuple[MoveSeen, ...]
    kills: tuple[AimedKill, ...]
    refused: Mapping[str, int]
    """MoveGroup and ReverseMove, by reason."""
    forgotten: int
    """Moves that an older copy of the catalog did not know at some time."""
    copies: tuple[CopySeen, ...]


@dataclass(frozen=True, slots=True)
class RunResult:
    options: RunOptions
    plan: tuple[Fault, ...]
    outages: tuple[Outage, ...]
    writes: tuple[WriteHistory, ...]
    reads: tuple[Read, ...]
    feeds: tuple[Feed, ...]
    log: CallLog
    moved: MovesResult
    observation: Observation
    availability: Availability
    findings: tuple[Finding, ...]


async def run_scenario(
    options: RunOptions, directory: Path, on_outage: Callable[[Outage], None]
) -> RunResult:
    """Data and logs are in `directory`. `on_outage` is called when a part works again.

    Raises what the start of the parts raises, and what `observe` raises.
    """
    scenario = options.scenario
    async with running_cluster(
        directory, falkordb_shards=scenario.falkordb_shards, neo4j_shards=scenario.neo4j_shards
    ) as cluster:
        return await _Run(options, cluster, directory, on_outage).result()


class _Run:
    def __init__(
        self, options: RunOptions, cluster: Cluster, directory: Path, on_outage: Callable[[Outage], None]
    ) -> None:
        self._options = options
        self._cluster = cluster
        self._directory = directory
        self._on_outage = on_outage
        self._board = Board(options.seed)
        self._log = CallLog()

    async def result(self) -> RunResult:
        options, cluster, board = self._options, self._cluster, self._board
        before = Clock()
        bulk = await write_bulk(
            board, self._caller("bulk", before, CallLog()), before, options.scenario.bulk_groups
        )
        clock = Clock()
        board.put_back(before.now_s())
        plan = fault_plan(
            options.seed,
            options.seconds,
            cluster.parts,
            CATALOG_ID,
            options.scenario.fault_gap_s,
            options.scenario.slow_rest_s,
        )
        clients = make_clients(board, cluster.clients, clock, self._log, options.seed)
        injector = Injector(cluster, clock, self._directory, self._on_outage, options.scenario.slow_rest_s)
        desk = MoveDesk(board, tuple(shard.id for shard in cluster.fleet.shards), bulk)
        readers = self._readers(bulk, clock)
        reading = [asyncio.create_task(reader.run()) for reader in readers]
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(injector.run(plan, options.seconds))
                for client in clients:
                    tasks.create_task(client.run(options.seconds))
                for mover in self._movers(desk, injector, clock):
                    tasks.create_task(mover.run(options.seconds))
            await cluster.until_whole()
            calls = tuple(self._log.calls)
            await self._settle_writes(clients)
            moved = await self._settle_moves(desk, clock)
            writes = tuple(book.history() for book in board.writes)
            observation = await observe(cluster.fleet, cluster.clients, writes)
            await until_read(readers, {g: seen.version for g, seen in observation.groups.items()})
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
        feeds = tuple(reader.feed for reader in readers)
        return RunResult(
            options=options,
            plan=plan,
            outages=tuple(injector.outages),
            writes=writes,
            reads=tuple(board.reads),
            feeds=feeds,
            log=self._log,
            moved=moved,
            observation=observation,
            availability=availability(
                calls,
                by_part(injector.outages),
                stays_of(moved.moves, observation.shards, clock),
                observation.homes,
                CATALOG_ID,
            ),
            findings=(
                *judge(writes, board.reads, observation.groups, feeds),
                *judge_moves(moved.moves, moved.copies),
            ),
        )

    def _caller(self, name: str, clock: Clock, log: CallLog) -> Caller:
        rng = Random(f"{name} {self._options.seed}")
        return Caller(self._cluster.clients, clock, log, rng, also_final=FINAL)

    def _readers(self, bulk: Sequence[str], clock: Clock) -> list[FeedReader]:
        """Some know nothing, some the group as it is when the traffic begins."""
        readers: list[FeedReader] = []
        for number in range(self._options.scenario.feed_readers if bulk else 0):
            name, group_id = f"reader-{number}", bulk[number % len(bulk)]
            group = self._board.group(group_id)
            after_version = group.version if number % 2 and group is not None else 0
            rng = Random(f"{name} {self._options.seed}")
            readers.append(
                FeedReader(name, group_id, after_version, self._cluster.clients, clock, self._log, rng)
            )
        return readers

    def _movers(self, desk: MoveDesk, injector: Injector, clock: Clock) -> list[Mover]:
        movers: list[Mover] = []
        for number in range(self._options.scenario.movers):
            name = f"mover-{number}"
            calls = MoveCalls(self._caller(name, clock, CallLog()))
            rng = Random(f"moves {name} {self._options.seed}")
            movers.append(Mover(desk, calls, injector, self._cluster.gateway_called, clock, rng))
        return movers

    async def _settle_writes(self, clients: Sequence[TrafficClient]) -> None:
        rng = Random(f"settle {self._options.seed}")
        async with asyncio.TaskGroup() as tasks:
            for number, book in enumerate(tuple(self._board.unsettled)):
                if rng.random() < SETTLED:
                    tasks.create_task(clients[number % len(clients)].settle(book))

    async def _settle_moves(self, desk: MoveDesk, clock: Clock) -> MovesResult:
        copies: tuple[CopySeen, ...] = ()
        if self._options.scenario.movers:
            calls = MoveCalls(self._caller("settle moves", clock, CallLog()))
            copies = await observe_copies(
                self._cluster.fleet,
                (group.group_id for group in self._board.groups),
                partial(settle_moves, desk, calls),
            )
        kills = tuple(
            AimedKill(shot.role, shot.part, shot.phase, clock.at_s(shot.struck_us)) for shot in desk.shots
        )
        return MovesResult(desk.seen(), kills, dict(desk.refused), len(desk.forgotten), copies)


def stays_of(
    moves: Iterable[MoveSeen], shards: Mapping[str, str], clock: Clock
) -> Mapping[str, Sequence[Stay]]:
    """Where each group was when; `shards`: where it is at the end."""
    stays: dict[str, list[Stay]] = {}
    began: dict[str, float] = {}
    for move in sorted(moves, key=lambda move: move.committed_us):
        if move.committed_us and move.source_shard != move.target_shard:
            at_s = clock.at_s(move.committed_us)
            from_s = began.get(move.group_id, float("-inf"))
            stay = Stay(move.source_shard, from_s, at_s + _COMMIT_SLACK_S)
            stays.setdefault(move.group_id, []).append(stay)
            began[move.group_id] = at_s - _COMMIT_SLACK_S
    for group_id, shard in shards.items():
        stays.setdefault(group_id, []).append(Stay(shard, began.get(group_id, float("-inf"))))
    return stays

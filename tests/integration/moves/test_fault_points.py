"""Moves that stand at every point while something fails: coordinator, source, target, records.

One group and one move for each point. When all of them stand there, the part fails and comes back, and all
go on. Each must end with one owner, with everything acknowledged and nothing revived, with copies that are
alike, and without leftovers. Writers write all the time.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Literal

import pytest

from shard_router.moves.digest import GroupCopy, VerifyRequest
from shard_router.moves.record import MovePhase, MoveRecord, MoveRequest, ToSpace
from tests.integration.moves.cases import WINDOW_S, Case, asked, cases_of, until_all_stand, write_groups
from tests.integration.moves.history import broken_promises, copies_of, soon
from tests.integration.moves.world import (
    CATALOG,
    SETTINGS,
    Gateway,
    World,
    drop_indexes,
    ended,
    running_world,
    two_gateways,
)
from tests.robustness.model.moves import judge_moves

type Part = Literal["coordinator", "source", "target", "records"]
type Fault = Literal["kill", "hang", "error", "restart"]

BETWEEN_FALKORDB: tuple[tuple[Part, Fault], ...] = (
    ("coordinator", "kill"),
    ("coordinator", "hang"),
    ("coordinator", "error"),
    ("source", "kill"),
    ("source", "hang"),
    ("source", "error"),
    ("target", "kill"),
    ("target", "hang"),
    ("target", "error"),
    ("records", "kill"),
    ("records", "hang"),
)
"""A coordinator that is restarted is the course `resumed`."""
TO_NEO4J: tuple[tuple[Part, Fault], ...] = (("coordinator", "kill"), ("target", "kill"))
FROM_NEO4J: tuple[tuple[Part, Fault], ...] = (("source", "restart"),)
AWAY_S = 0.3
"""How long a part is away that is killed."""
HANGS_S = SETTINGS.drain_s_max + 0.5
"""Longer than a pause may be: a group that is frozen then has to be let go by whoever comes back to it."""
pytestmark = pytest.mark.timeout(600)
"""Not how long a test may take: each of its waits ends when nothing goes on."""


@pytest.fixture(scope="module")
async def falkordb_world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with running_world(tmp_path_factory.mktemp("moves"), ("falkordb-0", "falkordb-1")) as world:
        yield world


@pytest.fixture(scope="module")
async def mixed_world(
    tmp_path_factory: pytest.TempPathFactory, neo4j_installed: None
) -> AsyncIterator[World]:
    async with running_world(tmp_path_factory.mktemp("moves"), ("falkordb-0", "neo4j-0")) as world:
        yield world


@pytest.mark.parametrize(("part", "fault"), BETWEEN_FALKORDB)
async def test_every_point_between_falkordb_shards(falkordb_world: World, part: Part, fault: Fault):
    """Each of the points. An error of the coordinator is one of its call at the point, also of one to the
    records. The restart of a coordinator is the course `resumed`, that of a shard comes further down."""
    await _every_point(falkordb_world, falkordb_world.shards, part, fault)


@pytest.mark.parametrize(("part", "fault"), TO_NEO4J)
async def test_every_point_to_neo4j(mixed_world: World, part: Part, fault: Fault):
    """The points are alike for all engines; what a shard makes of them is not. Neo4j to Neo4j is left to
    `graphgate chaos`: two of them take too long to start."""
    await _every_point(mixed_world, mixed_world.shards, part, fault)


@pytest.mark.parametrize(("part", "fault"), FROM_NEO4J)
async def test_every_point_from_neo4j(mixed_world: World, part: Part, fault: Fault):
    """The other way."""
    falkordb, neo4j = mixed_world.shards
    await _every_point(mixed_world, (neo4j, falkordb), part, fault)


async def _every_point(world: World, shards: tuple[str, str], part: Part, fault: Fault) -> None:
    seed = secrets.randbelow(1_000_000)
    print(f"seed {seed}")
    async with two_gateways(world) as (first, second):
        cases = await cases_of(first, second, shards, seed)
        if part == "coordinator" and (fault == "hang" or world.has_neo4j):
            # Who has the turn to delete and is gone keeps it for many seconds: one such test is enough.
            cases = [case for case in cases if case.kind != "wiped"]
        await write_groups(shards[0], first, cases)
        writing = [asyncio.create_task(case.writer.run()) for case in cases]
        try:
            await until_all_stand(cases, (first, second))
            assert not any(task.done() for task in writing), writing
            await _fail(world, shards, part, fault, first, second, cases)
            await asyncio.gather(*(case.asking for case in cases if case.asking is not None))
            judges = second if part == "coordinator" else first
            records = {case.name: await ended(judges, case.move_id) for case in cases}
        finally:
            for task in writing:
                task.cancel()
            await asyncio.gather(*writing, return_exceptions=True)
            for case in cases:
                case.stand.goes.set()
                if case.asking is not None:
                    case.asking.cancel()
        assert {name: record.phase for name, record in records.items()} == {
            case.name: case.course.ends for case in cases
        }
        await _finish(judges, cases, records)
        async with asyncio.TaskGroup() as tasks:
            for case in cases:
                tasks.create_task(_check_promises(world, case))
        await _check_copies(judges, cases, shards)
    await drop_indexes(world)


# --- faults ---------------------------------------------------------------------------------------


async def _fail(
    world: World,
    shards: tuple[str, str],
    part: Part,
    fault: Fault,
    first: Gateway,
    second: Gateway,
    cases: Sequence[Case],
) -> None:
    """Returns when the part is back and every move may go on."""
    if part == "coordinator":
        await _fail_coordinator(fault, first, second, cases)
        return
    name = {"source": shards[0], "target": shards[1], "records": CATALOG}[part]
    proxy, process = world.proxies[name], world.processes[name]
    match fault:
        case "kill":
            await process.kill()
            _go(cases)
            await asyncio.sleep(AWAY_S)
            await process.restart()
        case "restart":
            await process.restart()
            _go(cases)
        case "hang":
            proxy.hang()
            _go(cases)
            await asyncio.sleep(HANGS_S)
            proxy.resume()
        case "error":
            proxy.loses_answers = True
            _go(cases)
            await proxy.lost.wait()
            await proxy.heal()
            proxy.cut()
            proxy.lost.clear()


async def _fail_coordinator(fault: Fault, first: Gateway, second: Gateway, cases: Sequence[Case]) -> None:
    match fault:
        case "kill":
            await first.kill_moves()
            _go(cases)
            await second.moves.start()
        case "hang":
            first.points.flows.clear()
            await second.moves.start()
            for case in cases:
                if case.asking is not None and not case.asking.done():
                    case.ask((second, first))
            for case in cases:
                await ended(second, case.move_id)
            # What it was about to do when it stopped comes after all.
            first.points.flows.set()
            _go(cases)
        case "error":
            for case in cases:
                case.stand.fails = True
            _go(cases)
            await second.moves.start()
        case "restart":
            raise AssertionError("is a course of its own: `resumed`")


def _go(cases: Sequence[Case]) -> None:
    for case in cases:
        case.stand.goes.set()


# --- checks ---------------------------------------------------------------------------------------


async def _finish(gateway: Gateway, cases: Sequence[Case], records: Mapping[str, MoveRecord]) -> None:
    """No source keeps anything for a way back."""
    for case in cases:
        move_id = records[case.name].move_id
        if case.course.ends is MovePhase.REVERSIBLE:
            await asked((gateway,), lambda moves, move_id=move_id: moves.finish(move_id, soon()))
    for case in cases:
        await ended(gateway, records[case.name].move_id, wholly=True)


async def _check_promises(world: World, case: Case) -> None:
    assert case.writer.acked >= 3, case.name
    assert await broken_promises(case.writer, world.drivers) == (), case.name
    copies = await copies_of(case.group_id, world.drivers)
    assert not list(judge_moves((), copies)), f"{case.name}: {copies}"


async def _check_copies(gateway: Gateway, cases: Sequence[Case], shards: tuple[str, str]) -> None:
    """Every group moves again, without writers, and its two copies are alike to the last tombstone."""

    async def again(case: Case) -> None:
        shard, fence = await gateway.router.describe_group(case.group_id, soon())
        (other,) = {*shards} - {shard}
        request = MoveRequest(
            case.group_id,
            other,
            to_space=ToSpace.POOLED,
            reverse_window_s=WINDOW_S,
            request_id=secrets.token_hex(8),
        )
        move = await asked((gateway,), lambda moves: moves.begin(request, soon()))
        record = await ended(gateway, move.move_id)
        assert record.phase == MovePhase.REVERSIBLE, f"{case.name}: {record}"
        report = await gateway.moves.verify(
            VerifyRequest(
                GroupCopy(shard, case.group_id, fence.space), GroupCopy(other, case.group_id), as_copy=True
            ),
            soon(),
        )
        assert report.equal, f"{case.name}: {report}"
        assert report.left_rows > 0

    async with asyncio.TaskGroup() as tasks:
        for case in cases:
            tasks.create_task(again(case))

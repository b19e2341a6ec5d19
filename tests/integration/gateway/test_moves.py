"""Groups move between real engines while clients write, read and watch them, over real gRPC."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import pytest
from google.longrunning import operations_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2

from graphgate.v1 import admin_service_pb2, graph_pb2, graph_service_pb2
from graphgate.v1 import move_pb2 as pb
from tests.eventually import eventually
from tests.fakes.hashing_embedder import hashed
from tests.integration.gateway.calls import new_uuid, refused
from tests.integration.gateway.conftest import Client, group_on
from tests.integration.gateway.people import write_people
from tests.integration.gateway.watching import Replica

Code = grpc.StatusCode
MOVE_S_MAX = 180
CALL_S_MAX = 120
MANY = 3_000
"""Rows of a group that takes a while to move."""

PAIRS = pytest.mark.parametrize(
    ("source", "target"),
    [("FALKORDB", "falkordb"), ("FALKORDB", "neo4j"), ("NEO4J", "falkordb")],
)


async def shard_of(client: Client, group_id: str) -> str:
    described = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group_id))
    return described.group.shard


async def another(client: Client, group_id: str, engine: str) -> str:
    """A shard of the engine that does not hold the group."""
    here = await shard_of(client, group_id)
    listed = await client.admin.ListShards(admin_service_pb2.ListShardsRequest())
    return next(one.shard for one in listed.shards if one.shard.startswith(engine) and one.shard != here)


async def begin(client: Client, group_id: str, to_shard: str, **fields: object) -> str:
    """Name of the operation."""
    request = pb.MoveGroupRequest(group_id=group_id, to_shard=to_shard, **fields)  # type: ignore[arg-type]
    return (await client.admin.MoveGroup(request)).name


async def ended(client: Client, name: str) -> operations_pb2.Operation:
    """The operation when it is done. Raises AssertionError with its progress when that takes too long."""
    until_s = time.monotonic() + MOVE_S_MAX
    while True:
        request = operations_pb2.WaitOperationRequest(name=name, timeout=Duration(seconds=10))
        operation = await client.operations.WaitOperation(request, timeout=CALL_S_MAX)
        if operation.done:
            return operation
        assert time.monotonic() < until_s, progress_of(operation)


async def moved(client: Client, name: str) -> pb.MoveResult:
    operation = await ended(client, name)
    assert not operation.HasField("error"), operation.error
    result = pb.MoveResult()
    assert operation.response.Unpack(result)
    return result


def progress_of(operation: operations_pb2.Operation) -> pb.MoveProgress:
    progress = pb.MoveProgress()
    assert operation.metadata.Unpack(progress)
    return progress


@dataclass(slots=True)
class Writer:
    """Writes new rows, changes them and deletes some, one call after the other, and fails at no error."""

    client: Client
    group_id: str
    present: set[str] = field(default_factory=set[str])
    deleted: set[str] = field(default_factory=set[str])
    version: int = 0

    async def write_on(self) -> None:
        number = 0
        while True:
            number += 1
            uuid = new_uuid()
            answer = await self.client.graph.WriteGraph(
                graph_service_pb2.WriteGraphRequest(
                    group_id=self.group_id,
                    entities=[
                        graph_pb2.Entity(
                            uuid=uuid, name=f"row {number}", embedding=hashed(f"row {number}").tolist()
                        )
                    ],
                ),
                timeout=CALL_S_MAX,
            )
            self.present.add(uuid)
            self.version = answer.version
            if number % 5 == 0:
                # Not known to be there from here on: the test may end this call.
                gone = self.present.pop()
                deleted = await self.client.graph.DeleteEntities(
                    graph_service_pb2.DeleteEntitiesRequest(group_id=self.group_id, uuids=[gone]),
                    timeout=CALL_S_MAX,
                )
                self.deleted.add(gone)
                self.version = deleted.version


@asynccontextmanager
async def writing(client: Client, group_id: str) -> AsyncGenerator[Writer]:
    """Writes all the time; raises afterwards what a write has failed with."""
    writer = Writer(client, group_id)
    task = asyncio.create_task(writer.write_on())
    try:
        await eventually(lambda: len(writer.present) > 10 or task.done(), timeout_s=CALL_S_MAX)
        yield writer
    finally:
        task.cancel()
        (end,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(end, asyncio.CancelledError), end


async def missing(client: Client, group_id: str, uuids: set[str]) -> set[str]:
    gone: set[str] = set()
    asked = sorted(uuids)
    for begin_at in range(0, len(asked), 1_000):
        request = graph_service_pb2.BatchGetEntitiesRequest(
            group_id=group_id, uuids=asked[begin_at : begin_at + 1_000]
        )
        gone |= set((await client.graph.BatchGetEntities(request)).missing_uuids)
    return gone


async def many_rows(client: Client, group_id: str) -> None:
    for _ in range(MANY // 200):
        names = [new_uuid() for _ in range(200)]
        await client.graph.WriteGraph(
            graph_service_pb2.WriteGraphRequest(
                group_id=group_id,
                entities=[graph_pb2.Entity(name=name, embedding=hashed(name).tolist()) for name in names],
            )
        )


@PAIRS
@pytest.mark.timeout(400)
async def test_a_group_moves_while_it_is_written(client: Client, source: str, target: str) -> None:
    """No call fails, every acknowledged write is there and no deleted row; a watch over all of it has no gap
    and tells nothing twice."""
    group_id = await group_on(client, source)
    people = await write_people(client, group_id)
    to_shard = await another(client, group_id, target)
    async with Replica(client, group_id) as replica:
        async with writing(client, group_id) as writer:
            result = await moved(client, await begin(client, group_id, to_shard))
            count = len(writer.present)
            await eventually(lambda: len(writer.present) > count + 10, timeout_s=CALL_S_MAX)
        assert (result.group_id, result.shard) == (group_id, to_shard)
        assert len(result.pauses) >= 1
        assert await shard_of(client, group_id) == to_shard
        everybody = {people.uuid[name] for name in ("ada", "bob", "cid", "dan", "eve")}
        assert await missing(client, group_id, writer.present | everybody) == set()
        assert await missing(client, group_id, writer.deleted) == writer.deleted
        described = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group_id))
        await replica.reaches(described.group.version)
    assert len(replica.told) == len(set(replica.told))
    assert len(replica.rows) == sum(count.rows for count in described.group.counts)
    # The same as a watch that begins now.
    async with Replica(client, group_id) as fresh:
        await fresh.reaches(described.group.version)
    assert fresh.rows == replica.rows


@PAIRS
@pytest.mark.timeout(400)
async def test_a_moved_group_is_its_copy_and_goes_back(client: Client, source: str, target: str) -> None:
    """VerifyGroup finds the copy equal, then what was written since; ReverseMove takes only that along."""
    group_id = await group_on(client, source)
    await write_people(client, group_id)
    home, to_shard = await shard_of(client, group_id), await another(client, group_id, target)
    name = await begin(client, group_id, to_shard)
    assert (await moved(client, name)).reverse_until.seconds > 0
    at_home = pb.VerifyGroupRequest(
        left=pb.GroupCopy(group_id=group_id),
        right=pb.GroupCopy(group_id=group_id, shard=home),
        as_copy=True,
    )
    report = (await client.admin.VerifyGroup(at_home)).report
    assert report.equal, report
    assert report.left_rows == report.right_rows > 20

    uuid = new_uuid()
    await client.graph.WriteGraph(
        graph_service_pb2.WriteGraphRequest(
            group_id=group_id, entities=[graph_pb2.Entity(uuid=uuid, name="new")], request_id="later"
        )
    )
    report = (await client.admin.VerifyGroup(at_home)).report
    found = {(one.section, one.key) for one in report.missing}
    assert found == {(pb.DIFFERENCE_SECTION_ROW, uuid), (pb.DIFFERENCE_SECTION_OPERATION, "later")}
    assert (report.equal, report.extra_total, report.different_total) == (False, 0, 0)

    back = await client.admin.ReverseMove(
        pb.ReverseMoveRequest(move_id=name.removeprefix("operations/moves/"))
    )
    operation = await ended(client, back.name)
    assert not operation.HasField("error"), operation.error
    assert progress_of(operation).rows_copied < 10
    assert await shard_of(client, group_id) == home
    assert await missing(client, group_id, {uuid}) == set()


@pytest.mark.timeout(400)
async def test_progress_is_visible_and_a_move_can_be_cancelled(client: Client) -> None:
    """Phases and rows while it runs; after a cancel the group is where it was, whole, and can be moved."""
    group_id = await group_on(client, "FALKORDB")
    await many_rows(client, group_id)
    home, to_shard = await shard_of(client, group_id), await another(client, group_id, "falkordb")
    name = await begin(client, group_id, to_shard)
    await client.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=name))
    operation = await ended(client, name)
    assert operation.error.code == code_pb2.CANCELLED
    assert progress_of(operation).phase == pb.MOVE_PHASE_CANCELLED
    described = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group_id))
    assert described.group.shard == home
    assert sum(count.rows for count in described.group.counts) == MANY + 1

    name = await begin(client, group_id, to_shard)
    seen: set[int] = set()

    async def copied() -> bool:
        operation = await client.operations.GetOperation(operations_pb2.GetOperationRequest(name=name))
        progress = progress_of(operation)
        seen.add(progress.phase)
        return operation.done or (progress.rows_copied > 0 and progress.rows_total >= MANY)

    await eventually(copied, timeout_s=MOVE_S_MAX)
    assert await moved(client, name)
    assert seen & {pb.MOVE_PHASE_COPYING, pb.MOVE_PHASE_CATCHING_UP, pb.MOVE_PHASE_VERIFYING}
    refusal = await refused(
        client.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=name))
    )
    assert (refusal.code, refusal.reason) == (Code.FAILED_PRECONDITION, "MOVE_COMMITTED")


async def test_a_group_gets_a_container_of_its_own_and_shares_one_again(client: Client) -> None:
    """Without leaving its shard."""
    group_id = await group_on(client, "FALKORDB")
    await write_people(client, group_id)
    home = await shard_of(client, group_id)
    for space in (pb.MOVE_SPACE_OWN, pb.MOVE_SPACE_POOLED):
        result = await moved(client, await begin(client, group_id, home, to_space=space))
        described = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group_id))
        assert (result.shard, described.group.shard) == (home, home)
        assert described.group.space == result.space
        assert bool(result.space) == (space == pb.MOVE_SPACE_OWN)


async def test_the_copy_that_stays_goes_when_the_window_ends(client: Client) -> None:
    """FinishMove deletes it; from then on there is no way back but a new move."""
    group_id = await group_on(client, "FALKORDB")
    to_shard = await another(client, group_id, "falkordb")
    name = await begin(client, group_id, to_shard)
    await moved(client, name)
    move_id = name.removeprefix("operations/moves/")
    await client.admin.FinishMove(pb.FinishMoveRequest(move_id=move_id))

    async def gone() -> bool:
        operation = await client.operations.GetOperation(operations_pb2.GetOperationRequest(name=name))
        return progress_of(operation).phase == pb.MOVE_PHASE_DONE

    await eventually(gone, timeout_s=MOVE_S_MAX)
    refusal = await refused(client.admin.ReverseMove(pb.ReverseMoveRequest(move_id=move_id)))
    assert (refusal.code, refusal.reason) == (Code.FAILED_PRECONDITION, "MOVE_NOT_REVERSIBLE")


async def test_a_repeated_request_is_the_same_move(client: Client) -> None:
    """By its request_id; operations are listed by group, the newest first."""
    group_id = await group_on(client, "FALKORDB")
    home, to_shard = await shard_of(client, group_id), await another(client, group_id, "falkordb")
    request_id = new_uuid()
    first = await begin(client, group_id, to_shard, request_id=request_id)
    assert await begin(client, group_id, to_shard, request_id=request_id) == first
    await moved(client, first)
    back = await begin(client, group_id, home)
    await moved(client, back)
    listed = await client.operations.ListOperations(
        operations_pb2.ListOperationsRequest(filter=f'group_id = "{group_id}"')
    )
    assert [one.name for one in listed.operations] == [back, first]
    running = await client.operations.ListOperations(
        operations_pb2.ListOperationsRequest(filter=f'group_id = "{group_id}" AND done = false')
    )
    assert not running.operations


async def test_moves_that_cannot_be_are_refused(client: Client) -> None:
    """Before anything is begun, with what to do."""
    group_id = await group_on(client, "FALKORDB")
    home = await shard_of(client, group_id)
    for request, code, reason in (
        (pb.MoveGroupRequest(group_id=group_id, to_shard="nowhere"), Code.NOT_FOUND, "SHARD_UNKNOWN"),
        (pb.MoveGroupRequest(group_id=new_uuid(), to_shard=home), Code.NOT_FOUND, "GROUP_NOT_FOUND"),
        (pb.MoveGroupRequest(group_id=group_id, to_shard=home), Code.FAILED_PRECONDITION, "MOVE_REFUSED"),
        (
            pb.MoveGroupRequest(
                group_id=group_id,
                to_shard=await another(client, group_id, "neo4j"),
                to_space=pb.MOVE_SPACE_OWN,
            ),
            Code.FAILED_PRECONDITION,
            "MOVE_REFUSED",
        ),
    ):
        refusal = await refused(client.admin.MoveGroup(request))
        assert (refusal.code, refusal.reason) == (code, reason), refusal.text
    nothing_there = pb.VerifyGroupRequest(
        left=pb.GroupCopy(group_id=group_id),
        right=pb.GroupCopy(group_id=group_id, shard=await another(client, group_id, "falkordb")),
    )
    refusal = await refused(client.admin.VerifyGroup(nothing_there))
    assert refusal.code is Code.FAILED_PRECONDITION, refusal.text

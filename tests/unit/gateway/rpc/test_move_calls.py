"""Moves and their operations over gRPC: requests, translation of records, refusals."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2

from drivers.graph_model import Kind
from drivers.moving import Other
from gateway import errors
from gateway.rpc.move_messages import MOVE_PHASE, operation_message
from gateway.rpc.operation_filter import OperationFilter, read_filter
from gateway.rpc.validation import Violations
from graphgate.v1 import admin_service_pb2_grpc, graph_pb2
from graphgate.v1 import move_pb2 as pb
from shard_router.moves.digest import GroupCopy, RowDifference, VerifyReport, VerifyRequest
from shard_router.moves.record import MoveFailure, MovePhase, MoveRequest, ToSpace, VerifyWhen
from tests.fakes.moves import NOW_US, REVERSE_WINDOW_S, FakeMoves, serving
from tests.integration.gateway.calls import refused

Code = grpc.StatusCode
DONE = {MovePhase.REVERSIBLE, MovePhase.CLEANING, MovePhase.DONE, MovePhase.CANCELLED, MovePhase.FAILED}


@dataclass(frozen=True, slots=True)
class Api:
    moves: FakeMoves
    admin: "admin_service_pb2_grpc.AdminServiceAsyncStub"
    operations: Any


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    moves = FakeMoves()
    async with serving(moves) as address, grpc.aio.insecure_channel(address) as channel:
        yield Api(
            moves,
            admin_service_pb2_grpc.AdminServiceStub(channel),
            operations_pb2_grpc.OperationsStub(channel),
        )


def unpacked[M: Message](packed: Any, kind: type[M]) -> M:
    message = kind()
    assert packed.Unpack(message), f"{packed.TypeName()} is no {kind.DESCRIPTOR.full_name}"
    return message


async def test_a_move_is_asked_for_with_every_field(api: Api) -> None:
    """What the request says reaches the move; what it leaves out has the declared default."""
    await api.admin.MoveGroup(
        pb.MoveGroupRequest(
            group_id="g",
            to_shard="b",
            to_space=pb.MOVE_SPACE_OWN,
            reverse_window=Duration(seconds=90, nanos=500_000_000),
            request_id="r",
            skip_verify=True,
            allow_cordoned=True,
        )
    )
    await api.admin.MoveGroup(pb.MoveGroupRequest(group_id="g", to_shard="b", reverse_window=Duration()))
    await api.admin.MoveGroup(pb.MoveGroupRequest(group_id="g", to_shard="b"))
    assert api.moves.begun == [
        MoveRequest("g", "b", ToSpace.OWN, 90.5, "r", VerifyWhen.NEVER, cordoned=True),
        MoveRequest("g", "b", ToSpace.KEEP, 0.0),
        MoveRequest("g", "b", ToSpace.KEEP, REVERSE_WINDOW_S),
    ]


async def test_bad_moves_name_every_field(api: Api) -> None:
    """All at once, and nothing is begun."""
    refusal = await refused(
        api.admin.MoveGroup(
            pb.MoveGroupRequest(
                group_id="a b",
                to_shard=" ",
                to_space=9,  # type: ignore[arg-type]
                reverse_window=Duration(seconds=30 * 86_400 + 1),
                request_id="?",
            )
        )
    )
    assert (refusal.code, refusal.reason) == (Code.INVALID_ARGUMENT, "INVALID_FIELDS")
    assert refusal.fields == ["group_id", "to_shard", "to_space", "reverse_window", "request_id"]
    refusal = await refused(
        api.admin.MoveGroup(
            pb.MoveGroupRequest(group_id="g", to_shard="x" * 129, reverse_window=Duration(seconds=-1))
        )
    )
    assert refusal.fields == ["to_shard", "reverse_window"]
    refusal = await refused(
        api.admin.VerifyGroup(
            pb.VerifyGroupRequest(
                left=pb.GroupCopy(group_id="", space="s"),
                right=pb.GroupCopy(group_id="g", shard="\0", space="x" * 129),
                differences_max=1_001,
            )
        )
    )
    assert refusal.fields == [
        "left.group_id",
        "left.space",
        "right.shard",
        "right.space",
        "differences_max",
    ]
    for call in (
        api.admin.ReverseMove(pb.ReverseMoveRequest()),
        api.admin.FinishMove(pb.FinishMoveRequest(move_id="x" * 65)),
    ):
        assert (await refused(call)).fields == ["move_id"]
    assert not api.moves.begun
    assert not api.moves.verified


async def test_an_operation_tells_how_far_its_move_is(api: Api) -> None:
    """Metadata has the record, values of 0 that mean "not yet" are unset."""
    api.moves.put(
        "m",
        phase=MovePhase.COPYING,
        source_space="own",
        rows_total=100,
        rows_copied=40,
        rows_remaining=60,
        bytes_copied=1_000,
        rounds=2,
        rate_rows_per_s=30.0,
        pauses_us=(31_000, 1_500_000),
        thaws=1,
        coordinator="gw",
        request_id="r",
    )
    operation = await api.operations.GetOperation(
        operations_pb2.GetOperationRequest(name="operations/moves/m")
    )
    assert (operation.name, operation.done) == ("operations/moves/m", False)
    assert operation.WhichOneof("result") is None
    progress = unpacked(operation.metadata, pb.MoveProgress)
    assert progress.phase == pb.MOVE_PHASE_COPYING
    assert (progress.source_shard, progress.source_space, progress.target_shard) == ("a", "own", "b")
    assert (progress.rows_total, progress.rows_copied, progress.rows_remaining) == (100, 40, 60)
    assert progress.eta.ToTimedelta().total_seconds() == 2
    assert [pause.ToMicroseconds() for pause in progress.pauses] == [31_000, 1_500_000]
    assert progress.requested_at.ToMicroseconds() == NOW_US
    unset = [name for name in ("committed_at", "ended_at", "reverse_until") if progress.HasField(name)]
    assert unset == []


@pytest.mark.parametrize("phase", MovePhase)
async def test_an_operation_is_done_when_the_owner_has_changed_or_never_will(phase: MovePhase) -> None:
    """Its caller does not wait for the reverse window. A done one has a response or an error, never both."""
    committed_us = NOW_US if phase in (MovePhase.REVERSIBLE, MovePhase.CLEANING, MovePhase.DONE) else 0
    record = FakeMoves().put(
        "m", phase=phase, committed_us=committed_us, error_reason="VERIFY_FAILED", error_text="they differ"
    )
    operation = operation_message(record)
    assert operation.done == (phase in DONE)
    match phase:
        case MovePhase.CANCELLED:
            assert operation.error.code == code_pb2.CANCELLED
            assert (
                unpacked(operation.error.details[0], error_details_pb2.ErrorInfo).reason == "MOVE_CANCELLED"
            )
        case MovePhase.FAILED:
            assert (operation.error.code, operation.error.message) == (code_pb2.ABORTED, "they differ")
            info = unpacked(operation.error.details[0], error_details_pb2.ErrorInfo)
            assert (info.reason, info.metadata["group_id"]) == ("VERIFY_FAILED", "g")
        case _ if phase in DONE:
            result = unpacked(operation.response, pb.MoveResult)
            assert (result.group_id, result.shard) == ("g", "b")
            assert result.committed_at.ToMicroseconds() == NOW_US
        case _:
            assert operation.WhichOneof("result") is None


def test_every_phase_and_every_failure_has_its_number_and_code() -> None:
    """What the record knows can be told; UNSPECIFIED is a phase of a newer gateway. The reason of a shard's
    error keeps the code that the error itself has."""
    assert set(MOVE_PHASE.values()) == set(pb.MovePhase.values())
    assert set(errors.MOVE_FAILURES) == set(MoveFailure)
    for failure in MoveFailure:
        record = FakeMoves().put("m", phase=MovePhase.FAILED, error_reason=failure, error_text="x")
        code, _ = errors.MOVE_FAILURES[failure].code.value
        assert operation_message(record).error.code == code
    record = FakeMoves().put("m", phase=MovePhase.FAILED, error_reason="SHARD_UNAVAILABLE", error_text="x")
    assert operation_message(record).error.code == code_pb2.UNAVAILABLE


async def test_moves_are_reversed_and_finished(api: Api) -> None:
    """By the id of the move; an unknown one is NOT_FOUND and named."""
    api.moves.put("m", phase=MovePhase.REVERSIBLE, committed_us=1)
    back = await api.admin.ReverseMove(pb.ReverseMoveRequest(move_id="m"))
    progress = unpacked(back.metadata, pb.MoveProgress)
    assert (progress.kind, progress.reverses) == (pb.MOVE_KIND_REVERSE, "m")
    finished = await api.admin.FinishMove(pb.FinishMoveRequest(move_id="m"))
    assert finished.move.phase == pb.MOVE_PHASE_CLEANING
    refusal = await refused(api.admin.ReverseMove(pb.ReverseMoveRequest(move_id="other")))
    assert (refusal.code, refusal.resource) == (Code.NOT_FOUND, ("move_id", "other"))
    api.moves.put("n")
    refusal = await refused(api.admin.FinishMove(pb.FinishMoveRequest(move_id="n")))
    assert (refusal.code, refusal.reason) == (Code.FAILED_PRECONDITION, "MOVE_NOT_COMMITTED")


async def test_operations_are_cancelled_and_kept(api: Api) -> None:
    """Cancel is a wish; after the commit it is refused. Delete says why there is none."""
    api.moves.put("m")
    name = "operations/moves/m"
    await api.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=name))
    assert api.moves.records["m"].cancel_requested
    api.moves.now("m", committed_us=1)
    refusal = await refused(api.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=name)))
    assert (refusal.code, refusal.reason) == (Code.FAILED_PRECONDITION, "MOVE_COMMITTED")
    refusal = await refused(api.operations.DeleteOperation(operations_pb2.DeleteOperationRequest(name=name)))
    assert (refusal.code, refusal.reason) == (Code.UNIMPLEMENTED, "OPERATIONS_ARE_KEPT")


@pytest.mark.parametrize(
    "name", ["", "m", "operations/m", "operations/moves/", f"operations/moves/{'x' * 65}"]
)
async def test_names_of_no_operation_are_refused(api: Api, name: str) -> None:
    """With the form that a name has, by each method that takes one."""
    for call in (
        api.operations.GetOperation(operations_pb2.GetOperationRequest(name=name)),
        api.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=name)),
        api.operations.WaitOperation(operations_pb2.WaitOperationRequest(name=name)),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.fields) == (Code.INVALID_ARGUMENT, ["name"])


async def test_an_unknown_operation_is_not_found(api: Api) -> None:
    """Never an empty one."""
    refusal = await refused(
        api.operations.GetOperation(operations_pb2.GetOperationRequest(name="operations/moves/x"))
    )
    assert (refusal.code, refusal.reason) == (Code.NOT_FOUND, "MOVE_NOT_FOUND")


async def test_operations_are_listed_page_by_page(api: Api) -> None:
    """The newest first, by group and by whether they are done; a page token of another filter is refused."""
    for number in range(7):
        phase = (MovePhase.COPYING, MovePhase.REVERSIBLE, MovePhase.FAILED)[number % 3]
        api.moves.put(f"m{number}", group_id=f"g{number % 2}", phase=phase)

    async def listed(wanted: str) -> list[str]:
        names: list[str] = []
        token = ""
        while True:
            page = await api.operations.ListOperations(
                operations_pb2.ListOperationsRequest(
                    name="operations", filter=wanted, page_size=2, page_token=token
                )
            )
            assert len(page.operations) <= 2
            names += [one.name.removeprefix("operations/moves/m") for one in page.operations]
            token = page.next_page_token
            if not token:
                return names

    assert "".join(await listed("")) == "6543210"
    assert "".join(await listed('group_id = "g1"')) == "531"
    assert "".join(await listed("done = false")) == "630"
    assert "".join(await listed("done=true AND group_id=g0")) == "42"
    page = await api.operations.ListOperations(operations_pb2.ListOperationsRequest(page_size=1))
    refusal = await refused(
        api.operations.ListOperations(
            operations_pb2.ListOperationsRequest(
                name="nope",
                filter="done = true",
                page_size=-1,
                page_token=page.next_page_token,
                return_partial_success=True,
            )
        )
    )
    assert refusal.fields == ["name", "return_partial_success", "page_size", "page_token"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", OperationFilter()),
        ('group_id="a-b"', OperationFilter("a-b")),
        ("done = true", OperationFilter(done=True)),
        ("done=false AND group_id = g", OperationFilter("g", done=False)),
        ("group_id = a b", None),
        ("done = maybe", None),
        ("done = true AND done = false", None),
        ("phase = COPYING", None),
        ("done = true OR group_id = g", None),
        ('group_id = "a b"', None),
        ("x" * 600, None),
    ],
)
def test_filters(text: str, wanted: OperationFilter | None) -> None:
    """A filter that is not understood is an error, never ignored."""
    v = Violations()
    found = read_filter(v, text)
    if wanted is None:
        with pytest.raises(errors.InvalidRequest):
            v.raise_if_any()
    else:
        v.raise_if_any()
        assert found == wanted


async def test_wait_returns_at_the_end_of_the_move_or_of_the_time(api: Api) -> None:
    """Before the timeout when it is done, else the latest state, which is no error."""
    api.moves.put("m", phase=MovePhase.COPYING)
    name = "operations/moves/m"
    still = await api.operations.WaitOperation(
        operations_pb2.WaitOperationRequest(name=name, timeout=Duration(nanos=10_000_000))
    )
    assert not still.done
    # Without a timeout the caller's deadline bounds the wait, and the answer comes before it.
    assert not (
        await api.operations.WaitOperation(operations_pb2.WaitOperationRequest(name=name), timeout=1)
    ).done
    waiting = asyncio.ensure_future(
        api.operations.WaitOperation(operations_pb2.WaitOperationRequest(name=name), timeout=30)
    )
    api.moves.now("m", phase=MovePhase.REVERSIBLE, committed_us=NOW_US)
    assert (await waiting).done
    refusal = await refused(
        api.operations.WaitOperation(
            operations_pb2.WaitOperationRequest(name=name, timeout=Duration(seconds=-1))
        )
    )
    assert refusal.fields == ["timeout"]


async def test_copies_are_compared_where_they_are_or_where_the_owner_is(api: Api) -> None:
    """A copy without a shard is the owner's; every difference is told with what it is in."""
    api.moves.report = VerifyReport(
        left_rows=5,
        right_rows=6,
        left_version=7,
        right_version=8,
        missing=[RowDifference(Kind.FACT, "u1")],
        extra=[RowDifference(Other.TOMBSTONE, "ENTITY/u2")],
        different=[RowDifference(Other.OPERATION, "op")],
        missing_total=1,
        extra_total=20,
        different_total=3,
    )
    answer = await api.admin.VerifyGroup(
        pb.VerifyGroupRequest(
            left=pb.GroupCopy(group_id="g"),
            right=pb.GroupCopy(group_id="h", shard="b", space="own"),
            differences_max=2,
            as_copy=True,
        )
    )
    assert api.moves.verified == [
        VerifyRequest(GroupCopy("a", "g", "s"), GroupCopy("b", "h", "own"), 2, as_copy=True)
    ]
    report = answer.report
    assert not report.equal
    assert (report.left_rows, report.right_rows, report.left_version, report.right_version) == (5, 6, 7, 8)
    assert (report.missing_total, report.extra_total, report.different_total) == (1, 20, 3)
    found = [(one.section, one.kind, one.key) for one in (*report.missing, *report.extra, *report.different)]
    assert found == [
        (pb.DIFFERENCE_SECTION_ROW, graph_pb2.ROW_KIND_FACT, "u1"),
        (pb.DIFFERENCE_SECTION_DELETION, graph_pb2.ROW_KIND_ENTITY, "u2"),
        (pb.DIFFERENCE_SECTION_OPERATION, graph_pb2.ROW_KIND_UNSPECIFIED, "op"),
    ]
    refusal = await refused(
        api.admin.VerifyGroup(
            pb.VerifyGroupRequest(
                left=pb.GroupCopy(group_id="nobody"), right=pb.GroupCopy(group_id="g", shard="b")
            )
        )
    )
    assert refusal.code is Code.NOT_FOUND

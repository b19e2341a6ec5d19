"""`graphgate operations`: moves that run, and those that have ended."""

import json
from typing import Annotated, Any

import typer

from gateway.cli.columns import aligned
from gateway.cli.gateway_call import DEFAULT_ADDRESS, Address, TimeoutS, calling
from gateway.cli.options import AsJson

operations = typer.Typer(no_args_is_help=True, help="Look at **moves of groups**, wait for them, end them.")

Move = Annotated[str, typer.Argument(help="Id of the move.")]
_PAGE = 1_000


@operations.command("list")
def list_operations(
    group: Annotated[str, typer.Option(metavar="ID", help="Only of this group.")] = "",
    done: Annotated[
        bool | None, typer.Option("--done/--running", help="Only those that are done, or that are not.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest ones, at most so many.")] = 50,
    address: Address = DEFAULT_ADDRESS,
    timeout_s: TimeoutS = 30.0,
    as_json: AsJson = False,
) -> None:
    """List moves, the newest first."""
    with calling(address, as_json=as_json) as channel:
        from google.longrunning import operations_pb2, operations_pb2_grpc  # noqa: PLC0415

        from gateway.cli.move_report import as_object, phase_of, place, progress_of  # noqa: PLC0415

        stub: Any = operations_pb2_grpc.OperationsStub(channel)
        terms = [f'group_id = "{group}"'] if group else []
        if done is not None:
            terms.append(f"done = {str(done).lower()}")
        found: list[Any] = []
        token = ""
        while len(found) < limit:
            request = operations_pb2.ListOperationsRequest(
                filter=" AND ".join(terms), page_size=min(_PAGE, limit - len(found)), page_token=token
            )
            page = stub.ListOperations(request, timeout=timeout_s)
            found += page.operations
            token = page.next_page_token
            if not token:
                break
        if as_json:
            print(json.dumps({"operations": [as_object(one) for one in found], "more": bool(token)}))
            return
        lines = [
            (
                progress.move_id,
                progress.group_id,
                place(progress.source_shard, progress.source_space),
                place(progress.target_shard, progress.target_space),
                phase_of(progress),
                f"{progress.rows_copied:,}",
                progress.requested_at.ToJsonString(),
            )
            for progress in map(progress_of, found)
        ]
        print(aligned([("MOVE", "GROUP", "FROM", "TO", "PHASE", "COPIED", "REQUESTED"), *lines]))
        if token:
            typer.echo(f"graphgate: there are more than {limit}; see --limit", err=True)


@operations.command()
def show(
    move: Move, address: Address = DEFAULT_ADDRESS, timeout_s: TimeoutS = 30.0, as_json: AsJson = False
) -> None:
    """Show one move as it is. Ends with code 1 if it has failed or was cancelled."""
    with calling(address, as_json=as_json) as channel:
        from gateway.cli.move_following import tell  # noqa: PLC0415 - slow

        tell(_get(channel, move, timeout_s), as_json=as_json)


@operations.command()
def wait(
    move: Move, address: Address = DEFAULT_ADDRESS, timeout_s: TimeoutS = 30.0, as_json: AsJson = False
) -> None:
    """Follow a move until it is done. Ends with code 1 if it has failed or was cancelled."""
    with calling(address, as_json=as_json) as channel:
        from gateway.cli.move_following import follow_and_tell  # noqa: PLC0415 - slow

        operation = _get(channel, move, timeout_s)
        follow_and_tell(channel, operation, wait=True, timeout_s=timeout_s, as_json=as_json)


@operations.command()
def cancel(
    move: Move, address: Address = DEFAULT_ADDRESS, timeout_s: TimeoutS = 30.0, as_json: AsJson = False
) -> None:
    """Give a move up: the group stays where it is. Refused once the group has its new owner.

    Returns when that is recorded; `graphgate operations wait` waits for its end.
    """
    with calling(address, as_json=as_json) as channel:
        from google.longrunning import operations_pb2, operations_pb2_grpc  # noqa: PLC0415

        from gateway.cli.move_report import as_object, as_text, operation_name  # noqa: PLC0415

        stub: Any = operations_pb2_grpc.OperationsStub(channel)
        stub.CancelOperation(
            operations_pb2.CancelOperationRequest(name=operation_name(move)), timeout=timeout_s
        )
        operation = _get(channel, move, timeout_s)
        print(json.dumps(as_object(operation)) if as_json else as_text(operation))


@operations.command()
def finish(
    move: Move, address: Address = DEFAULT_ADDRESS, timeout_s: TimeoutS = 30.0, as_json: AsJson = False
) -> None:
    """End a move's reverse window now: the source's copy is deleted, in the background."""
    with calling(address, as_json=as_json) as channel:
        from gateway.cli.move_report import move_id, phase_of, progress_object  # noqa: PLC0415
        from graphgate.v1 import admin_service_pb2_grpc  # noqa: PLC0415
        from graphgate.v1 import move_pb2 as pb  # noqa: PLC0415

        request = pb.FinishMoveRequest(move_id=move_id(move))
        moved = admin_service_pb2_grpc.AdminServiceStub(channel).FinishMove(request, timeout=timeout_s).move
        print(
            json.dumps(progress_object(moved))
            if as_json
            else f"move {moved.move_id} of group {moved.group_id} is {phase_of(moved)}"
        )


def _get(channel: Any, move: str, timeout_s: float) -> Any:
    """Raises grpc.RpcError."""
    from google.longrunning import operations_pb2, operations_pb2_grpc  # noqa: PLC0415

    from gateway.cli.move_report import operation_name  # noqa: PLC0415

    stub: Any = operations_pb2_grpc.OperationsStub(channel)
    return stub.GetOperation(operations_pb2.GetOperationRequest(name=operation_name(move)), timeout=timeout_s)

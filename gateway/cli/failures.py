"""`graphgate failures`: episodes that could not become a graph, and another attempt at them."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from gateway.cli.columns import aligned
from gateway.cli.exits import FAILED, SETTINGS_WRONG, fail
from gateway.cli.gateway_call import DEFAULT_ADDRESS, Address, TimeoutS, calling
from gateway.cli.options import AsJson

failures = typer.Typer(
    no_args_is_help=True, help="Look at **episodes that could not become a graph**, and replay them."
)

_PAGE = 1_000
"""Failures of one ListFailures, and request ids of one ReplayFailures."""


@failures.command("list")
def list_failures(
    group: Annotated[str, typer.Option(metavar="ID", help="Only of this group.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The oldest ones, at most so many.")] = 1_000,
    address: Address = DEFAULT_ADDRESS,
    timeout_s: TimeoutS = 30.0,
    as_json: AsJson = False,
) -> None:
    """List failed episodes with their reasons, the oldest failure first."""
    with calling(address, as_json=as_json) as channel:
        from gateway.cli.failure_report import FAILURE_TITLES, failure_line, failure_object  # noqa: PLC0415

        found, more = _failures(channel, group, limit, timeout_s)
    if as_json:
        print(json.dumps({"failures": [failure_object(one) for one in found], "more": more}))
        return
    print(aligned([FAILURE_TITLES, *map(failure_line, found)]))
    if more:
        typer.echo(f"graphgate: there are more than {limit}; see --limit", err=True)


@failures.command()
def replay(
    group: Annotated[str | None, typer.Argument(help="Group of the episodes.")] = None,
    request_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[REQUEST_ID]...", help="Which ones; default: all failures of the group."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All failures of all groups.")] = False,
    address: Address = DEFAULT_ADDRESS,
    timeout_s: TimeoutS = 30.0,
    as_json: AsJson = False,
) -> None:
    """Put failed episodes back into their groups' queues, at the end, in the order of their failures.

    What made them fail should be mended first. Ends with code 1 if one that was named is no failure.
    """
    if every == (group is not None):
        fail("name a group or give --all", SETTINGS_WRONG, as_json=as_json)
    with calling(address, as_json=as_json) as channel:
        from gateway.cli.failure_report import replayed_object  # noqa: PLC0415

        # Listed first: an episode that fails again meanwhile is not replayed for ever.
        wanted: dict[str, list[str]] = {}
        if group is not None and request_ids:
            wanted[group] = list(dict.fromkeys(request_ids))
        else:
            for one in _failures(channel, group or "", None, timeout_s)[0]:
                wanted.setdefault(one.group_id, []).append(one.request_id)
        found = [
            status
            for group_id, op_ids in wanted.items()
            for begin in range(0, len(op_ids), _PAGE)
            for status in _replayed(channel, group_id, op_ids[begin : begin + _PAGE], timeout_s)
        ]
        missed = sum(map(len, wanted.values())) - len(found)
        if as_json:
            print(json.dumps({"replayed": [replayed_object(one) for one in found], "not_replayed": missed}))
        else:
            print(f"{len(found)} episodes of {len({one.group_id for one in found})} groups wait again")
            if missed:
                typer.echo(f"graphgate: {missed} were no failures, or their queue is full", err=True)
    if missed:
        raise typer.Exit(FAILED)


def _failures(channel: Any, group: str, limit: int | None, timeout_s: float) -> tuple[list[Any], bool]:
    """And whether there are more. Raises grpc.RpcError."""
    from graphgate.v1 import ingest_service_pb2 as pb  # noqa: PLC0415
    from graphgate.v1 import ingest_service_pb2_grpc  # noqa: PLC0415

    stub = ingest_service_pb2_grpc.IngestServiceStub(channel)
    found: list[Any] = []
    token = ""
    while limit is None or len(found) < limit:
        size = _PAGE if limit is None else min(_PAGE, limit - len(found))
        asked = pb.ListFailuresRequest(group_id=group, page_size=size, page_token=token)
        page = stub.ListFailures(asked, timeout=timeout_s)
        found += page.failures
        token = page.next_page_token
        if not token:
            break
    return found, bool(token)


def _replayed(channel: Any, group_id: str, op_ids: Sequence[str], timeout_s: float) -> list[Any]:
    """Raises grpc.RpcError."""
    from graphgate.v1 import ingest_service_pb2 as pb  # noqa: PLC0415
    from graphgate.v1 import ingest_service_pb2_grpc  # noqa: PLC0415

    stub = ingest_service_pb2_grpc.IngestServiceStub(channel)
    asked = pb.ReplayFailuresRequest(group_id=group_id, request_ids=op_ids)
    return list(stub.ReplayFailures(asked, timeout=timeout_s).replayed)

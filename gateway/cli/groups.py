"""`graphgate groups`: the groups of the fleet, one of them, its copies, its changes; clearing one."""

import json
import sys
import uuid
from typing import Annotated, Any

import typer

from gateway.cli.columns import aligned
from gateway.cli.exits import FAILED, SETTINGS_WRONG, fail
from gateway.cli.gateway_call import DEFAULT_ADDRESS, Address, TimeoutS, calling
from gateway.cli.options import AsJson

groups = typer.Typer(
    no_args_is_help=True, help="Look at **groups**, compare their copies, follow and clear them."
)

Group = Annotated[str, typer.Argument(help="The group.")]
_PAGE = 1_000


@groups.command("list")
def list_groups(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="By group id, at most so many.")] = 1_000,
    partial: Annotated[
        bool, typer.Option("--partial", help="Leave out shards that do not answer, and name them.")
    ] = False,
    address: Address = DEFAULT_ADDRESS,
    timeout_s: TimeoutS = 30.0,
    as_json: AsJson = False,
) -> None:
    """List the groups of all shards."""
    with calling(address, as_json=as_json) as channel:
        from gateway.cli.group_report import group_line, group_object  # noqa: PLC0415
        from graphgate.v1 import graph_service_pb2 as pb  # noqa: PLC0415
        from graphgate.v1 import graph_service_pb2_grpc  # noqa: PLC0415

        stub = graph_service_pb2_grpc.GraphServiceStub(channel)
        found: list[Any] = []
        away: set[str] = set()
        token = ""
        while len(found) < limit:
            page = stub.ListGroups(
                pb.ListGroupsRequest(
                    page_size=min(_PAGE, limit - len(found)),
                    page_token=token,
                    return_partial_success=partial,
                ),
                timeout=timeout_s,
            )
            found += page.groups
            away |= set(page.unreachable)
            token = page.next_page_token
            if not token:
                break
        if as_json:
            report = {
                "groups": [group_object(one) for one in found],
                "more": bool(token),
                "unreachable": sorted(away),
            }
            print(json.dumps(report))
            return
        titles = ("GROUP", "SHARD", "SPACE", "EPOCH", "VERSION", "ROWS")
        print(aligned([titles, *(group_line(one) for one in found)]))
        if token:
            typer.echo(f"graphgate: there are more than {limit}; see --limit", err=True)
        if away:
            typer.echo(f"graphgate: without those of {', '.join(sorted(away))}", err=True)


@groups.command()
def show(
    group: Group, address: Address = DEFAULT_ADDRESS, timeout_s: TimeoutS = 30.0, as_json: AsJson = False
) -> None:
    """Show where a group is, its version, what it has."""
    with calling(address, as_json=as_json) as channel:
        from gateway.cli.group_report import group_object, group_text  # noqa: PLC0415
        from graphgate.v1 import graph_service_pb2 as pb  # noqa: PLC0415
        from graphgate.v1 import graph_service_pb2_grpc  # noqa: PLC0415

        found = graph_service_pb2_grpc.GraphServiceStub(channel).GetGroup(
            pb.GetGroupRequest(group_id=group), timeout=timeout_s
        )
        print(json.dumps(group_object(found.group)) if as_json else group_text(found.group))


@groups.command()
def verify(
    group: Group,
    shard: Annotated[
        str, typer.Option(metavar="ID", help="Compare with the copy on this shard; default: the owner's.")
    ] = "",
    space: Annotated[str, typer.Option(help="Its container there; default: shared with others.")] = "",
    with_group: Annotated[
        str, typer.Option(metavar="ID", help="Compare with this group; default: the same one.")
    ] = "",
    as_copy: Annotated[
        bool,
        typer.Option("--as-copy", help="Versions, times of creation, records of deletions and writes, too."),
    ] = False,
    differences: Annotated[
        int, typer.Option(min=1, max=1_000, help="To be named of each sort, at most so many.")
    ] = 20,
    address: Address = DEFAULT_ADDRESS,
    timeout_s: TimeoutS = 300.0,
    as_json: AsJson = False,
) -> None:
    """Compare a group with another copy of it, or with another group.

    Reads both sides by digests and looks only into what differs. Ends with code 1 when they are not equal.
    """
    if not shard and not with_group:
        fail("name what to compare with: --shard, --with-group or both", as_json=as_json)
    with calling(address, as_json=as_json) as channel:
        from gateway.cli.group_report import verify_object, verify_text  # noqa: PLC0415
        from graphgate.v1 import admin_service_pb2_grpc  # noqa: PLC0415
        from graphgate.v1 import move_pb2 as pb  # noqa: PLC0415

        request = pb.VerifyGroupRequest(
            left=pb.GroupCopy(group_id=group),
            right=pb.GroupCopy(group_id=with_group or group, shard=shard, space=space),
            differences_max=differences,
            as_copy=as_copy,
        )
        report = (
            admin_service_pb2_grpc.AdminServiceStub(channel).VerifyGroup(request, timeout=timeout_s).report
        )
        print(json.dumps(verify_object(report)) if as_json else verify_text(report))
        if not report.equal:
            raise typer.Exit(FAILED)


@groups.command()
def clear(
    group: Group,
    discard_waiting: Annotated[
        bool,
        typer.Option(
            "--discard-waiting",
            help="Make accepted episodes that wait listed failures; default: refuse while there are any.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    request_id: Annotated[
        str,
        typer.Option(
            help="Makes the command safe to repeat: the same id takes nothing that was written since. "
            "Default: a new one."
        ),
    ] = "",
    up_to_version: Annotated[
        int,
        typer.Option(
            min=0, help="Delete rows up to this version of the group, and leave the queue alone; 0: all rows."
        ),
    ] = 0,
    address: Address = DEFAULT_ADDRESS,
    timeout_s: TimeoutS = 30.0,
    as_json: AsJson = False,
) -> None:
    """Delete **all rows** of a group; the group itself stays.

    Calls the gateway until nothing is left of what there was at the first call, also over a restart of the
    gateway. Episodes that workers have are waited for. Ends with code 1 when it was refused, when no gateway
    answers or when nothing goes any more, and then tells the command that goes on.
    """
    if not yes:
        if as_json or not sys.stdin.isatty():
            fail(f"this deletes everything in group {group}; give --yes", SETTINGS_WRONG, as_json=as_json)
        typer.confirm(f"Delete everything in group {group}?", abort=True)
    with calling(address, as_json=as_json) as channel:
        from gateway.cli.group_clearing import clear_and_tell  # noqa: PLC0415 - slow
        from graphgate.v1 import ingest_service_pb2 as pb  # noqa: PLC0415

        request = pb.ClearGroupRequest(
            group_id=group,
            request_id=request_id or str(uuid.uuid4()),
            up_to_version=up_to_version,
            discard_waiting=discard_waiting,
        )
        clear_and_tell(channel, request, timeout_s, as_json=as_json)


@groups.command()
def watch(
    group: Group,
    after: Annotated[int, typer.Option(min=0, help="Changes after this version; 0: all that there is.")] = 0,
    until_now: Annotated[
        bool, typer.Option("--until-now", help="End when everything that there is has been told.")
    ] = False,
    address: Address = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Follow the changes of a group, until Ctrl-C; also while it is moved.

    A line for each row that was written or deleted, of a row only the latest state. With --json an object for
    each answer of the gateway; its `position` is where --after goes on.
    """
    with calling(address, as_json=as_json) as channel:
        from gateway.cli.group_watching import follow_group  # noqa: PLC0415 - slow

        follow_group(channel, group, after, until_now=until_now, as_json=as_json)

"""`graphgate move`: a group goes to another shard while it is used."""

from typing import Annotated, Literal

import typer

from gateway.cli.gateway_call import DEFAULT_ADDRESS, Address, TimeoutS, calling
from gateway.cli.options import AsJson

Wait = Annotated[
    bool, typer.Option(help="Follow the move until the group has its new owner; else begin it and return.")
]


def move(
    group: Annotated[str, typer.Argument(help="The group.")],
    to: Annotated[str, typer.Option(metavar="SHARD", help="The shard that it goes to.")],
    space: Annotated[
        Literal["pooled", "own", "keep"],
        typer.Option(help="Container there: shared with other groups, its own, or as now."),
    ] = "keep",
    reverse_window_s: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=30 * 86_400,
            help="How long the source keeps its copy for `graphgate reverse`; default: the gateway's "
            "moves.reverse_window_s.",
        ),
    ] = None,
    request_id: Annotated[
        str, typer.Option(help="Makes the command safe to repeat: the same id gives the same move.")
    ] = "",
    skip_verify: Annotated[
        bool, typer.Option("--skip-verify", help="Do not compare the copy before the owner changes.")
    ] = False,
    allow_cordoned: Annotated[
        bool, typer.Option("--allow-cordoned", help="Also to a shard that takes no new groups.")
    ] = False,
    wait: Wait = True,
    address: Address = DEFAULT_ADDRESS,
    timeout_s: TimeoutS = 30.0,
    as_json: AsJson = False,
) -> None:
    """Move a group to another shard or container, **live**: it is read and written meanwhile.

    Prints the move when the group has its new owner (with --no-wait as it is). The move goes on if this
    command or the gateway is stopped. Ends with code 1 when it was refused, has failed or was cancelled.
    """
    with calling(address, as_json=as_json) as channel:
        from google.protobuf.duration_pb2 import Duration  # noqa: PLC0415

        from gateway.cli.move_following import follow_and_tell  # noqa: PLC0415 - slow
        from graphgate.v1 import admin_service_pb2_grpc  # noqa: PLC0415
        from graphgate.v1 import move_pb2 as pb  # noqa: PLC0415

        request = pb.MoveGroupRequest(
            group_id=group,
            to_shard=to,
            to_space=f"MOVE_SPACE_{space.upper()}",
            request_id=request_id,
            skip_verify=skip_verify,
            allow_cordoned=allow_cordoned,
        )
        if reverse_window_s is not None:
            request.reverse_window.CopyFrom(
                Duration(seconds=int(reverse_window_s), nanos=int(reverse_window_s % 1 * 1e9))
            )
        operation = admin_service_pb2_grpc.AdminServiceStub(channel).MoveGroup(request, timeout=timeout_s)
        follow_and_tell(channel, operation, wait=wait, timeout_s=timeout_s, as_json=as_json)

"""`graphgate reverse`: a moved group goes back."""

from typing import Annotated

import typer

from gateway.cli.gateway_call import DEFAULT_ADDRESS, Address, TimeoutS, calling
from gateway.cli.move import Wait
from gateway.cli.options import AsJson


def reverse(
    move: Annotated[str, typer.Argument(help="Id of the move to take back.")],
    wait: Wait = True,
    address: Address = DEFAULT_ADDRESS,
    timeout_s: TimeoutS = 30.0,
    as_json: AsJson = False,
) -> None:
    """Move a group back to where a move took it from, which copies only what is newer.

    Possible while the move is REVERSIBLE. Prints the move back as `graphgate move` does.
    """
    with calling(address, as_json=as_json) as channel:
        from gateway.cli.move_following import follow_and_tell  # noqa: PLC0415 - slow
        from gateway.cli.move_report import move_id  # noqa: PLC0415
        from graphgate.v1 import admin_service_pb2_grpc  # noqa: PLC0415
        from graphgate.v1 import move_pb2 as pb  # noqa: PLC0415

        operation = admin_service_pb2_grpc.AdminServiceStub(channel).ReverseMove(
            pb.ReverseMoveRequest(move_id=move_id(move)), timeout=timeout_s
        )
        follow_and_tell(channel, operation, wait=wait, timeout_s=timeout_s, as_json=as_json)

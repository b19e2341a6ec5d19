"""How commands call a running gateway, and how they end when it refuses."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.exits import fail
from gateway.cli.status import DEFAULT_ADDRESS

if TYPE_CHECKING:
    import grpc

Address = Annotated[str, typer.Option(help="host:port of the gateway.")]
TimeoutS = Annotated[float, typer.Option(min=0.1, max=300, help="For each call, in seconds.")]

__all__ = ["DEFAULT_ADDRESS", "Address", "TimeoutS", "calling"]


@contextmanager
def calling(address: str, *, as_json: bool) -> "Generator[grpc.Channel]":
    """A channel to the gateway. A call on it that fails ends the command with its status in one sentence."""
    import grpc  # noqa: PLC0415 - slow

    with grpc.insecure_channel(address) as channel:
        try:
            yield channel
        except grpc.RpcError as error:
            call: Any = error
            fail(f"{address} answers {call.code().name}: {call.details()}", as_json=as_json)

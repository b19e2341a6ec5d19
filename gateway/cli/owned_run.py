"""Runs commands that start a fleet of their own: demo and benchmarks."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import typer

from gateway.cli.exits import SIGNAL_BASE, fail
from gateway.cli.stopping import StopSignals, unless


def run_owned(work: Coroutine[Any, Any, None], *, as_json: bool) -> None:
    """Runs to the end. A signal cancels the work, whose own cleanup stops what it started; a second one cuts
    the cleanup short, which then kills instead of waiting.

    Ends the command by FAILED with a sentence for every expected failure, by 128 + signal when interrupted.
    """
    import grpc  # noqa: PLC0415 - slow

    from drivers.errors import GraphgateError  # noqa: PLC0415
    from gateway.loopback.errors import GatewayProcessError, RetriesExhausted, ShardsAway  # noqa: PLC0415

    try:
        from gateway.embedded.errors import EmbeddedError  # noqa: PLC0415 - optional extra
    except ModuleNotFoundError as error:
        fail(
            f"this needs {error.name}, which is not installed; run pip install 'graphgate-server[embedded]'",
            as_json=as_json,
        )
    try:
        number = asyncio.run(_until_signal(work))
    except* (GraphgateError, EmbeddedError, GatewayProcessError, ShardsAway, RetriesExhausted) as group:
        fail(str(_first(group)), as_json=as_json)
    except* grpc.aio.AioRpcError as group:
        error = _first(group)
        assert isinstance(error, grpc.aio.AioRpcError)
        for note in getattr(group, "__notes__", ()):
            typer.echo(note, err=True)
        fail(f"the gateway refused a call: {error.code().name}, {error.details()}", as_json=as_json)
    else:
        if number:
            typer.echo("graphgate: interrupted; everything that was started is stopped", err=True)
            raise typer.Exit(SIGNAL_BASE + number)


async def _until_signal(work: Coroutine[Any, Any, None]) -> int:
    """0, or the number of the signal that came first."""
    with StopSignals() as signals:
        await unless(signals.second, unless(signals.first, work))
        return signals.number


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

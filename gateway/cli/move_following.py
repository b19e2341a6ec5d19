"""Following a move until its caller has nothing more to wait for: a progress bar, then the result."""

import json
import time
from typing import Any, Self

import grpc
import typer
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf.duration_pb2 import Duration
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.cli.exits import FAILED, OK, SIGNAL_BASE
from gateway.cli.move_report import (
    as_object,
    as_text,
    move_id,
    pauses_text,
    phase_of,
    progress_of,
)
from gateway.cli.patience import PAUSE_S, Patience

LOOK_S = 0.5
"""Between two looks at the progress; the end of the move is told at once."""
INTERRUPTED = SIGNAL_BASE + 2


def follow(channel: grpc.Channel, operation: operations_pb2.Operation, *, timeout_s: float) -> Any:
    """The operation when it is done. Raises grpc.RpcError when no gateway answers any more."""
    console = Console(stderr=True)
    with _Screen(console) as screen:
        # The package has no types for its stubs.
        stub: Any = operations_pb2_grpc.OperationsStub(channel)
        patience = Patience()
        while not operation.done:
            screen.show(operation)
            request = operations_pb2.WaitOperationRequest(
                name=operation.name, timeout=Duration(nanos=int(LOOK_S * 1e9))
            )
            try:
                operation = stub.WaitOperation(request, timeout=timeout_s)
                patience.answered()
            except grpc.RpcError as error:
                patience.bear(error)
                time.sleep(PAUSE_S)
        screen.show(operation)
    return operation


def tell(operation: operations_pb2.Operation, *, as_json: bool) -> None:
    """On standard output. Ends the command with FAILED if the move was given up."""
    print(json.dumps(as_object(operation)) if as_json else as_text(operation))
    raise typer.Exit(FAILED if operation.HasField("error") else OK)


def follow_and_tell(
    channel: grpc.Channel,
    operation: operations_pb2.Operation,
    *,
    wait: bool,
    timeout_s: float,
    as_json: bool,
) -> None:
    """What commands do with the operation that they get; without `wait` it is told as it is."""
    if wait:
        try:
            operation = follow(channel, operation, timeout_s=timeout_s)
        except KeyboardInterrupt:
            known = move_id(operation.name)
            typer.echo(f"graphgate: the move goes on; see graphgate operations wait {known}", err=True)
            raise typer.Exit(INTERRUPTED) from None
    tell(operation, as_json=as_json)


class _Screen:
    """A bar on a terminal; a line for each phase elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase = ""
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[pauses]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None, rate="", pauses="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, operation: operations_pb2.Operation) -> None:
        progress = progress_of(operation)
        phase, pauses = phase_of(progress), pauses_text(progress)
        rate = f"{progress.rows_per_second:,.0f} rows/s" if progress.rows_per_second else ""
        if rate and progress.HasField("eta"):
            rate += f", {progress.eta.ToTimedelta().total_seconds():.0f} s left"
        total = progress.rows_copied + progress.rows_remaining or None
        self._bar.update(
            self._task,
            description=f"{phase} {progress.group_id}",
            total=total,
            completed=total if operation.done else progress.rows_copied,
            rate=rate,
            pauses=f"writes stopped {pauses}" if pauses else "",
        )
        if phase != self._phase and not self._console.is_terminal:
            known = f", {progress.rows_copied} rows copied" if progress.rows_copied else ""
            typer.echo(f"graphgate: {phase} {progress.group_id}{known}", err=True)
        self._phase = phase

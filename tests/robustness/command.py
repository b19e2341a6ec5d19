"""`graphgate crash`: kill everything, again and again, and look whether a promise broke."""

import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

FAILED = 1
_PIPE_WIDTH = 110
"""Columns of what goes into a file."""


def crash(
    seconds: Annotated[
        float, typer.Option(min=1, max=86_400, help="How long clients write and parts are killed.")
    ] = 120.0,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the faults and the traffic; default: a random one.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Empty directory for data, logs and journal, which are kept; default: a temporary one, "
            "removed after a run in which every promise held."
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="One JSON line on standard output; the report goes to standard error."),
    ] = False,
) -> None:
    """Kill, pause and roll back **every part of a fleet** under load, and check what was promised.

    Three gateways, two FalkorDB shards, one Neo4j shard and the catalog's Redis, each a process that the seed
    chooses to kill; clients write, overwrite, patch, delete, read and retry meanwhile. In the end nothing
    acknowledged may be lost, nothing deleted may be back, nothing applied twice, no group owned twice, no
    read older than it had to be: code 1 otherwise.
    """
    from rich.console import Console  # noqa: PLC0415 - slow, as are the others

    from gateway.cli.owned_run import run_owned  # noqa: PLC0415
    from tests.robustness.crash_run import CrashOptions, CrashResult, crash_run  # noqa: PLC0415
    from tests.robustness.report.figures import as_json as json_line  # noqa: PLC0415
    from tests.robustness.report.journal import write_journal  # noqa: PLC0415
    from tests.robustness.report.screen import CrashScreen  # noqa: PLC0415

    options = CrashOptions(seconds=seconds, seed=secrets.randbelow(1_000_000) if seed is None else seed)
    console = Console(stderr=as_json)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    screen = CrashScreen(console)
    results: list[CrashResult] = []

    async def run(directory: Path) -> None:
        screen.begin(options)
        results.append(await crash_run(options, directory, screen.outage))

    directory = data_dir or Path(tempfile.mkdtemp(prefix="graphgate-crash-"))
    directory.mkdir(parents=True, exist_ok=True)
    try:
        run_owned(run(directory), as_json=as_json)
    except typer.Exit:
        typer.echo(f"graphgate: data and logs are in {directory}", err=True)
        raise
    (result,) = results
    screen.end(result)
    if as_json:
        print(json_line(result), flush=True)
    if data_dir is not None or result.findings:
        typer.echo(f"graphgate: data, logs and {write_journal(result, directory)}", err=True)
    else:
        shutil.rmtree(directory, ignore_errors=True)
    if result.findings:
        raise typer.Exit(FAILED)

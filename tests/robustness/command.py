"""`graphgate crash`, `chaos` and `crash-ingest`: kill everything, again and again, and look what broke."""

import secrets
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from tests.robustness.scenario import Scenario

FAILED = 1
_PIPE_WIDTH = 110
"""Columns of what goes into a file."""

Seconds = Annotated[
    float, typer.Option(min=1, max=86_400, help="How long clients write and parts are killed.")
]
Seed = Annotated[
    int | None, typer.Option(min=0, help="Of the faults and the traffic; default: a random one.")
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Empty directory for data, logs and journal, which are kept; default: a temporary one, "
        "removed after a run in which every promise held."
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="One JSON line on standard output; the report goes to standard error.")
]


def crash(
    seconds: Seconds = 120.0, seed: Seed = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Kill, pause and roll back **every part of a fleet** under load, and check what was promised.

    Three gateways, two FalkorDB shards, one Neo4j shard and the catalog's Redis, each a process that the seed
    chooses to kill; clients write, overwrite, patch, delete, read and retry meanwhile. In the end nothing
    acknowledged may be lost, nothing deleted may be back, nothing applied twice, no group owned twice, no
    read older than it had to be: code 1 otherwise.
    """
    from tests.robustness.scenario import CRASH  # noqa: PLC0415 - slow, as are the others

    _run(CRASH, seconds, seed, data_dir, as_json=as_json)


def chaos(
    seconds: Seconds = 300.0,
    seed: Seed = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    neo4j: Annotated[int, typer.Option(min=0, max=2, help="Neo4j shards, beside two of FalkorDB.")] = 2,
) -> None:
    """**Move groups about while everything is killed**: the run of `crash` with moves and change feeds.

    Several moves run side by side, over every pair of engines and between shared and own containers; some
    are cancelled, reversed or finished early, and in each phase of a move its coordinator, its source, its
    target or the catalog is killed. Readers follow change feeds all the time. Beside what `crash` promises,
    a feed may have no gap and tell nothing twice, every move has to end, and one that has ended leaves
    nothing behind: code 1 otherwise.
    """
    from dataclasses import replace  # noqa: PLC0415

    from tests.robustness.scenario import CHAOS  # noqa: PLC0415

    _run(replace(CHAOS, neo4j_shards=neo4j), seconds, seed, data_dir, as_json=as_json)


def crash_ingest(
    seconds: Seconds = 180.0,
    episodes: Annotated[int, typer.Option(min=1, max=1_000_000, help="Episodes that are added.")] = 5_000,
    neo4j: Annotated[int, typer.Option(min=0, max=2, help="Neo4j shards, beside two of FalkorDB.")] = 0,
    seed: Seed = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """**Kill everything while episodes become graphs**, and check that each becomes one exactly once.

    Two gateways, two workers, two FalkorDB shards (and Neo4j shards, if asked for) and Redis, each a process
    that the seed chooses to kill; clients add episodes one by one, in bulk and over streams until each is
    accepted, and a model that is in trouble now and then refuses some of them. When the queue is empty, every
    accepted episode has to be in its group's graph once, in the order of acceptance, or a listed failure:
    code 1 otherwise.
    """
    from tests.robustness.ingest.report import IngestScreen, write_journal  # noqa: PLC0415
    from tests.robustness.ingest.report import as_json as json_line  # noqa: PLC0415
    from tests.robustness.ingest.run import RunOptions, RunResult, run_ingest  # noqa: PLC0415

    options = RunOptions(seconds, episodes, _seed(seed), neo4j)
    screen = IngestScreen(_console(as_json=as_json))

    async def run(directory: Path) -> RunResult:
        screen.begin(options)
        return await run_ingest(options, directory, screen.outage)

    result, directory = _result(run, "crash-ingest", data_dir, as_json=as_json)
    screen.end(result)
    if as_json:
        print(json_line(result), flush=True)
    _end(directory, write_journal(result, directory), kept=data_dir is not None, broken=bool(result.findings))


def _run(
    scenario: "Scenario", seconds: float, seed: int | None, data_dir: Path | None, *, as_json: bool
) -> None:
    from tests.robustness.report.figures import as_json as json_line  # noqa: PLC0415
    from tests.robustness.report.journal import write_journal  # noqa: PLC0415
    from tests.robustness.report.screen import RunScreen  # noqa: PLC0415
    from tests.robustness.run import RunOptions, RunResult, run_scenario  # noqa: PLC0415

    options = RunOptions(scenario, seconds, _seed(seed))
    screen = RunScreen(_console(as_json=as_json))

    async def run(directory: Path) -> RunResult:
        screen.begin(options)
        return await run_scenario(options, directory, screen.outage)

    result, directory = _result(run, scenario.command, data_dir, as_json=as_json)
    screen.end(result)
    if as_json:
        print(json_line(result), flush=True)
    _end(directory, write_journal(result, directory), kept=data_dir is not None, broken=bool(result.findings))


def _seed(seed: int | None) -> int:
    return secrets.randbelow(1_000_000) if seed is None else seed


def _console(*, as_json: bool) -> "Console":
    from rich.console import Console  # noqa: PLC0415

    console = Console(stderr=as_json)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    return console


def _result[R](
    run: Callable[[Path], Coroutine[Any, Any, R]], command: str, data_dir: Path | None, *, as_json: bool
) -> tuple[R, Path]:
    """What the run found, and its directory. Ends the command if the run could not be made."""
    from gateway.cli.owned_run import run_owned  # noqa: PLC0415

    directory = data_dir or Path(tempfile.mkdtemp(prefix=f"graphgate-{command}-"))
    directory.mkdir(parents=True, exist_ok=True)
    results: list[R] = []

    async def work() -> None:
        results.append(await run(directory))

    try:
        run_owned(work(), as_json=as_json)
    except typer.Exit:
        typer.echo(f"graphgate: data and logs are in {directory}", err=True)
        raise
    (result,) = results
    return result, directory


def _end(directory: Path, journal: Path, *, kept: bool, broken: bool) -> None:
    if kept or broken:
        typer.echo(f"graphgate: data, logs and {journal}", err=True)
    else:
        shutil.rmtree(directory, ignore_errors=True)
    if broken:
        raise typer.Exit(FAILED)

"""The `graphgate` command and its subcommands."""

import importlib.metadata
from typing import Annotated

import typer

from gateway.cli.bench.ingest import ingest as bench_ingest
from gateway.cli.bench.move import move as bench_move
from gateway.cli.bench.peer import peer
from gateway.cli.bench.search import search
from gateway.cli.bench.write import write
from gateway.cli.catalog import catalog
from gateway.cli.config import config
from gateway.cli.demo import demo
from gateway.cli.eval import evaluate
from gateway.cli.explain import explain
from gateway.cli.failures import failures
from gateway.cli.further import further_commands
from gateway.cli.groups import groups
from gateway.cli.move import move
from gateway.cli.operations import operations
from gateway.cli.reverse import reverse
from gateway.cli.serve import serve
from gateway.cli.shards import shards
from gateway.cli.status import status
from gateway.cli.worker import worker

app = typer.Typer(
    name="graphgate",
    no_args_is_help=True,
    add_completion=False,
    # Its tracebacks show local variables, and with them passwords.
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve)
app.command()(worker)
app.command()(status)
app.command()(move)
app.command()(reverse)
app.add_typer(groups, name="groups")
app.add_typer(operations, name="operations")
app.add_typer(failures, name="failures")
app.command()(config)
app.command()(explain)
app.command()(demo)
app.command("eval")(evaluate)

bench = typer.Typer(no_args_is_help=True, help="Measure what this machine does.")
bench.command()(write)
bench.command()(peer)
bench.command()(search)
bench.command("move")(bench_move)
bench.command("ingest")(bench_ingest)

app.add_typer(shards, name="shards")
app.add_typer(catalog, name="catalog")
app.add_typer(bench, name="bench")

for further in further_commands():
    app.command()(further)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"graphgate {importlib.metadata.version('graphgate-server')}")
        raise typer.Exit


@app.callback()
def graphgate(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Many graph databases as **one temporal knowledge graph store** for agent memory, over gRPC."""


def main() -> None:
    """The console script."""
    app(prog_name="graphgate")

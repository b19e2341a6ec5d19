"""The `graphgate` command and its subcommands."""

import importlib.metadata
from typing import Annotated

import typer

from gateway.cli.bench.peer import peer
from gateway.cli.bench.search import search
from gateway.cli.bench.write import write
from gateway.cli.config import config
from gateway.cli.demo import demo
from gateway.cli.eval import evaluate
from gateway.cli.explain import explain
from gateway.cli.further import further_commands
from gateway.cli.serve import serve
from gateway.cli.status import status

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
app.command()(status)
app.command()(config)
app.command()(explain)
app.command()(demo)
app.command("eval")(evaluate)

bench = typer.Typer(no_args_is_help=True, help="Measure what this machine does.")
bench.command()(write)
bench.command()(peer)
bench.command()(search)

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

"""`graphgate demo`: a finite tour on real data."""

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.exits import FAILED
from gateway.cli.options import load

if TYPE_CHECKING:
    from gateway.demo.tour import DemoResult

_PIPE_WIDTH = 110
"""Columns of what goes into a file."""


def demo(
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="End with one JSON line on standard output; the rest goes to standard error."
        ),
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the fleet running at the end, until Ctrl-C.")
    ] = False,
    passages: Annotated[
        int | None, typer.Option(min=45, max=1_890, help="Only the first passages, for a shorter tour.")
    ] = None,
    neo4j: Annotated[
        bool | None, typer.Option(help="With a Neo4j shard; by default if Java 17 and its jars are there.")
    ] = None,
) -> None:
    """Write, crash, read and search **1,890 real passages** on a fleet of its own.

    Starts three FalkorDB shards, and one Neo4j shard where it can, in a temporary directory, with a gateway
    in front; writes through gRPC and kills the gateway and an engine on the way; checks that nothing
    acknowledged is lost; searches, and compares with a fleet of one shard. Ends with code 1 if something
    does not hold.

    The first run embeds 38,000 texts, which takes some minutes; later ones find the vectors in the cache.
    """
    settings = load(None, None, {}, as_json=as_json).settings
    from rich.console import Console  # noqa: PLC0415 - slow, as are the others

    from gateway.cli.owned_run import run_owned  # noqa: PLC0415
    from gateway.demo.screen import Screen  # noqa: PLC0415
    from gateway.demo.tour import Demo, DemoOptions  # noqa: PLC0415

    results: list[DemoResult] = []

    def announce(result: "DemoResult") -> None:
        results.append(result)
        if as_json:
            print(result.figures.as_json(), flush=True)

    options = DemoOptions(cache_dir=settings.cache, passages=passages, neo4j=neo4j, keep=keep)
    console = Console(stderr=as_json)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    run_owned(Demo(options, Screen(console)).run(announce), as_json=as_json)
    if results[0].problems:
        raise typer.Exit(FAILED)

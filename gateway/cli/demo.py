"""`graphgate demo`: a finite tour on real data."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.exits import FAILED, SIGNAL_BASE, fail
from gateway.cli.options import AsJson

if TYPE_CHECKING:
    from gateway.demo.tour import DemoResult


def demo(
    as_json: Annotated[
        bool, typer.Option("--json", help="End with one JSON line on standard output; the tour goes to standard error.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the fleet running at the end, until Ctrl-C.")] = False,
    passages: Annotated[
        int | None, typer.Option(min=45, max=1_890, help="Only the first passages, for a shorter tour.")
    ] = None,
    neo4j: Annotated[
        bool | None, typer.Option(help="With a Neo4j shard; by default if Java 17 and its jars are there.")
    ] = None,
) -> None:
    """Write, crash, read and search [bold]1,890 real passages[/bold] on a fleet of the demo's own.

    Starts three FalkorDB shards (and a Neo4j shard) in a temporary directory with a gateway in front, writes
    through gRPC, kills the gateway and an engine on the way, checks that nothing acknowledged is lost, searches,
    and compares with a fleet of one shard. Ends with code 1 if something does not hold. The first run embeds
    38,000 texts, which takes some minutes; later ones find the vectors in the cache.
    """
    result = _run(as_json=as_json, keep=keep, passages=passages, neo4j=neo4j)
    if result.problems:
        raise typer.Exit(FAILED)

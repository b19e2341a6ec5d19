"""`graphgate serve`: the gateway, and the fleet under it when none is given."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.cli.exits import fail
from gateway.cli.options import AsJson, Sets, SettingsFile, load


def serve(
    settings_file: SettingsFile = None,
    sets: Sets = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on (grpc.host); default 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on (grpc.port), 0: any free one; default 50051.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Data of the embedded fleet (embedded.data_dir); default ~/.local/share/graphgate."
        ),
    ] = None,
    profile: Annotated[
        Literal["balanced", "high_throughput", "low_latency", "vertical"] | None,
        typer.Option(help="Set of defaults for a kind of load."),
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Port of /metrics (metrics.port), 0: any free one; default 9464.")
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None, typer.Option(help="Default info.")
    ] = None,
    log_format: Annotated[
        Literal["console", "json"] | None, typer.Option(help="Of the log on standard error; default console.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the gateway until Ctrl-C or SIGTERM.

    Without shards in the settings it starts a fleet of its own: FalkorDB shards and a catalog in a data
    directory that survives restarts. When it serves, it prints one line with its address, shards, data
    directory and embedder (with --json one object), then commands to try.

    The first signal lets running calls finish (grpc.drain_grace_s) and stops everything that was started; a
    second one stops at once. Exit codes: 0 stopped, 1 could not start, 2 wrong settings, 128 + signal when it
    was stopped before it served or at once.
    """
    named: Mapping[str, object | None] = {
        "grpc.host": host,
        "grpc.port": port,
        "embedded.data_dir": data_dir,
        "profile": profile,
        "metrics.port": metrics_port,
        "logging.level": log_level,
        "logging.format": log_format,
    }
    loaded = load(settings_file, sets, named, as_json=as_json)
    from gateway.cli.ready import print_ready, print_stopped  # noqa: PLC0415 - loads the whole gateway
    from gateway.cli.service_run import StartFailure, run  # noqa: PLC0415
    from gateway.telemetry.logs import configure_logging  # noqa: PLC0415

    configure_logging(loaded.settings.logging)
    try:
        code = asyncio.run(run(loaded.settings, lambda ready: print_ready(ready, as_json=as_json)))
    except StartFailure as failure:
        fail(str(failure), as_json=as_json)
    print_stopped(code, as_json=as_json)
    raise typer.Exit(code)

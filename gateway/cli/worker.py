"""`graphgate worker`: works on the queue of episodes, beside the gateways of a fleet."""

import asyncio
import json
import os
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gateway.cli.exits import SETTINGS_WRONG, fail
from gateway.cli.options import AsJson, Sets, SettingsFile, load

if TYPE_CHECKING:
    from gateway.cli.service_run import Ready


def worker(
    settings_file: SettingsFile = None,
    sets: Sets = None,
    strategy: Annotated[
        Literal["sequential", "conservative", "balanced", "aggressive"] | None,
        typer.Option(help="How much at once (ingest.strategy); default balanced."),
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
    """Turn accepted episodes into graphs until Ctrl-C or SIGTERM.

    Any number of workers share the queue of a fleet; gateways work on it, too, unless ingest.worker is false.
    The settings name the fleet's shards, its catalog and a language model (llm.model).

    The first signal lets episodes that are being worked on end (grpc.drain_grace_s); what is left other
    workers take over. Exit codes as of `graphgate serve`.
    """
    named = {
        # A worker takes no calls: any free port passes the check.
        "grpc.port": 0,
        "ingest.strategy": strategy,
        "metrics.port": metrics_port,
        "logging.level": log_level,
        "logging.format": log_format,
    }
    loaded = load(settings_file, sets, named, as_json=as_json)
    if loaded.settings.embedded_in_use:
        fail(
            "a worker needs the fleet of a gateway; give its shards and catalog.url",
            SETTINGS_WRONG,
            as_json=as_json,
        )
    from gateway.cli.ready import print_stopped  # noqa: PLC0415 - loads the whole gateway
    from gateway.cli.service_run import StartFailure, run  # noqa: PLC0415
    from gateway.telemetry.logs import configure_logging  # noqa: PLC0415
    from gateway.worker_process import WorkerProcess  # noqa: PLC0415

    configure_logging(loaded.settings.logging)
    try:
        code = asyncio.run(
            run(loaded.settings, lambda ready: _print_ready(ready, as_json=as_json), WorkerProcess)
        )
    except StartFailure as failure:
        fail(str(failure), as_json=as_json)
    print_stopped(code, as_json=as_json)
    raise typer.Exit(code)


def _print_ready(ready: "Ready", *, as_json: bool) -> None:
    if as_json:
        told = {"event": "ready", "pid": os.getpid(), "metrics_address": ready.metrics_address}
        print(json.dumps(told), flush=True)
    else:
        at = ready.metrics_address
        metrics = "" if at is None else f" | metrics http://{at}/metrics"
        print(f"graphgate works on the queue of {len(ready.shards)} shards{metrics}", flush=True)

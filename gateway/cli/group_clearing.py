"""Clears a group by as many calls as it takes."""

import json
import time
from collections import Counter
from typing import Any

import typer

from gateway.cli.group_report import kind_name
from graphgate.v1 import ingest_service_pb2 as pb
from graphgate.v1 import ingest_service_pb2_grpc

WORKER_PAUSE_S = 1.0
"""Before the next call while workers have episodes of the group and time of the last one is left."""


def clear_and_tell(channel: Any, request: pb.ClearGroupRequest, timeout_s: float, *, as_json: bool) -> None:
    """Raises grpc.RpcError."""
    stub = ingest_service_pb2_grpc.IngestServiceStub(channel)
    deleted: Counter[str] = Counter()
    discarded = calls = 0
    while True:
        begun = time.monotonic()
        answer: pb.ClearGroupResponse = stub.ClearGroup(request, timeout=timeout_s)
        calls += 1
        deleted.update({kind_name(one.kind): one.rows for one in answer.deleted})
        discarded += answer.episodes_discarded
        if answer.done:
            break
        request.up_to_version = answer.up_to_version
        if answer.up_to_version:
            _tell(f"{deleted.total():,} rows deleted")
        else:
            _tell(f"{answer.episodes_running} episodes are being worked on")
            time.sleep(max(0.0, min(WORKER_PAUSE_S, timeout_s) - (time.monotonic() - begun)))
    if as_json:
        print(
            json.dumps(
                {
                    "group_id": answer.group_id,
                    "up_to_version": answer.up_to_version,
                    "version": answer.version,
                    "deleted": dict(deleted),
                    "episodes_discarded": discarded,
                    "calls": calls,
                }
            )
        )
        return
    kinds = ", ".join(f"{kind} {rows:,}" for kind, rows in deleted.items())
    print(
        f"group {answer.group_id} is cleared up to version {answer.up_to_version}: "
        f"{deleted.total():,} rows deleted{f' ({kinds})' if kinds else ''}, {discarded} episodes discarded"
    )


def _tell(what: str) -> None:
    typer.echo(f"graphgate: {what}", err=True)

"""Clears a group by as many calls as it takes, over breaks of the connection."""

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import typer

from gateway.cli.exits import FAILED
from gateway.cli.group_report import kind_name
from gateway.cli.patience import PAUSE_S, Patience
from graphgate.v1 import ingest_service_pb2 as pb
from graphgate.v1 import ingest_service_pb2_grpc

WORKER_PAUSE_S: Final = 1.0
"""Before the next call while workers have episodes of the group and time of the last one is left."""
IDLE_CALLS_MAX: Final = 10
"""Calls in a row after which nothing is other than before: more of them would not end it."""
_REFUSALS: Final = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
    }
)
"""After one of them to the first call nothing is begun."""


def clear_and_tell(channel: Any, request: pb.ClearGroupRequest, timeout_s: float, *, as_json: bool) -> None:
    """Ends the command with FAILED, and tells how to go on, when the gateway stays away, refuses midway or
    when nothing goes any more. Raises grpc.RpcError when it refuses at once. The request has a request_id: a
    call whose answer was lost is the same again."""
    stub = ingest_service_pb2_grpc.IngestServiceStub(channel)
    run, patience = _Run(request), Patience()
    while True:
        begun = time.monotonic()
        try:
            answer: pb.ClearGroupResponse = stub.ClearGroup(request, timeout=timeout_s)
        except grpc.RpcError as error:
            try:
                patience.bear(error)
            except grpc.RpcError:
                call: Any = error
                if run.is_first and call.code() in _REFUSALS:
                    raise
                run.end(f"the gateway answers {call.code().name}: {call.details()}", as_json=as_json)
            run.is_first = False
            time.sleep(PAUSE_S)
            continue
        patience.answered()
        run.take(answer)
        if answer.done:
            break
        if run.idle_calls >= IDLE_CALLS_MAX:
            run.end(f"{run.idle_calls} calls in a row have deleted nothing", as_json=as_json)
        if answer.up_to_version:
            _tell(f"{run.deleted.total():,} rows deleted")
        else:
            _tell(f"{answer.episodes_running} episodes are being worked on")
            time.sleep(max(0.0, min(WORKER_PAUSE_S, timeout_s) - (time.monotonic() - begun)))
    print(json.dumps(run.report() | {"version": answer.version}) if as_json else run.text())


@dataclass(slots=True)
class _Run:
    request: pb.ClearGroupRequest
    """Of the next call."""
    deleted: Counter[str] = field(default_factory=Counter[str])
    discarded: int = 0
    calls: int = 0
    """That were answered."""
    idle_calls: int = 0
    """In a row, the last one among them."""
    running: int = -1
    is_first: bool = True
    """No call was sent yet."""

    def take(self, answer: pb.ClearGroupResponse) -> None:
        self.is_first = False
        self.calls += 1
        rows = {kind_name(one.kind): one.rows for one in answer.deleted}
        self.deleted.update(rows)
        self.discarded += answer.episodes_discarded
        seen = (self.request.up_to_version, self.running)
        moved = any(rows.values()) or answer.episodes_discarded
        idle = not moved and seen == (answer.up_to_version, answer.episodes_running)
        self.idle_calls = self.idle_calls + 1 if idle else 0
        self.running = answer.episodes_running
        self.request.up_to_version = answer.up_to_version

    def report(self) -> dict[str, Any]:
        return {
            "group_id": self.request.group_id,
            "request_id": self.request.request_id,
            "up_to_version": self.request.up_to_version,
            "deleted": dict(self.deleted),
            "episodes_discarded": self.discarded,
            "calls": self.calls,
        }

    def text(self) -> str:
        group_id, bound = self.request.group_id, self.request.up_to_version
        if not bound:
            return f"group {group_id} does not exist, there is nothing; {self.discarded} episodes discarded"
        return f"group {group_id} is cleared up to version {bound}: {self._counts()}"

    def end(self, why: str, *, as_json: bool) -> None:
        """Exits."""
        bound = self.request.up_to_version
        _tell(why)
        if self.calls:
            _tell(f"not done{f', up to version {bound}' if bound else ''} so far: {self._counts()}")
        _tell(f"to go on: {self._command()}")
        if as_json:
            failed = {"event": "failed", "exit_code": FAILED, "error": why, "go_on": self._command()}
            print(json.dumps(failed | self.report()), flush=True)
        raise typer.Exit(FAILED)

    def _command(self) -> str:
        """Takes nothing that was written since the first call, and what is left of what there was."""
        request = self.request
        parts = [f"graphgate groups clear {request.group_id} --yes --request-id {request.request_id}"]
        if request.up_to_version:
            parts.append(f"--up-to-version {request.up_to_version}")
        if request.discard_waiting:
            parts.append("--discard-waiting")
        return " ".join(parts)

    def _counts(self) -> str:
        kinds = ", ".join(f"{kind} {rows:,}" for kind, rows in self.deleted.items())
        told = f"{self.deleted.total():,} rows deleted{f' ({kinds})' if kinds else ''}"
        return f"{told}, {self.discarded} episodes discarded"


def _tell(what: str) -> None:
    typer.echo(f"graphgate: {what}", err=True)

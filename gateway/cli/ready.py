"""What `graphgate serve` prints on standard output."""

import json
import os
from collections import Counter

from gateway.cli.service_run import Ready
from gateway.embedding.factory import OPENAI_MODEL

_LOCAL_MODEL = "all-MiniLM-L6-v2"
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - what a client can dial instead


def print_ready(ready: Ready, *, as_json: bool) -> None:
    """One line; for people then commands to try."""
    if as_json:
        print(json.dumps(_event(ready)), flush=True)
    else:
        print(f"{_line(ready)}\n\ntry:\n{_commands(ready)}\n\nCtrl-C stops it.", flush=True)


def print_stopped(code: int, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"event": "stopped", "exit_code": code}), flush=True)


def _event(ready: Ready) -> dict[str, object]:
    return {
        "event": "ready",
        "pid": os.getpid(),
        "address": ready.address,
        "metrics_address": ready.metrics_address,
        "shards": [{"id": shard.id, "engine": shard.engine} for shard in ready.shards],
        "embedded": ready.data_dir is not None,
        "data_dir": None if ready.data_dir is None else str(ready.data_dir),
        "embedder": {"kind": ready.embedder.kind, "model": _model(ready)},
    }


def _line(ready: Ready) -> str:
    engines = Counter(shard.engine for shard in ready.shards)
    counted = ", ".join(f"{number} {engine}" for engine, number in sorted(engines.items()))
    model = _model(ready)
    parts = [
        f"graphgate is ready on {ready.address}",
        f"{len(ready.shards)} shard{'s' if len(ready.shards) > 1 else ''} ({counted})",
        "given fleet" if ready.data_dir is None else f"data in {ready.data_dir}",
        f"embedder {ready.embedder.kind}"
        + (f" ({model})" if model else ": send vectors or search by keyword"),
        *([] if ready.metrics_address is None else [f"metrics http://{ready.metrics_address}/metrics"]),
    ]
    return " | ".join(parts)


def _model(ready: Ready) -> str | None:
    match ready.embedder.kind:
        case "none":
            return None
        case "local":
            return ready.embedder.model or _LOCAL_MODEL
        case "openai":
            return ready.embedder.model or OPENAI_MODEL


def _commands(ready: Ready) -> str:
    host, _, port = ready.address.rpartition(":")
    address = f"{_ANY_ADDRESS.get(host, host)}:{port}"
    commands = [f"graphgate status --address {address}"]
    if ready.reflection:
        write = '{"group_id": "ada", "entities": [{"name": "Ada Lovelace", "summary": "programmer"}]}'
        search = '{"group_id": "ada", "query": "programmers", "results": [{"kind": "ROW_KIND_ENTITY"}]}'
        commands += [
            f"grpcurl -plaintext {address} list",
            f"grpcurl -plaintext -d '{write}' {address} graphgate.v1.GraphService/WriteGraph",
            f"grpcurl -plaintext -d '{search}' {address} graphgate.v1.SearchService/Search",
        ]
    if ready.metrics_address is not None:
        commands.append(f"curl http://{ready.metrics_address}/metrics.json")
    return "\n".join(f"  {command}" for command in commands)

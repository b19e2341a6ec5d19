"""What is printed once the gateway serves."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.cli.ready import print_ready, print_stopped
from gateway.cli.service_run import Ready
from gateway.embedding.factory import EmbedderSettings
from gateway.settings.fleet import ShardSettings

READY = Ready(
    address="0.0.0.0:50051",
    metrics_address="127.0.0.1:9464",
    shards=tuple(
        ShardSettings.model_validate(
            {"id": f"s{number}", "engine": "falkordb", "url": f"redis://:geheim@h{number}"}
        )
        for number in range(3)
    ),
    data_dir=Path("/data"),
    embedder=EmbedderSettings(kind="local", cache_dir=Path("/cache")),
    reflection=True,
)


def test_one_line_then_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """Address, shards, data directory and embedder in the first line; commands that can be pasted below."""
    print_ready(READY, as_json=False)
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == (
        "graphgate is ready on 0.0.0.0:50051 | 3 shards (3 falkordb) | data in /data | "
        "embedder local (all-MiniLM-L6-v2) | metrics http://127.0.0.1:9464/metrics"
    )
    assert "  grpcurl -plaintext 127.0.0.1:50051 list" in rest
    assert "  graphgate status --address 127.0.0.1:50051" in rest


def test_json_is_one_event(capsys: pytest.CaptureFixture[str]) -> None:
    """Programs wait for one line with the address; no address of a shard and no secret is in it."""
    print_ready(READY, as_json=True)
    print_stopped(0, as_json=True)
    ready, stopped = map(json.loads, capsys.readouterr().out.splitlines())
    assert (ready["event"], ready["address"], ready["data_dir"]) == ("ready", "0.0.0.0:50051", "/data")
    assert ready["shards"][0] == {"id": "s0", "engine": "falkordb"}
    assert ready["embedder"] == {"kind": "local", "model": "all-MiniLM-L6-v2"}
    assert "geheim" not in json.dumps(ready)
    assert stopped == {"event": "stopped", "exit_code": 0}


def test_what_is_off_is_not_offered(capsys: pytest.CaptureFixture[str]) -> None:
    """Without reflection grpcurl could not work; without an embedder it is said what to do."""
    none = EmbedderSettings(kind="none", cache_dir=Path("/cache"))
    print_ready(
        replace(READY, reflection=False, metrics_address=None, data_dir=None, embedder=none), as_json=False
    )
    out = capsys.readouterr().out
    assert "grpcurl" not in out
    assert "metrics" not in out
    assert "given fleet | embedder none: send vectors" in out

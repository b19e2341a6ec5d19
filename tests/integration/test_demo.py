"""The demo and the write benchmark, small, as commands on real engines."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from gateway.corpus.dataset import load_dataset
from gateway.corpus.graph_rows import build_groups
from tests.eventually import eventually

GRAPHGATE = str(Path(sys.executable).with_name("graphgate"))
PASSAGES = 60


async def _start(directory: Path, *arguments: str) -> asyncio.subprocess.Process:
    """The command with its temporary files in `directory`, so that what it leaves behind can be seen."""
    return await asyncio.create_subprocess_exec(
        GRAPHGATE,
        *arguments,
        env={**os.environ, "TMPDIR": str(directory)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _json_of(directory: Path, *arguments: str) -> dict[str, Any]:
    """The last line of standard output of a command that must succeed."""
    process = await _start(directory, *arguments)
    try:
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    return json.loads(output.decode().splitlines()[-1])


def _running_in(directory: Path) -> list[str]:
    """Command lines of processes that work in the directory."""
    found: list[str] = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        of_it = (process.info["cmdline"] or [], (process.info["environ"] or {}).values())
        if any(str(directory) in text for texts in of_it for text in texts):
            found.append(" ".join(process.info["cmdline"] or []))
    return found


def _left_in(directory: Path) -> list[str]:
    """What a command has left behind: processes and files."""
    return [*_running_in(directory), *(str(path) for path in directory.iterdir())]


@pytest.mark.timeout(300)
async def test_the_demo_loses_nothing_and_finds_the_same_in_both_layouts(tmp_path: Path):
    """Gateway and engine are killed while it writes: every acknowledged row is there afterwards, and the
    semantic top 10 is the same list on three shards and on one."""
    groups = build_groups(load_dataset().first(PASSAGES))
    figures = await _json_of(tmp_path, "demo", "--json", "--no-neo4j", f"--passages={PASSAGES}")
    assert figures["lost_after_restart"] == 0
    assert figures["acknowledged_rows"] == sum(group.rows for group in groups)
    gateway_outage, engine_outage = figures["outages"]
    assert gateway_outage["victim"] == "gateway"
    assert engine_outage["victim"].startswith("falkordb-")
    assert figures["writes_retried"] > 0
    assert figures["sharded_equals_unsharded"] == 1.0
    assert figures["sharded_equals_unsharded_by_kind"] == {"episodes": 1.0, "entities": 1.0, "facts": 1.0}
    assert figures["groups"] == len(groups)
    assert figures["episodes"] == PASSAGES
    assert figures["entities"] == sum(len(group.entities) for group in groups)
    assert figures["facts"] == sum(len(group.facts) for group in groups)
    assert {shard["engine"] for shard in figures["shards"]} == {"falkordb"}
    assert sum(shard["groups"] for shard in figures["shards"]) == len(groups)
    assert sum(shard["entities"] for shard in figures["shards"]) == figures["entities"]
    assert min(shard["groups"] for shard in figures["shards"]) > 0
    for rate in ("write_entities_per_s", "write_facts_per_s", "search_p50_ms", "search_p95_ms"):
        assert figures[rate] > 0
    assert figures["recall_at_10"] >= 0.5
    assert _left_in(tmp_path) == []


@pytest.mark.timeout(120)
async def test_an_interrupted_demo_stops_everything_that_it_started(tmp_path: Path):
    """Ctrl-C while it writes: no engine, no gateway and no data stay behind."""
    process = await _start(tmp_path, "demo", "--json", "--no-neo4j", f"--passages={PASSAGES}")
    try:
        await eventually(
            lambda: any("serve" in line.split() for line in _running_in(tmp_path)), timeout_s=60.0
        )
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode == 128 + signal.SIGINT, errors.decode()
    assert _left_in(tmp_path) == []

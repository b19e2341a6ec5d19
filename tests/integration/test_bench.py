"""`graphgate bench` at its smallest, as a user runs it."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.bench.peer.environment import installed_python
from gateway.settings.tree import user_folder

GRAPHGATE = Path(sys.executable).with_name("graphgate")
TIMEOUT_S = 240.0
KINDS = ("entities", "facts")


async def bench(*options: str, of: str = "write") -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        str(GRAPHGATE), "bench", of, "--json", *options, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode == 0
    return json.loads(out.decode().splitlines()[-1])


async def test_batches() -> None:
    """The documented keys, with figures that a run of real writes must give."""
    found = await bench("--rows", "40", "--round-rows", "80", "--rounds", "3", "--writers", "2")
    for key in (f"{variant}{kind}_per_s" for variant in ("", "driver_", "floor_") for kind in KINDS):
        low, high = found[f"{key}_range"]
        assert 0 < low <= found[key] <= high
    assert found["gateway_cpu_us_per_entity"] >= 0
    assert 0 < found["gateway_rest_memory_mb"] < 1_000


async def small_writes(*options: str, ways: set[str]) -> None:
    """The documented keys of a run of single rows: figures by way to write, those of an empty call too."""
    found = await bench("--rows", "1", "--rounds", "3", *options)
    assert set(found["writes_per_s"]) == {*ways, "floor"}
    assert set(found["echo_calls_per_s"]) == ways
    for prefix in ("", "fact_"):
        for variant in (*ways, "floor"):
            quantiles = [found[f"{prefix}{name}_ms"][variant] for name in ("p50", "p95", "p99")]
            assert quantiles == sorted(quantiles)
            assert quantiles[0] > 0
            low, high = found[f"{prefix}writes_per_s_range"][variant]
            assert 0 < low <= found[f"{prefix}writes_per_s"][variant] <= high


async def test_small_writes() -> None:
    """Latency of single rows beside the bare loop and an empty call of the same gateway."""
    await small_writes("--round-rows", "20", "--writers", "4", "--groups", "2", ways={"gateway"})


@pytest.mark.timeout(300)
async def test_small_writes_on_neo4j(neo4j_installed: None) -> None:
    """There through two gateways: one whose small writes share commits, one whose do not."""
    least = ("--round-rows", "2", "--writers", "2", "--groups", "1")
    await small_writes("--engine", "neo4j", *least, ways={"with_lane", "without_lane"})


@pytest.mark.timeout(300)
async def test_ingestion() -> None:
    """Every episode becomes a graph by at least one call of the model, which counts them itself, and is found
    no sooner than the model answers; graphiti-core beside it where it is installed."""
    with_peer = installed_python(user_folder("XDG_CACHE_HOME", ".cache")) is not None
    options = ["--episodes", "20", "--latencies", "0,200", "--visible-episodes", "4", "--table-episodes", "0"]
    found = await bench(*options, *(["--peer", "--peer-rounds", "1"] if with_peer else []), of="ingest")
    assert all(found["episodes_per_s"][latency] > 0 for latency in ("0", "200"))
    assert found["table"] == []
    for one in found["by_latency"].values():
        assert one["model_calls_per_episode"] >= 1
        assert one["tokens_per_episode"] > 0
        assert one["gateway_memory_mb"] > 0
    quantiles = [found["visible_ms"][name] for name in ("p50", "p95", "p99")]
    assert quantiles == sorted(quantiles)
    assert quantiles[0] >= 200
    assert {goal["met"] for goal in found["goals"]} <= {True, False}
    if with_peer:
        for way in (found["peer"]["bulk"], found["peer"]["single"]):
            for side in ("graphgate", "graphiti"):
                assert way[side]["entities"] > 0
                assert way[side]["facts"] > 0
                assert way[side]["model_calls_per_episode"] > 0
        assert found["speedup"]["episodes_per_s"] > 0
    else:
        assert found["peer"] is None

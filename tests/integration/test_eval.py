"""`graphgate eval` at its smallest, as a user runs it."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

GRAPHGATE = Path(sys.executable).with_name("graphgate")
TIMEOUT_S = 150.0
METHODS = {"semantic", "keyword", "graph", "hybrid_k60", "hybrid_k1"}
FIGURES = {"recall_at_5", "recall_at_10", "recall_at_20", "all_at_10", "ndcg_at_10", "p50_ms", "p95_ms"}


async def _eval(directory: Path, *options: str) -> dict[str, Any]:
    """The last line of standard output. The command's temporary files are in `directory`."""
    process = await asyncio.create_subprocess_exec(
        str(GRAPHGATE),
        "eval",
        "--json",
        *options,
        env={**os.environ, "TMPDIR": str(directory)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    return json.loads(output.decode().splitlines()[-1])


@pytest.mark.timeout(180)
async def test_two_layouts_find_the_same(tmp_path: Path) -> None:
    """Semantic search is exact: the first ten are the same on one shard and on four. Every promised key is
    there, and nothing that was started stays behind."""
    found = await _eval(tmp_path, "--passages=200", "--questions=10", "--layouts=falkordb_1,falkordb_4")
    assert (found["passages"], found["questions"]) == (200, 10)
    one, four = found["layouts"]
    assert (one["name"], four["name"]) == ("falkordb_1", "falkordb_4")
    assert one["overlap_at_10"] == {"semantic": 1.0, "keyword": 1.0, "hybrid": 1.0}
    assert four["overlap_at_10"]["semantic"] == 1.0
    assert min(four["overlap_at_10"].values()) > 0.5
    for layout in (one, four):
        assert set(layout["methods"]) == METHODS
        for figures in layout["methods"].values():
            assert set(figures) == FIGURES
            assert figures["recall_at_5"] <= figures["recall_at_10"] <= figures["recall_at_20"] <= 1
            assert 0 <= figures["all_at_10"] <= figures["recall_at_10"]
            assert figures["recall_at_20"] > 0.3
            assert 0 < figures["p50_ms"] <= figures["p95_ms"]
        assert sum(layout["groups_by_shard"].values()) == 10
    assert one["methods"]["semantic"]["recall_at_20"] == four["methods"]["semantic"]["recall_at_20"]
    assert len(four["groups_by_shard"]) > 1
    assert {goal["layout"] for goal in found["goals"]} == {"falkordb_1", "falkordb_4"}
    assert os.listdir(tmp_path) == []


@pytest.mark.timeout(180)
async def test_a_graph_that_a_model_made_finds_the_same(tmp_path: Path) -> None:
    """Passages go through AddEpisodes in mode LLM, and none is lost or stored twice. What is known of the
    graph that is written as it is holds of this one: the same episodes, hardly fewer entities and facts."""
    found = await _eval(tmp_path, "--passages=60", "--questions=2", "--layouts=falkordb_1", "--ingest=both")
    provided, llm = found["layouts"]
    assert (provided["name"], provided["ingest"]) == ("falkordb_1", "provided")
    assert (llm["name"], llm["ingest"]) == ("falkordb_1_llm", "llm")
    assert "ingestion" not in provided
    told = llm["ingestion"]
    assert (told["episodes"], told["failed"], told["failures"]) == (60, 0, [])
    assert told["entities_created"] == llm["rows"]["entities"]
    assert told["facts_created"] == llm["rows"]["facts"]
    assert told["entities_joined"] > 0
    assert told["facts_closed"] == 0
    assert told["model_calls"] == sum(told["model_calls_by_task"].values()) >= 60
    assert provided["rows"]["episodes"] == llm["rows"]["episodes"] == 60
    for kind in ("entities", "facts", "mentions"):
        assert 0.97 * provided["rows"][kind] <= llm["rows"][kind] <= provided["rows"][kind], kind
    # The texts of episodes and their vectors are the same.
    for method in ("semantic", "keyword"):
        assert llm["overlap_at_10"][method] == 1.0
    (comparison,) = found["comparisons"]
    assert comparison["layout"] == "falkordb_1"
    assert comparison["rows"] == {"provided": provided["rows"], "llm": llm["rows"]}
    assert set(comparison["recall_at_10"]) == METHODS
    for method, both in comparison["recall_at_10"].items():
        assert both["llm"] == llm["methods"][method]["recall_at_10"]
        assert both["points"] == pytest.approx(100 * (both["llm"] - both["provided"]), abs=0.011)
        assert both["met"] is (both["points"] >= -comparison["points_below_max"])
    assert comparison["recall_at_10"]["semantic"]["points"] == 0.0
    assert sum("below provided" in goal["goal"] for goal in found["goals"]) == len(METHODS)
    assert os.listdir(tmp_path) == []

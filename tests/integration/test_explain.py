"""`graphgate explain` on FalkorDB servers, as a user runs it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from drivers.deadline import Deadline
from drivers.falkordb import FalkorDBDriver, FalkorDBSettings
from drivers.falkordb.client import GraphClient
from drivers.falkordb.graphs import pooled_graph
from drivers.falkordb.schema import INDEXES
from drivers.fence import GroupRef
from gateway.embedded import FalkorDBProcess
from gateway.embedded.errors import EngineNotInstalledError
from gateway.explain.sample import GROUPS, found_shard, write_sample
from tests.engines import engine_absent
from tests.unit.gateway.cli.command import Finished, graphgate

LOST = "range:FACT(pk)"
WITHOUT_ROWS = {"read-gate", "change-marker", "may-wipe"}
"""A sample has no gate, no root other than its first, and is not wiped."""


def soon() -> Deadline:
    return Deadline.after(30)


@pytest.fixture
async def shard(tmp_path: Path) -> AsyncIterator[str]:
    """URL of a shard that belongs to a fleet and has groups."""
    process = FalkorDBProcess(tmp_path / "falkordb")
    try:
        await process.start()
    except EngineNotInstalledError as error:
        engine_absent("FalkorDB", error.missing)
    driver = FalkorDBDriver("eu-1", FalkorDBSettings(process.url))
    try:
        await found_shard(driver, soon())
        await write_sample(driver, soon())
        yield process.url
    finally:
        await driver.close()
        await process.stop()


async def test_a_fleet_of_its_own(tmp_path: Path) -> None:
    """Without settings it starts an engine, profiles every shape with writes included but for those of vector
    slots, which it has not, and finds each index in use."""
    done = await graphgate("explain", "--engine", "falkordb", "--json", home=tmp_path)
    assert done.code == 0, done.err
    (shard,) = json.loads(done.out)["shards"]
    assert len(shard["shapes"]) > 100
    assert {shape["shape"] for shape in shard["shapes"] if not shape["profiled"]} == {
        shape["shape"] for shape in shard["shapes"] if shape["of_slot"]
    }
    rows = {shape["shape"]: shape["rows"] for shape in shard["shapes"] if shape["profiled"]}
    assert {name for name in rows if not rows[name] and "slot" not in name} == WITHOUT_ROWS
    semantic = next(shape for shape in shard["shapes"] if shape["shape"] == "semantic-fact")
    # One group's facts and the fences: the two other groups have as many.
    assert semantic["found"] == 48 + 2


async def test_a_configured_shard_is_looked_at_and_left_alone(tmp_path: Path, shard: str) -> None:
    """Reads are profiled with rows of the group, writes only planned; then an index is dropped: the shapes
    that need it are named, nothing is profiled that would scan for it, and it is not made again."""
    client = GraphClient("beside", FalkorDBSettings(shard))
    driver = FalkorDBDriver("eu-1", FalkorDBSettings(shard))
    marker = await driver.read_marker(soon())
    assert marker is not None
    driver.use_marker(marker)
    refs = [GroupRef(group_id) for group_id in GROUPS]
    before = await driver.read_fences(refs, soon()), await driver.describe_schema(soon())
    try:
        done, told = await explain(tmp_path, shard, "--group", GROUPS[1])
        assert done.code == 0, done.err
        assert told["group"] == GROUPS[1]
        assert {shape["shape"] for shape in told["shapes"] if not shape["profiled"]} == {
            shape["shape"] for shape in told["shapes"] if shape["writes"] or shape["of_slot"]
        }
        assert (await driver.read_fences(refs, soon()), await driver.describe_schema(soon())) == before

        (text,) = next(index for index in INDEXES if index.name == LOST).drop_texts()
        graph = pooled_graph(GROUPS[0], marker.pool_graphs)
        await client.write(graph, text, {}, soon(), "dropping an index")
        done, told = await explain(tmp_path, shard)
        assert done.code == 1
        lost = [shape for shape in told["shapes"] if not shape["as_required"]]
        assert {shape["shape"] for shape in lost} == {
            "images",
            "write-rows",
            "write-full",
            "fetch-fact",
            "fetch-fact-vectors",
            "take-in",
            "semantic-in-slot-fact-filtered",
            "semantic-in-slot-fact-holding",
        }
        assert not any(shape["profiled"] for shape in lost)
        states = {item.name: item.state for item in (await driver.describe_schema(soon())).items}
        assert states[LOST] == "MISSING"
    finally:
        await driver.close()
        client.close()


async def explain(home: Path, url: str, *options: str) -> tuple[Finished, dict[str, Any]]:
    shards = json.dumps([{"id": "eu-1", "engine": "falkordb", "url": url}])
    # Never reached: plans are asked of the shards alone.
    env = {"GRAPHGATE_SHARDS": shards, "GRAPHGATE_CATALOG__URL": "redis://127.0.0.1:1/0"}
    done = await graphgate("explain", "--json", *options, home=home, env=env)
    return done, json.loads(done.out)["shards"][0]

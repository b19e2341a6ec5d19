"""The whole life of a shard by the commands that an operator types, on real engines."""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.longrunning import operations_pb2
from redis.asyncio import Redis

from gateway.embedded import FalkorDBProcess
from gateway.embedded.fleet import EmbeddedFleet
from gateway.loopback.client import GatewayClient
from gateway.server import GatewayServer
from graphgate.v1 import graph_pb2
from graphgate.v1 import graph_service_pb2 as graph
from tests.eventually import eventually
from tests.fakes.hashing_embedder import HashingEmbedder
from tests.integration.gateway.conftest import settings_for
from tests.unit.gateway.cli.command import Finished, graphgate

FOUNDER = "falkordb-0"
LATE = "late"
WAIT_S = 60.0
PLACED = 24
"""Groups whose shards tell where groups are placed: with equal weights all are on one shard once in 2^23."""
LARGE = "a-large-group"
"""The first that a drain begins to move. Its copy takes seconds; what ends a drain, one round of a second."""
LARGE_WRITES, ROWS_PER_WRITE = 50, 300


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the commands are typed, and a client whose groups are what the commands move."""

    fleet: EmbeddedFleet
    address: str
    client: GatewayClient
    home: Path

    async def types(self, *words: str) -> Finished:
        return await graphgate(*words, "--address", self.address, "--json", home=self.home)

    async def told(self, *words: str) -> dict[str, Any]:
        """What a command that ends well says."""
        finished = await self.types(*words)
        assert finished.code == 0, f"{words}: {finished.err}"
        return json.loads(finished.out)

    async def changed(self, *words: str) -> dict[str, Any]:
        """A shard as `shards show` tells it after the command that changed it, whose map version it has."""
        answer = await self.told("shards", *words, "--by", "ops")
        shown = await self.told("shards", "show", words[1])
        assert shown["map_version"] == answer["map_version"], words
        return shown

    async def create(self, number: int) -> list[str]:
        groups = [f"group-{secrets.token_hex(6)}" for _ in range(number)]
        for group_id in groups:
            await self.client.graph.WriteGraph(
                graph.WriteGraphRequest(group_id=group_id, entities=[graph_pb2.Entity(name=group_id)])
            )
        return groups

    async def create_large(self) -> str:
        for n in range(LARGE_WRITES):
            entities = [graph_pb2.Entity(name=f"{n}-{row}") for row in range(ROWS_PER_WRITE)]
            await self.client.graph.WriteGraph(graph.WriteGraphRequest(group_id=LARGE, entities=entities))
        return LARGE

    async def places(self, groups: list[str]) -> dict[str, str]:
        asked = (self.client.graph.GetGroup(graph.GetGroupRequest(group_id=one)) for one in groups)
        return {found.group.group_id: found.group.shard for found in await asyncio.gather(*asked)}

    async def placed(self) -> Counter[str]:
        """How many new groups each shard gets."""
        return Counter((await self.places(await self.create(PLACED))).values())

    async def large_moves(self) -> bool:
        asked = operations_pb2.ListOperationsRequest(filter=f'group_id = "{LARGE}"')
        return bool((await self.client.operations.ListOperations(asked)).operations)

    async def nothing_moves(self) -> bool:
        return not (await self.told("operations", "list", "--running"))["operations"]

    async def is_empty(self) -> bool:
        usage = (await self.told("shards", "show", LATE))["usage"]
        return usage["complete"] and not usage["groups"] + usage["arriving"] + usage["reverse_windows"]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncGenerator[Desk]:
    async with EmbeddedFleet(tmp_path / "fleet", falkordb_shards=1) as fleet:
        gateway = GatewayServer(settings_for(fleet), HashingEmbedder())
        try:
            await gateway.start()
            async with GatewayClient(gateway.address) as client:
                await client.until_all_shards_answer(timeout_s=WAIT_S)
                yield Desk(fleet, gateway.address, client, tmp_path)
        finally:
            await gateway.stop(0)


@pytest.fixture
async def blank_url(tmp_path: Path) -> AsyncGenerator[str]:
    process = FalkorDBProcess(tmp_path / "blank")
    await process.start()
    yield process.url
    await process.stop()


async def test_a_shard_is_added_changed_drained_and_removed_by_commands(desk: Desk, blank_url: str) -> None:
    """Every command does what it says: `shards show`, the places of groups and the history agree with it."""
    added = await desk.told(
        "shards", "add", LATE, "--engine", "falkordb", "--url", blank_url, "--zone", "a", "--by", "ops"
    )
    assert (added["added"], added["joined_before"]) == (True, False)
    shown = await desk.told("shards", "show", LATE)
    assert (shown["state"], shown["url"], shown["zone"]) == ("ACTIVE", blank_url, "a")
    assert (shown["map_version"], shown["usage"]["groups"]) == (added["map_version"], 0)
    assert not shown["root_member"]

    assert (await desk.changed("cordon", LATE))["state"] == "CORDONED"
    assert await desk.placed() == {FOUNDER: PLACED}
    assert (await desk.changed("uncordon", LATE))["state"] == "ACTIVE"
    assert (await desk.placed()).keys() == {FOUNDER, LATE}

    weighed = await desk.changed("update", FOUNDER, "--weight", "0", "--zone", "b")
    assert (weighed["weight"], weighed["zone"], weighed["state"]) == (0, "b", "ACTIVE")
    groups = await desk.create(PLACED) + [await desk.create_large()]
    assert set((await desk.places(groups)).values()) == {LATE}
    stale = await desk.types("shards", "update", FOUNDER, "--weight", "5", "--if-map-version", "1")
    assert (stale.code, "shard map" in stale.err) == (1, True), stale
    assert (await desk.changed("update", FOUNDER, "--weight", "2"))["zone"] == "b"

    early = await desk.types("shards", "remove", LATE)
    assert (early.code, "drain it first" in early.err) == (1, True), early
    await _uncordon_ends_a_drain(desk, groups)

    assert (await desk.changed("drain", LATE))["state"] == "DRAINING"
    await eventually(desk.is_empty, WAIT_S)
    assert set((await desk.places(groups)).values()) == {FOUNDER}
    removed = await desk.changed("remove", LATE)
    assert (removed["state"], removed["usage"]) == ("REMOVED", None)
    for group_id in groups[:3]:
        rows = await desk.client.graph.ListEntities(graph.ListEntitiesRequest(group_id=group_id))
        assert [row.name for row in rows.entities] == [group_id]

    history = (await desk.told("shards", "history"))["entries"]
    assert {entry["by"] for entry in history} == {"ops"}
    assert [(entry["action"], entry["shard"], entry["detail"]) for entry in reversed(history)] == [
        ("ADD", LATE, f"FALKORDB {blank_url} weight=1 zone=a"),
        ("CORDON", LATE, "state ACTIVE -> CORDONED"),
        ("UNCORDON", LATE, "state CORDONED -> ACTIVE"),
        ("UPDATE", FOUNDER, "weight 1 -> 0, zone - -> b"),
        ("UPDATE", FOUNDER, "weight 0 -> 2"),
        ("DRAIN", LATE, ""),
        ("UNCORDON", LATE, "state DRAINING -> ACTIVE"),
        ("DRAIN", LATE, ""),
        ("REMOVE", LATE, ""),
    ]
    of_founder = (await desk.told("shards", "history", FOUNDER, "--limit", "1"))["entries"]
    assert [entry["detail"] for entry in of_founder] == ["weight 0 -> 2"]
    await _check_finds_what_is_wrong(desk, groups[0], len(groups) + 3 * PLACED)


async def _uncordon_ends_a_drain(desk: Desk, groups: list[str]) -> None:
    """The move that was under way is given up, nothing more is moved, and the shard takes new groups."""
    await desk.told("shards", "drain", LATE, "--by", "ops")
    await eventually(desk.large_moves, WAIT_S)
    assert (await desk.changed("uncordon", LATE))["state"] == "ACTIVE"
    await eventually(desk.nothing_moves, WAIT_S)
    moves = (await desk.told("operations", "list", "--group", LARGE))["operations"]
    assert [move["phase"] for move in moves] == ["CANCELLED"]
    before = await desk.places(groups)
    assert before[LARGE] == LATE
    # A drain that still ran would have begun its next moves by the end of this.
    assert LATE in (await desk.placed())
    assert await desk.places(groups) == before


async def _check_finds_what_is_wrong(desk: Desk, group_id: str, groups: int) -> None:
    """Code 0 and no finding for a sound catalog; a lost record is named and not grave; a record of a group
    that no shard knows is, with code 1."""
    clean = await desk.told("catalog", "check")
    assert (clean["clean"], clean["counts"], clean["findings"]) == (True, {}, [])
    async with Redis.from_url(desk.fleet.catalog_url) as catalog:
        record = f"graphgate:group:{group_id}"
        await catalog.rename(record, "kept")
        lost = await desk.told("catalog", "check")
        assert (lost["clean"], lost["counts"]) == (True, {"RECORD_MISSING": 1})
        assert lost["findings"][0]["group"] == group_id
        await catalog.copy("kept", "graphgate:group:nobody")
        await catalog.rename("kept", record)
    grave = await desk.types("catalog", "check")
    found = json.loads(grave.out)
    assert (grave.code, found["clean"], found["counts"]) == (1, False, {"RECORD_WITHOUT_FENCE": 1})
    assert (found["groups"], found["findings"][0]["group"]) == (groups, "nobody")

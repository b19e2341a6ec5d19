"""A shard that is not what it was: which error says so, and that nothing is written to it."""

import asyncio
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import pytest

from tests.eventually import eventually
from tests.integration.faults import engines, marker
from tests.integration.faults.world import (
    CALL_S,
    FALKORDB,
    NEO4J,
    HeldEmbedder,
    World,
    client_of,
    gateway_over,
    shard_refusal,
)

Code = grpc.StatusCode

BEFORE_IT_IS_KNOWN = {"SHARD_UNAVAILABLE", "OUTCOME_UNKNOWN"}
"""Reasons of calls that met the end of the old connections."""


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    change: str
    undo: str
    code: grpc.StatusCode
    reason: str

    def __str__(self) -> str:
        return self.name


def _case(name: str, property_: str, value: str, code: grpc.StatusCode, reason: str) -> Case:
    kept = f"m.kept_{property_}"
    return Case(
        name,
        f"SET {kept} = m.{property_}, m.{property_} = {value}",
        f"SET m.{property_} = {kept}, {kept} = NULL",
        code,
        reason,
    )


CASES = [
    _case("older-copy", "beat", "m.beat - 1", Code.DATA_LOSS, "SHARD_OLDER_COPY"),
    _case("other-data", "incarnation", "'another'", Code.FAILED_PRECONDITION, "WRONG_SHARD"),
    _case("other-shard", "shard", "'another'", Code.FAILED_PRECONDITION, "WRONG_SHARD"),
    _case("foreign-fleet", "fleet", "'another'", Code.FAILED_PRECONDITION, "FOREIGN_FLEET"),
    _case("newer-schema", "schema_version", "1000", Code.FAILED_PRECONDITION, "SHARD_SCHEMA_NEWER"),
    Case(
        "no-marker",
        "SET m:Hidden REMOVE m:_Marker",
        "SET m:_Marker REMOVE m:Hidden",
        Code.DATA_LOSS,
        "SHARD_WIPED",
    ),
]


@pytest.mark.parametrize("shard", [FALKORDB, NEO4J])
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_another_marker_behind_new_connections_lets_no_write_through(
    world: World, shard: str, case: Case
) -> None:
    """From the first call after the connections were lost: writes to a group that is there and the creation
    of a new one are refused, at last with the reason; nothing of them is on the engine; with the right marker
    back the shard serves again."""
    process = world.fleet.processes[shard]
    group, new_group = await world.new_group(shard), world.new_group_id_homed_at(shard)
    beat = world.links()[shard].beat
    await world.write(group, "before")
    await eventually(lambda: world.links()[shard].beat > beat)
    async with marker.changed(process, case.change, case.undo):
        world.proxy(shard).cut()
        for group_id in (group, new_group):

            async def known(group_id: str = group_id) -> bool:
                refusal = await shard_refusal(world.write(group_id, case.name, timeout=CALL_S), shard)
                assert refusal.reason in BEFORE_IT_IS_KNOWN | {case.reason}
                return (refusal.code, refusal.reason) == (case.code, case.reason)

            await eventually(known)
        refusal = await shard_refusal(world.names(group, timeout=CALL_S), shard)
        assert (refusal.code, refusal.reason) == (case.code, case.reason)
        assert await marker.count_of_entities(process, case.name) == 0
        assert await marker.count_of_fences(process, new_group) == 0
    await eventually(world.all_well)
    assert await world.names(group) == ["before", "first"]


@pytest.mark.parametrize(
    ("shard", "case"), [(FALKORDB, CASES[0]), (NEO4J, CASES[0]), (NEO4J, CASES[-1])], ids=str
)
async def test_a_gateway_that_starts_knows_it_from_the_catalog(world: World, shard: str, case: Case) -> None:
    """A gateway without memory of the shard refuses it at its first call, by what the catalog remembers."""
    group = await world.new_group(shard)
    beat = world.links()[shard].beat
    await world.write(group, "before")
    await eventually(lambda: world.links()[shard].beat > beat)
    async with (
        marker.changed(world.fleet.processes[shard], case.change, case.undo),
        gateway_over(world.fleet.settings(), HeldEmbedder()) as gateway,
        client_of(gateway) as client,
    ):
        late = World(world.fleet, gateway, client, HeldEmbedder())
        refusal = await shard_refusal(late.write(group, "after", timeout=CALL_S), shard)
        assert (refusal.code, refusal.reason) == (case.code, case.reason)
    assert await marker.count_of_entities(world.fleet.processes[shard], "after") == 0


@asynccontextmanager
async def _newest_kept(world: World) -> AsyncGenerator[None]:
    """The FalkorDB shard's directory as it is now, put back at the end."""
    process = world.fleet.falkordb
    newest = world.fleet.directory / "newest"
    await process.stop()
    await asyncio.to_thread(shutil.copytree, process.directory, newest)
    try:
        yield
    finally:
        await engines.put_back(process, newest)
        shutil.rmtree(newest)


async def test_a_restored_backup_takes_no_write(world: World) -> None:
    """A copy of the data directory from before the last beat, restored under a running gateway that has
    nothing under way: DATA_LOSS, and what it holds stays as it is. The newest copy is served again."""
    process, backup = world.fleet.falkordb, world.fleet.directory / "backup"
    group = await world.new_group(FALKORDB)
    await engines.copy_of(process, backup)
    await eventually(world.all_well)
    beat = world.links()[FALKORDB].beat
    await world.write(group, "acknowledged")
    await eventually(lambda: world.links()[FALKORDB].beat > beat)
    async with _newest_kept(world):
        await engines.put_back(process, backup)
        await _refused_for_good(world, group, "SHARD_OLDER_COPY")
        assert await marker.count_of_entities(process, "refused") == 0
    await eventually(world.all_well)
    assert await world.names(group) == ["acknowledged", "first"]


async def test_a_wiped_directory_takes_no_write_and_no_new_group(world: World) -> None:
    """An engine that came up empty behind the same address: DATA_LOSS for its groups and for new ones, and it
    stays empty. Its data back, it is served again."""
    process = world.fleet.falkordb
    group, new_group = await world.new_group(FALKORDB), world.new_group_id_homed_at(FALKORDB)
    async with _newest_kept(world):
        await engines.wipe(process)
        await _refused_for_good(world, new_group, "SHARD_WIPED")
        await _refused_for_good(world, group, "SHARD_WIPED")
        async with engines.beside(process) as client:
            assert await client.dbsize() == 0
    await eventually(world.all_well)
    assert await world.names(group) == ["first"]


async def _refused_for_good(world: World, group: str, reason: str) -> None:
    async def known() -> bool:
        refusal = await shard_refusal(world.write(group, "refused", timeout=CALL_S), FALKORDB)
        assert refusal.reason in BEFORE_IT_IS_KNOWN | {reason}
        return (refusal.code, refusal.reason) == (Code.DATA_LOSS, reason)

    await eventually(known)

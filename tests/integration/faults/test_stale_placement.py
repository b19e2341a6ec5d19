"""The catalog names another shard for a group than the one that owns it: callers see nothing of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import pytest

from tests.integration.faults import engines
from tests.integration.faults.placements import gateway_of, owners
from tests.integration.faults.world import FALKORDB, NEIGHBOUR, NEO4J, Fleet, World

GONE = "falkordb-gone"
"""A shard that no gateway is configured with."""
OLDER, LATER = -1, 1
"""Epochs from the fence to the record. As in a catalog that was rolled back to before a move, and as in one
that knows of a move which no shard does."""
NAMES = ["first", "second"]
WRITES = 8
"""To one group at once, before the gateway knows where it is."""


def _key(group_id: str) -> str:
    return f"graphgate:group:{group_id}"


async def _mislead(fleet: Fleet, group_ids: Mapping[str, int], shard_id: str) -> None:
    """The records of these groups name that shard, at an epoch so much later."""
    async with engines.beside(fleet.catalog) as client:
        for group_id, epochs_later in group_ids.items():
            await client.hincrby(_key(group_id), "epoch", epochs_later)
            await client.hset(_key(group_id), "shard", shard_id)


async def _recorded_shard(fleet: Fleet, group_id: str) -> str:
    async with engines.beside(fleet.catalog) as client:
        found = await client.hget(_key(group_id), "shard")
    return found.decode() if isinstance(found, bytes) else str(found)


async def _write(gateway: World, group_id: str) -> None:
    await gateway.write(group_id, "third")


async def _list(gateway: World, group_id: str) -> None:
    assert await gateway.names(group_id) == NAMES


async def _search(gateway: World, group_id: str) -> None:
    answer = await gateway.search(group_id)
    assert sorted(hit.entity.name for hit in answer.results[0].hits) == NAMES
    assert not answer.unknown_groups
    assert answer.coverage == 1


FIRST_CALLS: Sequence[Callable[[World, str], Awaitable[None]]] = (_write, _list, _search)


@pytest.mark.parametrize(
    ("owner", "said"), [(FALKORDB, NEO4J), (NEO4J, FALKORDB), (FALKORDB, NEIGHBOUR), (NEO4J, GONE)]
)
async def test_a_record_of_another_shard_is_invisible(world: World, owner: str, said: str) -> None:
    """Invariant 1: a write, a read and a search whose gateway is led to a shard that does not own the group
    answer as if the record were right; nothing is made at that shard, and through every gateway the group has
    the same rows. Each is the first call to its group, for the next one finds the place in memory. A record
    from before a move is put right by it."""
    cases = [(call, later, await world.new_group(owner)) for call in FIRST_CALLS for later in (OLDER, LATER)]
    groups = [group_id for _, _, group_id in cases]
    for group_id in groups:
        await world.write(group_id, "second")
    await _mislead(world.fleet, {group_id: later for _, later, group_id in cases}, said)
    async with gateway_of(world.fleet) as late:
        for call, epochs_later, group_id in cases:
            assert await _recorded_shard(world.fleet, group_id) == said
            await call(late, group_id)
            if epochs_later == OLDER:
                assert await _recorded_shard(world.fleet, group_id) == owner
            if call is not _write:
                await late.write(group_id, "third")
            assert await late.names(group_id) == await world.names(group_id) == [*NAMES, "third"]
    found = await owners(world.fleet)
    assert {group_id: found[group_id] for group_id in groups} == {group_id: [owner] for group_id in groups}


@pytest.mark.parametrize(("owner", "said"), [(FALKORDB, NEO4J), (NEO4J, FALKORDB)])
async def test_calls_side_by_side_over_old_records(world: World, owner: str, said: str) -> None:
    """Writes, reads and a search of several groups that meet old records at the same moment all succeed, and
    every write is there once."""
    groups = [await world.new_group(owner) for _ in range(3)]
    names = [f"written {number}" for number in range(WRITES)]
    await _mislead(world.fleet, dict.fromkeys(groups, OLDER), said)
    async with gateway_of(world.fleet) as late:
        _, listed, answer = await asyncio.gather(
            asyncio.gather(*(late.write(group_id, name) for group_id in groups for name in names)),
            asyncio.gather(*(late.names(group_id) for group_id in groups)),
            late.search(*groups),
        )
        assert all("first" in seen for seen in listed)
        assert answer.coverage == 1
        assert not answer.unknown_groups
        for group_id in groups:
            assert await late.names(group_id) == await world.names(group_id) == sorted(["first", *names])
            assert await _recorded_shard(world.fleet, group_id) == owner

"""The shard map between settings and catalog, and who takes new groups."""

import asyncio

import pytest

from drivers.errors import (
    DeadlinePassed,
    ShardUnavailable,
)
from drivers.fence import Engine
from shard_router.errors import (
    NoShardTakesGroups,
    ShardUnknown,
)
from shard_router.fleet import Fleet
from shard_router.founding import ConfiguredShard
from shard_router.shard_link import LinkState
from shard_router.shard_map import ShardInfo, ShardMapSnapshot, ShardState
from tests.eventually import eventually
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import (
    ask,
    configured,
    founded,
    link_states,
    marker,
    problem_of,
    running,
    soon,
)
from tests.unit.shard_router.manual_clock import ManualClock
from tests.unit.shard_router.memory_catalog import MemoryCatalog


async def stored_map(catalog: MemoryCatalog, version_min: int = 1) -> ShardMapSnapshot:
    """The catalog's map once it has at least that version."""
    await eventually(lambda: catalog.map is not None and catalog.map.version >= version_min)
    assert catalog.map is not None
    return catalog.map


# --- the shard map --------------------------------------------------------------------------------


async def test_a_catalog_that_is_down_does_not_stop_a_start() -> None:
    """The map of the settings serves until the catalog answers; then it is published."""
    clock, catalog, (a, b) = ManualClock(), MemoryCatalog(), founded("a", "b")
    catalog.down = True
    async with running(configured(a, b), catalog, clock) as fleet:
        assert set(link_states(fleet).values()) == {LinkState.READY}
        assert fleet.map.version == 0
        await eventually(lambda: fleet.catalog_problem is not None)

        catalog.down = False
        clock.advance(60)
        stored = await stored_map(catalog)
        await eventually(lambda: fleet.map == stored)
        assert [shard.shard_id for shard in stored.shards] == ["a", "b"]


async def test_the_catalogs_map_wins_over_the_settings() -> None:
    """An operator's cordon and weight outlive the restart of a gateway; new shards are added."""
    catalog, (a, b) = MemoryCatalog(), founded("a", "b")
    async with running(configured(a), catalog) as first:
        await stored_map(catalog)
        cordoned = ShardInfo("a", Engine.FALKORDB, 5.0, state=ShardState.CORDONED)
        changed = first.map.of(7, "fleet-1", [cordoned])
        catalog.set_map(changed)
        await eventually(lambda: first.map == changed)

    async with running(configured(a, b), catalog) as second:
        await eventually(lambda: second.map.version == 8)
        assert second.map.get("a") == cordoned
        assert second.map.get("b") == ShardInfo("b", Engine.FALKORDB)
        assert await second.choose_shard("g", soon()) == "b"


@pytest.mark.parametrize("rolled_back", [False, True])
async def test_a_catalog_that_forgot_gets_the_newer_map_back(rolled_back: bool) -> None:
    """Losing Redis loses no cordon as long as a gateway remembers it."""
    catalog, (a,) = MemoryCatalog(), founded("a")
    async with running(configured(a), catalog) as fleet:
        first = await stored_map(catalog)
        newer = first.of(7, "fleet-1", [ShardInfo("a", Engine.FALKORDB, 3.0)])
        catalog.set_map(newer)
        await eventually(lambda: fleet.map == newer)

        catalog.set_map(first if rolled_back else None)
        restored = await stored_map(catalog, version_min=8)
        assert restored.shards == newer.shards


async def test_another_fleets_catalog_is_not_used() -> None:
    """Two fleets under one key prefix do not mix their maps."""
    catalog, (a,) = MemoryCatalog(), founded("a")
    catalog.fleet = "fleet-2"
    async with running(configured(a), catalog) as fleet:
        await eventually(lambda: fleet.catalog_problem is not None)
        assert catalog.map is None
        assert link_states(fleet) == {"a": LinkState.READY}


# --- choosing -------------------------------------------------------------------------------------


async def test_new_groups_go_around_a_shard_that_is_away() -> None:
    """A shard that is down blocks only the groups that it homes or holds; only its share moves."""
    a, b, c = founded("a", "b", "c")
    async with running(configured(a, b, c)) as whole:
        wanted = {g: await whole.choose_shard(g, soon()) for g in map(str, range(60))}
    c.down = True
    async with running(configured(a, b, c)) as fleet:
        chosen = {g: await fleet.choose_shard(g, soon()) for g in wanted}

    assert set(chosen.values()) == {"a", "b"}
    assert all(chosen[g] == shard_id for g, shard_id in wanted.items() if shard_id != "c")


async def test_no_shard_takes_groups() -> None:
    """Cordoned shards and shards of weight 0 are said to be the reason, not a missing shard."""
    a, b = founded("a", "b")
    shards = [
        ConfiguredShard(ShardInfo("a", Engine.FALKORDB, state=ShardState.CORDONED), a),
        ConfiguredShard(ShardInfo("b", Engine.FALKORDB, 0.0), b),
    ]
    async with running(shards) as fleet:
        with pytest.raises(NoShardTakesGroups):
            await fleet.choose_shard("g", soon())


async def test_a_fleet_that_is_away_takes_groups_later() -> None:
    """Shards that are down are worth a retry, shards that are cordoned are not."""
    a, b = founded("a", "b")
    b.down = True
    shards = [ConfiguredShard(ShardInfo("a", Engine.FALKORDB, 0.0), a), *configured(b)]
    async with running(shards) as fleet:
        with pytest.raises(ShardUnavailable) as away:
            await fleet.choose_shard("g", soon())
        assert away.value.shard_id == "b"


async def test_every_driver_is_open_before_any_is_used() -> None:
    """Founding asks all shards at once; closing leaves none open."""
    opened: list[str] = []
    used_early: list[str] = []

    class Watched(FaultyDriver):
        async def step(self, name: str) -> None:
            if name in ("open", "close"):
                opened.append(f"{name} {self.shard_id}")
            elif len(opened) < 2:
                used_early.append(name)
            await super().step(name)

    async with running(configured(Watched("a"), Watched("b"))):
        assert opened == ["open a", "open b"]
    assert opened[2:] == ["close a", "close b"]
    assert not used_early


async def test_shards_of_the_map_that_are_not_configured_here_are_named() -> None:
    """Nothing silent: they are searched, and fail with what to do."""
    catalog, (a, b) = MemoryCatalog(), founded("a", "b")
    async with running(configured(a, b), catalog):
        await stored_map(catalog)
    async with running(configured(a), catalog) as fleet:
        await eventually(lambda: fleet.map.version > 0)
        assert fleet.searched_shards() == ("a", "b")
        assert isinstance(problem_of(fleet, "b"), ShardUnknown)
        with pytest.raises(ShardUnknown):
            await ask(fleet, "b")
        assert await fleet.choose_shard("g", soon()) == "a"


async def test_removed_shards_are_not_searched() -> None:
    """A removed shard's id stays known, its groups are elsewhere."""
    (a,), gone = founded("a"), FaultyDriver("z")
    gone.down = True
    removed = ConfiguredShard(ShardInfo("z", Engine.FALKORDB, state=ShardState.REMOVED), gone)
    async with running([*configured(a), removed]) as fleet:
        assert fleet.searched_shards() == ("a",)


async def test_calls_before_the_first_answer_wait_for_it() -> None:
    """A gateway that has just started answers late rather than with an error."""
    (a,) = founded("a")
    fleet = Fleet(configured(a), None, clock=ManualClock())
    await fleet.start()
    try:
        assert await ask(fleet, "a") == "a"
    finally:
        await fleet.close()
    with pytest.raises((ShardUnavailable, DeadlinePassed)):
        await Fleet(configured(a), None).settled(soon().within(0))


async def test_answered_waits_for_shards_that_are_ready_or_refused() -> None:
    """A start waits for a slow shard, not for one that answered wrongly, and not past its time."""
    clock, (a, b), z = ManualClock(), founded("a", "b"), FaultyDriver("z")
    z.marker = marker("z", fleet="fleet-2")
    a.down = True
    async with running(configured(a, b, z), clock=clock) as fleet:
        with pytest.raises(ShardUnavailable) as away:
            await fleet.answered(soon().within(0.01))
        assert away.value.shard_id == "a"
        a.down = False
        clock.advance(60)
        await fleet.answered(soon())


async def test_a_shard_that_hangs_is_not_waited_for_once_another_has_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At a start: its attempt does not end, and groups of the others are not to wait for it."""
    monkeypatch.setattr("shard_router.fleet.FIRST_ANSWER_S_MAX", 3_600.0)
    monkeypatch.setattr("shard_router.fleet.OTHERS_S_MAX", 0.01)
    a, b = founded("a", "b")
    b.held["ping"] = asyncio.Event()
    fleet = Fleet(configured(a, b), None, clock=ManualClock())
    await fleet.start()
    try:
        with pytest.raises(ShardUnavailable) as away:
            await fleet.met()
        assert away.value.shard_id == "b"
        assert await ask(fleet, "a") == "a"
        b.held["ping"].set()
        await fleet.answered(soon())
    finally:
        await fleet.close()

"""Founding, joining and refusing shards, as one gateway does it."""

from dataclasses import replace

import pytest

from drivers.contract import SCHEMA_VERSION, Engine, Fence, FenceState, ShardDriver, ShardMarker
from drivers.deadline import Deadline
from drivers.errors import (
    DeadlinePassed,
    GraphgateError,
    NewerSchema,
    OlderCopy,
    ShardIdentityError,
    ShardUnavailable,
    WipedShard,
    WrongShard,
)
from shard_router.catalog_port import KnownShard
from shard_router.errors import (
    CatalogUnavailable,
    FleetNotFounded,
    ForeignFleet,
    NoShardTakesGroups,
    ShardNotEmpty,
    ShardUnknown,
    TwoRootRings,
)
from shard_router.fleet import Fleet, FleetSettings
from shard_router.founding import ConfiguredShard
from shard_router.shard_link import LinkState
from shard_router.shard_map import ShardInfo, ShardMapSnapshot, ShardState
from tests.eventually import eventually
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import configured, founded, marker, running, soon
from tests.unit.shard_router.manual_clock import ManualClock
from tests.unit.shard_router.memory_catalog import MemoryCatalog


def link_states(fleet: Fleet) -> dict[str, LinkState | None]:
    return {status.info.shard_id: status.link for status in fleet.status()}


def problem_of(fleet: Fleet, shard_id: str) -> GraphgateError | None:
    return next(status.problem for status in fleet.status() if status.info.shard_id == shard_id)


async def stored_map(catalog: MemoryCatalog, version_min: int = 1) -> ShardMapSnapshot:
    """The catalog's map once it has at least that version."""
    await eventually(lambda: catalog.map is not None and catalog.map.version >= version_min)
    assert catalog.map is not None
    return catalog.map


async def ask(fleet: Fleet, shard_id: str) -> str:
    async def call(driver: ShardDriver) -> str:
        await driver.ping(soon())
        return driver.shard_id

    return await fleet.on_shard(shard_id, soon(), call)


# --- founding -------------------------------------------------------------------------------------


async def test_the_first_gateway_founds_the_fleet() -> None:
    """All markers name one fleet and one root ring of all shards; each shard has its own
    incarnation and the pooled graphs of its engine."""
    a, b = FaultyDriver("a"), FaultyDriver("b", Engine.NEO4J)
    async with running(configured(b, a), settings=FleetSettings(pool_graphs=7)) as fleet:
        assert link_states(fleet) == {"a": LinkState.READY, "b": LinkState.READY}
        fleet.check_creation()

    assert a.marker is not None
    assert b.marker is not None
    assert a.marker.fleet == b.marker.fleet == fleet.identity.fleet
    assert [m.shard_id for m in a.marker.root_ring] == ["a", "b"]
    assert a.marker.root_ring == b.marker.root_ring
    assert a.marker.incarnation != b.marker.incarnation
    assert (a.marker.pool_graphs, b.marker.pool_graphs) == (7, 1)
    assert a.settings == replace(a.marker, beat=a.settings.beat if a.settings else 0)
    assert a.has_schema
    assert b.has_schema


async def test_two_gateways_that_start_together_found_one_fleet() -> None:
    """The winner's marker counts for both."""
    drivers = [FaultyDriver("a"), FaultyDriver("b")]
    async with running(configured(*drivers)) as one, running(configured(*drivers)) as two:
        assert one.identity == two.identity
        assert set(link_states(two).values()) == {LinkState.READY}


async def test_founding_waits_for_every_shard() -> None:
    """A shard that does not answer may hold the marker: nothing is founded without it."""
    clock, a, b = ManualClock(), FaultyDriver("a"), FaultyDriver("b")
    b.down = True
    async with running(configured(a, b), clock=clock) as fleet:
        assert isinstance(problem_of(fleet, "a"), FleetNotFounded)
        assert a.marker is None
        with pytest.raises(FleetNotFounded):
            fleet.home_of("g")
        with pytest.raises(FleetNotFounded):
            fleet.check_creation()

        b.down = False
        clock.advance(60)
        await eventually(lambda: set(link_states(fleet).values()) == {LinkState.READY})


async def test_founding_waits_for_the_catalog() -> None:
    """Only the catalog can tell that a blank fleet was a fleet with data."""
    clock, catalog, a = ManualClock(), MemoryCatalog(), FaultyDriver("a")
    catalog.down = True
    async with running(configured(a), catalog, clock) as fleet:
        assert isinstance(problem_of(fleet, "a"), CatalogUnavailable)
        assert a.marker is None

        catalog.down = False
        clock.advance(60)
        await eventually(lambda: link_states(fleet) == {"a": LinkState.READY})


async def test_a_fleet_whose_shards_are_all_blank_is_lost_not_new() -> None:
    """Invariant 1: wiped disks under a living catalog are reported, never founded again."""
    catalog, a, b = MemoryCatalog(), FaultyDriver("a"), FaultyDriver("b")
    catalog.known = {"a": KnownShard("incarnation-a", 3), "b": KnownShard("incarnation-b", 3)}
    async with running(configured(a, b), catalog) as fleet:
        assert isinstance(problem_of(fleet, "a"), WipedShard)
        assert isinstance(problem_of(fleet, "b"), WipedShard)

    assert (a.marker, b.marker) == (None, None)


async def test_a_server_that_holds_groups_is_not_founded_over() -> None:
    """Groups without a marker are somebody's data."""
    a = FaultyDriver("a")
    await a.create_fence(Fence("g", 1, FenceState.OPEN), soon())
    async with running(configured(a)) as fleet:
        assert isinstance(problem_of(fleet, "a"), ShardNotEmpty)

    assert a.marker is None


async def test_nothing_is_founded_next_to_a_newer_schema() -> None:
    """A marker that this gateway cannot read is still a marker."""
    a, b = FaultyDriver("a"), FaultyDriver("b")
    b.marker = replace(marker("b"), schema_version=SCHEMA_VERSION + 1)
    async with running(configured(a, b)) as fleet:
        assert isinstance(problem_of(fleet, "a"), NewerSchema)
        assert isinstance(problem_of(fleet, "b"), NewerSchema)

    assert a.marker is None


async def test_shards_of_weight_zero_are_no_root_members() -> None:
    """A shard that takes no groups homes none either."""
    a, b = FaultyDriver("a"), FaultyDriver("b")
    shards = [*configured(a, weight=0), *configured(b)]
    async with running(shards) as fleet:
        assert [m.shard_id for m in fleet.identity.root_members] == ["b"]
        assert link_states(fleet) == {"a": LinkState.READY, "b": LinkState.READY}


# --- joining --------------------------------------------------------------------------------------


async def test_a_new_shard_joins_and_the_root_ring_stays() -> None:
    """Adding a shard moves nobody's home; the fleet is known from any shard's marker."""
    _, b = founded("a", "b")
    c = FaultyDriver("c")
    async with running(configured(b, c)) as fleet:
        assert link_states(fleet) == {"b": LinkState.READY, "c": LinkState.READY}

    assert c.marker is not None
    assert c.marker.root_ring == marker("a").root_ring
    assert c.marker.fleet == "fleet-1"


async def test_a_new_shard_waits_for_the_catalog() -> None:
    """Only the catalog can tell a wiped shard from a new one, also with the fleet long founded."""
    catalog, a, c = MemoryCatalog(), founded("a")[0], FaultyDriver("c")
    catalog.down = True
    async with running(configured(a, c), catalog) as fleet:
        assert link_states(fleet) == {"a": LinkState.READY, "c": LinkState.UNREACHABLE}
        assert isinstance(problem_of(fleet, "c"), CatalogUnavailable)


async def test_a_new_shard_with_groups_does_not_join() -> None:
    """Joining never takes over data that the fleet does not know."""
    a, c = founded("a")[0], FaultyDriver("c")
    await c.create_fence(Fence("g", 1, FenceState.OPEN), soon())
    async with running(configured(a, c)) as fleet:
        assert isinstance(problem_of(fleet, "c"), ShardNotEmpty)

    assert c.marker is None


# --- refusing -------------------------------------------------------------------------------------


async def test_a_root_member_without_marker_is_wiped() -> None:
    """Its registers are gone: creating them anew could make second owners."""
    a, b = founded("a", "b")
    a.marker = None
    async with running(configured(a, b)) as fleet:
        assert isinstance(problem_of(fleet, "a"), WipedShard)
        assert link_states(fleet) == {"a": LinkState.REFUSED, "b": LinkState.READY}
        with pytest.raises(WipedShard):
            await ask(fleet, "a")

    assert a.marker is None


@pytest.mark.parametrize("known", [False, True])
async def test_an_interrupted_founding_does_not_cover_a_loss(known: bool) -> None:
    """While no beat has left 0, a root member without a marker is only waiting for its copy; but the
    founder has its marker before all others, and a shard of the catalog has had one."""
    catalog, (a, b) = MemoryCatalog(), founded("a", "b")
    lost = b if known else a
    for driver in (a, b):
        driver.marker = marker(driver.shard_id, beat=0)
    lost.marker = None
    if known:
        catalog.known = {"b": KnownShard("incarnation-b", 0)}
    async with running(configured(a, b), catalog) as fleet:
        assert isinstance(problem_of(fleet, lost.shard_id), WipedShard)

    assert lost.marker is None


async def test_a_joined_shard_without_marker_is_wiped_if_the_catalog_knows_it() -> None:
    """It looks like a new shard, and is one that lost its data."""
    catalog, a, c = MemoryCatalog(), founded("a")[0], FaultyDriver("c")
    catalog.known = {"c": KnownShard("incarnation-c", 1)}
    async with running(configured(a, c), catalog) as fleet:
        assert isinstance(problem_of(fleet, "c"), WipedShard)

    assert c.marker is None


@pytest.mark.parametrize(
    ("strange", "error"),
    [
        (marker("c", fleet="fleet-2"), ForeignFleet),
        (marker("c", root=("a", "b"), version=2), TwoRootRings),
        (marker("c", root=("c",)), TwoRootRings),
    ],
)
async def test_two_fleets_or_rings_forbid_creation_and_nothing_else(
    strange: ShardMarker, error: type[ShardIdentityError]
) -> None:
    """A gateway that sees two root rings creates no group; groups on the right shards are served."""
    a, b = founded("a", "b")
    c = FaultyDriver("c")
    c.marker = strange
    async with running(configured(a, b, c)) as fleet:
        assert isinstance(problem_of(fleet, "c"), error)
        with pytest.raises(error):
            fleet.check_creation()
        assert await ask(fleet, "a") == "a"
        with pytest.raises(error):
            await ask(fleet, "c")


async def test_creation_goes_on_when_the_foreign_shard_is_gone() -> None:
    """A corrected address needs no restart."""
    clock, (a, b) = ManualClock(), founded("a", "b")
    right, b.marker = b.marker, marker("b", fleet="fleet-2", root=("b",), beat=0)
    async with running(configured(a, b), clock=clock) as fleet:
        assert isinstance(problem_of(fleet, "b"), ForeignFleet)
        b.marker = right
        clock.advance(60)
        await eventually(lambda: link_states(fleet)["b"] is LinkState.READY)
        fleet.check_creation()


async def test_an_address_of_another_shard_is_refused() -> None:
    """Two ids that lead to one server would give one group two owners."""
    (a,) = founded("a")
    b = FaultyDriver("b")
    b.marker = a.marker
    async with running(configured(a, b)) as fleet:
        assert isinstance(problem_of(fleet, "b"), WrongShard)
        assert link_states(fleet)["a"] is LinkState.READY


async def test_another_incarnation_is_refused() -> None:
    """Other data under the same name."""
    catalog, (a,) = MemoryCatalog(), founded("a")
    catalog.known = {"a": KnownShard("another", 0)}
    async with running(configured(a), catalog) as fleet:
        assert isinstance(problem_of(fleet, "a"), WrongShard)


async def test_an_older_beat_than_the_catalogs_is_refused() -> None:
    """An older copy of the disk lacks acknowledged writes."""
    catalog, (a,) = MemoryCatalog(), founded("a")
    catalog.known = {"a": KnownShard("incarnation-a", 9)}
    async with running(configured(a), catalog) as fleet:
        assert isinstance(problem_of(fleet, "a"), OlderCopy)


async def test_a_beat_given_between_catalog_and_marker_is_no_older_copy() -> None:
    """Two gateways that beat the same shard do not take each other for a restored disk."""
    catalog, (a,) = MemoryCatalog(), founded("a")

    class Racing(FaultyDriver):
        async def read_marker(self, deadline: Deadline) -> ShardMarker | None:
            read = await super().read_marker(deadline)
            assert read is not None
            self.marker = replace(read, beat=read.beat + 1)
            catalog.known["a"] = KnownShard("incarnation-a", self.marker.beat)
            return read

    racing = Racing("a")
    racing.marker = a.marker
    async with running(configured(racing), catalog) as fleet:
        assert link_states(fleet) == {"a": LinkState.READY}


async def test_the_catalog_learns_incarnations_and_beats() -> None:
    """What a gateway without memory needs to notice a wiped or an older disk."""
    catalog, (a,) = MemoryCatalog(), founded("a")
    async with running(configured(a), catalog) as fleet:
        assert catalog.known == {"a": KnownShard("incarnation-a", 1)}
        assert fleet.status()[0].incarnation == "incarnation-a"


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

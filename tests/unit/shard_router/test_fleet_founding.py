"""Founding a fleet and joining it, as one gateway does it."""

from dataclasses import replace

import pytest

from drivers.errors import (
    NewerSchema,
    WipedShard,
)
from drivers.fence import SCHEMA_VERSION, Engine, Fence, FenceState
from shard_router.catalog_port import KnownShard
from shard_router.errors import (
    CatalogUnavailable,
    FleetNotFounded,
    ShardNotEmpty,
)
from shard_router.fleet import FleetSettings
from shard_router.shard_link import LinkState
from tests.eventually import eventually
from tests.unit.shard_router.faulty_driver import FaultyDriver
from tests.unit.shard_router.fleet_of import (
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

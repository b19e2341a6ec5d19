"""Shards that must not be used, and what goes on without them."""

from dataclasses import replace

import pytest

from drivers.deadline import Deadline
from drivers.errors import (
    OlderCopy,
    ShardIdentityError,
    WipedShard,
    WrongShard,
)
from drivers.fence import ShardMarker
from shard_router.catalog_port import KnownShard
from shard_router.errors import (
    ForeignFleet,
    TwoRootRings,
)
from shard_router.shard_link import LinkState
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
)
from tests.unit.shard_router.manual_clock import ManualClock
from tests.unit.shard_router.memory_catalog import MemoryCatalog


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

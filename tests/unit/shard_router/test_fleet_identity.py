"""Which fleet a gateway belongs to, and what a marker must show."""

from dataclasses import replace

import pytest

from drivers.errors import NewerSchema, OlderCopy, WrongShard
from drivers.fence import SCHEMA_VERSION
from shard_router.catalog_port import KnownShard
from shard_router.errors import ForeignFleet, TwoRootRings
from shard_router.fleet_identity import FleetIdentity, check_known, check_readable, elect
from tests.unit.shard_router.fleet_of import marker


def test_one_wrong_address_does_not_outvote_the_fleet() -> None:
    """A foreign shard, also one with the lowest id, is refused instead of making the rest foreign."""
    elected = elect([marker("a", fleet="other"), marker("b"), marker("c")])

    assert elected == FleetIdentity.of(marker("b"))


def test_a_fleet_in_use_beats_an_unfinished_founding() -> None:
    """Copies of a founding that never ended do not outvote shards that hold data."""
    unfinished = [marker(shard_id, fleet="unfinished", beat=0) for shard_id in "ab"]

    assert elect([*unfinished, marker("c")]) == FleetIdentity.of(marker("c"))


def test_the_lowest_shard_decides_between_equals() -> None:
    """Gateways that see the same markers elect the same fleet, in whatever order they see them."""
    markers = [marker("b", fleet="x"), marker("a", fleet="y")]

    assert elect(markers) == elect(markers[::-1]) == FleetIdentity.of(markers[1])


def test_nothing_is_elected_without_markers() -> None:
    """Blank shards make no fleet by themselves."""
    assert elect([]) is None


def test_mismatches_are_told_apart() -> None:
    """A caller learns whether the address or the marker is wrong."""
    identity = FleetIdentity.of(marker("a"))

    assert identity.mismatch("a", marker("a")) is None
    assert isinstance(identity.mismatch("a", marker("a", fleet="other")), ForeignFleet)
    assert isinstance(identity.mismatch("a", marker("a", version=2)), TwoRootRings)
    assert isinstance(identity.mismatch("a", marker("a", root=("a", "b", "c"))), TwoRootRings)


def test_homes_depend_on_the_root_ring_alone() -> None:
    """A group's home is the same for every gateway, whatever shards were added since."""
    first, again = FleetIdentity.of(marker("a")), FleetIdentity.of(marker("b"))
    homes = {group_id: first.home_of(group_id) for group_id in map(str, range(200))}

    assert set(homes.values()) == {"a", "b"}
    assert all(again.home_of(group_id) == home for group_id, home in homes.items())


def test_unreadable_markers_are_refused() -> None:
    """A newer schema would be misread; an address that leads to another shard must not be used."""
    check_readable("a", marker("a"))
    with pytest.raises(NewerSchema):
        check_readable("a", replace(marker("a"), schema_version=SCHEMA_VERSION + 1))
    with pytest.raises(WrongShard):
        check_readable("a", marker("b"))


def test_other_data_and_older_data_are_refused() -> None:
    """Invariant 1: after a restore that lost data the incarnation or the beat tells."""
    found = marker("a", beat=5)
    same = KnownShard(found.incarnation, 5)

    check_known("a", found, [same])
    with pytest.raises(WrongShard):
        check_known("a", found, [same, KnownShard("another", 1)])
    with pytest.raises(OlderCopy):
        check_known("a", found, [same, KnownShard(found.incarnation, 6)])

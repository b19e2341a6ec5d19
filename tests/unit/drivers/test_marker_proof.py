"""Which marker behind a new connection is that of the shard which was admitted."""

from dataclasses import replace

import pytest

from drivers.fence import RootMember, ShardMarker
from drivers.marker_proof import proves

ADMITTED = ShardMarker("fleet", "a", "incarnation", 1, 1, (RootMember("a", 1.0),), 4, beat=7)


@pytest.mark.parametrize("beat", [7, 8])
def test_the_same_shard_proves_itself_and_may_have_beaten_since(beat: int) -> None:
    """Another gateway's beat is no other data."""
    assert proves(replace(ADMITTED, beat=beat), ADMITTED)


@pytest.mark.parametrize(
    "found",
    [
        None,
        replace(ADMITTED, beat=6),
        replace(ADMITTED, incarnation="another"),
        replace(ADMITTED, fleet="another"),
        replace(ADMITTED, shard="b"),
        replace(ADMITTED, schema_version=2),
    ],
)
def test_anything_else_does_not(found: ShardMarker | None) -> None:
    """No marker, an older copy, other data, a newer schema: nothing is to be sent there."""
    assert not proves(found, ADMITTED)


@pytest.mark.parametrize("admitted", [None, replace(ADMITTED, beat=0)])
def test_before_the_admission_there_is_nothing_to_prove(admitted: ShardMarker | None) -> None:
    """A founding gateway talks to shards that have no marker yet."""
    assert proves(None, admitted)


def test_a_root_ring_may_change_while_connections_are_made() -> None:
    """Who reads the marker next takes the new ring over; the data are the same."""
    assert proves(replace(ADMITTED, root_version=2), ADMITTED)

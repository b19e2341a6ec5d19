"""The shard map: who takes groups, and that it survives its way through the catalog."""

import pytest

from drivers.fence import Engine
from shard_router.errors import NoShardTakesGroups
from shard_router.shard_map import ShardInfo, ShardMapSnapshot, ShardState

A = ShardInfo("a", Engine.FALKORDB, 1.5, "zone-1")
B = ShardInfo("b", Engine.NEO4J, 2.0)
CORDONED = ShardInfo("c", Engine.NEO4J, 1.0, state=ShardState.CORDONED)
DRAINING = ShardInfo("d", Engine.NEO4J, 1.0, state=ShardState.DRAINING)
REMOVED = ShardInfo("e", Engine.NEO4J, 1.0, state=ShardState.REMOVED)
LIGHT = ShardInfo("f", Engine.NEO4J, 0.0)
ALL = ShardMapSnapshot.of(3, "fleet-1", [LIGHT, REMOVED, DRAINING, CORDONED, B, A])


def test_only_active_shards_with_weight_take_groups() -> None:
    """Cordoning, draining, removing or weighing nothing keeps new groups away."""
    ring = ALL.placement_ring

    assert [(m.shard_id, m.weight) for m in ring.members] == [("a", 1.5), ("b", 2.0)]
    assert ring.version == 3


def test_a_ring_without_a_shard_moves_only_its_groups() -> None:
    """Going around a shard that is away does not scatter the others' new groups."""
    whole, around = ALL.placement_ring, ALL.placement_ring_without(frozenset({"a"}))

    assert {around.shard_of(str(n)) for n in range(100)} == {"b"}
    assert {whole.shard_of(str(n)) for n in range(100)} == {"a", "b"}


def test_no_shard_takes_groups_is_said_with_numbers() -> None:
    """An operator learns whether shards are cordoned or away."""
    with pytest.raises(NoShardTakesGroups, match="2 of 6 are ACTIVE"):
        ALL.placement_ring_without(frozenset({"a", "b"}))
    with pytest.raises(NoShardTakesGroups, match="0 of 1 are ACTIVE"):
        _ = ShardMapSnapshot.of(1, "f", [CORDONED]).placement_ring


def test_the_map_survives_its_text() -> None:
    """Every field of every shard comes back from the catalog."""
    assert ShardMapSnapshot.decode(ALL.encode()) == ALL


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1, "fleet": "f", "shards": [{"id": "a"}]}'])
def test_text_of_somebody_else_is_refused(text: str) -> None:
    """A broken catalog entry is an error, not an empty fleet."""
    with pytest.raises(ValueError, match=r"."):
        ShardMapSnapshot.decode(text)


def test_known_shards_keep_what_the_catalog_says() -> None:
    """Settings add shards to the map; they do not undo an operator's change."""
    other_a = ShardInfo("a", Engine.FALKORDB, 9.0)
    g = ShardInfo("g", Engine.FALKORDB)
    merged = ALL.with_absent([other_a, g])

    assert merged.get("a") == A
    assert merged.get("g") == g
    assert merged.version == ALL.version
    assert ALL.with_absent([other_a]) is ALL


def test_a_shard_is_named_once() -> None:
    """Two entries of one shard would weigh it twice."""
    with pytest.raises(ValueError, match="named once"):
        ShardMapSnapshot.of(1, "f", [A, A])

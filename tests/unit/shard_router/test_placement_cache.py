"""What the gateway remembers of placements is bounded and never newer than it should be."""

import pytest

from shard_router.placement import Placement
from shard_router.placement_cache import PlacementCache


def placement(group_id: str, epoch: int = 1, shard_id: str = "a") -> Placement:
    return Placement(group_id, shard_id, "", epoch)


def test_the_one_unused_for_longest_goes_first() -> None:
    """Nothing in a gateway grows with the groups that it does not serve."""
    cache = PlacementCache(entries_max=2)
    cache.put(placement("x"))
    cache.put(placement("y"))
    assert cache.get("x") is not None
    cache.put(placement("z"))

    assert len(cache) == 2
    assert cache.get("y") is None
    assert cache.get("x") == placement("x")


def test_a_slow_lookup_does_not_undo_a_newer_one() -> None:
    """Of two answers the one with the higher epoch stays."""
    cache = PlacementCache(entries_max=2)
    cache.put(placement("x", epoch=3, shard_id="b"))
    cache.put(placement("x", epoch=1))

    assert cache.get("x") == placement("x", epoch=3, shard_id="b")


def test_only_what_failed_is_forgotten() -> None:
    """A stale answer does not throw away what somebody else has learned since."""
    cache = PlacementCache(entries_max=2)
    cache.put(placement("x", epoch=3))
    cache.forget(placement("x", epoch=1))
    assert cache.get("x") is not None

    cache.forget(placement("x", epoch=3))
    assert cache.get("x") is None
    cache.forget(placement("x", epoch=3))


def test_an_unbounded_cache_is_refused() -> None:
    """A limit below one entry is a mistake in the settings."""
    with pytest.raises(ValueError, match="entries_max 0"):
        PlacementCache(entries_max=0)

"""What was asked a moment ago is not asked again."""

from shard_router.recently_asked import PAUSE_S, RecentlyAsked
from tests.unit.shard_router.manual_clock import ManualClock


def test_a_question_is_spared_for_a_while() -> None:
    """From its note on for the pause, each key apart."""
    clock = ManualClock()
    asked = RecentlyAsked[str](clock)
    assert not asked.lately("a")
    asked.note("a")
    assert asked.lately("a")
    assert not asked.lately("b")
    clock.advance(PAUSE_S)
    assert not asked.lately("a")
    asked.note("a")
    assert asked.lately("a")


def test_it_forgets_the_oldest_first() -> None:
    """Bounded: a key beyond the limit pushes out the one that was noted longest ago."""
    asked = RecentlyAsked[str](ManualClock(), entries_max=2)
    for key in ("a", "b", "a", "c"):
        asked.note(key)
    assert [key for key in "abc" if asked.lately(key)] == ["a", "c"]

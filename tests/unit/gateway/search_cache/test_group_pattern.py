"""Patterns of group ids."""

import time

import pytest

from gateway.search_cache.group_pattern import GroupPattern


@pytest.mark.parametrize(
    ("pattern", "group_id", "matches"),
    [
        ("ada", "ada", True),
        ("ada", "adam", False),
        ("ada*", "ada", True),
        ("*:ada", "org:ada", True),
        ("a?a", "ada", True),
        ("a?a", "aa", False),
        ("A*", "ada", False),
        ("a.a", "ada", False),
        ("*", "anything", True),
    ],
)
def test_star_and_question_mark_alone_are_special(pattern: str, group_id: str, matches: bool) -> None:
    """A point is a point, upper case is not lower case, and the whole id has to match."""
    assert GroupPattern(pattern).matches(group_id) is matches


@pytest.mark.parametrize("pattern", ["", "a b", "[ab]", "x" * 129, "a\n", "é"])
def test_what_no_group_id_could_match_is_refused(pattern: str) -> None:
    """A pattern that cannot match anything is the caller's mistake."""
    with pytest.raises(ValueError, match="must be 1 to 128"):
        GroupPattern(pattern)


def test_no_pattern_takes_long() -> None:
    """A pattern of a caller's choice runs on the event loop: it must not go back and forth without end."""
    pattern = GroupPattern("a*" * 63 + "b")
    began_s = time.perf_counter()
    assert not pattern.matches("a" * 128)
    assert time.perf_counter() - began_s < 0.1

"""The bound on the text of keyword candidates."""

from collections.abc import Sequence

from drivers.search_reads import KeywordHit


def cut_to_chars(hits: Sequence[KeywordHit], chars_max: int) -> tuple[KeywordHit, ...]:
    """The first hits whose terms have no more characters together; the first one always."""
    room = chars_max
    for place, hit in enumerate(hits):
        room -= len(hit.terms)
        if room < 0 and place > 0:
            return tuple(hits[:place])
    return tuple(hits)

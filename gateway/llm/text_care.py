"""Fewer tokens for the same sense: cutting at sentence ends and compressing."""

import re
from enum import StrEnum

from gateway.embedding.preparation import BYTES_PER_TOKEN, tokens_estimate

__all__ = ["Compression", "compress", "cut_at_sentence", "sentence_around", "tokens_estimate"]

CUT_SEARCH_SHARE = 0.5
"""A sentence end is looked for in the last half; without one a word's end will do."""

BEFORE_SHARE = 0.5
"""Of what a place in a long sentence has around it."""

_SENTENCE_END = re.compile(
    r"[.!?\u2026\u3002\uff01\uff1f]+[\"'\u201d\u2019)\]]*(?=\s|$)|[\u3002\uff01\uff1f]|\n"
)
_SPACES = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r"\s*\n\s*\n\s*")
_RULES = re.compile(r"([-=_*#~.])\1{4,}")
_OPAQUE = re.compile(r"\b(?:[0-9a-fA-F]{40,}|[A-Za-z0-9+/]{120,}={0,2})")
_QUERY = re.compile(r"(https?://[^\s?#]+)[?#]\S+")
_FILLERS = re.compile(
    r"\b(?:actually|basically|essentially|honestly|just|kind of|literally|of course|quite|rather|really|"
    r"simply|sort of|very|you know|i mean|as a matter of fact|at the end of the day|it should be noted that|"
    r"it is worth noting that|in order(?= to))\b,?[^\S\n]*",
    re.IGNORECASE,
)


class Compression(StrEnum):
    """Each level does what the levels before it do."""

    NONE = "none"
    LOW = "low"
    """Runs of blanks and blank lines; ruled lines."""
    MEDIUM = "medium"
    """Lines that are there twice; hashes, base64, and the query strings of URLs."""
    HIGH = "high"
    """English filler words."""


def cut_at_sentence(text: str, tokens_max: int) -> str:
    """The beginning of the text, at most so many estimated tokens, up to the last sentence end that fits."""
    if tokens_estimate(text) <= tokens_max:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if tokens_estimate(text[:middle]) <= tokens_max:
            low = middle
        else:
            high = middle - 1
    fitting = text[:low]
    ends = [match.end() for match in _SENTENCE_END.finditer(fitting, int(low * CUT_SEARCH_SHARE))]
    # A mark at the very edge may be the middle of "3.14".
    if ends and ends[-1] == low and not text[low].isspace():
        ends.pop()
    if ends:
        return fitting[: ends[-1]].rstrip()
    word_end = max(fitting.rfind(" "), fitting.rfind("\n"))
    return fitting[:word_end].rstrip() if word_end > low * CUT_SEARCH_SHARE else fitting


def sentence_around(text: str, at: int, tokens_max: int) -> str:
    """The sentence that text[at] is in, and what follows it within so many estimated tokens; of a longer
    sentence the part around that place."""
    before = text[max(0, at - tokens_max * BYTES_PER_TOKEN) : at]
    begin = at - len(before)
    for end in _SENTENCE_END.finditer(before):
        begin = at - len(before) + end.end()
    while begin < at and tokens_estimate(text[begin:at]) > tokens_max * BEFORE_SHARE:
        # Towards the place, and on to the next word.
        begin = min(at, begin + max(1, (at - begin) // 4))
        blank = text.find(" ", begin, at)
        begin = at if blank < 0 else blank + 1
    # One letter more than fits at most, so that a text that goes on is cut where a sentence ends.
    window = text[begin : begin + tokens_max * BYTES_PER_TOKEN + 1]
    return cut_at_sentence(window, tokens_max).strip()


def compress(text: str, level: Compression) -> str:
    """Names, numbers and negations stay whatever the level. Idempotent."""
    if level is Compression.NONE:
        return text
    shorter = text
    if level in (Compression.MEDIUM, Compression.HIGH):
        shorter = _OPAQUE.sub("[data]", _QUERY.sub(r"\1", shorter))
    if level is Compression.HIGH:
        shorter = _FILLERS.sub("", shorter)
    shorter = _BLANK_LINES.sub("\n", _SPACES.sub(" ", _RULES.sub(r"\1\1\1", shorter)))
    if level in (Compression.MEDIUM, Compression.HIGH):
        lines = (line.strip() for line in shorter.split("\n"))
        shorter = "\n".join(dict.fromkeys(line for line in lines if line))
    return shorter.strip()

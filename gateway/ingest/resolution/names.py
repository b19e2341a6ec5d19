"""Names in the form in which they are compared."""

import math
import re
import unicodedata
from collections import Counter
from functools import lru_cache

SHINGLE_CHARS = 3
SHINGLED_NAMES_MAX = 4_096
DISTINCT_CHARS_MIN = 6
"""Shorter names of a single word are too easily alike: "Java", "Lava"."""
ENTROPY_BITS_MIN = 1.5
"""Per character: "aaaaab" tells nothing."""

_PUNCTUATION = re.compile(r"[^\w\s]+")
_APOSTROPHES = str.maketrans("", "", "'\u2019\u2018`\u00b4")
_DIGITS = re.compile(r"\d+")
_NEGATIVE = re.compile(r"\s*[-\u2212]\d")
_ROMAN = re.compile(r"x{0,3}(?:ix|iv|v?i{0,3})")
_ROMAN_DIGITS = {"i": 1, "v": 5, "x": 10}
_PLURALS = ("s", "es")


def normalised(name: str) -> str:
    """Names that are equal in this form are the same name: without case, width, punctuation and runs of
    blanks. A name of punctuation alone ("C++" beside "C" is not one) keeps it."""
    folded = unicodedata.normalize("NFKC", name).casefold().translate(_APOSTROPHES)
    # "+" and "#" tell C, C++ and C# apart.
    plain = _PUNCTUATION.sub(lambda match: "".join(c if c in "+#&%$" else " " for c in match[0]), folded)
    sign = "-" if _NEGATIVE.match(folded) else ""
    return sign + " ".join(plain.split()) or " ".join(folded.split())


def words(normalised_name: str) -> frozenset[str]:
    return frozenset(normalised_name.split())


def numbers(normalised_name: str) -> tuple[str, ...]:
    """In order: names with other numbers are other things, however alike they are ("1963", "Apollo 11").
    Roman ones up to 39 count behind the first word ("Ariarathes VII", "World War II" as "World War 2")."""
    found: list[str] = []
    for position, word in enumerate(normalised_name.split()):
        if position and _ROMAN.fullmatch(word):
            found.append(str(_roman(word)))
        else:
            found += _DIGITS.findall(word)
    return tuple(found)


def differ_in_letters(one: str, other: str) -> bool:
    """Whether normalised names that are spelt alike have the same words but for a few letters or blanks, so
    that they are surely one. A word more ("Jr") or a word that is longer at one end ("indirect", "African")
    may mean another thing, a plural does not."""
    if one.replace(" ", "") == other.replace(" ", ""):
        return True
    first, second = sorted(words(one) - words(other)), sorted(words(other) - words(one))
    return len(first) == len(second) and all(map(_is_variant, first, second))


def reordered(one: str, other: str) -> bool:
    """Whether normalised names are surely the same words in another order: one word goes from an end to the
    other ("Smith, Alice"), or they have a number ("August 6, 1945"). "Samuel Coleridge-Taylor" is not "Samuel
    Taylor Coleridge"."""
    first, second = one.split(), other.split()
    # Two words at least: "Mae Mae" is not "Mae".
    if len(first) < 2 or sorted(first) != sorted(second):
        return False
    return bool(numbers(one)) or second in ([*first[1:], first[0]], [first[-1], *first[:-1]])


@lru_cache(maxsize=SHINGLED_NAMES_MAX)
def shingles(normalised_name: str) -> frozenset[str]:
    """Runs of three characters without blanks; of a shorter name the name."""
    joined = normalised_name.replace(" ", "")
    if len(joined) <= SHINGLE_CHARS:
        return frozenset((joined,))
    return frozenset(joined[at : at + SHINGLE_CHARS] for at in range(len(joined) - SHINGLE_CHARS + 1))


def is_telling(normalised_name: str) -> bool:
    """Whether likeness of spelling says anything about such a name."""
    joined = normalised_name.replace(" ", "")
    if len(joined) < DISTINCT_CHARS_MIN and " " not in normalised_name:
        return False
    return _entropy_bits(joined) >= ENTROPY_BITS_MIN


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Share of what both have in what either has."""
    union = len(one | other)
    return len(one & other) / union if union else 0.0


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Share of the smaller one that the other has too."""
    smaller = min(len(one), len(other))
    return len(one & other) / smaller if smaller else 0.0


def _is_variant(word: str, other: str) -> bool:
    shorter, longer = sorted((word, other), key=len)
    if longer.startswith(shorter):
        return longer.removeprefix(shorter) in _PLURALS
    return not longer.endswith(shorter)


def _roman(word: str) -> int:
    values = [_ROMAN_DIGITS[letter] for letter in word]
    return sum(
        -value if value < following else value
        for value, following in zip(values, [*values[1:], 0], strict=True)
    )


def _entropy_bits(text: str) -> float:
    total = len(text)
    return -sum(count / total * math.log2(count / total) for count in Counter(text).values())

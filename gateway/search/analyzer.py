"""The one text analyser: the tokens of a keyword query (analyze) and what a row stores in `terms` and
`term_count` (row_terms).

Both engines index `terms` by splitting at spaces only, so a token has to mean the same to either: it holds
letters, digits and the combining marks that are part of words, nothing that an engine splits at or reads
as an operator. RediSearch expands a bare query word by its own stemmer even where the index was made
without one: a driver asks for each token as a quoted phrase.

Rules, in order:
- Unicode NFKC and case folding; decimal digits of every script become 0-9.
- Accents are dropped where they decorate a letter (Latin, Greek, Cyrillic except й and ї), as are Hebrew and
  Arabic vowel points with the Arabic tatweel. Marks of other scripts (Devanagari vowel signs and virama,
  Thai tone marks, kana voicing) make another word and stay.
- Letters of the Latin script that have no decomposition are spelt out (ø o, æ ae, ł l, ...).
- English contractions lose their tail (john's: john), digit groups are joined (2,018: 2018); any other
  punctuation, symbol, emoji, control character or lone surrogate separates (3.14: 3, 14; v1.2: v1, 2).
  Invisible format characters (soft hyphen, joiners, direction marks) vanish without separating.
- Scripts written without spaces (Han, kana, Hangul, Bopomofo, Thai, Lao, Khmer, Myanmar) give overlapping
  bigrams of letters with their marks; a run of one letter gives that letter.
- A row has the letters of its bigrams beside them, each once, so that a query of one letter finds it. They
  are after its tokens and not in its length, and a query of two letters and more does not ask for them:
  what BM25 knows of bigrams and of other scripts is the same with them and without. A lone letter counts
  once however often longer runs have it: counted with repeats it could be more frequent than the row is
  long, which the bounds of max_score.py exclude, and would lengthen the stored terms by half. So a query of
  one letter prefers short rows, and those where it stands alone more than once. Rows of revision 1 have no
  such letters: one letter finds them from their next write on; their lengths and all else are the same.
- English stop words are dropped, unless the text has no other word (so that an entity named "It" is found).
- The plural ending is cut by Harman's S stemmer (1991), whatever the language, unless that would make a
  stop word. BM25 on MuSiQue-100, R@10: S stemmer .61, none .59, Porter and Snowball English .56.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from unicodedata import category, decimal, normalize

TERMS_ANALYZER_REVISION = 2
"""Raised with every change of the rules: rows whose terms were made by another revision must be re-analysed
from their texts, for instance by writing them again.
Characters newer than the interpreter's Unicode tables separate words until it is renewed.
"""

TOKEN_CHARS_MAX = 64
TOKEN_BYTES_MAX = 120
"""In UTF-8. RediSearch folds tokens of 128 bytes and more into one another or does not find them."""
TOKENS_MAX = 32_768
"""Tokens kept of one text; what follows is not searchable by keyword. Letters of bigrams get what room the
tokens leave.
"""
STOP_WORDS = frozenset((
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "did", "do", "does", "for", "from", "had", "has",
    "have", "how", "if", "in", "into", "is", "it", "its", "of", "on", "or", "that", "the", "their", "then",
    "there", "these", "they", "this", "to", "was", "were", "what", "when", "where", "which", "who", "with",
))  # fmt: skip
"""Lucene's English list without words that may be names or turn a sense (will, no, not, such), and what
questions are made of."""

_CONTRACTION = re.compile(r"(?<=[^\W\d_])(?:n['\u2019]t|['\u2019](?:s|t|d|m|ll|re|ve))(?![^\W_])")
_DIGIT_GROUPS = re.compile(r"(?<![\d,])\d{1,3}(?:,\d{3})+(?![\d,])")
_ASCII_WORD = re.compile(r"[a-z0-9]+")

# Canonical ordering of marks takes quadratic time, and 30 marks on one letter are all that Unicode's
# Stream-Safe Text Format (UAX 15) keeps. The halfwidth voicing marks count: they decompose to marks.
_MARK_RUN = re.compile(r"((?:[^\w\s\x00-\x7f]|[\uff9e\uff9f]){30})(?:[^\w\s\x00-\x7f]|[\uff9e\uff9f])+")

_DROPPED_MARKS = (
    (0x0300, 0x036F),  # combining diacritical marks
    (0x0483, 0x0489),  # Cyrillic titlo and others
    (0x0591, 0x05C7),  # Hebrew accents and points
    (0x0610, 0x061A),  # Arabic honorifics and small vowels
    (0x064B, 0x065F),  # Arabic vowel points
    (0x0670, 0x0670),  # Arabic superscript alef
    (0x06D6, 0x06ED),  # Quranic annotation
    (0x0898, 0x089F),
    (0x08CA, 0x08FF),
    (0x180B, 0x180F),  # Mongolian variation selectors
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),  # marks for symbols
    (0x302A, 0x302F),  # ideographic tone marks
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFE20, 0xFE2F),
    (0xE0100, 0xE01EF),  # variation selectors, supplement
)
_SPELT_OUT = {
    "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ŧ": "t",
    "\u0131": "i",
}  # fmt: skip
_ZERO_WIDTH_SPACE = 0x200B
_ARABIC_TATWEEL = 0x0640

_UNSPACED = (
    r"\u0e00-\u0eff"  # Thai, Lao
    r"\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Myanmar
    r"\u1100-\u11ff\ua960-\ua97f\uac00-\ud7ff"  # Hangul
    r"\u1780-\u17ff"  # Khmer
    r"\u2e80-\u2fdf\u3005-\u3007\u3021-\u303c"  # Han radicals, iteration mark, zero, numerals
    r"\u3041-\u31ff"  # kana, Bopomofo, compatibility Jamo
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"  # Han
    r"\U0001aff0-\U0001b16f"  # kana, supplements
)
_UNIT = rf"(?=\w)[{_UNSPACED}]\W*"
_PIECE = re.compile(rf"((?:{_UNIT})+)|(?:[^\W{_UNSPACED}]\W*)+")
_UNIT_PATTERN = re.compile(_UNIT)


class _FoldTable(dict[int, str | int | None]):
    """str.translate table over decomposed text, filled as characters are met (at most one entry each)."""

    def __missing__(self, code_point: int) -> str | int | None:
        folded = self[code_point] = _fold(code_point)
        return folded


def _fold(code_point: int) -> str | int | None:
    """Return what a character of decomposed, case-folded text becomes; None drops it without separating."""
    char = chr(code_point)
    kind = category(char)
    if kind == "Nd":
        return str(decimal(char))
    if kind[0] in "LN":
        return None if code_point == _ARABIC_TATWEEL else _SPELT_OUT.get(char, code_point)
    if kind in ("Mn", "Mc"):
        dropped = any(first <= code_point <= last for first, last in _DROPPED_MARKS)
        return None if dropped else code_point
    if kind == "Me" or (kind == "Cf" and code_point != _ZERO_WIDTH_SPACE):
        return None
    return " "


_FOLD = _FoldTable()


@dataclass(frozen=True, slots=True)
class RowTerms:
    """What a row stores for keyword search."""

    text: str
    """Its tokens in order, with repeats, then the letters of its bigrams, each once unless it is a token;
    at most TOKENS_MAX in all, joined by one space."""
    count: int
    """Length for BM25: the tokens alone, with repeats."""


def row_terms(text: str) -> RowTerms:
    """Return what a row with this text stores.

    Deterministic; analyze() of the stored terms gives the same terms. Takes what analyze() takes, in up to
    twice its time.
    """
    tokens = analyze(text)
    joined = " ".join(tokens)
    if joined.isascii():
        return RowTerms(joined, len(tokens))
    # A unit of the joined tokens takes the blank behind it along, like every character that is in no word.
    letters = dict.fromkeys(unit.rstrip(" ") for unit in _UNIT_PATTERN.findall(joined))
    known = frozenset(tokens)
    lone = islice((letter for letter in letters if letter not in known), TOKENS_MAX - len(tokens))
    return RowTerms(" ".join((joined, *lone)), len(tokens))


def analyze(text: str) -> list[str]:
    """Return the tokens of a text in order, with repeats, at most TOKENS_MAX.

    Deterministic and idempotent: the tokens joined by spaces give the same tokens. Takes any str, lone
    surrogates and NUL included. Time is linear in the text, 1 to 10 million characters a second.
    """
    words = _ascii_words(text) if text.isascii() else list(islice(_words(text), TOKENS_MAX))
    tokens = [_stem(word) if word[-1] == "s" else word for word in words if word not in STOP_WORDS]
    return tokens or words


def _ascii_words(text: str) -> list[str]:
    words = _ASCII_WORD.findall(_join_parts(text.lower()))[:TOKENS_MAX]
    return [word[:TOKEN_CHARS_MAX] for word in words]


def _words(text: str) -> Iterator[str]:
    folded = _join_parts(normalize("NFKC", _MARK_RUN.sub(r"\1", text)).casefold())
    decomposed = normalize("NFKD", folded).replace("и\u0306", "й").replace("\u0456\u0308", "\u0457")
    for word in normalize("NFC", decomposed.translate(_FOLD)).split():
        if word.isascii():
            yield word[:TOKEN_CHARS_MAX]
        else:
            yield from map(_cut, _pieces(word))


def _join_parts(folded: str) -> str:
    if "'" in folded or "\u2019" in folded:
        folded = _CONTRACTION.sub("", folded)
    if "," in folded:
        folded = _DIGIT_GROUPS.sub(lambda match: match[0].replace(",", ""), folded)
    return folded


def _pieces(word: str) -> Iterator[str]:
    for match in _PIECE.finditer(word):
        if match[1] is None:
            yield match[0]
            continue
        units = _UNIT_PATTERN.findall(match[1])
        if len(units) == 1:
            yield units[0]
        else:
            yield from map("".join, pairwise(units))


def _cut(token: str) -> str:
    token = token[:TOKEN_CHARS_MAX]
    encoded = token.encode()
    return token if len(encoded) <= TOKEN_BYTES_MAX else encoded[:TOKEN_BYTES_MAX].decode(errors="ignore")


def _stem(word: str) -> str:
    """Cut the plural ending (Harman 1991, "How effective is suffixing?", S stemmer; "pies" gives "pie")."""
    if len(word) < 4 or word[-1] != "s" or word.endswith(("us", "ss")):
        return word
    if len(word) > 4 and word.endswith("ies") and not word.endswith(("eies", "aies")):
        stem = word[:-3] + "y"
    else:
        stem = word[:-1]
    return word if stem in STOP_WORDS else stem

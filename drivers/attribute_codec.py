"""Attributes in a shard: one JSON text to read them back, one list of strings to filter on.

No engine property bears a caller's name: both engines keep every property name that was ever used.

The JSON is `{name: {tag: value}}`, tags s string, i int64, d double, b bool, t timestamp (epoch
microseconds); a list is `{tag: [..]}`. int64 and timestamps are decimal strings, because many JSON
readers make doubles of them. The list has `name NUL-free separator tag ordered-value` per value, so
that equality is membership and a range is a comparison of strings: U+001F separates, and numbers
are fixed-width hex that sorts as the numbers do. Of an empty list there is `name separator` alone.
"""

import struct
from collections.abc import Mapping
from hashlib import blake2b
from typing import cast

import orjson

from drivers.graph_model import Attributes, AttributeScalar, AttributeValue, Timestamp

SEPARATOR = "\x1f"
INDEXED_TEXT_CHARS_MAX = 256
"""A longer string is filtered by this prefix and a hash of the whole: equal terms are equal strings, and it
sorts right against every string up to this length."""
_HASH_BYTES = 16

_SIGN_BIT = 1 << 63


def tag_of(value: AttributeScalar) -> str:
    """The type tag of a scalar. bool before int: Python's bool is an int."""
    match value:
        case bool():
            return "b"
        case int():
            return "i"
        case float():
            return "d"
        case str():
            return "s"
        case Timestamp():
            return "t"


def ordered_int(value: int) -> str:
    """int64 as 16 hex digits that sort like the numbers."""
    return f"{value + _SIGN_BIT:016x}"


def ordered_double(value: float) -> str:
    """Finite double as 16 hex digits that sort like the numbers (IEEE 754 bits, sign folded)."""
    bits = struct.unpack(">Q", struct.pack(">d", value + 0.0))[0]
    return f"{bits ^ (0xFFFF_FFFF_FFFF_FFFF if bits & _SIGN_BIT else _SIGN_BIT):016x}"


def index_term(name: str, value: AttributeScalar) -> str:
    """The string under which one value of an attribute is filtered."""
    match value:
        case bool():
            text = "1" if value else "0"
        case int():
            text = ordered_int(value)
        case float():
            text = ordered_double(value)
        case str():
            text = value
            if len(value) > INDEXED_TEXT_CHARS_MAX:
                digest = blake2b(value.encode(), digest_size=_HASH_BYTES).hexdigest()
                text = f"{value[:INDEXED_TEXT_CHARS_MAX]}{SEPARATOR}{digest}"
        case Timestamp():
            text = ordered_int(value.epoch_us)
    return f"{name}{SEPARATOR}{tag_of(value)}{SEPARATOR}{text}"


def index_terms(attributes: Attributes) -> list[str]:
    """All index terms of a row, sorted, without repeats."""
    terms: set[str] = set()
    for name, value in attributes.items():
        if value == ():
            terms.add(presence_term(name))
        else:
            terms |= {index_term(name, one) for one in (value if isinstance(value, tuple) else (value,))}
    return sorted(terms)


def presence_term(name: str) -> str:
    """What every index term of the attribute begins with."""
    return name + SEPARATOR


def to_json(attributes: Attributes) -> str:
    """Canonical text (names sorted): equal attributes give equal text. Empty text for none."""
    if not attributes:
        return ""
    return orjson.dumps(
        {name: _tagged(value) for name, value in attributes.items()}, option=orjson.OPT_SORT_KEYS
    ).decode()


def from_json(text: str) -> Attributes:
    if not text:
        return {}
    document = cast("Mapping[str, Mapping[str, object]]", orjson.loads(text))
    return {name: _untagged(*next(iter(tagged.items()))) for name, tagged in document.items()}


def _tagged(value: AttributeValue) -> dict[str, object]:
    if isinstance(value, tuple):
        return {tag_of(value[0]) if value else "s": [_plain(scalar) for scalar in value]}
    return {tag_of(value): _plain(value)}


def _plain(value: AttributeScalar) -> object:
    match value:
        case Timestamp():
            return str(value.epoch_us)
        case int() if not isinstance(value, bool):
            return str(value)
        case _:
            return value


def _untagged(tag: str, plain: object) -> AttributeValue:
    if isinstance(plain, list):
        return tuple(_scalar(tag, item) for item in cast("list[object]", plain))
    return _scalar(tag, plain)


def _scalar(tag: str, plain: object) -> AttributeScalar:
    match tag:
        case "i":
            return int(cast("str", plain))
        case "t":
            return Timestamp(int(cast("str", plain)))
        case "d":
            return float(cast("float", plain))
        case _:
            return cast("str | bool", plain)

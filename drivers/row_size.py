"""How much there is in a row, in what the time of storing it depends on."""

from dataclasses import dataclass

from drivers.attribute_codec import INDEXED_TEXT_CHARS_MAX
from drivers.graph_model import (
    AnyRow,
    Attributes,
    Community,
    Entity,
    Episode,
    Fact,
    Saga,
    TextRow,
)

_SCALAR_CHARS = 20
"""Of a number, truth value or time in its index term and in the JSON text; both name it."""
_UUID_CHARS = 36


@dataclass(frozen=True, slots=True)
class RowSize:
    """Without what every row has: keys, times and the vector."""

    term_chars: int
    """Of the text that is indexed for keyword search."""
    values: int
    """Elements of lists: labels, episodes of a fact, closures, index terms of attributes."""
    chars: int
    """Of all texts, terms and lists included, those that are derived included."""


def row_size(row: AnyRow) -> RowSize:
    term_chars = len(row.terms) if isinstance(row, TextRow | Fact) else 0
    values, chars = 0, term_chars
    match row:
        case Entity():
            values = len(row.labels)
            chars += len(row.name) + len(row.summary) + sum(map(len, row.labels))
        case Episode():
            chars += len(row.name) + len(row.content) + len(row.source_description)
        case Fact():
            values = len(row.episodes) + 4 * len(row.closures)
            chars += len(row.name) + len(row.fact) + _UUID_CHARS * values
        case Community() | Saga():
            chars += len(row.name) + len(row.summary)
        case _:
            pass
    if isinstance(row, Entity | Episode | Fact) and row.attributes:
        more_values, more_chars = _attributes_size(row.attributes)
        values, chars = values + more_values, chars + more_chars
    return RowSize(term_chars, values, chars)


def _attributes_size(attributes: Attributes) -> tuple[int, int]:
    """Index terms, and characters of them and of the JSON text."""
    values, chars = 0, 0
    for name, value in attributes.items():
        scalars = value if isinstance(value, tuple) else (value,)
        count = max(1, len(scalars))
        values += count
        chars += (1 + count) * len(name)
        if scalars and isinstance(scalars[0], str):
            lengths = [len(scalar) for scalar in scalars if isinstance(scalar, str)]
            chars += sum(lengths) + sum(min(length, INDEXED_TEXT_CHARS_MAX) for length in lengths)
        else:
            chars += 2 * _SCALAR_CHARS * len(scalars)
    return values, chars

"""Keyword candidates without their texts: how often each has the query's tokens, counted once.

A row's tokens may be some hundred kilobytes. They are read once, as soon as their shard has answered, in
steps between which the event loop does other work; every ranking after that is made of the counts.
"""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass

from drivers.fence import Fence
from drivers.row_key import RowKey
from drivers.search_reads import KeywordRead

STEP_CHARS = 100_000
"""Characters of tokens that are counted in one step: about 2 ms."""
ROW_CHARS = 200
"""What a row costs beside its text, in characters of text."""


@dataclass(frozen=True, slots=True)
class CountedRow:
    key: RowKey
    counts: Mapping[str, int]
    """Of the query's tokens that the row has, in the query's order; never empty."""
    length: int
    """Tokens of the row with repeats: its term_count."""


@dataclass(frozen=True, slots=True)
class CountedRead:
    """A KeywordRead, without the rows that have none of the query's tokens (an engine's stemmer proposed
    them)."""

    rows: tuple[CountedRow, ...]
    document_frequency: Mapping[str, int]
    fences: Mapping[str, Fence]
    complete: bool


def counted(read: KeywordRead, query_terms: Mapping[str, int]) -> Generator[None, None, CountedRead]:
    """Yields after each step."""
    wanted = frozenset(query_terms)
    rows: list[CountedRow] = []
    room = STEP_CHARS
    for hit in read.hits:
        counts: dict[str, int] = {}
        for tokens in _pieces(hit.terms):
            if room <= 0:
                yield
                room = STEP_CHARS
            for token in filter(wanted.__contains__, tokens.split(" ")):
                counts[token] = counts.get(token, 0) + 1
            room -= len(tokens) + ROW_CHARS
        if counts:
            in_order = {term: counts[term] for term in query_terms if term in counts}
            rows.append(CountedRow(hit.key, in_order, hit.term_count))
    return CountedRead(tuple(rows), read.document_frequency, read.fences, read.complete)


def _pieces(terms: str) -> Iterator[str]:
    """The text in parts of about STEP_CHARS, each of whole tokens."""
    start = 0
    while len(terms) - start > STEP_CHARS:
        end = terms.find(" ", start + STEP_CHARS)
        if end < 0:
            break
        yield terms[start:end]
        start = end + 1
    yield terms[start:]

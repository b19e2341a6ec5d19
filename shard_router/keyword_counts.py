"""Keyword candidates without their texts: how often each has the query's tokens, counted once.

A row's tokens may be some hundred kilobytes, and there may be thousands of rows. They are read once, as soon
as their shard has answered, in steps between which the event loop does other work; every ranking after that
is made of the counts, column by column.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import numpy.typing as npt

from drivers.fence import Fence
from drivers.row_key import RowKey
from drivers.search_reads import KeywordRead, MatchingRows

STEP_CHARS = 100_000
"""Characters of tokens that are counted in one step: about 2 ms."""
ROW_CHARS = 10
"""What a row costs beside its text, in characters of text."""
_NO_TERM = -1
_END_OF_ROW = "\n"

type Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class CountedRows:
    """Rows that have one of the query's tokens at least."""

    groups: tuple[str, ...]
    group_of: Integers
    """Of each row its place in `groups`."""
    uuids: Sequence[str]
    lengths: Integers
    """Tokens of each row with repeats: its term_count."""
    counts: Integers
    """How often each row has each of the query's tokens: rows x tokens, in the query's order."""

    def __len__(self) -> int:
        return len(self.uuids)

    def key(self, place: int) -> RowKey:
        return RowKey(self.groups[int(self.group_of[place])], self.uuids[place])

    def within(self, kept: npt.NDArray[np.bool_]) -> "CountedRows":
        if kept.all():
            return self
        places = np.flatnonzero(kept)
        return CountedRows(
            self.groups,
            self.group_of[places],
            [self.uuids[place] for place in places.tolist()],
            self.lengths[places],
            self.counts[places],
        )


@dataclass(frozen=True, slots=True)
class CountedRead:
    """What a shard has told of a keyword query."""

    rows: tuple[CountedRows, ...]
    document_frequency: Mapping[str, int]
    fences: Mapping[str, Fence]
    complete: bool


def counted(read: KeywordRead, query_terms: Mapping[str, int]) -> Generator[None, None, CountedRead]:
    """Without rows that have none of the tokens (an engine's stemmer proposed them). Yields after a step."""
    hits = read.hits
    counts = yield from _counts([hit.terms for hit in hits], query_terms)
    rows = _rows(
        [hit.key.group_id for hit in hits],
        [hit.key.uuid for hit in hits],
        [hit.term_count for hit in hits],
        counts,
    )
    return CountedRead((rows,), read.document_frequency, read.fences, read.complete)


def counted_matching(
    rows: MatchingRows, fences: Mapping[str, Fence], query_terms: Mapping[str, int]
) -> Generator[None, None, CountedRead]:
    """All rows that match: they tell the document frequencies, before the filter. Yields after each step."""
    counts = yield from _counts(rows.terms, query_terms)
    frequencies = np.count_nonzero(counts, axis=0).tolist()
    found = _rows(rows.group_ids, rows.uuids, rows.term_counts, counts)
    if rows.passing is not None:
        matching = counts.any(axis=1)
        found = found.within(np.fromiter(rows.passing, np.bool_, len(rows.passing))[matching])
    return CountedRead((found,), dict(zip(query_terms, frequencies, strict=True)), fences, complete=True)


def _rows(
    group_ids: Sequence[str], uuids: Sequence[str], lengths: Sequence[int], counts: Integers
) -> CountedRows:
    groups = tuple(dict.fromkeys(group_ids))
    if len(groups) <= 1:
        group_of = np.zeros(len(uuids), np.int64)
    else:
        places = {group_id: place for place, group_id in enumerate(groups)}
        group_of = np.fromiter(map(places.__getitem__, group_ids), np.int64, len(uuids))
    rows = CountedRows(groups, group_of, uuids, np.array(lengths, np.int64), counts)
    return rows.within(counts.any(axis=1))


def _counts(texts: Sequence[str], query_terms: Mapping[str, int]) -> Generator[None, None, Integers]:
    place_of = {term: place for place, term in enumerate(query_terms)}
    place_of[_END_OF_ROW] = len(place_of)
    counts = np.zeros(len(texts) * len(query_terms), np.int64)
    row = 0
    for place, pieces in enumerate(_steps(texts)):
        if place:
            yield
        row = _add(counts, pieces, place_of, row)
    return counts.reshape(len(texts), len(query_terms))


def _steps(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts, each followed by _END_OF_ROW, in parts of about STEP_CHARS. Rows that fit into one are not
    looked at one by one: there may be thousands."""
    if not texts:
        return
    chars = np.fromiter(map(len, texts), np.int64, len(texts)) + ROW_CHARS
    step_of = np.cumsum(chars) // STEP_CHARS
    starts = np.flatnonzero(np.diff(step_of, prepend=-1)).tolist()
    for start, end in zip(starts, [*starts[1:], len(texts)], strict=True):
        rows = texts[start:end]
        if chars[start:end].max() <= STEP_CHARS:
            yield [f" {_END_OF_ROW} ".join(rows), _END_OF_ROW]
            continue
        for row in rows:
            pieces = list(_pieces(row))
            yield from ([piece] for piece in pieces[:-1])
            yield [pieces[-1], _END_OF_ROW]


def _add(counts: Integers, pieces: Sequence[str], place_of: Mapping[str, int], row: int) -> int:
    """Counts the tokens of pieces that begin in the given row; the row in which they end."""
    tokens = " ".join(pieces).split(" ")
    found = np.fromiter(map(place_of.get, tokens, repeat(_NO_TERM)), np.int64, len(tokens))
    found = found[found != _NO_TERM]
    width = place_of[_END_OF_ROW]
    ends = found == width
    rows = row + np.cumsum(ends)
    cells = (rows * width + found)[~ends]
    if len(cells):
        first, last = int(cells[0]) // width * width, (int(cells[-1]) // width + 1) * width
        counts[first:last] += np.bincount(cells - first, minlength=last - first)
    return row + int(np.count_nonzero(ends))


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

"""What a keyword ranking was computed from, so that its scores can be computed again by hand."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from drivers.row_key import RowKey
from shard_router.bm25 import K1, B, CorpusStats, bm25_score
from shard_router.keyword_counts import CountedRows


@dataclass(frozen=True, slots=True)
class TermMatches:
    """Of one row."""

    counts: tuple[int, ...]
    """How often the row has each of the query's tokens, in the order of KeywordBasis.query_terms."""
    length: int
    """Tokens of the row with repeats: its term_count."""


@dataclass(frozen=True, slots=True)
class KeywordBasis:
    """Put into bm25_score, each row's part gives its score, before rounding."""

    query_terms: Mapping[str, int]
    stats: CorpusStats
    rows: Mapping[RowKey, TermMatches]
    k1: float = K1
    b: float = B


def keyword_basis(
    query_terms: Mapping[str, int],
    stats: CorpusStats,
    candidates: Iterable[CountedRows],
    ranked: Collection[RowKey],
) -> KeywordBasis:
    """`candidates` must hold all of the `ranked` rows. Of a row that came twice, as it was before a write and
    after it, the version with the better score counts, as in the ranking."""
    best: dict[RowKey, tuple[float, TermMatches]] = {}
    for rows in candidates:
        for place in range(len(rows)):
            key = rows.key(place)
            if key not in ranked:
                continue
            matches = TermMatches(tuple(rows.counts[place].tolist()), int(rows.lengths[place]))
            present = {term: n for term, n in zip(query_terms, matches.counts, strict=True) if n}
            score = bm25_score(query_terms, present, matches.length, stats)
            if key not in best or score > best[key][0]:
                best[key] = score, matches
    return KeywordBasis(query_terms, stats, {key: matches for key, (_, matches) in best.items()})

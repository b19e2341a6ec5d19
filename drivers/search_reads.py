"""Candidates by vector, by term, by hops and by paths: what is asked, and what comes with the fences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.fence import Fence
from drivers.filters import NO_FILTER, RowFilter
from drivers.graph_model import ENDPOINT_KINDS, Kind, Vector
from drivers.row_key import RowKey


@dataclass(frozen=True, slots=True)
class SemanticQuery:
    kind: Kind
    vector: Vector
    limit: int
    score_min: float = -1.0
    filter: RowFilter = NO_FILTER


@dataclass(frozen=True, slots=True)
class ScoredRow:
    key: RowKey
    score: float
    """Semantic: cosine in [-1, 1]."""


@dataclass(frozen=True, slots=True)
class SemanticRead:
    """The `limit` best rows of all groups together, by (score desc, group_id, uuid), by exact scan.
    Rows without a vector or with one of another dimension than the query's are left out."""

    hits: tuple[ScoredRow, ...]
    fences: Mapping[str, Fence]


NEAREST_VECTORS_MAX = 64


@dataclass(frozen=True, slots=True)
class NearestQuery:
    """Several semantic searches of one group that differ by their vector alone."""

    kind: Kind
    vectors: tuple[Vector, ...]
    """1 to NEAREST_VECTORS_MAX of one dimension."""
    limit: int
    """Of the rows of each vector."""
    score_min: float

    def __post_init__(self) -> None:
        assert 1 <= len(self.vectors) <= NEAREST_VECTORS_MAX, f"{len(self.vectors)} vectors in one query"
        assert len({vector.shape for vector in self.vectors}) == 1, "vectors of several dimensions"

    def of_each(self) -> Sequence[SemanticQuery]:
        return [SemanticQuery(self.kind, vector, self.limit, self.score_min) for vector in self.vectors]


@dataclass(frozen=True, slots=True)
class NearestRead:
    hits: tuple[tuple[ScoredRow, ...], ...]
    """In the order of the vectors; each as SemanticRead has them for that vector."""
    fence: Fence | None


@dataclass(frozen=True, slots=True)
class TermClause:
    """A row satisfies it that has `term` and, if `others` are given, one of them too."""

    term: str
    others: tuple[str, ...] = ()


CLAUSE_TERMS_MAX = 256
KEYWORD_CHARS_MAX = 16_000_000
"""Of one keyword read: 8,000 rows of 2,000 characters, 250 of 64,000."""


@dataclass(frozen=True, slots=True)
class KeywordQuery:
    kind: Kind
    terms: tuple[str, ...]
    """Tokens of the analyser, without repeats, at most 64; a row matches when it has one of them."""
    limit: int
    filter: RowFilter = NO_FILTER
    """Of the hits. Document frequencies are of all rows, as the other statistics of BM25."""
    clauses: tuple[TermClause, ...] = ()
    """If given, of terms in `terms`: a row matches when it satisfies one of them, and no frequencies are
    counted. At most CLAUSE_TERMS_MAX terms in all."""
    chars_max: int = KEYWORD_CHARS_MAX
    """Characters that the terms of all hits may have together; the first hit comes whatever it has."""


@dataclass(frozen=True, slots=True)
class KeywordHit:
    key: RowKey
    terms: str
    """The row's tokens, from which the gateway computes BM25."""
    term_count: int


@dataclass(frozen=True, slots=True)
class KeywordRead:
    """Candidates by the engine's own ranking, which is not comparable between shards."""

    hits: tuple[KeywordHit, ...]
    document_frequency: Mapping[str, int]
    """Per query term: rows of the searched groups that have it, summed over the groups."""
    fences: Mapping[str, Fence]
    complete: bool = True
    """False: limit or chars_max may have left out rows that match."""


MATCHING_ROWS_MAX = 6_000
MATCHING_TOKENS_MAX = 120_000
"""Of one matching read: 15 to 20 ms of the reader's processor time."""


@dataclass(frozen=True, slots=True)
class MatchingQuery:
    """All rows that have one of the terms."""

    kind: Kind
    terms: tuple[str, ...]
    """As of KeywordQuery."""
    filter: RowFilter = NO_FILTER
    """Does not narrow the answer: it tells which rows pass, and all count for the statistics of BM25."""
    rows_max: int = MATCHING_ROWS_MAX
    tokens_max: int = MATCHING_TOKENS_MAX
    """Tokens of all matching rows together."""


@dataclass(frozen=True, slots=True)
class MatchingRows:
    """Column by column, for there may be thousands; every column has a value for each row."""

    group_ids: Sequence[str]
    uuids: Sequence[str]
    term_counts: Sequence[int]
    terms: Sequence[str]
    """As of KeywordHit."""
    passing: Sequence[bool] | None = None
    """Whether the filter takes the row; None: it takes all."""

    def __post_init__(self) -> None:
        columns = (self.group_ids, self.uuids, self.term_counts, self.terms, self.passing)
        lengths = {len(column) for column in columns if column is not None}
        assert len(lengths) == 1, f"columns of matching rows are of different lengths: {lengths}"


NO_ROWS_MATCH = MatchingRows((), (), (), ())


@dataclass(frozen=True, slots=True)
class MatchingRead:
    rows: MatchingRows | None
    """In no order; None: a bound of the query was passed, and nothing of them was read."""
    fences: Mapping[str, Fence]


EXPANDED_KINDS = (Kind.FACT, Kind.MENTION, Kind.MEMBERSHIP)


@dataclass(frozen=True, slots=True)
class ExpandQuery:
    """One hop from nodes along facts, mentions or memberships."""

    group_id: str
    space: str
    entities: tuple[str, ...]
    """uuids of nodes of the kind `origin`."""
    along: Kind
    """FACT, MENTION or MEMBERSHIP."""
    edges_per_entity_max: int
    """Newest first (created_at, then uuid)."""
    filter: RowFilter = NO_FILTER
    """Of the edges, before a bound counts. Mentions and memberships have only uuids and created_at to pass
    by."""
    origin: Kind = Kind.ENTITY
    """Or EPISODE along MENTION, COMMUNITY along MEMBERSHIP."""
    edges_max: int = 20_000
    """In all. Nodes that are named earlier come first, each with its newest edges first."""
    far_filter: RowFilter = NO_FILTER
    """Of the nodes at the other ends, which are of the kind `far_kind`, before a bound counts. An edge
    between two of `entities` comes if one of them passes."""


def far_kind(along: Kind, origin: Kind) -> Kind:
    """What an expansion from nodes of the kind `origin` leads to."""
    source, target = ENDPOINT_KINDS[along]
    return target if origin is source else source


@dataclass(frozen=True, slots=True)
class ExpandedEdge:
    uuid: str
    source_uuid: str
    target_uuid: str
    """Of a mention: source is the episode, target the entity. Of a membership: community and entity."""


@dataclass(frozen=True, slots=True)
class ExpandRead:
    edges: Mapping[str, tuple[ExpandedEdge, ...]]
    """By group_id; each edge once."""
    fences: Mapping[str, Fence]
    cut: frozenset[str] = frozenset()
    """Groups of which one of the two bounds left edges out."""


@dataclass(frozen=True, slots=True)
class ValidityRead:
    """Until when the facts that hold stay the same if nothing is written."""

    next_change: Mapping[str, int]
    """By group_id: the first valid_at or invalid_at after the asked time, in microseconds. A group without
    one is left out."""
    fences: Mapping[str, Fence]


PATH_HOPS_MAX = 5
PATHS_MAX = 100


@dataclass(frozen=True, slots=True)
class PathQuery:
    """Shortest paths between two entities of one group along facts, in either direction of each."""

    source_uuid: str
    target_uuid: str
    hops_max: int = PATH_HOPS_MAX
    """1..PATH_HOPS_MAX."""
    paths_max: int = 10
    """1..PATHS_MAX. Of more shortest paths, those come that are first by the uuids of their facts."""
    filter: RowFilter = NO_FILTER
    """Of the facts."""
    edges_max: int = 50_000
    """Facts that may be looked at."""


@dataclass(frozen=True, slots=True)
class GraphPath:
    entities: tuple[str, ...]
    """From source to target; one more than facts."""
    facts: tuple[ExpandedEdge, ...]


@dataclass(frozen=True, slots=True)
class PathsRead:
    paths: tuple[GraphPath, ...]
    """All of the same, least length. One without facts when source is target."""
    fence: Fence | None
    complete: bool = True
    """False: edges_max ended the search; there may be other paths, also shorter ones."""

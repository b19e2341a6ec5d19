"""What a search found, and how."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from drivers.fence import EmbeddingSpec, Engine
from drivers.graph_model import AnyRow, Kind
from drivers.row_key import RowKey
from gateway.search.request import VectorMode
from shard_router.fusion import FusedHit, Method
from shard_router.keyword_basis import KeywordBasis
from shard_router.partial import ShardOutcome


@dataclass(frozen=True, slots=True)
class RankedRow:
    """A row in the ranking of a method or of a reranker."""

    key: RowKey
    score: float
    """Semantic: cosine. Keyword: BM25. Graph: support / distance. Rounded."""
    distance: int = 0
    """Graph: hops from the nearest origin."""


@dataclass(frozen=True, slots=True)
class MethodPlace:
    method: Method
    rank: int
    score: float
    """As RankedRow's."""
    distance: int = 0


@dataclass(frozen=True, slots=True)
class Hit:
    key: RowKey
    row: AnyRow
    score: float
    """The reranker's, else the fused one."""
    fused_score: float
    methods: tuple[MethodPlace, ...]
    shard_id: str
    engine: Engine


class VectorPathReason(StrEnum):
    REQUESTED = "REQUESTED"
    LARGE_GROUPS = "LARGE_GROUPS"
    NO_VECTOR_INDEX = "NO_VECTOR_INDEX"
    NO_QUERY_VECTOR = "NO_QUERY_VECTOR"
    NO_FITTING_GROUP = "NO_FITTING_GROUP"


@dataclass(frozen=True, slots=True)
class VectorPath:
    ran: VectorMode | None
    """EXACT or APPROXIMATE; None: no vectors were compared."""
    reason: VectorPathReason
    groups_by_index: int = 0
    """The others were scanned."""


class EmptyReason(StrEnum):
    """Why the graph method found nothing."""

    NO_ORIGINS = "NO_ORIGINS"
    ORIGINS_MISSING = "ORIGINS_MISSING"
    NOTHING_ATTACHED = "NOTHING_ATTACHED"
    BELOW_MINIMUM = "BELOW_MINIMUM"


@dataclass(frozen=True, slots=True)
class WalkReport:
    origins: int
    hops: int
    cut: bool
    """A bound left something out."""
    empty: EmptyReason | None = None


@dataclass(frozen=True, slots=True)
class RerankReport:
    reranked: bool
    reason: str = ""
    """Why not."""
    cut: bool = False
    """A bound was met before every row had its true score."""


@dataclass(frozen=True, slots=True)
class KindResult:
    """Of one kind of row."""

    hits: tuple[Hit, ...]
    rankings: Mapping[Method, Sequence[RankedRow]]
    """Of the methods that took part, whole."""
    fused: Sequence[FusedHit]
    reranked: Sequence[RankedRow]
    """What the reranker made of the best of `fused`; empty if nothing was reranked."""
    rerank: RerankReport
    vectors: VectorPath | None
    """None: semantic search was not asked for."""
    walk: WalkReport | None
    """None: the graph method was not asked for."""
    keyword_exact: bool = True
    """False: a shard had more matching rows than it could give."""
    keyword_basis: KeywordBasis | None = None
    """With Search.explain: what the keyword ranking was computed from."""


@dataclass(frozen=True, slots=True)
class SemanticSkip:
    """A group whose vectors cannot be compared with the query's."""

    group_id: str
    kind: Kind
    stored: EmbeddingSpec


@dataclass(frozen=True, slots=True)
class SearchResult:
    kinds: Mapping[Kind, KindResult]
    unknown_groups: tuple[str, ...]
    versions: Mapping[str, int]
    """Of every group searched."""
    outcomes: Mapping[str, ShardOutcome]
    """By shard."""
    coverage: float
    missing_groups: Sequence[str]
    semantic_skips: Sequence[SemanticSkip]
    missing_entities: Sequence[RowKey]
    """Origins and centre that do not exist."""
    stages_s: Mapping[str, float]
    """By stage, in the order in which they ran."""

"""A search as the gateway runs it, free of transport."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from drivers.filters import NO_FILTER, RowFilter
from drivers.graph_model import Kind, Vector
from drivers.row_key import RowKey
from shard_router.fusion import Method
from shard_router.partial import PartialPolicy

LIMIT_DEFAULT = 10
LIMIT_MAX = 200
RRF_K_DEFAULT = 60
RRF_K_MAX = 10_000
WEIGHT_MAX = 100.0
SCOPE_GROUPS_MAX = 20_000
"""Groups that one request searches."""
WINDOW_MIN = 100
"""Rows of each method's ranking that enter the fusion, at least."""
RERANKED_MIN = 20
"""Rows of the fusion that a reranker orders anew, at least."""
ORIGINS_MAX = 100
HOPS_MAX = 5

DEFAULT_WEIGHTS: Mapping[Method, float] = {Method.SEMANTIC: 0.4, Method.KEYWORD: 0.3, Method.GRAPH: 0.3}
COMMUNITY_DEFAULT_WEIGHTS: Mapping[Method, float] = {Method.SEMANTIC: 0.4, Method.KEYWORD: 0.3}
RESULT_KINDS = (Kind.ENTITY, Kind.FACT, Kind.EPISODE, Kind.COMMUNITY)
GRAPH_KINDS = (Kind.ENTITY, Kind.FACT, Kind.EPISODE)
"""Kinds that hang on entities."""


def default_weights(kind: Kind) -> Mapping[Method, float]:
    return DEFAULT_WEIGHTS if kind in GRAPH_KINDS else COMMUNITY_DEFAULT_WEIGHTS


class VectorMode(StrEnum):
    """How the caller wants vectors to be compared."""

    EXACT = "EXACT"
    APPROXIMATE = "APPROXIMATE"
    AUTOMATIC = "AUTOMATIC"


@dataclass(frozen=True, slots=True)
class Rrf:
    """The fused order stays."""


@dataclass(frozen=True, slots=True)
class Mmr:
    relevance_weight: float = 0.5
    """The lambda of maximal marginal relevance, 0..1."""


@dataclass(frozen=True, slots=True)
class NodeDistance:
    """By distance from Search.center; ENTITY and FACT."""


@dataclass(frozen=True, slots=True)
class EpisodeMentions:
    """By the number of episodes; ENTITY and FACT."""


@dataclass(frozen=True, slots=True)
class CrossEncoding:
    timeout_s: float | None = None
    """None: the cross-encoder's own."""


type Reranker = Rrf | Mmr | NodeDistance | EpisodeMentions | CrossEncoding


@dataclass(frozen=True, slots=True)
class ResultSpec:
    kind: Kind
    limit: int = LIMIT_DEFAULT
    weights: Mapping[Method, float] = field(default_factory=lambda: DEFAULT_WEIGHTS)
    method_score_min: Mapping[Method, float] = field(default_factory=dict[Method, float])
    """Rows with a lower raw score are no candidates of the method."""
    reranker: Reranker = field(default_factory=Rrf)
    score_min: float | None = None
    """Of the final score."""
    filter: RowFilter = NO_FILTER

    @property
    def window(self) -> int:
        """Rows of each method's ranking that enter the fusion."""
        return max(WINDOW_MIN, 2 * self.limit)

    @property
    def reranked_max(self) -> int:
        """Rows of the fusion that are read: those that the reranker orders, or those that are returned."""
        return self.limit if isinstance(self.reranker, Rrf) else max(RERANKED_MIN, 2 * self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    group_ids: tuple[str, ...] | None
    """None: all groups."""
    text: str
    vector: Vector | None
    vector_model: str = ""
    """Of `vector`; empty: unknown, then only the dimension has to fit."""
    results: tuple[ResultSpec, ...]
    rrf_k: int = RRF_K_DEFAULT
    walked: RowFilter = NO_FILTER
    """Facts that may lead from one row to another: those that hold at the time of the search."""
    origins: tuple[RowKey, ...] = ()
    """Where the graph method starts; empty: at what the other methods found."""
    hops: int = 1
    center: RowKey | None = None
    vectors: VectorMode = VectorMode.AUTOMATIC
    partial: PartialPolicy | None = None
    with_vectors: bool = False
    explain: bool = False
    """Tell what every score was computed from."""

    @property
    def walks(self) -> bool:
        """Whether a result has the graph method."""
        return any(spec.weights.get(Method.GRAPH) for spec in self.results)

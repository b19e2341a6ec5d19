"""A search as the gateway runs it, free of transport."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers.contract import Engine
from drivers.graph_model import AnyRow, Kind, Vector
from drivers.row_key import RowKey
from shard_router.fusion import Method

LIMIT_DEFAULT = 10
LIMIT_MAX = 200
RRF_K_DEFAULT = 60
RRF_K_MAX = 10_000
WEIGHT_MAX = 100.0
SCOPE_GROUPS_MAX = 20_000
"""Groups that one request searches."""
WINDOW_MIN = 100
"""Rows of each method's ranking that enter the fusion, at least."""

DEFAULT_WEIGHTS: Mapping[Method, float] = {Method.SEMANTIC: 0.4, Method.KEYWORD: 0.3, Method.GRAPH: 0.3}
RESULT_KINDS = (Kind.ENTITY, Kind.FACT, Kind.EPISODE)


@dataclass(frozen=True, slots=True)
class ResultSpec:
    kind: Kind
    limit: int = LIMIT_DEFAULT
    weights: Mapping[Method, float] = field(default_factory=lambda: DEFAULT_WEIGHTS)

    @property
    def window(self) -> int:
        return max(WINDOW_MIN, 2 * self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    group_ids: tuple[str, ...] | None
    """None: all groups."""
    text: str
    vector: Vector | None
    results: tuple[ResultSpec, ...]
    rrf_k: int = RRF_K_DEFAULT
    with_vectors: bool = False


@dataclass(frozen=True, slots=True)
class MethodPlace:
    method: Method
    rank: int
    score: float
    """Semantic: cosine. Keyword: BM25. Graph: support / distance."""


@dataclass(frozen=True, slots=True)
class Hit:
    key: RowKey
    row: AnyRow
    score: float
    methods: tuple[MethodPlace, ...]
    shard_id: str
    engine: Engine


@dataclass(frozen=True, slots=True)
class SearchResult:
    hits: Mapping[Kind, tuple[Hit, ...]]
    unknown_groups: tuple[str, ...]
    versions: Mapping[str, int]
    """Of every group searched."""
    groups_by_shard: Mapping[str, int]
    latency_s: Mapping[str, float]
    """By shard: time spent in its calls."""
    stages_s: Mapping[str, float]
    """By stage, in the order in which they ran."""

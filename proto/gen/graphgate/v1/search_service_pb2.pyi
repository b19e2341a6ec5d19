import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from graphgate.v1 import filter_pb2 as _filter_pb2
from graphgate.v1 import graph_pb2 as _graph_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SearchMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEARCH_METHOD_UNSPECIFIED: _ClassVar[SearchMethod]
    SEARCH_METHOD_SEMANTIC: _ClassVar[SearchMethod]
    SEARCH_METHOD_KEYWORD: _ClassVar[SearchMethod]
    SEARCH_METHOD_GRAPH: _ClassVar[SearchMethod]

class VectorSearch(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VECTOR_SEARCH_UNSPECIFIED: _ClassVar[VectorSearch]
    VECTOR_SEARCH_EXACT: _ClassVar[VectorSearch]
    VECTOR_SEARCH_APPROXIMATE: _ClassVar[VectorSearch]
    VECTOR_SEARCH_AUTOMATIC: _ClassVar[VectorSearch]

class SearchCacheUse(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEARCH_CACHE_USE_UNSPECIFIED: _ClassVar[SearchCacheUse]
    SEARCH_CACHE_USE_BYPASS: _ClassVar[SearchCacheUse]
    SEARCH_CACHE_USE_REFRESH: _ClassVar[SearchCacheUse]

class ShardEngine(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SHARD_ENGINE_UNSPECIFIED: _ClassVar[ShardEngine]
    SHARD_ENGINE_FALKORDB: _ClassVar[ShardEngine]
    SHARD_ENGINE_NEO4J: _ClassVar[ShardEngine]

class ShardOutcomeStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SHARD_OUTCOME_STATUS_UNSPECIFIED: _ClassVar[ShardOutcomeStatus]
    SHARD_OUTCOME_STATUS_OK: _ClassVar[ShardOutcomeStatus]
    SHARD_OUTCOME_STATUS_TIMEOUT: _ClassVar[ShardOutcomeStatus]
    SHARD_OUTCOME_STATUS_ERROR: _ClassVar[ShardOutcomeStatus]
    SHARD_OUTCOME_STATUS_STALE: _ClassVar[ShardOutcomeStatus]

class SearchCacheOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEARCH_CACHE_OUTCOME_UNSPECIFIED: _ClassVar[SearchCacheOutcome]
    SEARCH_CACHE_OUTCOME_HIT: _ClassVar[SearchCacheOutcome]
    SEARCH_CACHE_OUTCOME_MISS: _ClassVar[SearchCacheOutcome]
    SEARCH_CACHE_OUTCOME_BYPASS: _ClassVar[SearchCacheOutcome]
SEARCH_METHOD_UNSPECIFIED: SearchMethod
SEARCH_METHOD_SEMANTIC: SearchMethod
SEARCH_METHOD_KEYWORD: SearchMethod
SEARCH_METHOD_GRAPH: SearchMethod
VECTOR_SEARCH_UNSPECIFIED: VectorSearch
VECTOR_SEARCH_EXACT: VectorSearch
VECTOR_SEARCH_APPROXIMATE: VectorSearch
VECTOR_SEARCH_AUTOMATIC: VectorSearch
SEARCH_CACHE_USE_UNSPECIFIED: SearchCacheUse
SEARCH_CACHE_USE_BYPASS: SearchCacheUse
SEARCH_CACHE_USE_REFRESH: SearchCacheUse
SHARD_ENGINE_UNSPECIFIED: ShardEngine
SHARD_ENGINE_FALKORDB: ShardEngine
SHARD_ENGINE_NEO4J: ShardEngine
SHARD_OUTCOME_STATUS_UNSPECIFIED: ShardOutcomeStatus
SHARD_OUTCOME_STATUS_OK: ShardOutcomeStatus
SHARD_OUTCOME_STATUS_TIMEOUT: ShardOutcomeStatus
SHARD_OUTCOME_STATUS_ERROR: ShardOutcomeStatus
SHARD_OUTCOME_STATUS_STALE: ShardOutcomeStatus
SEARCH_CACHE_OUTCOME_UNSPECIFIED: SearchCacheOutcome
SEARCH_CACHE_OUTCOME_HIT: SearchCacheOutcome
SEARCH_CACHE_OUTCOME_MISS: SearchCacheOutcome
SEARCH_CACHE_OUTCOME_BYPASS: SearchCacheOutcome

class GroupList(_message.Message):
    __slots__ = ("group_ids",)
    GROUP_IDS_FIELD_NUMBER: _ClassVar[int]
    group_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, group_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class AllGroups(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MethodWeight(_message.Message):
    __slots__ = ("method", "weight", "min_score")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    method: SearchMethod
    weight: float
    min_score: float
    def __init__(self, method: _Optional[_Union[SearchMethod, str]] = ..., weight: _Optional[float] = ..., min_score: _Optional[float] = ...) -> None: ...

class EntityRef(_message.Message):
    __slots__ = ("group_id", "uuid")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuid: str
    def __init__(self, group_id: _Optional[str] = ..., uuid: _Optional[str] = ...) -> None: ...

class RrfReranker(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MmrReranker(_message.Message):
    __slots__ = ("relevance_weight",)
    RELEVANCE_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    relevance_weight: float
    def __init__(self, relevance_weight: _Optional[float] = ...) -> None: ...

class NodeDistanceReranker(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EpisodeMentionsReranker(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CrossEncoderReranker(_message.Message):
    __slots__ = ("timeout",)
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    timeout: _duration_pb2.Duration
    def __init__(self, timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Reranker(_message.Message):
    __slots__ = ("rrf", "mmr", "node_distance", "episode_mentions", "cross_encoder")
    RRF_FIELD_NUMBER: _ClassVar[int]
    MMR_FIELD_NUMBER: _ClassVar[int]
    NODE_DISTANCE_FIELD_NUMBER: _ClassVar[int]
    EPISODE_MENTIONS_FIELD_NUMBER: _ClassVar[int]
    CROSS_ENCODER_FIELD_NUMBER: _ClassVar[int]
    rrf: RrfReranker
    mmr: MmrReranker
    node_distance: NodeDistanceReranker
    episode_mentions: EpisodeMentionsReranker
    cross_encoder: CrossEncoderReranker
    def __init__(self, rrf: _Optional[_Union[RrfReranker, _Mapping]] = ..., mmr: _Optional[_Union[MmrReranker, _Mapping]] = ..., node_distance: _Optional[_Union[NodeDistanceReranker, _Mapping]] = ..., episode_mentions: _Optional[_Union[EpisodeMentionsReranker, _Mapping]] = ..., cross_encoder: _Optional[_Union[CrossEncoderReranker, _Mapping]] = ...) -> None: ...

class ResultSpec(_message.Message):
    __slots__ = ("kind", "limit", "methods", "reranker", "min_score", "filter")
    KIND_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    RERANKER_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    kind: _graph_pb2.RowKind
    limit: int
    methods: _containers.RepeatedCompositeFieldContainer[MethodWeight]
    reranker: Reranker
    min_score: float
    filter: _filter_pb2.RowFilter
    def __init__(self, kind: _Optional[_Union[_graph_pb2.RowKind, str]] = ..., limit: _Optional[int] = ..., methods: _Optional[_Iterable[_Union[MethodWeight, _Mapping]]] = ..., reranker: _Optional[_Union[Reranker, _Mapping]] = ..., min_score: _Optional[float] = ..., filter: _Optional[_Union[_filter_pb2.RowFilter, _Mapping]] = ...) -> None: ...

class PartialPolicy(_message.Message):
    __slots__ = ("min_coverage",)
    MIN_COVERAGE_FIELD_NUMBER: _ClassVar[int]
    min_coverage: float
    def __init__(self, min_coverage: _Optional[float] = ...) -> None: ...

class SearchRequest(_message.Message):
    __slots__ = ("group_id", "groups", "all_groups", "query", "query_vector", "results", "rrf_k", "min_versions", "with_placement", "with_embedding", "recipe", "as_of", "known_at", "all_times", "vectors", "query_model", "center", "origins", "graph_hops", "read_mask", "partial", "explain", "cache")
    class MinVersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    ALL_GROUPS_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    QUERY_VECTOR_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    RRF_K_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    WITH_PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    WITH_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    KNOWN_AT_FIELD_NUMBER: _ClassVar[int]
    ALL_TIMES_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    QUERY_MODEL_FIELD_NUMBER: _ClassVar[int]
    CENTER_FIELD_NUMBER: _ClassVar[int]
    ORIGINS_FIELD_NUMBER: _ClassVar[int]
    GRAPH_HOPS_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    CACHE_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    groups: GroupList
    all_groups: AllGroups
    query: str
    query_vector: _containers.RepeatedScalarFieldContainer[float]
    results: _containers.RepeatedCompositeFieldContainer[ResultSpec]
    rrf_k: int
    min_versions: _containers.ScalarMap[str, int]
    with_placement: bool
    with_embedding: bool
    recipe: str
    as_of: _timestamp_pb2.Timestamp
    known_at: _timestamp_pb2.Timestamp
    all_times: bool
    vectors: VectorSearch
    query_model: str
    center: EntityRef
    origins: _containers.RepeatedCompositeFieldContainer[EntityRef]
    graph_hops: int
    read_mask: _field_mask_pb2.FieldMask
    partial: PartialPolicy
    explain: bool
    cache: SearchCacheUse
    def __init__(self, group_id: _Optional[str] = ..., groups: _Optional[_Union[GroupList, _Mapping]] = ..., all_groups: _Optional[_Union[AllGroups, _Mapping]] = ..., query: _Optional[str] = ..., query_vector: _Optional[_Iterable[float]] = ..., results: _Optional[_Iterable[_Union[ResultSpec, _Mapping]]] = ..., rrf_k: _Optional[int] = ..., min_versions: _Optional[_Mapping[str, int]] = ..., with_placement: _Optional[bool] = ..., with_embedding: _Optional[bool] = ..., recipe: _Optional[str] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., known_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., all_times: _Optional[bool] = ..., vectors: _Optional[_Union[VectorSearch, str]] = ..., query_model: _Optional[str] = ..., center: _Optional[_Union[EntityRef, _Mapping]] = ..., origins: _Optional[_Iterable[_Union[EntityRef, _Mapping]]] = ..., graph_hops: _Optional[int] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., partial: _Optional[_Union[PartialPolicy, _Mapping]] = ..., explain: _Optional[bool] = ..., cache: _Optional[_Union[SearchCacheUse, str]] = ...) -> None: ...

class ListSearchRecipesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SearchRecipe(_message.Message):
    __slots__ = ("name", "description", "request")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    request: SearchRequest
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., request: _Optional[_Union[SearchRequest, _Mapping]] = ...) -> None: ...

class ListSearchRecipesResponse(_message.Message):
    __slots__ = ("recipes",)
    RECIPES_FIELD_NUMBER: _ClassVar[int]
    recipes: _containers.RepeatedCompositeFieldContainer[SearchRecipe]
    def __init__(self, recipes: _Optional[_Iterable[_Union[SearchRecipe, _Mapping]]] = ...) -> None: ...

class MethodRank(_message.Message):
    __slots__ = ("method", "rank", "score", "distance")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    method: SearchMethod
    rank: int
    score: float
    distance: int
    def __init__(self, method: _Optional[_Union[SearchMethod, str]] = ..., rank: _Optional[int] = ..., score: _Optional[float] = ..., distance: _Optional[int] = ...) -> None: ...

class SearchHit(_message.Message):
    __slots__ = ("entity", "fact", "episode", "community", "group_id", "score", "methods", "shard", "engine", "fused_score")
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    FACT_FIELD_NUMBER: _ClassVar[int]
    EPISODE_FIELD_NUMBER: _ClassVar[int]
    COMMUNITY_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    FUSED_SCORE_FIELD_NUMBER: _ClassVar[int]
    entity: _graph_pb2.Entity
    fact: _graph_pb2.Fact
    episode: _graph_pb2.Episode
    community: _graph_pb2.Community
    group_id: str
    score: float
    methods: _containers.RepeatedCompositeFieldContainer[MethodRank]
    shard: str
    engine: ShardEngine
    fused_score: float
    def __init__(self, entity: _Optional[_Union[_graph_pb2.Entity, _Mapping]] = ..., fact: _Optional[_Union[_graph_pb2.Fact, _Mapping]] = ..., episode: _Optional[_Union[_graph_pb2.Episode, _Mapping]] = ..., community: _Optional[_Union[_graph_pb2.Community, _Mapping]] = ..., group_id: _Optional[str] = ..., score: _Optional[float] = ..., methods: _Optional[_Iterable[_Union[MethodRank, _Mapping]]] = ..., shard: _Optional[str] = ..., engine: _Optional[_Union[ShardEngine, str]] = ..., fused_score: _Optional[float] = ...) -> None: ...

class VectorPath(_message.Message):
    __slots__ = ("ran", "reason", "groups_by_index")
    RAN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    GROUPS_BY_INDEX_FIELD_NUMBER: _ClassVar[int]
    ran: VectorSearch
    reason: str
    groups_by_index: int
    def __init__(self, ran: _Optional[_Union[VectorSearch, str]] = ..., reason: _Optional[str] = ..., groups_by_index: _Optional[int] = ...) -> None: ...

class GraphWalk(_message.Message):
    __slots__ = ("origins", "hops", "cut", "empty_reason")
    ORIGINS_FIELD_NUMBER: _ClassVar[int]
    HOPS_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    EMPTY_REASON_FIELD_NUMBER: _ClassVar[int]
    origins: int
    hops: int
    cut: bool
    empty_reason: str
    def __init__(self, origins: _Optional[int] = ..., hops: _Optional[int] = ..., cut: _Optional[bool] = ..., empty_reason: _Optional[str] = ...) -> None: ...

class RerankOutcome(_message.Message):
    __slots__ = ("reranked", "reason", "cut")
    RERANKED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    reranked: bool
    reason: str
    cut: bool
    def __init__(self, reranked: _Optional[bool] = ..., reason: _Optional[str] = ..., cut: _Optional[bool] = ...) -> None: ...

class RankedRow(_message.Message):
    __slots__ = ("group_id", "uuid", "score", "distance", "term_frequencies", "length")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    TERM_FREQUENCIES_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuid: str
    score: float
    distance: int
    term_frequencies: _containers.RepeatedScalarFieldContainer[int]
    length: int
    def __init__(self, group_id: _Optional[str] = ..., uuid: _Optional[str] = ..., score: _Optional[float] = ..., distance: _Optional[int] = ..., term_frequencies: _Optional[_Iterable[int]] = ..., length: _Optional[int] = ...) -> None: ...

class TermStatistics(_message.Message):
    __slots__ = ("term", "query_frequency", "document_frequency")
    TERM_FIELD_NUMBER: _ClassVar[int]
    QUERY_FREQUENCY_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FREQUENCY_FIELD_NUMBER: _ClassVar[int]
    term: str
    query_frequency: int
    document_frequency: int
    def __init__(self, term: _Optional[str] = ..., query_frequency: _Optional[int] = ..., document_frequency: _Optional[int] = ...) -> None: ...

class KeywordStatistics(_message.Message):
    __slots__ = ("documents", "mean_length", "k1", "b", "terms")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    MEAN_LENGTH_FIELD_NUMBER: _ClassVar[int]
    K1_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    documents: int
    mean_length: float
    k1: float
    b: float
    terms: _containers.RepeatedCompositeFieldContainer[TermStatistics]
    def __init__(self, documents: _Optional[int] = ..., mean_length: _Optional[float] = ..., k1: _Optional[float] = ..., b: _Optional[float] = ..., terms: _Optional[_Iterable[_Union[TermStatistics, _Mapping]]] = ...) -> None: ...

class MethodRanking(_message.Message):
    __slots__ = ("method", "weight", "rows")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    method: SearchMethod
    weight: float
    rows: _containers.RepeatedCompositeFieldContainer[RankedRow]
    def __init__(self, method: _Optional[_Union[SearchMethod, str]] = ..., weight: _Optional[float] = ..., rows: _Optional[_Iterable[_Union[RankedRow, _Mapping]]] = ...) -> None: ...

class RankingExplanation(_message.Message):
    __slots__ = ("rrf_k", "methods", "fused", "reranked", "cut", "keyword")
    RRF_K_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    FUSED_FIELD_NUMBER: _ClassVar[int]
    RERANKED_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    KEYWORD_FIELD_NUMBER: _ClassVar[int]
    rrf_k: float
    methods: _containers.RepeatedCompositeFieldContainer[MethodRanking]
    fused: _containers.RepeatedCompositeFieldContainer[RankedRow]
    reranked: _containers.RepeatedCompositeFieldContainer[RankedRow]
    cut: bool
    keyword: KeywordStatistics
    def __init__(self, rrf_k: _Optional[float] = ..., methods: _Optional[_Iterable[_Union[MethodRanking, _Mapping]]] = ..., fused: _Optional[_Iterable[_Union[RankedRow, _Mapping]]] = ..., reranked: _Optional[_Iterable[_Union[RankedRow, _Mapping]]] = ..., cut: _Optional[bool] = ..., keyword: _Optional[_Union[KeywordStatistics, _Mapping]] = ...) -> None: ...

class ResultList(_message.Message):
    __slots__ = ("kind", "hits", "hits_left_out", "vectors", "graph", "rerank", "explanation", "keyword_cut")
    KIND_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    HITS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    RERANK_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    KEYWORD_CUT_FIELD_NUMBER: _ClassVar[int]
    kind: _graph_pb2.RowKind
    hits: _containers.RepeatedCompositeFieldContainer[SearchHit]
    hits_left_out: int
    vectors: VectorPath
    graph: GraphWalk
    rerank: RerankOutcome
    explanation: RankingExplanation
    keyword_cut: bool
    def __init__(self, kind: _Optional[_Union[_graph_pb2.RowKind, str]] = ..., hits: _Optional[_Iterable[_Union[SearchHit, _Mapping]]] = ..., hits_left_out: _Optional[int] = ..., vectors: _Optional[_Union[VectorPath, _Mapping]] = ..., graph: _Optional[_Union[GraphWalk, _Mapping]] = ..., rerank: _Optional[_Union[RerankOutcome, _Mapping]] = ..., explanation: _Optional[_Union[RankingExplanation, _Mapping]] = ..., keyword_cut: _Optional[bool] = ...) -> None: ...

class SemanticSkip(_message.Message):
    __slots__ = ("group_id", "kind", "model", "dimension")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    kind: _graph_pb2.RowKind
    model: str
    dimension: int
    def __init__(self, group_id: _Optional[str] = ..., kind: _Optional[_Union[_graph_pb2.RowKind, str]] = ..., model: _Optional[str] = ..., dimension: _Optional[int] = ...) -> None: ...

class GroupVersion(_message.Message):
    __slots__ = ("group_id", "version")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    version: int
    def __init__(self, group_id: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class ShardOutcome(_message.Message):
    __slots__ = ("shard", "groups", "latency", "status", "reason")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    shard: str
    groups: int
    latency: _duration_pb2.Duration
    status: ShardOutcomeStatus
    reason: str
    def __init__(self, shard: _Optional[str] = ..., groups: _Optional[int] = ..., latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., status: _Optional[_Union[ShardOutcomeStatus, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class SearchCacheReport(_message.Message):
    __slots__ = ("outcome", "reason", "age_ms", "kept")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AGE_MS_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    outcome: SearchCacheOutcome
    reason: str
    age_ms: int
    kept: bool
    def __init__(self, outcome: _Optional[_Union[SearchCacheOutcome, str]] = ..., reason: _Optional[str] = ..., age_ms: _Optional[int] = ..., kept: _Optional[bool] = ...) -> None: ...

class StageTiming(_message.Message):
    __slots__ = ("stage", "duration")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    stage: str
    duration: _duration_pb2.Duration
    def __init__(self, stage: _Optional[str] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("results", "unknown_groups", "versions", "shards", "timings", "coverage", "missing_groups", "semantic_skips", "semantic_skips_total", "missing_entities", "cache")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_GROUPS_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    MISSING_GROUPS_FIELD_NUMBER: _ClassVar[int]
    SEMANTIC_SKIPS_FIELD_NUMBER: _ClassVar[int]
    SEMANTIC_SKIPS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    MISSING_ENTITIES_FIELD_NUMBER: _ClassVar[int]
    CACHE_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ResultList]
    unknown_groups: _containers.RepeatedScalarFieldContainer[str]
    versions: _containers.RepeatedCompositeFieldContainer[GroupVersion]
    shards: _containers.RepeatedCompositeFieldContainer[ShardOutcome]
    timings: _containers.RepeatedCompositeFieldContainer[StageTiming]
    coverage: float
    missing_groups: _containers.RepeatedScalarFieldContainer[str]
    semantic_skips: _containers.RepeatedCompositeFieldContainer[SemanticSkip]
    semantic_skips_total: int
    missing_entities: _containers.RepeatedCompositeFieldContainer[EntityRef]
    cache: SearchCacheReport
    def __init__(self, results: _Optional[_Iterable[_Union[ResultList, _Mapping]]] = ..., unknown_groups: _Optional[_Iterable[str]] = ..., versions: _Optional[_Iterable[_Union[GroupVersion, _Mapping]]] = ..., shards: _Optional[_Iterable[_Union[ShardOutcome, _Mapping]]] = ..., timings: _Optional[_Iterable[_Union[StageTiming, _Mapping]]] = ..., coverage: _Optional[float] = ..., missing_groups: _Optional[_Iterable[str]] = ..., semantic_skips: _Optional[_Iterable[_Union[SemanticSkip, _Mapping]]] = ..., semantic_skips_total: _Optional[int] = ..., missing_entities: _Optional[_Iterable[_Union[EntityRef, _Mapping]]] = ..., cache: _Optional[_Union[SearchCacheReport, _Mapping]] = ...) -> None: ...

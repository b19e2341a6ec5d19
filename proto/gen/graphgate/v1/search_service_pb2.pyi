import datetime

from google.protobuf import duration_pb2 as _duration_pb2
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

class ShardEngine(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SHARD_ENGINE_UNSPECIFIED: _ClassVar[ShardEngine]
    SHARD_ENGINE_FALKORDB: _ClassVar[ShardEngine]
    SHARD_ENGINE_NEO4J: _ClassVar[ShardEngine]
SEARCH_METHOD_UNSPECIFIED: SearchMethod
SEARCH_METHOD_SEMANTIC: SearchMethod
SEARCH_METHOD_KEYWORD: SearchMethod
SEARCH_METHOD_GRAPH: SearchMethod
SHARD_ENGINE_UNSPECIFIED: ShardEngine
SHARD_ENGINE_FALKORDB: ShardEngine
SHARD_ENGINE_NEO4J: ShardEngine

class GroupList(_message.Message):
    __slots__ = ("group_ids",)
    GROUP_IDS_FIELD_NUMBER: _ClassVar[int]
    group_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, group_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class AllGroups(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MethodWeight(_message.Message):
    __slots__ = ("method", "weight")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    method: SearchMethod
    weight: float
    def __init__(self, method: _Optional[_Union[SearchMethod, str]] = ..., weight: _Optional[float] = ...) -> None: ...

class ResultSpec(_message.Message):
    __slots__ = ("kind", "limit", "methods")
    KIND_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    kind: _graph_pb2.RowKind
    limit: int
    methods: _containers.RepeatedCompositeFieldContainer[MethodWeight]
    def __init__(self, kind: _Optional[_Union[_graph_pb2.RowKind, str]] = ..., limit: _Optional[int] = ..., methods: _Optional[_Iterable[_Union[MethodWeight, _Mapping]]] = ...) -> None: ...

class SearchRequest(_message.Message):
    __slots__ = ("group_id", "groups", "all_groups", "query", "query_vector", "results", "rrf_k", "min_versions", "with_placement", "with_embedding")
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
    def __init__(self, group_id: _Optional[str] = ..., groups: _Optional[_Union[GroupList, _Mapping]] = ..., all_groups: _Optional[_Union[AllGroups, _Mapping]] = ..., query: _Optional[str] = ..., query_vector: _Optional[_Iterable[float]] = ..., results: _Optional[_Iterable[_Union[ResultSpec, _Mapping]]] = ..., rrf_k: _Optional[int] = ..., min_versions: _Optional[_Mapping[str, int]] = ..., with_placement: _Optional[bool] = ..., with_embedding: _Optional[bool] = ...) -> None: ...

class MethodRank(_message.Message):
    __slots__ = ("method", "rank", "score")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    method: SearchMethod
    rank: int
    score: float
    def __init__(self, method: _Optional[_Union[SearchMethod, str]] = ..., rank: _Optional[int] = ..., score: _Optional[float] = ...) -> None: ...

class SearchHit(_message.Message):
    __slots__ = ("entity", "fact", "episode", "group_id", "score", "methods", "shard", "engine")
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    FACT_FIELD_NUMBER: _ClassVar[int]
    EPISODE_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    entity: _graph_pb2.Entity
    fact: _graph_pb2.Fact
    episode: _graph_pb2.Episode
    group_id: str
    score: float
    methods: _containers.RepeatedCompositeFieldContainer[MethodRank]
    shard: str
    engine: ShardEngine
    def __init__(self, entity: _Optional[_Union[_graph_pb2.Entity, _Mapping]] = ..., fact: _Optional[_Union[_graph_pb2.Fact, _Mapping]] = ..., episode: _Optional[_Union[_graph_pb2.Episode, _Mapping]] = ..., group_id: _Optional[str] = ..., score: _Optional[float] = ..., methods: _Optional[_Iterable[_Union[MethodRank, _Mapping]]] = ..., shard: _Optional[str] = ..., engine: _Optional[_Union[ShardEngine, str]] = ...) -> None: ...

class ResultList(_message.Message):
    __slots__ = ("kind", "hits", "hits_left_out")
    KIND_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    HITS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    kind: _graph_pb2.RowKind
    hits: _containers.RepeatedCompositeFieldContainer[SearchHit]
    hits_left_out: int
    def __init__(self, kind: _Optional[_Union[_graph_pb2.RowKind, str]] = ..., hits: _Optional[_Iterable[_Union[SearchHit, _Mapping]]] = ..., hits_left_out: _Optional[int] = ...) -> None: ...

class GroupVersion(_message.Message):
    __slots__ = ("group_id", "version")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    version: int
    def __init__(self, group_id: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class ShardOutcome(_message.Message):
    __slots__ = ("shard", "groups", "latency")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    shard: str
    groups: int
    latency: _duration_pb2.Duration
    def __init__(self, shard: _Optional[str] = ..., groups: _Optional[int] = ..., latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class StageTiming(_message.Message):
    __slots__ = ("stage", "duration")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    stage: str
    duration: _duration_pb2.Duration
    def __init__(self, stage: _Optional[str] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("results", "unknown_groups", "versions", "shards", "timings")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_GROUPS_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ResultList]
    unknown_groups: _containers.RepeatedScalarFieldContainer[str]
    versions: _containers.RepeatedCompositeFieldContainer[GroupVersion]
    shards: _containers.RepeatedCompositeFieldContainer[ShardOutcome]
    timings: _containers.RepeatedCompositeFieldContainer[StageTiming]
    def __init__(self, results: _Optional[_Iterable[_Union[ResultList, _Mapping]]] = ..., unknown_groups: _Optional[_Iterable[str]] = ..., versions: _Optional[_Iterable[_Union[GroupVersion, _Mapping]]] = ..., shards: _Optional[_Iterable[_Union[ShardOutcome, _Mapping]]] = ..., timings: _Optional[_Iterable[_Union[StageTiming, _Mapping]]] = ...) -> None: ...

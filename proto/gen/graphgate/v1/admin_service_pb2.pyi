from google.longrunning import operations_pb2 as _operations_pb2
from graphgate.v1 import catalog_pb2 as _catalog_pb2
from graphgate.v1 import graph_pb2 as _graph_pb2
from graphgate.v1 import move_pb2 as _move_pb2
from graphgate.v1 import search_service_pb2 as _search_service_pb2
from graphgate.v1 import shard_pb2 as _shard_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ShardState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SHARD_STATE_UNSPECIFIED: _ClassVar[ShardState]
    SHARD_STATE_ACTIVE: _ClassVar[ShardState]
    SHARD_STATE_CORDONED: _ClassVar[ShardState]
    SHARD_STATE_DRAINING: _ClassVar[ShardState]
    SHARD_STATE_REMOVED: _ClassVar[ShardState]

class SchemaState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCHEMA_STATE_UNSPECIFIED: _ClassVar[SchemaState]
    SCHEMA_STATE_READY: _ClassVar[SchemaState]
    SCHEMA_STATE_BUILDING: _ClassVar[SchemaState]
    SCHEMA_STATE_FAILED: _ClassVar[SchemaState]
    SCHEMA_STATE_MISSING: _ClassVar[SchemaState]
    SCHEMA_STATE_EXTRA: _ClassVar[SchemaState]
SHARD_STATE_UNSPECIFIED: ShardState
SHARD_STATE_ACTIVE: ShardState
SHARD_STATE_CORDONED: ShardState
SHARD_STATE_DRAINING: ShardState
SHARD_STATE_REMOVED: ShardState
SCHEMA_STATE_UNSPECIFIED: SchemaState
SCHEMA_STATE_READY: SchemaState
SCHEMA_STATE_BUILDING: SchemaState
SCHEMA_STATE_FAILED: SchemaState
SCHEMA_STATE_MISSING: SchemaState
SCHEMA_STATE_EXTRA: SchemaState

class Shard(_message.Message):
    __slots__ = ("shard", "engine", "weight", "zone", "state", "reachable", "problem", "calls_running", "calls_waiting", "limits")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REACHABLE_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    CALLS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    CALLS_WAITING_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    shard: str
    engine: _search_service_pb2.ShardEngine
    weight: float
    zone: str
    state: ShardState
    reachable: bool
    problem: str
    calls_running: int
    calls_waiting: int
    limits: _graph_pb2.ShardLimits
    def __init__(self, shard: _Optional[str] = ..., engine: _Optional[_Union[_search_service_pb2.ShardEngine, str]] = ..., weight: _Optional[float] = ..., zone: _Optional[str] = ..., state: _Optional[_Union[ShardState, str]] = ..., reachable: _Optional[bool] = ..., problem: _Optional[str] = ..., calls_running: _Optional[int] = ..., calls_waiting: _Optional[int] = ..., limits: _Optional[_Union[_graph_pb2.ShardLimits, _Mapping]] = ...) -> None: ...

class DescribeShardRequest(_message.Message):
    __slots__ = ("shard",)
    SHARD_FIELD_NUMBER: _ClassVar[int]
    shard: str
    def __init__(self, shard: _Optional[str] = ...) -> None: ...

class DescribeShardResponse(_message.Message):
    __slots__ = ("shard", "usage", "root", "url", "credentials", "drain_problem", "map_version")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    DRAIN_PROBLEM_FIELD_NUMBER: _ClassVar[int]
    MAP_VERSION_FIELD_NUMBER: _ClassVar[int]
    shard: Shard
    usage: _shard_pb2.ShardUsage
    root: _shard_pb2.RootRing
    url: str
    credentials: str
    drain_problem: str
    map_version: int
    def __init__(self, shard: _Optional[_Union[Shard, _Mapping]] = ..., usage: _Optional[_Union[_shard_pb2.ShardUsage, _Mapping]] = ..., root: _Optional[_Union[_shard_pb2.RootRing, _Mapping]] = ..., url: _Optional[str] = ..., credentials: _Optional[str] = ..., drain_problem: _Optional[str] = ..., map_version: _Optional[int] = ...) -> None: ...

class ListShardsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListShardsResponse(_message.Message):
    __slots__ = ("shards", "map_version", "fleet", "catalog_problem")
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    MAP_VERSION_FIELD_NUMBER: _ClassVar[int]
    FLEET_FIELD_NUMBER: _ClassVar[int]
    CATALOG_PROBLEM_FIELD_NUMBER: _ClassVar[int]
    shards: _containers.RepeatedCompositeFieldContainer[Shard]
    map_version: int
    fleet: str
    catalog_problem: str
    def __init__(self, shards: _Optional[_Iterable[_Union[Shard, _Mapping]]] = ..., map_version: _Optional[int] = ..., fleet: _Optional[str] = ..., catalog_problem: _Optional[str] = ...) -> None: ...

class SchemaItem(_message.Message):
    __slots__ = ("name", "space", "state", "detail")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    name: str
    space: str
    state: SchemaState
    detail: str
    def __init__(self, name: _Optional[str] = ..., space: _Optional[str] = ..., state: _Optional[_Union[SchemaState, str]] = ..., detail: _Optional[str] = ...) -> None: ...

class ShardSchema(_message.Message):
    __slots__ = ("shard", "engine_version", "ready", "items")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    ENGINE_VERSION_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    shard: str
    engine_version: str
    ready: bool
    items: _containers.RepeatedCompositeFieldContainer[SchemaItem]
    def __init__(self, shard: _Optional[str] = ..., engine_version: _Optional[str] = ..., ready: _Optional[bool] = ..., items: _Optional[_Iterable[_Union[SchemaItem, _Mapping]]] = ...) -> None: ...

class DescribeSchemaRequest(_message.Message):
    __slots__ = ("shard",)
    SHARD_FIELD_NUMBER: _ClassVar[int]
    shard: str
    def __init__(self, shard: _Optional[str] = ...) -> None: ...

class DescribeSchemaResponse(_message.Message):
    __slots__ = ("schemas",)
    SCHEMAS_FIELD_NUMBER: _ClassVar[int]
    schemas: _containers.RepeatedCompositeFieldContainer[ShardSchema]
    def __init__(self, schemas: _Optional[_Iterable[_Union[ShardSchema, _Mapping]]] = ...) -> None: ...

class EnsureSchemaRequest(_message.Message):
    __slots__ = ("shard",)
    SHARD_FIELD_NUMBER: _ClassVar[int]
    shard: str
    def __init__(self, shard: _Optional[str] = ...) -> None: ...

class EnsureSchemaResponse(_message.Message):
    __slots__ = ("schemas",)
    SCHEMAS_FIELD_NUMBER: _ClassVar[int]
    schemas: _containers.RepeatedCompositeFieldContainer[ShardSchema]
    def __init__(self, schemas: _Optional[_Iterable[_Union[ShardSchema, _Mapping]]] = ...) -> None: ...

class DropSchemaRequest(_message.Message):
    __slots__ = ("shard",)
    SHARD_FIELD_NUMBER: _ClassVar[int]
    shard: str
    def __init__(self, shard: _Optional[str] = ...) -> None: ...

class DropSchemaResponse(_message.Message):
    __slots__ = ("schema",)
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    schema: ShardSchema
    def __init__(self, schema: _Optional[_Union[ShardSchema, _Mapping]] = ...) -> None: ...

class InvalidateSearchCacheRequest(_message.Message):
    __slots__ = ("groups", "group_id_pattern", "all_groups")
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_PATTERN_FIELD_NUMBER: _ClassVar[int]
    ALL_GROUPS_FIELD_NUMBER: _ClassVar[int]
    groups: _search_service_pb2.GroupList
    group_id_pattern: str
    all_groups: _search_service_pb2.AllGroups
    def __init__(self, groups: _Optional[_Union[_search_service_pb2.GroupList, _Mapping]] = ..., group_id_pattern: _Optional[str] = ..., all_groups: _Optional[_Union[_search_service_pb2.AllGroups, _Mapping]] = ...) -> None: ...

class InvalidateSearchCacheResponse(_message.Message):
    __slots__ = ("dropped",)
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    dropped: int
    def __init__(self, dropped: _Optional[int] = ...) -> None: ...

class PreloadSearchRequest(_message.Message):
    __slots__ = ("search",)
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    search: _search_service_pb2.SearchRequest
    def __init__(self, search: _Optional[_Union[_search_service_pb2.SearchRequest, _Mapping]] = ...) -> None: ...

class PreloadSearchResponse(_message.Message):
    __slots__ = ("cache", "hits")
    CACHE_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    cache: _search_service_pb2.SearchCacheReport
    hits: int
    def __init__(self, cache: _Optional[_Union[_search_service_pb2.SearchCacheReport, _Mapping]] = ..., hits: _Optional[int] = ...) -> None: ...

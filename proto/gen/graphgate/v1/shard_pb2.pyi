import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from graphgate.v1 import search_service_pb2 as _search_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AddShardRequest(_message.Message):
    __slots__ = ("shard", "engine", "url", "user", "credentials", "weight", "zone", "validate_only", "request_id", "requested_by")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    shard: str
    engine: _search_service_pb2.ShardEngine
    url: str
    user: str
    credentials: str
    weight: float
    zone: str
    validate_only: bool
    request_id: str
    requested_by: str
    def __init__(self, shard: _Optional[str] = ..., engine: _Optional[_Union[_search_service_pb2.ShardEngine, str]] = ..., url: _Optional[str] = ..., user: _Optional[str] = ..., credentials: _Optional[str] = ..., weight: _Optional[float] = ..., zone: _Optional[str] = ..., validate_only: _Optional[bool] = ..., request_id: _Optional[str] = ..., requested_by: _Optional[str] = ...) -> None: ...

class AddShardResponse(_message.Message):
    __slots__ = ("engine_version", "joined_before", "clock_skew_us", "map_version")
    ENGINE_VERSION_FIELD_NUMBER: _ClassVar[int]
    JOINED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    CLOCK_SKEW_US_FIELD_NUMBER: _ClassVar[int]
    MAP_VERSION_FIELD_NUMBER: _ClassVar[int]
    engine_version: str
    joined_before: bool
    clock_skew_us: int
    map_version: int
    def __init__(self, engine_version: _Optional[str] = ..., joined_before: _Optional[bool] = ..., clock_skew_us: _Optional[int] = ..., map_version: _Optional[int] = ...) -> None: ...

class UpdateShardRequest(_message.Message):
    __slots__ = ("shard", "weight", "zone", "cordoned", "if_map_version", "request_id", "requested_by")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    CORDONED_FIELD_NUMBER: _ClassVar[int]
    IF_MAP_VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    shard: str
    weight: float
    zone: str
    cordoned: bool
    if_map_version: int
    request_id: str
    requested_by: str
    def __init__(self, shard: _Optional[str] = ..., weight: _Optional[float] = ..., zone: _Optional[str] = ..., cordoned: _Optional[bool] = ..., if_map_version: _Optional[int] = ..., request_id: _Optional[str] = ..., requested_by: _Optional[str] = ...) -> None: ...

class UpdateShardResponse(_message.Message):
    __slots__ = ("map_version",)
    MAP_VERSION_FIELD_NUMBER: _ClassVar[int]
    map_version: int
    def __init__(self, map_version: _Optional[int] = ...) -> None: ...

class DrainShardRequest(_message.Message):
    __slots__ = ("shard", "if_map_version", "request_id", "requested_by")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    IF_MAP_VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    shard: str
    if_map_version: int
    request_id: str
    requested_by: str
    def __init__(self, shard: _Optional[str] = ..., if_map_version: _Optional[int] = ..., request_id: _Optional[str] = ..., requested_by: _Optional[str] = ...) -> None: ...

class DrainShardResponse(_message.Message):
    __slots__ = ("map_version",)
    MAP_VERSION_FIELD_NUMBER: _ClassVar[int]
    map_version: int
    def __init__(self, map_version: _Optional[int] = ...) -> None: ...

class RemoveShardRequest(_message.Message):
    __slots__ = ("shard", "if_map_version", "request_id", "requested_by")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    IF_MAP_VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    shard: str
    if_map_version: int
    request_id: str
    requested_by: str
    def __init__(self, shard: _Optional[str] = ..., if_map_version: _Optional[int] = ..., request_id: _Optional[str] = ..., requested_by: _Optional[str] = ...) -> None: ...

class RemoveShardResponse(_message.Message):
    __slots__ = ("map_version",)
    MAP_VERSION_FIELD_NUMBER: _ClassVar[int]
    map_version: int
    def __init__(self, map_version: _Optional[int] = ...) -> None: ...

class ShardUsage(_message.Message):
    __slots__ = ("groups", "leaving", "arriving", "reverse_windows", "pointers", "complete")
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    LEAVING_FIELD_NUMBER: _ClassVar[int]
    ARRIVING_FIELD_NUMBER: _ClassVar[int]
    REVERSE_WINDOWS_FIELD_NUMBER: _ClassVar[int]
    POINTERS_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    groups: int
    leaving: int
    arriving: int
    reverse_windows: int
    pointers: int
    complete: bool
    def __init__(self, groups: _Optional[int] = ..., leaving: _Optional[int] = ..., arriving: _Optional[int] = ..., reverse_windows: _Optional[int] = ..., pointers: _Optional[int] = ..., complete: _Optional[bool] = ...) -> None: ...

class RootRing(_message.Message):
    __slots__ = ("member", "version", "pending_version")
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PENDING_VERSION_FIELD_NUMBER: _ClassVar[int]
    member: bool
    version: int
    pending_version: int
    def __init__(self, member: _Optional[bool] = ..., version: _Optional[int] = ..., pending_version: _Optional[int] = ...) -> None: ...

class ListShardHistoryRequest(_message.Message):
    __slots__ = ("shard", "page_size", "page_token")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    shard: str
    page_size: int
    page_token: str
    def __init__(self, shard: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ShardHistoryEntry(_message.Message):
    __slots__ = ("time", "requested_by", "action", "shard", "detail", "request_id")
    TIME_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    requested_by: str
    action: str
    shard: str
    detail: str
    request_id: str
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., requested_by: _Optional[str] = ..., action: _Optional[str] = ..., shard: _Optional[str] = ..., detail: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ListShardHistoryResponse(_message.Message):
    __slots__ = ("entries", "next_page_token")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[ShardHistoryEntry]
    next_page_token: str
    def __init__(self, entries: _Optional[_Iterable[_Union[ShardHistoryEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

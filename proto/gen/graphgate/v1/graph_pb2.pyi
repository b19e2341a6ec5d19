import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RowKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROW_KIND_UNSPECIFIED: _ClassVar[RowKind]
    ROW_KIND_ENTITY: _ClassVar[RowKind]
    ROW_KIND_FACT: _ClassVar[RowKind]
    ROW_KIND_EPISODE: _ClassVar[RowKind]
    ROW_KIND_MENTION: _ClassVar[RowKind]
    ROW_KIND_COMMUNITY: _ClassVar[RowKind]
    ROW_KIND_MEMBERSHIP: _ClassVar[RowKind]
    ROW_KIND_SAGA: _ClassVar[RowKind]
    ROW_KIND_SAGA_EPISODE: _ClassVar[RowKind]
    ROW_KIND_NEXT_EPISODE: _ClassVar[RowKind]

class EpisodeSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EPISODE_SOURCE_UNSPECIFIED: _ClassVar[EpisodeSource]
    EPISODE_SOURCE_TEXT: _ClassVar[EpisodeSource]
    EPISODE_SOURCE_MESSAGE: _ClassVar[EpisodeSource]
    EPISODE_SOURCE_JSON: _ClassVar[EpisodeSource]
    EPISODE_SOURCE_FACT_TRIPLE: _ClassVar[EpisodeSource]
ROW_KIND_UNSPECIFIED: RowKind
ROW_KIND_ENTITY: RowKind
ROW_KIND_FACT: RowKind
ROW_KIND_EPISODE: RowKind
ROW_KIND_MENTION: RowKind
ROW_KIND_COMMUNITY: RowKind
ROW_KIND_MEMBERSHIP: RowKind
ROW_KIND_SAGA: RowKind
ROW_KIND_SAGA_EPISODE: RowKind
ROW_KIND_NEXT_EPISODE: RowKind
EPISODE_SOURCE_UNSPECIFIED: EpisodeSource
EPISODE_SOURCE_TEXT: EpisodeSource
EPISODE_SOURCE_MESSAGE: EpisodeSource
EPISODE_SOURCE_JSON: EpisodeSource
EPISODE_SOURCE_FACT_TRIPLE: EpisodeSource

class AttributeScalar(_message.Message):
    __slots__ = ("string_value", "int64_value", "double_value", "bool_value", "timestamp_value")
    STRING_VALUE_FIELD_NUMBER: _ClassVar[int]
    INT64_VALUE_FIELD_NUMBER: _ClassVar[int]
    DOUBLE_VALUE_FIELD_NUMBER: _ClassVar[int]
    BOOL_VALUE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_VALUE_FIELD_NUMBER: _ClassVar[int]
    string_value: str
    int64_value: int
    double_value: float
    bool_value: bool
    timestamp_value: _timestamp_pb2.Timestamp
    def __init__(self, string_value: _Optional[str] = ..., int64_value: _Optional[int] = ..., double_value: _Optional[float] = ..., bool_value: _Optional[bool] = ..., timestamp_value: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AttributeList(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[AttributeScalar]
    def __init__(self, values: _Optional[_Iterable[_Union[AttributeScalar, _Mapping]]] = ...) -> None: ...

class AttributeValue(_message.Message):
    __slots__ = ("scalar", "list")
    SCALAR_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    scalar: AttributeScalar
    list: AttributeList
    def __init__(self, scalar: _Optional[_Union[AttributeScalar, _Mapping]] = ..., list: _Optional[_Union[AttributeList, _Mapping]] = ...) -> None: ...

class Entity(_message.Message):
    __slots__ = ("uuid", "name", "summary", "labels", "attributes", "embedding", "created_at", "version")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AttributeValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AttributeValue, _Mapping]] = ...) -> None: ...
    UUID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    uuid: str
    name: str
    summary: str
    labels: _containers.RepeatedScalarFieldContainer[str]
    attributes: _containers.MessageMap[str, AttributeValue]
    embedding: _containers.RepeatedScalarFieldContainer[float]
    created_at: _timestamp_pb2.Timestamp
    version: int
    def __init__(self, uuid: _Optional[str] = ..., name: _Optional[str] = ..., summary: _Optional[str] = ..., labels: _Optional[_Iterable[str]] = ..., attributes: _Optional[_Mapping[str, AttributeValue]] = ..., embedding: _Optional[_Iterable[float]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class Closure(_message.Message):
    __slots__ = ("closed_at", "previous_invalid_at", "episode_uuid")
    CLOSED_AT_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_INVALID_AT_FIELD_NUMBER: _ClassVar[int]
    EPISODE_UUID_FIELD_NUMBER: _ClassVar[int]
    closed_at: _timestamp_pb2.Timestamp
    previous_invalid_at: _timestamp_pb2.Timestamp
    episode_uuid: str
    def __init__(self, closed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., previous_invalid_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., episode_uuid: _Optional[str] = ...) -> None: ...

class Fact(_message.Message):
    __slots__ = ("uuid", "source_uuid", "target_uuid", "name", "fact", "episode_uuids", "valid_at", "invalid_at", "attributes", "embedding", "created_at", "expired_at", "closures", "version")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AttributeValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AttributeValue, _Mapping]] = ...) -> None: ...
    UUID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_UUID_FIELD_NUMBER: _ClassVar[int]
    TARGET_UUID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FACT_FIELD_NUMBER: _ClassVar[int]
    EPISODE_UUIDS_FIELD_NUMBER: _ClassVar[int]
    VALID_AT_FIELD_NUMBER: _ClassVar[int]
    INVALID_AT_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_AT_FIELD_NUMBER: _ClassVar[int]
    CLOSURES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    uuid: str
    source_uuid: str
    target_uuid: str
    name: str
    fact: str
    episode_uuids: _containers.RepeatedScalarFieldContainer[str]
    valid_at: _timestamp_pb2.Timestamp
    invalid_at: _timestamp_pb2.Timestamp
    attributes: _containers.MessageMap[str, AttributeValue]
    embedding: _containers.RepeatedScalarFieldContainer[float]
    created_at: _timestamp_pb2.Timestamp
    expired_at: _timestamp_pb2.Timestamp
    closures: _containers.RepeatedCompositeFieldContainer[Closure]
    version: int
    def __init__(self, uuid: _Optional[str] = ..., source_uuid: _Optional[str] = ..., target_uuid: _Optional[str] = ..., name: _Optional[str] = ..., fact: _Optional[str] = ..., episode_uuids: _Optional[_Iterable[str]] = ..., valid_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., invalid_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attributes: _Optional[_Mapping[str, AttributeValue]] = ..., embedding: _Optional[_Iterable[float]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expired_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., closures: _Optional[_Iterable[_Union[Closure, _Mapping]]] = ..., version: _Optional[int] = ...) -> None: ...

class Episode(_message.Message):
    __slots__ = ("uuid", "name", "content", "source", "source_description", "reference_time", "attributes", "embedding", "created_at", "version")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AttributeValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AttributeValue, _Mapping]] = ...) -> None: ...
    UUID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_TIME_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    uuid: str
    name: str
    content: str
    source: EpisodeSource
    source_description: str
    reference_time: _timestamp_pb2.Timestamp
    attributes: _containers.MessageMap[str, AttributeValue]
    embedding: _containers.RepeatedScalarFieldContainer[float]
    created_at: _timestamp_pb2.Timestamp
    version: int
    def __init__(self, uuid: _Optional[str] = ..., name: _Optional[str] = ..., content: _Optional[str] = ..., source: _Optional[_Union[EpisodeSource, str]] = ..., source_description: _Optional[str] = ..., reference_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attributes: _Optional[_Mapping[str, AttributeValue]] = ..., embedding: _Optional[_Iterable[float]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class Mention(_message.Message):
    __slots__ = ("uuid", "episode_uuid", "entity_uuid", "created_at", "version")
    UUID_FIELD_NUMBER: _ClassVar[int]
    EPISODE_UUID_FIELD_NUMBER: _ClassVar[int]
    ENTITY_UUID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    uuid: str
    episode_uuid: str
    entity_uuid: str
    created_at: _timestamp_pb2.Timestamp
    version: int
    def __init__(self, uuid: _Optional[str] = ..., episode_uuid: _Optional[str] = ..., entity_uuid: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class Community(_message.Message):
    __slots__ = ("uuid", "name", "summary", "embedding", "created_at", "version")
    UUID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    uuid: str
    name: str
    summary: str
    embedding: _containers.RepeatedScalarFieldContainer[float]
    created_at: _timestamp_pb2.Timestamp
    version: int
    def __init__(self, uuid: _Optional[str] = ..., name: _Optional[str] = ..., summary: _Optional[str] = ..., embedding: _Optional[_Iterable[float]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class Membership(_message.Message):
    __slots__ = ("uuid", "community_uuid", "entity_uuid", "created_at", "version")
    UUID_FIELD_NUMBER: _ClassVar[int]
    COMMUNITY_UUID_FIELD_NUMBER: _ClassVar[int]
    ENTITY_UUID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    uuid: str
    community_uuid: str
    entity_uuid: str
    created_at: _timestamp_pb2.Timestamp
    version: int
    def __init__(self, uuid: _Optional[str] = ..., community_uuid: _Optional[str] = ..., entity_uuid: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class Saga(_message.Message):
    __slots__ = ("uuid", "name", "summary", "created_at", "version")
    UUID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    uuid: str
    name: str
    summary: str
    created_at: _timestamp_pb2.Timestamp
    version: int
    def __init__(self, uuid: _Optional[str] = ..., name: _Optional[str] = ..., summary: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class SagaEpisode(_message.Message):
    __slots__ = ("saga_uuid", "episode_uuid", "previous_episode_uuid")
    SAGA_UUID_FIELD_NUMBER: _ClassVar[int]
    EPISODE_UUID_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_EPISODE_UUID_FIELD_NUMBER: _ClassVar[int]
    saga_uuid: str
    episode_uuid: str
    previous_episode_uuid: str
    def __init__(self, saga_uuid: _Optional[str] = ..., episode_uuid: _Optional[str] = ..., previous_episode_uuid: _Optional[str] = ...) -> None: ...

class EmbeddingSpec(_message.Message):
    __slots__ = ("kind", "model", "dimension", "revision")
    KIND_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    kind: RowKind
    model: str
    dimension: int
    revision: str
    def __init__(self, kind: _Optional[_Union[RowKind, str]] = ..., model: _Optional[str] = ..., dimension: _Optional[int] = ..., revision: _Optional[str] = ...) -> None: ...

class RowCount(_message.Message):
    __slots__ = ("kind", "rows")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    kind: RowKind
    rows: int
    def __init__(self, kind: _Optional[_Union[RowKind, str]] = ..., rows: _Optional[int] = ...) -> None: ...

class ShardLimits(_message.Message):
    __slots__ = ("write_weight_max",)
    WRITE_WEIGHT_MAX_FIELD_NUMBER: _ClassVar[int]
    write_weight_max: int
    def __init__(self, write_weight_max: _Optional[int] = ...) -> None: ...

class Group(_message.Message):
    __slots__ = ("group_id", "version", "shard", "space", "epoch", "created_at", "counts", "embeddings", "vector_slots")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    EMBEDDINGS_FIELD_NUMBER: _ClassVar[int]
    VECTOR_SLOTS_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    version: int
    shard: str
    space: str
    epoch: int
    created_at: _timestamp_pb2.Timestamp
    counts: _containers.RepeatedCompositeFieldContainer[RowCount]
    embeddings: _containers.RepeatedCompositeFieldContainer[EmbeddingSpec]
    vector_slots: _containers.RepeatedCompositeFieldContainer[VectorSlot]
    def __init__(self, group_id: _Optional[str] = ..., version: _Optional[int] = ..., shard: _Optional[str] = ..., space: _Optional[str] = ..., epoch: _Optional[int] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., counts: _Optional[_Iterable[_Union[RowCount, _Mapping]]] = ..., embeddings: _Optional[_Iterable[_Union[EmbeddingSpec, _Mapping]]] = ..., vector_slots: _Optional[_Iterable[_Union[VectorSlot, _Mapping]]] = ...) -> None: ...

class VectorSlot(_message.Message):
    __slots__ = ("kind", "complete_version", "serving")
    KIND_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_VERSION_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    kind: RowKind
    complete_version: int
    serving: bool
    def __init__(self, kind: _Optional[_Union[RowKind, str]] = ..., complete_version: _Optional[int] = ..., serving: _Optional[bool] = ...) -> None: ...

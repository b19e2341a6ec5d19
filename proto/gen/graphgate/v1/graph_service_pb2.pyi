import datetime

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

class WriteMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WRITE_MODE_UNSPECIFIED: _ClassVar[WriteMode]
    WRITE_MODE_CREATE: _ClassVar[WriteMode]
    WRITE_MODE_UPSERT: _ClassVar[WriteMode]
    WRITE_MODE_PATCH: _ClassVar[WriteMode]

class RowOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROW_ORDER_UNSPECIFIED: _ClassVar[RowOrder]
    ROW_ORDER_UUID: _ClassVar[RowOrder]
    ROW_ORDER_NEWEST: _ClassVar[RowOrder]
WRITE_MODE_UNSPECIFIED: WriteMode
WRITE_MODE_CREATE: WriteMode
WRITE_MODE_UPSERT: WriteMode
WRITE_MODE_PATCH: WriteMode
ROW_ORDER_UNSPECIFIED: RowOrder
ROW_ORDER_UUID: RowOrder
ROW_ORDER_NEWEST: RowOrder

class RowCondition(_message.Message):
    __slots__ = ("kind", "uuid", "version")
    KIND_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    kind: _graph_pb2.RowKind
    uuid: str
    version: int
    def __init__(self, kind: _Optional[_Union[_graph_pb2.RowKind, str]] = ..., uuid: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class RowResult(_message.Message):
    __slots__ = ("kind", "uuid", "created")
    KIND_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    kind: _graph_pb2.RowKind
    uuid: str
    created: bool
    def __init__(self, kind: _Optional[_Union[_graph_pb2.RowKind, str]] = ..., uuid: _Optional[str] = ..., created: _Optional[bool] = ...) -> None: ...

class WriteGraphRequest(_message.Message):
    __slots__ = ("group_id", "entities", "facts", "episodes", "mentions", "communities", "memberships", "sagas", "saga_episodes", "mode", "update_mask", "request_id", "if_version", "conditions", "embedding_model", "validate_only")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    EPISODES_FIELD_NUMBER: _ClassVar[int]
    MENTIONS_FIELD_NUMBER: _ClassVar[int]
    COMMUNITIES_FIELD_NUMBER: _ClassVar[int]
    MEMBERSHIPS_FIELD_NUMBER: _ClassVar[int]
    SAGAS_FIELD_NUMBER: _ClassVar[int]
    SAGA_EPISODES_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    IF_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_MODEL_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    entities: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Entity]
    facts: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Fact]
    episodes: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Episode]
    mentions: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Mention]
    communities: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Community]
    memberships: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Membership]
    sagas: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Saga]
    saga_episodes: _containers.RepeatedCompositeFieldContainer[_graph_pb2.SagaEpisode]
    mode: WriteMode
    update_mask: _field_mask_pb2.FieldMask
    request_id: str
    if_version: int
    conditions: _containers.RepeatedCompositeFieldContainer[RowCondition]
    embedding_model: str
    validate_only: bool
    def __init__(self, group_id: _Optional[str] = ..., entities: _Optional[_Iterable[_Union[_graph_pb2.Entity, _Mapping]]] = ..., facts: _Optional[_Iterable[_Union[_graph_pb2.Fact, _Mapping]]] = ..., episodes: _Optional[_Iterable[_Union[_graph_pb2.Episode, _Mapping]]] = ..., mentions: _Optional[_Iterable[_Union[_graph_pb2.Mention, _Mapping]]] = ..., communities: _Optional[_Iterable[_Union[_graph_pb2.Community, _Mapping]]] = ..., memberships: _Optional[_Iterable[_Union[_graph_pb2.Membership, _Mapping]]] = ..., sagas: _Optional[_Iterable[_Union[_graph_pb2.Saga, _Mapping]]] = ..., saga_episodes: _Optional[_Iterable[_Union[_graph_pb2.SagaEpisode, _Mapping]]] = ..., mode: _Optional[_Union[WriteMode, str]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., request_id: _Optional[str] = ..., if_version: _Optional[int] = ..., conditions: _Optional[_Iterable[_Union[RowCondition, _Mapping]]] = ..., embedding_model: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class WriteGraphResponse(_message.Message):
    __slots__ = ("rows", "version", "written_at", "request_id")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_AT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[RowResult]
    version: int
    written_at: _timestamp_pb2.Timestamp
    request_id: str
    def __init__(self, rows: _Optional[_Iterable[_Union[RowResult, _Mapping]]] = ..., version: _Optional[int] = ..., written_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeletedCount(_message.Message):
    __slots__ = ("kind", "rows")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    kind: _graph_pb2.RowKind
    rows: int
    def __init__(self, kind: _Optional[_Union[_graph_pb2.RowKind, str]] = ..., rows: _Optional[int] = ...) -> None: ...

class GetEntityRequest(_message.Message):
    __slots__ = ("group_id", "uuid", "min_version", "with_embedding")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    WITH_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuid: str
    min_version: int
    with_embedding: bool
    def __init__(self, group_id: _Optional[str] = ..., uuid: _Optional[str] = ..., min_version: _Optional[int] = ..., with_embedding: _Optional[bool] = ...) -> None: ...

class GetEntityResponse(_message.Message):
    __slots__ = ("entity", "version")
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    entity: _graph_pb2.Entity
    version: int
    def __init__(self, entity: _Optional[_Union[_graph_pb2.Entity, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class BatchGetEntitiesRequest(_message.Message):
    __slots__ = ("group_id", "uuids", "min_version", "with_embedding")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUIDS_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    WITH_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuids: _containers.RepeatedScalarFieldContainer[str]
    min_version: int
    with_embedding: bool
    def __init__(self, group_id: _Optional[str] = ..., uuids: _Optional[_Iterable[str]] = ..., min_version: _Optional[int] = ..., with_embedding: _Optional[bool] = ...) -> None: ...

class BatchGetEntitiesResponse(_message.Message):
    __slots__ = ("entities", "missing_uuids", "unread_uuids", "version")
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    MISSING_UUIDS_FIELD_NUMBER: _ClassVar[int]
    UNREAD_UUIDS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    entities: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Entity]
    missing_uuids: _containers.RepeatedScalarFieldContainer[str]
    unread_uuids: _containers.RepeatedScalarFieldContainer[str]
    version: int
    def __init__(self, entities: _Optional[_Iterable[_Union[_graph_pb2.Entity, _Mapping]]] = ..., missing_uuids: _Optional[_Iterable[str]] = ..., unread_uuids: _Optional[_Iterable[str]] = ..., version: _Optional[int] = ...) -> None: ...

class ListEntitiesRequest(_message.Message):
    __slots__ = ("group_id", "page_size", "page_token", "order", "min_version", "with_embedding", "community_uuid")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    WITH_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    COMMUNITY_UUID_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    page_size: int
    page_token: str
    order: RowOrder
    min_version: int
    with_embedding: bool
    community_uuid: str
    def __init__(self, group_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., order: _Optional[_Union[RowOrder, str]] = ..., min_version: _Optional[int] = ..., with_embedding: _Optional[bool] = ..., community_uuid: _Optional[str] = ...) -> None: ...

class ListEntitiesResponse(_message.Message):
    __slots__ = ("entities", "next_page_token", "version")
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    entities: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Entity]
    next_page_token: str
    version: int
    def __init__(self, entities: _Optional[_Iterable[_Union[_graph_pb2.Entity, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class DeleteEntitiesRequest(_message.Message):
    __slots__ = ("group_id", "uuids", "request_id", "if_version", "allow_missing")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUIDS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    IF_VERSION_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuids: _containers.RepeatedScalarFieldContainer[str]
    request_id: str
    if_version: int
    allow_missing: bool
    def __init__(self, group_id: _Optional[str] = ..., uuids: _Optional[_Iterable[str]] = ..., request_id: _Optional[str] = ..., if_version: _Optional[int] = ..., allow_missing: _Optional[bool] = ...) -> None: ...

class DeleteEntitiesResponse(_message.Message):
    __slots__ = ("deleted", "version", "request_id")
    DELETED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    deleted: _containers.RepeatedCompositeFieldContainer[DeletedCount]
    version: int
    request_id: str
    def __init__(self, deleted: _Optional[_Iterable[_Union[DeletedCount, _Mapping]]] = ..., version: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class GetFactRequest(_message.Message):
    __slots__ = ("group_id", "uuid", "min_version", "with_embedding")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    WITH_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuid: str
    min_version: int
    with_embedding: bool
    def __init__(self, group_id: _Optional[str] = ..., uuid: _Optional[str] = ..., min_version: _Optional[int] = ..., with_embedding: _Optional[bool] = ...) -> None: ...

class GetFactResponse(_message.Message):
    __slots__ = ("fact", "version")
    FACT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    fact: _graph_pb2.Fact
    version: int
    def __init__(self, fact: _Optional[_Union[_graph_pb2.Fact, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class BatchGetFactsRequest(_message.Message):
    __slots__ = ("group_id", "uuids", "min_version", "with_embedding")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUIDS_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    WITH_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuids: _containers.RepeatedScalarFieldContainer[str]
    min_version: int
    with_embedding: bool
    def __init__(self, group_id: _Optional[str] = ..., uuids: _Optional[_Iterable[str]] = ..., min_version: _Optional[int] = ..., with_embedding: _Optional[bool] = ...) -> None: ...

class BatchGetFactsResponse(_message.Message):
    __slots__ = ("facts", "missing_uuids", "unread_uuids", "version")
    FACTS_FIELD_NUMBER: _ClassVar[int]
    MISSING_UUIDS_FIELD_NUMBER: _ClassVar[int]
    UNREAD_UUIDS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    facts: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Fact]
    missing_uuids: _containers.RepeatedScalarFieldContainer[str]
    unread_uuids: _containers.RepeatedScalarFieldContainer[str]
    version: int
    def __init__(self, facts: _Optional[_Iterable[_Union[_graph_pb2.Fact, _Mapping]]] = ..., missing_uuids: _Optional[_Iterable[str]] = ..., unread_uuids: _Optional[_Iterable[str]] = ..., version: _Optional[int] = ...) -> None: ...

class ListFactsRequest(_message.Message):
    __slots__ = ("group_id", "page_size", "page_token", "order", "min_version", "with_embedding", "entity_uuid", "other_entity_uuid", "episode_uuid")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    WITH_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    ENTITY_UUID_FIELD_NUMBER: _ClassVar[int]
    OTHER_ENTITY_UUID_FIELD_NUMBER: _ClassVar[int]
    EPISODE_UUID_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    page_size: int
    page_token: str
    order: RowOrder
    min_version: int
    with_embedding: bool
    entity_uuid: str
    other_entity_uuid: str
    episode_uuid: str
    def __init__(self, group_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., order: _Optional[_Union[RowOrder, str]] = ..., min_version: _Optional[int] = ..., with_embedding: _Optional[bool] = ..., entity_uuid: _Optional[str] = ..., other_entity_uuid: _Optional[str] = ..., episode_uuid: _Optional[str] = ...) -> None: ...

class ListFactsResponse(_message.Message):
    __slots__ = ("facts", "next_page_token", "version")
    FACTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    facts: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Fact]
    next_page_token: str
    version: int
    def __init__(self, facts: _Optional[_Iterable[_Union[_graph_pb2.Fact, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class DeleteFactsRequest(_message.Message):
    __slots__ = ("group_id", "uuids", "request_id", "if_version", "allow_missing")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUIDS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    IF_VERSION_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuids: _containers.RepeatedScalarFieldContainer[str]
    request_id: str
    if_version: int
    allow_missing: bool
    def __init__(self, group_id: _Optional[str] = ..., uuids: _Optional[_Iterable[str]] = ..., request_id: _Optional[str] = ..., if_version: _Optional[int] = ..., allow_missing: _Optional[bool] = ...) -> None: ...

class DeleteFactsResponse(_message.Message):
    __slots__ = ("deleted", "version", "request_id")
    DELETED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    deleted: _containers.RepeatedCompositeFieldContainer[DeletedCount]
    version: int
    request_id: str
    def __init__(self, deleted: _Optional[_Iterable[_Union[DeletedCount, _Mapping]]] = ..., version: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class GetEpisodeRequest(_message.Message):
    __slots__ = ("group_id", "uuid", "min_version", "with_embedding")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    WITH_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuid: str
    min_version: int
    with_embedding: bool
    def __init__(self, group_id: _Optional[str] = ..., uuid: _Optional[str] = ..., min_version: _Optional[int] = ..., with_embedding: _Optional[bool] = ...) -> None: ...

class GetEpisodeResponse(_message.Message):
    __slots__ = ("episode", "version")
    EPISODE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    episode: _graph_pb2.Episode
    version: int
    def __init__(self, episode: _Optional[_Union[_graph_pb2.Episode, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class BatchGetEpisodesRequest(_message.Message):
    __slots__ = ("group_id", "uuids", "min_version", "with_embedding")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUIDS_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    WITH_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuids: _containers.RepeatedScalarFieldContainer[str]
    min_version: int
    with_embedding: bool
    def __init__(self, group_id: _Optional[str] = ..., uuids: _Optional[_Iterable[str]] = ..., min_version: _Optional[int] = ..., with_embedding: _Optional[bool] = ...) -> None: ...

class BatchGetEpisodesResponse(_message.Message):
    __slots__ = ("episodes", "missing_uuids", "unread_uuids", "version")
    EPISODES_FIELD_NUMBER: _ClassVar[int]
    MISSING_UUIDS_FIELD_NUMBER: _ClassVar[int]
    UNREAD_UUIDS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    episodes: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Episode]
    missing_uuids: _containers.RepeatedScalarFieldContainer[str]
    unread_uuids: _containers.RepeatedScalarFieldContainer[str]
    version: int
    def __init__(self, episodes: _Optional[_Iterable[_Union[_graph_pb2.Episode, _Mapping]]] = ..., missing_uuids: _Optional[_Iterable[str]] = ..., unread_uuids: _Optional[_Iterable[str]] = ..., version: _Optional[int] = ...) -> None: ...

class ListEpisodesRequest(_message.Message):
    __slots__ = ("group_id", "page_size", "page_token", "order", "min_version", "with_embedding", "saga_uuid", "fact_uuid")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    WITH_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    SAGA_UUID_FIELD_NUMBER: _ClassVar[int]
    FACT_UUID_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    page_size: int
    page_token: str
    order: RowOrder
    min_version: int
    with_embedding: bool
    saga_uuid: str
    fact_uuid: str
    def __init__(self, group_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., order: _Optional[_Union[RowOrder, str]] = ..., min_version: _Optional[int] = ..., with_embedding: _Optional[bool] = ..., saga_uuid: _Optional[str] = ..., fact_uuid: _Optional[str] = ...) -> None: ...

class ListEpisodesResponse(_message.Message):
    __slots__ = ("episodes", "next_page_token", "version")
    EPISODES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    episodes: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Episode]
    next_page_token: str
    version: int
    def __init__(self, episodes: _Optional[_Iterable[_Union[_graph_pb2.Episode, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class DeleteEpisodesRequest(_message.Message):
    __slots__ = ("group_id", "uuids", "request_id", "if_version", "allow_missing")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUIDS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    IF_VERSION_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuids: _containers.RepeatedScalarFieldContainer[str]
    request_id: str
    if_version: int
    allow_missing: bool
    def __init__(self, group_id: _Optional[str] = ..., uuids: _Optional[_Iterable[str]] = ..., request_id: _Optional[str] = ..., if_version: _Optional[int] = ..., allow_missing: _Optional[bool] = ...) -> None: ...

class DeleteEpisodesResponse(_message.Message):
    __slots__ = ("deleted", "version", "request_id")
    DELETED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    deleted: _containers.RepeatedCompositeFieldContainer[DeletedCount]
    version: int
    request_id: str
    def __init__(self, deleted: _Optional[_Iterable[_Union[DeletedCount, _Mapping]]] = ..., version: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class GetMentionRequest(_message.Message):
    __slots__ = ("group_id", "uuid", "min_version")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuid: str
    min_version: int
    def __init__(self, group_id: _Optional[str] = ..., uuid: _Optional[str] = ..., min_version: _Optional[int] = ...) -> None: ...

class GetMentionResponse(_message.Message):
    __slots__ = ("mention", "version")
    MENTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    mention: _graph_pb2.Mention
    version: int
    def __init__(self, mention: _Optional[_Union[_graph_pb2.Mention, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class BatchGetMentionsRequest(_message.Message):
    __slots__ = ("group_id", "uuids", "min_version")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUIDS_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuids: _containers.RepeatedScalarFieldContainer[str]
    min_version: int
    def __init__(self, group_id: _Optional[str] = ..., uuids: _Optional[_Iterable[str]] = ..., min_version: _Optional[int] = ...) -> None: ...

class BatchGetMentionsResponse(_message.Message):
    __slots__ = ("mentions", "missing_uuids", "unread_uuids", "version")
    MENTIONS_FIELD_NUMBER: _ClassVar[int]
    MISSING_UUIDS_FIELD_NUMBER: _ClassVar[int]
    UNREAD_UUIDS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    mentions: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Mention]
    missing_uuids: _containers.RepeatedScalarFieldContainer[str]
    unread_uuids: _containers.RepeatedScalarFieldContainer[str]
    version: int
    def __init__(self, mentions: _Optional[_Iterable[_Union[_graph_pb2.Mention, _Mapping]]] = ..., missing_uuids: _Optional[_Iterable[str]] = ..., unread_uuids: _Optional[_Iterable[str]] = ..., version: _Optional[int] = ...) -> None: ...

class ListMentionsRequest(_message.Message):
    __slots__ = ("group_id", "page_size", "page_token", "order", "min_version", "episode_uuid", "entity_uuid")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    EPISODE_UUID_FIELD_NUMBER: _ClassVar[int]
    ENTITY_UUID_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    page_size: int
    page_token: str
    order: RowOrder
    min_version: int
    episode_uuid: str
    entity_uuid: str
    def __init__(self, group_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., order: _Optional[_Union[RowOrder, str]] = ..., min_version: _Optional[int] = ..., episode_uuid: _Optional[str] = ..., entity_uuid: _Optional[str] = ...) -> None: ...

class ListMentionsResponse(_message.Message):
    __slots__ = ("mentions", "next_page_token", "version")
    MENTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    mentions: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Mention]
    next_page_token: str
    version: int
    def __init__(self, mentions: _Optional[_Iterable[_Union[_graph_pb2.Mention, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class DeleteMentionsRequest(_message.Message):
    __slots__ = ("group_id", "uuids", "request_id", "if_version", "allow_missing")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUIDS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    IF_VERSION_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuids: _containers.RepeatedScalarFieldContainer[str]
    request_id: str
    if_version: int
    allow_missing: bool
    def __init__(self, group_id: _Optional[str] = ..., uuids: _Optional[_Iterable[str]] = ..., request_id: _Optional[str] = ..., if_version: _Optional[int] = ..., allow_missing: _Optional[bool] = ...) -> None: ...

class DeleteMentionsResponse(_message.Message):
    __slots__ = ("deleted", "version", "request_id")
    DELETED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    deleted: _containers.RepeatedCompositeFieldContainer[DeletedCount]
    version: int
    request_id: str
    def __init__(self, deleted: _Optional[_Iterable[_Union[DeletedCount, _Mapping]]] = ..., version: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class GetCommunityRequest(_message.Message):
    __slots__ = ("group_id", "uuid", "min_version", "with_embedding")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    WITH_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuid: str
    min_version: int
    with_embedding: bool
    def __init__(self, group_id: _Optional[str] = ..., uuid: _Optional[str] = ..., min_version: _Optional[int] = ..., with_embedding: _Optional[bool] = ...) -> None: ...

class GetCommunityResponse(_message.Message):
    __slots__ = ("community", "version")
    COMMUNITY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    community: _graph_pb2.Community
    version: int
    def __init__(self, community: _Optional[_Union[_graph_pb2.Community, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class BatchGetCommunitiesRequest(_message.Message):
    __slots__ = ("group_id", "uuids", "min_version", "with_embedding")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUIDS_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    WITH_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuids: _containers.RepeatedScalarFieldContainer[str]
    min_version: int
    with_embedding: bool
    def __init__(self, group_id: _Optional[str] = ..., uuids: _Optional[_Iterable[str]] = ..., min_version: _Optional[int] = ..., with_embedding: _Optional[bool] = ...) -> None: ...

class BatchGetCommunitiesResponse(_message.Message):
    __slots__ = ("communities", "missing_uuids", "unread_uuids", "version")
    COMMUNITIES_FIELD_NUMBER: _ClassVar[int]
    MISSING_UUIDS_FIELD_NUMBER: _ClassVar[int]
    UNREAD_UUIDS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    communities: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Community]
    missing_uuids: _containers.RepeatedScalarFieldContainer[str]
    unread_uuids: _containers.RepeatedScalarFieldContainer[str]
    version: int
    def __init__(self, communities: _Optional[_Iterable[_Union[_graph_pb2.Community, _Mapping]]] = ..., missing_uuids: _Optional[_Iterable[str]] = ..., unread_uuids: _Optional[_Iterable[str]] = ..., version: _Optional[int] = ...) -> None: ...

class ListCommunitiesRequest(_message.Message):
    __slots__ = ("group_id", "page_size", "page_token", "order", "min_version", "with_embedding")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    WITH_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    page_size: int
    page_token: str
    order: RowOrder
    min_version: int
    with_embedding: bool
    def __init__(self, group_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., order: _Optional[_Union[RowOrder, str]] = ..., min_version: _Optional[int] = ..., with_embedding: _Optional[bool] = ...) -> None: ...

class ListCommunitiesResponse(_message.Message):
    __slots__ = ("communities", "next_page_token", "version")
    COMMUNITIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    communities: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Community]
    next_page_token: str
    version: int
    def __init__(self, communities: _Optional[_Iterable[_Union[_graph_pb2.Community, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class DeleteCommunitiesRequest(_message.Message):
    __slots__ = ("group_id", "uuids", "request_id", "if_version", "allow_missing")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUIDS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    IF_VERSION_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuids: _containers.RepeatedScalarFieldContainer[str]
    request_id: str
    if_version: int
    allow_missing: bool
    def __init__(self, group_id: _Optional[str] = ..., uuids: _Optional[_Iterable[str]] = ..., request_id: _Optional[str] = ..., if_version: _Optional[int] = ..., allow_missing: _Optional[bool] = ...) -> None: ...

class DeleteCommunitiesResponse(_message.Message):
    __slots__ = ("deleted", "version", "request_id")
    DELETED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    deleted: _containers.RepeatedCompositeFieldContainer[DeletedCount]
    version: int
    request_id: str
    def __init__(self, deleted: _Optional[_Iterable[_Union[DeletedCount, _Mapping]]] = ..., version: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class GetSagaRequest(_message.Message):
    __slots__ = ("group_id", "uuid", "min_version")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuid: str
    min_version: int
    def __init__(self, group_id: _Optional[str] = ..., uuid: _Optional[str] = ..., min_version: _Optional[int] = ...) -> None: ...

class GetSagaResponse(_message.Message):
    __slots__ = ("saga", "version")
    SAGA_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    saga: _graph_pb2.Saga
    version: int
    def __init__(self, saga: _Optional[_Union[_graph_pb2.Saga, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class BatchGetSagasRequest(_message.Message):
    __slots__ = ("group_id", "uuids", "min_version")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUIDS_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuids: _containers.RepeatedScalarFieldContainer[str]
    min_version: int
    def __init__(self, group_id: _Optional[str] = ..., uuids: _Optional[_Iterable[str]] = ..., min_version: _Optional[int] = ...) -> None: ...

class BatchGetSagasResponse(_message.Message):
    __slots__ = ("sagas", "missing_uuids", "unread_uuids", "version")
    SAGAS_FIELD_NUMBER: _ClassVar[int]
    MISSING_UUIDS_FIELD_NUMBER: _ClassVar[int]
    UNREAD_UUIDS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    sagas: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Saga]
    missing_uuids: _containers.RepeatedScalarFieldContainer[str]
    unread_uuids: _containers.RepeatedScalarFieldContainer[str]
    version: int
    def __init__(self, sagas: _Optional[_Iterable[_Union[_graph_pb2.Saga, _Mapping]]] = ..., missing_uuids: _Optional[_Iterable[str]] = ..., unread_uuids: _Optional[_Iterable[str]] = ..., version: _Optional[int] = ...) -> None: ...

class ListSagasRequest(_message.Message):
    __slots__ = ("group_id", "page_size", "page_token", "order", "min_version")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    page_size: int
    page_token: str
    order: RowOrder
    min_version: int
    def __init__(self, group_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., order: _Optional[_Union[RowOrder, str]] = ..., min_version: _Optional[int] = ...) -> None: ...

class ListSagasResponse(_message.Message):
    __slots__ = ("sagas", "next_page_token", "version")
    SAGAS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    sagas: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Saga]
    next_page_token: str
    version: int
    def __init__(self, sagas: _Optional[_Iterable[_Union[_graph_pb2.Saga, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class DeleteSagasRequest(_message.Message):
    __slots__ = ("group_id", "uuids", "request_id", "if_version", "allow_missing")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UUIDS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    IF_VERSION_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    uuids: _containers.RepeatedScalarFieldContainer[str]
    request_id: str
    if_version: int
    allow_missing: bool
    def __init__(self, group_id: _Optional[str] = ..., uuids: _Optional[_Iterable[str]] = ..., request_id: _Optional[str] = ..., if_version: _Optional[int] = ..., allow_missing: _Optional[bool] = ...) -> None: ...

class DeleteSagasResponse(_message.Message):
    __slots__ = ("deleted", "version", "request_id")
    DELETED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    deleted: _containers.RepeatedCompositeFieldContainer[DeletedCount]
    version: int
    request_id: str
    def __init__(self, deleted: _Optional[_Iterable[_Union[DeletedCount, _Mapping]]] = ..., version: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class ListGroupsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "return_partial_success")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RETURN_PARTIAL_SUCCESS_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    return_partial_success: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., return_partial_success: _Optional[bool] = ...) -> None: ...

class ListGroupsResponse(_message.Message):
    __slots__ = ("groups", "next_page_token", "unreachable")
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    UNREACHABLE_FIELD_NUMBER: _ClassVar[int]
    groups: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Group]
    next_page_token: str
    unreachable: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, groups: _Optional[_Iterable[_Union[_graph_pb2.Group, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., unreachable: _Optional[_Iterable[str]] = ...) -> None: ...

class GetGroupRequest(_message.Message):
    __slots__ = ("group_id",)
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    def __init__(self, group_id: _Optional[str] = ...) -> None: ...

class GetGroupResponse(_message.Message):
    __slots__ = ("group", "limits")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    group: _graph_pb2.Group
    limits: _graph_pb2.ShardLimits
    def __init__(self, group: _Optional[_Union[_graph_pb2.Group, _Mapping]] = ..., limits: _Optional[_Union[_graph_pb2.ShardLimits, _Mapping]] = ...) -> None: ...

class ExpandRequest(_message.Message):
    __slots__ = ("group_id", "entity_uuids", "hops", "facts_per_entity_max", "limit", "filter", "as_of", "known_at", "all_times", "min_version", "with_embedding")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    ENTITY_UUIDS_FIELD_NUMBER: _ClassVar[int]
    HOPS_FIELD_NUMBER: _ClassVar[int]
    FACTS_PER_ENTITY_MAX_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    KNOWN_AT_FIELD_NUMBER: _ClassVar[int]
    ALL_TIMES_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    WITH_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    entity_uuids: _containers.RepeatedScalarFieldContainer[str]
    hops: int
    facts_per_entity_max: int
    limit: int
    filter: _filter_pb2.RowFilter
    as_of: _timestamp_pb2.Timestamp
    known_at: _timestamp_pb2.Timestamp
    all_times: bool
    min_version: int
    with_embedding: bool
    def __init__(self, group_id: _Optional[str] = ..., entity_uuids: _Optional[_Iterable[str]] = ..., hops: _Optional[int] = ..., facts_per_entity_max: _Optional[int] = ..., limit: _Optional[int] = ..., filter: _Optional[_Union[_filter_pb2.RowFilter, _Mapping]] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., known_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., all_times: _Optional[bool] = ..., min_version: _Optional[int] = ..., with_embedding: _Optional[bool] = ...) -> None: ...

class ReachedFact(_message.Message):
    __slots__ = ("fact", "distance")
    FACT_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    fact: _graph_pb2.Fact
    distance: int
    def __init__(self, fact: _Optional[_Union[_graph_pb2.Fact, _Mapping]] = ..., distance: _Optional[int] = ...) -> None: ...

class ReachedEntity(_message.Message):
    __slots__ = ("entity", "distance")
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    entity: _graph_pb2.Entity
    distance: int
    def __init__(self, entity: _Optional[_Union[_graph_pb2.Entity, _Mapping]] = ..., distance: _Optional[int] = ...) -> None: ...

class ExpandResponse(_message.Message):
    __slots__ = ("facts", "entities", "missing_uuids", "cut", "facts_left_out", "version")
    FACTS_FIELD_NUMBER: _ClassVar[int]
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    MISSING_UUIDS_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    FACTS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    facts: _containers.RepeatedCompositeFieldContainer[ReachedFact]
    entities: _containers.RepeatedCompositeFieldContainer[ReachedEntity]
    missing_uuids: _containers.RepeatedScalarFieldContainer[str]
    cut: bool
    facts_left_out: int
    version: int
    def __init__(self, facts: _Optional[_Iterable[_Union[ReachedFact, _Mapping]]] = ..., entities: _Optional[_Iterable[_Union[ReachedEntity, _Mapping]]] = ..., missing_uuids: _Optional[_Iterable[str]] = ..., cut: _Optional[bool] = ..., facts_left_out: _Optional[int] = ..., version: _Optional[int] = ...) -> None: ...

class FindPathsRequest(_message.Message):
    __slots__ = ("group_id", "source_uuid", "target_uuid", "hops_max", "paths_max", "filter", "as_of", "known_at", "all_times", "min_version")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_UUID_FIELD_NUMBER: _ClassVar[int]
    TARGET_UUID_FIELD_NUMBER: _ClassVar[int]
    HOPS_MAX_FIELD_NUMBER: _ClassVar[int]
    PATHS_MAX_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    KNOWN_AT_FIELD_NUMBER: _ClassVar[int]
    ALL_TIMES_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    source_uuid: str
    target_uuid: str
    hops_max: int
    paths_max: int
    filter: _filter_pb2.RowFilter
    as_of: _timestamp_pb2.Timestamp
    known_at: _timestamp_pb2.Timestamp
    all_times: bool
    min_version: int
    def __init__(self, group_id: _Optional[str] = ..., source_uuid: _Optional[str] = ..., target_uuid: _Optional[str] = ..., hops_max: _Optional[int] = ..., paths_max: _Optional[int] = ..., filter: _Optional[_Union[_filter_pb2.RowFilter, _Mapping]] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., known_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., all_times: _Optional[bool] = ..., min_version: _Optional[int] = ...) -> None: ...

class GraphPath(_message.Message):
    __slots__ = ("entity_uuids", "fact_uuids")
    ENTITY_UUIDS_FIELD_NUMBER: _ClassVar[int]
    FACT_UUIDS_FIELD_NUMBER: _ClassVar[int]
    entity_uuids: _containers.RepeatedScalarFieldContainer[str]
    fact_uuids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, entity_uuids: _Optional[_Iterable[str]] = ..., fact_uuids: _Optional[_Iterable[str]] = ...) -> None: ...

class FindPathsResponse(_message.Message):
    __slots__ = ("paths", "entities", "facts", "complete", "paths_left_out", "version")
    PATHS_FIELD_NUMBER: _ClassVar[int]
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    PATHS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    paths: _containers.RepeatedCompositeFieldContainer[GraphPath]
    entities: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Entity]
    facts: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Fact]
    complete: bool
    paths_left_out: int
    version: int
    def __init__(self, paths: _Optional[_Iterable[_Union[GraphPath, _Mapping]]] = ..., entities: _Optional[_Iterable[_Union[_graph_pb2.Entity, _Mapping]]] = ..., facts: _Optional[_Iterable[_Union[_graph_pb2.Fact, _Mapping]]] = ..., complete: _Optional[bool] = ..., paths_left_out: _Optional[int] = ..., version: _Optional[int] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("group_id", "after_version", "with_embedding")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_VERSION_FIELD_NUMBER: _ClassVar[int]
    WITH_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    after_version: int
    with_embedding: bool
    def __init__(self, group_id: _Optional[str] = ..., after_version: _Optional[int] = ..., with_embedding: _Optional[bool] = ...) -> None: ...

class DeletedRow(_message.Message):
    __slots__ = ("kind", "uuid", "version")
    KIND_FIELD_NUMBER: _ClassVar[int]
    UUID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    kind: _graph_pb2.RowKind
    uuid: str
    version: int
    def __init__(self, kind: _Optional[_Union[_graph_pb2.RowKind, str]] = ..., uuid: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class EpisodeLink(_message.Message):
    __slots__ = ("uuid", "episode_uuid", "next_episode_uuid", "saga_uuid", "created_at", "version")
    UUID_FIELD_NUMBER: _ClassVar[int]
    EPISODE_UUID_FIELD_NUMBER: _ClassVar[int]
    NEXT_EPISODE_UUID_FIELD_NUMBER: _ClassVar[int]
    SAGA_UUID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    uuid: str
    episode_uuid: str
    next_episode_uuid: str
    saga_uuid: str
    created_at: _timestamp_pb2.Timestamp
    version: int
    def __init__(self, uuid: _Optional[str] = ..., episode_uuid: _Optional[str] = ..., next_episode_uuid: _Optional[str] = ..., saga_uuid: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class SagaPlace(_message.Message):
    __slots__ = ("uuid", "saga_uuid", "episode_uuid", "created_at", "version")
    UUID_FIELD_NUMBER: _ClassVar[int]
    SAGA_UUID_FIELD_NUMBER: _ClassVar[int]
    EPISODE_UUID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    uuid: str
    saga_uuid: str
    episode_uuid: str
    created_at: _timestamp_pb2.Timestamp
    version: int
    def __init__(self, uuid: _Optional[str] = ..., saga_uuid: _Optional[str] = ..., episode_uuid: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("entities", "facts", "episodes", "mentions", "communities", "memberships", "sagas", "saga_places", "episode_links", "deleted", "position", "group_version")
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    EPISODES_FIELD_NUMBER: _ClassVar[int]
    MENTIONS_FIELD_NUMBER: _ClassVar[int]
    COMMUNITIES_FIELD_NUMBER: _ClassVar[int]
    MEMBERSHIPS_FIELD_NUMBER: _ClassVar[int]
    SAGAS_FIELD_NUMBER: _ClassVar[int]
    SAGA_PLACES_FIELD_NUMBER: _ClassVar[int]
    EPISODE_LINKS_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    GROUP_VERSION_FIELD_NUMBER: _ClassVar[int]
    entities: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Entity]
    facts: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Fact]
    episodes: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Episode]
    mentions: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Mention]
    communities: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Community]
    memberships: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Membership]
    sagas: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Saga]
    saga_places: _containers.RepeatedCompositeFieldContainer[SagaPlace]
    episode_links: _containers.RepeatedCompositeFieldContainer[EpisodeLink]
    deleted: _containers.RepeatedCompositeFieldContainer[DeletedRow]
    position: int
    group_version: int
    def __init__(self, entities: _Optional[_Iterable[_Union[_graph_pb2.Entity, _Mapping]]] = ..., facts: _Optional[_Iterable[_Union[_graph_pb2.Fact, _Mapping]]] = ..., episodes: _Optional[_Iterable[_Union[_graph_pb2.Episode, _Mapping]]] = ..., mentions: _Optional[_Iterable[_Union[_graph_pb2.Mention, _Mapping]]] = ..., communities: _Optional[_Iterable[_Union[_graph_pb2.Community, _Mapping]]] = ..., memberships: _Optional[_Iterable[_Union[_graph_pb2.Membership, _Mapping]]] = ..., sagas: _Optional[_Iterable[_Union[_graph_pb2.Saga, _Mapping]]] = ..., saga_places: _Optional[_Iterable[_Union[SagaPlace, _Mapping]]] = ..., episode_links: _Optional[_Iterable[_Union[EpisodeLink, _Mapping]]] = ..., deleted: _Optional[_Iterable[_Union[DeletedRow, _Mapping]]] = ..., position: _Optional[int] = ..., group_version: _Optional[int] = ...) -> None: ...

import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from graphgate.v1 import graph_pb2 as _graph_pb2
from graphgate.v1 import graph_service_pb2 as _graph_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExtractionMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXTRACTION_MODE_UNSPECIFIED: _ClassVar[ExtractionMode]
    EXTRACTION_MODE_NONE: _ClassVar[ExtractionMode]
    EXTRACTION_MODE_PROVIDED: _ClassVar[ExtractionMode]

class EpisodeState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EPISODE_STATE_UNSPECIFIED: _ClassVar[EpisodeState]
    EPISODE_STATE_APPLIED: _ClassVar[EpisodeState]
EXTRACTION_MODE_UNSPECIFIED: ExtractionMode
EXTRACTION_MODE_NONE: ExtractionMode
EXTRACTION_MODE_PROVIDED: ExtractionMode
EPISODE_STATE_UNSPECIFIED: EpisodeState
EPISODE_STATE_APPLIED: EpisodeState

class AddEpisodeRequest(_message.Message):
    __slots__ = ("group_id", "episode", "mode", "entities", "facts", "mentioned_entity_uuids", "request_id", "if_version", "embedding_model", "saga_uuid", "previous_episode_uuid")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    EPISODE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    MENTIONED_ENTITY_UUIDS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    IF_VERSION_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_MODEL_FIELD_NUMBER: _ClassVar[int]
    SAGA_UUID_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_EPISODE_UUID_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    episode: _graph_pb2.Episode
    mode: ExtractionMode
    entities: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Entity]
    facts: _containers.RepeatedCompositeFieldContainer[_graph_pb2.Fact]
    mentioned_entity_uuids: _containers.RepeatedScalarFieldContainer[str]
    request_id: str
    if_version: int
    embedding_model: str
    saga_uuid: str
    previous_episode_uuid: str
    def __init__(self, group_id: _Optional[str] = ..., episode: _Optional[_Union[_graph_pb2.Episode, _Mapping]] = ..., mode: _Optional[_Union[ExtractionMode, str]] = ..., entities: _Optional[_Iterable[_Union[_graph_pb2.Entity, _Mapping]]] = ..., facts: _Optional[_Iterable[_Union[_graph_pb2.Fact, _Mapping]]] = ..., mentioned_entity_uuids: _Optional[_Iterable[str]] = ..., request_id: _Optional[str] = ..., if_version: _Optional[int] = ..., embedding_model: _Optional[str] = ..., saga_uuid: _Optional[str] = ..., previous_episode_uuid: _Optional[str] = ...) -> None: ...

class AddEpisodeResponse(_message.Message):
    __slots__ = ("episode_uuid", "state", "rows", "version", "written_at", "request_id")
    EPISODE_UUID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_AT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    episode_uuid: str
    state: EpisodeState
    rows: _containers.RepeatedCompositeFieldContainer[_graph_service_pb2.RowResult]
    version: int
    written_at: _timestamp_pb2.Timestamp
    request_id: str
    def __init__(self, episode_uuid: _Optional[str] = ..., state: _Optional[_Union[EpisodeState, str]] = ..., rows: _Optional[_Iterable[_Union[_graph_service_pb2.RowResult, _Mapping]]] = ..., version: _Optional[int] = ..., written_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

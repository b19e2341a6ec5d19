import datetime

from google.protobuf import duration_pb2 as _duration_pb2
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
    EXTRACTION_MODE_LLM: _ClassVar[ExtractionMode]

class EpisodeState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EPISODE_STATE_UNSPECIFIED: _ClassVar[EpisodeState]
    EPISODE_STATE_APPLIED: _ClassVar[EpisodeState]
    EPISODE_STATE_ACCEPTED: _ClassVar[EpisodeState]
    EPISODE_STATE_EXTRACTING: _ClassVar[EpisodeState]
    EPISODE_STATE_RESOLVING: _ClassVar[EpisodeState]
    EPISODE_STATE_WRITING: _ClassVar[EpisodeState]
    EPISODE_STATE_FAILED: _ClassVar[EpisodeState]

class TypeFieldKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TYPE_FIELD_KIND_UNSPECIFIED: _ClassVar[TypeFieldKind]
    TYPE_FIELD_KIND_STRING: _ClassVar[TypeFieldKind]
    TYPE_FIELD_KIND_INTEGER: _ClassVar[TypeFieldKind]
    TYPE_FIELD_KIND_NUMBER: _ClassVar[TypeFieldKind]
    TYPE_FIELD_KIND_BOOLEAN: _ClassVar[TypeFieldKind]
    TYPE_FIELD_KIND_TIMESTAMP: _ClassVar[TypeFieldKind]
EXTRACTION_MODE_UNSPECIFIED: ExtractionMode
EXTRACTION_MODE_NONE: ExtractionMode
EXTRACTION_MODE_PROVIDED: ExtractionMode
EXTRACTION_MODE_LLM: ExtractionMode
EPISODE_STATE_UNSPECIFIED: EpisodeState
EPISODE_STATE_APPLIED: EpisodeState
EPISODE_STATE_ACCEPTED: EpisodeState
EPISODE_STATE_EXTRACTING: EpisodeState
EPISODE_STATE_RESOLVING: EpisodeState
EPISODE_STATE_WRITING: EpisodeState
EPISODE_STATE_FAILED: EpisodeState
TYPE_FIELD_KIND_UNSPECIFIED: TypeFieldKind
TYPE_FIELD_KIND_STRING: TypeFieldKind
TYPE_FIELD_KIND_INTEGER: TypeFieldKind
TYPE_FIELD_KIND_NUMBER: TypeFieldKind
TYPE_FIELD_KIND_BOOLEAN: TypeFieldKind
TYPE_FIELD_KIND_TIMESTAMP: TypeFieldKind

class TypeField(_message.Message):
    __slots__ = ("name", "kind", "description")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: TypeFieldKind
    description: str
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[TypeFieldKind, str]] = ..., description: _Optional[str] = ...) -> None: ...

class CustomType(_message.Message):
    __slots__ = ("name", "description", "fields")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    fields: _containers.RepeatedCompositeFieldContainer[TypeField]
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., fields: _Optional[_Iterable[_Union[TypeField, _Mapping]]] = ...) -> None: ...

class TypeMapEntry(_message.Message):
    __slots__ = ("source_type", "target_type", "fact_types")
    SOURCE_TYPE_FIELD_NUMBER: _ClassVar[int]
    TARGET_TYPE_FIELD_NUMBER: _ClassVar[int]
    FACT_TYPES_FIELD_NUMBER: _ClassVar[int]
    source_type: str
    target_type: str
    fact_types: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, source_type: _Optional[str] = ..., target_type: _Optional[str] = ..., fact_types: _Optional[_Iterable[str]] = ...) -> None: ...

class ExtractionOptions(_message.Message):
    __slots__ = ("entity_types", "fact_types", "excluded_entity_types", "type_map", "instructions", "reflexion_passes", "previous_episode_uuids")
    ENTITY_TYPES_FIELD_NUMBER: _ClassVar[int]
    FACT_TYPES_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_ENTITY_TYPES_FIELD_NUMBER: _ClassVar[int]
    TYPE_MAP_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    REFLEXION_PASSES_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_EPISODE_UUIDS_FIELD_NUMBER: _ClassVar[int]
    entity_types: _containers.RepeatedCompositeFieldContainer[CustomType]
    fact_types: _containers.RepeatedCompositeFieldContainer[CustomType]
    excluded_entity_types: _containers.RepeatedScalarFieldContainer[str]
    type_map: _containers.RepeatedCompositeFieldContainer[TypeMapEntry]
    instructions: str
    reflexion_passes: int
    previous_episode_uuids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, entity_types: _Optional[_Iterable[_Union[CustomType, _Mapping]]] = ..., fact_types: _Optional[_Iterable[_Union[CustomType, _Mapping]]] = ..., excluded_entity_types: _Optional[_Iterable[str]] = ..., type_map: _Optional[_Iterable[_Union[TypeMapEntry, _Mapping]]] = ..., instructions: _Optional[str] = ..., reflexion_passes: _Optional[int] = ..., previous_episode_uuids: _Optional[_Iterable[str]] = ...) -> None: ...

class AddEpisodeRequest(_message.Message):
    __slots__ = ("group_id", "episode", "mode", "entities", "facts", "mentioned_entity_uuids", "request_id", "if_version", "embedding_model", "saga_uuid", "previous_episode_uuid", "extraction", "wait", "saga_name")
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
    EXTRACTION_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    SAGA_NAME_FIELD_NUMBER: _ClassVar[int]
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
    extraction: ExtractionOptions
    wait: bool
    saga_name: str
    def __init__(self, group_id: _Optional[str] = ..., episode: _Optional[_Union[_graph_pb2.Episode, _Mapping]] = ..., mode: _Optional[_Union[ExtractionMode, str]] = ..., entities: _Optional[_Iterable[_Union[_graph_pb2.Entity, _Mapping]]] = ..., facts: _Optional[_Iterable[_Union[_graph_pb2.Fact, _Mapping]]] = ..., mentioned_entity_uuids: _Optional[_Iterable[str]] = ..., request_id: _Optional[str] = ..., if_version: _Optional[int] = ..., embedding_model: _Optional[str] = ..., saga_uuid: _Optional[str] = ..., previous_episode_uuid: _Optional[str] = ..., extraction: _Optional[_Union[ExtractionOptions, _Mapping]] = ..., wait: _Optional[bool] = ..., saga_name: _Optional[str] = ...) -> None: ...

class EpisodeCounts(_message.Message):
    __slots__ = ("entities_created", "entities_joined", "facts_created", "facts_repeated", "facts_closed")
    ENTITIES_CREATED_FIELD_NUMBER: _ClassVar[int]
    ENTITIES_JOINED_FIELD_NUMBER: _ClassVar[int]
    FACTS_CREATED_FIELD_NUMBER: _ClassVar[int]
    FACTS_REPEATED_FIELD_NUMBER: _ClassVar[int]
    FACTS_CLOSED_FIELD_NUMBER: _ClassVar[int]
    entities_created: int
    entities_joined: int
    facts_created: int
    facts_repeated: int
    facts_closed: int
    def __init__(self, entities_created: _Optional[int] = ..., entities_joined: _Optional[int] = ..., facts_created: _Optional[int] = ..., facts_repeated: _Optional[int] = ..., facts_closed: _Optional[int] = ...) -> None: ...

class EpisodeUsage(_message.Message):
    __slots__ = ("model_requests", "input_tokens", "output_tokens", "cost_usd", "cache_hits")
    MODEL_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COST_USD_FIELD_NUMBER: _ClassVar[int]
    CACHE_HITS_FIELD_NUMBER: _ClassVar[int]
    model_requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    cache_hits: int
    def __init__(self, model_requests: _Optional[int] = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., cost_usd: _Optional[float] = ..., cache_hits: _Optional[int] = ...) -> None: ...

class EpisodeLatencies(_message.Message):
    __slots__ = ("queued", "extraction", "resolution", "writing")
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    EXTRACTION_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    WRITING_FIELD_NUMBER: _ClassVar[int]
    queued: _duration_pb2.Duration
    extraction: _duration_pb2.Duration
    resolution: _duration_pb2.Duration
    writing: _duration_pb2.Duration
    def __init__(self, queued: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., extraction: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., resolution: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., writing: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class EpisodeProblem(_message.Message):
    __slots__ = ("kind", "what")
    KIND_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    what: str
    def __init__(self, kind: _Optional[str] = ..., what: _Optional[str] = ...) -> None: ...

class EpisodeError(_message.Message):
    __slots__ = ("reason", "message", "retryable", "retry_delay", "request_id")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    RETRY_DELAY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    retryable: bool
    retry_delay: _duration_pb2.Duration
    request_id: str
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., retryable: _Optional[bool] = ..., retry_delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class EpisodeStatus(_message.Message):
    __slots__ = ("group_id", "episode_uuid", "request_id", "state", "accepted_at", "updated_at", "version", "attempts", "counts", "usage", "latencies", "problems", "problems_found", "error", "unit_size")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    EPISODE_UUID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    LATENCIES_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FOUND_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    UNIT_SIZE_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    episode_uuid: str
    request_id: str
    state: EpisodeState
    accepted_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    version: int
    attempts: int
    counts: EpisodeCounts
    usage: EpisodeUsage
    latencies: EpisodeLatencies
    problems: _containers.RepeatedCompositeFieldContainer[EpisodeProblem]
    problems_found: int
    error: EpisodeError
    unit_size: int
    def __init__(self, group_id: _Optional[str] = ..., episode_uuid: _Optional[str] = ..., request_id: _Optional[str] = ..., state: _Optional[_Union[EpisodeState, str]] = ..., accepted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ..., attempts: _Optional[int] = ..., counts: _Optional[_Union[EpisodeCounts, _Mapping]] = ..., usage: _Optional[_Union[EpisodeUsage, _Mapping]] = ..., latencies: _Optional[_Union[EpisodeLatencies, _Mapping]] = ..., problems: _Optional[_Iterable[_Union[EpisodeProblem, _Mapping]]] = ..., problems_found: _Optional[int] = ..., error: _Optional[_Union[EpisodeError, _Mapping]] = ..., unit_size: _Optional[int] = ...) -> None: ...

class AddEpisodeResponse(_message.Message):
    __slots__ = ("episode_uuid", "state", "rows", "version", "written_at", "request_id", "status")
    EPISODE_UUID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_AT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    episode_uuid: str
    state: EpisodeState
    rows: _containers.RepeatedCompositeFieldContainer[_graph_service_pb2.RowResult]
    version: int
    written_at: _timestamp_pb2.Timestamp
    request_id: str
    status: EpisodeStatus
    def __init__(self, episode_uuid: _Optional[str] = ..., state: _Optional[_Union[EpisodeState, str]] = ..., rows: _Optional[_Iterable[_Union[_graph_service_pb2.RowResult, _Mapping]]] = ..., version: _Optional[int] = ..., written_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., request_id: _Optional[str] = ..., status: _Optional[_Union[EpisodeStatus, _Mapping]] = ...) -> None: ...

class AddEpisodesRequest(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[AddEpisodeRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[AddEpisodeRequest, _Mapping]]] = ...) -> None: ...

class AddEpisodesResult(_message.Message):
    __slots__ = ("response", "error")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    response: AddEpisodeResponse
    error: EpisodeError
    def __init__(self, response: _Optional[_Union[AddEpisodeResponse, _Mapping]] = ..., error: _Optional[_Union[EpisodeError, _Mapping]] = ...) -> None: ...

class AddEpisodesResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[AddEpisodesResult]
    def __init__(self, results: _Optional[_Iterable[_Union[AddEpisodesResult, _Mapping]]] = ...) -> None: ...

class StreamEpisodesRequest(_message.Message):
    __slots__ = ("start", "item")
    class Start(_message.Message):
        __slots__ = ("stream_id",)
        STREAM_ID_FIELD_NUMBER: _ClassVar[int]
        stream_id: str
        def __init__(self, stream_id: _Optional[str] = ...) -> None: ...
    class Item(_message.Message):
        __slots__ = ("offset", "request")
        OFFSET_FIELD_NUMBER: _ClassVar[int]
        REQUEST_FIELD_NUMBER: _ClassVar[int]
        offset: int
        request: AddEpisodeRequest
        def __init__(self, offset: _Optional[int] = ..., request: _Optional[_Union[AddEpisodeRequest, _Mapping]] = ...) -> None: ...
    START_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    start: StreamEpisodesRequest.Start
    item: StreamEpisodesRequest.Item
    def __init__(self, start: _Optional[_Union[StreamEpisodesRequest.Start, _Mapping]] = ..., item: _Optional[_Union[StreamEpisodesRequest.Item, _Mapping]] = ...) -> None: ...

class StreamEpisodesResponse(_message.Message):
    __slots__ = ("started", "ack")
    class Started(_message.Message):
        __slots__ = ("resume_offset", "credits")
        RESUME_OFFSET_FIELD_NUMBER: _ClassVar[int]
        CREDITS_FIELD_NUMBER: _ClassVar[int]
        resume_offset: int
        credits: int
        def __init__(self, resume_offset: _Optional[int] = ..., credits: _Optional[int] = ...) -> None: ...
    class Ack(_message.Message):
        __slots__ = ("offset", "response", "error", "credits")
        OFFSET_FIELD_NUMBER: _ClassVar[int]
        RESPONSE_FIELD_NUMBER: _ClassVar[int]
        ERROR_FIELD_NUMBER: _ClassVar[int]
        CREDITS_FIELD_NUMBER: _ClassVar[int]
        offset: int
        response: AddEpisodeResponse
        error: EpisodeError
        credits: int
        def __init__(self, offset: _Optional[int] = ..., response: _Optional[_Union[AddEpisodeResponse, _Mapping]] = ..., error: _Optional[_Union[EpisodeError, _Mapping]] = ..., credits: _Optional[int] = ...) -> None: ...
    STARTED_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    started: StreamEpisodesResponse.Started
    ack: StreamEpisodesResponse.Ack
    def __init__(self, started: _Optional[_Union[StreamEpisodesResponse.Started, _Mapping]] = ..., ack: _Optional[_Union[StreamEpisodesResponse.Ack, _Mapping]] = ...) -> None: ...

class GetEpisodeStatusRequest(_message.Message):
    __slots__ = ("group_id", "episode_uuid", "request_id")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    EPISODE_UUID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    episode_uuid: str
    request_id: str
    def __init__(self, group_id: _Optional[str] = ..., episode_uuid: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class GetEpisodeStatusResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: EpisodeStatus
    def __init__(self, status: _Optional[_Union[EpisodeStatus, _Mapping]] = ...) -> None: ...

class WatchEpisodeRequest(_message.Message):
    __slots__ = ("group_id", "episode_uuid", "request_id")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    EPISODE_UUID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    episode_uuid: str
    request_id: str
    def __init__(self, group_id: _Optional[str] = ..., episode_uuid: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class WatchEpisodeResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: EpisodeStatus
    def __init__(self, status: _Optional[_Union[EpisodeStatus, _Mapping]] = ...) -> None: ...

class RemoveEpisodeRequest(_message.Message):
    __slots__ = ("group_id", "episode_uuid", "request_id")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    EPISODE_UUID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    episode_uuid: str
    request_id: str
    def __init__(self, group_id: _Optional[str] = ..., episode_uuid: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class RemoveEpisodeResponse(_message.Message):
    __slots__ = ("deleted", "facts_kept", "facts_reopened", "version", "request_id")
    DELETED_FIELD_NUMBER: _ClassVar[int]
    FACTS_KEPT_FIELD_NUMBER: _ClassVar[int]
    FACTS_REOPENED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    deleted: _containers.RepeatedCompositeFieldContainer[_graph_service_pb2.DeletedCount]
    facts_kept: int
    facts_reopened: int
    version: int
    request_id: str
    def __init__(self, deleted: _Optional[_Iterable[_Union[_graph_service_pb2.DeletedCount, _Mapping]]] = ..., facts_kept: _Optional[int] = ..., facts_reopened: _Optional[int] = ..., version: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class ClearGroupRequest(_message.Message):
    __slots__ = ("group_id", "request_id", "up_to_version", "discard_waiting")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    UP_TO_VERSION_FIELD_NUMBER: _ClassVar[int]
    DISCARD_WAITING_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    request_id: str
    up_to_version: int
    discard_waiting: bool
    def __init__(self, group_id: _Optional[str] = ..., request_id: _Optional[str] = ..., up_to_version: _Optional[int] = ..., discard_waiting: _Optional[bool] = ...) -> None: ...

class ClearGroupResponse(_message.Message):
    __slots__ = ("group_id", "up_to_version", "done", "deleted", "episodes_discarded", "episodes_running", "version", "request_id")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    UP_TO_VERSION_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    EPISODES_DISCARDED_FIELD_NUMBER: _ClassVar[int]
    EPISODES_RUNNING_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    up_to_version: int
    done: bool
    deleted: _containers.RepeatedCompositeFieldContainer[_graph_service_pb2.DeletedCount]
    episodes_discarded: int
    episodes_running: int
    version: int
    request_id: str
    def __init__(self, group_id: _Optional[str] = ..., up_to_version: _Optional[int] = ..., done: _Optional[bool] = ..., deleted: _Optional[_Iterable[_Union[_graph_service_pb2.DeletedCount, _Mapping]]] = ..., episodes_discarded: _Optional[int] = ..., episodes_running: _Optional[int] = ..., version: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class ListFailuresRequest(_message.Message):
    __slots__ = ("group_id", "page_size", "page_token")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    page_size: int
    page_token: str
    def __init__(self, group_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFailuresResponse(_message.Message):
    __slots__ = ("failures", "next_page_token")
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    failures: _containers.RepeatedCompositeFieldContainer[EpisodeStatus]
    next_page_token: str
    def __init__(self, failures: _Optional[_Iterable[_Union[EpisodeStatus, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ReplayFailuresRequest(_message.Message):
    __slots__ = ("group_id", "request_ids")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_IDS_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    request_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, group_id: _Optional[str] = ..., request_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ReplayFailuresResponse(_message.Message):
    __slots__ = ("replayed",)
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    replayed: _containers.RepeatedCompositeFieldContainer[EpisodeStatus]
    def __init__(self, replayed: _Optional[_Iterable[_Union[EpisodeStatus, _Mapping]]] = ...) -> None: ...

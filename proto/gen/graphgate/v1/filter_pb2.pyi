import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from graphgate.v1 import graph_pb2 as _graph_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TimeField(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TIME_FIELD_UNSPECIFIED: _ClassVar[TimeField]
    TIME_FIELD_CREATED_AT: _ClassVar[TimeField]
    TIME_FIELD_VALID_AT: _ClassVar[TimeField]
    TIME_FIELD_INVALID_AT: _ClassVar[TimeField]
    TIME_FIELD_EXPIRED_AT: _ClassVar[TimeField]
    TIME_FIELD_REFERENCE_TIME: _ClassVar[TimeField]
TIME_FIELD_UNSPECIFIED: TimeField
TIME_FIELD_CREATED_AT: TimeField
TIME_FIELD_VALID_AT: TimeField
TIME_FIELD_INVALID_AT: TimeField
TIME_FIELD_EXPIRED_AT: TimeField
TIME_FIELD_REFERENCE_TIME: TimeField

class TimeCondition(_message.Message):
    __slots__ = ("field", "not_before", "before", "is_open")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    IS_OPEN_FIELD_NUMBER: _ClassVar[int]
    field: TimeField
    not_before: _timestamp_pb2.Timestamp
    before: _timestamp_pb2.Timestamp
    is_open: bool
    def __init__(self, field: _Optional[_Union[TimeField, str]] = ..., not_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., is_open: _Optional[bool] = ...) -> None: ...

class TimeConditions(_message.Message):
    __slots__ = ("conditions",)
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    conditions: _containers.RepeatedCompositeFieldContainer[TimeCondition]
    def __init__(self, conditions: _Optional[_Iterable[_Union[TimeCondition, _Mapping]]] = ...) -> None: ...

class AttributeRange(_message.Message):
    __slots__ = ("low", "high")
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    low: _graph_pb2.AttributeScalar
    high: _graph_pb2.AttributeScalar
    def __init__(self, low: _Optional[_Union[_graph_pb2.AttributeScalar, _Mapping]] = ..., high: _Optional[_Union[_graph_pb2.AttributeScalar, _Mapping]] = ...) -> None: ...

class AttributeCondition(_message.Message):
    __slots__ = ("name", "any_of", "none_of", "range", "exists")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ANY_OF_FIELD_NUMBER: _ClassVar[int]
    NONE_OF_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    any_of: _graph_pb2.AttributeList
    none_of: _graph_pb2.AttributeList
    range: AttributeRange
    exists: bool
    def __init__(self, name: _Optional[str] = ..., any_of: _Optional[_Union[_graph_pb2.AttributeList, _Mapping]] = ..., none_of: _Optional[_Union[_graph_pb2.AttributeList, _Mapping]] = ..., range: _Optional[_Union[AttributeRange, _Mapping]] = ..., exists: _Optional[bool] = ...) -> None: ...

class RowFilter(_message.Message):
    __slots__ = ("uuids", "labels_any", "labels_all", "labels_none", "names", "sources", "source_uuids", "target_uuids", "end_uuids", "times", "attributes")
    UUIDS_FIELD_NUMBER: _ClassVar[int]
    LABELS_ANY_FIELD_NUMBER: _ClassVar[int]
    LABELS_ALL_FIELD_NUMBER: _ClassVar[int]
    LABELS_NONE_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    SOURCE_UUIDS_FIELD_NUMBER: _ClassVar[int]
    TARGET_UUIDS_FIELD_NUMBER: _ClassVar[int]
    END_UUIDS_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    uuids: _containers.RepeatedScalarFieldContainer[str]
    labels_any: _containers.RepeatedScalarFieldContainer[str]
    labels_all: _containers.RepeatedScalarFieldContainer[str]
    labels_none: _containers.RepeatedScalarFieldContainer[str]
    names: _containers.RepeatedScalarFieldContainer[str]
    sources: _containers.RepeatedScalarFieldContainer[_graph_pb2.EpisodeSource]
    source_uuids: _containers.RepeatedScalarFieldContainer[str]
    target_uuids: _containers.RepeatedScalarFieldContainer[str]
    end_uuids: _containers.RepeatedScalarFieldContainer[str]
    times: _containers.RepeatedCompositeFieldContainer[TimeConditions]
    attributes: _containers.RepeatedCompositeFieldContainer[AttributeCondition]
    def __init__(self, uuids: _Optional[_Iterable[str]] = ..., labels_any: _Optional[_Iterable[str]] = ..., labels_all: _Optional[_Iterable[str]] = ..., labels_none: _Optional[_Iterable[str]] = ..., names: _Optional[_Iterable[str]] = ..., sources: _Optional[_Iterable[_Union[_graph_pb2.EpisodeSource, str]]] = ..., source_uuids: _Optional[_Iterable[str]] = ..., target_uuids: _Optional[_Iterable[str]] = ..., end_uuids: _Optional[_Iterable[str]] = ..., times: _Optional[_Iterable[_Union[TimeConditions, _Mapping]]] = ..., attributes: _Optional[_Iterable[_Union[AttributeCondition, _Mapping]]] = ...) -> None: ...

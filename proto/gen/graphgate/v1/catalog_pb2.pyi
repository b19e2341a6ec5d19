from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CatalogFinding(_message.Message):
    __slots__ = ("kind", "group_id", "shards", "detail", "grave")
    KIND_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    GRAVE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    group_id: str
    shards: _containers.RepeatedScalarFieldContainer[str]
    detail: str
    grave: bool
    def __init__(self, kind: _Optional[str] = ..., group_id: _Optional[str] = ..., shards: _Optional[_Iterable[str]] = ..., detail: _Optional[str] = ..., grave: _Optional[bool] = ...) -> None: ...

class CatalogFindingCount(_message.Message):
    __slots__ = ("kind", "count")
    KIND_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    count: int
    def __init__(self, kind: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class CatalogReport(_message.Message):
    __slots__ = ("groups", "fences", "records", "counts", "findings", "unreachable")
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    FENCES_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    UNREACHABLE_FIELD_NUMBER: _ClassVar[int]
    groups: int
    fences: int
    records: int
    counts: _containers.RepeatedCompositeFieldContainer[CatalogFindingCount]
    findings: _containers.RepeatedCompositeFieldContainer[CatalogFinding]
    unreachable: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, groups: _Optional[int] = ..., fences: _Optional[int] = ..., records: _Optional[int] = ..., counts: _Optional[_Iterable[_Union[CatalogFindingCount, _Mapping]]] = ..., findings: _Optional[_Iterable[_Union[CatalogFinding, _Mapping]]] = ..., unreachable: _Optional[_Iterable[str]] = ...) -> None: ...

class CheckCatalogRequest(_message.Message):
    __slots__ = ("findings_max",)
    FINDINGS_MAX_FIELD_NUMBER: _ClassVar[int]
    findings_max: int
    def __init__(self, findings_max: _Optional[int] = ...) -> None: ...

class CheckCatalogResponse(_message.Message):
    __slots__ = ("report",)
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: CatalogReport
    def __init__(self, report: _Optional[_Union[CatalogReport, _Mapping]] = ...) -> None: ...

class RebuildCatalogRequest(_message.Message):
    __slots__ = ("findings_max", "validate_only")
    FINDINGS_MAX_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    findings_max: int
    validate_only: bool
    def __init__(self, findings_max: _Optional[int] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class RebuildCatalogResponse(_message.Message):
    __slots__ = ("report", "written")
    REPORT_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    report: CatalogReport
    written: int
    def __init__(self, report: _Optional[_Union[CatalogReport, _Mapping]] = ..., written: _Optional[int] = ...) -> None: ...

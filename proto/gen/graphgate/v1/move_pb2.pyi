import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from graphgate.v1 import graph_pb2 as _graph_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MoveSpace(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MOVE_SPACE_UNSPECIFIED: _ClassVar[MoveSpace]
    MOVE_SPACE_KEEP: _ClassVar[MoveSpace]
    MOVE_SPACE_POOLED: _ClassVar[MoveSpace]
    MOVE_SPACE_OWN: _ClassVar[MoveSpace]

class MoveKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MOVE_KIND_UNSPECIFIED: _ClassVar[MoveKind]
    MOVE_KIND_MOVE: _ClassVar[MoveKind]
    MOVE_KIND_REVERSE: _ClassVar[MoveKind]

class MovePhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MOVE_PHASE_UNSPECIFIED: _ClassVar[MovePhase]
    MOVE_PHASE_PLANNED: _ClassVar[MovePhase]
    MOVE_PHASE_TAKEN: _ClassVar[MovePhase]
    MOVE_PHASE_WIPING: _ClassVar[MovePhase]
    MOVE_PHASE_COPYING: _ClassVar[MovePhase]
    MOVE_PHASE_CATCHING_UP: _ClassVar[MovePhase]
    MOVE_PHASE_INDEXING: _ClassVar[MovePhase]
    MOVE_PHASE_VERIFYING: _ClassVar[MovePhase]
    MOVE_PHASE_FREEZING: _ClassVar[MovePhase]
    MOVE_PHASE_READY: _ClassVar[MovePhase]
    MOVE_PHASE_COMMITTED: _ClassVar[MovePhase]
    MOVE_PHASE_REVERSIBLE: _ClassVar[MovePhase]
    MOVE_PHASE_CLEANING: _ClassVar[MovePhase]
    MOVE_PHASE_DONE: _ClassVar[MovePhase]
    MOVE_PHASE_CANCELLING: _ClassVar[MovePhase]
    MOVE_PHASE_CANCELLED: _ClassVar[MovePhase]
    MOVE_PHASE_FAILED: _ClassVar[MovePhase]

class DifferenceSection(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIFFERENCE_SECTION_UNSPECIFIED: _ClassVar[DifferenceSection]
    DIFFERENCE_SECTION_ROW: _ClassVar[DifferenceSection]
    DIFFERENCE_SECTION_DELETION: _ClassVar[DifferenceSection]
    DIFFERENCE_SECTION_OPERATION: _ClassVar[DifferenceSection]
MOVE_SPACE_UNSPECIFIED: MoveSpace
MOVE_SPACE_KEEP: MoveSpace
MOVE_SPACE_POOLED: MoveSpace
MOVE_SPACE_OWN: MoveSpace
MOVE_KIND_UNSPECIFIED: MoveKind
MOVE_KIND_MOVE: MoveKind
MOVE_KIND_REVERSE: MoveKind
MOVE_PHASE_UNSPECIFIED: MovePhase
MOVE_PHASE_PLANNED: MovePhase
MOVE_PHASE_TAKEN: MovePhase
MOVE_PHASE_WIPING: MovePhase
MOVE_PHASE_COPYING: MovePhase
MOVE_PHASE_CATCHING_UP: MovePhase
MOVE_PHASE_INDEXING: MovePhase
MOVE_PHASE_VERIFYING: MovePhase
MOVE_PHASE_FREEZING: MovePhase
MOVE_PHASE_READY: MovePhase
MOVE_PHASE_COMMITTED: MovePhase
MOVE_PHASE_REVERSIBLE: MovePhase
MOVE_PHASE_CLEANING: MovePhase
MOVE_PHASE_DONE: MovePhase
MOVE_PHASE_CANCELLING: MovePhase
MOVE_PHASE_CANCELLED: MovePhase
MOVE_PHASE_FAILED: MovePhase
DIFFERENCE_SECTION_UNSPECIFIED: DifferenceSection
DIFFERENCE_SECTION_ROW: DifferenceSection
DIFFERENCE_SECTION_DELETION: DifferenceSection
DIFFERENCE_SECTION_OPERATION: DifferenceSection

class MoveProgress(_message.Message):
    __slots__ = ("move_id", "group_id", "kind", "phase", "source_shard", "source_space", "target_shard", "target_space", "rows_total", "rows_copied", "rows_remaining", "bytes_copied", "rounds", "rows_per_second", "eta", "pauses", "thaws", "requested_at", "updated_at", "committed_at", "ended_at", "reverse_until", "cancel_requested", "coordinator", "error_reason", "error_text", "request_id", "reverses", "indexed_at")
    MOVE_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_SHARD_FIELD_NUMBER: _ClassVar[int]
    SOURCE_SPACE_FIELD_NUMBER: _ClassVar[int]
    TARGET_SHARD_FIELD_NUMBER: _ClassVar[int]
    TARGET_SPACE_FIELD_NUMBER: _ClassVar[int]
    ROWS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    ROWS_COPIED_FIELD_NUMBER: _ClassVar[int]
    ROWS_REMAINING_FIELD_NUMBER: _ClassVar[int]
    BYTES_COPIED_FIELD_NUMBER: _ClassVar[int]
    ROUNDS_FIELD_NUMBER: _ClassVar[int]
    ROWS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    ETA_FIELD_NUMBER: _ClassVar[int]
    PAUSES_FIELD_NUMBER: _ClassVar[int]
    THAWS_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    REVERSE_UNTIL_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    COORDINATOR_FIELD_NUMBER: _ClassVar[int]
    ERROR_REASON_FIELD_NUMBER: _ClassVar[int]
    ERROR_TEXT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REVERSES_FIELD_NUMBER: _ClassVar[int]
    INDEXED_AT_FIELD_NUMBER: _ClassVar[int]
    move_id: str
    group_id: str
    kind: MoveKind
    phase: MovePhase
    source_shard: str
    source_space: str
    target_shard: str
    target_space: str
    rows_total: int
    rows_copied: int
    rows_remaining: int
    bytes_copied: int
    rounds: int
    rows_per_second: float
    eta: _duration_pb2.Duration
    pauses: _containers.RepeatedCompositeFieldContainer[_duration_pb2.Duration]
    thaws: int
    requested_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    committed_at: _timestamp_pb2.Timestamp
    ended_at: _timestamp_pb2.Timestamp
    reverse_until: _timestamp_pb2.Timestamp
    cancel_requested: bool
    coordinator: str
    error_reason: str
    error_text: str
    request_id: str
    reverses: str
    indexed_at: _timestamp_pb2.Timestamp
    def __init__(self, move_id: _Optional[str] = ..., group_id: _Optional[str] = ..., kind: _Optional[_Union[MoveKind, str]] = ..., phase: _Optional[_Union[MovePhase, str]] = ..., source_shard: _Optional[str] = ..., source_space: _Optional[str] = ..., target_shard: _Optional[str] = ..., target_space: _Optional[str] = ..., rows_total: _Optional[int] = ..., rows_copied: _Optional[int] = ..., rows_remaining: _Optional[int] = ..., bytes_copied: _Optional[int] = ..., rounds: _Optional[int] = ..., rows_per_second: _Optional[float] = ..., eta: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., pauses: _Optional[_Iterable[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]]] = ..., thaws: _Optional[int] = ..., requested_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., committed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reverse_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cancel_requested: _Optional[bool] = ..., coordinator: _Optional[str] = ..., error_reason: _Optional[str] = ..., error_text: _Optional[str] = ..., request_id: _Optional[str] = ..., reverses: _Optional[str] = ..., indexed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class MoveResult(_message.Message):
    __slots__ = ("group_id", "shard", "space", "committed_at", "reverse_until", "rows_copied", "bytes_copied", "pauses", "thaws")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    REVERSE_UNTIL_FIELD_NUMBER: _ClassVar[int]
    ROWS_COPIED_FIELD_NUMBER: _ClassVar[int]
    BYTES_COPIED_FIELD_NUMBER: _ClassVar[int]
    PAUSES_FIELD_NUMBER: _ClassVar[int]
    THAWS_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    shard: str
    space: str
    committed_at: _timestamp_pb2.Timestamp
    reverse_until: _timestamp_pb2.Timestamp
    rows_copied: int
    bytes_copied: int
    pauses: _containers.RepeatedCompositeFieldContainer[_duration_pb2.Duration]
    thaws: int
    def __init__(self, group_id: _Optional[str] = ..., shard: _Optional[str] = ..., space: _Optional[str] = ..., committed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reverse_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., rows_copied: _Optional[int] = ..., bytes_copied: _Optional[int] = ..., pauses: _Optional[_Iterable[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]]] = ..., thaws: _Optional[int] = ...) -> None: ...

class MoveGroupRequest(_message.Message):
    __slots__ = ("group_id", "to_shard", "to_space", "reverse_window", "request_id", "skip_verify", "allow_cordoned")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    TO_SHARD_FIELD_NUMBER: _ClassVar[int]
    TO_SPACE_FIELD_NUMBER: _ClassVar[int]
    REVERSE_WINDOW_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SKIP_VERIFY_FIELD_NUMBER: _ClassVar[int]
    ALLOW_CORDONED_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    to_shard: str
    to_space: MoveSpace
    reverse_window: _duration_pb2.Duration
    request_id: str
    skip_verify: bool
    allow_cordoned: bool
    def __init__(self, group_id: _Optional[str] = ..., to_shard: _Optional[str] = ..., to_space: _Optional[_Union[MoveSpace, str]] = ..., reverse_window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., request_id: _Optional[str] = ..., skip_verify: _Optional[bool] = ..., allow_cordoned: _Optional[bool] = ...) -> None: ...

class ReverseMoveRequest(_message.Message):
    __slots__ = ("move_id",)
    MOVE_ID_FIELD_NUMBER: _ClassVar[int]
    move_id: str
    def __init__(self, move_id: _Optional[str] = ...) -> None: ...

class FinishMoveRequest(_message.Message):
    __slots__ = ("move_id",)
    MOVE_ID_FIELD_NUMBER: _ClassVar[int]
    move_id: str
    def __init__(self, move_id: _Optional[str] = ...) -> None: ...

class FinishMoveResponse(_message.Message):
    __slots__ = ("move",)
    MOVE_FIELD_NUMBER: _ClassVar[int]
    move: MoveProgress
    def __init__(self, move: _Optional[_Union[MoveProgress, _Mapping]] = ...) -> None: ...

class GroupCopy(_message.Message):
    __slots__ = ("group_id", "shard", "space")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    shard: str
    space: str
    def __init__(self, group_id: _Optional[str] = ..., shard: _Optional[str] = ..., space: _Optional[str] = ...) -> None: ...

class VerifyGroupRequest(_message.Message):
    __slots__ = ("left", "right", "differences_max", "as_copy")
    LEFT_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_MAX_FIELD_NUMBER: _ClassVar[int]
    AS_COPY_FIELD_NUMBER: _ClassVar[int]
    left: GroupCopy
    right: GroupCopy
    differences_max: int
    as_copy: bool
    def __init__(self, left: _Optional[_Union[GroupCopy, _Mapping]] = ..., right: _Optional[_Union[GroupCopy, _Mapping]] = ..., differences_max: _Optional[int] = ..., as_copy: _Optional[bool] = ...) -> None: ...

class CopyDifference(_message.Message):
    __slots__ = ("section", "kind", "key")
    SECTION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    section: DifferenceSection
    kind: _graph_pb2.RowKind
    key: str
    def __init__(self, section: _Optional[_Union[DifferenceSection, str]] = ..., kind: _Optional[_Union[_graph_pb2.RowKind, str]] = ..., key: _Optional[str] = ...) -> None: ...

class VerifyReport(_message.Message):
    __slots__ = ("equal", "left_rows", "right_rows", "left_version", "right_version", "missing", "extra", "different", "missing_total", "extra_total", "different_total")
    EQUAL_FIELD_NUMBER: _ClassVar[int]
    LEFT_ROWS_FIELD_NUMBER: _ClassVar[int]
    RIGHT_ROWS_FIELD_NUMBER: _ClassVar[int]
    LEFT_VERSION_FIELD_NUMBER: _ClassVar[int]
    RIGHT_VERSION_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    EXTRA_FIELD_NUMBER: _ClassVar[int]
    DIFFERENT_FIELD_NUMBER: _ClassVar[int]
    MISSING_TOTAL_FIELD_NUMBER: _ClassVar[int]
    EXTRA_TOTAL_FIELD_NUMBER: _ClassVar[int]
    DIFFERENT_TOTAL_FIELD_NUMBER: _ClassVar[int]
    equal: bool
    left_rows: int
    right_rows: int
    left_version: int
    right_version: int
    missing: _containers.RepeatedCompositeFieldContainer[CopyDifference]
    extra: _containers.RepeatedCompositeFieldContainer[CopyDifference]
    different: _containers.RepeatedCompositeFieldContainer[CopyDifference]
    missing_total: int
    extra_total: int
    different_total: int
    def __init__(self, equal: _Optional[bool] = ..., left_rows: _Optional[int] = ..., right_rows: _Optional[int] = ..., left_version: _Optional[int] = ..., right_version: _Optional[int] = ..., missing: _Optional[_Iterable[_Union[CopyDifference, _Mapping]]] = ..., extra: _Optional[_Iterable[_Union[CopyDifference, _Mapping]]] = ..., different: _Optional[_Iterable[_Union[CopyDifference, _Mapping]]] = ..., missing_total: _Optional[int] = ..., extra_total: _Optional[int] = ..., different_total: _Optional[int] = ...) -> None: ...

class VerifyGroupResponse(_message.Message):
    __slots__ = ("report",)
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: VerifyReport
    def __init__(self, report: _Optional[_Union[VerifyReport, _Mapping]] = ...) -> None: ...

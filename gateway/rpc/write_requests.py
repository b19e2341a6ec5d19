"""Write requests as intents, checked."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from drivers.graph_model import AnyRow, Fact, Kind, NextEpisode, SagaEpisode
from drivers.row_codec import kind_of
from drivers.write_plan import ROWS_PER_WRITE_MAX
from gateway.rpc.row_messages import KIND_OF_MESSAGE
from gateway.rpc.row_reading import RowReader, mention
from gateway.rpc.validation import LABEL_CHARS_MAX, Violations, shown
from gateway.rpc.value_counts import check_value_counts
from gateway.rpc.write_content import AnyWriteRequest, DeleteRequest, content_hash
from gateway.writes.intent import RowChange, RowCondition, WriteIntent, WriteMode
from gateway.writes.writer import new_op_id, wall_clock_us
from graphgate.v1 import graph_pb2 as graph_pb
from graphgate.v1 import graph_service_pb2 as pb
from graphgate.v1 import ingest_service_pb2 as ingest_pb

_MODES: Mapping[int, WriteMode] = {
    pb.WRITE_MODE_UNSPECIFIED: WriteMode.UPSERT,
    pb.WRITE_MODE_CREATE: WriteMode.CREATE,
    pb.WRITE_MODE_UPSERT: WriteMode.UPSERT,
    pb.WRITE_MODE_PATCH: WriteMode.PATCH,
}

_PATCH_FIELDS: Mapping[str, tuple[Kind, Mapping[str, str]]] = {
    "entities": (
        Kind.ENTITY,
        {name: name for name in ("name", "summary", "labels", "attributes", "embedding")},
    ),
    "facts": (
        Kind.FACT,
        {"episode_uuids": "episodes"}
        | {
            name: name
            for name in (
                "source_uuid",
                "target_uuid",
                "name",
                "fact",
                "valid_at",
                "invalid_at",
                "attributes",
                "embedding",
            )
        },
    ),
    "episodes": (
        Kind.EPISODE,
        {
            name: name
            for name in (
                "name",
                "content",
                "source",
                "source_description",
                "reference_time",
                "attributes",
                "embedding",
            )
        },
    ),
    "communities": (Kind.COMMUNITY, {name: name for name in ("name", "summary", "embedding")}),
    "sagas": (Kind.SAGA, {name: name for name in ("name", "summary")}),
}
"""Per field of the request: its kind, and the model's name of each field that a patch may change."""

_PATHS_MAX = sum(len(names) for _, names in _PATCH_FIELDS.values())

_REQUIRED_TEXT: Mapping[Kind, tuple[str, ...]] = {
    Kind.ENTITY: ("name",),
    Kind.FACT: ("name",),
    Kind.EPISODE: ("content",),
    Kind.COMMUNITY: ("name",),
    Kind.SAGA: ("name",),
}

_KINDS_WITH_UUID = frozenset(kind for kind, _ in _PATCH_FIELDS.values())
"""The others are identified by their ends."""

_ROW_FIELDS = (*_PATCH_FIELDS, "mentions", "memberships", "saga_episodes")
_EPISODE_ROW_FIELDS = ("entities", "facts", "mentioned_entity_uuids")


def graph_intent(request: pb.WriteGraphRequest) -> WriteIntent:
    """Raises InvalidRequest."""
    v = Violations()
    op_id, content = _operation(v, request)
    mode = _MODES.get(request.mode)
    if mode is None:
        v.add("mode", f"has the unknown value {request.mode}")
        mode = WriteMode.UPSERT
    masks = _masks(v, request, mode)
    _check_count(v, request, _ROW_FIELDS)
    check_value_counts(v, request)
    reader = RowReader(v, request.group_id, op_id, wall_clock_us(), required=mode is not WriteMode.PATCH)
    rows = [
        *_each("entities", request.entities, reader.entity),
        *_each("facts", request.facts, reader.fact),
        *_each("episodes", request.episodes, reader.episode),
        *_each("mentions", request.mentions, lambda path, _, m: reader.mention(path, m)),
        *_each("communities", request.communities, reader.community),
        *_each("memberships", request.memberships, lambda path, _, m: reader.membership(path, m)),
        *_each("sagas", request.sagas, reader.saga),
        *(
            (path, row)
            for i, message in enumerate(request.saga_episodes)
            for path in (f"saga_episodes[{i}]",)
            for row in reader.saga_episode(path, message)
        ),
    ]
    if mode is WriteMode.PATCH:
        _check_patch(v, rows, masks)
    changes = _changes(v, rows)
    conditions = _conditions(v, request.conditions, {(kind_of(c.row), c.row.uuid) for c in changes})
    v.raise_if_any()
    return WriteIntent(
        group_id=request.group_id,
        op_id=op_id,
        content_hash=content,
        mode=mode,
        changes=changes,
        masks=masks,
        if_version=_if_version(request),
        conditions=conditions,
        embedding_model=request.embedding_model,
        validate_only=request.validate_only,
    )


def episode_intent(request: ingest_pb.AddEpisodeRequest) -> WriteIntent:
    """The episode is the first change. Raises InvalidRequest."""
    v = Violations()
    op_id, content = _operation(v, request)
    if request.mode not in ingest_pb.ExtractionMode.values():
        v.add("mode", f"has the unknown value {request.mode}")
    for field in ("wait", "saga_name"):
        if getattr(request, field):
            v.add(field, "is only used with mode LLM")
    if request.HasField("extraction"):
        v.add("extraction", "is only used with mode LLM")
    if request.mode != ingest_pb.EXTRACTION_MODE_PROVIDED:
        for field in ("entities", "facts", "mentioned_entity_uuids"):
            if getattr(request, field):
                v.add(field, "is only used with mode PROVIDED")
    if not request.HasField("episode"):
        v.add("episode", "is required")
    _check_count(v, request, _EPISODE_ROW_FIELDS)
    check_value_counts(v, request)
    reader = RowReader(v, request.group_id, op_id, wall_clock_us())
    episode = reader.episode("episode", 0, request.episode)
    entities = list(_each("entities", request.entities, reader.entity))
    facts = [
        (path, replace(fact, episodes=tuple(dict.fromkeys((*fact.episodes, episode.uuid)))))
        for path, fact in _each("facts", request.facts, reader.fact)
    ]
    mentioned = dict.fromkeys(
        (
            *(entity.uuid for _, entity in entities),
            *v.uuids("mentioned_entity_uuids", request.mentioned_entity_uuids),
        )
    )
    rows: list[tuple[str, AnyRow]] = [
        ("episode", episode),
        *entities,
        *facts,
        *(("mentioned_entity_uuids", mention(episode.uuid, uuid)) for uuid in mentioned),
        *(("saga_uuid", row) for row in _saga_place(v, reader, request, episode.uuid)),
    ]
    changes = _changes(v, rows)
    v.raise_if_any()
    return WriteIntent(
        group_id=request.group_id,
        op_id=op_id,
        content_hash=content,
        changes=tuple(replace(change, merge_episodes=isinstance(change.row, Fact)) for change in changes),
        if_version=_if_version(request),
        embedding_model=request.embedding_model,
        episode_uuid=episode.uuid,
    )


def delete_intent(request: DeleteRequest, kind: Kind) -> WriteIntent:
    """Raises InvalidRequest."""
    v = Violations()
    op_id, content = _operation(v, request)
    uuids = tuple(dict.fromkeys(v.uuids("uuids", request.uuids)))
    v.count("uuids", len(uuids), len(uuids), at_least=1)
    v.raise_if_any()
    return WriteIntent(
        group_id=request.group_id,
        op_id=op_id,
        # Deletions of different kinds have the same bytes.
        content_hash=f"{kind}:{content}",
        deletions=tuple((kind, uuid) for uuid in uuids),
        allow_missing=request.allow_missing,
        if_version=_if_version(request),
    )


def _operation(v: Violations, request: AnyWriteRequest) -> tuple[str, str]:
    """Operation id and content hash; checks the fields that every write has."""
    v.group_id("group_id", request.group_id)
    op_id = v.request_id("request_id", request.request_id) or new_op_id()
    if request.HasField("if_version") and request.if_version < 0:
        v.add("if_version", f"must not be negative, got {request.if_version}")
    if isinstance(request, pb.WriteGraphRequest | ingest_pb.AddEpisodeRequest):
        v.text("embedding_model", request.embedding_model, LABEL_CHARS_MAX)
    return op_id, content_hash(request)


def _check_count(v: Violations, request: AnyWriteRequest, fields: Iterable[str]) -> None:
    """Before anything is made of them: a message may have millions of rows. Raises InvalidRequest."""
    rows = sum(len(getattr(request, field)) for field in fields)
    if rows > ROWS_PER_WRITE_MAX:
        v.add("rows", f"has {rows} rows, at most {ROWS_PER_WRITE_MAX} are allowed (rows_per_write_max)")
        v.raise_if_any()


def _if_version(request: AnyWriteRequest) -> int | None:
    return request.if_version if request.HasField("if_version") else None


def _each[M, R: AnyRow](
    field: str, messages: Iterable[M], read: Callable[[str, int, M], R]
) -> Iterator[tuple[str, R]]:
    """Each row of a repeated field with its path."""
    for i, message in enumerate(messages):
        path = f"{field}[{i}]"
        yield path, read(path, i, message)


def _changes(v: Violations, rows: Iterable[tuple[str, AnyRow]]) -> tuple[RowChange, ...]:
    """Each row once; a batch that names one twice is refused, for its order would decide silently. `rows`
    with their paths in the request."""
    changes: dict[tuple[Kind, str], RowChange] = {}
    first: dict[tuple[Kind, str], str] = {}
    for path, row in rows:
        key = (kind_of(row), row.uuid)
        if key in changes and row.uuid and kind_of(row) in _KINDS_WITH_UUID:
            v.add(f"{path}.uuid", f"is {row.uuid} as in {first[key]}; give each row once")
        elif key in changes and row.uuid:
            v.add(path, f"has the same ends as {first[key]}; give each row once")
        first.setdefault(key, path)
        changes[key] = RowChange(row)
    if len(changes) > ROWS_PER_WRITE_MAX:
        v.add(
            "rows", f"has {len(changes)} rows, at most {ROWS_PER_WRITE_MAX} are allowed (rows_per_write_max)"
        )
    elif not changes:
        v.add("rows", "needs at least one row")
    return tuple(changes.values())


def _conditions(
    v: Violations, messages: Sequence[pb.RowCondition], batch: set[tuple[Kind, str]]
) -> tuple[RowCondition, ...]:
    conditions: list[RowCondition] = []
    v.count("conditions", len(messages), ROWS_PER_WRITE_MAX)
    for i, message in enumerate(messages[:ROWS_PER_WRITE_MAX]):
        kind = KIND_OF_MESSAGE.get(message.kind)
        if message.version < 0:
            v.add(f"conditions[{i}].version", f"must not be negative, got {message.version}")
        if kind is None:
            v.add(f"conditions[{i}].kind", f"must be a kind of row, got {message.kind}")
            continue
        if (kind, message.uuid) not in batch:
            v.add(f"conditions[{i}].uuid", "names a row that is not in this batch")
        conditions.append(RowCondition(kind, message.uuid, message.version))
    return tuple(conditions)


def _masks(v: Violations, request: pb.WriteGraphRequest, mode: WriteMode) -> dict[Kind, frozenset[str]]:
    paths = request.update_mask.paths
    if mode is not WriteMode.PATCH:
        if paths:
            v.add("update_mask", "is only used with mode PATCH")
        return {}
    if not paths:
        v.add("update_mask", "is required with mode PATCH")
    masks: dict[Kind, set[str]] = {}
    v.count("update_mask", len(paths), _PATHS_MAX)
    for path in paths[:_PATHS_MAX]:
        plural, _, field = path.partition(".")
        kind, names = _PATCH_FIELDS.get(plural, (None, {}))
        if kind is None or field not in names:
            v.add("update_mask", f"has the unknown path {shown(path)}")
        else:
            masks.setdefault(kind, set()).add(names[field])
    for field in ("mentions", "memberships", "saga_episodes"):
        if getattr(request, field):
            v.add(field, "cannot be patched; use mode UPSERT")
    return {kind: frozenset(names) for kind, names in masks.items()}


def _check_patch(
    v: Violations, rows: Iterable[tuple[str, AnyRow]], masks: Mapping[Kind, frozenset[str]]
) -> None:
    """A patch may leave a required text out, but not make it empty; nothing given is ignored silently."""
    for path, row in rows:
        kind = kind_of(row)
        mask = masks.get(kind)
        if not mask:
            v.add("update_mask", f"names no field of {kind}, but the batch has one")
            continue
        for name in _REQUIRED_TEXT.get(kind, ()):
            if name in mask and not str(getattr(row, name)).strip():
                v.add(f"{path}.{name}", "must not be empty")
        if getattr(row, "embedding", None) is not None and "embedding" not in mask:
            v.add("update_mask", f"does not name the embedding that {kind} {row.uuid} brings")


def _saga_place(
    v: Violations, reader: RowReader, request: ingest_pb.AddEpisodeRequest, episode_uuid: str
) -> tuple[SagaEpisode | NextEpisode, ...]:
    if not request.saga_uuid:
        if request.previous_episode_uuid:
            v.add("previous_episode_uuid", "is only used with saga_uuid")
        return ()
    message = graph_pb.SagaEpisode(
        saga_uuid=request.saga_uuid,
        episode_uuid=episode_uuid,
        previous_episode_uuid=request.previous_episode_uuid,
    )
    return reader.saga_episode("saga", message)

"""Requests to add an episode in mode LLM as jobs for the queue, checked."""

from collections.abc import Iterable, Mapping, Sequence

from drivers.graph_model import EpisodeSource
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline import triple
from gateway.ingest.pipeline.sagas import saga_uuid
from gateway.ingest.prompts.material import INSTRUCTIONS_CHARS_MAX, PREVIOUS_EPISODES_MAX
from gateway.ingest.types import (
    ANY_TYPE,
    ENTITY_TYPES_MAX,
    FACT_TYPES_MAX,
    FIELDS_MAX,
    CustomType,
    ExtractionTypes,
    FieldType,
    TypeField,
)
from gateway.rpc.row_reading import RowReader
from gateway.rpc.validation import LABEL_CHARS_MAX, NAME_CHARS_MAX, Violations, shown
from gateway.rpc.value_counts import check_value_counts
from gateway.rpc.write_content import content_hash
from gateway.writes.writer import new_op_id, wall_clock_us
from graphgate.v1 import ingest_service_pb2 as pb

REFLEXION_PASSES_MAX = 3
TYPE_MAP_MAX = 200
DESCRIPTION_CHARS_MAX = 1_000

_FIELD_TYPES: Mapping[int, FieldType] = {
    pb.TYPE_FIELD_KIND_UNSPECIFIED: FieldType.STRING,
    pb.TYPE_FIELD_KIND_STRING: FieldType.STRING,
    pb.TYPE_FIELD_KIND_INTEGER: FieldType.INTEGER,
    pb.TYPE_FIELD_KIND_NUMBER: FieldType.NUMBER,
    pb.TYPE_FIELD_KIND_BOOLEAN: FieldType.BOOLEAN,
    pb.TYPE_FIELD_KIND_TIMESTAMP: FieldType.TIMESTAMP,
}
_NOT_WITH_LLM = ("entities", "facts", "mentioned_entity_uuids")


def episode_job(request: pb.AddEpisodeRequest, op_id: str = "") -> EpisodeJob:
    """`op_id`: of a request that names none; empty: a new one. Raises InvalidRequest."""
    v = Violations()
    v.group_id("group_id", request.group_id)
    op_id = v.request_id("request_id", request.request_id) or op_id or new_op_id()
    for field in _NOT_WITH_LLM:
        if getattr(request, field):
            v.add(field, "is only used with mode PROVIDED")
    if request.HasField("if_version"):
        v.add("if_version", "is not used with mode LLM: the group changes while the episode waits")
    if request.embedding_model or request.episode.embedding:
        v.add("episode.embedding", "is made by the gateway in mode LLM; leave it and embedding_model out")
    if not request.HasField("episode"):
        v.add("episode", "is required")
    check_value_counts(v, request)
    reader = RowReader(v, request.group_id, op_id, wall_clock_us())
    episode = reader.episode("episode", 0, request.episode)
    if episode.source is EpisodeSource.FACT_TRIPLE and triple.parts(episode.content) is None:
        v.add(
            "episode.content", 'is no triple; write "subject | predicate | object" or a JSON array of three'
        )
    saga, saga_name = _saga(v, request)
    types = _types(v, request.extraction)
    passes = request.extraction.reflexion_passes
    v.number("extraction.reflexion_passes", passes, 0, REFLEXION_PASSES_MAX)
    previous = v.uuids(
        "extraction.previous_episode_uuids",
        request.extraction.previous_episode_uuids,
        at_most=PREVIOUS_EPISODES_MAX,
    )
    v.raise_if_any()
    return EpisodeJob(
        group_id=request.group_id,
        op_id=op_id,
        content_hash=f"llm:{_content(request)}",
        episode_uuid=episode.uuid,
        name=episode.name,
        content=episode.content,
        source=episode.source,
        source_description=episode.source_description,
        reference_time=episode.reference_time,
        attributes=episode.attributes,
        types=types,
        reflexion_passes=passes,
        previous_uuids=tuple(dict.fromkeys(previous)),
        saga_uuid=saga,
        saga_name=saga_name,
        previous_in_saga=request.previous_episode_uuid,
    )


def _content(request: pb.AddEpisodeRequest) -> str:
    """Whether the caller waits makes no other episode."""
    waits = request.wait
    request.wait = False
    content = content_hash(request)
    request.wait = waits
    return content


def _saga(v: Violations, request: pb.AddEpisodeRequest) -> tuple[str, str]:
    """uuid, and the name if it is to be made."""
    if request.saga_name:
        if request.saga_uuid:
            v.add("saga_name", "cannot be combined with saga_uuid")
        v.text("saga_name", request.saga_name, NAME_CHARS_MAX, required=True)
    elif request.saga_uuid:
        v.uuid("saga_uuid", request.saga_uuid)
    if request.previous_episode_uuid:
        if not request.saga_uuid and not request.saga_name:
            v.add("previous_episode_uuid", "is only used with saga_uuid or saga_name")
        v.uuid("previous_episode_uuid", request.previous_episode_uuid)
    if request.saga_name:
        return saga_uuid(request.group_id, request.saga_name), request.saga_name
    return request.saga_uuid, ""


def _types(v: Violations, options: pb.ExtractionOptions) -> ExtractionTypes:
    entities = _custom(v, "extraction.entity_types", options.entity_types, ENTITY_TYPES_MAX)
    facts = _custom(v, "extraction.fact_types", options.fact_types, FACT_TYPES_MAX)
    known = {ANY_TYPE, *(one.name for one in entities)}
    v.count("extraction.excluded_entity_types", len(options.excluded_entity_types), ENTITY_TYPES_MAX + 1)
    for number, name in enumerate(options.excluded_entity_types[: ENTITY_TYPES_MAX + 1]):
        if name not in known:
            v.add(f"extraction.excluded_entity_types[{number}]", f"is no entity type: {shown(name)}")
    v.text("extraction.instructions", options.instructions, INSTRUCTIONS_CHARS_MAX)
    return ExtractionTypes(
        entities=entities,
        facts=facts,
        excluded_entities=frozenset(options.excluded_entity_types),
        type_map=_type_map(v, options.type_map, known, {one.name for one in facts}),
        instructions=options.instructions,
    )


def _type_map(
    v: Violations, entries: Sequence[pb.TypeMapEntry], entities: set[str], facts: set[str]
) -> Mapping[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    v.count("extraction.type_map", len(entries), TYPE_MAP_MAX)
    for number, entry in enumerate(entries[:TYPE_MAP_MAX]):
        path = f"extraction.type_map[{number}]"
        for field, name in (("source_type", entry.source_type), ("target_type", entry.target_type)):
            if name not in entities:
                v.add(f"{path}.{field}", f"is no entity type: {shown(name)}")
        v.count(f"{path}.fact_types", len(entry.fact_types), FACT_TYPES_MAX, at_least=1)
        for name in entry.fact_types[:FACT_TYPES_MAX]:
            if name not in facts:
                v.add(f"{path}.fact_types", f"is no fact type: {shown(name)}")
        pair = (entry.source_type, entry.target_type)
        if pair in found:
            v.add(path, "has the same types as an entry before; give each pair once")
        found[pair] = tuple(dict.fromkeys(entry.fact_types))
    return found


def _custom(
    v: Violations, path: str, messages: Sequence[pb.CustomType], at_most: int
) -> tuple[CustomType, ...]:
    v.count(path, len(messages), at_most)
    found = [_one(v, f"{path}[{number}]", message) for number, message in enumerate(messages[:at_most])]
    _once(v, path, (one.name for one in found))
    return tuple(found)


def _one(v: Violations, path: str, message: pb.CustomType) -> CustomType:
    v.count(f"{path}.fields", len(message.fields), FIELDS_MAX)
    fields: list[TypeField] = []
    for number, one in enumerate(message.fields[:FIELDS_MAX]):
        own = f"{path}.fields[{number}]"
        kind = _FIELD_TYPES.get(one.kind)
        if kind is None:
            v.add(f"{own}.kind", f"has the unknown value {one.kind}")
        fields.append(
            TypeField(
                v.text(f"{own}.name", one.name, LABEL_CHARS_MAX, required=True),
                kind or FieldType.STRING,
                v.text(f"{own}.description", one.description, DESCRIPTION_CHARS_MAX),
            )
        )
    _once(v, f"{path}.fields", (one.name for one in fields))
    return CustomType(
        v.text(f"{path}.name", message.name, LABEL_CHARS_MAX, required=True),
        v.text(f"{path}.description", message.description, DESCRIPTION_CHARS_MAX),
        tuple(fields),
    )


def _once(v: Violations, path: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for number, name in enumerate(names):
        if name in seen:
            v.add(f"{path}[{number}].name", f"is {shown(name)} as one before; give each name once")
        seen.add(name)

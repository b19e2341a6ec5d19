"""Rows from their messages, checked field by field."""

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from drivers.graph_model import (
    OPEN_END,
    OPEN_START,
    Attributes,
    AttributeScalar,
    AttributeValue,
    Community,
    Entity,
    Episode,
    EpisodeSource,
    Fact,
    Kind,
    Membership,
    Mention,
    NextEpisode,
    Saga,
    SagaEpisode,
    Timestamp,
    Vector,
)
from gateway.rpc.validation import (
    ATTRIBUTE_LIST_MAX,
    ATTRIBUTE_NAME_CHARS_MAX,
    ATTRIBUTE_TEXT_CHARS_MAX,
    ATTRIBUTES_MAX,
    CONTENT_CHARS_MAX,
    LABEL_CHARS_MAX,
    LABELS_MAX,
    NAME_CHARS_MAX,
    SUMMARY_CHARS_MAX,
    Violations,
)
from gateway.writes.intent import edge_uuid, row_uuid
from gateway.writes.planner import FACT_EPISODES_MAX
from graphgate.v1 import graph_pb2 as pb


class _HasUuid(Protocol):
    @property
    def uuid(self) -> str: ...


class RowReader:
    """Reads the rows of one write. `required` says whether texts that a whole row needs must be
    there: a patch gives only some fields."""

    def __init__(self, v: Violations, group_id: str, op_id: str, now: int, *, required: bool = True) -> None:
        self._v = v
        self._group_id = group_id
        self._op_id = op_id
        self._now = now
        self._required = required
        self._dimensions: dict[Kind, int] = {}
        """Of the first vector of each kind."""

    def entity(self, path: str, position: int, message: pb.Entity) -> Entity:
        self._v.row_bytes(path, message.ByteSize())
        return Entity(
            uuid=self._uuid(path, Kind.ENTITY, position, message),
            name=self._name(f"{path}.name", message.name),
            summary=self._v.text(f"{path}.summary", message.summary, SUMMARY_CHARS_MAX),
            labels=self._labels(f"{path}.labels", message.labels),
            attributes=self._attributes(f"{path}.attributes", message.attributes),
            embedding=self._vector(Kind.ENTITY, f"{path}.embedding", message.embedding),
        )

    def fact(self, path: str, position: int, message: pb.Fact) -> Fact:
        self._v.row_bytes(path, message.ByteSize())
        v = self._v
        valid_at = (
            v.time(f"{path}.valid_at", message.valid_at) if message.HasField("valid_at") else OPEN_START
        )
        invalid_at = (
            v.time(f"{path}.invalid_at", message.invalid_at) if message.HasField("invalid_at") else OPEN_END
        )
        if invalid_at < valid_at:
            v.add(f"{path}.invalid_at", "must not be before valid_at")
        return Fact(
            uuid=self._uuid(path, Kind.FACT, position, message),
            source_uuid=self._end(f"{path}.source_uuid", message.source_uuid),
            target_uuid=self._end(f"{path}.target_uuid", message.target_uuid),
            name=self._name(f"{path}.name", message.name),
            fact=v.text(f"{path}.fact", message.fact, SUMMARY_CHARS_MAX),
            episodes=tuple(
                dict.fromkeys(
                    v.uuids(f"{path}.episode_uuids", message.episode_uuids, at_most=FACT_EPISODES_MAX)
                )
            ),
            valid_at=valid_at,
            invalid_at=invalid_at,
            attributes=self._attributes(f"{path}.attributes", message.attributes),
            embedding=self._vector(Kind.FACT, f"{path}.embedding", message.embedding),
        )

    def episode(self, path: str, position: int, message: pb.Episode) -> Episode:
        self._v.row_bytes(path, message.ByteSize())
        v = self._v
        return Episode(
            uuid=self._uuid(path, Kind.EPISODE, position, message),
            name=v.text(f"{path}.name", message.name, NAME_CHARS_MAX),
            content=v.text(f"{path}.content", message.content, CONTENT_CHARS_MAX, required=self._required),
            source=self._source(f"{path}.source", message.source),
            source_description=v.text(
                f"{path}.source_description", message.source_description, NAME_CHARS_MAX
            ),
            reference_time=v.time(f"{path}.reference_time", message.reference_time)
            if message.HasField("reference_time")
            else self._now,
            attributes=self._attributes(f"{path}.attributes", message.attributes),
            embedding=self._vector(Kind.EPISODE, f"{path}.embedding", message.embedding),
        )

    def community(self, path: str, position: int, message: pb.Community) -> Community:
        self._v.row_bytes(path, message.ByteSize())
        return Community(
            uuid=self._uuid(path, Kind.COMMUNITY, position, message),
            name=self._name(f"{path}.name", message.name),
            summary=self._v.text(f"{path}.summary", message.summary, SUMMARY_CHARS_MAX),
            embedding=self._vector(Kind.COMMUNITY, f"{path}.embedding", message.embedding),
        )

    def saga(self, path: str, position: int, message: pb.Saga) -> Saga:
        self._v.row_bytes(path, message.ByteSize())
        return Saga(
            uuid=self._uuid(path, Kind.SAGA, position, message),
            name=self._name(f"{path}.name", message.name),
            summary=self._v.text(f"{path}.summary", message.summary, SUMMARY_CHARS_MAX),
        )

    def mention(self, path: str, message: pb.Mention) -> Mention:
        source = self._v.uuid(f"{path}.episode_uuid", message.episode_uuid)
        target = self._v.uuid(f"{path}.entity_uuid", message.entity_uuid)
        return mention(source, target)

    def membership(self, path: str, message: pb.Membership) -> Membership:
        source = self._v.uuid(f"{path}.community_uuid", message.community_uuid)
        target = self._v.uuid(f"{path}.entity_uuid", message.entity_uuid)
        return Membership(
            uuid=edge_uuid(Kind.MEMBERSHIP, source, target), source_uuid=source, target_uuid=target
        )

    def saga_episode(self, path: str, message: pb.SagaEpisode) -> tuple[SagaEpisode | NextEpisode, ...]:
        """The edge from the saga, and the one from the episode before it if there is one."""
        saga = self._v.uuid(f"{path}.saga_uuid", message.saga_uuid)
        episode = self._v.uuid(f"{path}.episode_uuid", message.episode_uuid)
        place = SagaEpisode(
            uuid=edge_uuid(Kind.SAGA_EPISODE, saga, episode), source_uuid=saga, target_uuid=episode
        )
        if not message.previous_episode_uuid:
            return (place,)
        previous = self._v.uuid(f"{path}.previous_episode_uuid", message.previous_episode_uuid)
        if previous == episode:
            self._v.add(f"{path}.previous_episode_uuid", "is the episode itself")
        link = NextEpisode(
            uuid=edge_uuid(Kind.NEXT_EPISODE, saga, previous, episode),
            source_uuid=previous,
            target_uuid=episode,
            saga_uuid=saga,
        )
        return (place, link)

    def _vector(self, kind: Kind, field: str, values: Sequence[float]) -> Vector | None:
        vector = self._v.vector(field, values)
        if vector is not None:
            dimension = self._dimensions.setdefault(kind, len(vector))
            if len(vector) != dimension:
                self._v.add(
                    field, f"has {len(vector)} dimensions, the first of {kind} in this batch has {dimension}"
                )
        return vector

    def _uuid(self, path: str, kind: Kind, position: int, message: _HasUuid) -> str:
        if message.uuid or not self._required:
            return self._v.uuid(f"{path}.uuid", message.uuid)
        return row_uuid(self._group_id, self._op_id, kind, position)

    def _end(self, field: str, value: str) -> str:
        return self._v.uuid(field, value) if value or self._required else value

    def _name(self, field: str, value: str) -> str:
        return self._v.text(field, value, NAME_CHARS_MAX, required=self._required)

    def _source(self, field: str, number: int) -> EpisodeSource:
        if number == pb.EPISODE_SOURCE_UNSPECIFIED:
            return EpisodeSource.TEXT
        if number not in pb.EpisodeSource.values():
            self._v.add(field, f"has the unknown value {number}")
            return EpisodeSource.TEXT
        name = pb.EpisodeSource.Name(pb.EpisodeSource.ValueType(number))
        return EpisodeSource(name.removeprefix("EPISODE_SOURCE_"))

    def _labels(self, field: str, labels: Sequence[str]) -> tuple[str, ...]:
        self._v.count(field, len(labels), LABELS_MAX)
        for position, label in enumerate(labels[:LABELS_MAX]):
            self._v.text(f"{field}[{position}]", label, LABEL_CHARS_MAX, required=True)
        return tuple(dict.fromkeys(labels))

    def _attributes(self, field: str, messages: Mapping[str, pb.AttributeValue]) -> Attributes:
        self._v.count(field, len(messages), ATTRIBUTES_MAX)
        if len(messages) > ATTRIBUTES_MAX:
            return {}
        attributes: dict[str, AttributeValue] = {}
        for name in messages:
            path = f"{field}[{name[:ATTRIBUTE_NAME_CHARS_MAX]!r}]"
            self._v.text(path, name, ATTRIBUTE_NAME_CHARS_MAX, required=True)
            if "\x1f" in name:
                self._v.add(path, "has a U+001F character in its name; remove it")
            value = self._attribute(path, messages[name])
            if value is not None:
                attributes[name] = value
        return attributes

    def _attribute(self, path: str, message: pb.AttributeValue) -> AttributeValue | None:
        match message.WhichOneof("value"):
            case "scalar":
                return attribute_scalar(self._v, path, message.scalar)
            case "list":
                self._v.count(path, len(message.list.values), ATTRIBUTE_LIST_MAX)
                scalars = [
                    attribute_scalar(self._v, path, item) for item in message.list.values[:ATTRIBUTE_LIST_MAX]
                ]
                if len({type(scalar) for scalar in scalars}) > 1:
                    self._v.add(path, "mixes types in one list")
                return tuple(scalar for scalar in scalars if scalar is not None)
            case _:
                self._v.add(path, "has no value")
                return None


def attribute_scalar(v: Violations, path: str, message: pb.AttributeScalar) -> AttributeScalar | None:
    """None where there is no value, which is noted."""
    match message.WhichOneof("value"):
        case "string_value":
            return v.text(path, message.string_value, ATTRIBUTE_TEXT_CHARS_MAX)
        case "int64_value":
            return message.int64_value
        case "double_value":
            if not math.isfinite(message.double_value):
                v.add(path, "is not a finite number")
            return message.double_value
        case "bool_value":
            return message.bool_value
        case "timestamp_value":
            return Timestamp(v.time(path, message.timestamp_value))
        case _:
            v.add(path, "has no value")
            return None


def mention(episode_uuid: str, entity_uuid: str) -> Mention:
    return Mention(
        uuid=edge_uuid(Kind.MENTION, episode_uuid, entity_uuid),
        source_uuid=episode_uuid,
        target_uuid=entity_uuid,
    )

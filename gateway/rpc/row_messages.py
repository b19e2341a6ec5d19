"""Rows between their messages and the graph model."""

from collections.abc import Mapping
from typing import cast

from google.protobuf.timestamp_pb2 import Timestamp as TimestampMessage

from drivers.graph_model import (
    OPEN_END,
    OPEN_START,
    AnyRow,
    Attributes,
    AttributeScalar,
    AttributeValue,
    Community,
    Entity,
    Episode,
    EpisodeSource,
    Fact,
    Kind,
    Mention,
    Saga,
    Timestamp,
)
from graphgate.v1 import graph_pb2 as pb

ROW_KIND: Mapping[Kind, pb.RowKind] = {
    kind: cast("pb.RowKind", pb.RowKind.Value(f"ROW_KIND_{kind}")) for kind in Kind
}
KIND_OF_MESSAGE: Mapping[int, Kind] = {int(number): kind for kind, number in ROW_KIND.items()}

EPISODE_SOURCE: Mapping[EpisodeSource, pb.EpisodeSource] = {
    source: cast("pb.EpisodeSource", pb.EpisodeSource.Value(f"EPISODE_SOURCE_{source}"))
    for source in EpisodeSource
}

type RowMessage = pb.Entity | pb.Fact | pb.Episode | pb.Mention | pb.Community | pb.Saga


def timestamp(epoch_us: int) -> TimestampMessage:
    return TimestampMessage(seconds=epoch_us // 1_000_000, nanos=epoch_us % 1_000_000 * 1_000)


def _bound(epoch_us: int) -> TimestampMessage | None:
    """None for an open start or end: the field stays unset."""
    return None if epoch_us in (OPEN_START, OPEN_END) else timestamp(epoch_us)


def _scalar(value: AttributeScalar) -> pb.AttributeScalar:
    match value:
        case bool():
            return pb.AttributeScalar(bool_value=value)
        case int():
            return pb.AttributeScalar(int64_value=value)
        case float():
            return pb.AttributeScalar(double_value=value)
        case str():
            return pb.AttributeScalar(string_value=value)
        case Timestamp():
            return pb.AttributeScalar(timestamp_value=timestamp(value.epoch_us))


def _attribute(value: AttributeValue) -> pb.AttributeValue:
    if isinstance(value, tuple):
        return pb.AttributeValue(list=pb.AttributeList(values=[_scalar(item) for item in value]))
    return pb.AttributeValue(scalar=_scalar(value))


def _attributes(attributes: Attributes) -> dict[str, pb.AttributeValue]:
    return {name: _attribute(value) for name, value in attributes.items()}


def _embedding(row: Entity | Fact | Episode | Community) -> list[float]:
    return [] if row.embedding is None else row.embedding.tolist()


def entity_message(row: Entity) -> pb.Entity:
    return pb.Entity(
        uuid=row.uuid,
        name=row.name,
        summary=row.summary,
        labels=row.labels,
        attributes=_attributes(row.attributes),
        embedding=_embedding(row),
        created_at=timestamp(row.created_at),
        version=row.version,
    )


def fact_message(row: Fact) -> pb.Fact:
    return pb.Fact(
        uuid=row.uuid,
        source_uuid=row.source_uuid,
        target_uuid=row.target_uuid,
        name=row.name,
        fact=row.fact,
        episode_uuids=row.episodes,
        valid_at=_bound(row.valid_at),
        invalid_at=_bound(row.invalid_at),
        attributes=_attributes(row.attributes),
        embedding=_embedding(row),
        created_at=timestamp(row.created_at),
        expired_at=_bound(row.expired_at),
        closures=[
            pb.Closure(
                closed_at=timestamp(closure.closed_at),
                previous_invalid_at=_bound(closure.previous_end),
                episode_uuid=closure.episode_uuid,
            )
            for closure in row.closures
        ],
        version=row.version,
    )


def episode_message(row: Episode) -> pb.Episode:
    return pb.Episode(
        uuid=row.uuid,
        name=row.name,
        content=row.content,
        source=EPISODE_SOURCE[row.source],
        source_description=row.source_description,
        reference_time=timestamp(row.reference_time),
        attributes=_attributes(row.attributes),
        embedding=_embedding(row),
        created_at=timestamp(row.created_at),
        version=row.version,
    )


def mention_message(row: Mention) -> pb.Mention:
    return pb.Mention(
        uuid=row.uuid,
        episode_uuid=row.source_uuid,
        entity_uuid=row.target_uuid,
        created_at=timestamp(row.created_at),
        version=row.version,
    )


def community_message(row: Community) -> pb.Community:
    return pb.Community(
        uuid=row.uuid,
        name=row.name,
        summary=row.summary,
        embedding=_embedding(row),
        created_at=timestamp(row.created_at),
        version=row.version,
    )


def saga_message(row: Saga) -> pb.Saga:
    return pb.Saga(
        uuid=row.uuid,
        name=row.name,
        summary=row.summary,
        created_at=timestamp(row.created_at),
        version=row.version,
    )


def row_message(row: AnyRow) -> RowMessage:
    """The message of a row of a kind that can be read through the API."""
    match row:
        case Entity():
            return entity_message(row)
        case Fact():
            return fact_message(row)
        case Episode():
            return episode_message(row)
        case Mention():
            return mention_message(row)
        case Community():
            return community_message(row)
        case Saga():
            return saga_message(row)
        case _:
            raise AssertionError(f"{type(row).__name__} has no message")

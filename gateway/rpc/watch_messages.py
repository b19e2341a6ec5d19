"""Changes of a group as messages of a watch, small enough for every client."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from drivers.graph_model import (
    AnyRow,
    Community,
    Entity,
    Episode,
    Fact,
    Kind,
    Membership,
    NextEpisode,
    SagaEpisode,
)
from drivers.reads import Changes, Tombstone
from drivers.row_codec import kind_of
from gateway.rpc.row_messages import ROW_KIND, row_message, timestamp
from graphgate.v1 import graph_pb2
from graphgate.v1 import graph_service_pb2 as pb

_FIELD: Mapping[Kind, str] = {
    Kind.ENTITY: "entities",
    Kind.FACT: "facts",
    Kind.EPISODE: "episodes",
    Kind.MENTION: "mentions",
    Kind.COMMUNITY: "communities",
    Kind.MEMBERSHIP: "memberships",
    Kind.SAGA: "sagas",
    Kind.SAGA_EPISODE: "saga_places",
    Kind.NEXT_EPISODE: "episode_links",
}
_ITEM_BYTES = 8
"""Tag and length of an item, at most, as long as it is below 2 GiB."""


def watch_messages(
    changes: Changes, position: int, group_version: int, *, with_embedding: bool, bytes_max: int
) -> Iterator[pb.WatchResponse]:
    """None when nothing changed. Each has at most about `bytes_max` unless one row alone is larger; each but
    the last has as its position the last version that is wholly in it and those before it: `position` at
    least."""
    changed = sorted((*changes.rows, *changes.tombstones), key=lambda change: change.version)
    message, size, whole = pb.WatchResponse(group_version=group_version), 0, position
    for i, change in enumerate(changed):
        field, item = _item(change, with_embedding=with_embedding)
        if size and size + item.ByteSize() + _ITEM_BYTES > bytes_max:
            message.position = whole
            yield message
            message, size = pb.WatchResponse(group_version=group_version), 0
        getattr(message, field).append(item)
        size += item.ByteSize() + _ITEM_BYTES
        if i + 1 == len(changed) or changed[i + 1].version > change.version:
            whole = change.version
    if size:
        message.position = changes.bound
        yield message


def _item(change: AnyRow | Tombstone, *, with_embedding: bool) -> tuple[str, Any]:
    """The field of the answer and what goes into it."""
    match change:
        case Tombstone():
            return "deleted", pb.DeletedRow(
                kind=ROW_KIND[change.kind], uuid=change.uuid, version=change.version
            )
        case Membership():
            item = graph_pb2.Membership(
                uuid=change.uuid,
                community_uuid=change.source_uuid,
                entity_uuid=change.target_uuid,
                created_at=timestamp(change.created_at),
                version=change.version,
            )
        case SagaEpisode():
            item = pb.SagaPlace(
                uuid=change.uuid,
                saga_uuid=change.source_uuid,
                episode_uuid=change.target_uuid,
                created_at=timestamp(change.created_at),
                version=change.version,
            )
        case NextEpisode():
            item = pb.EpisodeLink(
                uuid=change.uuid,
                episode_uuid=change.source_uuid,
                next_episode_uuid=change.target_uuid,
                saga_uuid=change.saga_uuid,
                created_at=timestamp(change.created_at),
                version=change.version,
            )
        case Entity() | Fact() | Episode() | Community() if not with_embedding:
            item = row_message(replace(change, embedding=None))
        case _:
            item = row_message(change)
    return _FIELD[kind_of(change)], item

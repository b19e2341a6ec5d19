"""Rows as the property maps that both engines store: the one place that knows the property names.

`encode` gives every property of a row but three, which the shard gives: created_at and version when
it commits, and the vector, which is written in the engine's own way. Every property is always
present, so that writing the map over an older row replaces it.

`COLUMNS[kind]` names the properties to read, in the order in which `decode` takes their values.
"""

from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import Any, cast

from drivers import attribute_codec
from drivers.graph_model import (
    KIND_OF,
    TEXT_KINDS,
    AnyRow,
    Closure,
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
    Vector,
)
from drivers.group_key import group_key

type Property = str | int | list[str] | list[int]

LABEL: Mapping[Kind, str] = {
    Kind.ENTITY: "Entity",
    Kind.EPISODE: "Episode",
    Kind.COMMUNITY: "Community",
    Kind.SAGA: "Saga",
    Kind.FACT: "RELATES_TO",
    Kind.MENTION: "MENTIONS",
    Kind.MEMBERSHIP: "HAS_MEMBER",
    Kind.SAGA_EPISODE: "HAS_EPISODE",
    Kind.NEXT_EPISODE: "NEXT_EPISODE",
}
"""Engine label of a node kind, relationship type of an edge kind."""

_BASE = ("uuid", "created_at", "version")
_EDGE = (*_BASE, "source_uuid", "target_uuid")
_TERMS = ("terms", "term_count")

COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    Kind.ENTITY: (*_BASE, *_TERMS, "name", "summary", "labels", "attributes"),
    Kind.EPISODE: (
        *_BASE,
        *_TERMS,
        "name",
        "content",
        "source",
        "source_description",
        "reference_time",
        "attributes",
    ),
    Kind.COMMUNITY: (*_BASE, *_TERMS, "name", "summary"),
    Kind.SAGA: (*_BASE, "name", "summary"),
    Kind.FACT: (
        *_EDGE,
        *_TERMS,
        "name",
        "fact",
        "episodes",
        "valid_at",
        "invalid_at",
        "expired_at",
        "closure_at",
        "closure_end",
        "closure_episode",
        "closure_fact",
        "attributes",
    ),
    Kind.MENTION: _EDGE,
    Kind.MEMBERSHIP: _EDGE,
    Kind.SAGA_EPISODE: _EDGE,
    Kind.NEXT_EPISODE: (*_EDGE, "saga_uuid"),
}


def pk(group_id: str, uuid: str) -> str:
    """The unique key of a row among all groups of a space."""
    return f"{group_id}/{uuid}"


def tombstone_pk(group_id: str, kind: Kind, uuid: str) -> str:
    """The unique key of a tombstone: kinds have their own uuids."""
    return f"{group_id}/{kind}/{uuid}"


def encode(group_id: str, row: AnyRow) -> dict[str, Property]:
    """Every property of `row` but created_at, version and the vector."""
    properties: dict[str, Property] = {
        "pk": pk(group_id, row.uuid),
        "group_id": group_id,
        "uuid": row.uuid,
    }
    if isinstance(row, Entity | Episode | Community | Fact):
        properties["group_key"] = group_key(group_id)
        properties["terms"] = row.terms
        properties["term_count"] = row.term_count
    if isinstance(row, Entity | Episode | Fact):
        properties["attributes"] = attribute_codec.to_json(row.attributes)
        properties["attribute_index"] = attribute_codec.index_terms(row.attributes)
    if isinstance(row, Fact | Mention | Membership | SagaEpisode | NextEpisode):
        properties["source_uuid"] = row.source_uuid
        properties["target_uuid"] = row.target_uuid
    match row:
        case Entity():
            properties |= {"name": row.name, "summary": row.summary, "labels": list(row.labels)}
        case Episode():
            properties |= {
                "name": row.name,
                "content": row.content,
                "source": str(row.source),
                "source_description": row.source_description,
                "reference_time": row.reference_time,
            }
        case Community() | Saga():
            properties |= {"name": row.name, "summary": row.summary}
        case Fact():
            properties |= {
                "name": row.name,
                "fact": row.fact,
                "episodes": list(row.episodes),
                "valid_at": row.valid_at,
                "invalid_at": row.invalid_at,
                "expired_at": row.expired_at,
                "closure_at": [closure.closed_at for closure in row.closures],
                "closure_end": [closure.previous_end for closure in row.closures],
                "closure_episode": [closure.episode_uuid for closure in row.closures],
                "closure_fact": [closure.fact_uuid for closure in row.closures],
            }
        case NextEpisode():
            properties["saga_uuid"] = row.saga_uuid
        case Mention() | Membership() | SagaEpisode():
            pass
    return properties


def _closures(v: Mapping[str, Any]) -> tuple[Closure, ...]:
    """Rows that were written before closures had facts have no list of them."""
    times, ends, episodes = (v[name] or () for name in ("closure_at", "closure_end", "closure_episode"))
    facts = chain(v["closure_fact"] or (), repeat(""))
    return tuple(
        Closure(at, end, episode, next(facts)) for at, end, episode in zip(times, ends, episodes, strict=True)
    )


def decode(kind: Kind, values: Sequence[Any], vector: Vector | None = None) -> AnyRow:
    """A row from the values of COLUMNS[kind]. A null is taken as the property's empty value."""
    columns = COLUMNS[kind]
    assert len(values) == len(columns), (kind, len(values), len(columns))
    v = dict(zip(columns, values, strict=True))
    common: dict[str, Any] = {
        "uuid": v["uuid"],
        "created_at": v["created_at"] or 0,
        "version": v["version"] or 0,
    }
    if kind in TEXT_KINDS:
        common |= {"terms": v["terms"] or "", "term_count": v["term_count"] or 0, "embedding": vector}
    if "source_uuid" in v:
        common |= {"source_uuid": v["source_uuid"], "target_uuid": v["target_uuid"]}
    if "attributes" in v:
        common["attributes"] = attribute_codec.from_json(v["attributes"] or "")
    match kind:
        case Kind.ENTITY:
            return Entity(
                **common, name=v["name"] or "", summary=v["summary"] or "", labels=tuple(v["labels"] or ())
            )
        case Kind.EPISODE:
            return Episode(
                **common,
                name=v["name"] or "",
                content=v["content"] or "",
                source=EpisodeSource(v["source"]),
                source_description=v["source_description"] or "",
                reference_time=v["reference_time"],
            )
        case Kind.COMMUNITY:
            return Community(**common, name=v["name"] or "", summary=v["summary"] or "")
        case Kind.SAGA:
            return Saga(**common, name=v["name"] or "", summary=v["summary"] or "")
        case Kind.FACT:
            return Fact(
                **common,
                name=v["name"] or "",
                fact=v["fact"] or "",
                episodes=tuple(v["episodes"] or ()),
                valid_at=v["valid_at"],
                invalid_at=v["invalid_at"],
                expired_at=v["expired_at"],
                closures=_closures(v),
            )
        case Kind.MENTION:
            return Mention(**common)
        case Kind.MEMBERSHIP:
            return Membership(**common)
        case Kind.SAGA_EPISODE:
            return SagaEpisode(**common)
        case Kind.NEXT_EPISODE:
            return NextEpisode(**common, saga_uuid=v["saga_uuid"])


def kind_of(row: AnyRow) -> Kind:
    return KIND_OF[type(row)]


def term_count_of(row: AnyRow) -> int:
    """0 for kinds without text."""
    return cast("int", getattr(row, "term_count", 0))

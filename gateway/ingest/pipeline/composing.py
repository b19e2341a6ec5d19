"""The one write of a unit: what was found, as rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from drivers.graph_model import Attributes, Entity, Episode, Fact, Kind, Mention
from drivers.row_codec import kind_of
from gateway.ingest.closures import DatedFact
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline.entities import NewEntity, Resolved, entity_uuid
from gateway.ingest.pipeline.facts import Judged, NewFact
from gateway.ingest.pipeline.summaries import Growing
from gateway.writes.intent import RowChange, RowCondition, edge_uuid
from gateway.writes.planner import FACT_EPISODES_MAX

LABELS_MAX = 64


@dataclass(frozen=True, slots=True)
class Placed:
    """Where each extracted entity of the unit is in the graph."""

    uuids: tuple[str, ...]
    """By position of the extracted entity."""
    created: Mapping[str, tuple[int, ...]]
    """New entities by uuid: the extracted ones that are this one, the one that gives the name first."""
    joined: Mapping[str, tuple[int, ...]]
    """Entities of the group by uuid, likewise."""
    known: Mapping[str, Entity]
    """Those of `joined`."""

    def names(self, new: Sequence[NewEntity]) -> Mapping[str, str]:
        return {uuid: new[at[0]].entity.name for uuid, at in self.created.items()} | {
            uuid: row.name for uuid, row in self.known.items()
        }


def place(group_id: str, op_id: str, new: Sequence[NewEntity], resolved: Resolved) -> Placed:
    """An entity that is another one of the same name as a stored or a new one gets a uuid of its own."""
    taken = {one.uuid for one in resolved.known}
    uuid_of: dict[tuple[bool, int], str] = {}
    members: dict[tuple[bool, int], list[int]] = {}
    for position, survivor in enumerate(resolved.resolution.survivors):
        key = (survivor.known, survivor.position)
        members.setdefault(key, []).append(position)
        if key in uuid_of:
            continue
        if survivor.known:
            uuid_of[key] = resolved.known[survivor.position].uuid
            continue
        name = new[survivor.position].entity.name
        found = entity_uuid(group_id, name)
        if found in taken:
            found = entity_uuid(group_id, name, f"{op_id}/{survivor.position}")
        taken.add(found)
        uuid_of[key] = found
    created = {
        uuid_of[key]: (key[1], *(one for one in own if one != key[1]))
        for key, own in members.items()
        if not key[0]
    }
    joined = {uuid_of[key]: tuple(own) for key, own in members.items() if key[0]}
    return Placed(
        tuple(uuid_of[one.known, one.position] for one in resolved.resolution.survivors),
        created,
        joined,
        {uuid_of[key]: resolved.known[key[1]] for key in members if key[0]},
    )


def growing(new: Sequence[NewEntity], placed: Placed) -> Mapping[str, Growing]:
    """Entities about which the unit says something, by uuid."""
    found: dict[str, Growing] = {}
    for uuid, own in (*placed.created.items(), *placed.joined.items()):
        row = placed.known.get(uuid)
        sentences = tuple(dict.fromkeys(new[at].entity.summary for at in own if new[at].entity.summary))
        if sentences:
            name = row.name if row is not None else new[own[0]].entity.name
            found[uuid] = Growing(name, row.summary if row is not None else "", sentences)
    return found


def entity_rows(
    new: Sequence[NewEntity],
    placed: Placed,
    summaries: Mapping[str, str],
    attributes: Mapping[str, Attributes],
) -> Sequence[Entity]:
    """New ones, and those of the group that change. `attributes`: of some of these by uuid, beside what was
    extracted."""
    rows: list[Entity] = []
    for uuid, own in placed.created.items():
        first = new[own[0]]
        summary = summaries.get(uuid, "")
        # The vector was made of the extracted texts.
        vector = first.vector if summary == first.entity.summary else None
        row = Entity(uuid=uuid, name=first.entity.name, summary=summary, embedding=vector)
        rows.append(_with_types(row, [new[at] for at in own]))
    for uuid, own in placed.joined.items():
        before = replace(placed.known[uuid], embedding=None)
        row = _with_types(
            replace(before, summary=summaries.get(uuid, before.summary)), [new[at] for at in own]
        )
        row = replace(row, attributes={**row.attributes, **attributes.get(uuid, {})})
        if row != before:
            rows.append(row)
    return rows


def _with_types(row: Entity, own: Iterable[NewEntity]) -> Entity:
    labels, attributes = dict.fromkeys(row.labels), dict(row.attributes)
    for one in own:
        if one.entity.type:
            labels[one.entity.type] = None
        attributes |= one.entity.attributes or {}
    return replace(row, labels=tuple(labels)[:LABELS_MAX], attributes=attributes)


def fact_changes(new: Sequence[NewFact], judged: Judged) -> Sequence[RowChange]:
    """New facts as they are to be stored, and stored ones that change."""
    by_uuid = {one.uuid: one for one in new}
    changes: list[RowChange] = []
    for dated in judged.outcome.stored:
        one = by_uuid[dated.uuid]
        row = Fact(
            uuid=one.uuid,
            source_uuid=one.source_uuid,
            target_uuid=one.target_uuid,
            name=one.fact.name,
            fact=one.fact.text,
            attributes=one.fact.attributes or {},
            embedding=one.vector,
        )
        changes.append(dated_change(row, dated))
    changes.extend(
        dated_change(replace(judged.stored[dated.uuid], embedding=None), dated)
        for dated in judged.outcome.changed
    )
    return changes


def dated_change(row: Fact, dated: DatedFact) -> RowChange:
    """Past FACT_EPISODES_MAX the fact has support enough: further episodes are not listed."""
    written = replace(
        row,
        valid_at=dated.valid_at,
        invalid_at=dated.invalid_at,
        expired_at=dated.expired_at,
        episodes=dated.episodes[:FACT_EPISODES_MAX],
    )
    return RowChange(written, closures=dated.closures)


def episode_row(job: EpisodeJob) -> Episode:
    return Episode(
        uuid=job.episode_uuid,
        name=job.name,
        content=job.content,
        source=job.source,
        source_description=job.source_description,
        reference_time=job.reference_time,
        attributes=job.attributes,
    )


def mention_rows(jobs: Sequence[EpisodeJob], new: Sequence[NewEntity], placed: Placed) -> Sequence[Mention]:
    pairs = dict.fromkeys(
        (jobs[one.episode].episode_uuid, uuid) for one, uuid in zip(new, placed.uuids, strict=True)
    )
    return [
        Mention(uuid=edge_uuid(Kind.MENTION, episode, entity), source_uuid=episode, target_uuid=entity)
        for episode, entity in pairs
    ]


def conditions(
    changes: Iterable[RowChange], stored: Mapping[tuple[Kind, str], int]
) -> tuple[RowCondition, ...]:
    """That entities, facts and sagas are still as they were read: new ones not there, others of the same
    version."""
    return tuple(
        RowCondition(kind, change.row.uuid, stored.get((kind, change.row.uuid), 0))
        for change in changes
        if (kind := kind_of(change.row)) in (Kind.ENTITY, Kind.FACT, Kind.SAGA)
    )

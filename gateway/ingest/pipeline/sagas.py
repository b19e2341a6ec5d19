"""The places of a unit's episodes in their sagas, and the sagas that are made."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.graph_model import AnyRow, Kind, NextEpisode, Saga, SagaEpisode
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline.group_reads import GroupReads, GroupView
from gateway.ingest.pipeline.saga_places import last_places
from gateway.writes.intent import edge_uuid

_NAMESPACE = uuid.UUID("3b9e1a44-6a55-5d0c-8f43-0d8f2f9b7e21")
PLACES_READ_MAX = 20
"""Of one saga, the last ones."""


@dataclass(frozen=True, slots=True)
class SagaBefore:
    """A saga without the episodes of the unit."""

    row: Saga | None
    """None: it is not there."""
    places: tuple[SagaEpisode, ...] = ()
    """The last PLACES_READ_MAX, oldest first."""


def saga_uuid(group_id: str, name: str) -> str:
    """Of a saga that is known by its name alone."""
    return str(uuid.uuid5(_NAMESPACE, f"{group_id}/{name}"))


async def sagas_before(
    jobs: Sequence[EpisodeJob], reads: GroupReads, view: GroupView
) -> Mapping[str, SagaBefore]:
    """Every saga that the jobs join, by uuid."""
    uuids = dict.fromkeys(job.saga_uuid for job in jobs if job.saga_uuid)
    if not uuids or not view.version:
        return dict.fromkeys(uuids, SagaBefore(None))
    mine = {job.episode_uuid for job in jobs}
    rows = await reads.rows(Kind.SAGA, uuids)
    found: dict[str, SagaBefore] = {}
    for one in uuids:
        row = rows.get(one)
        if isinstance(row, Saga):
            found[one] = SagaBefore(row, tuple(await last_places(one, PLACES_READ_MAX, reads, mine)))
        else:
            found[one] = SagaBefore(None)
    return found


def saga_rows(
    jobs: Sequence[EpisodeJob], before: Mapping[str, SagaBefore], summaries: Mapping[str, str]
) -> Sequence[AnyRow]:
    """Sagas that are made or get another summary, places and links, in the order of the jobs."""
    rows: list[AnyRow] = []
    named = {job.saga_uuid: job.saga_name for job in jobs if job.saga_name}
    for one, known in before.items():
        summary = summaries.get(one, "" if known.row is None else known.row.summary)
        if known.row is not None and known.row.summary != summary:
            rows.append(Saga(uuid=one, name=known.row.name, summary=summary))
        elif known.row is None and one in named:
            rows.append(Saga(uuid=one, name=named[one], summary=summary))
    last = {one: known.places[-1].target_uuid if known.places else "" for one, known in before.items()}
    for job in jobs:
        saga, episode = job.saga_uuid, job.episode_uuid
        if not saga:
            continue
        previous = job.previous_in_saga or last[saga]
        rows.append(
            SagaEpisode(
                uuid=edge_uuid(Kind.SAGA_EPISODE, saga, episode), source_uuid=saga, target_uuid=episode
            )
        )
        if previous and previous != episode:
            rows.append(
                NextEpisode(
                    uuid=edge_uuid(Kind.NEXT_EPISODE, saga, previous, episode),
                    source_uuid=previous,
                    target_uuid=episode,
                    saga_uuid=saga,
                )
            )
        last[saga] = episode
    return list({(type(row), row.uuid): row for row in rows}.values())

"""What came before each episode of a unit: the last of its saga, else of its source."""

from collections.abc import Mapping, Sequence

from drivers.graph_model import Episode, Kind
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline.extracting import needs_model
from gateway.ingest.pipeline.group_reads import GroupReads, GroupView
from gateway.ingest.pipeline.saga_places import last_places
from gateway.ingest.prompts.material import PREVIOUS_EPISODES_MAX

READ_MAX = 2 * PREVIOUS_EPISODES_MAX
"""Newest episodes of the group; those of another source are passed over."""

type Told = tuple[int, str]
"""(reference_time, content)"""


async def previous_of(
    jobs: Sequence[EpisodeJob], reads: GroupReads, view: GroupView
) -> Sequence[tuple[Told, ...]]:
    """For each job, oldest first; those of the unit that come before it included."""
    asking = [job for job in jobs if needs_model(job)]
    mine = {job.episode_uuid for job in jobs}
    newest: Sequence[Episode] = ()
    if view.rows(Kind.EPISODE) and any(not job.previous_uuids and not job.saga_uuid for job in asking):
        read = await reads.newest(Kind.EPISODE, READ_MAX)
        newest = [one for one in read if isinstance(one, Episode) and one.uuid not in mine][::-1]
    named = await _named(asking, reads) if view.version else {}
    in_sagas = {
        saga: await _of_saga(saga, reads, mine)
        for saga in dict.fromkeys(job.saga_uuid for job in asking if not job.previous_uuids)
        if saga and view.rows(Kind.SAGA_EPISODE)
    }
    found: list[tuple[Told, ...]] = []
    for number, job in enumerate(jobs):
        before = jobs[:number]
        if job.previous_uuids:
            told = [_told(named[one]) for one in job.previous_uuids if one in named]
            told += [
                (one.reference_time, one.content) for one in before if one.episode_uuid in job.previous_uuids
            ]
        elif job.saga_uuid:
            told = [_told(one) for one in in_sagas.get(job.saga_uuid, ())]
            told += [(one.reference_time, one.content) for one in before if one.saga_uuid == job.saga_uuid]
        else:
            told = [_told(one) for one in newest if one.source is job.source]
            told += [(one.reference_time, one.content) for one in before if one.source is job.source]
        found.append(tuple(told[-PREVIOUS_EPISODES_MAX:]))
    return found


async def _named(jobs: Sequence[EpisodeJob], reads: GroupReads) -> Mapping[str, Episode]:
    wanted = list(dict.fromkeys(one for job in jobs for one in job.previous_uuids))
    rows = await reads.rows(Kind.EPISODE, wanted) if wanted else {}
    return {uuid: row for uuid, row in rows.items() if isinstance(row, Episode)}


async def _of_saga(saga: str, reads: GroupReads, but: set[str]) -> Sequence[Episode]:
    """Its last episodes, oldest first."""
    places = await last_places(saga, PREVIOUS_EPISODES_MAX, reads, but)
    uuids = [one.target_uuid for one in places]
    rows = await reads.rows(Kind.EPISODE, uuids)
    return [row for uuid in uuids if isinstance(row := rows.get(uuid), Episode)]


def _told(one: Episode) -> Told:
    return one.reference_time, one.content

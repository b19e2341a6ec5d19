"""What an earlier attempt at a unit has written."""

from collections.abc import Sequence

from drivers.graph_model import Kind
from drivers.write_plan import OpRecord
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline.group_reads import GroupReads


def each_once(jobs: Sequence[EpisodeJob]) -> Sequence[EpisodeJob]:
    """The first ones, up to one whose episode is among those before it."""
    seen: set[str] = set()
    for at, job in enumerate(jobs):
        if job.episode_uuid in seen:
            return jobs[:at]
        seen.add(job.episode_uuid)
    return jobs


async def written_before(
    jobs: Sequence[EpisodeJob], operation: OpRecord, reads: GroupReads
) -> tuple[bool, ...]:
    """Which of the unit's episodes its write, recorded as `operation`, has brought; one that was left out
    then has no row, or an older one that it is to replace."""
    if len(jobs) == 1:
        return (True,)
    tried = each_once(jobs)
    rows = await reads.rows(Kind.EPISODE, [job.episode_uuid for job in tried])
    written = {uuid for uuid, row in rows.items() if row.version >= operation.version}
    return (*(job.episode_uuid in written for job in tried), *(False,) * (len(jobs) - len(tried)))

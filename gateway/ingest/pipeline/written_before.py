"""What an earlier attempt at a unit has written."""

import hashlib
from collections.abc import Sequence

from drivers.graph_model import Kind
from drivers.write_plan import OpRecord
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline.group_reads import GroupReads
from gateway.writes.writer import note_of


def each_once(jobs: Sequence[EpisodeJob]) -> Sequence[EpisodeJob]:
    """The first ones, up to one whose episode is among those before it."""
    seen: set[str] = set()
    for at, job in enumerate(jobs):
        if job.episode_uuid in seen:
            return jobs[:at]
        seen.add(job.episode_uuid)
    return jobs


def written_note(jobs: Sequence[EpisodeJob]) -> str:
    """What the record of a unit's write keeps of the episodes that it brings."""
    return " ".join(map(_tag, jobs))


async def written_before(
    jobs: Sequence[EpisodeJob], operation: OpRecord, reads: GroupReads
) -> tuple[bool, ...]:
    """Which of the unit's episodes its write, recorded as `operation`, has brought. One whose row was deleted
    since is one of them: written again, it would come back. Not all of them are False, unless an episode
    that was written is not among the jobs any more."""
    noted = frozenset(note_of(operation).split())
    if noted:
        return tuple(_tag(job) in noted for job in jobs)
    # A write of a gateway that kept no note: rows are all there is to go by.
    if len(jobs) == 1:
        return (True,)
    tried = each_once(jobs)
    rows = await reads.rows(Kind.EPISODE, [job.episode_uuid for job in tried])
    written = {uuid for uuid, row in rows.items() if row.version >= operation.version}
    # It has brought at least one: without any row, those that it brought were deleted.
    flags = (not written or job.episode_uuid in written for job in tried)
    return (*flags, *(False,) * (len(jobs) - len(tried)))


def _tag(job: EpisodeJob) -> str:
    """Of its op id, for two episodes of a unit may have the same uuid."""
    return hashlib.blake2b(job.op_id.encode(), digest_size=4).hexdigest()

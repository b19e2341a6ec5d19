"""What happened in a saga so far: a summary that a model brings up to date with the newest episodes.

Not with every episode, which would be one more call for each: once as many are untold as are told, at most
UNTOLD_MAX, so after 1, 2, 4, 8, 16, 26, 36 episodes. Told are those whose places are not younger than the
saga's row, which is only written along with its summary; nothing else is kept about it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.graph_model import AnyRow, Episode, Kind
from gateway.ingest.extraction import ProblemKind, Problems
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline.asking import Account, Asker
from gateway.ingest.pipeline.group_reads import GroupReads, GroupView
from gateway.ingest.pipeline.sagas import SagaBefore, saga_rows, sagas_before
from gateway.ingest.prompts.material import Budget
from gateway.ingest.prompts.upkeep import (
    SAGA_EPISODES_PER_CALL_MAX,
    SAGA_SUMMARY_CHARS_MAX,
    summarise_saga,
)
from gateway.ingest.translation import cut
from gateway.llm.errors import ModelDisabled, ModelError

UNTOLD_MAX = 10


@dataclass(frozen=True, slots=True)
class SagaChanges:
    rows: Sequence[AnyRow]
    stored: Mapping[tuple[Kind, str], int]
    """Versions of the sagas that are there."""


async def saga_changes(
    jobs: Sequence[EpisodeJob],
    reads: GroupReads,
    view: GroupView,
    asker: Asker,
    account: Account,
    problems: Problems,
    budget: Budget,
) -> SagaChanges:
    """Sagas, places and links of the unit. Raises as saga_summaries()."""
    before = await sagas_before(jobs, reads, view)
    summaries = await saga_summaries(jobs, before, reads, asker, account, problems, budget)
    versions = {
        (Kind.SAGA, uuid): known.row.version for uuid, known in before.items() if known.row is not None
    }
    return SagaChanges(saga_rows(jobs, before, summaries), versions)


async def saga_summaries(
    jobs: Sequence[EpisodeJob],
    before: Mapping[str, SagaBefore],
    reads: GroupReads,
    asker: Asker,
    account: Account,
    problems: Problems,
    budget: Budget,
) -> Mapping[str, str]:
    """By uuid of the saga, those that are due. Without an answer that can be used the old summary stays, and
    the next episode is the occasion for the next try. Raises ModelError, and what reads raise."""
    found: dict[str, str] = {}
    for saga, known in before.items():
        own = [job for job in jobs if job.saga_uuid == saga]
        name = known.row.name if known.row is not None else next((one.saga_name for one in own), "")
        untold = _untold(known)
        told = len(known.places) - len(untold)
        if not name or len(untold) + len(own) < min(UNTOLD_MAX, max(1, told)):
            continue
        rows = await reads.rows(Kind.EPISODE, untold) if untold else {}
        contents = [
            (row.reference_time, row.content) for uuid in untold if isinstance(row := rows.get(uuid), Episode)
        ]
        contents += [(job.reference_time, job.content) for job in own]
        so_far = "" if known.row is None else known.row.summary
        try:
            found[saga] = await _told(name, so_far, contents, asker, account, problems, budget)
        except ModelDisabled:
            problems.add(ProblemKind.NOT_ASKED, "summary of the saga")
        except ModelError as error:
            if not error.about_request:
                raise
            problems.add(ProblemKind.NOT_ANSWERED, "summary of the saga")
    return found


def _untold(known: SagaBefore) -> Sequence[str]:
    """Episodes, oldest first."""
    if known.row is None:
        return ()
    told = known.row.version if known.row.summary else 0
    return [one.target_uuid for one in known.places if one.version > told]


async def _told(
    name: str,
    so_far: str,
    contents: Sequence[tuple[int, str]],
    asker: Asker,
    account: Account,
    problems: Problems,
    budget: Budget,
) -> str:
    summary = so_far
    for start in range(0, len(contents), SAGA_EPISODES_PER_CALL_MAX):
        part = contents[start : start + SAGA_EPISODES_PER_CALL_MAX]
        output = await asker.ask(summarise_saga(name, summary, part, budget), account, problems)
        told = cut(output.summary, SAGA_SUMMARY_CHARS_MAX, "summary of the saga", problems)
        if told:
            summary = told
        else:
            problems.add(ProblemKind.BLANK, "summary of the saga")
    return summary

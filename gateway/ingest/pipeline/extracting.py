"""What one episode says: one call for a short one, two for a long one, and what reflexion adds."""

from dataclasses import replace

from drivers.graph_model import EpisodeSource
from gateway.ingest.extraction import PROBLEMS_MAX, Extraction, Problem
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline import triple
from gateway.ingest.pipeline.asking import Account, Asker
from gateway.ingest.pipeline.attributes import with_read_fields
from gateway.ingest.prompts.extraction import extract, extract_entities, extract_facts, is_short, reflect
from gateway.ingest.prompts.material import Budget, EpisodeText
from gateway.ingest.translation import translate, translate_more


def needs_model(job: EpisodeJob) -> bool:
    return job.source is not EpisodeSource.FACT_TRIPLE


async def extract_episode(
    job: EpisodeJob, previous: tuple[tuple[int, str], ...], asker: Asker, account: Account, budget: Budget
) -> Extraction:
    """`previous` as of EpisodeText. Raises ModelError, ValueError for a triple that is none."""
    if not needs_model(job):
        return triple.extraction_of(job.content)
    episode = EpisodeText(job.content, job.reference_time, job.source, job.source_description, previous)
    if is_short(episode):
        prepared = extract(episode, job.types, budget)
        answer = await asker.ask(prepared.request, account)
        extraction = translate(answer.entities, answer.facts, job.types)
    else:
        prepared = extract_entities(episode, job.types, budget)
        found = (await asker.ask(prepared.request, account)).entities
        second = extract_facts(episode, found, job.types, budget)
        extraction = translate(found, (await asker.ask(second.request, account)).facts, job.types)
    for _ in range(job.reflexion_passes):
        again = reflect(episode, extraction, job.types, budget)
        more = await asker.ask(again.request, account)
        wider = translate_more(extraction, more.entities, more.facts, job.types)
        if (len(wider.entities), len(wider.facts)) == (len(extraction.entities), len(extraction.facts)):
            break
        extraction = wider
    if job.types.have_fields:
        extraction = await with_read_fields(extraction, episode, job.types, asker, account, budget)
    return _with(extraction, prepared.problems)


def _with(extraction: Extraction, problems: tuple[Problem, ...]) -> Extraction:
    """What the prompt left out comes first."""
    if not problems:
        return extraction
    return replace(
        extraction,
        problems=(*problems, *extraction.problems)[:PROBLEMS_MAX],
        problems_found=extraction.problems_found + len(problems),
    )

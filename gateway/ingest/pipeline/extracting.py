"""What one episode says: one call for a short one, two for a long one, and what reflexion adds."""

from collections.abc import Sequence
from dataclasses import replace

from drivers.graph_model import EpisodeSource
from gateway.ingest.extraction import PROBLEMS_MAX, Extraction, Problem, Problems
from gateway.ingest.job import EpisodeJob
from gateway.ingest.outputs import EntityOutput, FactOutput
from gateway.ingest.pipeline import triple
from gateway.ingest.pipeline.asking import Account, Asker
from gateway.ingest.pipeline.attributes import with_read_fields
from gateway.ingest.prompts.extraction import extract, extract_entities, extract_facts, is_short, reflect
from gateway.ingest.prompts.material import Budget, EpisodeText
from gateway.ingest.translation import translate, translate_more
from gateway.ingest.types import ExtractionTypes
from gateway.llm.errors import ModelAnswerInvalid
from gateway.llm.tasks import Tier
from gateway.llm.text_care import cut_at_sentence, tokens_estimate

BEFORE_HALF_CHARS = 1_000
"""Of the first half of an episode, told with its second."""


def needs_model(job: EpisodeJob) -> bool:
    return job.source is not EpisodeSource.FACT_TRIPLE


async def extract_episode(
    job: EpisodeJob, previous: tuple[tuple[int, str], ...], asker: Asker, account: Account, budget: Budget
) -> Extraction:
    """`previous` as of EpisodeText. Raises ModelError, ValueError for a triple that is none."""
    if not needs_model(job):
        return triple.extraction_of(job.content)
    episode = EpisodeText(job.content, job.reference_time, job.source, job.source_description, previous)
    problems = Problems()
    if is_short(episode):
        prepared = extract(episode, job.types, budget)
        _note(problems, prepared.problems)
        answer = await asker.ask(prepared.request, account, problems)
        extraction = translate(answer.entities, answer.facts, job.types)
    else:
        asked = extract_entities(episode, job.types, budget)
        _note(problems, asked.problems)
        found = (await asker.ask(asked.request, account, problems)).entities
        facts = await _facts(episode, found, job.types, asker, account, problems, budget)
        extraction = translate(found, facts, job.types)
    for _ in range(job.reflexion_passes):
        again = reflect(episode, extraction, job.types, budget)
        _note(problems, again.problems)
        more = await asker.ask(again.request, account, problems)
        wider = translate_more(extraction, more.entities, more.facts, job.types)
        if (len(wider.entities), len(wider.facts)) == (len(extraction.entities), len(extraction.facts)):
            break
        extraction = wider
    if job.types.have_fields:
        extraction = await with_read_fields(extraction, episode, job.types, asker, account, budget)
    return _with(extraction, problems)


async def _facts(
    episode: EpisodeText,
    found: Sequence[EntityOutput],
    types: ExtractionTypes,
    asker: Asker,
    account: Account,
    problems: Problems,
    budget: Budget,
) -> Sequence[FactOutput]:
    """Of the halves of the episode, if they are too many for one answer."""
    whole = extract_facts(episode, found, types, budget, divisible=True)
    _note(problems, whole.problems)
    try:
        return (await asker.ask(whole.request, account, problems)).facts
    except ModelAnswerInvalid as error:
        if not error.cut_off:
            raise
    first = cut_at_sentence(whole.content, tokens_estimate(whole.content) // 2)
    second = whole.content[len(first) :].strip()
    # Who "she" is, the end of the first half tells.
    before = (*episode.previous, (episode.reference_time, first[-BEFORE_HALF_CHARS:]))
    facts: list[FactOutput] = []
    for half in (replace(episode, content=first), replace(episode, content=second, previous=before)):
        if half.content:
            asked = extract_facts(half, found, types, budget)
            _note(problems, asked.problems)
            # The longest output again: what is too much for it, too, is asked for in half.
            request = replace(asked.request, tier=Tier.ACCURATE)
            facts += (await asker.ask(request, account, problems)).facts
    return facts


def _note(problems: Problems, found: Sequence[Problem]) -> None:
    """What a prompt left out, once of all prompts."""
    for one in found:
        if one not in problems.kept:
            problems.add(one.kind, one.what)


def _with(extraction: Extraction, problems: Problems) -> Extraction:
    """What prompts and answers left out comes first."""
    if not problems.found:
        return extraction
    return replace(
        extraction,
        problems=(*problems.kept, *extraction.problems)[:PROBLEMS_MAX],
        problems_found=extraction.problems_found + problems.found,
    )

"""Fields of typed entities and facts that the extraction could not fill in: a question of its own for each.

The extraction answers for most of them, as text. Asked apart, with a form of the type's own fields, is only
about what that leaves open: a value that its field cannot hold ("about forty" of a number), and an entity of
the group whose type the episode does not show.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from drivers.graph_model import Attributes
from gateway.ingest.extraction import (
    PROBLEMS_MAX,
    ExtractedEntity,
    ExtractedFact,
    Extraction,
    ProblemKind,
    Problems,
)
from gateway.ingest.job import EpisodeJob
from gateway.ingest.pipeline.asking import Account, Asker
from gateway.ingest.pipeline.composing import Placed
from gateway.ingest.pipeline.entities import NewEntity
from gateway.ingest.prompts.material import Budget, EpisodeText
from gateway.ingest.prompts.upkeep import attributes
from gateway.ingest.translation import translate_attributes
from gateway.ingest.types import CustomType, ExtractionTypes
from gateway.llm.errors import ModelDisabled, ModelError

QUESTIONS_MAX = 20
"""Of one episode about values, and of one unit about types; what is left out stays as it is."""


async def with_read_fields(
    extraction: Extraction,
    episode: EpisodeText,
    types: ExtractionTypes,
    asker: Asker,
    account: Account,
    budget: Budget,
) -> Extraction:
    """The extraction with the values that its form could not hold. Raises ModelError unless it is about a
    single question."""
    problems = Problems()
    left = QUESTIONS_MAX

    async def asked[T: ExtractedEntity | ExtractedFact](one: T, of: CustomType | None, name: str) -> T:
        nonlocal left
        if not one.unread_fields or of is None or left == 0:
            return one
        left -= 1
        known = one.attributes or {}
        found = await _asked(of, name, known, episode, asker, account, problems, budget)
        return replace(one, attributes={**known, **found})

    entities, facts = await asyncio.gather(
        asyncio.gather(*(asked(one, types.entity_type(one.type), one.name) for one in extraction.entities)),
        asyncio.gather(*(asked(one, types.fact_type(one.name), one.text) for one in extraction.facts)),
    )
    return replace(
        extraction,
        entities=tuple(entities),
        facts=tuple(facts),
        problems=(*extraction.problems, *problems.kept)[:PROBLEMS_MAX],
        problems_found=extraction.problems_found + problems.found,
    )


async def of_known_types(
    jobs: Sequence[EpisodeJob],
    new: Sequence[NewEntity],
    placed: Placed,
    asker: Asker,
    account: Account,
    problems: Problems,
    budget: Budget,
) -> Mapping[str, Attributes]:
    """What the unit says of entities of the group whose type has fields, and which it names without a type;
    by uuid. Raises ModelError unless it is about a single question."""
    asked: dict[str, tuple[CustomType, EpisodeText]] = {}
    for uuid, own in placed.joined.items():
        episodes = sorted({new[at].episode for at in own})
        types = jobs[episodes[-1]].types
        known = (types.entity_type(label) for label in placed.known[uuid].labels)
        of = next((one for one in known if one is not None and one.fields), None)
        if of is None or any(new[at].entity.type for at in own) or len(asked) == QUESTIONS_MAX:
            continue
        last = jobs[episodes[-1]]
        content = "\n\n".join(jobs[at].content for at in episodes)
        asked[uuid] = of, EpisodeText(content, last.reference_time, last.source, last.source_description)
    found = await asyncio.gather(
        *(
            _asked(
                of, placed.known[uuid].name, placed.known[uuid].attributes, text, asker, account, problems,
                budget,
            )
            for uuid, (of, text) in asked.items()
        )
    )  # fmt: skip
    return dict(zip(asked, found, strict=True))


async def _asked(
    of: CustomType,
    name: str,
    known: Attributes,
    episode: EpisodeText,
    asker: Asker,
    account: Account,
    problems: Problems,
    budget: Budget,
) -> Attributes:
    """Empty without an answer that can be used."""
    of_type = {field.name: known[field.name] for field in of.fields if field.name in known}
    try:
        output = await asker.ask(attributes(of, name, of_type, episode, budget), account, problems)
    except ModelDisabled:
        problems.add(ProblemKind.NOT_ASKED, f"attributes of a {of.name}")
        return {}
    except ModelError as error:
        if not error.about_request:
            raise
        problems.add(ProblemKind.NOT_ANSWERED, f"attributes of a {of.name}")
        return {}
    return translate_attributes(output, of, problems)

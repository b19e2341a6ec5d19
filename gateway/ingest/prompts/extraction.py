"""Asking for entities and facts: in one call of a short episode, in two of a long one."""

from collections.abc import Sequence
from dataclasses import dataclass

from drivers.graph_model import EpisodeSource
from gateway.ingest.extraction import Extraction, Problem
from gateway.ingest.outputs import (
    EntitiesOutput,
    EntityOutput,
    ExtractionOutput,
    FactsOutput,
    TypedEntitiesOutput,
    TypedExtractionOutput,
    TypedFactsOutput,
)
from gateway.ingest.prompts import texts
from gateway.ingest.prompts.material import Budget, EpisodeText, episode_material, messages, types_material
from gateway.ingest.types import ExtractionTypes
from gateway.llm.port import ModelRequest
from gateway.llm.tasks import MEDIUM_CHARS_MAX, Complexity, Task

SHORT_EPISODE_CHARS_MAX = MEDIUM_CHARS_MAX
"""Longer ones are asked about in two calls: one answer would be too long to be good and whole."""


@dataclass(frozen=True, slots=True)
class Prepared[T]:
    request: T
    problems: tuple[Problem, ...] = ()
    """What the prompt had to leave out."""


def is_short(episode: EpisodeText) -> bool:
    return len(episode.content) <= SHORT_EPISODE_CHARS_MAX


def extract(
    episode: EpisodeText, types: ExtractionTypes, budget: Budget
) -> Prepared[ModelRequest[ExtractionOutput] | ModelRequest[TypedExtractionOutput]]:
    material, problems = episode_material(episode, budget)
    material |= types_material(types, entities=True, facts=True)
    length, complexity = len(episode.content), _complexity(episode, types)
    if types.have_fields:
        sent = messages(texts.EXTRACT_TYPED, material)
        return Prepared(ModelRequest(Task.EXTRACT, sent, TypedExtractionOutput, length, complexity), problems)
    sent = messages(texts.EXTRACT, material)
    return Prepared(ModelRequest(Task.EXTRACT, sent, ExtractionOutput, length, complexity), problems)


def extract_entities(
    episode: EpisodeText, types: ExtractionTypes, budget: Budget
) -> Prepared[ModelRequest[EntitiesOutput] | ModelRequest[TypedEntitiesOutput]]:
    """The first of two calls."""
    material, problems = episode_material(episode, budget)
    material |= types_material(types, entities=True, facts=False)
    length, complexity = len(episode.content), _complexity(episode, types)
    if types.have_fields:
        sent = messages(texts.EXTRACT_ENTITIES_TYPED, material)
        return Prepared(
            ModelRequest(Task.EXTRACT_ENTITIES, sent, TypedEntitiesOutput, length, complexity), problems
        )
    sent = messages(texts.EXTRACT_ENTITIES, material)
    return Prepared(ModelRequest(Task.EXTRACT_ENTITIES, sent, EntitiesOutput, length, complexity), problems)


def extract_facts(
    episode: EpisodeText, found: Sequence[EntityOutput], types: ExtractionTypes, budget: Budget
) -> Prepared[ModelRequest[FactsOutput] | ModelRequest[TypedFactsOutput]]:
    """The second call; `found`: the answer of the first."""
    material, problems = episode_material(episode, budget)
    material |= types_material(types, entities=False, facts=True)
    material["entities"] = [{"id": one.id, "name": one.name, "type": one.type} for one in found]
    length, complexity = len(episode.content), _complexity(episode, types)
    if types.have_fields:
        sent = messages(texts.EXTRACT_FACTS_TYPED, material)
        return Prepared(
            ModelRequest(Task.EXTRACT_FACTS, sent, TypedFactsOutput, length, complexity), problems
        )
    sent = messages(texts.EXTRACT_FACTS, material)
    return Prepared(ModelRequest(Task.EXTRACT_FACTS, sent, FactsOutput, length, complexity), problems)


def reflect(
    episode: EpisodeText, so_far: Extraction, types: ExtractionTypes, budget: Budget
) -> Prepared[ModelRequest[ExtractionOutput] | ModelRequest[TypedExtractionOutput]]:
    """One more look at the episode. The ids of what was found are the positions in `so_far.entities`; see
    translation.translate_more()."""
    material, problems = episode_material(episode, budget)
    material |= types_material(types, entities=True, facts=True)
    material["entities"] = [{"id": n, "name": one.name} for n, one in enumerate(so_far.entities)]
    material["facts"] = [
        {"source": one.source, "target": one.target, "text": one.text} for one in so_far.facts
    ]
    length, complexity = len(episode.content), _complexity(episode, types)
    if types.have_fields:
        sent = messages(texts.REFLECT_TYPED, material)
        return Prepared(ModelRequest(Task.REFLECT, sent, TypedExtractionOutput, length, complexity), problems)
    sent = messages(texts.REFLECT, material)
    return Prepared(ModelRequest(Task.REFLECT, sent, ExtractionOutput, length, complexity), problems)


def _complexity(episode: EpisodeText, types: ExtractionTypes) -> Complexity:
    if types.have_fields or episode.source is EpisodeSource.JSON:
        return Complexity.HIGH
    return Complexity.MEDIUM

"""Asking for entities and facts: in one call of a short episode, in two of a long one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.graph_model import EpisodeSource
from gateway.ingest.extraction import FACT_CHARS_MAX, ExtractedFact, Extraction, Problem, ProblemKind
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
from gateway.ingest.prompts.fitting import first_that_fit, size_of
from gateway.ingest.prompts.material import Budget, EpisodeText, episode_material, messages, types_material
from gateway.ingest.types import ExtractionTypes
from gateway.llm.port import Message, ModelRequest
from gateway.llm.tasks import MEDIUM_CHARS_MAX, Complexity, Task

SHORT_EPISODE_CHARS_MAX = MEDIUM_CHARS_MAX
"""Longer ones are asked about in two calls: one answer would be too long to be good and whole."""


KNOWN_SHARE = 3
"""Of a prompt, what its types take at most, and what was found before takes: the third part each."""
REFLECTED_FACT_CHARS = (FACT_CHARS_MAX, 200, 80)
"""Of each fact that was found before: the most with which all of them fit."""


@dataclass(frozen=True, slots=True)
class Prepared[T]:
    request: T
    problems: tuple[Problem, ...] = ()
    """What the prompt had to leave out."""
    content: str = ""
    """Of the episode, as the prompt tells it."""


def is_short(episode: EpisodeText) -> bool:
    return len(episode.content) <= SHORT_EPISODE_CHARS_MAX


def extract(
    episode: EpisodeText, types: ExtractionTypes, budget: Budget
) -> Prepared[ModelRequest[ExtractionOutput] | ModelRequest[TypedExtractionOutput]]:
    asked = _Asked(episode, types, budget)
    if types.have_fields:
        sent = asked.messages(texts.EXTRACT_TYPED, entities=True, facts=True)
        return asked.prepared(ModelRequest(Task.EXTRACT, sent, TypedExtractionOutput, *asked.weight))
    sent = asked.messages(texts.EXTRACT, entities=True, facts=True)
    return asked.prepared(ModelRequest(Task.EXTRACT, sent, ExtractionOutput, *asked.weight))


def extract_entities(
    episode: EpisodeText, types: ExtractionTypes, budget: Budget
) -> Prepared[ModelRequest[EntitiesOutput] | ModelRequest[TypedEntitiesOutput]]:
    """The first of two calls."""
    asked = _Asked(episode, types, budget)
    if types.have_fields:
        sent = asked.messages(texts.EXTRACT_ENTITIES_TYPED, entities=True)
        return asked.prepared(ModelRequest(Task.EXTRACT_ENTITIES, sent, TypedEntitiesOutput, *asked.weight))
    sent = asked.messages(texts.EXTRACT_ENTITIES, entities=True)
    return asked.prepared(ModelRequest(Task.EXTRACT_ENTITIES, sent, EntitiesOutput, *asked.weight))


def extract_facts(
    episode: EpisodeText,
    found: Sequence[EntityOutput],
    types: ExtractionTypes,
    budget: Budget,
    *,
    divisible: bool = False,
) -> Prepared[ModelRequest[FactsOutput] | ModelRequest[TypedFactsOutput]]:
    """The second call; `found`: the answer of the first. `divisible`: see ModelRequest."""
    asked = _Asked(episode, types, budget)
    known = [{"id": one.id, "name": one.name, "type": one.type} for one in found]
    if types.have_fields:
        sent = asked.messages(texts.EXTRACT_FACTS_TYPED, facts=True, known=known)
        request = ModelRequest(Task.EXTRACT_FACTS, sent, TypedFactsOutput, *asked.weight, divisible=divisible)
        return asked.prepared(request)
    sent = asked.messages(texts.EXTRACT_FACTS, facts=True, known=known)
    return asked.prepared(
        ModelRequest(Task.EXTRACT_FACTS, sent, FactsOutput, *asked.weight, divisible=divisible)
    )


def reflect(
    episode: EpisodeText, so_far: Extraction, types: ExtractionTypes, budget: Budget
) -> Prepared[ModelRequest[ExtractionOutput] | ModelRequest[TypedExtractionOutput]]:
    """One more look at the episode. The ids of what was found are the positions in `so_far.entities`; see
    translation.translate_more()."""
    asked = _Asked(episode, types, budget)
    known = [{"id": n, "name": one.name} for n, one in enumerate(so_far.entities)]
    if types.have_fields:
        sent = asked.messages(
            texts.REFLECT_TYPED, entities=True, facts=True, known=known, stated=so_far.facts
        )
        return asked.prepared(ModelRequest(Task.REFLECT, sent, TypedExtractionOutput, *asked.weight))
    sent = asked.messages(texts.REFLECT, entities=True, facts=True, known=known, stated=so_far.facts)
    return asked.prepared(ModelRequest(Task.REFLECT, sent, ExtractionOutput, *asked.weight))


class _Asked:
    """A question about an episode, made to fit into its prompt: what was found before and the types are held
    to their shares, the episode has the rest."""

    def __init__(self, episode: EpisodeText, types: ExtractionTypes, budget: Budget) -> None:
        self._episode = episode
        self._types = types
        self._budget = budget
        self._problems: tuple[Problem, ...] = ()
        self._content = ""

    @property
    def weight(self) -> tuple[int, Complexity]:
        """What the tier is chosen by."""
        return len(self._episode.content), _complexity(self._episode, self._types)

    def messages(
        self,
        system: str,
        *,
        entities: bool = False,
        facts: bool = False,
        known: Sequence[Mapping[str, Any]] | None = None,
        stated: Sequence[ExtractedFact] | None = None,
    ) -> tuple[Message, ...]:
        """`known`: entities, `stated`: facts that were found before."""
        room = self._budget.room(system)
        share = room // KNOWN_SHARE
        told, problems = types_material(self._types, share, entities=entities, facts=facts)
        if stated is not None:
            share //= 2
        if known is not None:
            told["entities"], cut = _those_that_fit(known, share, "entities")
            problems += cut
        if stated is not None:
            told["facts"], cut = _stated_that_fit(stated, share)
            problems += cut
        material, cut = episode_material(self._episode, self._budget, room - size_of(told))
        self._problems = (*cut, *problems)
        self._content = material["episode"]["content"]
        return messages(system, material | told)

    def prepared[T](self, request: T) -> Prepared[T]:
        return Prepared(request, self._problems, self._content)


def _stated_that_fit(
    stated: Sequence[ExtractedFact], room: int
) -> tuple[list[Mapping[str, Any]], tuple[Problem, ...]]:
    told: list[Mapping[str, Any]] = []
    for chars_max in REFLECTED_FACT_CHARS:
        told = [{"source": one.source, "target": one.target, "text": one.text[:chars_max]} for one in stated]
        if size_of(told) <= room:
            break
    return _those_that_fit(told, room, "facts")


def _those_that_fit(
    known: Sequence[Mapping[str, Any]], room: int, what: str
) -> tuple[list[Mapping[str, Any]], tuple[Problem, ...]]:
    told = first_that_fit(known, room)
    if len(told) == len(known):
        return told, ()
    return told, (Problem(ProblemKind.TOO_MANY, f"{len(told)} of {len(known)} {what} fit into a prompt"),)


def _complexity(episode: EpisodeText, types: ExtractionTypes) -> Complexity:
    if types.have_fields or episode.source is EpisodeSource.JSON:
        return Complexity.HIGH
    return Complexity.MEDIUM

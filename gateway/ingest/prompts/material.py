"""What prompts are made of, fitted into their budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from drivers.graph_model import EpisodeSource
from gateway.embedding.preparation import BYTES_PER_TOKEN, clean_text
from gateway.ingest.extraction import Problem, ProblemKind
from gateway.ingest.model_times import iso
from gateway.ingest.prompts.fitting import cut_to_fit, json_tokens, size_of
from gateway.ingest.types import CustomType, ExtractionTypes
from gateway.llm.port import Message
from gateway.llm.text_care import Compression, compress, tokens_estimate

EPISODE_SHARE = 0.75
"""Of a prompt, for what an episode brings: its content and previous episodes."""
CONTENT_TOKENS_MIN = 200
"""With less of an episode an answer is worth nothing: such a prompt is left to be too long."""
PREVIOUS_EPISODES_MAX = 10
PREVIOUS_SHARE = 0.3
"""Of that, at most; the newest go first."""
PREVIOUS_TOKENS = 20
"""Of each, beside its text."""
INSTRUCTIONS_CHARS_MAX = 4_000
DESCRIPTION_CHARS_MAX = 300
SHORT_DESCRIPTION_CHARS_MAX = 100


@dataclass(frozen=True, slots=True)
class Budget:
    prompt_tokens_max: int = 16_000
    """Estimated, of one prompt; what a language model takes."""
    compression: Compression = Compression.LOW

    @property
    def tokens_max(self) -> int:
        """Estimated, for what an episode brings into one prompt."""
        return int(self.prompt_tokens_max * EPISODE_SHARE)

    def room(self, system: str) -> int:
        """Bytes of the material beside this system message."""
        return (self.prompt_tokens_max - tokens_estimate(system)) * BYTES_PER_TOKEN


@dataclass(frozen=True, slots=True)
class EpisodeText:
    content: str
    reference_time: int
    """Microseconds since the epoch."""
    source: EpisodeSource = EpisodeSource.TEXT
    source_description: str = ""
    previous: tuple[tuple[int, str], ...] = ()
    """(reference_time, content) of earlier episodes, oldest first."""


def messages(system: str, material: Mapping[str, Any]) -> tuple[Message, ...]:
    return Message("system", system), Message("user", orjson.dumps(material).decode())


def episode_material(
    episode: EpisodeText, budget: Budget, room: int
) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """The episode and what came before it, within the budget and `room` bytes; a cut of its content is a
    problem."""
    told: dict[str, Any] = {
        "reference_time": iso(episode.reference_time),
        "source": str(episode.source).lower(),
        "content": "",
    }
    if episode.source_description:
        told["source_description"] = clean_text(episode.source_description)[:DESCRIPTION_CHARS_MAX]
    free = (room - size_of({"episode": told, "previous": []})) // BYTES_PER_TOKEN
    tokens_max = max(CONTENT_TOKENS_MIN, min(budget.tokens_max, free))
    whole = _compressed(episode.content, episode.source, budget.compression)
    content = told["content"] = cut_to_fit(whole, tokens_max)
    problems = () if len(content) == len(whole) else (_cut_problem(whole, content),)
    left = min(int(tokens_max * PREVIOUS_SHARE), tokens_max - json_tokens(content))
    previous: list[dict[str, str]] = []
    for at, earlier in reversed(episode.previous[-PREVIOUS_EPISODES_MAX:]):
        left -= PREVIOUS_TOKENS
        text = cut_to_fit(_compressed(earlier, episode.source, budget.compression), left)
        if not text:
            break
        left -= json_tokens(text)
        previous.append({"time": iso(at), "content": text})
    return {"episode": told} | ({"previous": previous[::-1]} if previous else {}), problems


def types_material(
    types: ExtractionTypes, room: int, *, entities: bool, facts: bool
) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """Only what was given. Of types that take more than `room` bytes the descriptions are cut or left out,
    which is a problem."""
    told = _types_told(types, DESCRIPTION_CHARS_MAX, entities=entities, facts=facts)
    if size_of(told) <= room:
        return told, ()
    shorter = _types_told(types, SHORT_DESCRIPTION_CHARS_MAX, entities=entities, facts=facts)
    if size_of(shorter) > room:
        shorter = _types_told(types, 0, entities=entities, facts=facts)
    if shorter == told:
        return told, ()
    return shorter, (Problem(ProblemKind.TOO_LONG, "descriptions of types"),)


def _types_told(
    types: ExtractionTypes, description_chars_max: int, *, entities: bool, facts: bool
) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if entities and types.entities:
        told["entity_types"] = [_type(one, description_chars_max) for one in types.entities]
    if entities and types.excluded_entities:
        told["excluded_types"] = sorted(types.excluded_entities)
    if facts and types.facts:
        told["fact_types"] = [
            _type(one, description_chars_max)
            | ({"between": between} if (between := _between(types, one.name)) else {})
            for one in types.facts
        ]
    if types.instructions:
        told["instructions"] = clean_text(types.instructions)[:INSTRUCTIONS_CHARS_MAX]
    return told


def fields_material(
    of: CustomType, description_chars_max: int = DESCRIPTION_CHARS_MAX
) -> Sequence[dict[str, str]]:
    return [
        {"name": one.name, "type": str(one.type)}
        | ({"description": text} if (text := one.description[:description_chars_max]) else {})
        for one in of.fields
    ]


def _compressed(content: str, source: EpisodeSource, level: Compression) -> str:
    text = clean_text(content).replace("\0", "")
    if source is not EpisodeSource.JSON or level is Compression.NONE:
        return compress(text, level)
    # Blanks inside of JSON's strings may matter, between them they do not.
    try:
        return orjson.dumps(orjson.loads(text)).decode()
    except orjson.JSONDecodeError:
        return compress(text, level)


def _cut_problem(whole: str, content: str) -> Problem:
    return Problem(ProblemKind.CONTENT_CUT, f"{len(content)} of {len(whole)} characters were read")


def _type(one: CustomType, description_chars_max: int) -> dict[str, Any]:
    told: dict[str, Any] = {"name": one.name}
    if text := one.description[:description_chars_max]:
        told["description"] = text
    if one.fields:
        told["fields"] = fields_material(one, description_chars_max)
    return told


def _between(types: ExtractionTypes, fact_type: str) -> list[list[str]]:
    return [list(pair) for pair, names in types.type_map.items() if fact_type in names]

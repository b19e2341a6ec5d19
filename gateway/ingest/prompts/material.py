"""What prompts are made of, fitted into their budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from drivers.graph_model import EpisodeSource
from gateway.embedding.preparation import clean_text
from gateway.ingest.extraction import Problem, ProblemKind
from gateway.ingest.model_times import iso
from gateway.ingest.types import CustomType, ExtractionTypes
from gateway.llm.port import Message
from gateway.llm.text_care import Compression, compress, cut_at_sentence, tokens_estimate

PREVIOUS_EPISODES_MAX = 10
PREVIOUS_SHARE = 0.3
"""Of the budget, at most; the newest go first."""
INSTRUCTIONS_CHARS_MAX = 4_000
DESCRIPTION_CHARS_MAX = 300


@dataclass(frozen=True, slots=True)
class Budget:
    tokens_max: int = 12_000
    """Estimated, for what an episode brings into one prompt: its content and previous episodes."""
    compression: Compression = Compression.LOW


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


def episode_material(episode: EpisodeText, budget: Budget) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """The episode and what came before it, within the budget; a cut of its content is a problem."""
    whole = _compressed(episode.content, episode.source, budget.compression)
    content = cut_at_sentence(whole, budget.tokens_max)
    problems = () if len(content) == len(whole) else (_cut_problem(whole, content),)
    room = min(int(budget.tokens_max * PREVIOUS_SHARE), budget.tokens_max - tokens_estimate(content))
    previous: list[dict[str, str]] = []
    for at, earlier in reversed(episode.previous[-PREVIOUS_EPISODES_MAX:]):
        text = cut_at_sentence(_compressed(earlier, episode.source, budget.compression), max(0, room))
        if not text:
            break
        room -= tokens_estimate(text)
        previous.append({"time": iso(at), "content": text})
    told: dict[str, Any] = {
        "reference_time": iso(episode.reference_time),
        "source": str(episode.source).lower(),
        "content": content,
    }
    if episode.source_description:
        told["source_description"] = clean_text(episode.source_description)[:DESCRIPTION_CHARS_MAX]
    return {"episode": told} | ({"previous": previous[::-1]} if previous else {}), problems


def types_material(types: ExtractionTypes, *, entities: bool, facts: bool) -> dict[str, Any]:
    """Only what was given."""
    told: dict[str, Any] = {}
    if entities and types.entities:
        told["entity_types"] = [_type(one) for one in types.entities]
    if entities and types.excluded_entities:
        told["excluded_types"] = sorted(types.excluded_entities)
    if facts and types.facts:
        told["fact_types"] = [
            _type(one) | ({"between": between} if (between := _between(types, one.name)) else {})
            for one in types.facts
        ]
    if types.instructions:
        told["instructions"] = clean_text(types.instructions)[:INSTRUCTIONS_CHARS_MAX]
    return told


def fields_material(of: CustomType) -> Sequence[dict[str, str]]:
    return [
        {"name": one.name, "type": str(one.type)}
        | ({"description": one.description[:DESCRIPTION_CHARS_MAX]} if one.description else {})
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


def _type(one: CustomType) -> dict[str, Any]:
    told: dict[str, Any] = {"name": one.name}
    if one.description:
        told["description"] = one.description[:DESCRIPTION_CHARS_MAX]
    if one.fields:
        told["fields"] = fields_material(one)
    return told


def _between(types: ExtractionTypes, fact_type: str) -> list[list[str]]:
    return [list(pair) for pair, names in types.type_map.items() if fact_type in names]

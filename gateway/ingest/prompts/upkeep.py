"""Asking for attributes of typed entities and facts, and for summaries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.graph_model import Attributes, AttributeValue, Timestamp
from gateway.ingest.extraction import SUMMARY_CHARS_MAX, ProblemKind, Problems
from gateway.ingest.model_times import iso
from gateway.ingest.outputs import Output, SagaSummaryOutput, SummariesOutput, attributes_output
from gateway.ingest.prompts import texts
from gateway.ingest.prompts.material import Budget, EpisodeText, episode_material, fields_material, messages
from gateway.ingest.translation import cut
from gateway.ingest.types import CustomType
from gateway.llm.port import ModelRequest
from gateway.llm.tasks import Complexity, Task
from gateway.llm.text_care import cut_at_sentence

ENTITIES_PER_CALL_MAX = 30
FACTS_PER_ENTITY_MAX = 30
SAGA_EPISODES_PER_CALL_MAX = 20
SAGA_SUMMARY_CHARS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Summarised:
    """An entity whose summary is to be brought up to date."""

    name: str
    summary: str
    facts: tuple[str, ...]
    """What is new about it."""


def attributes(
    of: CustomType, name: str, known: Attributes, episode: EpisodeText, budget: Budget
) -> ModelRequest[Output]:
    """Fields of one typed entity or fact; read with translation.translate_attributes()."""
    material, _ = episode_material(episode, budget)
    material["about"] = {"name": name, "type": of.name, "known": _plain(known)}
    material["fields"] = fields_material(of)
    sent = messages(texts.ATTRIBUTES, material)
    return ModelRequest(Task.ATTRIBUTES, sent, attributes_output(of), len(episode.content), Complexity.MEDIUM)


def summarise(entities: Sequence[Summarised]) -> ModelRequest[SummariesOutput]:
    """At most ENTITIES_PER_CALL_MAX in one call."""
    assert len(entities) <= ENTITIES_PER_CALL_MAX
    material = {
        "entities": [
            {
                "id": number,
                "name": one.name,
                "summary": one.summary[:SUMMARY_CHARS_MAX],
                "facts": list(one.facts[-FACTS_PER_ENTITY_MAX:]),
            }
            for number, one in enumerate(entities)
        ]
    }
    length = sum(len(fact) for one in entities for fact in one.facts)
    return ModelRequest(Task.SUMMARISE, messages(texts.SUMMARISE, material), SummariesOutput, length)


def read_summaries(output: SummariesOutput, count: int, problems: Problems) -> Mapping[int, str]:
    """Position -> summary; blank ones and those of nobody are problems."""
    found: dict[int, str] = {}
    for one in output.summaries:
        text = cut(one.summary, SUMMARY_CHARS_MAX, f"summary {one.id}", problems)
        if not 0 <= one.id < count:
            problems.add(ProblemKind.UNKNOWN_ENTITY, f"summary {one.id}")
        elif not text:
            problems.add(ProblemKind.BLANK, f"summary {one.id}")
        else:
            found.setdefault(one.id, text)
    return found


def summarise_saga(
    name: str, so_far: str, episodes: Sequence[tuple[int, str]], budget: Budget
) -> ModelRequest[SagaSummaryOutput]:
    """`episodes`: (reference_time, content), oldest first, at most SAGA_EPISODES_PER_CALL_MAX."""
    assert len(episodes) <= SAGA_EPISODES_PER_CALL_MAX
    each = max(1, budget.tokens_max // max(1, len(episodes)))
    material = {
        "saga": name,
        "summary": so_far[:SAGA_SUMMARY_CHARS_MAX],
        "episodes": [
            {"time": iso(at), "content": cut_at_sentence(content, each)} for at, content in episodes
        ],
    }
    sent = messages(texts.SUMMARISE_SAGA, material)
    length = sum(len(content) for _, content in episodes)
    return ModelRequest(Task.SUMMARISE_SAGA, sent, SagaSummaryOutput, length)


def _plain(known: Attributes) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in known.items()}


def _plain_value(value: AttributeValue) -> Any:
    if isinstance(value, tuple):
        return [_plain_value(one) for one in value]
    return iso(value.epoch_us) if isinstance(value, Timestamp) else value

"""Asking for attributes of typed entities and facts, and for summaries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from drivers.graph_model import Attributes, AttributeValue, Timestamp
from gateway.embedding.preparation import BYTES_PER_TOKEN
from gateway.ingest.extraction import SUMMARY_CHARS_MAX, ProblemKind, Problems
from gateway.ingest.model_times import iso
from gateway.ingest.outputs import Output, SagaSummaryOutput, SummariesOutput, attributes_output
from gateway.ingest.prompts import texts
from gateway.ingest.prompts.fitting import cut_to_fit, first_that_fit, in_calls, size_of
from gateway.ingest.prompts.material import Budget, EpisodeText, episode_material, fields_material, messages
from gateway.ingest.translation import cut
from gateway.ingest.types import CustomType
from gateway.llm.port import ModelRequest
from gateway.llm.tasks import Complexity, Task

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
    told: dict[str, Any] = {
        "about": {"name": name, "type": of.name, "known": _plain(known)},
        "fields": fields_material(of),
    }
    material, _ = episode_material(episode, budget, budget.room(texts.ATTRIBUTES) - size_of(told))
    sent = messages(texts.ATTRIBUTES, material | told)
    return ModelRequest(Task.ATTRIBUTES, sent, attributes_output(of), len(episode.content), Complexity.MEDIUM)


def summary_calls(
    entities: Sequence[Summarised], budget: Budget
) -> Sequence[Sequence[tuple[int, Summarised]]]:
    """Which of them to ask about together, with their number in `entities`. Of one that is too much for a
    call the oldest facts are left out."""
    room = budget.room(texts.SUMMARISE) - size_of({"entities": []})
    fitting = [_fitting(one, room) for one in entities]
    own = [size_of(_told(ENTITIES_PER_CALL_MAX, one)) + 1 for one in fitting]
    calls = in_calls(own, [()] * len(own), {}, room=room, count_max=ENTITIES_PER_CALL_MAX)
    return [[(one.question, fitting[one.question]) for one in call] for call in calls]


def summarise(entities: Sequence[Summarised]) -> ModelRequest[SummariesOutput]:
    """At most ENTITIES_PER_CALL_MAX in one call: callers ask about more in several, as summary_calls()
    says."""
    assert len(entities) <= ENTITIES_PER_CALL_MAX
    material = {"entities": [_told(number, one) for number, one in enumerate(entities)]}
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
    told: dict[str, Any] = {
        "saga": name,
        "summary": so_far[:SAGA_SUMMARY_CHARS_MAX],
        "episodes": [{"time": iso(at), "content": ""} for at, _ in episodes],
    }
    free = (budget.room(texts.SUMMARISE_SAGA) - size_of(told)) // BYTES_PER_TOKEN
    each = max(1, min(budget.tokens_max, free) // max(1, len(episodes)))
    material = told | {
        "episodes": [{"time": iso(at), "content": cut_to_fit(content, each)} for at, content in episodes]
    }
    sent = messages(texts.SUMMARISE_SAGA, material)
    length = sum(len(content) for _, content in episodes)
    return ModelRequest(Task.SUMMARISE_SAGA, sent, SagaSummaryOutput, length)


def _told(number: int, one: Summarised) -> Mapping[str, Any]:
    return {
        "id": number,
        "name": one.name,
        "summary": one.summary[:SUMMARY_CHARS_MAX],
        "facts": list(one.facts[-FACTS_PER_ENTITY_MAX:]),
    }


def _fitting(one: Summarised, room: int) -> Summarised:
    facts = one.facts[-FACTS_PER_ENTITY_MAX:]
    left = room - size_of(_told(ENTITIES_PER_CALL_MAX, replace(one, facts=()))) - 1
    return replace(one, facts=tuple(first_that_fit(facts[::-1], left)[::-1]))


def _plain(known: Attributes) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in known.items()}


def _plain_value(value: AttributeValue) -> Any:
    if isinstance(value, tuple):
        return [_plain_value(one) for one in value]
    return iso(value.epoch_us) if isinstance(value, Timestamp) else value

"""Asking which new entities are known ones. Candidates and answers are numbers of one call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.ingest.extraction import ProblemKind, Problems
from gateway.ingest.outputs import ResolutionOutput
from gateway.ingest.prompts import texts
from gateway.ingest.prompts.material import messages
from gateway.llm.port import ModelRequest
from gateway.llm.tasks import Complexity, Task
from gateway.llm.text_care import cut_at_sentence

ENTITIES_PER_CALL_MAX = 40
CANDIDATES_PER_ENTITY_MAX = 10
SUMMARY_TOKENS_MAX = 60
CONTEXT_TOKENS_MAX = 400
MANY_CANDIDATES = 30


@dataclass(frozen=True, slots=True)
class Described:
    """An entity as the model sees it."""

    name: str
    type: str = ""
    summary: str = ""


def resolve_entities(
    context: str, new: Sequence[tuple[Described, Sequence[int]]], candidates: Sequence[Described]
) -> ModelRequest[ResolutionOutput]:
    """`context`: text of the episode. With each new entity: positions of its candidates in `candidates`.

    At most ENTITIES_PER_CALL_MAX entities: callers ask about more in several calls.
    """
    assert len(new) <= ENTITIES_PER_CALL_MAX
    asked = sorted({one for _, own in new for one in own[:CANDIDATES_PER_ENTITY_MAX]})
    material: dict[str, Any] = {
        "episode": cut_at_sentence(context, CONTEXT_TOKENS_MAX),
        "new": [
            {"id": number, **_told(one), "candidates": list(own[:CANDIDATES_PER_ENTITY_MAX])}
            for number, (one, own) in enumerate(new)
        ],
        "candidates": [{"id": number, **_told(candidates[number])} for number in asked],
    }
    return ModelRequest(
        Task.RESOLVE_ENTITIES,
        messages(texts.RESOLVE_ENTITIES, material),
        ResolutionOutput,
        sum(len(one.name) + len(one.summary) for one, _ in new),
        Complexity.MEDIUM if len(asked) > MANY_CANDIDATES else Complexity.LOW,
    )


def read_resolution(
    output: ResolutionOutput, new: Sequence[tuple[Described, Sequence[int]]], problems: Problems
) -> Mapping[int, int]:
    """Number of a new entity -> candidate that it is; what names no candidate of its own is a problem."""
    same: dict[int, int] = {}
    for one in output.same:
        if one.same_as == -1:
            continue
        if not 0 <= one.id < len(new) or one.same_as not in new[one.id][1][:CANDIDATES_PER_ENTITY_MAX]:
            problems.add(ProblemKind.UNKNOWN_ENTITY, f"resolution of entity {one.id}")
        elif one.id in same:
            problems.add(ProblemKind.REPEATED_ID, f"resolution of entity {one.id}")
        else:
            same[one.id] = one.same_as
    return same


def _told(one: Described) -> dict[str, str]:
    told = {"name": one.name}
    if one.type:
        told["type"] = one.type
    if one.summary:
        told["summary"] = cut_at_sentence(one.summary, SUMMARY_TOKENS_MAX)
    return told

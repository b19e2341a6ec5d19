"""Asking which new entities are known ones. Candidates and answers are numbers of one call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.ingest.extraction import ProblemKind, Problems
from gateway.ingest.outputs import ResolutionOutput
from gateway.ingest.prompts import texts
from gateway.ingest.prompts.fitting import Part, in_calls, size_of
from gateway.ingest.prompts.material import Budget, messages
from gateway.llm.port import ModelRequest
from gateway.llm.tasks import Complexity, Task
from gateway.llm.text_care import cut_at_sentence

ENTITIES_PER_CALL_MAX = 40
CANDIDATES_PER_ENTITY_MAX = 10
SUMMARY_TOKENS_MAX = 60
CONTEXT_TOKENS_MAX = 1_200
"""Of all entities of a call together."""
CONTEXT_TOKENS_EACH_MAX = 120
MANY_CANDIDATES = 30


@dataclass(frozen=True, slots=True)
class Described:
    """An entity as the model sees it."""

    name: str
    type: str = ""
    summary: str = ""
    context: str = ""
    """Where its episode names it; of a new one."""


type Asked = tuple[Described, Sequence[int]]
"""A new entity with the positions of its candidates, most alike first."""


def context_tokens(questions: int) -> int:
    """Estimated, for the context of each of so many entities."""
    return min(CONTEXT_TOKENS_EACH_MAX, CONTEXT_TOKENS_MAX // max(1, min(questions, ENTITIES_PER_CALL_MAX)))


def resolution_calls(
    new: Sequence[Asked], candidates: Sequence[Described], budget: Budget
) -> Sequence[Sequence[Part]]:
    """Which of them to ask about together, by their number in `new`."""
    own = [
        size_of(_question(ENTITIES_PER_CALL_MAX, one, (), ENTITIES_PER_CALL_MAX)) + size_of(one.context) + 1
        for one, _ in new
    ]
    asked = [tuple(some[:CANDIDATES_PER_ENTITY_MAX]) for _, some in new]
    sizes = {at: size_of(_candidate(at, candidates[at])) for some in asked for at in some}
    room = budget.room(texts.RESOLVE_ENTITIES) - size_of(_material((), (), ()))
    return in_calls(own, asked, sizes, room=room, count_max=ENTITIES_PER_CALL_MAX)


def resolve_entities(new: Sequence[Asked], candidates: Sequence[Described]) -> ModelRequest[ResolutionOutput]:
    """At most ENTITIES_PER_CALL_MAX entities: callers ask about more in several calls, as resolution_calls()
    says. A text that several are named in is told once."""
    assert len(new) <= ENTITIES_PER_CALL_MAX
    asked = sorted({one for _, own in new for one in own[:CANDIDATES_PER_ENTITY_MAX]})
    contexts = {
        text: at for at, text in enumerate(dict.fromkeys(one.context for one, _ in new if one.context))
    }
    material = _material(
        tuple(contexts),
        [
            _question(number, one, own[:CANDIDATES_PER_ENTITY_MAX], contexts.get(one.context))
            for number, (one, own) in enumerate(new)
        ],
        [_candidate(number, candidates[number]) for number in asked],
    )
    return ModelRequest(
        Task.RESOLVE_ENTITIES,
        messages(texts.RESOLVE_ENTITIES, material),
        ResolutionOutput,
        sum(len(one.name) + len(one.summary) for one, _ in new),
        Complexity.MEDIUM if len(asked) > MANY_CANDIDATES else Complexity.LOW,
    )


def read_resolution(output: ResolutionOutput, new: Sequence[Asked], problems: Problems) -> Mapping[int, int]:
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


def _material(
    contexts: Sequence[str], new: Sequence[Mapping[str, Any]], candidates: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any]:
    return {"contexts": list(contexts), "new": list(new), "candidates": list(candidates)}


def _question(number: int, one: Described, own: Sequence[int], context: int | None) -> Mapping[str, Any]:
    where = {} if context is None else {"context": context}
    return {"id": number, **_told(one), **where, "candidates": list(own)}


def _candidate(number: int, one: Described) -> Mapping[str, Any]:
    return {"id": number, **_told(one)}


def _told(one: Described) -> dict[str, str]:
    told = {"name": one.name}
    if one.type:
        told["type"] = one.type
    if one.summary:
        told["summary"] = cut_at_sentence(one.summary, SUMMARY_TOKENS_MAX)
    return told

"""Asking which known facts new ones repeat, supersede or correct: all new facts of an episode in one call,
if they fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.graph_model import OPEN_END, OPEN_START
from gateway.ingest.extraction import ProblemKind, Problems
from gateway.ingest.model_times import iso
from gateway.ingest.outputs import JudgementsOutput
from gateway.ingest.prompts import texts
from gateway.ingest.prompts.fitting import Part, in_calls, size_of
from gateway.ingest.prompts.material import Budget, messages
from gateway.ingest.temporal import Verdict, VerdictKind
from gateway.llm.port import ModelRequest
from gateway.llm.tasks import Complexity, Task

FACTS_PER_CALL_MAX = 40
CANDIDATES_PER_FACT_MAX = 15
FACT_CHARS_MAX = 500
MANY_CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class StatedFact:
    """A fact as the model sees it."""

    text: str
    valid_at: int = OPEN_START
    invalid_at: int = OPEN_END


type Asked = tuple[StatedFact, Sequence[int]]
"""A new fact with the positions of its candidates, most alike first."""


def judgement_calls(
    new: Sequence[Asked], candidates: Sequence[StatedFact], budget: Budget
) -> Sequence[Sequence[Part]]:
    """Which of them to ask about together, by their number in `new`."""
    own = [size_of(_question(FACTS_PER_CALL_MAX, one, ())) + 1 for one, _ in new]
    asked = [tuple(some[:CANDIDATES_PER_FACT_MAX]) for _, some in new]
    sizes = {at: size_of(_candidate(at, candidates[at])) for some in asked for at in some}
    room = budget.room(texts.JUDGE_FACTS) - size_of(_material((), ()))
    return in_calls(own, asked, sizes, room=room, count_max=FACTS_PER_CALL_MAX)


def judge_facts(new: Sequence[Asked], candidates: Sequence[StatedFact]) -> ModelRequest[JudgementsOutput]:
    """At most FACTS_PER_CALL_MAX facts: callers ask about more in several calls, as judgement_calls()
    says."""
    assert len(new) <= FACTS_PER_CALL_MAX
    asked = sorted({one for _, own in new for one in own[:CANDIDATES_PER_FACT_MAX]})
    material = _material(
        [_question(number, one, own[:CANDIDATES_PER_FACT_MAX]) for number, (one, own) in enumerate(new)],
        [_candidate(number, candidates[number]) for number in asked],
    )
    return ModelRequest(
        Task.JUDGE_FACTS,
        messages(texts.JUDGE_FACTS, material),
        JudgementsOutput,
        sum(len(one.text) for one, _ in new),
        Complexity.MEDIUM if len(asked) > MANY_CANDIDATES else Complexity.LOW,
    )


def read_judgements(
    output: JudgementsOutput, new: Sequence[Asked], problems: Problems
) -> Sequence[Verdict[int]]:
    """Verdicts over positions. A candidate that is named twice counts as repeated, else as corrected: the
    readings that lose least; one that was not asked about is a problem."""
    verdicts: dict[tuple[int, int], VerdictKind] = {}
    for one in output.judgements:
        if not 0 <= one.id < len(new):
            problems.add(ProblemKind.UNKNOWN_ENTITY, f"judgement of fact {one.id}")
            continue
        own = new[one.id][1][:CANDIDATES_PER_FACT_MAX]
        for kind, named in (
            (VerdictKind.REPEATS, one.repeats),
            (VerdictKind.CORRECTS, one.corrects),
            (VerdictKind.SUPERSEDES, one.supersedes),
        ):
            for candidate in named:
                if candidate in own:
                    verdicts.setdefault((one.id, candidate), kind)
                else:
                    problems.add(ProblemKind.UNKNOWN_ENTITY, f"judgement of fact {one.id}, {kind}")
    return [Verdict(fact, candidate, kind) for (fact, candidate), kind in verdicts.items()]


def _material(new: Sequence[Mapping[str, Any]], candidates: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {"new": list(new), "candidates": list(candidates)}


def _question(number: int, one: StatedFact, own: Sequence[int]) -> Mapping[str, Any]:
    return {"id": number, **_told(one), "candidates": list(own)}


def _candidate(number: int, one: StatedFact) -> Mapping[str, Any]:
    return {"id": number, **_told(one)}


def _told(one: StatedFact) -> dict[str, str]:
    told = {"text": one.text[:FACT_CHARS_MAX]}
    if one.valid_at != OPEN_START:
        told["valid_at"] = iso(one.valid_at)
    if one.invalid_at != OPEN_END:
        told["invalid_at"] = iso(one.invalid_at)
    return told

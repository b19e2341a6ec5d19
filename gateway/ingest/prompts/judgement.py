"""Asking which known facts new ones repeat, supersede or correct: all new facts of an episode in one call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from drivers.graph_model import OPEN_END, OPEN_START
from gateway.ingest.extraction import ProblemKind, Problems
from gateway.ingest.model_times import iso
from gateway.ingest.outputs import JudgementsOutput
from gateway.ingest.prompts import texts
from gateway.ingest.prompts.material import messages
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


def judge_facts(
    new: Sequence[tuple[StatedFact, Sequence[int]]], candidates: Sequence[StatedFact]
) -> ModelRequest[JudgementsOutput]:
    """With each new fact: positions of its candidates in `candidates`. At most FACTS_PER_CALL_MAX facts."""
    assert len(new) <= FACTS_PER_CALL_MAX
    asked = sorted({one for _, own in new for one in own[:CANDIDATES_PER_FACT_MAX]})
    material: dict[str, Any] = {
        "new": [
            {"id": number, **_told(one), "candidates": list(own[:CANDIDATES_PER_FACT_MAX])}
            for number, (one, own) in enumerate(new)
        ],
        "candidates": [{"id": number, **_told(candidates[number])} for number in asked],
    }
    return ModelRequest(
        Task.JUDGE_FACTS,
        messages(texts.JUDGE_FACTS, material),
        JudgementsOutput,
        sum(len(one.text) for one, _ in new),
        Complexity.MEDIUM if len(asked) > MANY_CANDIDATES else Complexity.LOW,
    )


def read_judgements(
    output: JudgementsOutput, new: Sequence[tuple[StatedFact, Sequence[int]]], problems: Problems
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


def _told(one: StatedFact) -> dict[str, str]:
    told = {"text": one.text[:FACT_CHARS_MAX]}
    if one.valid_at != OPEN_START:
        told["valid_at"] = iso(one.valid_at)
    if one.invalid_at != OPEN_END:
        told["invalid_at"] = iso(one.invalid_at)
    return told

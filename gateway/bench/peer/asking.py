"""Both sides answer the same questions, in turn."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from gateway.bench.peer.figures import same_share
from gateway.bench.peer.graphgate_side import HITS, GraphgateSide, KindName, SearchName, VectorsName
from gateway.bench.peer.graphiti_process import GraphitiProcess
from gateway.bench.rig import turns
from gateway.bench.stages import Stages
from gateway.corpus.metrics import recall_at

type SideName = VectorsName | Literal["graphiti"]

SEARCHES: tuple[SearchName, ...] = get_args(SearchName.__value__)
KINDS: tuple[KindName, ...] = get_args(KindName.__value__)
SIDES: tuple[SideName, ...] = (*get_args(VectorsName.__value__), "graphiti")


@dataclass(frozen=True, slots=True)
class Asked:
    text: str
    vector: Sequence[float]


@dataclass(frozen=True, slots=True)
class Answered:
    seconds: Mapping[tuple[SideName, SearchName], Sequence[float]]
    """Of every question in every round that counts."""
    stages: Mapping[tuple[VectorsName, SearchName], Stages]


@dataclass(frozen=True, slots=True)
class Agreement:
    recall_at_10: Mapping[KindName, float]
    same_semantic_top10: Mapping[KindName, float]


async def ask_both(
    questions: Sequence[Asked],
    rounds: int,
    graphgate: GraphgateSide,
    graphiti: GraphitiProcess,
    on_question: Callable[[], None],
) -> Answered:
    """Question by question, search by search, all sides in an order that changes from one to the next; one
    search at a time. The first round, of `rounds` + 1, warms up. Raises AioRpcError and PeerFailed."""
    seconds: dict[tuple[SideName, SearchName], list[float]] = defaultdict(list)
    stages: dict[tuple[VectorsName, SearchName], Stages] = defaultdict(Stages)
    turn = 0
    for number in range(rounds + 1):
        for question in questions:
            for search in SEARCHES:
                for side in turns(SIDES, turn):
                    if side == "graphiti":
                        spent_s, _ = await graphiti.search(search, question.text, question.vector)
                    else:
                        spent_s, answer = await graphgate.search(search, side, question.text, question.vector)
                        if number:
                            stages[side, search].add(answer, spent_s)
                    if number:
                        seconds[side, search].append(spent_s)
                turn += 1
            on_question()
    return Answered(seconds, stages)


async def compare(
    questions: Sequence[Asked],
    vector_of: Callable[[str], Sequence[float]],
    graphgate: GraphgateSide,
    graphiti: GraphitiProcess,
) -> Agreement:
    """By cosine alone: automatic against exact, exact against graphiti-core. `vector_of`: of a row by its
    uuid; vectors are of length 1. Raises AioRpcError and PeerFailed."""
    recall: dict[KindName, list[float]] = defaultdict(list)
    same: dict[KindName, list[float]] = defaultdict(list)
    for question in questions:

        def cosine(uuid: str, question: Asked = question) -> float:
            return sum(a * b for a, b in zip(question.vector, vector_of(uuid), strict=True))

        for kind in KINDS:
            exact = await graphgate.similar(kind, "exact", question.vector)
            automatic = await graphgate.similar(kind, "automatic", question.vector)
            theirs = await graphiti.similar(kind, question.vector, HITS)
            recall[kind].append(recall_at(HITS, automatic, exact))
            same[kind].append(same_share(exact, theirs, cosine))
    return Agreement(_means(recall), _means(same))


def _means(values: Mapping[KindName, Sequence[float]]) -> Mapping[KindName, float]:
    return {kind: statistics.fmean(some) for kind, some in values.items()}

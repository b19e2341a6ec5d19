"""Asking the questions."""

from collections import Counter
from typing import Any, cast

from gateway.corpus.dataset import Question
from gateway.corpus.vectors import VectorTable
from gateway.eval.asking import ask_all
from gateway.eval.methods import RECIPES
from gateway.loopback.client import GatewayClient
from graphgate.v1 import graph_pb2, search_service_pb2

QUESTIONS = [Question(f"question {number}", "", (number,)) for number in range(5)]


class _AnyVector(VectorTable):
    def __init__(self) -> None:
        super().__init__({})

    def of(self, text: str) -> list[float]:
        return [1.0, float(text[-1])]


class _Gateway:
    """Finds an episode that is named like the question, and how it was asked."""

    def __init__(self) -> None:
        self.search = self
        self.asked: Counter[str] = Counter()

    async def Search(self, request: Any, timeout: float) -> Any:  # noqa: N802
        assert list(request.query_vector) == [1.0, float(request.query[-1])]
        self.asked[request.query] += 1
        (spec,) = request.results
        how = f"{request.rrf_k} {[weight.method for weight in spec.methods]}"
        hits = [
            search_service_pb2.SearchHit(episode=graph_pb2.Episode(uuid=uuid))
            for uuid in (request.query, how)
        ]
        return search_service_pb2.SearchResponse(
            results=[search_service_pb2.ResultList(hits=hits)],
            shards=[search_service_pb2.ShardOutcome(shard="a", groups=3)],
        )


async def test_each_question_has_one_list_and_one_latency_per_method():
    """Searches that warm the fleet up are not measured; lists are those of their own question and method."""
    gateway, seen = _Gateway(), list[None]()
    answers = await ask_all(
        cast("GatewayClient", gateway), QUESTIONS, _AnyVector(), lambda: seen.append(None)
    )
    assert len(seen) == len(QUESTIONS)
    hows: set[str] = set()
    for method in RECIPES:
        assert [ranking[0] for ranking in answers.rankings[method]] == [q.question for q in QUESTIONS]
        (how,) = {ranking[1] for ranking in answers.rankings[method]}
        hows.add(how)
        assert len(answers.latencies_ms[method]) == len(QUESTIONS)
    assert len(hows) == len(RECIPES)
    assert answers.groups_by_shard == {"a": 3}
    assert gateway.asked["question 0"] > gateway.asked["question 4"] == len(RECIPES)

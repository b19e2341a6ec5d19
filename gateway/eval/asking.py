"""Asks every question of a fleet that holds the data."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.corpus.dataset import Question
from gateway.corpus.vectors import VectorTable
from gateway.eval.methods import RECIPES, MethodName, search_request
from gateway.loopback.client import GatewayClient
from graphgate.v1 import search_service_pb2

SEARCH_TIMEOUT_S = 30.0
_WARM_UP_QUESTIONS = 3
"""Asked once more before, unmeasured: a Neo4j that has just started compiles its first statements slowly."""


@dataclass(frozen=True, slots=True)
class Answers:
    rankings: Mapping[MethodName, Sequence[Sequence[str]]]
    """By method one list for each question: uuids of episodes, best first."""
    latencies_ms: Mapping[MethodName, Sequence[float]]
    """As the caller sees them; the query's vector is given, so that no embedding is in them."""
    groups_by_shard: Mapping[str, int]
    """Of the last search."""


async def ask_all(
    client: GatewayClient,
    questions: Sequence[Question],
    vectors: VectorTable,
    on_answer: Callable[[], None] = lambda: None,
) -> Answers:
    """Every question by every method, one search after the other, the methods in turn. Raises AioRpcError."""
    rankings: dict[MethodName, list[Sequence[str]]] = {method: [] for method in RECIPES}
    latencies_ms: dict[MethodName, list[float]] = {method: [] for method in RECIPES}
    groups_by_shard: Mapping[str, int] = {}

    async def ask(method: MethodName, question: str) -> search_service_pb2.SearchResponse:
        request = search_request(RECIPES[method], question, vectors.of(question))
        return await client.search.Search(request, timeout=SEARCH_TIMEOUT_S)

    for question in questions[:_WARM_UP_QUESTIONS]:
        for method in RECIPES:
            await ask(method, question.question)
    for question in questions:
        for method in RECIPES:
            started = time.perf_counter()
            answer = await ask(method, question.question)
            latencies_ms[method].append((time.perf_counter() - started) * 1_000)
            rankings[method].append([hit.episode.uuid for hit in answer.results[0].hits])
            groups_by_shard = {outcome.shard: outcome.groups for outcome in answer.shards}
        on_answer()
    return Answers(rankings, latencies_ms, groups_by_shard)

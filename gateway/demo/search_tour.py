"""The demo's questions as searches: quality, latency, and the lists that two layouts must agree on."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.corpus.dataset import Question
from gateway.corpus.graph_rows import GroupGraph
from gateway.corpus.metrics import percentile
from gateway.corpus.vectors import VectorTable
from gateway.loopback.client import GatewayClient
from graphgate.v1 import graph_pb2, search_service_pb2

LIMIT = 10
SEARCH_TIMEOUT_S = 30.0
COMPARED_KINDS = (graph_pb2.ROW_KIND_EPISODE, graph_pb2.ROW_KIND_ENTITY, graph_pb2.ROW_KIND_FACT)
_WARM_UP_SEARCHES = 3

type Ranking = tuple[tuple[str, str], ...]
"""group_id and uuid of the hits, best first."""
type Rankings = Mapping[graph_pb2.RowKind, Sequence[Ranking]]
"""By kind, one ranking for each question."""


@dataclass(frozen=True, slots=True)
class SearchFigures:
    questions: int
    gold: int
    recall_at_10: float
    """Share of a question's gold passages among its first 10 episodes, mean over the questions."""
    all_gold_at_10: float
    """Questions of which every gold passage is there, as a share."""
    p50_ms: float
    p95_ms: float
    stages_ms: Mapping[str, float]
    """Median by stage, as the gateway reports it."""
    shards_ms: Mapping[str, float]
    """Median by shard, as the gateway reports it: time until its last answer."""
    rankings: Sequence[Ranking]


async def ask(
    client: GatewayClient,
    question: str,
    kind: graph_pb2.RowKind,
    *,
    group_id: str | None = None,
    limit: int = LIMIT,
) -> search_service_pb2.SearchResponse:
    """One hybrid search with default parameters; over all groups unless one is named."""
    request = search_service_pb2.SearchRequest(
        query=question, results=[search_service_pb2.ResultSpec(kind=kind, limit=limit)], with_placement=True
    )
    if group_id is None:
        request.all_groups.SetInParent()
    else:
        request.group_id = group_id
    return await client.search.Search(request, timeout=SEARCH_TIMEOUT_S)


async def measure(
    client: GatewayClient,
    questions: Sequence[Question],
    groups: Sequence[GroupGraph],
    on_answer: Callable[[], None] = lambda: None,
) -> SearchFigures:
    """Every question as one hybrid search for episodes over all groups, one after the other.

    Latency is the caller's, the embedding of the question included.
    """
    passage_of = {p.episode.uuid: p.index for group in groups for p in group.passages}
    for question in questions[:_WARM_UP_SEARCHES]:
        await ask(client, question.question, graph_pb2.ROW_KIND_EPISODE)
    recalls: list[float] = []
    latencies: list[float] = []
    stages: dict[str, list[float]] = {}
    shards: dict[str, list[float]] = {}
    rankings: list[Ranking] = []
    for question in questions:
        started = time.perf_counter()
        answer = await ask(client, question.question, graph_pb2.ROW_KIND_EPISODE)
        latencies.append((time.perf_counter() - started) * 1_000)
        for timing in answer.timings:
            stages.setdefault(timing.stage, []).append(timing.duration.ToMicroseconds() / 1_000)
        for shard in answer.shards:
            shards.setdefault(shard.shard, []).append(shard.latency.ToMicroseconds() / 1_000)
        hits = answer.results[0].hits
        found = {passage_of[hit.episode.uuid] for hit in hits} & set(question.gold)
        recalls.append(len(found) / len(question.gold))
        rankings.append(tuple((hit.group_id, hit.episode.uuid) for hit in hits))
        on_answer()
    return SearchFigures(
        questions=len(questions),
        gold=sum(len(question.gold) for question in questions),
        recall_at_10=statistics.fmean(recalls),
        all_gold_at_10=statistics.fmean(recall == 1.0 for recall in recalls),
        p50_ms=percentile(latencies, 50),
        p95_ms=percentile(latencies, 95),
        stages_ms={stage: statistics.median(times) for stage, times in stages.items()},
        shards_ms={shard: statistics.median(times) for shard, times in shards.items()},
        rankings=rankings,
    )


async def semantic_rankings(
    client: GatewayClient,
    questions: Sequence[Question],
    vectors: VectorTable,
    on_answer: Callable[[], None] = lambda: None,
) -> Rankings:
    """The semantic top 10 of every kind over all groups, for the very same query vectors."""
    semantic = search_service_pb2.MethodWeight(method=search_service_pb2.SEARCH_METHOD_SEMANTIC, weight=1.0)
    rankings: dict[graph_pb2.RowKind, list[Ranking]] = {kind: [] for kind in COMPARED_KINDS}
    for question in questions:
        request = search_service_pb2.SearchRequest(
            query_vector=vectors.of(question.question),
            all_groups=search_service_pb2.AllGroups(),
            results=[
                search_service_pb2.ResultSpec(kind=kind, limit=LIMIT, methods=[semantic])
                for kind in COMPARED_KINDS
            ],
        )
        answer = await client.search.Search(request, timeout=SEARCH_TIMEOUT_S)
        for results in answer.results:
            rankings[results.kind].append(tuple((hit.group_id, hit_uuid(hit)) for hit in results.hits))
        on_answer()
    return rankings


def hit_uuid(hit: search_service_pb2.SearchHit) -> str:
    """uuid of the row, whatever its kind."""
    match hit.WhichOneof("row"):
        case "entity":
            return hit.entity.uuid
        case "fact":
            return hit.fact.uuid
        case _:
            return hit.episode.uuid


def share_equal(one: Sequence[Ranking], other: Sequence[Ranking]) -> float:
    """Share of the questions with the same full list in both."""
    return statistics.fmean(
        len(first) == LIMIT and first == second for first, second in zip(one, other, strict=True)
    )


def mean_overlap(one: Sequence[Ranking], other: Sequence[Ranking]) -> float:
    """Mean share of hits that two lists of one question have in common, whatever their order."""
    return statistics.fmean(
        len(set(first) & set(second)) / max(len(first), len(second), 1)
        for first, second in zip(one, other, strict=True)
    )

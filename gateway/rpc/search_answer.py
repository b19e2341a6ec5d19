"""The answer of a search as its message, small enough for any client."""

from collections.abc import Mapping, Sequence
from typing import cast

from google.protobuf.duration_pb2 import Duration

from drivers.fence import Engine
from drivers.graph_model import Community, Entity, Episode, Fact, Kind
from gateway.rpc.read_mask import ReadMask
from gateway.rpc.row_messages import (
    ROW_KIND,
    community_message,
    entity_message,
    episode_message,
    fact_message,
)
from gateway.rpc.search_explanation import explanation
from gateway.rpc.search_reading import METHOD
from gateway.search.request import Search, VectorMode
from gateway.search.result import Hit, KindResult, SearchResult, VectorPath, WalkReport
from graphgate.v1 import search_service_pb2 as pb
from shard_router.partial import ShardStatus

SHARD_ENGINE: Mapping[Engine, pb.ShardEngine] = {
    engine: cast("pb.ShardEngine", pb.ShardEngine.Value(f"SHARD_ENGINE_{engine}")) for engine in Engine
}
_STATUS: Mapping[ShardStatus, pb.ShardOutcomeStatus] = {
    status: cast("pb.ShardOutcomeStatus", pb.ShardOutcomeStatus.Value(f"SHARD_OUTCOME_STATUS_{status}"))
    for status in ShardStatus
}
NAMED_MAX = 1_000
"""Missing groups, and groups that were searched without the semantic method, that are named."""


def response(
    request: pb.SearchRequest, search: Search, result: SearchResult, mask: ReadMask, bytes_max: int
) -> pb.SearchResponse:
    """At most `bytes_max`: hits at the ends of their lists are left out and counted, explanations cut."""
    answer = _frame(search, result)
    budget = max(0, bytes_max - answer.ByteSize())
    # Everything is made where it stays: adding a message to another one copies all of it.
    for spec in search.results:
        _fill(answer.results.add(), spec.kind, result.kinds[spec.kind], request.with_placement, mask)
    lists = answer.results
    _cut_to(lists, budget)
    if request.explain:
        left = max(0, budget - sum(found.ByteSize() for found in lists)) // len(lists)
        for spec, found in zip(search.results, lists, strict=True):
            found.explanation.CopyFrom(explanation(spec.weights, search.rrf_k, result.kinds[spec.kind], left))
    return answer


def _frame(search: Search, result: SearchResult) -> pb.SearchResponse:
    """All but the results."""
    return pb.SearchResponse(
        unknown_groups=result.unknown_groups,
        versions=[
            pb.GroupVersion(group_id=group_id, version=version)
            for group_id, version in sorted(result.versions.items())
            if search.group_ids is not None
        ],
        shards=[
            pb.ShardOutcome(
                shard=shard_id,
                groups=len(outcome.groups),
                latency=_duration(outcome.latency_s),
                status=_STATUS[outcome.status],
                reason=outcome.reason,
            )
            for shard_id, outcome in sorted(result.outcomes.items())
        ],
        timings=[
            pb.StageTiming(stage=stage, duration=_duration(seconds))
            for stage, seconds in result.stages_s.items()
        ],
        coverage=result.coverage,
        missing_groups=result.missing_groups[:NAMED_MAX],
        semantic_skips=[
            pb.SemanticSkip(
                group_id=skip.group_id,
                kind=ROW_KIND[skip.kind],
                model=skip.stored.model,
                dimension=skip.stored.dimension,
            )
            for skip in result.semantic_skips[:NAMED_MAX]
        ],
        semantic_skips_total=len(result.semantic_skips),
        missing_entities=[
            pb.EntityRef(group_id=key.group_id, uuid=key.uuid) for key in result.missing_entities
        ],
    )


def _fill(
    message: pb.ResultList, kind: Kind, found: KindResult, with_placement: bool, mask: ReadMask
) -> None:
    message.kind = ROW_KIND[kind]
    for hit in found.hits:
        _fill_hit(message.hits.add(), kind, hit, with_placement, mask)
    if found.vectors is not None:
        message.vectors.CopyFrom(_vector_path(found.vectors))
    if found.walk is not None:
        message.graph.CopyFrom(_walk(found.walk))
    message.keyword_cut = not found.keyword_exact
    rerank = found.rerank
    message.rerank.CopyFrom(pb.RerankOutcome(reranked=rerank.reranked, reason=rerank.reason, cut=rerank.cut))


def _cut_to(lists: Sequence[pb.ResultList], bytes_max: int) -> None:
    """Leaves out the last hit of the largest list until the reply fits. One row always does."""
    sizes = [sum(hit.ByteSize() for hit in found.hits) for found in lists]
    while sum(sizes) > bytes_max:
        largest = sizes.index(max(sizes))
        sizes[largest] -= lists[largest].hits.pop().ByteSize()
        lists[largest].hits_left_out += 1


def _fill_hit(message: pb.SearchHit, kind: Kind, hit: Hit, with_placement: bool, mask: ReadMask) -> None:
    message.group_id = hit.key.group_id
    message.score = hit.score
    message.fused_score = hit.fused_score
    for place in hit.methods:
        message.methods.add(
            method=METHOD[place.method], rank=place.rank, score=place.score, distance=place.distance
        )
    match hit.row:
        case Entity():
            message.entity.CopyFrom(entity_message(hit.row))
            mask.apply(kind, message.entity)
        case Fact():
            message.fact.CopyFrom(fact_message(hit.row))
            mask.apply(kind, message.fact)
        case Episode():
            message.episode.CopyFrom(episode_message(hit.row))
            mask.apply(kind, message.episode)
        case Community():
            message.community.CopyFrom(community_message(hit.row))
            mask.apply(kind, message.community)
        case _:
            raise AssertionError(f"{type(hit.row).__name__} is no kind of result")
    if with_placement:
        message.shard = hit.shard_id
        message.engine = SHARD_ENGINE[hit.engine]


_VECTOR_SEARCH: Mapping[VectorMode | None, pb.VectorSearch] = {
    None: pb.VECTOR_SEARCH_UNSPECIFIED,
    VectorMode.EXACT: pb.VECTOR_SEARCH_EXACT,
    VectorMode.APPROXIMATE: pb.VECTOR_SEARCH_APPROXIMATE,
}


def _vector_path(path: VectorPath) -> pb.VectorPath:
    return pb.VectorPath(
        ran=_VECTOR_SEARCH[path.ran], reason=path.reason, groups_by_index=path.groups_by_index
    )


def _walk(walk: WalkReport) -> pb.GraphWalk:
    return pb.GraphWalk(origins=walk.origins, hops=walk.hops, cut=walk.cut, empty_reason=walk.empty or "")


def _duration(seconds: float) -> Duration:
    return Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))

"""SearchService: one ranking over any scope."""

from collections.abc import Mapping, Sequence
from typing import cast

from google.protobuf.duration_pb2 import Duration

from drivers.contract import Engine
from drivers.graph_model import Entity, Episode, Fact, Kind
from gateway.rpc.call import CallLimits, Context, deadline_of
from gateway.rpc.errors import VersionNotReached
from gateway.rpc.row_messages import (
    KIND_OF_MESSAGE,
    ROW_KIND,
    entity_message,
    episode_message,
    fact_message,
)
from gateway.rpc.validation import GROUPS_MAX, QUERY_CHARS_MAX, Violations
from gateway.search.request import (
    DEFAULT_WEIGHTS,
    LIMIT_DEFAULT,
    LIMIT_MAX,
    RESULT_KINDS,
    RRF_K_DEFAULT,
    RRF_K_MAX,
    WEIGHT_MAX,
    Hit,
    ResultSpec,
    Search,
    SearchResult,
)
from gateway.search.searcher import Searcher
from graphgate.v1 import search_service_pb2 as pb
from graphgate.v1 import search_service_pb2_grpc as pb_grpc
from shard_router.fusion import Method

METHOD: Mapping[Method, pb.SearchMethod] = {
    method: cast("pb.SearchMethod", pb.SearchMethod.Value(f"SEARCH_METHOD_{method}")) for method in Method
}
_METHOD_OF_MESSAGE = {int(number): method for method, number in METHOD.items()}

SHARD_ENGINE: Mapping[Engine, pb.ShardEngine] = {
    engine: cast("pb.ShardEngine", pb.ShardEngine.Value(f"SHARD_ENGINE_{engine}")) for engine in Engine
}


class SearchService(pb_grpc.SearchServiceServicer):
    def __init__(self, searcher: Searcher, limits: CallLimits) -> None:
        self._searcher = searcher
        self._limits = limits

    async def Search(self, request: pb.SearchRequest, context: Context) -> pb.SearchResponse:
        search = _search(request)
        result = await self._searcher.search(search, deadline_of(context, self._limits))
        for group_id, asked in request.min_versions.items():
            found = result.versions.get(group_id, 0)
            if found < asked:
                raise VersionNotReached(group_id, asked, found)
        return _response(request, search, result, self._limits.reply_bytes_max)


def _search(request: pb.SearchRequest) -> Search:
    """Raises InvalidRequest."""
    v = Violations()
    group_ids = _scope(v, request)
    text = v.text("query", request.query, QUERY_CHARS_MAX)
    vector = v.vector("query_vector", request.query_vector)
    if not text.strip() and not request.query_vector:
        v.add("query", "is required unless query_vector is given")
    if request.rrf_k:
        v.number("rrf_k", request.rrf_k, 1, RRF_K_MAX)
    results = _results(v, request)
    for group_id, version in request.min_versions.items():
        if v.group_id(f"min_versions[{group_id[:40]!r}]", group_id) and version < 0:
            v.add(f"min_versions[{group_id[:40]!r}]", f"must not be negative, got {version}")
    v.raise_if_any()
    return Search(
        group_ids=group_ids,
        text=text,
        vector=vector,
        results=results,
        rrf_k=request.rrf_k or RRF_K_DEFAULT,
        with_vectors=request.with_embedding,
    )


def _scope(v: Violations, request: pb.SearchRequest) -> tuple[str, ...] | None:
    match request.WhichOneof("scope"):
        case "group_id":
            return (v.group_id("group_id", request.group_id),)
        case "groups":
            group_ids = tuple(dict.fromkeys(request.groups.group_ids))
            v.count("groups.group_ids", len(group_ids), GROUPS_MAX, at_least=1)
            for i, group_id in enumerate(group_ids[:GROUPS_MAX]):
                v.group_id(f"groups.group_ids[{i}]", group_id)
            return group_ids
        case "all_groups":
            return None
        case _:
            v.add("scope", "is required: group_id, groups or all_groups")
            return None


def _results(v: Violations, request: pb.SearchRequest) -> tuple[ResultSpec, ...]:
    specs: list[ResultSpec] = []
    for i, message in enumerate(request.results):
        path = f"results[{i}]"
        kind = KIND_OF_MESSAGE.get(message.kind)
        if kind is None or kind not in RESULT_KINDS:
            v.add(f"{path}.kind", "must be ENTITY, FACT or EPISODE")
            continue
        if any(spec.kind is kind for spec in specs):
            v.add(f"{path}.kind", f"has {kind} twice")
        if message.limit:
            v.number(f"{path}.limit", message.limit, 1, LIMIT_MAX)
        specs.append(
            ResultSpec(kind, message.limit or LIMIT_DEFAULT, _weights(v, f"{path}.methods", message.methods))
        )
    return tuple(specs) or (ResultSpec(Kind.FACT),)


def _weights(v: Violations, path: str, messages: Sequence[pb.MethodWeight]) -> Mapping[Method, float]:
    weights: dict[Method, float] = {}
    for i, message in enumerate(messages):
        method = _METHOD_OF_MESSAGE.get(message.method)
        if method is None:
            v.add(f"{path}[{i}].method", "must be SEMANTIC, KEYWORD or GRAPH")
        elif method in weights:
            v.add(f"{path}[{i}].method", f"has {method} twice")
        elif not 0 < message.weight <= WEIGHT_MAX:
            v.add(
                f"{path}[{i}].weight", f"must be above 0 and at most {WEIGHT_MAX:g}, got {message.weight:g}"
            )
        else:
            weights[method] = message.weight
    return weights or DEFAULT_WEIGHTS


def _response(
    request: pb.SearchRequest, search: Search, result: SearchResult, bytes_max: int
) -> pb.SearchResponse:
    lists = [
        pb.ResultList(
            kind=ROW_KIND[spec.kind],
            hits=[_hit(hit, request.with_placement) for hit in result.hits[spec.kind]],
        )
        for spec in search.results
    ]
    _cut_to(lists, bytes_max)
    return pb.SearchResponse(
        results=lists,
        unknown_groups=result.unknown_groups,
        versions=[
            pb.GroupVersion(group_id=group_id, version=version)
            for group_id, version in sorted(result.versions.items())
            if search.group_ids is not None
        ],
        shards=[
            pb.ShardOutcome(
                shard=shard_id, groups=groups, latency=_duration(result.latency_s.get(shard_id, 0.0))
            )
            for shard_id, groups in sorted(result.groups_by_shard.items())
        ],
        timings=[
            pb.StageTiming(stage=stage, duration=_duration(seconds))
            for stage, seconds in result.stages_s.items()
        ],
    )


def _cut_to(lists: Sequence[pb.ResultList], bytes_max: int) -> None:
    """Leaves out the last hit of the largest list until the reply fits. One row always does."""
    sizes = [sum(hit.ByteSize() for hit in found.hits) for found in lists]
    while sum(sizes) > bytes_max:
        largest = sizes.index(max(sizes))
        sizes[largest] -= lists[largest].hits.pop().ByteSize()
        lists[largest].hits_left_out += 1


def _hit(hit: Hit, with_placement: bool) -> pb.SearchHit:
    message = pb.SearchHit(
        group_id=hit.key.group_id,
        score=hit.score,
        methods=[
            pb.MethodRank(method=METHOD[place.method], rank=place.rank, score=place.score)
            for place in hit.methods
        ],
    )
    match hit.row:
        case Entity():
            message.entity.CopyFrom(entity_message(hit.row))
        case Fact():
            message.fact.CopyFrom(fact_message(hit.row))
        case Episode():
            message.episode.CopyFrom(episode_message(hit.row))
        case _:
            raise AssertionError(f"{type(hit.row).__name__} is no kind of result")
    if with_placement:
        message.shard = hit.shard_id
        message.engine = SHARD_ENGINE[hit.engine]
    return message


def _duration(seconds: float) -> Duration:
    return Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))

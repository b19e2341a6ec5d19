"""A search from its request, checked field by field."""

from collections.abc import Mapping, Sequence
from typing import cast

from drivers.filters import RowFilter
from drivers.graph_model import Kind
from drivers.row_key import RowKey
from gateway.rpc.filter_reading import held_facts, row_filter
from gateway.rpc.row_messages import KIND_OF_MESSAGE
from gateway.rpc.validation import GROUPS_MAX, QUERY_CHARS_MAX, Violations
from gateway.search.request import (
    HOPS_MAX,
    LIMIT_DEFAULT,
    LIMIT_MAX,
    ORIGINS_MAX,
    RESULT_KINDS,
    RRF_K_DEFAULT,
    RRF_K_MAX,
    WEIGHT_MAX,
    CrossEncoding,
    EpisodeMentions,
    Mmr,
    NodeDistance,
    Reranker,
    ResultSpec,
    Rrf,
    Search,
    VectorMode,
    default_weights,
)
from graphgate.v1 import search_service_pb2 as pb
from shard_router.fusion import Method
from shard_router.partial import PartialPolicy

METHOD: Mapping[Method, pb.SearchMethod] = {
    method: cast("pb.SearchMethod", pb.SearchMethod.Value(f"SEARCH_METHOD_{method}")) for method in Method
}
_METHOD_OF_MESSAGE = {int(number): method for method, number in METHOD.items()}
_VECTOR_MODE: Mapping[int, VectorMode] = {
    int(pb.VECTOR_SEARCH_UNSPECIFIED): VectorMode.AUTOMATIC,
    int(pb.VECTOR_SEARCH_EXACT): VectorMode.EXACT,
    int(pb.VECTOR_SEARCH_APPROXIMATE): VectorMode.APPROXIMATE,
    int(pb.VECTOR_SEARCH_AUTOMATIC): VectorMode.AUTOMATIC,
}
_DISTANCE_KINDS = (Kind.ENTITY, Kind.FACT)

MODEL_CHARS_MAX = 200
ITEMS_CHECKED_MAX = 16
"""Of a list that has more than it may: further ones are only counted."""


def search_of(v: Violations, request: pb.SearchRequest, with_vectors: bool) -> Search:
    """What the request asks for, with its recipe already merged in; notes what is wrong with it."""
    group_ids = _scope(v, request)
    text = v.text("query", request.query, QUERY_CHARS_MAX)
    vector = v.vector("query_vector", request.query_vector)
    v.text("query_model", request.query_model, MODEL_CHARS_MAX)
    if request.query_model and not request.query_vector:
        v.add("query_model", "needs a query_vector")
    if request.rrf_k:
        v.number("rrf_k", request.rrf_k, 1, RRF_K_MAX)
    if request.graph_hops:
        v.number("graph_hops", request.graph_hops, 1, HOPS_MAX)
    held = held_facts(v, request)
    results = _results(v, request, held)
    v.count("origins", len(request.origins), ORIGINS_MAX)
    origins = tuple(
        _entity(v, f"origins[{i}]", message, group_ids)
        for i, message in enumerate(request.origins[:ORIGINS_MAX])
    )
    center = _entity(v, "center", request.center, group_ids) if request.HasField("center") else None
    _check_whole(v, request, results, text)
    _min_versions(v, request, group_ids)
    return Search(
        group_ids=group_ids,
        text=text,
        vector=vector,
        vector_model=request.query_model,
        results=results,
        rrf_k=request.rrf_k or RRF_K_DEFAULT,
        walked=held,
        origins=tuple(dict.fromkeys(origins)),
        hops=request.graph_hops or 1,
        center=center,
        vectors=_vector_mode(v, request),
        partial=_partial(v, request),
        with_vectors=with_vectors,
        explain=request.explain,
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


def _min_versions(v: Violations, request: pb.SearchRequest, group_ids: tuple[str, ...] | None) -> None:
    v.count("min_versions", len(request.min_versions), GROUPS_MAX)
    scope = None if group_ids is None else frozenset(group_ids)
    for group_id, version in request.min_versions.items():
        field = f"min_versions[{group_id[:40]!r}]"
        v.group_id(field, group_id)
        if version < 0:
            v.add(field, f"must not be negative, got {version}")
        if scope is not None and group_id not in scope:
            v.add(field, "is not in the scope of the search")


def _check_whole(v: Violations, request: pb.SearchRequest, results: Sequence[ResultSpec], text: str) -> None:
    """What depends on several fields at once."""
    uses_graph = any(Method.GRAPH in spec.weights for spec in results)
    only_graph = bool(request.origins) and all(set(spec.weights) == {Method.GRAPH} for spec in results)
    has_text, has_vector = bool(text.strip()), bool(request.query_vector)
    if not has_text and not has_vector and not only_graph:
        v.add("query", "is required unless query_vector is given")
    if request.origins and not uses_graph:
        v.add("origins", "needs the method GRAPH in one of the results")
    if request.graph_hops and not uses_graph:
        v.add("graph_hops", "needs the method GRAPH in one of the results")
    by_distance = [spec for spec in results if isinstance(spec.reranker, NodeDistance)]
    if by_distance and not request.HasField("center"):
        v.add("center", "is required by the reranker node_distance")
    if request.HasField("center") and not by_distance:
        v.add("center", "needs the reranker node_distance in one of the results")
    for i, spec in enumerate(results):
        if isinstance(spec.reranker, CrossEncoding) and not has_text:
            v.add(f"results[{i}].reranker.cross_encoder", "needs a query text")
        if isinstance(spec.reranker, Mmr) and not has_text and not has_vector:
            v.add(f"results[{i}].reranker.mmr", "needs a query text or a query_vector")


def _results(v: Violations, request: pb.SearchRequest, held: RowFilter) -> tuple[ResultSpec, ...]:
    specs: list[ResultSpec] = []
    v.count("results", len(request.results), len(RESULT_KINDS))
    for i, message in enumerate(request.results[:ITEMS_CHECKED_MAX]):
        path = f"results[{i}]"
        if message.limit:
            v.number(f"{path}.limit", message.limit, 1, LIMIT_MAX)
        kind = KIND_OF_MESSAGE.get(message.kind)
        weights, score_min = _methods(v, f"{path}.methods", message.methods, kind)
        if kind is None or kind not in RESULT_KINDS:
            v.add(f"{path}.kind", "must be ENTITY, FACT, EPISODE or COMMUNITY")
            continue
        if any(spec.kind is kind for spec in specs):
            v.add(f"{path}.kind", f"has {kind} twice")
        if message.HasField("min_score"):
            v.number(f"{path}.min_score", message.min_score, -1e9, 1e9)
        specs.append(
            ResultSpec(
                kind=kind,
                limit=message.limit or LIMIT_DEFAULT,
                weights=weights,
                method_score_min=score_min,
                reranker=_reranker(v, f"{path}.reranker", message.reranker, kind),
                score_min=message.min_score if message.HasField("min_score") else None,
                filter=row_filter(v, f"{path}.filter", message.filter, kind, held),
            )
        )
    return tuple(specs) or (ResultSpec(Kind.FACT, filter=held),)


def _methods(
    v: Violations, path: str, messages: Sequence[pb.MethodWeight], kind: Kind | None
) -> tuple[Mapping[Method, float], Mapping[Method, float]]:
    """Weights and minimum scores by method."""
    weights: dict[Method, float] = {}
    score_min: dict[Method, float] = {}
    v.count(path, len(messages), len(METHOD))
    for i, message in enumerate(messages[:ITEMS_CHECKED_MAX]):
        at = f"{path}[{i}]"
        if not 0 < message.weight <= WEIGHT_MAX:
            v.add(f"{at}.weight", f"must be above 0 and at most {WEIGHT_MAX:g}, got {message.weight:g}")
        method = _METHOD_OF_MESSAGE.get(message.method)
        if method is None:
            v.add(f"{at}.method", "must be SEMANTIC, KEYWORD or GRAPH")
            continue
        if method in weights:
            v.add(f"{at}.method", f"has {method} twice")
        if method is Method.GRAPH and kind is Kind.COMMUNITY:
            v.add(f"{at}.method", "GRAPH does not find COMMUNITY")
        weights[method] = message.weight
        if message.HasField("min_score"):
            least, most = (-1.0, 1.0) if method is Method.SEMANTIC else (0.0, 1e9)
            v.number(f"{at}.min_score", message.min_score, least, most)
            score_min[method] = message.min_score
    return weights or default_weights(kind or Kind.FACT), score_min


def _reranker(v: Violations, path: str, message: pb.Reranker, kind: Kind) -> Reranker:
    match message.WhichOneof("reranker"):
        case "mmr":
            if not message.mmr.HasField("relevance_weight"):
                return Mmr()
            v.number(f"{path}.mmr.relevance_weight", message.mmr.relevance_weight, 0, 1)
            return Mmr(message.mmr.relevance_weight)
        case "node_distance":
            if kind not in _DISTANCE_KINDS:
                v.add(f"{path}.node_distance", f"orders ENTITY and FACT, not {kind}")
            return NodeDistance()
        case "episode_mentions":
            if kind not in _DISTANCE_KINDS:
                v.add(f"{path}.episode_mentions", f"orders ENTITY and FACT, not {kind}")
            return EpisodeMentions()
        case "cross_encoder":
            if not message.cross_encoder.HasField("timeout"):
                return CrossEncoding()
            timeout = message.cross_encoder.timeout
            timeout_s = timeout.seconds + timeout.nanos / 1e9
            v.number(f"{path}.cross_encoder.timeout", timeout_s, 0.001, 60)
            return CrossEncoding(timeout_s)
        case _:
            return Rrf()


def _entity(v: Violations, path: str, message: pb.EntityRef, group_ids: tuple[str, ...] | None) -> RowKey:
    v.uuid(f"{path}.uuid", message.uuid)
    group_id = message.group_id
    if not group_id and group_ids is not None and len(group_ids) == 1:
        return RowKey(group_ids[0], message.uuid)
    if not group_id:
        v.add(f"{path}.group_id", "is required unless the scope is one group")
    else:
        v.group_id(f"{path}.group_id", group_id)
        if group_ids is not None and group_id not in group_ids:
            v.add(f"{path}.group_id", "is not in the scope of the search")
    return RowKey(group_id, message.uuid)


def _vector_mode(v: Violations, request: pb.SearchRequest) -> VectorMode:
    mode = _VECTOR_MODE.get(request.vectors)
    if mode is None:
        v.add("vectors", f"has the unknown value {request.vectors}")
    return mode or VectorMode.AUTOMATIC


def _partial(v: Violations, request: pb.SearchRequest) -> PartialPolicy | None:
    if not request.HasField("partial"):
        return None
    least = request.partial.min_coverage
    v.number("partial.min_coverage", least, 0, 1)
    return PartialPolicy(least if 0 <= least <= 1 else 0.0)

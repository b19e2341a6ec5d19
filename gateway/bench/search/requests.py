"""One search of each method; the result cache is never asked."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from gateway.bench.search.rows import Question
from gateway.corpus.graph_rows import EntityRow
from graphgate.v1 import graph_pb2
from graphgate.v1 import search_service_pb2 as pb

type MethodName = Literal["semantic_exact", "semantic_automatic", "keyword", "graph", "hybrid"]

METHODS: tuple[MethodName, ...] = get_args(MethodName.__value__)
HITS = 10
ORIGINS = 4
"""Entities that the graph method starts from, in as many groups of the request as there are."""

_ONLY: Mapping[MethodName, pb.SearchMethod] = {
    "semantic_exact": pb.SEARCH_METHOD_SEMANTIC,
    "semantic_automatic": pb.SEARCH_METHOD_SEMANTIC,
    "keyword": pb.SEARCH_METHOD_KEYWORD,
    "graph": pb.SEARCH_METHOD_GRAPH,
}
"""Hybrid: all three by their default weights, the graph method from what the other two find."""


def search_request(
    method: MethodName,
    kind: graph_pb2.RowKind,
    group_ids: Sequence[str],
    question: Question,
    origins: Sequence[tuple[str, EntityRow]] = (),
) -> pb.SearchRequest:
    """`origins`, of the graph method alone: with their groups."""
    spec = pb.ResultSpec(kind=kind, limit=HITS)
    if method in _ONLY:
        spec.methods.append(pb.MethodWeight(method=_ONLY[method], weight=1.0))
    request = pb.SearchRequest(
        results=[spec],
        vectors=pb.VECTOR_SEARCH_EXACT if method == "semantic_exact" else pb.VECTOR_SEARCH_AUTOMATIC,
        cache=pb.SEARCH_CACHE_USE_BYPASS,
    )
    if len(group_ids) == 1:
        request.group_id = group_ids[0]
    else:
        request.groups.group_ids.extend(group_ids)
    if method == "graph":
        request.origins.extend(pb.EntityRef(group_id=g, uuid=entity.uuid) for g, entity in origins)
        return request
    request.query = question.text
    if method != "keyword":
        request.query_vector.extend(question.vector)
    return request

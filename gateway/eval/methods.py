"""The searches that are compared. Their parameters were fixed before the questions were first asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from graphgate.v1 import graph_pb2, search_service_pb2

type MethodName = Literal["semantic", "keyword", "graph", "hybrid_k60", "hybrid_k1"]

LIMIT = 20
"""Hits asked for: recall is reported up to 20."""

_SEMANTIC = search_service_pb2.SEARCH_METHOD_SEMANTIC
_KEYWORD = search_service_pb2.SEARCH_METHOD_KEYWORD
_GRAPH = search_service_pb2.SEARCH_METHOD_GRAPH


@dataclass(frozen=True, slots=True)
class Recipe:
    methods: Sequence[search_service_pb2.SearchMethod]
    """With equal weights; empty: all three with the weights that are the gateway's default."""
    rrf_k: int = 60


RECIPES: Mapping[MethodName, Recipe] = {
    "semantic": Recipe([_SEMANTIC]),
    "keyword": Recipe([_KEYWORD]),
    "graph": Recipe([_GRAPH]),
    "hybrid_k60": Recipe([]),
    "hybrid_k1": Recipe([_SEMANTIC, _KEYWORD, _GRAPH], rrf_k=1),
}


def search_request(
    recipe: Recipe, question: str, vector: Sequence[float]
) -> search_service_pb2.SearchRequest:
    """One search for episodes over all groups."""
    return search_service_pb2.SearchRequest(
        all_groups=search_service_pb2.AllGroups(),
        query=question,
        query_vector=vector,
        results=[
            search_service_pb2.ResultSpec(
                kind=graph_pb2.ROW_KIND_EPISODE,
                limit=LIMIT,
                methods=[
                    search_service_pb2.MethodWeight(method=method, weight=1.0) for method in recipe.methods
                ],
            )
        ],
        rrf_k=recipe.rrf_k,
    )

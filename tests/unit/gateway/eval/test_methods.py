"""The requests that are measured."""

from gateway.eval.methods import RECIPES, MethodName, search_request
from gateway.search.request import RRF_K_DEFAULT
from graphgate.v1 import graph_pb2
from graphgate.v1.search_service_pb2 import (
    SEARCH_METHOD_GRAPH,
    SEARCH_METHOD_KEYWORD,
    SEARCH_METHOD_SEMANTIC,
    SearchRequest,
)


def _requests() -> dict[MethodName, SearchRequest]:
    return {name: search_request(recipe, "who?", [0.5, 0.25]) for name, recipe in RECIPES.items()}


def test_the_recipes_are_what_their_names_say():
    """A method that is measured alone is alone; hybrid_k60 names no method and so gets the gateway's default,
    hybrid_k1 has equal weights and the graph."""
    found = {
        name: (request.rrf_k, {weight.method: weight.weight for weight in request.results[0].methods})
        for name, request in _requests().items()
    }
    assert found == {
        "semantic": (60, {SEARCH_METHOD_SEMANTIC: 1.0}),
        "keyword": (60, {SEARCH_METHOD_KEYWORD: 1.0}),
        "graph": (60, {SEARCH_METHOD_GRAPH: 1.0}),
        "hybrid_k60": (60, {}),
        "hybrid_k1": (
            1,
            {SEARCH_METHOD_SEMANTIC: 1.0, SEARCH_METHOD_KEYWORD: 1.0, SEARCH_METHOD_GRAPH: 1.0},
        ),
    }
    assert RRF_K_DEFAULT == 60


def test_every_search_is_for_20_episodes_of_all_groups_with_text_and_vector():
    """One call over all groups; the vector is the same in every layout, whatever the gateway would make."""
    for request in _requests().values():
        assert request.WhichOneof("scope") == "all_groups"
        assert (request.query, list(request.query_vector)) == ("who?", [0.5, 0.25])
        (spec,) = request.results
        assert (spec.kind, spec.limit) == (graph_pb2.ROW_KIND_EPISODE, 20)

"""Named searches: each is a request that is published under a name, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.rpc.validation import Violations, shown
from graphgate.v1 import graph_pb2
from graphgate.v1 import search_service_pb2 as pb

_ENTITY = graph_pb2.ROW_KIND_ENTITY
_FACT = graph_pb2.ROW_KIND_FACT
_EPISODE = graph_pb2.ROW_KIND_EPISODE
_COMMUNITY = graph_pb2.ROW_KIND_COMMUNITY
_RRF = pb.Reranker(rrf=pb.RrfReranker())
_MMR = pb.Reranker(mmr=pb.MmrReranker())
_NODE_DISTANCE = pb.Reranker(node_distance=pb.NodeDistanceReranker())
_MENTIONS = pb.Reranker(episode_mentions=pb.EpisodeMentionsReranker())
_CROSS_ENCODER = pb.Reranker(cross_encoder=pb.CrossEncoderReranker())


@dataclass(frozen=True, slots=True)
class Recipe:
    description: str
    request: pb.SearchRequest
    """Never changed: callers get copies."""


def _one(kind: graph_pb2.RowKind, reranker: pb.Reranker, description: str) -> Recipe:
    return Recipe(description, pb.SearchRequest(results=[pb.ResultSpec(kind=kind, reranker=reranker)]))


def _all(reranker: pb.Reranker, description: str) -> Recipe:
    kinds = (_FACT, _ENTITY, _EPISODE, _COMMUNITY)
    results = [pb.ResultSpec(kind=kind, reranker=reranker) for kind in kinds]
    return Recipe(description, pb.SearchRequest(results=results))


RECIPES: Mapping[str, Recipe] = {
    "combined_cross_encoder": _all(
        _CROSS_ENCODER, "Facts, entities, episodes and communities, by the cross-encoder"
    ),
    "combined_mmr": _all(_MMR, "Facts, entities, episodes and communities without repetition"),
    "combined_rrf": _all(_RRF, "Facts, entities, episodes and communities, hybrid"),
    "communities_cross_encoder": _one(_COMMUNITY, _CROSS_ENCODER, "Communities by the cross-encoder"),
    "communities_mmr": _one(_COMMUNITY, _MMR, "Communities without repetition"),
    "communities_rrf": _one(_COMMUNITY, _RRF, "Communities, semantic and keyword"),
    "entities_cross_encoder": _one(_ENTITY, _CROSS_ENCODER, "Entities by the cross-encoder"),
    "entities_episode_mentions": _one(_ENTITY, _MENTIONS, "Entities that many episodes mention first"),
    "entities_mmr": _one(_ENTITY, _MMR, "Entities without repetition"),
    "entities_node_distance": _one(_ENTITY, _NODE_DISTANCE, "Entities near `center` first"),
    "entities_rrf": _one(_ENTITY, _RRF, "Entities, hybrid"),
    "facts_cross_encoder": _one(_FACT, _CROSS_ENCODER, "Facts by the cross-encoder"),
    "facts_episode_mentions": _one(_FACT, _MENTIONS, "Facts that many episodes support first"),
    "facts_mmr": _one(_FACT, _MMR, "Facts without repetition"),
    "facts_node_distance": _one(_FACT, _NODE_DISTANCE, "Facts near `center` first"),
    "facts_rrf": _one(_FACT, _RRF, "Facts, hybrid"),
}


def published() -> pb.ListSearchRecipesResponse:
    return pb.ListSearchRecipesResponse(
        recipes=[
            pb.SearchRecipe(name=name, description=recipe.description, request=recipe.request)
            for name, recipe in sorted(RECIPES.items())
        ]
    )


def with_recipe(v: Violations, request: pb.SearchRequest) -> pb.SearchRequest:
    """The request that the caller's stands for: what it sets replaces what its recipe sets."""
    if not request.recipe:
        return request
    recipe = RECIPES.get(request.recipe)
    if recipe is None:
        v.add("recipe", f"is unknown, got {shown(request.recipe)}; ListSearchRecipes names them all")
        return request
    merged = pb.SearchRequest()
    merged.CopyFrom(recipe.request)
    for descriptor, _ in request.ListFields():
        if descriptor.name != "results":
            merged.ClearField(descriptor.name)
    if request.results:
        of_kind = {spec.kind: spec for spec in recipe.request.results}
        merged.ClearField("results")
        for spec in request.results:
            merged.results.append(_overridden(of_kind.get(spec.kind), spec))
    rest = pb.SearchRequest()
    rest.CopyFrom(request)
    rest.ClearField("results")
    merged.MergeFrom(rest)
    return merged


def _overridden(base: pb.ResultSpec | None, spec: pb.ResultSpec) -> pb.ResultSpec:
    merged = pb.ResultSpec()
    if base is not None:
        merged.CopyFrom(base)
        for descriptor, _ in spec.ListFields():
            merged.ClearField(descriptor.name)
    merged.MergeFrom(spec)
    return merged

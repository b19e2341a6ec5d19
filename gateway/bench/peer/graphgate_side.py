"""graphgate's searches: the same methods, weights and number of hits as graphiti-core's recipes have.

Every one is done: no answer is kept or taken from those that are.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Literal

from gateway.loopback.client import GatewayClient
from graphgate.v1 import graph_pb2
from graphgate.v1 import search_service_pb2 as pb

type SearchName = Literal["fact_search", "entity_search", "combined_search"]
type VectorsName = Literal["exact", "automatic"]
type KindName = Literal["facts", "entities"]

HITS = 10
"""graphiti-core's default."""
SEARCH_TIMEOUT_S = 60.0
VECTORS: Mapping[VectorsName, pb.VectorSearch] = {
    "exact": pb.VECTOR_SEARCH_EXACT,
    "automatic": pb.VECTOR_SEARCH_AUTOMATIC,
}
KINDS: Mapping[KindName, graph_pb2.RowKind] = {
    "facts": graph_pb2.ROW_KIND_FACT,
    "entities": graph_pb2.ROW_KIND_ENTITY,
}


def _spec(kind: graph_pb2.RowKind, *methods: pb.SearchMethod) -> pb.ResultSpec:
    weights = [pb.MethodWeight(method=method, weight=1.0) for method in methods]
    return pb.ResultSpec(kind=kind, limit=HITS, methods=weights)


_SEMANTIC, _KEYWORD = pb.SEARCH_METHOD_SEMANTIC, pb.SEARCH_METHOD_KEYWORD
_FACTS = _spec(graph_pb2.ROW_KIND_FACT, _SEMANTIC, _KEYWORD)
_ENTITIES = _spec(graph_pb2.ROW_KIND_ENTITY, _SEMANTIC, _KEYWORD)
SEARCHES: Mapping[SearchName, Sequence[pb.ResultSpec]] = {
    "fact_search": [_FACTS],
    "entity_search": [_ENTITIES],
    "combined_search": [
        _FACTS,
        _ENTITIES,
        _spec(graph_pb2.ROW_KIND_EPISODE, _KEYWORD),
        _spec(graph_pb2.ROW_KIND_COMMUNITY, _SEMANTIC, _KEYWORD),
    ],
}


class GraphgateSide:
    def __init__(self, client: GatewayClient, group_id: str) -> None:
        self._client = client
        self._group_id = group_id

    async def search(
        self, search: SearchName, vectors: VectorsName, query: str, vector: Sequence[float]
    ) -> tuple[float, pb.SearchResponse]:
        """The seconds that the caller waited, and the answer."""
        return await self._timed(
            pb.SearchRequest(
                group_id=self._group_id,
                query=query,
                query_vector=vector,
                results=SEARCHES[search],
                vectors=VECTORS[vectors],
                cache=pb.SEARCH_CACHE_USE_BYPASS,
            )
        )

    async def similar(self, kind: KindName, vectors: VectorsName, vector: Sequence[float]) -> list[str]:
        """uuids of the best HITS by cosine alone, best first."""
        _, answer = await self._timed(
            pb.SearchRequest(
                group_id=self._group_id,
                query_vector=vector,
                results=[_spec(KINDS[kind], _SEMANTIC)],
                vectors=VECTORS[vectors],
                cache=pb.SEARCH_CACHE_USE_BYPASS,
            )
        )
        return [hit.fact.uuid or hit.entity.uuid for hit in answer.results[0].hits]

    async def _timed(self, request: pb.SearchRequest) -> tuple[float, pb.SearchResponse]:
        started = time.perf_counter()
        answer = await self._client.search.Search(request, timeout=SEARCH_TIMEOUT_S)
        return time.perf_counter() - started, answer

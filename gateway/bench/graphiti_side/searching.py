"""Serves graphiti-core's searches and bulk writes, of one group.

Requests and their answers (`seconds`: of the library's call alone, without reading or making messages):

    {"op": "open"}                                        -> {"version": "0.31.1"}
    {"op": "entities", "rows": [[uuid, name, vector]]}    -> {"seconds": 0.1}
    {"op": "facts", "rows": [[uuid, source, target, name, fact, vector]]}    -> {"seconds": 0.1}
    {"op": "search", "search": "fact_search", "query": text, "vector": [..]} -> {"seconds": 0.1, "hits": 10}
    {"op": "similar", "kind": "facts", "vector": [..], "limit": 10}          -> {"uuids": [..]}

`open` makes the library's indexes and comes first. The vectors of queries and rows are given: no model is
ever called.
"""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
# graphiti-core is not in the environment in which the types are checked.

import logging
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

# Before the library reads them.
os.environ["GRAPHITI_TELEMETRY_ENABLED"] = "false"
os.environ["EMBEDDING_DIM"] = "384"

from graphiti_core import Graphiti
from graphiti_core.edges import EntityEdge
from graphiti_core.embedder.client import EmbedderClient
from graphiti_core.llm_client.client import LLMClient
from graphiti_core.nodes import EntityNode
from graphiti_core.search.search_config_recipes import (
    COMBINED_HYBRID_SEARCH_RRF,
    EDGE_HYBRID_SEARCH_RRF,
    NODE_HYBRID_SEARCH_RRF,
)
from graphiti_core.search.search_filters import SearchFilters
from graphiti_core.search.search_utils import edge_similarity_search, node_similarity_search
from graphiti_core.utils.bulk_utils import add_nodes_and_edges_bulk
from library import NoCrossEncoder, opened
from lines import Message, Operation, serve

RECIPES = {
    "fact_search": EDGE_HYBRID_SEARCH_RRF,
    "entity_search": NODE_HYBRID_SEARCH_RRF,
    "combined_search": COMBINED_HYBRID_SEARCH_RRF,
}
ANY_SCORE = -1.0


class NoModel(LLMClient):
    def __init__(self) -> None:
        super().__init__(None)

    async def _generate_response(self, *_args: Any, **_kwargs: Any) -> Message:
        raise RuntimeError("a language model was called")


class NoEmbedder(EmbedderClient):
    async def create(self, input_data: Any) -> list[float]:
        raise RuntimeError("the embedder was called although every vector is given")


class Side:
    def __init__(self, engine: str, url: str, group: str) -> None:
        self.group = group
        self.driver = make_driver(engine, url, group)
        self.graphiti: Any = Graphiti(
            graph_driver=self.driver,
            llm_client=NoModel(),
            embedder=NoEmbedder(),
            cross_encoder=NoCrossEncoder(),
        )

    def operations(self) -> Mapping[str, Operation]:
        return {
            "open": self.open,
            "entities": self.entities,
            "facts": self.facts,
            "search": self.search,
            "similar": self.similar,
        }

    async def close(self) -> None:
        await self.graphiti.close()

    async def open(self, _request: Message) -> Message:
        return await opened(self.graphiti)

    async def entities(self, request: Message) -> Message:
        now = datetime.now(UTC)
        nodes = [
            EntityNode(uuid=uuid, name=name, group_id=self.group, created_at=now, name_embedding=vector)
            for uuid, name, vector in request["rows"]
        ]
        return await self._save(nodes, [])

    async def facts(self, request: Message) -> Message:
        now = datetime.now(UTC)
        edges = [
            EntityEdge(
                uuid=uuid,
                source_node_uuid=source,
                target_node_uuid=target,
                name=name,
                fact=fact,
                group_id=self.group,
                created_at=now,
                fact_embedding=vector,
            )
            for uuid, source, target, name, fact, vector in request["rows"]
        ]
        return await self._save([], edges)

    async def search(self, request: Message) -> Message:
        started = time.perf_counter()
        found = await self.graphiti.search_(
            request["query"],
            config=RECIPES[request["search"]],
            group_ids=[self.group],
            query_vector=request["vector"],
        )
        seconds = time.perf_counter() - started
        hits = len(found.edges) + len(found.nodes) + len(found.episodes) + len(found.communities)
        return {"seconds": seconds, "hits": hits}

    async def similar(self, request: Message) -> Message:
        """The library's cosine search alone, with no minimum."""
        vector, limit, none = request["vector"], request["limit"], SearchFilters()
        if request["kind"] == "facts":
            found = await edge_similarity_search(
                self.driver, vector, None, None, none, [self.group], limit, ANY_SCORE
            )
        else:
            found = await node_similarity_search(self.driver, vector, none, [self.group], limit, ANY_SCORE)
        return {"uuids": [row.uuid for row in found]}

    async def _save(self, nodes: list[Any], edges: list[Any]) -> Message:
        started = time.perf_counter()
        await add_nodes_and_edges_bulk(self.driver, [], [], nodes, edges, self.graphiti.embedder)
        return {"seconds": time.perf_counter() - started}


def make_driver(engine: str, url: str, group: str) -> Any:
    """On FalkorDB a graph of the group's name, which is where the library keeps a group."""
    if engine == "falkordb":
        from graphiti_core.driver.falkordb_driver import FalkorDriver  # noqa: PLC0415 - of one engine

        address = urlsplit(url)
        return FalkorDriver(host=address.hostname, port=address.port, database=group)
    from graphiti_core.driver.neo4j_driver import Neo4jDriver  # noqa: PLC0415

    return Neo4jDriver(url, None, None)


async def run() -> None:
    # Neo4j's remarks on every query of the library: writing them down would cost it time.
    logging.getLogger("neo4j.notifications").setLevel(logging.ERROR)
    engine, url, group = sys.argv[1:]
    await serve(lambda: Side(engine, url, group))

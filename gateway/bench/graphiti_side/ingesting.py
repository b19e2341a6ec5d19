"""Serves graphiti-core's ingestion.

Requests and their answers (`seconds`: of the library's call alone, without reading or making messages):

    {"op": "open"}                                     -> {"version": "0.31.1"}
    {"op": "add", "group": id, "episode": {..}}        -> {"seconds": 0.9}
    {"op": "bulk", "group": id, "episodes": [{..}]}    -> {"seconds": 9.1}
    {"op": "rows", "group": id}                        -> {"entities": 310, "facts": 280}
    {"op": "prepare", "group": id}                     -> {}

An episode is {"name", "content", "source_description", "reference_time"}. `open` comes first; `prepare`
makes the indexes of a group that is to be added to, which on FalkorDB is a graph of its own. LIMIT is both
SEMAPHORE_LIMIT, which the library has for each of its nested gathers, and a bound of all calls of the model
at once.
"""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
# graphiti-core is not in the environment in which the types are checked.

import asyncio
import logging
import os
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

# Before the library reads them.
os.environ["GRAPHITI_TELEMETRY_ENABLED"] = "false"
os.environ["EMBEDDING_DIM"] = sys.argv[5]
os.environ["SEMAPHORE_LIMIT"] = sys.argv[6]

from graphiti_core import Graphiti
from graphiti_core.embedder.openai import OpenAIEmbedder, OpenAIEmbedderConfig
from graphiti_core.llm_client.config import LLMConfig
from graphiti_core.llm_client.openai_generic_client import OpenAIGenericClient
from graphiti_core.nodes import EpisodeType
from graphiti_core.utils.bulk_utils import RawEpisode
from library import NoCrossEncoder, opened
from lines import Message, Operation, serve

ENGINE, URL, GROUP, MODEL_URL, DIMENSION, LIMIT = sys.argv[1:]

ENGINE_CONNECTIONS_MAX = 64
"""The client's own pool of 16 fails where it should wait: the library asks for more in its bulk calls."""
NO_KEY = "none"
"""The server asks for none, the client library does."""


class BoundedModel(OpenAIGenericClient):
    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._slots = asyncio.Semaphore(int(LIMIT))

    async def _generate_response(self, *args: Any, **kwargs: Any) -> Message:
        async with self._slots:
            return await super()._generate_response(*args, **kwargs)


class Side:
    def __init__(self) -> None:
        self.driver = make_driver()
        model = LLMConfig(api_key=NO_KEY, base_url=MODEL_URL, model="fake-small", small_model="fake-small")
        embedder = OpenAIEmbedderConfig(
            embedding_model="fake-embedding",
            api_key=NO_KEY,
            base_url=MODEL_URL,
            embedding_dim=int(DIMENSION),
        )
        self.graphiti: Any = Graphiti(
            graph_driver=self.driver,
            llm_client=BoundedModel(model),
            embedder=OpenAIEmbedder(embedder),
            cross_encoder=NoCrossEncoder(),
        )

    def operations(self) -> Mapping[str, Operation]:
        return {
            "open": self.open,
            "prepare": self.prepare,
            "add": self.add,
            "bulk": self.bulk,
            "rows": self.rows,
        }

    async def close(self) -> None:
        await self.graphiti.close()

    async def open(self, _request: Message) -> Message:
        return await opened(self.graphiti)

    async def prepare(self, request: Message) -> Message:
        if ENGINE == "falkordb":
            await self.driver.clone(database=request["group"]).build_indices_and_constraints()
        return {}

    async def add(self, request: Message) -> Message:
        episode = request["episode"]
        started = time.perf_counter()
        await self.graphiti.add_episode(
            name=episode["name"],
            episode_body=episode["content"],
            source_description=episode["source_description"],
            reference_time=datetime.fromisoformat(episode["reference_time"]),
            source=EpisodeType.text,
            group_id=request["group"],
        )
        return {"seconds": time.perf_counter() - started}

    async def bulk(self, request: Message) -> Message:
        episodes = [
            RawEpisode(
                name=episode["name"],
                content=episode["content"],
                source_description=episode["source_description"],
                source=EpisodeType.text,
                reference_time=datetime.fromisoformat(episode["reference_time"]),
            )
            for episode in request["episodes"]
        ]
        started = time.perf_counter()
        await self.graphiti.add_episode_bulk(episodes, group_id=request["group"])
        return {"seconds": time.perf_counter() - started}

    async def rows(self, request: Message) -> Message:
        driver = self.driver.clone(database=request["group"]) if ENGINE == "falkordb" else self.driver
        counts: Message = {}
        for name, query in (
            ("entities", "MATCH (n:Entity {group_id: $group}) RETURN count(n) AS found"),
            ("facts", "MATCH ()-[e:RELATES_TO {group_id: $group}]->() RETURN count(e) AS found"),
        ):
            records, _, _ = await driver.execute_query(query, group=request["group"])
            counts[name] = records[0]["found"]
        return counts


def make_driver() -> Any:
    if ENGINE == "falkordb":
        from falkordb.asyncio import FalkorDB  # noqa: PLC0415 - of one engine
        from graphiti_core.driver.falkordb_driver import FalkorDriver  # noqa: PLC0415
        from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415

        pool = BlockingConnectionPool.from_url(
            URL, max_connections=ENGINE_CONNECTIONS_MAX, timeout=None, decode_responses=True
        )
        return FalkorDriver(falkor_db=FalkorDB(connection_pool=pool), database=GROUP)
    from graphiti_core.driver.neo4j_driver import Neo4jDriver  # noqa: PLC0415

    return Neo4jDriver(URL, None, None)


async def run() -> None:
    # Neo4j's remarks on every query of the library: writing them down would cost it time. So would a line for
    # every HTTP request.
    for name in ("neo4j.notifications", "httpx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    await serve(Side)

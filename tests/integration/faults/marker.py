"""The shard's marker and rows, seen and changed at the engine itself."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, LiteralString, cast

from neo4j import AsyncGraphDatabase

from gateway.embedded import Neo4jProcess
from gateway.embedded.process import EngineProcess
from tests.integration.faults.engines import beside

POOL = ("graphgate:pool:0", "graphgate:pool:1")


async def ask(process: EngineProcess, text: str, graph: str = "graphgate") -> list[list[Any]]:
    """The rows of a statement; `graph` is of no meaning on Neo4j."""
    if isinstance(process, Neo4jProcess):
        async with (
            AsyncGraphDatabase.driver(process.url, notifications_min_severity="OFF") as client,
            client.session(database="neo4j") as session,
        ):
            return await (await session.run(cast("LiteralString", text))).values()
    async with beside(process) as client:
        answer = await cast("Any", client.execute_command("GRAPH.QUERY", graph, text))
        return answer[1] if len(answer) == 3 else []


async def count_of_entities(process: EngineProcess, name: str) -> int:
    """In all groups of the shard."""
    text = f"MATCH (n:Entity) WHERE n.name = '{name}' RETURN count(n)"
    graphs = ("",) if isinstance(process, Neo4jProcess) else POOL
    return sum([(await ask(process, text, graph))[0][0] for graph in graphs])


async def count_of_fences(process: EngineProcess, group_id: str) -> int:
    text = f"MATCH (n:_Fence) WHERE n.group_id = '{group_id}' RETURN count(n)"
    graphs = ("",) if isinstance(process, Neo4jProcess) else POOL
    return sum([(await ask(process, text, graph))[0][0] for graph in graphs])


@asynccontextmanager
async def changed(process: EngineProcess, change: str, undo: str) -> AsyncGenerator[None]:
    """`change` and `undo` are clauses after MATCH (m:_Marker)."""
    await ask(process, f"MATCH (m:_Marker) {change}")
    try:
        yield
    finally:
        await ask(process, f"MATCH (m) WHERE m.key = 'shard' {undo}")

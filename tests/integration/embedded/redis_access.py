"""Plain calls to an embedded engine that speaks Redis's protocol."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

GRAPH = "graph"


@asynccontextmanager
async def redis_client(url: str, password: str | None = None) -> AsyncGenerator[Redis]:
    """A client that never repeats a command, so that what it was told is what the engine did."""
    client: Redis = Redis.from_url(url, password=password, retry=Retry(NoBackoff(), 0))
    try:
        yield client
    finally:
        await client.aclose()


async def graph_rows(client: Redis, cypher: str) -> list[list[object]]:
    """The rows that a query on GRAPH returns; texts as bytes."""
    answer = await client.execute_command("GRAPH.QUERY", GRAPH, cypher)
    # A query that returns no columns answers with its statistics alone.
    return answer[1] if answer and len(answer) > 1 else []

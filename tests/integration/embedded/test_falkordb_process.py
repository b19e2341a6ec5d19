"""FalkorDB as a child process: settings, durability when it is killed, replay of its log."""

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from gateway.embedded import FalkorDBProcess
from tests.engines import FalkorDBServer
from tests.eventually import eventually
from tests.integration.embedded.redis_access import GRAPH, graph_rows, redis_client

WRITERS = 6
ACKNOWLEDGED_PER_ROUND_MIN = 400
ROUNDS = 3
ENDLESS = "UNWIND range(1, 99999) AS x UNWIND range(1, 99999) AS y WITH x + y AS z RETURN max(z)"


async def test_settings_are_in_force(falkordb_server: FalkorDBServer):
    """Every query has a limit, the queue has one, and graphs start small."""
    expected = {
        "THREAD_COUNT": 2,
        "CACHE_SIZE": 200,
        "TIMEOUT_MAX": 60_000,
        "TIMEOUT_DEFAULT": 0,
        "MAX_QUEUED_QUERIES": 1_000,
        "NODE_CREATION_BUFFER": 128,
        "CMD_INFO": 0,
    }
    async with redis_client(falkordb_server.url) as client:
        pairs = [await client.execute_command("GRAPH.CONFIG", "GET", name) for name in expected]
    assert {pair[0].decode(): pair[1] for pair in pairs if pair} == expected


async def test_default_timeout_is_the_maximum(tmp_path: Path):
    """A query that names no timeout still ends at TIMEOUT_MAX, so that no query runs for ever."""
    engine = FalkorDBProcess(tmp_path)
    await engine.start()
    try:
        async with redis_client(engine.url) as client:
            await client.execute_command("GRAPH.CONFIG", "SET", "TIMEOUT_MAX", "100")
            with pytest.raises(ResponseError, match="timed out"):
                await graph_rows(client, ENDLESS)
    finally:
        await engine.stop()


async def test_no_acknowledged_write_is_lost_when_killed(tmp_path: Path):
    """Everything that a writer was told is stored is there after SIGKILL under load, three times in a row;
    what is there besides is only what was under way."""
    engine = FalkorDBProcess(tmp_path)
    await engine.start()
    acknowledged: set[int] = set()
    sent: set[int] = set()
    numbers = iter(range(1_000_000))

    async def write(client: Redis) -> None:
        while True:
            number = next(numbers)
            sent.add(number)
            await client.execute_command("GRAPH.QUERY", GRAPH, f"CYPHER n={number} CREATE (:Row {{n: $n}})")
            acknowledged.add(number)

    try:
        for _ in range(ROUNDS):
            target = len(acknowledged) + ACKNOWLEDGED_PER_ROUND_MIN
            async with redis_client(engine.url) as client:
                writers = [asyncio.create_task(write(client)) for _ in range(WRITERS)]
                await eventually(lambda target=target: len(acknowledged) >= target)
                await engine.kill()
                outcomes = await asyncio.gather(*writers, return_exceptions=True)
            assert all(isinstance(outcome, RedisError | OSError) for outcome in outcomes), outcomes
            await engine.restart()
            async with redis_client(engine.url) as client:
                stored = [row[0] for row in await graph_rows(client, "MATCH (r:Row) RETURN r.n")]
            assert acknowledged - set(stored) == set()
            assert set(stored) - acknowledged <= sent
            assert len(stored) == len(set(stored))
    finally:
        await engine.stop()


SCHEMA = (
    "CREATE INDEX FOR (n:Entity) ON (n.pk)",
    "CREATE INDEX FOR (n:Entity) ON (n.group_id)",
    "CREATE INDEX FOR ()-[e:RELATES_TO]->() ON (e.pk)",
    "CALL db.idx.fulltext.createNodeIndex({label: 'Entity', stopwords: []}, {field: 'terms', nostem: true})",
    "CREATE FULLTEXT INDEX FOR ()-[e:RELATES_TO]->() ON (e.terms)",
)
ENTITIES = 3_000
BATCH_ROWS = 250
VECTOR_DIM = 64

DIGESTS = {
    "entities": "MATCH (n:Entity) RETURN n.pk, n.terms, n.group_id, n.vec ORDER BY n.pk",
    "facts": "MATCH (a)-[e:RELATES_TO]->(b) RETURN a.pk, e.pk, b.pk, e.terms, e.vec ORDER BY e.pk",
    "range": "MATCH (n:Entity {group_id: 'g1'}) RETURN n.pk ORDER BY n.pk",
    "fulltext": "CALL db.idx.fulltext.queryNodes('Entity', 'w7 | changed') YIELD node AS n "
    "RETURN n.pk ORDER BY n.pk",
    "fact_fulltext": "CALL db.idx.fulltext.queryRelationships('RELATES_TO', 'f4') YIELD relationship AS r "
    "RETURN r.pk ORDER BY r.pk",
    "indexes": "CALL db.indexes() YIELD label, properties RETURN label, properties ORDER BY label",
}


async def _fill(client: Redis) -> None:
    for statement in SCHEMA:
        await graph_rows(client, statement)
    for first in range(0, ENTITIES, BATCH_ROWS):
        numbers = f"range({first}, {first + BATCH_ROWS - 1})"
        vector = f"vecf32([d IN range(1, {VECTOR_DIM}) | 1.0 / (i + d)])"
        await graph_rows(
            client,
            f"UNWIND {numbers} AS i MERGE (n:Entity {{pk: 'e' + i}}) "
            f"SET n.group_id = 'g' + (i % 5), n.terms = 'w' + (i % 50) + ' all', n.vec = {vector}",
        )
    for first in range(0, ENTITIES, BATCH_ROWS):
        numbers = f"range({first}, {first + BATCH_ROWS - 1})"
        vector = f"vecf32([d IN range(1, {VECTOR_DIM}) | 2.0 / (i + d)])"
        await graph_rows(
            client,
            f"UNWIND {numbers} AS i MATCH (a:Entity {{pk: 'e' + i}}) "
            f"MATCH (b:Entity {{pk: 'e' + ((i * 7 + 1) % {ENTITIES})}}) "
            f"MERGE (a)-[e:RELATES_TO {{pk: 'f' + i}}]->(b) "
            f"SET e.terms = 'f' + (i % 40), e.vec = {vector}",
        )
    await graph_rows(client, "MATCH (n:Entity) WHERE n.pk ENDS WITH '99' DETACH DELETE n")
    await graph_rows(
        client, "MATCH (n:Entity) WHERE n.pk ENDS WITH '5' SET n.terms = 'changed', n.group_id = null"
    )
    await graph_rows(client, "MATCH ()-[e:RELATES_TO]->() WHERE e.pk ENDS WITH '3' DELETE e")


async def _indexes_ready(client: Redis) -> bool:
    rows = await graph_rows(client, "CALL db.indexes() YIELD status RETURN status")
    return bool(rows) and all(row == [b"OPERATIONAL"] for row in rows)


async def _digest(client: Redis) -> dict[str, list[list[object]]]:
    await eventually(lambda: _indexes_ready(client))
    return {name: await graph_rows(client, cypher) for name, cypher in DIGESTS.items()}


async def test_replay_restores_rows_vectors_and_indexes(tmp_path: Path):
    """Thousands of rows with float32 vectors, after updates and deletions, and what the range and fulltext
    indexes find, are the same after a crash, after an orderly stop, and from a rewritten log."""
    engine = FalkorDBProcess(tmp_path)
    await engine.start()
    try:
        async with redis_client(engine.url) as client:
            await _fill(client)
            before = await _digest(client)
        assert all(before.values())

        await engine.kill()
        await engine.restart()
        async with redis_client(engine.url) as client:
            assert await _digest(client) == before
        await engine.restart()

        async with redis_client(engine.url) as client:
            assert await _digest(client) == before
            await client.bgrewriteaof()
            await eventually(lambda: _rewritten(client))
            await graph_rows(client, "CREATE (:Entity {pk: 'late', terms: 'changed'})")
            before = await _digest(client)
        await engine.kill()
        await engine.restart()
        async with redis_client(engine.url) as client:
            assert await _digest(client) == before
    finally:
        await engine.stop()


async def _rewritten(client: Redis) -> bool:
    info = await client.info("persistence")
    return (
        info["aof_rewrite_in_progress"] == 0
        and info["aof_rewrite_scheduled"] == 0
        and info["aof_rewrites"] > 0
    )

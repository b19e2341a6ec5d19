"""A statement that takes longer to compile than its callers have."""

import secrets
from collections.abc import AsyncIterator

import pytest

from drivers.deadline import Deadline
from drivers.errors import ShardTimeout
from drivers.neo4j import Neo4jSettings
from drivers.neo4j.client import Neo4jClient
from drivers.neo4j.queries_write import FULL, images_statement
from tests.contract.tenant import soon
from tests.engines import Neo4jServer
from tests.eventually import eventually

SHORT_S = 0.1
"""Less than the largest statement takes to compile on any machine."""


@pytest.fixture
async def client(neo4j_server: Neo4jServer) -> AsyncIterator[Neo4jClient]:
    made = Neo4jClient("eu-1", Neo4jSettings(neo4j_server.url))
    made.open()
    await made.read("RETURN 1", {}, "ping", soon())
    yield made
    await made.close()


async def test_callers_in_a_hurry_come_through_at_last(client: Neo4jClient) -> None:
    """The server throws away what a cancelled session has begun to compile: each of these callers gives up
    before it is done, and yet it is done."""
    text = f"{images_statement(FULL)} // {secrets.token_hex(8)}"
    given = {"group_id": "nobody", "operation_pk": "", "incident_max": 0}
    refused: list[str] = []

    async def answered() -> bool:
        try:
            await client.repeatable(text, given, "read_images", Deadline.after(SHORT_S))
        except ShardTimeout as error:
            refused.append(str(error))
            return False
        return True

    await eventually(answered)
    assert "a compilation" in refused[0]

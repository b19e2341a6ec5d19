"""Looks at an engine itself, past the driver under test, to see what a call left behind."""

from collections.abc import Sequence
from typing import Any, LiteralString, Protocol, cast

import redis.asyncio as redis
from neo4j import AsyncDriver, AsyncGraphDatabase

from tests.model_driver import ModelDriver


class Probe(Protocol):
    async def containers(self) -> Sequence[str]:
        """Everything that exists whatever group it is of: graphs, labels, property names, row counts."""
        ...

    async def group(self, group_id: str) -> Sequence[str]:
        """Every node and edge of one group, system nodes included, in a canonical form and order."""
        ...


class ModelProbe:
    def __init__(self, model: ModelDriver) -> None:
        self._model = model

    async def containers(self) -> Sequence[str]:
        return sorted(map(repr, self._model.groups))

    async def group(self, group_id: str) -> Sequence[str]:
        return [repr(state) for (_, named), state in sorted(self._model.groups.items()) if named == group_id]


class FalkorDBProbe:
    def __init__(self, url: str) -> None:
        self._client = cast("Any", redis.Redis.from_url(url))

    async def close(self) -> None:
        await self._client.aclose()

    async def containers(self) -> Sequence[str]:
        return [
            f"{graph} {await self._rows(graph, text)}"
            for graph in await self._graphs()
            for text in (
                "MATCH (n) RETURN labels(n), count(n)",
                "MATCH ()-[e]->() RETURN type(e), count(e)",
                "CALL db.labels()",
                "CALL db.relationshipTypes()",
                "CALL db.propertyKeys()",
            )
        ]

    async def group(self, group_id: str) -> Sequence[str]:
        header = f"CYPHER g='{group_id}' "
        return [
            f"{graph} {await self._rows(graph, header + text)}"
            for graph in await self._graphs()
            for text in (
                "MATCH (n) WHERE n.group_id = $g RETURN labels(n), properties(n)",
                "MATCH ()-[e]->() WHERE e.group_id = $g RETURN type(e), properties(e)",
            )
        ]

    async def _graphs(self) -> list[str]:
        return sorted(name.decode() for name in await self._client.execute_command("GRAPH.LIST"))

    async def _rows(self, graph: str, text: str) -> list[str]:
        answer = await self._client.execute_command("GRAPH.RO_QUERY", graph, text)
        return sorted(map(repr, answer[1]))


class Neo4jProbe:
    def __init__(self, url: str) -> None:
        self._driver: AsyncDriver = AsyncGraphDatabase.driver(url)

    async def close(self) -> None:
        await self._driver.close()

    async def containers(self) -> Sequence[str]:
        return [
            f"{await self._rows(text)}"
            for text in (
                "MATCH (n) RETURN labels(n), count(n)",
                "MATCH ()-[e]->() RETURN type(e), count(e)",
                "CALL db.labels()",
                "CALL db.relationshipTypes()",
                "CALL db.propertyKeys()",
            )
        ]

    async def group(self, group_id: str) -> Sequence[str]:
        return [
            f"{await self._rows(text, g=group_id)}"
            for text in (
                "MATCH (n) WHERE n.group_id = $g RETURN labels(n), properties(n)",
                "MATCH ()-[e]->() WHERE e.group_id = $g RETURN type(e), properties(e)",
            )
        ]

    async def _rows(self, text: str, **parameters: str) -> list[str]:
        records, _, _ = await self._driver.execute_query(
            cast("LiteralString", text), parameters, database_="neo4j"
        )
        return sorted(repr([_ordered(value) for value in record.values()]) for record in records)


def _ordered(value: object) -> object:
    return sorted(cast("dict[str, object]", value).items()) if isinstance(value, dict) else value

"""The floor of write benchmarks: the same rows into the same indexes, with nothing that makes a write safe.

No fence, no version, no guard, no operation record, no statistics: what the engine itself takes for a batch.
"""

from collections.abc import Sequence

from drivers.deadline import Deadline
from drivers.graph_model import Entity, Fact
from drivers.neo4j.client import Neo4jClient
from drivers.neo4j.records import DEFAULT_SLOT
from drivers.neo4j.settings import Neo4jSettings
from drivers.row_codec import encode, pk

_SET = "SET n += row.p, n.created_at = $p.now, n.version = 1 WITH n, row"
_ENTITIES = (
    f"UNWIND $p.rows AS row MERGE (n:Entity {{pk: row.p.pk}}) {_SET} "
    f"CALL db.create.setNodeVectorProperty(n, '{DEFAULT_SLOT}', row.v)"
)
_FACTS = (
    "UNWIND $p.rows AS row MATCH (a:Entity {pk: row.a}) MATCH (b:Entity {pk: row.b}) "
    f"MERGE (a)-[n:RELATES_TO {{pk: row.p.pk}}]->(b) {_SET} "
    f"CALL db.create.setRelationshipVectorProperty(n, '{DEFAULT_SLOT}', row.v)"
)


class Neo4jBareLoop:
    """Writes into the database that a driver has prepared, whose indexes it shares."""

    def __init__(self, shard_id: str, settings: Neo4jSettings) -> None:
        self._client = Neo4jClient(shard_id, settings)

    async def open(self) -> None:
        self._client.open()

    async def close(self) -> None:
        await self._client.close()

    async def write(
        self, group_id: str, rows: Sequence[Entity] | Sequence[Fact], now: int, deadline: Deadline
    ) -> None:
        """One batch of rows with vectors, all of one kind; a fact's entities must be there."""
        await self._client.repeatable(
            _FACTS if isinstance(rows[0], Fact) else _ENTITIES,
            {"now": now, "rows": [_parameters(group_id, row) for row in rows]},
            "a bare batch",
            deadline,
        )


def _parameters(group_id: str, row: Entity | Fact) -> dict[str, object]:
    assert row.embedding is not None, f"{row.uuid} has no vector"
    parameters: dict[str, object] = {"p": encode(group_id, row), "v": row.embedding.tolist()}
    if isinstance(row, Fact):
        parameters |= {"a": pk(group_id, row.source_uuid), "b": pk(group_id, row.target_uuid)}
    return parameters

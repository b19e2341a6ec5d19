"""The floor of write benchmarks: the same rows into the same indexes, with nothing that makes a write safe.

No fence, no version, no guard, no operation record, no statistics: what the engine itself takes for a batch.
"""

from collections.abc import Sequence

from drivers.deadline import Deadline
from drivers.falkordb.client import GraphClient
from drivers.falkordb.graphs import pooled_graph
from drivers.falkordb.parameters import Verbatim
from drivers.falkordb.settings import FalkorDBSettings
from drivers.falkordb.write import DEFAULT_SLOT, row_text
from drivers.graph_model import Entity, Fact
from drivers.write_plan import RowPut, VectorChange

_SET = f"SET n += row.p, n.created_at = $now, n.version = 1, n.{DEFAULT_SLOT} = vecf32(row.v)"
_ENTITIES = f"UNWIND $rows AS row MERGE (n:Entity {{pk: row.p.pk}}) {_SET}"
_FACTS = (
    "UNWIND $rows AS row MATCH (a:Entity {pk: row.a}) MATCH (b:Entity {pk: row.b}) "
    f"MERGE (a)-[n:RELATES_TO {{pk: row.p.pk}}]->(b) {_SET}"
)


class FalkorDBBareLoop:
    """Writes into the pooled graphs that a driver has made, whose indexes it shares."""

    def __init__(self, shard_id: str, settings: FalkorDBSettings, pool_graphs: int) -> None:
        self._client = GraphClient(shard_id, settings)
        self._pool_graphs = pool_graphs

    async def open(self) -> None:
        """Nothing to do: connections are made when they are needed."""

    async def close(self) -> None:
        self._client.close()

    async def write(
        self, group_id: str, rows: Sequence[Entity] | Sequence[Fact], now: int, deadline: Deadline
    ) -> None:
        """One batch of rows with vectors, all of one kind; a fact's entities must be there."""
        texts = [row_text(group_id, RowPut(row, existed=False, vector=VectorChange.SET)) for row in rows]
        await self._client.write(
            pooled_graph(group_id, self._pool_graphs),
            _FACTS if isinstance(rows[0], Fact) else _ENTITIES,
            {"now": now, "rows": Verbatim("[" + ",".join(texts) + "]")},
            deadline,
            "a bare batch",
        )

"""Both sides write the same batches, in turn."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import batched

import numpy as np

from drivers.graph_model import Entity, Fact
from gateway.bench.peer.graphiti_process import GraphitiProcess
from gateway.bench.peer.rows import PeerRows
from gateway.bench.variants import ThroughGateway
from gateway.corpus.vectors import VectorTable

BATCH_ROWS = 200
"""In one write of either side: FalkorDB's driver refuses writes much larger than this."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Rows per second of one side, one batch after the other."""

    entities_per_s: float
    facts_per_s: float


@dataclass(slots=True)
class _Spent:
    graphgate_s: float = 0.0
    graphiti_s: float = 0.0


async def load_both(
    rows: PeerRows,
    vectors: VectorTable,
    group_id: str,
    graphgate: ThroughGateway,
    graphiti: GraphitiProcess,
    on_batch: Callable[[int], None],
) -> tuple[Rates, Rates]:
    """graphgate's rates and graphiti-core's. Every batch is written by one side, then by the other, the first
    of a pair in turn: both meet the same machine and a group of the same size. What a client does before it
    sends is not timed. `on_batch` is told the rows. Raises AioRpcError and PeerFailed."""
    entities, facts = _Spent(), _Spent()
    # The facts' vectors are many: made batch by batch.
    for spent, batches in (
        (entities, _batches(_entity(row.uuid, row.name, vectors) for row in rows.entities)),
        (
            facts,
            _batches(
                Fact(
                    uuid=row.uuid,
                    source_uuid=row.source_uuid,
                    target_uuid=row.target_uuid,
                    name=row.name,
                    fact=row.fact,
                    embedding=np.asarray(vectors.of(row.fact), np.float32),
                )
                for row in rows.facts
            ),
        ),
    ):
        for number, batch in enumerate(batches):
            send = graphgate.prepare(group_id, batch)
            if number % 2:
                spent.graphiti_s += await graphiti.write(batch)
            started = time.perf_counter()
            await send()
            spent.graphgate_s += time.perf_counter() - started
            if not number % 2:
                spent.graphiti_s += await graphiti.write(batch)
            on_batch(len(batch))
    counts = len(rows.entities), len(rows.facts)
    return (
        Rates(counts[0] / entities.graphgate_s, counts[1] / facts.graphgate_s),
        Rates(counts[0] / entities.graphiti_s, counts[1] / facts.graphiti_s),
    )


def _entity(uuid: str, name: str, vectors: VectorTable) -> Entity:
    return Entity(uuid=uuid, name=name, embedding=np.asarray(vectors.of(name), np.float32))


def _batches[T: Entity | Fact](rows: Iterable[T]) -> Iterator[list[T]]:
    return map(list, batched(rows, BATCH_ROWS))

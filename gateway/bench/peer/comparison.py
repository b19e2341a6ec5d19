"""One run: both sides load the same rows and answer the same questions, each on an engine of its own.

An engine each, started with the same settings, because indexes belong to a whole server: on Neo4j both sides
keep entities and facts under the same labels, and every write would pay for the indexes of both; on FalkorDB
a commit of one graph stops the reads of all others. One side works at a time, so that the machine is never
shared.
"""

import statistics
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, get_args

from gateway.bench.peer.asking import SEARCHES, Answered, Asked, SideName, ask_both, compare
from gateway.bench.peer.environment import peer_python
from gateway.bench.peer.figures import PeerResult, SideFigures, latency
from gateway.bench.peer.graphgate_side import GraphgateSide, VectorsName
from gateway.bench.peer.graphiti_process import GraphitiProcess
from gateway.bench.peer.loading import Rates, load_both
from gateway.bench.peer.rows import PeerRows
from gateway.bench.peer.slots import until_settled
from gateway.bench.rig import EngineName
from gateway.bench.variants import ThroughGateway
from gateway.corpus.dataset import Question
from gateway.corpus.running_fleet import running_fleet
from gateway.corpus.vectors import embed_all
from gateway.embedded import EmbeddedFleet
from gateway.embedding.local_model import MODEL_NAME
from gateway.loopback.client import GatewayClient
from graphgate.v1 import admin_service_pb2

GROUP = "peer"
_ADMIN_TIMEOUT_S = 30.0


class Watch(Protocol):
    """Told how far the run is."""

    def begin(self, what: str, total: int | None = None) -> None:
        """The next part of the work and how much there is of it; None: it has no measure."""
        ...

    def advance(self, count: int) -> None: ...


@dataclass(frozen=True, slots=True)
class PeerOptions:
    engine: EngineName
    cache_dir: Path
    rounds: int = 3
    """Times that every question is asked of every side by every search; one more before them warms up."""


async def run_peer(
    options: PeerOptions, rows: PeerRows, questions: Sequence[Question], directory: Path, watch: Watch
) -> PeerResult:
    """Starts both sides in `directory`, measures, and stops them. The first run in a cache installs
    graphiti-core and embeds the rows.

    Raises PeerNotInstalled, PeerFailed, SlotsNotReady, EmbeddingError, EmbeddedError, GatewayProcessError,
    ShardsAway, GraphgateError and AioRpcError; those that several tasks met come as an ExceptionGroup.
    """
    watch.begin("graphiti-core's environment")
    python = await peer_python(options.cache_dir)
    vectors = await embed_all(
        [*rows.texts, *(question.question for question in questions)],
        options.cache_dir,
        on_start=lambda count: watch.begin("texts to embed", count),
        on_progress=watch.advance,
    )
    falkordb, neo4j = int(options.engine == "falkordb"), int(options.engine == "neo4j")
    async with AsyncExitStack() as stack:
        watch.begin("engines")
        mine = await stack.enter_async_context(
            running_fleet(
                directory / "graphgate",
                falkordb_shards=falkordb,
                neo4j_shards=neo4j,
                cache_dir=options.cache_dir,
                embedder="none",
            )
        )
        theirs = await stack.enter_async_context(
            EmbeddedFleet(directory / "graphiti", falkordb_shards=falkordb, neo4j_shards=neo4j)
        )
        log_file = directory / "graphiti.log"
        graphiti = await stack.enter_async_context(
            GraphitiProcess(python, options.engine, theirs.shards[0].url, GROUP, log_file)
        )
        watch.begin("rows to write", len(rows.entities) + len(rows.facts))
        through_gateway = ThroughGateway(mine.client, MODEL_NAME)
        rates = await load_both(rows, vectors, GROUP, through_gateway, graphiti, watch.advance)
        watch.begin("indexes")
        settled_s = await until_settled(
            mine.client, GROUP, options.engine, len(rows.entities), len(rows.facts)
        )
        asked = [Asked(q.question, vectors.of(q.question)) for q in questions]
        watch.begin("questions", len(asked) * (options.rounds + 1))
        graphgate = GraphgateSide(mine.client, GROUP)
        answered = await ask_both(asked, options.rounds, graphgate, graphiti, lambda: watch.advance(1))
        watch.begin("agreement")
        text_of = {row.uuid: row.name for row in rows.entities} | {row.uuid: row.fact for row in rows.facts}
        agreement = await compare(asked, lambda uuid: vectors.of(text_of[uuid]), graphgate, graphiti)
        return PeerResult(
            engine_version=await _engine_version(mine.client, mine.fleet.shards[0].id),
            graphiti_version=graphiti.version,
            graphgate={name: _figures(answered, name, rates[0]) for name in get_args(VectorsName.__value__)},
            graphiti=_figures(answered, "graphiti", rates[1]),
            recall_at_10=agreement.recall_at_10,
            same_semantic_top10=agreement.same_semantic_top10,
            stages_ms={
                key: {stage: statistics.median(some) * 1e3 for stage, some in stages.seconds.items()}
                for key, stages in answered.stages.items()
            },
            vectors={key: sorted(stages.vectors) for key, stages in answered.stages.items()},
            settled_s=settled_s,
        )


def _figures(answered: Answered, side: SideName, rates: Rates) -> SideFigures:
    return SideFigures(
        searches={search: latency(answered.seconds[side, search]) for search in SEARCHES},
        entities_per_s=rates.entities_per_s,
        facts_per_s=rates.facts_per_s,
    )


async def _engine_version(client: GatewayClient, shard: str) -> str:
    answer = await client.admin.DescribeSchema(
        admin_service_pb2.DescribeSchemaRequest(), timeout=_ADMIN_TIMEOUT_S
    )
    return next(schema.engine_version for schema in answer.schemas if schema.shard == shard)

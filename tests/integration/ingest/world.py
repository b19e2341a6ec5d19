"""What tests of ingestion do with a gateway."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.bench.model_server.knowledge import KnownEntity, KnownFact, KnownText
from gateway.bench.model_server.server import ModelServer
from graphgate.v1 import (
    graph_pb2,
    graph_service_pb2,
    graph_service_pb2_grpc,
    ingest_service_pb2,
    ingest_service_pb2_grpc,
    search_service_pb2_grpc,
)

PATIENCE_S = 40.0


def time_message(text: str) -> Timestamp:
    """ISO 8601, UTC."""
    found = Timestamp()
    found.FromDatetime(datetime.fromisoformat(text).replace(tzinfo=UTC))
    return found


def known(*facts: KnownFact, entities: Sequence[KnownEntity] = ()) -> KnownText:
    """With the entities that the facts name."""
    named = {one.name: one for one in entities}
    for fact in facts:
        for name in (fact.source, fact.target):
            named.setdefault(name, KnownEntity(name))
    return KnownText(tuple(named.values()), facts)


@dataclass(frozen=True, slots=True)
class World:
    """The asynchronous stubs exist for the type checker only: at run time they are the plain ones."""

    server: ModelServer
    channel: grpc.aio.Channel
    ingest: "ingest_service_pb2_grpc.IngestServiceAsyncStub"
    graph: "graph_service_pb2_grpc.GraphServiceAsyncStub"
    search: "search_service_pb2_grpc.SearchServiceAsyncStub"

    def request(
        self,
        group: str,
        content: str,
        at: str = "2024-01-01T00:00:00",
        *,
        request_id: str = "",
        wait: bool = True,
    ) -> ingest_service_pb2.AddEpisodeRequest:
        return ingest_service_pb2.AddEpisodeRequest(
            group_id=group,
            episode=graph_pb2.Episode(content=content, reference_time=time_message(at)),
            mode=ingest_service_pb2.EXTRACTION_MODE_LLM,
            request_id=request_id,
            wait=wait,
        )

    async def tell(
        self, group: str, content: str, at: str = "2024-01-01T00:00:00", *, request_id: str = ""
    ) -> ingest_service_pb2.EpisodeStatus:
        """Adds an episode and returns how it has ended."""
        request = self.request(group, content, at, request_id=request_id)
        answer = await self.ingest.AddEpisode(request, timeout=PATIENCE_S)
        return answer.status

    async def entities(self, group: str) -> dict[str, graph_pb2.Entity]:
        """By name."""
        request = graph_service_pb2.ListEntitiesRequest(group_id=group, page_size=1_000)
        return {one.name: one for one in (await self.graph.ListEntities(request)).entities}

    async def facts(self, group: str) -> dict[str, graph_pb2.Fact]:
        """By text."""
        request = graph_service_pb2.ListFactsRequest(group_id=group, page_size=1_000)
        return {one.fact: one for one in (await self.graph.ListFacts(request)).facts}

    async def holding(self, group: str, at: str) -> set[str]:
        """Texts of the facts that hold at that world time, by what is stored now."""
        moment = time_message(at)
        found: set[str] = set()
        for text, fact in (await self.facts(group)).items():
            begun = not fact.HasField("valid_at") or _before(fact.valid_at, moment)
            ended = fact.HasField("invalid_at") and _before(fact.invalid_at, moment)
            if begun and not ended:
                found.add(text)
        return found


def _before(one: Timestamp, other: Timestamp) -> bool:
    """Or at the same time."""
    return (one.seconds, one.nanos) <= (other.seconds, other.nanos)

"""The rows of groups as requests to the gateway, each with the request_id under which it may be repeated."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched

from gateway.corpus.graph_rows import EntityRow, EpisodeRow, FactRow, GroupGraph, PassageGraph
from gateway.corpus.vectors import VectorTable
from graphgate.v1 import graph_pb2, graph_service_pb2, ingest_service_pb2

BATCH_ROWS_MAX = 200

_REQUEST_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "graphgate:demo:requests")

type WriteRequest = graph_service_pb2.WriteGraphRequest | ingest_service_pb2.AddEpisodeRequest


@dataclass(frozen=True, slots=True)
class WriteCall:
    """One write of one group."""

    group_id: str
    request_id: str
    rows: int
    build: Callable[[], WriteRequest]
    """Makes the request, always the same. Late, because all of them at once would take much memory."""


class WriteCalls:
    """Makes the calls that write groups, with the vectors of the table."""

    def __init__(self, vectors: VectorTable) -> None:
        self._vectors = vectors

    def entities(self, group: GroupGraph) -> list[WriteCall]:
        return [
            _batch(
                group, "entities", number, len(rows), lambda rows=rows: self._entities_request(group, rows)
            )
            for number, rows in enumerate(batched(group.entities, BATCH_ROWS_MAX))
        ]

    def episodes(self, group: GroupGraph) -> list[WriteCall]:
        """Episodes with their mentions; an episode and its mentions are one atomic write."""
        return [
            _batch(
                group,
                "episodes",
                number,
                sum(1 + len(passage.entities) for passage in passages),
                lambda passages=passages: self._episodes_request(group, passages),
            )
            for number, passages in enumerate(_by_rows(group.passages))
        ]

    def facts(self, group: GroupGraph) -> list[WriteCall]:
        pairs = [(passage.episode.uuid, fact) for passage in group.passages for fact in passage.facts]
        return [
            _batch(group, "facts", number, len(rows), lambda rows=rows: self._facts_request(group, rows))
            for number, rows in enumerate(batched(pairs, BATCH_ROWS_MAX))
        ]

    def passages(self, group: GroupGraph) -> list[WriteCall]:
        """Passage by passage through AddEpisode, as an agent's memory grows."""
        return [
            WriteCall(
                group.group_id,
                _request_id(group, "passage", number),
                1 + 2 * len(passage.entities) + len(passage.facts),
                lambda passage=passage, number=number: self._passage_request(group, passage, number),
            )
            for number, passage in enumerate(group.passages)
        ]

    def _entities_request(
        self, group: GroupGraph, rows: Iterable[EntityRow]
    ) -> graph_service_pb2.WriteGraphRequest:
        return graph_service_pb2.WriteGraphRequest(
            group_id=group.group_id, entities=[self._entity(row) for row in rows]
        )

    def _episodes_request(
        self, group: GroupGraph, passages: Sequence[PassageGraph]
    ) -> graph_service_pb2.WriteGraphRequest:
        return graph_service_pb2.WriteGraphRequest(
            group_id=group.group_id,
            episodes=[self._episode(passage.episode) for passage in passages],
            mentions=[
                graph_pb2.Mention(episode_uuid=passage.episode.uuid, entity_uuid=entity.uuid)
                for passage in passages
                for entity in passage.entities
            ],
        )

    def _facts_request(
        self, group: GroupGraph, pairs: Iterable[tuple[str, FactRow]]
    ) -> graph_service_pb2.WriteGraphRequest:
        return graph_service_pb2.WriteGraphRequest(
            group_id=group.group_id, facts=[self._fact(row, [episode]) for episode, row in pairs]
        )

    def _passage_request(
        self, group: GroupGraph, passage: PassageGraph, number: int
    ) -> ingest_service_pb2.AddEpisodeRequest:
        return ingest_service_pb2.AddEpisodeRequest(
            group_id=group.group_id,
            episode=self._episode(passage.episode),
            mode=ingest_service_pb2.EXTRACTION_MODE_PROVIDED,
            entities=[self._entity(row) for row in passage.entities],
            facts=[self._fact(row, []) for row in passage.facts],
            request_id=_request_id(group, "passage", number),
        )

    def _entity(self, row: EntityRow) -> graph_pb2.Entity:
        return graph_pb2.Entity(uuid=row.uuid, name=row.name, embedding=self._vectors.of(row.name))

    def _episode(self, row: EpisodeRow) -> graph_pb2.Episode:
        return graph_pb2.Episode(
            uuid=row.uuid, name=row.name, content=row.content, embedding=self._vectors.of(row.text)
        )

    def _fact(self, row: FactRow, episodes: list[str]) -> graph_pb2.Fact:
        return graph_pb2.Fact(
            uuid=row.uuid,
            source_uuid=row.source_uuid,
            target_uuid=row.target_uuid,
            name=row.name,
            fact=row.fact,
            episode_uuids=episodes,
            embedding=self._vectors.of(row.fact),
        )


def _batch(
    group: GroupGraph,
    what: str,
    number: int,
    rows: int,
    build: Callable[[], graph_service_pb2.WriteGraphRequest],
) -> WriteCall:
    request_id = _request_id(group, what, number)

    def with_request_id() -> WriteRequest:
        request = build()
        request.request_id = request_id
        return request

    return WriteCall(group.group_id, request_id, rows, with_request_id)


def _by_rows(passages: Sequence[PassageGraph]) -> Iterator[list[PassageGraph]]:
    """Consecutive passages whose episodes and mentions fit one batch."""
    batch: list[PassageGraph] = []
    rows = 0
    for passage in passages:
        more = 1 + len(passage.entities)
        if batch and rows + more > BATCH_ROWS_MAX:
            yield batch
            batch, rows = [], 0
        batch.append(passage)
        rows += more
    if batch:
        yield batch


def _request_id(group: GroupGraph, what: str, number: int) -> str:
    return str(uuid.uuid5(_REQUEST_NAMESPACE, f"{group.group_id}/{what}/{number}"))

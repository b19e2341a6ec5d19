"""Reading back: it must notice whatever is lost."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from gateway.corpus.dataset import load_dataset
from gateway.corpus.graph_rows import GroupGraph, build_groups
from gateway.corpus.writer import Journal
from gateway.demo.verify import lost_rows
from gateway.loopback.client import GatewayClient
from graphgate.v1 import graph_pb2, graph_service_pb2

PAGE = 3
"""Rows that the fake gateway returns at once; the rest is left unread."""


class _Graph:
    """The four reads that the demo uses, over rows in memory."""

    def __init__(self, group: GroupGraph) -> None:
        self.rows: dict[str, Any] = {}
        for entity in group.entities:
            self.rows[entity.uuid] = graph_pb2.Entity(uuid=entity.uuid, name=entity.name)
        for passage in group.passages:
            episode = passage.episode
            self.rows[episode.uuid] = graph_pb2.Episode(
                uuid=episode.uuid, name=episode.name, content=episode.content
            )
            for fact in passage.facts:
                self.rows[fact.uuid] = graph_pb2.Fact(
                    uuid=fact.uuid,
                    source_uuid=fact.source_uuid,
                    target_uuid=fact.target_uuid,
                    name=fact.name,
                    fact=fact.fact,
                    episode_uuids=[episode.uuid],
                )
            for number, entity in enumerate(passage.entities):
                uuid = f"mention-{episode.uuid}-{number}"
                self.rows[uuid] = graph_pb2.Mention(
                    uuid=uuid, episode_uuid=episode.uuid, entity_uuid=entity.uuid
                )

    def _page(self, uuids: Sequence[str]) -> tuple[list[Any], list[str]]:
        return [self.rows[uuid] for uuid in uuids[:PAGE] if uuid in self.rows], list(uuids[PAGE:])

    async def BatchGetEntities(self, request: Any, timeout: float) -> Any:  # noqa: N802
        rows, unread = self._page(request.uuids)
        return graph_service_pb2.BatchGetEntitiesResponse(entities=rows, unread_uuids=unread)

    async def BatchGetFacts(self, request: Any, timeout: float) -> Any:  # noqa: N802
        rows, unread = self._page(request.uuids)
        return graph_service_pb2.BatchGetFactsResponse(facts=rows, unread_uuids=unread)

    async def BatchGetEpisodes(self, request: Any, timeout: float) -> Any:  # noqa: N802
        rows, unread = self._page(request.uuids)
        return graph_service_pb2.BatchGetEpisodesResponse(episodes=rows, unread_uuids=unread)

    async def BatchGetMentions(self, request: Any, timeout: float) -> Any:  # noqa: N802
        rows, unread = self._page(request.uuids)
        return graph_service_pb2.BatchGetMentionsResponse(mentions=rows, unread_uuids=unread)


class _Client:
    def __init__(self, graph: _Graph) -> None:
        self.graph = graph


@pytest.fixture
def group() -> GroupGraph:
    return build_groups(load_dataset().first(5), groups=1)[0]


@pytest.fixture
def graph(group: GroupGraph) -> _Graph:
    return _Graph(group)


def _journal(group: GroupGraph, graph: _Graph) -> Journal:
    kinds = {
        graph_pb2.Entity: graph_pb2.ROW_KIND_ENTITY,
        graph_pb2.Fact: graph_pb2.ROW_KIND_FACT,
        graph_pb2.Episode: graph_pb2.ROW_KIND_EPISODE,
        graph_pb2.Mention: graph_pb2.ROW_KIND_MENTION,
    }
    journal = Journal()
    journal.record(
        group.group_id,
        [graph_service_pb2.RowResult(kind=kinds[type(row)], uuid=uuid) for uuid, row in graph.rows.items()],
    )
    return journal


async def _lost(group: GroupGraph, graph: _Graph, journal: Journal) -> list[str]:
    return await lost_rows(cast("GatewayClient", _Client(graph)), [group], journal)


async def test_nothing_is_lost_when_all_is_there(group: GroupGraph, graph: _Graph):
    """Answers that end early are asked for to the end, and every acknowledged row is counted."""
    journal = _journal(group, graph)
    assert journal.total == group.rows
    assert await _lost(group, graph, journal) == []


@pytest.mark.parametrize("kind", [graph_pb2.Entity, graph_pb2.Fact, graph_pb2.Episode, graph_pb2.Mention])
async def test_a_missing_row_of_any_kind_is_noticed(group: GroupGraph, graph: _Graph, kind: type[Any]):
    """lost_after_restart counts all kinds."""
    journal = _journal(group, graph)
    uuid = next(uuid for uuid, row in graph.rows.items() if isinstance(row, kind))
    del graph.rows[uuid]
    (lost,) = await _lost(group, graph, journal)
    assert lost.endswith(uuid)


def _rename(row: Any) -> None:
    row.name = "something else"


def _move(row: Any) -> None:
    row.target_uuid = row.source_uuid


def _forget_episode(row: Any) -> None:
    del row.episode_uuids[:]


def _cut(row: Any) -> None:
    row.content = row.content[:-1]


def _turn(row: Any) -> None:
    row.entity_uuid = row.episode_uuid


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        (graph_pb2.Entity, _rename),
        (graph_pb2.Fact, _move),
        (graph_pb2.Fact, _forget_episode),
        (graph_pb2.Episode, _cut),
        (graph_pb2.Mention, _turn),
    ],
)
async def test_a_row_that_says_something_else_is_lost(
    group: GroupGraph, graph: _Graph, kind: type[Any], spoil: Callable[[Any], None]
):
    """A row that is there under its uuid with other content is not the one that was acknowledged."""
    journal = _journal(group, graph)
    spoil(next(row for row in graph.rows.values() if isinstance(row, kind)))
    assert len(await _lost(group, graph, journal)) == 1

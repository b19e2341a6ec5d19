"""Reads back every acknowledged row and compares it with what was sent."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import batched

from gateway.corpus.graph_rows import GroupGraph
from gateway.corpus.writer import Journal
from gateway.loopback.client import GatewayClient
from graphgate.v1 import graph_pb2, graph_service_pb2

READ_ROWS_MAX = 500
READS_RUNNING_MAX = 8
READ_TIMEOUT_S = 30.0

type Content = tuple[str, ...]
"""What a row says, as sent or as read."""
type RowMessage = graph_pb2.Entity | graph_pb2.Fact | graph_pb2.Episode | graph_pb2.Mention


async def lost_rows(
    client: GatewayClient,
    groups: Sequence[GroupGraph],
    journal: Journal,
    on_read: Callable[[int], None] = lambda _: None,
) -> list[str]:
    """Acknowledged rows that are missing or say something else, as "group kind uuid"."""
    sent = {group.group_id: _contents(group) for group in groups}
    gate = asyncio.Semaphore(READS_RUNNING_MAX)
    lost: list[str] = []

    async def check(group_id: str, kind: graph_pb2.RowKind, uuids: Sequence[str]) -> None:
        async with gate:
            found = await _read(client, group_id, kind, uuids)
        # A mention's uuid is the gateway's own: what it says has to be one of the group's mentions.
        known = set(sent[group_id].values())
        for uuid in uuids:
            expected = sent[group_id].get(uuid)
            content = found.get(uuid)
            if content is None or (content != expected if expected is not None else content not in known):
                lost.append(f"{group_id} {graph_pb2.RowKind.Name(kind)} {uuid}")
        on_read(len(uuids))

    async with asyncio.TaskGroup() as checks:
        for (group_id, kind), uuids in journal.rows.items():
            for chunk in batched(sorted(uuids), READ_ROWS_MAX):
                checks.create_task(check(group_id, kind, chunk))
    return sorted(lost)


def _contents(group: GroupGraph) -> dict[str, Content]:
    """By uuid; mentions, which get theirs from the gateway, by their two ends."""
    contents: dict[str, Content] = {row.uuid: (row.name,) for row in group.entities}
    for passage in group.passages:
        episode = passage.episode
        contents[episode.uuid] = (episode.name, episode.content)
        for row in passage.facts:
            contents[row.uuid] = (row.source_uuid, row.target_uuid, row.name, row.fact, episode.uuid)
        for entity in passage.entities:
            contents[f"{episode.uuid} {entity.uuid}"] = (episode.uuid, entity.uuid)
    return contents


def _content(row: RowMessage) -> Content:
    match row:
        case graph_pb2.Entity():
            return (row.name,)
        case graph_pb2.Fact():
            return (row.source_uuid, row.target_uuid, row.name, row.fact, *row.episode_uuids)
        case graph_pb2.Episode():
            return (row.name, row.content)
        case _:
            return (row.episode_uuid, row.entity_uuid)


async def _read(
    client: GatewayClient, group_id: str, kind: graph_pb2.RowKind, uuids: Sequence[str]
) -> Mapping[str, Content]:
    found: dict[str, Content] = {}
    unread = list(uuids)
    while unread:
        rows, unread = await _read_once(client, group_id, kind, unread)
        found.update((row.uuid, _content(row)) for row in rows)
    return found


async def _read_once(
    client: GatewayClient, group_id: str, kind: graph_pb2.RowKind, uuids: list[str]
) -> tuple[Iterable[RowMessage], list[str]]:
    """Rows, and the uuids that did not fit the answer."""
    graph, limit = client.graph, READ_TIMEOUT_S
    match kind:
        case graph_pb2.ROW_KIND_ENTITY:
            ask = graph_service_pb2.BatchGetEntitiesRequest(group_id=group_id, uuids=uuids)
            entities = await graph.BatchGetEntities(ask, timeout=limit)
            return entities.entities, list(entities.unread_uuids)
        case graph_pb2.ROW_KIND_FACT:
            ask = graph_service_pb2.BatchGetFactsRequest(group_id=group_id, uuids=uuids)
            facts = await graph.BatchGetFacts(ask, timeout=limit)
            return facts.facts, list(facts.unread_uuids)
        case graph_pb2.ROW_KIND_EPISODE:
            ask = graph_service_pb2.BatchGetEpisodesRequest(group_id=group_id, uuids=uuids)
            episodes = await graph.BatchGetEpisodes(ask, timeout=limit)
            return episodes.episodes, list(episodes.unread_uuids)
        case graph_pb2.ROW_KIND_MENTION:
            ask = graph_service_pb2.BatchGetMentionsRequest(group_id=group_id, uuids=uuids)
            mentions = await graph.BatchGetMentions(ask, timeout=limit)
            return mentions.mentions, list(mentions.unread_uuids)
        case _:
            raise AssertionError(f"the demo writes no rows of kind {graph_pb2.RowKind.Name(kind)}")

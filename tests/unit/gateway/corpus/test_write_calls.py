"""The writes that store the data."""

from collections import defaultdict

import pytest

from gateway.corpus.dataset import load_dataset
from gateway.corpus.graph_rows import GroupGraph, build_groups
from gateway.corpus.vectors import VectorTable
from gateway.corpus.write_calls import BATCH_ROWS_MAX, WriteCalls
from graphgate.v1 import graph_service_pb2, ingest_service_pb2


class _AnyVector(VectorTable):
    def __init__(self) -> None:
        super().__init__({})

    def of(self, text: str) -> list[float]:
        return [float(len(text)), 1.0]


@pytest.fixture(scope="module")
def group() -> GroupGraph:
    return build_groups(load_dataset())[0]


@pytest.fixture(scope="module")
def calls() -> WriteCalls:
    return WriteCalls(_AnyVector())


def test_a_repeated_call_is_the_same_request(calls: WriteCalls, group: GroupGraph):
    """A retry under the same request_id with other content would be refused."""
    for call in (*calls.entities(group), *calls.episodes(group), *calls.facts(group), *calls.passages(group)):
        request = call.build()
        assert request == call.build()
        assert request.request_id == call.request_id


def test_no_two_calls_share_a_request_id(calls: WriteCalls, group: GroupGraph):
    """The second would be taken for a retry of the first and write nothing."""
    every = [*calls.entities(group), *calls.episodes(group), *calls.facts(group), *calls.passages(group)]
    assert len({call.request_id for call in every}) == len(every)


def test_batches_hold_every_row_once(calls: WriteCalls, group: GroupGraph):
    """Batches of at most 200 rows that together are the whole group."""
    found: dict[str, list[str]] = defaultdict(list)
    for call in (*calls.entities(group), *calls.episodes(group), *calls.facts(group)):
        request = call.build()
        assert isinstance(request, graph_service_pb2.WriteGraphRequest)
        rows = [*request.entities, *request.facts, *request.episodes]
        assert len(rows) + len(request.mentions) == call.rows <= BATCH_ROWS_MAX
        found["rows"] += [row.uuid for row in rows]
        found["mentions"] += [f"{mention.episode_uuid} {mention.entity_uuid}" for mention in request.mentions]
        assert all(row.embedding for row in rows)
    assert len(set(found["rows"])) == len(found["rows"])
    assert len(set(found["mentions"])) == len(found["mentions"])
    assert len(found["rows"]) + len(found["mentions"]) == group.rows


def test_a_passage_is_one_episode_with_its_graph(calls: WriteCalls, group: GroupGraph):
    """AddEpisode in mode PROVIDED: the gateway adds the mentions and the episode of the facts."""
    for passage, call in zip(group.passages, calls.passages(group), strict=True):
        request = call.build()
        assert isinstance(request, ingest_service_pb2.AddEpisodeRequest)
        assert request.mode == ingest_service_pb2.EXTRACTION_MODE_PROVIDED
        assert request.episode.uuid == passage.episode.uuid
        assert [entity.uuid for entity in request.entities] == [entity.uuid for entity in passage.entities]
        assert [fact.uuid for fact in request.facts] == [fact.uuid for fact in passage.facts]

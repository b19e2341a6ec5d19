"""The small values of a write are counted before anything is made of them."""

import time
from collections.abc import Callable, Iterable, Sequence

import pytest

from gateway.rpc.validation import (
    ATTRIBUTE_LIST_MAX,
    ROW_ATTRIBUTE_VALUES_MAX,
    WRITE_ATTRIBUTE_VALUES_MAX,
    WRITE_EPISODE_UUIDS_MAX,
    InvalidRequest,
)
from gateway.rpc.write_requests import episode_intent, graph_intent
from graphgate.v1 import graph_pb2, graph_service_pb2, ingest_service_pb2

U = "00000000-0000-4000-8000-{:012d}".format


def entity(n: int, lists: Iterable[int] = (), scalars: int = 0, texts: int = 0) -> graph_pb2.Entity:
    """With attributes: lists of so many integers each, single integers, strings of 60 characters."""
    row = graph_pb2.Entity(uuid=U(n), name=f"name {n}")
    for i, length in enumerate(lists):
        values = [graph_pb2.AttributeScalar(int64_value=value) for value in range(length)]
        row.attributes[f"list{i}"].list.values.extend(values)
    for i in range(scalars):
        row.attributes[f"scalar{i}"].scalar.int64_value = i
    for i in range(texts):
        row.attributes[f"text{i}"].scalar.string_value = f"{i:060d}"
    return row


def fact(n: int, episodes: int) -> graph_pb2.Fact:
    uuids = [U(at) for at in range(episodes)]
    return graph_pb2.Fact(uuid=U(n), source_uuid=U(1), target_uuid=U(2), name="N", episode_uuids=uuids)


def write(
    entities: Sequence[graph_pb2.Entity] = (), facts: Sequence[graph_pb2.Fact] = ()
) -> graph_service_pb2.WriteGraphRequest:
    return graph_service_pb2.WriteGraphRequest(group_id="g", entities=entities, facts=facts)


def violations(read: Callable[[], object]) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refused:
        read()
    return dict(refused.value.violations)


def cpu_s(read: Callable[[], object]) -> float:
    """The least of three runs."""
    took: list[float] = []
    for _ in range(3):
        start = time.thread_time()
        read()
        took.append(time.thread_time() - start)
    return min(took)


def test_a_row_has_as_many_values_as_allowed_and_not_one_more() -> None:
    """Elements of lists count one by one, and an empty list is a value; the row and the limit are named
    beside what else is wrong."""
    full = [ATTRIBUTE_LIST_MAX, ROW_ATTRIBUTE_VALUES_MAX - ATTRIBUTE_LIST_MAX - 6]
    graph_intent(write([entity(1, [*full, 0], scalars=5)]))
    found = violations(lambda: graph_intent(write([entity(1), entity(2, [*full, 0], scalars=6), entity(1)])))
    assert "row_attribute_values_max" in found["entities[1].attributes"]
    assert len(found) == 2


def test_a_write_has_as_many_values_as_allowed_and_not_one_more() -> None:
    """The rows of all kinds are counted together, of WriteGraph and of AddEpisode."""
    per_row = ATTRIBUTE_LIST_MAX
    rows = [entity(n, [per_row]) for n in range(WRITE_ATTRIBUTE_VALUES_MAX // per_row)]
    graph_intent(write(rows))
    linked = graph_pb2.Fact(uuid=U(0), source_uuid=U(1), target_uuid=U(2), name="N")
    linked.attributes["one"].scalar.bool_value = True
    found = violations(lambda: graph_intent(write(rows, [linked])))
    assert "write_attribute_values_max" in found["attributes"]
    episode = graph_pb2.Episode(content="words")
    episode.attributes["one"].scalar.bool_value = True
    added = ingest_service_pb2.AddEpisodeRequest(
        group_id="g", mode=ingest_service_pb2.EXTRACTION_MODE_PROVIDED, episode=episode, entities=rows
    )
    assert "write_attribute_values_max" in violations(lambda: episode_intent(added))["attributes"]


def test_the_facts_of_a_write_name_as_many_episodes_as_allowed_and_not_one_more() -> None:
    """Counted over all facts."""
    facts = [fact(n, 1_000) for n in range(WRITE_EPISODE_UUIDS_MAX // 1_000)]
    graph_intent(write(facts=facts))
    found = violations(lambda: graph_intent(write(facts=[*facts, fact(9_999, 1)])))
    assert "write_episode_uuids_max" in found["episode_uuids"]


def test_the_most_values_take_no_longer_than_the_most_rows() -> None:
    """While a message is read nobody else is served: the worst shapes of values that a write may have stay
    near 2,000 rows with vectors, and so does the refusal of a million."""
    rows_max = write([entity(n) for n in range(2_000)])
    for row in rows_max.entities:
        row.embedding.extend([0.5] * 384)
    plain_s = cpu_s(lambda: graph_intent(rows_max))
    shapes = {
        "lists": write([entity(n, [1_000, 1_000]) for n in range(10)]),
        "short lists": write([entity(n, [8] * 250) for n in range(10)]),
        "scalars": write([entity(n, scalars=250) for n in range(80)]),
        "texts": write([entity(n, texts=250) for n in range(80)]),
        "episodes": write(facts=[fact(n, 1_000) for n in range(20)]),
    }
    for name, request in shapes.items():
        assert cpu_s(lambda request=request: graph_intent(request)) < 4 * plain_s, name
    million = write([entity(1, [1_000] * 50)] * 20)
    assert cpu_s(lambda: violations(lambda: graph_intent(million))) < 4 * plain_s

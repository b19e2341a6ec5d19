"""How many small values a write brings, counted before a row is made of them."""

from collections.abc import Iterator, Mapping

from gateway.rpc.validation import (
    ATTRIBUTES_MAX,
    ROW_ATTRIBUTE_VALUES_MAX,
    WRITE_ATTRIBUTE_VALUES_MAX,
    WRITE_EPISODE_UUIDS_MAX,
    Violations,
)
from graphgate.v1 import graph_pb2 as graph_pb
from graphgate.v1 import graph_service_pb2 as pb
from graphgate.v1 import ingest_service_pb2 as ingest_pb

type _Row = graph_pb.Entity | graph_pb.Fact | graph_pb.Episode


def check_value_counts(v: Violations, request: pb.WriteGraphRequest | ingest_pb.AddEpisodeRequest) -> None:
    """A message of some MiB may hold millions of values, and nobody is served while rows are made of them.

    Raises InvalidRequest where a write has too many; a row that alone has too many is noted.
    """
    values, uuids = 0, 0
    for path, row in _rows(request):
        of_row = _value_count(row.attributes)
        if of_row > ROW_ATTRIBUTE_VALUES_MAX:
            v.add(
                f"{path}.attributes",
                f"has {of_row} values, elements of lists included, at most {ROW_ATTRIBUTE_VALUES_MAX} are "
                "allowed (row_attribute_values_max)",
            )
        values += of_row
        uuids += len(row.episode_uuids) if isinstance(row, graph_pb.Fact) else 0
        if values > WRITE_ATTRIBUTE_VALUES_MAX:
            v.add(
                "attributes",
                f"of all rows have more than {WRITE_ATTRIBUTE_VALUES_MAX} values, elements of lists included "
                "(write_attribute_values_max); split the write",
            )
            v.raise_if_any()
        if uuids > WRITE_EPISODE_UUIDS_MAX:
            v.add(
                "episode_uuids",
                f"of all facts are more than {WRITE_EPISODE_UUIDS_MAX} (write_episode_uuids_max); split the "
                "write",
            )
            v.raise_if_any()


def _rows(request: pb.WriteGraphRequest | ingest_pb.AddEpisodeRequest) -> Iterator[tuple[str, _Row]]:
    yield from ((f"entities[{i}]", row) for i, row in enumerate(request.entities))
    yield from ((f"facts[{i}]", row) for i, row in enumerate(request.facts))
    if isinstance(request, ingest_pb.AddEpisodeRequest):
        yield "episode", request.episode
    else:
        yield from ((f"episodes[{i}]", row) for i, row in enumerate(request.episodes))


def _value_count(attributes: Mapping[str, graph_pb.AttributeValue]) -> int:
    """Of more attributes than a row may have, their number alone: their values are never read."""
    if len(attributes) > ATTRIBUTES_MAX:
        return len(attributes)
    return sum(max(1, len(attributes[name].list.values)) for name in attributes)

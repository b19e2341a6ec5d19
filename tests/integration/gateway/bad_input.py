"""Bad values, what is wrong with them, and what must not have changed after them."""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from graphgate.v1 import graph_pb2, graph_service_pb2
from tests.integration.gateway.conftest import Client

MIB = 1024 * 1024
NAN = float("nan")
TOO_LATE = Timestamp(seconds=253_402_300_800)
"""The first second of the year 10,000."""


async def version_of(client: Client, group: str) -> int:
    described = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group))
    return described.group.version


def scalars(**values: Any) -> list[graph_pb2.AttributeScalar]:
    return [graph_pb2.AttributeScalar(**{name: value}) for name, value in values.items()]


def bad_entity() -> graph_pb2.Entity:
    entity = graph_pb2.Entity(
        uuid="550E8400-E29B-41D4-A716-446655440000",
        name="\t ",
        summary="x" * 65_537,
        labels=["", "l" * 129, "fine"],
        embedding=[1.0, NAN],
    )
    entity.attributes["mixed"].list.values.extend(scalars(string_value="a", int64_value=1))
    entity.attributes["nan"].scalar.double_value = NAN
    entity.attributes["unset"].SetInParent()
    entity.attributes["late"].scalar.timestamp_value.CopyFrom(TOO_LATE)
    entity.attributes["long"].scalar.string_value = "x" * 65_537
    entity.attributes["many"].list.values.extend(scalars(bool_value=True) * 1_001)
    entity.attributes[""].scalar.bool_value = True
    return entity


BAD_ENTITY_FIELDS = {
    "uuid",
    "name",
    "summary",
    "labels[0]",
    "labels[1]",
    "embedding",
    *(f"attributes[{name!r}]" for name in ("mixed", "nan", "unset", "late", "long", "many", "")),
}
"""All that is wrong with bad_entity()."""

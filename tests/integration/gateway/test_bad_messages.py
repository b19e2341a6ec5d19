"""Bytes that are no message, and messages that are too large."""

import grpc
import pytest

from drivers.write_plan import ROWS_PER_WRITE_MAX
from graphgate.v1 import admin_service_pb2, graph_pb2, graph_service_pb2
from tests.integration.gateway.bad_input import MIB, version_of
from tests.integration.gateway.calls import new_uuid, refused
from tests.integration.gateway.conftest import Client

Code = grpc.StatusCode


async def test_a_number_that_does_not_fit_64_bits_is_refused(client: Client, group: str) -> None:
    """Protobuf's libraries do not send one; bytes that hold one are no message, and nothing is written."""
    version = await version_of(client, group)
    marker = 7
    body = graph_service_pb2.WriteGraphRequest(group_id=group, entities=[graph_pb2.Entity(name="Big")])
    body.entities[0].attributes["n"].scalar.int64_value = marker
    fitting = body.SerializeToString()
    # Field 2 of the scalar, its value as a varint of eleven bytes: 2^70. Four lengths grow by ten.
    needle = bytes([2 << 3, marker])
    assert fitting.endswith(needle)
    grown = bytearray(fitting[:-1] + b"\xff" * 10 + b"\x01")
    start = fitting.index(b"\x12\x03Big") - 1
    for at in (start, *_lengths_after(fitting, start)):
        grown[at] += 10
    call = client.channel.unary_unary("/graphgate.v1.GraphService/WriteGraph")
    refusal = await refused(call(bytes(grown)))
    assert (refusal.code, refusal.reason) == (Code.INVALID_ARGUMENT, "REQUEST_UNREADABLE")
    assert await version_of(client, group) == version
    await call(fitting)
    assert await version_of(client, group) == version + 1


def _lengths_after(body: bytes, start: int) -> tuple[int, int, int]:
    """Where the lengths of the map entry, its value and the scalar in it are written."""
    entry = start + 1 + len(b"\x12\x03Big") + 1
    value = entry + 1 + len(b"\x0a\x01n") + 1
    scalar = value + 2
    assert body[entry] == len(body) - entry - 1
    assert body[scalar] == 2
    return entry, value, scalar


@pytest.mark.parametrize("body", [b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02\xff\xfe", b"\x00" * 64])
async def test_bytes_that_are_no_message_are_refused(client: Client, body: bytes) -> None:
    """Truncated, overlong and not UTF-8: a typed answer instead of the parser's own words."""
    for method in ("GraphService/WriteGraph", "GraphService/GetEntity", "SearchService/Search"):
        refusal = await refused(client.channel.unary_unary(f"/graphgate.v1.{method}")(body))
        assert (refusal.code, refusal.reason) == (Code.INVALID_ARGUMENT, "REQUEST_UNREADABLE")


async def test_limits_are_named_with_their_values(client: Client, group: str) -> None:
    """A batch or a message that is too large says which limit it passed, and its value."""
    version = await version_of(client, group)
    rows = graph_service_pb2.WriteGraphRequest(
        group_id=group, entities=[graph_pb2.Entity(name="x")] * (ROWS_PER_WRITE_MAX + 1)
    )
    refusal = await refused(client.graph.WriteGraph(rows))
    assert (refusal.code, refusal.fields) == (Code.INVALID_ARGUMENT, ["rows"])
    assert refusal.violations["rows"] == "has 2001 rows, at most 2000 are allowed (rows_per_write_max)"
    uuids = graph_service_pb2.BatchGetFactsRequest(group_id=group, uuids=[new_uuid()] * 1_001)
    refusal = await refused(client.graph.BatchGetFacts(uuids))
    assert refusal.violations["uuids"] == "has 1001 items, at most 1000 are allowed (uuids_max)"
    message = graph_service_pb2.WriteGraphRequest(
        group_id=group, episodes=[graph_pb2.Episode(content="x" * 900_000)] * 20
    )
    refusal = await refused(client.graph.WriteGraph(message))
    assert (refusal.code, refusal.reason) == (Code.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE")
    assert refusal.metadata["limit_name"] == "message_bytes_max"
    assert refusal.metadata["limit"] == str(16 * MIB)
    assert refusal.metadata["bytes"] == str(message.ByteSize())
    assert refusal.retry_delay_s is None
    assert await version_of(client, group) == version


async def test_a_message_far_over_the_limit_is_never_taken_in(client: Client) -> None:
    """Beyond twice the limit the library itself refuses, without details, for it knows none;
    the connection lives on."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.channel.unary_unary("/graphgate.v1.GraphService/WriteGraph")(b"\0" * (33 * MIB))
    assert caught.value.code() is Code.RESOURCE_EXHAUSTED
    assert caught.value.details() == f"SERVER: Received message larger than max ({33 * MIB} vs. {32 * MIB})"
    await client.admin.ListShards(admin_service_pb2.ListShardsRequest())


async def test_millions_of_rows_in_one_message_are_only_counted(client: Client) -> None:
    """What is far over a limit costs no more than reading it: no row is made, no list of violations."""
    refusal = await refused(
        client.channel.unary_unary("/graphgate.v1.GraphService/WriteGraph")(b"\x12\x00" * 2_000_000)
    )
    assert set(refusal.fields) == {"group_id", "rows"}
    refusal = await refused(
        client.channel.unary_unary("/graphgate.v1.SearchService/Search")(b"\x32\x00" * 2_000_000)
    )
    assert {"scope", "query", "results"} <= set(refusal.fields)

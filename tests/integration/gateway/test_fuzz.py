"""Every method called with messages that no one thought of: typed answers, nothing internal, no harm.

GRAPHGATE_EXAMPLES=10 makes ten times as many calls, other ones every time.
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_status import rpc_status
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from gateway import errors
from gateway.loopback.client import GatewayClient
from gateway.loopback.process_stat import resident_bytes
from graphgate.v1 import admin_service_pb2, graph_pb2, graph_service_pb2
from tests.integration.gateway.calls import new_uuid
from tests.integration.gateway.leaks import leaks_in, texts_of
from tests.integration.gateway.message_strategy import Known, messages
from tests.integration.gateway.own_gateway import METHODS, own_gateway

Code = grpc.StatusCode
FACTOR = int(os.environ.get("GRAPHGATE_EXAMPLES", "1"))
BATCHES = 120
"""Hypothesis examples per half of the run; each is up to CALLS_PER_BATCH calls at once."""
CALLS_PER_BATCH = 12
GARBAGE_PER_METHOD = 25
CALL_S_MAX = 30.0
DIMENSION = 8
MIB = 1024 * 1024
GROWTH_BYTES_MAX = 48 * MIB
"""Of a process that has warmed up, over as many calls again: a leak of 50 KB per call passes it."""

_CODE_OF_REASON = {kind.reason: entry.code for kind, entry in errors.TABLE.items()}
_DETAILS = (
    error_details_pb2.ErrorInfo,
    error_details_pb2.BadRequest,
    error_details_pb2.RetryInfo,
    error_details_pb2.ResourceInfo,
)


@dataclass(frozen=True, slots=True)
class Call:
    path: str
    body: bytes

    def __repr__(self) -> str:
        return f"{self.path} {self.body[:400].hex()} of {len(self.body)} bytes"


@dataclass(frozen=True, slots=True)
class Target:
    channel: grpc.aio.Channel
    pid: int
    known: Known
    shards: Sequence[str]

    async def call(self, call: Call) -> None:
        """Raises AssertionError if the answer is none that a caller should get."""
        try:
            answer = await self._answer(call)
        except grpc.aio.AioRpcError as error:
            _check_refusal(call, error)
            return
        message = GetMessageClass(METHODS[call.path].output_type)()
        message.ParseFromString(cast("bytes", answer))
        # Rows hold what callers wrote, and schemas are made of names; what is wrong with shards is told here.
        if call.path.endswith("ListShards"):
            assert [leak for text in texts_of(message) for leak in leaks_in(text)] == [], message

    async def _answer(self, call: Call) -> Any:
        """The first one of a stream, which is given up then."""
        if not METHODS[call.path].server_streaming:
            return await self.channel.unary_unary(call.path)(call.body, timeout=CALL_S_MAX)
        stream = self.channel.unary_stream(call.path)(call.body, timeout=CALL_S_MAX)
        try:
            return await stream.read()
        finally:
            stream.cancel()

    async def serves(self) -> bool:
        answer = await self.channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=CALL_S_MAX)
        status = health_pb2.HealthCheckResponse.FromString(cast("bytes", answer)).status
        return status == health_pb2.HealthCheckResponse.SERVING


def _check_refusal(call: Call, error: grpc.aio.AioRpcError) -> None:
    shown = f"{call}: {error.code()} {error.details()}"
    assert error.code() not in (Code.INTERNAL, Code.UNKNOWN), shown
    texts = [error.details() or ""]
    texts += [str(value) for key, value in error.trailing_metadata() or () if not key.endswith("-bin")]
    status = rpc_status.from_call(cast("grpc.Call", error))
    assert status is not None, f"{shown} has no details"
    reasons: list[str] = []
    for packed in status.details:
        (kind,) = [kind for kind in _DETAILS if packed.Is(kind.DESCRIPTOR)]
        detail = kind.FromString(packed.value)
        texts += texts_of(detail)
        if isinstance(detail, error_details_pb2.ErrorInfo):
            reasons.append(detail.reason)
    # A refusal shows the caller what he sent.
    assert [leak for text in texts for leak in leaks_in(text) if leak.encode() not in call.body] == [], shown
    (reason,) = reasons
    assert _CODE_OF_REASON[reason] is error.code(), shown


@pytest.fixture(scope="module")
async def target(tmp_path_factory: pytest.TempPathFactory, neo4j_installed: None) -> AsyncIterator[Target]:
    """A gateway process over both engines, with a group of every kind of row on each."""
    directory: Path = tmp_path_factory.mktemp("fuzz")
    async with (
        own_gateway(directory, neo4j_shards=1) as process,
        GatewayClient(process.address) as client,
        grpc.aio.insecure_channel(process.address) as channel,
    ):
        await client.until_all_shards_answer(timeout_s=CALL_S_MAX)
        groups: dict[str, str] = {}
        uuids = [new_uuid() for _ in range(6)]
        while len(groups) < 2:
            group_id = f"fuzz-{new_uuid()[:8]}"
            await client.graph.WriteGraph(_one_of_each(group_id, uuids))
            described = await client.graph.GetGroup(graph_service_pb2.GetGroupRequest(group_id=group_id))
            groups.setdefault(described.group.shard, group_id)
        tokens = [
            (
                await client.graph.ListEntities(
                    graph_service_pb2.ListEntitiesRequest(group_id=group_id, page_size=1)
                )
            ).next_page_token
            for group_id in groups.values()
        ]
        known = Known(
            {
                "group_id": [*groups.values(), "no-such-group"],
                "group_ids": [*groups.values(), "no-such-group"],
                "uuid": [*uuids, new_uuid()],
                "page_token": tokens,
                "paths": ["entities.name", "facts.invalid_at", "episodes.content", "sagas.summary"],
                "request_id": ["once", "twice"],
                "embedding_model": ["model-a", "model-b"],
                # A schema that is dropped is a test of its own.
                "shard": ["no-such-shard"],
            },
            DIMENSION,
        )
        yield Target(channel, process.pid, known, list(groups))


def _one_of_each(group_id: str, uuids: Sequence[str]) -> graph_service_pb2.WriteGraphRequest:
    ada, bob, episode, community, saga, fact = uuids
    vector = [1.0] + [0.0] * (DIMENSION - 1)
    return graph_service_pb2.WriteGraphRequest(
        group_id=group_id,
        embedding_model="model-a",
        entities=[
            graph_pb2.Entity(uuid=ada, name="Ada", embedding=vector),
            graph_pb2.Entity(uuid=bob, name="Bob", embedding=vector),
        ],
        facts=[
            graph_pb2.Fact(
                uuid=fact,
                source_uuid=ada,
                target_uuid=bob,
                name="KNOWS",
                fact="Ada knows Bob",
                embedding=vector,
            )
        ],
        episodes=[graph_pb2.Episode(uuid=episode, content="Ada met Bob.", embedding=vector)],
        mentions=[graph_pb2.Mention(episode_uuid=episode, entity_uuid=ada)],
        communities=[graph_pb2.Community(uuid=community, name="All", embedding=vector)],
        memberships=[graph_pb2.Membership(community_uuid=community, entity_uuid=ada)],
        sagas=[graph_pb2.Saga(uuid=saga, name="Chat")],
        saga_episodes=[graph_pb2.SagaEpisode(saga_uuid=saga, episode_uuid=episode)],
    )


def _calls(known: Known) -> st.SearchStrategy[Call]:
    """A method, and a message of its type."""

    def call(path: str) -> st.SearchStrategy[Call]:
        # Not by map(): hypothesis would show the messages, megabytes of them, wherever one fails.
        @st.composite
        def encoded(draw: st.DrawFn) -> Call:
            return Call(path, draw(messages(METHODS[path].input_type, known)).SerializeToString())

        return encoded()

    # Writing and searching have by far the most fields.
    rich = [path for path in METHODS if path.endswith(("WriteGraph", "AddEpisode", "Search"))]
    return st.one_of(st.sampled_from([*METHODS, *rich * 8]).flatmap(call))


# Said of the messages of what has failed, which is told then.
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.timeout(120 + 60 * FACTOR)
async def test_no_message_breaks_the_gateway(target: Target) -> None:
    """Never INTERNAL nor UNKNOWN, nothing internal in any answer, health SERVING and memory flat after it."""
    loop = asyncio.get_running_loop()

    def half(number: int) -> None:
        """Hypothesis calls from its own thread; the calls run on the loop of gRPC."""

        @seed(number if FACTOR == 1 else time.time_ns())
        @settings(
            max_examples=BATCHES * FACTOR,
            deadline=None,
            database=None,
            # A smaller example is not worth the minutes: the failure names the method and its answer.
            phases=(Phase.generate,),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(st.lists(_calls(target.known), min_size=1, max_size=CALLS_PER_BATCH))
        def batches(calls: list[Call]) -> None:
            asyncio.run_coroutine_threadsafe(_all(target, calls), loop).result()

        batches()

    await asyncio.to_thread(half, 1)
    warm = resident_bytes(target.pid)
    await asyncio.to_thread(half, 2)
    assert resident_bytes(target.pid) - warm < GROWTH_BYTES_MAX
    assert await target.serves()


async def _all(target: Target, calls: Sequence[Call]) -> None:
    await asyncio.gather(*(target.call(call) for call in calls))


async def test_bytes_that_are_no_message_get_a_proper_status(target: Target) -> None:
    """Garbage, and messages cut short or with a bit turned, at every method."""
    rng = random.Random(7 if FACTOR == 1 else None)
    whole = _one_of_each(
        target.known.texts["group_id"][0], target.known.texts["uuid"][:6]
    ).SerializeToString()
    for path in METHODS:
        bodies: list[bytes] = []
        for _ in range(GARBAGE_PER_METHOD * FACTOR):
            turned = bytearray(whole)
            turned[rng.randrange(len(turned))] ^= 1 << rng.randrange(8)
            bodies += [
                rng.randbytes(rng.randrange(1, 200)),
                whole[: rng.randrange(len(whole))],
                bytes(turned),
            ]
        await asyncio.gather(*(target.call(Call(path, body)) for body in bodies))
    assert await target.serves()


async def test_the_standard_services_answer_garbage_too(target: Target) -> None:
    """Health and reflection are the libraries' own; their errors tell no more than ours."""
    rng = random.Random(11)
    for _ in range(30):
        body = rng.randbytes(rng.randrange(1, 40))
        for path in ("/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"):
            await _standard(target.channel.unary_stream(path)(body, timeout=0.2))
        for version in ("v1", "v1alpha"):
            path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
            request = reflection_pb2.ServerReflectionRequest(
                file_containing_extension=reflection_pb2.ExtensionRequest(
                    containing_type=rng.choice(("", "graphgate.v1.Entity", "\0")), extension_number=-1
                )
            )
            for one in (body, request.SerializeToString()):
                await _standard(target.channel.stream_stream(path)(iter([one]), timeout=CALL_S_MAX))
    assert await target.serves()


async def _standard(call: Any) -> None:
    try:
        async for _ in call:
            pass
    except grpc.aio.AioRpcError as error:
        refusal = error
    else:
        return
    assert refusal.code() not in (Code.INTERNAL, Code.UNKNOWN), refusal.details()
    assert leaks_in(refusal.details() or "") == []


async def test_a_shard_without_its_schema_gives_typed_errors(target: Target) -> None:
    """What DropSchema makes slow or impossible says so, and EnsureSchema mends it."""
    for shard in target.shards:
        await _admin(target, "DropSchema", shard)
    uuids = target.known.texts["uuid"][:6]
    for group_id in target.known.texts["group_id"]:
        await target.call(
            Call("/graphgate.v1.GraphService/WriteGraph", _one_of_each(group_id, uuids).SerializeToString())
        )
        for path, method in METHODS.items():
            request: Any = GetMessageClass(method.input_type)()
            fields = request.DESCRIPTOR.fields_by_name
            if "group_id" not in fields or method.name in ("WriteGraph", "AddEpisode"):
                continue
            request.group_id = group_id
            if "uuid" in fields:
                request.uuid = uuids[0]
            if "uuids" in fields:
                request.uuids.append(new_uuid())
            if "query_vector" in fields:
                request.query = "Ada"
                request.query_vector.extend([1.0] + [0.0] * (DIMENSION - 1))
            await target.call(Call(path, request.SerializeToString()))
    for shard in target.shards:
        await _admin(target, "EnsureSchema", shard)


async def _admin(target: Target, method: str, shard: str) -> None:
    request = admin_service_pb2.EnsureSchemaRequest(shard=shard)
    path = f"/graphgate.v1.AdminService/{method}"
    await target.channel.unary_unary(path)(request.SerializeToString(), timeout=CALL_S_MAX)

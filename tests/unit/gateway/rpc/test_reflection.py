"""Reflection as a client sees it that has no file from us and asks for everything it is told of."""

import inspect
from collections.abc import AsyncIterator

import grpc
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha import reflection_pb2

from gateway import errors
from gateway.rpc.reflection import V1_NAME, add_reflection
from gateway.server import SERVICES

V1ALPHA_NAME = "grpc.reflection.v1alpha.ServerReflection"
VERSIONS = pytest.mark.parametrize("service", [V1ALPHA_NAME, V1_NAME])


class ReflectionClient:
    """Asks one version of reflection and knows only what the answers say."""

    def __init__(self, channel: grpc.aio.Channel, service: str) -> None:
        self._call = channel.stream_stream(
            f"/{service}/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )

    async def ask(
        self, request: reflection_pb2.ServerReflectionRequest
    ) -> reflection_pb2.ServerReflectionResponse:
        (answer,) = [answer async for answer in self._call(iter([request]))]
        return answer

    async def services(self) -> list[str]:
        answer = await self.ask(reflection_pb2.ServerReflectionRequest(list_services=""))
        return [found.name for found in answer.list_services_response.service]

    async def files(self, symbol: str) -> list[FileDescriptorProto]:
        """The files that the answer brings for a symbol, its own one first; none: it is unknown."""
        answer = await self.ask(reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol))
        return _parsed(answer)


def _parsed(answer: reflection_pb2.ServerReflectionResponse) -> list[FileDescriptorProto]:
    return [
        FileDescriptorProto.FromString(raw) for raw in answer.file_descriptor_response.file_descriptor_proto
    ]


def _pool_of(files: list[FileDescriptorProto]) -> descriptor_pool.DescriptorPool:
    """A pool of nothing but these files; TypeError if one of their imports is not among them."""
    pool = descriptor_pool.DescriptorPool()
    waiting = {file.name: file for file in files}

    def add(file: FileDescriptorProto) -> None:
        for name in file.dependency:
            if name in waiting:
                add(waiting.pop(name))
        pool.AddSerializedFile(file.SerializeToString())

    while waiting:
        add(waiting.popitem()[1])
    return pool


@pytest.fixture(scope="module")
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server()
    add_reflection(server, SERVICES)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


@VERSIONS
async def test_every_listed_service_and_method_is_described(channel: grpc.aio.Channel, service: str) -> None:
    """What is listed can be looked up, methods too, and an answer holds all that its file imports."""
    client = ReflectionClient(channel, service)
    listed = await client.services()
    assert {*SERVICES, V1ALPHA_NAME, V1_NAME} == set(listed)
    for name in listed:
        files = await client.files(name)
        described = _pool_of(files).FindServiceByName(name)
        assert described.methods, name
        for method in described.methods:
            found = await client.files(method.full_name)
            assert [file.name for file in found] == [file.name for file in files], method.full_name
        answer = await client.ask(reflection_pb2.ServerReflectionRequest(file_by_filename=files[0].name))
        assert _parsed(answer) == files


@pytest.mark.parametrize("symbol", ["graphgate.v1.GraphService.Nope", "graphgate.v1.Nope", "Nope", "", "."])
@VERSIONS
async def test_an_unknown_symbol_is_not_found(channel: grpc.aio.Channel, service: str, symbol: str) -> None:
    """A name that nothing has is answered as not found, alike in both versions."""
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
    answer = await ReflectionClient(channel, service).ask(request)
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


@VERSIONS
async def test_the_details_of_errors_are_described(channel: grpc.aio.Channel, service: str) -> None:
    """A client decodes the status of a failed call and each kind of detail the error table packs."""
    client = ReflectionClient(channel, service)
    source = inspect.getsource(errors)
    packed = [
        message.full_name
        for name, message in error_details_pb2.DESCRIPTOR.message_types_by_name.items()
        if f"error_details_pb2.{name}(" in source
    ]
    assert {"google.rpc.ErrorInfo", "google.rpc.BadRequest", "google.rpc.RetryInfo"} <= set(packed)
    for name in ("google.rpc.Status", *packed):
        files = await client.files(name)
        assert _pool_of(files).FindMessageTypeByName(name).full_name == name
